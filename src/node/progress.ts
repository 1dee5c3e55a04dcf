/** How far a study has come at this hospital: what is stored with each entry that tells of it, and how good the newest model is. */
import { invariant } from '../core/errors.ts'
import type { LocalFigures } from '../core/figures.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { PrivacyClaim } from '../core/privacy.ts'
import type { Rounds } from '../gossip/rounds.ts'
import { type Checkpoint, roundsBehind } from './checkpoint.ts'
import { Standing, type StandingState } from './standing.ts'

/** What the rounds do not know of a checkpoint. */
export type Stored = Pick<Checkpoint, 'stage' | 'scaling' | 'shared'> & { readonly privacy: PrivacyClaim | null }

/** One per study run. */
export class Progress {
  readonly #id: StudyId
  #checkpoint: Checkpoint | null = null
  /** Of the own update. */
  #head: Digest | null = null
  #metrics: Metrics | null = null
  readonly #standing = new Standing()

  constructor(id: StudyId) {
    this.#id = id
  }

  get checkpoint(): Checkpoint | null {
    return this.#checkpoint
  }

  /** How the merged models have stood here; null before the first. */
  get standing(): StandingState | null {
    return this.#standing.state
  }

  get roundsBehind(): number {
    return roundsBehind(this.#checkpoint)
  }

  restore(checkpoint: Checkpoint | null): void {
    this.#checkpoint = checkpoint
    if (checkpoint === null) return
    this.#metrics = checkpoint.metrics
    this.#standing.restore(checkpoint.standing)
  }

  /** The private head that goes with the own update. */
  trained(head: Digest): void {
    this.#head = head
  }

  /** A merged model was measured on the own patients; `delta` is the least gain that counts as one. */
  evaluated(round: number, model: Digest, metrics: Metrics, local: LocalFigures, delta: number): StandingState {
    this.#metrics = metrics
    this.#standing.note(round, model, metrics, local, delta)
    const { state } = this.#standing
    invariant(state !== null, 'just noted')
    return state
  }

  /** Whether the validation loss has not fallen in the last `rounds` rounds. */
  isPlateau(rounds: number): boolean {
    return this.#standing.isPlateau(rounds)
  }

  /** What is stored now, to be written with the entries that tell of it. */
  store({ stage, scaling, shared, privacy }: Stored, rounds: Rounds): Checkpoint {
    const { round, base, own, parents, inputs } = rounds
    const head = this.#head
    invariant(base !== null && own !== null && head !== null, 'a checkpoint has a base, an update and its head')
    this.#checkpoint = {
      study: this.#id,
      stage,
      round,
      scaling,
      base,
      parents: stage === 'trained' ? [...parents] : inputs.map((input) => input.digest),
      shared,
      head,
      examples: own.examples,
      metrics: this.#metrics,
      ...(privacy === null ? {} : { privacy }),
      ...(stage === 'ended' ? { others: rounds.exchange.held } : {}),
      standing: this.#standing.state,
    }
    return this.#checkpoint
  }

  /** The study is over with `model`, whatever was stored last; null where nothing was. */
  end(scaling: Digest, model: Digest): Checkpoint | null {
    if (this.#checkpoint !== null) this.#checkpoint = { ...this.#checkpoint, stage: 'ended', scaling, shared: model }
    return this.#checkpoint
  }

  /** For people and tests; plain data. */
  view() {
    return { behind: this.roundsBehind, metrics: this.#metrics, standing: this.#standing.state }
  }
}
