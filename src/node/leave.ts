/** Leave to act in one study, asked for anew before each act; a refusal is noted, and told once. */
import type { Digest, StudyId } from '../core/ids.ts'
import type { Standing } from '../governance/lineage.ts'
import { type Permit, permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import { keyOf } from '../governance/withdrawals.ts'
import { type ActFacts, Agreed } from './agreed.ts'
import { Consulting } from './consulting.ts'
import type { Context } from './context.ts'
import { Descent, type HeldUpdate, MODEL_WITHDRAWN } from './descent.ts'
import { Granted } from './granted.ts'
import { SUSPENDED } from './suspending.ts'

/** What leave is asked for. */
export interface Intent {
  /** The table that is bound; null where none is. */
  readonly dataset: Digest | null
  /** The model to go on from; null for the first. */
  readonly base: Digest | null
  readonly held: () => readonly HeldUpdate[]
  /** Of who would train on private terms; else null. */
  readonly roundsLeft: number | null
  /** The registered dataset that the table is of; null where it is none. */
  readonly registered: Digest | null
  /** What agreements may ask about. */
  readonly facts: Omit<ActFacts, 'dataset'>
}

/** One per study run. Knows what stands against acting beside the log: a pause just asked for, a withdrawn model, patients' words. */
export class Leave {
  readonly #context: Context
  readonly #id: StudyId
  readonly consulting: Consulting
  readonly #descent = new Descent()
  readonly #agreed: Agreed
  readonly #granted: Granted
  /** What the operator asked for last; null before that. */
  #pauseAsked: boolean | null = null
  #refusal: string | null = null
  /** What the shell was told last that it may not serve. */
  #withheld = ''

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
    this.consulting = new Consulting(context, id)
    this.#agreed = new Agreed(context, id)
    this.#granted = new Granted(context, id)
  }

  /** Why the last leave was refused; null where it was given. */
  get refusal(): string | null {
    return this.#refusal
  }

  /** When what is due may be gone on with, where it waits for patients' words or is refused by them; null where it does not. */
  get waitsUntilMs(): number | null {
    const { waitsUntilMs, changesAtMs } = this.consulting
    if (waitsUntilMs !== null || this.#refusal === null) return waitsUntilMs
    const { liftsAtMs } = this.#agreed
    return changesAtMs === null || liftsAtMs === null ? (changesAtMs ?? liftsAtMs) : Math.min(changesAtMs, liftsAtMs)
  }

  /** The operator's wish: a pause binds at once, its end when it is recorded. Returns whether there is something to record. */
  pause(paused: boolean): boolean {
    const before = this.#pauseAsked ?? this.#context.studies.get(this.#id)?.paused.has(this.#context.self)
    this.#pauseAsked = paused
    return before !== paused
  }

  /**
   * Tells the shell what of the updates may not be served, where that has changed: own ones while the operator pauses the study, an agreement
   * about it is over, a grant was taken back, or the own model descends from a withdrawn one, withdrawn ones whoever made them, and all of members that are suspended.
   * `registered` is the dataset that the bound table is of; null where it is none.
   */
  withhold(registered: Digest | null): void {
    const { self, studies, roll, out } = this.#context
    const study = studies.get(this.#id)
    const isPaused = this.#pauseAsked === true || study?.paused.has(self) === true
    const suspended = this.#context.suspended()
    const isTakenBack =
      study !== undefined && (this.#agreed.areOver(study) || this.#granted.isTakenBack(study, registered))
    const isOver = this.#refusal === MODEL_WITHDRAWN || isTakenBack
    const authors = [...((isPaused || isOver) && !suspended.includes(self) ? [self] : []), ...suspended]
    const binding = studies.withdrawals.binding(this.#id, self, roll.members)
    const made = binding.map(({ author, model }) => ({ author, model }))
    const withheld = [...authors, ...made.map(keyOf)].join()
    if (withheld === this.#withheld) return
    this.#withheld = withheld
    out.push({ type: 'withhold', study: this.#id, authors, made })
  }

  /** What the logs say of the models that were asked about. */
  traced(trace: number, standings: readonly Standing[]): void {
    this.#descent.traced(trace, standings)
  }

  /** Whether an update may go into a merge now; null where all may. */
  mayMerge(): ReturnType<Descent['mayMerge']> {
    return this.#descent.mayMerge()
  }

  /** The permit, or null with the refusal noted; what is refused is tried again when something changes. */
  ask(study: StudyState | undefined, { dataset, registered, base, held, roundsLeft, facts }: Intent): Permit | null {
    const { self } = this.#context
    if (this.#context.isSuspended(self)) {
      this.refuse(SUSPENDED.code, SUSPENDED.message)
      return null
    }
    const withdrawn = this.#descent.refusal(this.#context, this.#id, base, held)
    const consulted = this.consulting.known(dataset)
    const agreed = study === undefined ? null : this.#agreed.ask(study, { dataset, ...facts })
    const decision = permit({
      self,
      study,
      dataset,
      pauseAsked: this.#pauseAsked === true,
      withdrawn,
      roundsLeft,
      consulted,
      agreed,
      ungranted: study === undefined ? null : this.#granted.ask(study, registered),
    })
    if ('permit' in decision) {
      this.#refusal = null
      return decision.permit
    }
    this.refuse(decision.refusal.code, decision.refusal.message)
    return null
  }

  refuse(code: string, message: string): void {
    if (this.#refusal !== code) this.#context.tell('info', 'round-refused', { study: this.#id, code, message })
    this.#refusal = code
  }
}
