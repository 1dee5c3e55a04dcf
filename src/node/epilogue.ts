/**
 * What follows the end of a study at one node, once: how good is the model on the own patients, and how good are the others' updates there?
 * What was recorded is not done again after a restart; an operator may ask for both at any time.
 */
import { fromHex } from '../core/bytes.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { Held } from '../gossip/exchange.ts'
import { RETRY_MS } from '../gossip/rounds.ts'
import type { Permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Consulting } from './consulting.ts'
import type { Context } from './context.ts'
import type { NodeEvent } from './events.ts'

type Work = 'measure' | 'cross'
type Of<T extends NodeEvent['type']> = Extract<NodeEvent, { type: T }>

const ATTEMPTS_MAX = 3 // of each at one start: what fails so often wants an operator, and the next start tries again
const OTHERS_MAX = 128 // a row of so many columns fits one entry, and nobody reads a wider matrix

/** What an ended study has to be evaluated with; `model` is null where its checkpoint was lost. */
export interface Ended {
  readonly model: Digest | null
  /** The scaling that the model belongs to. */
  readonly scaling: Digest | null
  readonly others: () => readonly Held[]
  readonly leave: () => Permit | null
  readonly consulting: Pick<Consulting, 'isFresh' | 'use'>
}

/** One per study run. */
export class Epilogue {
  readonly #id: StudyId
  readonly #context: Context
  /** Whether the learner has the study's rows: from its start on, or opened again after a restart. */
  #rows: 'none' | 'opening' | 'open' = 'none'
  readonly #working = new Set<Work>()
  /** Of which model each was recorded since the start: its entry may not be durable yet. */
  readonly #told = new Map<Work, Digest>()
  readonly #failures = new Map<Work, number>()
  /** An operator asked for it, whatever was recorded before. */
  readonly #demanded = new Set<Work>()
  /** The same before the end, of a study that asks patients: until it does so again. */
  readonly #waiting = new Set<Work>()
  #retryAtMs = 0
  #endedMs: number | null = null

  constructor(id: StudyId, context: Context) {
    this.#id = id
    this.#context = context
  }

  /** The learner has the rows. */
  opened(): void {
    this.#rows = 'open'
  }

