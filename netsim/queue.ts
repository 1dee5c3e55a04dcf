/** What is to happen, in the order of (time, sequence): two things at one time happen in the order in which they were planned. */
import { invariant } from '../src/core/errors.ts'

interface Planned<T> {
  readonly atMs: number
  readonly sequence: number
  readonly item: T
}

const QUEUE_MAX = 20_000_000 // about 2 GB: a simulation that plans more at once has run away

/** A binary heap; `pop` gives the earliest item, and of equal times the one that was pushed first. */
export class EventQueue<T> {
  readonly #heap: Planned<T>[] = []
  #sequence = 0

  get size(): number {
    return this.#heap.length
  }

  push(atMs: number, item: T): void {
    invariant(Number.isSafeInteger(atMs), `virtual time is in whole milliseconds: ${atMs}`)
    invariant(this.#heap.length < QUEUE_MAX, 'the queue of events is bounded')
    const planned = { atMs, sequence: this.#sequence++, item }
    let at = this.#heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(planned, this.#get(parent))) break
      this.#heap[at] = this.#get(parent)
      at = parent
    }
    this.#heap[at] = planned
  }

  pop(): { readonly atMs: number; readonly item: T } | null {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first === undefined || last === undefined) return null
    if (this.#heap.length > 0) this.#sink(last)
    return first
  }

  #sink(planned: Planned<T>): void {
    const size = this.#heap.length
    let at = 0
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && isBefore(this.#get(child + 1), this.#get(child))) child++
      if (!isBefore(this.#get(child), planned)) break
      this.#heap[at] = this.#get(child)
      at = child
    }
    this.#heap[at] = planned
  }

  #get(at: number): Planned<T> {
    return this.#heap[at] as Planned<T>
  }
}

function isBefore(a: Planned<unknown>, b: Planned<unknown>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
