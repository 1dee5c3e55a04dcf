/** What is to happen, in the order of (time, sequence): two things at one time happen in the order in which they were planned. */
import { invariant } from '../src/core/errors.ts'

const SPAN = 65_536 // milliseconds of the wheel: rounds and messages lie within a minute, and its bits fit the first-level cache
const WORDS = SPAN / 32
const EVENTS_MAX = 100_000_000 // 3 GB: a simulation that plans more at once has run away
const NONE = -1
const NEXT = 3 // the word of an event that names the next one

/** A thing that was planned, as four numbers: `kind` says what `a` and `b` mean. */
export interface Planned {
  atMs: number
  kind: number
  a: number
  b: number
}

/**
 * A timing wheel (Varghese and Lauck 1987, scheme 4) of one-millisecond slots, and a binary heap for what lies beyond it. A slot is a
 * list in the order of planning, so that pushing and taking cost O(1) and the order is exactly (time, sequence). What comes within the
 * wheel's span moves there before anything else can be planned for that time.
 */
export class EventQueue {
  readonly #first = new Int32Array(SPAN).fill(NONE)
  readonly #last = new Int32Array(SPAN).fill(NONE)
  /** One bit per slot that is not empty. */
  readonly #bits = new Uint32Array(WORDS)
  /** Four words for each event: kind, a, b, and the next event of its slot; together, for they are read together. */
  #words = new Int32Array(4 * 1_024)
  #free = NONE
  #used = 0
  /** The time of the wheel's first slot: nothing lies before it. */
  #nowMs: number
  #inWheel = 0
  readonly #far: Far[] = []
  #sequence = 0

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  get size(): number {
    return this.#inWheel + this.#far.length
  }

  /** Plans for `atMs`, whole milliseconds, not before what was taken last. `a` and `b` are 32-bit integers. */
  push(atMs: number, kind: number, a: number, b: number): void {
    invariant(
      Number.isSafeInteger(atMs) && atMs >= this.#nowMs,
      `virtual time is in whole milliseconds and goes on: ${atMs}`,
    )
    const event = this.#take()
    const words = this.#words
    words[4 * event] = kind
    words[4 * event + 1] = a
    words[4 * event + 2] = b
    if (atMs < this.#nowMs + SPAN) this.#insert(atMs, event)
    else pushFar(this.#far, { atMs, sequence: this.#sequence++, event })
  }

  /** When the next thing is to happen; null where nothing is planned. Does not look beyond `untilMs`. */
  pop(into: Planned, untilMs = Number.POSITIVE_INFINITY): boolean {
    const atMs = this.#inWheel > 0 ? this.#nextInWheel() : (this.#far[0]?.atMs ?? Number.POSITIVE_INFINITY)
    if (atMs > untilMs) return false
    if (atMs === Number.POSITIVE_INFINITY) return false
    if (atMs !== this.#nowMs) this.#advance(atMs)
    const slot = atMs % SPAN
    const event = this.#first[slot] as number
    const words = this.#words
    const next = words[4 * event + NEXT] as number
    this.#first[slot] = next
    if (next === NONE) {
      this.#last[slot] = NONE
      const word = slot >>> 5
      this.#bits[word] = (this.#bits[word] as number) & ~(1 << (slot & 31))
    }
    this.#inWheel--
    into.atMs = atMs
    into.kind = words[4 * event] as number
    into.a = words[4 * event + 1] as number
    into.b = words[4 * event + 2] as number
    words[4 * event + NEXT] = this.#free
    this.#free = event
    return true
  }

  #advance(nowMs: number): void {
    this.#nowMs = nowMs
    while (this.#far.length > 0 && (this.#far[0] as Far).atMs < nowMs + SPAN) {
      const { atMs, event } = popFar(this.#far)
      this.#insert(atMs, event)
    }
  }

  #insert(atMs: number, event: number): void {
    const slot = atMs % SPAN
    const last = this.#last[slot] as number
    this.#words[4 * event + NEXT] = NONE
    this.#last[slot] = event
    this.#inWheel++
    if (last !== NONE) {
      this.#words[4 * last + NEXT] = event
      return
    }
    this.#first[slot] = event
    const word = slot >>> 5
    this.#bits[word] = (this.#bits[word] as number) | (1 << (slot & 31))
  }

  /** The wheel is not empty, so that one turn finds a slot. */
  #nextInWheel(): number {
    const from = this.#nowMs % SPAN
    const start = from >>> 5
    for (let turn = 0; turn <= WORDS; turn++) {
      const word = (start + turn) % WORDS
      let bits = this.#bits[word] as number
      if (turn === 0) bits &= -1 << (from & 31)
      else if (turn === WORDS) bits &= ~(-1 << (from & 31))
      if (bits === 0) continue
      const slot = word * 32 + (31 - Math.clz32(bits & -bits))
      return this.#nowMs + ((slot - from + SPAN) % SPAN)
    }
    throw new Error('an empty wheel was searched')
  }

  #take(): number {
    const free = this.#free
    if (free !== NONE) {
      this.#free = this.#words[4 * free + NEXT] as number
      return free
    }
    if (4 * this.#used === this.#words.length) this.#grow()
    return this.#used++
  }

  #grow(): void {
    const length = this.#words.length * 2
    invariant(length <= EVENTS_MAX * 8, 'the queue of events is bounded')
    const wider = new Int32Array(length)
    wider.set(this.#words)
    this.#words = wider
  }
}

interface Far {
  readonly atMs: number
  readonly sequence: number
  readonly event: number
}

function pushFar(heap: Far[], far: Far): void {
  let at = heap.length
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(far, heap[parent] as Far)) break
    heap[at] = heap[parent] as Far
    at = parent
  }
  heap[at] = far
}

function popFar(heap: Far[]): Far {
  const first = heap[0] as Far
  const last = heap.pop() as Far
  if (heap.length > 0) sink(heap, last)
  return first
}

function sink(heap: Far[], far: Far): void {
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Far, heap[child] as Far)) child++
    if (!isBefore(heap[child] as Far, far)) break
    heap[at] = heap[child] as Far
    at = child
  }
  heap[at] = far
}

function isBefore(a: Far, b: Far): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
