/** The randomised token account of Danner and Jelasity 2018, as Hegedűs, Danner and Jelasity 2021 use it: how often a node may send. */
import { invariant } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'

/** A ≤ C, both positive whole numbers. */
export interface TokenAccountOptions {
  /** A: messages saved for one answer; up to A − 1 nothing is sent without cause. */
  readonly reactivity: number
  /** C: what can be saved at most; a full account sends in any case. */
  readonly capacity: number
}

/** One account, empty at first. Its balance stays between 0 and C, so that in k periods at most k messages are sent. */
export class TokenAccount {
  readonly #options: TokenAccountOptions
  readonly #rng: Rng
  #balance = 0

  constructor(options: TokenAccountOptions, rng: Rng) {
    const { reactivity, capacity } = options
    const sound =
      Number.isInteger(reactivity) && Number.isInteger(capacity) && reactivity >= 1 && capacity >= reactivity
    invariant(sound, `a token account with A = ${reactivity} and C = ${capacity}`)
    this.#options = options
    this.#rng = rng
  }

  get balance(): number {
    return this.#balance
  }

  /** A period has passed: whether to send a message now. If not, its token is saved. */
  onPeriod(): boolean {
    if (this.#rng.float() < proactive(this.#balance, this.#options)) return true
    this.#balance++
    return false
  }

  /** A message came: how many to send in answer, each for a token that was saved. */
  onMessage(): number {
    const exact = this.#balance / this.#options.reactivity
    const whole = Math.floor(exact)
    const sends = whole + (this.#rng.float() < exact - whole ? 1 : 0)
    this.#balance -= sends
    return sends
  }
}

/** The chance to send without cause: 0 below A − 1, from there linear up to 1 at C. */
export function proactive(balance: number, { reactivity, capacity }: TokenAccountOptions): number {
  if (balance < reactivity - 1) return 0
  return Math.min((balance - reactivity + 1) / (capacity - reactivity + 1), 1)
}
