/** One thing that must hold, however often it was looked at, and where it first did not. */
import type { Clock } from '../clock.ts'
import type { CheckResult } from '../result.ts'

/** Stops the clock at its first failure: what comes after a broken promise explains nothing. */
export class Check {
  readonly name: string
  readonly #clock: Clock
  #checked = 0
  #failure: CheckResult['failure'] = null

  constructor(name: string, clock: Clock) {
    this.name = name
    this.#clock = clock
  }

  get failed(): boolean {
    return this.#failure !== null
  }

  /** Counts one look at what held: without the words for what did not, which would be made a million times a second. */
  held(): void {
    this.#checked++
  }

  /** Counts one look; where it does not hold, `explain` says what is wrong, with the node that it is about. */
  that(holds: boolean, node: number | null, explain: () => string): void {
    this.#checked++
    if (holds || this.#failure !== null) return
    this.#failure = {
      event: this.#clock.events,
      seconds: this.#clock.elapsedMs / 1000,
      node,
      message: explain(),
    }
    this.#clock.stop()
  }

  get result(): CheckResult {
    return { name: this.name, checked: this.#checked, failure: this.#failure }
  }
}
