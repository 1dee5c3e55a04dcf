/** Which updates are here but served to nobody: a restriction binds what was said before it, too. */
import type { Digest, MemberId, StudyId } from '../core/ids.ts'

/** Of one study: everything of `authors`, and each of `made`. */
export interface Withholding {
  readonly study: StudyId
  readonly authors: readonly MemberId[]
  readonly made: readonly { readonly author: MemberId; readonly model: Digest }[]
}

/** What names an update. */
export interface Named {
  readonly study: StudyId
  readonly author: MemberId
  readonly digest: Digest
}

/** One per node; bounded by the studies, and by what members may say of each. */
export class Withheld {
  readonly #studies = new Map<StudyId, Withholding>()

  /** In place of what was said of that study before. */
  set(withholding: Withholding): void {
    const { study, authors, made } = withholding
    if (authors.length + made.length === 0) this.#studies.delete(study)
    else this.#studies.set(study, withholding)
  }

  has({ study, author, digest }: Named): boolean {
    const withholding = this.#studies.get(study)
    if (withholding === undefined) return false
    const { authors, made } = withholding
    return authors.includes(author) || made.some((one) => one.author === author && one.model === digest)
  }

  /** Whether a payload goes to nobody, by all updates that name it: of one that is still on its way nothing is known. */
  hasAll(named: readonly Named[]): boolean {
    return named.length > 0 && named.every((one) => this.has(one))
  }

  get isEmpty(): boolean {
    return this.#studies.size === 0
  }
}
