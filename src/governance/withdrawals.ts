/**
 * Models that members took back, as a fold over `model.withdrawn` and `model.restored` that gives the same state in whatever order logs
 * arrive. Who made a model may take it back from everybody: it knows best what was wrong with its data. Of another's model a member decides
 * for its own node alone, unless a quorum of the members says the same. So nobody can stop the others by withdrawing what is not its own;
 * and where a member takes back all of its own work out of malice, a quorum that says `model.restored` lifts it.
 */
import { toHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { compareIds, type Digest, type MemberId, type StudyId } from '../core/ids.ts'
import { memberQuorum, type Quorum } from '../ledger/vote.ts'
import { readBody } from './kinds.ts'
import { Quota } from './quota.ts'

/** Why a model is taken back: the closed vocabulary of `model.withdrawn`. */
export const WITHDRAWAL_REASONS = [
  'data-error', // wrong values, units or patients in a table that it learnt from
  'label-error', // the outcome was wrong
  'consent-withdrawn', // patients, or a board, no longer allow the use of their records
  'privacy', // it tells too much of single patients
  'safety', // its predictions did harm, or would
  'poisoned', // somebody trained or merged in bad faith
  'entered-by-mistake', // of this entry's author
] as const

/** A model or an update, named by who made it: equal weights made by two members are two models. */
export interface Made {
  readonly author: MemberId
  /** Digest of its shared weights. */
  readonly model: Digest
}

/** A withdrawal that binds: whose word makes it do so, why, and the entry that says it. */
export interface Withdrawn extends Made {
  readonly by: MemberId
  readonly reason: string
  readonly seq: number
  readonly hash: Digest
}

/** The newest that one member said of one model. */
export interface Word {
  readonly withdrawn: boolean
  /** Null where it was restored. */
  readonly reason: string | null
  readonly seq: number
  readonly hash: Digest
  readonly timeMs: number
}

/** One model of which anything was said. Live: `Withdrawals` changes it with each fact. */
export interface Spoken extends Made {
  readonly words: ReadonlyMap<MemberId, Word>
}

/** An entry as this fold needs it. */
export interface WordFact {
  readonly author: MemberId
  readonly seq: number
  readonly hash: Digest
  readonly timeMs: number
  readonly kind: string
  readonly study: StudyId | null
  readonly body: Cbor | null
}

const MODELS_MAX = 1_024 // of which one member's word is read: a hospital takes back a few in its life
const NONE: readonly Withdrawn[] = []

/** Of all studies. What one member may say is bounded, so memory is bounded by the members. */
export class Withdrawals {
  readonly #spoken = new Map<StudyId, Map<string, Spoken & { readonly words: Map<MemberId, Word> }>>()
  readonly #quota = new Quota<MemberId, string>(MODELS_MAX)

  /** Whether the fact was about a withdrawal. */
  fold(fact: WordFact): boolean {
    const { kind, study, author: by, seq, hash, timeMs } = fact
    if (kind !== 'model.withdrawn' && kind !== 'model.restored') return false
    const body = readBody(kind, fact.body)
    if (study === null || body === null) return true
    const made = { author: toHex(body.author) as MemberId, model: toHex(body.model) as Digest }
    const key = keyOf(made)
    if (!this.#quota.take(by, `${study} ${key}`)) return true
    const models = this.#spoken.get(study) ?? new Map()
    const spoken = models.get(key) ?? { ...made, words: new Map() }
    const before = spoken.words.get(by)
    if (before === undefined || before.seq < seq) {
      const reason = 'reason' in body ? (body.reason as string) : null
      spoken.words.set(by, { withdrawn: kind === 'model.withdrawn', reason, seq, hash, timeMs })
    }
    this.#spoken.set(study, models.set(key, spoken))
    return true
  }

  /** Those that bind at the node of `self`, by author and digest; `members` are those of now. */
  binding(study: StudyId, self: MemberId, members: readonly MemberId[]): readonly Withdrawn[] {
    const models = this.#spoken.get(study)
    if (models === undefined) return NONE
    const found: Withdrawn[] = []
    const quorum = memberQuorum(members)
    for (const spoken of models.values()) {
      const by = binder(spoken, self, quorum)
      const word = by === null ? undefined : spoken.words.get(by)
      if (by === null || word?.reason == null) continue
      const { author, model } = spoken
      found.push({ author, model, by, reason: word.reason, seq: word.seq, hash: word.hash })
    }
    return found.sort(byModel)
  }

  /** All models of a study of which anything was said, bound by it or not. */
  spoken(study: StudyId): readonly Spoken[] {
    return [...(this.#spoken.get(study)?.values() ?? [])].sort(byModel)
  }
}

/** `author model`: what names a model in a set. */
export function keyOf({ author, model }: Made): string {
  return `${author} ${model}`
}

/** Whose word makes the withdrawal bind here; null where it does not. The own operator is obeyed first, then what binds all. */
function binder(spoken: Spoken, self: MemberId, quorum: Quorum): MemberId | null {
  return spoken.words.get(self)?.withdrawn === true ? self : binderOfAll(spoken, quorum)
}

/** Whose word makes it bind every member whose own people said nothing; null where none does. A quorum is obeyed before the author. */
export function binderOfAll({ author, words }: Spoken, { voters, reached }: Quorum): MemberId | null {
  if (words.size === 1 && voters.length > 1) return words.get(author)?.withdrawn === true ? author : null // one voice is no quorum
  const saying = (withdrawn: boolean): Set<MemberId> =>
    new Set(voters.filter((member) => words.get(member)?.withdrawn === withdrawn))
  if (reached(saying(false))) return null
  if (words.get(author)?.withdrawn === true) return author
  const against = saying(true)
  return reached(against) ? ([...against].sort(compareIds)[0] as MemberId) : null
}

function byModel(a: Made, b: Made): number {
  return compareIds(a.author, b.author) || compareIds(a.model, b.model)
}