  /** Opening them failed; it is tried again. */
  openingFailed(code: string): void {
    if (this.#rows !== 'opening') return
    this.#rows = 'none'
    for (const work of WORKS) this.#failed(work, code)
  }

  /** Moves on wherever that is possible now, once the study has ended here. */
  advance(state: StudyState, ended: Ended): void {
    this.#endedMs ??= this.#context.now
    if (this.#context.now < this.#retryAtMs) return
    const due = WORKS.filter((work) => this.#isDue(work, state, ended.model))
    if (due.length === 0) return
    const leave = ended.leave()
    if (leave === null) return
    if (leave.scaling !== ended.scaling) return this.#giveUp('scaling-replaced')
    if (this.#rows === 'opening' || !ended.consulting.isFresh(state, leave)) return
    if (this.#rows === 'none') {
      this.#rows = 'opening'
      return void this.#context.out.push({ type: 'open-study', permit: leave, start: 'resume' })
    }
    ended.consulting.use()
    for (const work of due) this.#begin(work, leave, ended.others)
  }

  /** Between two rounds it is known whose rows may be used: what was asked for meanwhile begins. */
  roundBegins(state: StudyState, permit: Permit, { others, model }: Pick<Ended, 'others' | 'model'>): void {
    for (const work of this.#waiting) {
      if (!this.#working.has(work) && !this.#isTold(work, state, model)) this.#begin(work, permit, others)
    }
    this.#waiting.clear()
  }

  /**
   * An operator asks for it all now: once the study has ended `advance` sees to it, before that the learner must have the rows. Null, or why not.
   * Where patients are asked, figures of one model before and after a word would tell of the word: it is measured once.
   */
  demand(
    state: StudyState,
    { leave, others, model }: Ended,
    isEnded: boolean,
  ): 'model-missing' | 'model-measured' | null {
    const permit = leave()
    if (permit === null || (this.#rows !== 'open' && !isEnded)) return 'model-missing'
    const all = WORKS.filter((work) => work === 'measure' || state.study.report.crossSite)
    const wanted = state.study.consent === null ? all : all.filter((work) => !this.#isTold(work, state, model))
    if (wanted.length === 0) return 'model-measured'
    for (const work of wanted) {
      this.#failures.delete(work)
      if (isEnded) this.#demanded.add(work)
      else if (state.study.consent !== null) this.#waiting.add(work)
      else if (!this.#working.has(work)) this.#begin(work, permit, others)
    }
    return null
  }

  /** Whether something is still to be done for the end of the study. */
  isPending(state: StudyState, model: Digest | null): boolean {
    return WORKS.some((work) => this.#isWanted(work, state, model) && this.#tries(work) < ATTEMPTS_MAX)
  }

  /** The same by what is known now. */
  isAtWork(model: Digest | null): boolean {
    const state = this.#context.studies.get(this.#id)
    return state !== undefined && this.isPending(state, model)
  }

  /** When `advance` has something to do without any other event. */
  wakeAtMs(state: StudyState, model: Digest | null): number | null {
    if (!this.isPending(state, model) || this.#rows === 'opening') return null
    if (this.#context.now < this.#retryAtMs) return this.#retryAtMs
    const waits = this.#isWanted('cross', state, model) && !this.#working.has('cross')
    return waits && this.#context.now < this.#crossAtMs(state) ? this.#crossAtMs(state) : null
  }

  /** What the learner found, or why it did not. */
  heard(event: Of<'measured' | 'crossed' | 'measuring-failed'>): void {
    const work = event.type === 'measured' ? 'measure' : event.type === 'crossed' ? 'cross' : event.what
    this.#working.delete(work)
    if (event.type === 'measuring-failed') return this.#failed(work, event.code)
    this.#demanded.delete(work)
    this.#told.set(work, event.model)
    if (event.type === 'measured') this.#measured(event)
    else this.#crossed(event)
  }

  #measured({ round, model, evaluation }: Of<'measured'>): void {
    const draft = this.#context.draft('study.measured', this.#id, {
      round,
      model: fromHex(model),
      evaluation: evaluation === null ? null : structuredCopy(evaluation),
    })
    this.#context.record(`measured:${this.#id}`, [draft])
    const examples = evaluation?.examples ?? null
    this.#context.tell('info', 'study-measured', { study: this.#id, round, examples })
  }

  #crossed({ round, model, examples, sites }: Of<'crossed'>): void {
    const rows = sites.map(({ author, update, ...figures }) => ({
      ...structuredCopy(figures),
      author: fromHex(author),
      update: fromHex(update),
    }))
    const body = { round, model: fromHex(model), examples, sites: rows }
    this.#context.record(`crossed:${this.#id}`, [this.#context.draft('study.crossed', this.#id, body)])
    this.#context.tell('info', 'study-crossed', { study: this.#id, round, examples, updates: sites.length })
  }

  #failed(work: Work, code: string): void {
    this.#failures.set(work, code === 'model-missing' ? ATTEMPTS_MAX : this.#tries(work) + 1)
    this.#retryAtMs = this.#context.now + RETRY_MS
    const more = this.#tries(work) < ATTEMPTS_MAX
    this.#context.tell('warn', 'study-not-evaluated', { study: this.#id, what: work, code, triedAgain: more })
  }

  #giveUp(code: string): void {
    for (const work of WORKS) this.#failures.set(work, ATTEMPTS_MAX)
    this.#context.tell('warn', 'study-not-evaluated', { study: this.#id, code, triedAgain: false })
  }

  #begin(work: Work, permit: Permit, others: () => readonly Held[]): void {
    this.#working.add(work)
    if (work === 'measure') return void this.#context.out.push({ type: 'measure', permit })
    this.#context.out.push({ type: 'cross', permit, others: others().slice(0, OTHERS_MAX) })
  }

  #isDue(work: Work, state: StudyState, model: Digest | null): boolean {
    if (!this.#isWanted(work, state, model) || this.#working.has(work) || this.#tries(work) >= ATTEMPTS_MAX)
      return false
    return work === 'measure' || this.#context.now >= this.#crossAtMs(state)
  }

  #isWanted(work: Work, state: StudyState, model: Digest | null): boolean {
    if (model === null) return false
    if (this.#demanded.has(work)) return true
    if (work === 'cross' && !state.study.report.crossSite) return false
    return !this.#isTold(work, state, model)
  }

  /** Whether it was recorded of this model, now or before the start. */
  #isTold(work: Work, { measured, crossed }: StudyState, model: Digest | null): boolean {
    const { self } = this.#context
    return this.#told.get(work) === model || (work === 'measure' ? measured : crossed).get(self) === model
  }

  /** As soon as all who train have ended; of those who have not, no longer than an update of theirs would have been merged. */
  #crossAtMs({ study, accepted, bound, ended }: StudyState): number {
    const endedMs = this.#endedMs ?? this.#context.now
    if ([...bound].every((member) => !accepted.has(member) || ended.has(member))) return endedMs
    const { periodSeconds } = study.rounds
    return endedMs + Math.max(study.statistics.deadlineSeconds, study.merge.ageRoundsMax * periodSeconds) * 1_000
  }

  #tries(work: Work): number {
    return this.#failures.get(work) ?? 0
  }
}

const WORKS: readonly Work[] = ['measure', 'cross']

/** Lists and objects that may be changed, as an entry's body is typed. */
type Mutable<T> = T extends readonly unknown[] | object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T

function structuredCopy<T>(value: T): Mutable<T> {
  if (Array.isArray(value)) return value.map(structuredCopy) as Mutable<T>
  if (value === null || typeof value !== 'object') return value as Mutable<T>
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, structuredCopy(item)])) as Mutable<T>
}

/** Of each author the newer one; ascending by author. */
export function newestOf(kept: readonly Held[], held: readonly Held[]): Held[] {
  const newest = new Map(kept.map((one) => [one.author, one]))
  for (const one of held) if (one.round >= (newest.get(one.author)?.round ?? 0)) newest.set(one.author, one)
  return [...newest.values()].sort((a, b) => (a.author < b.author ? -1 : 1))
}
