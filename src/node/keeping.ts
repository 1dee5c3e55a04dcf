/** Which weights the shell holds for one study, so that each is let go of exactly when nothing refers to it any more. */
import type { Digest, StudyId } from '../core/ids.ts'
import type { Rounds } from '../gossip/rounds.ts'
import type { CellTopics } from './cellTopics.ts'
import type { Context } from './context.ts'

/** The digests of everything that the shell was given or made; bounded by what is used, at every `release`. */
export class Keeping {
  readonly #context: Context
  readonly #id: StudyId
  readonly #kept = new Set<Digest>()

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
  }

  add(digest: Digest): void {
    this.#kept.add(digest)
  }

  /** Lets the shell forget all that neither the rounds nor the cells refer to any more. */
  release(rounds: Rounds, topics: CellTopics): void {
    const { base, own, merged, phase, inputs, exchange } = rounds
    const used = new Set<Digest | null | undefined>([base, own?.update, merged, ...topics.held])
    for (const { digest } of exchange.held) used.add(digest)
    if (phase === 'merging') for (const { digest } of inputs) used.add(digest)
    const digests = [...this.#kept].filter((digest) => !used.has(digest))
    for (const digest of digests) this.#kept.delete(digest)
    if (digests.length > 0) this.#context.out.push({ type: 'forget', study: this.#id, digests })
  }
}
