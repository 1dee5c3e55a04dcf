/**
 * Whose word a study's next act rests on at this node. It is asked for anew before each round and each evaluation, of the hospital's own vault
 * alone: so a revocation binds the next round whoever else can be reached.
 */
import type { Digest, StudyId } from '../core/ids.ts'
import { RETRY_MS } from '../gossip/rounds.ts'
import { readBody } from '../governance/kinds.ts'
import type { Consulted, Permit } from '../governance/permit.ts'
import type { Fact, StudyState } from '../governance/studies.ts'
import type { Action } from './actions.ts'
import type { Context } from './context.ts'
import type { NodeEvent } from './events.ts'

type Answer = Extract<NodeEvent, { type: 'consulted' }>
type Spent = Pick<Extract<Action, { type: 'consult-consent' }>, 'spent'>

/** How many words of patients an own entry says that there are by then; 0 of any other entry. */
export function wordsTold({ kind, body }: Fact): number {
  const told = kind === 'consent.recorded' ? readBody('consent.recorded', body) : null
  return told === null ? 0 : told.from + told.items.length
}

/** Keeps how many words the own log tells of, and the commitment to the newest. */
export function noteWords(context: Context, fact: Fact): void {
  const count = fact.author === context.self ? wordsTold(fact) : 0
  if (count <= context.words) return
  context.words = count
  context.newestWord = readBody('consent.recorded', fact.body)?.items.at(-1)?.[1] ?? null
}

/** One per study run. Studies that ask no patient never get here. */
export class Consulting {
  readonly #context: Context
  readonly #id: StudyId
  #state: 'stale' | 'asking' | 'fresh' = 'stale'
  #answer: Answer | null = null
  /** Somebody spoke while it was asked for. */
  #again = false
  /** After a failure, when it is asked for again; null where it did not fail. */
  #retryAtMs: number | null = null

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
  }

  /** What is known of this table; it may be refused by, and acted upon where `isFresh`. Null where nothing is, or too long ago. */
  known(dataset: Digest | null): Consulted | null {
    const answer = this.#answer
    if (answer === null || answer.dataset !== dataset) return null
    return answer.changesAtMs !== null && answer.changesAtMs <= this.#context.now ? null : answer.consulted
  }

  /** Whether an act of this permit may begin now. Where not, it is asked for, unless that is under way, and the act comes after `consulted`. */
  isFresh({ study }: StudyState, permit: Permit, spent: Spent = {}): boolean {
    if (study.consent === null) return true
    if (this.#state === 'fresh' && this.known(permit.dataset) !== null) return true
    const waits = this.#state === 'asking' || (this.#retryAtMs !== null && this.#context.now < this.#retryAtMs)
    if (waits) return false
    this.#state = 'asking'
    this.#again = false
    this.#retryAtMs = null
    const { now: atMs, words } = this.#context
    this.#context.out.push({ type: 'consult-consent', permit, atMs, words, ...spent })
    return false
  }

  /** An act has begun on it: the next one asks again. */
  use(): void {
    if (this.#state === 'fresh') this.#state = 'stale'
  }

  consulted(answer: Answer): void {
    if (this.#state !== 'asking') return
    this.#state = this.#again ? 'stale' : 'fresh'
    this.#answer = this.#again ? null : answer
  }

  /** What was known may hold no more. */
  changed(): void {
    this.#again = true
    this.#answer = null
    this.#retryAtMs = null
    if (this.#state === 'fresh') this.#state = 'stale'
  }

  /** True where it was this that failed; it is tried again. */
  failed(code: string): boolean {
    if (this.#state !== 'asking') return false
    this.#state = 'stale'
    this.#answer = null
    this.#retryAtMs = this.#context.now + RETRY_MS
    this.#context.tell('warn', 'consent-failed', { study: this.#id, code, retryInMs: RETRY_MS })
    return true
  }

  /** Where something waits for this: for ever while it is asked for, for only an event helps then; and after a failure until it is asked again. */
  get waitsUntilMs(): number | null {
    return this.#state === 'asking' ? Number.POSITIVE_INFINITY : this.#retryAtMs
  }

  /** When a refusal that rests on this may be lifted by time alone; null where it may not. */
  get changesAtMs(): number | null {
    return this.#answer?.changesAtMs ?? null
  }
}
