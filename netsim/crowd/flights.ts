/** Updates under way in a crowd: their copies in the air, and the weights that these keep. An update that nobody needs any more is used again. */
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import type { Clock } from '../clock.ts'
import { SOUND, Update } from './update.ts'

export class Flights {
  readonly #clock: Clock
  readonly #fleet: Fleet
  readonly #arriveKind: number
  /** By the number under which they fly; freed numbers are used again. */
  readonly #flying: (Update | undefined)[] = []
  readonly #freeNumbers: number[] = []
  readonly #spare: Update[] = []
  #copies = 0

  /** `arrive` is told the receiver and the number of the update. */
  constructor(clock: Clock, fleet: Fleet, arrive: (to: number, number: number) => void) {
    this.#clock = clock
    this.#fleet = fleet
    this.#arriveKind = clock.handler(arrive)
  }

  /** Copies on their way, and updates whose weights are kept. */
  get copies(): number {
    return this.#copies
  }

  /** The update that flies under `number`. */
  at(number: number): Update {
    return this.#flying[number] as Update
  }

  /** An update to fill in: of those that flew before, one is used again. */
  take(): Update {
    return this.#spare.pop() ?? new Update()
  }

  /** One copy of `update` arrives at `to` after `delayMs`. */
  fly(update: Update, to: number, delayMs: number): void {
    if (update.flying === 0) {
      update.number = this.#freeNumbers.pop() ?? this.#flying.length
      this.#flying[update.number] = update
    }
    update.flying++
    this.#copies++
    this.#fleet.retain(update.digest)
    this.#clock.plan(delayMs, this.#arriveKind, to, update.number)
  }

  /** A copy that was heard is on its way no more. */
  land(update: Update): void {
    this.#fleet.release(update.digest)
    this.#copies--
    if (--update.flying > 0) return
    this.#flying[update.number] = undefined
    this.#freeNumbers.push(update.number)
    this.settle(update)
  }

  /** Keeps the weights of an update for a while, wherever its copies are. */
  keep(update: Update, forMs: number): void {
    update.kept = true
    this.#copies++
    this.#fleet.retain(update.digest)
    this.#clock.after(forMs, () => {
      update.kept = false
      this.#copies--
      this.#fleet.release(update.digest)
    })
  }

  /** An honest update of which no copy is under way, and that nobody keeps, can be used for another. */
  settle(update: Update): void {
    if (update.flying === 0 && !update.kept && update.facts === SOUND && update.sender === update.author)
      this.#spare.push(update)
  }
}
