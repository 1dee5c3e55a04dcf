/** A million EPCIS events: how long the book of them takes, what it holds in memory, and a trace of one pack through case and pallet. */
import { utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import { checkDigit, type Gs1Key } from '../../../src/core/gs1.ts'
import type { MemberId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { SupplyEvent } from '../../../src/governance/kinds/supply.ts'
import { SupplyBook } from '../../../src/governance/supply/book.ts'
import { Checkup } from '../../../src/governance/supply/checkup.ts'
import { examine } from '../../../src/governance/supply/findings.ts'
import { recallScope } from '../../../src/governance/supply/recallScope.ts'
import { wayOf } from '../../../src/governance/supply/trace.ts'
import { decodeEntry, encodeEntry } from '../../../src/ledger/entry.ts'
import { atLeast, type Figure, under } from '../figures.ts'

const EVENTS = 1_000_000
const PALLETS = 2_500 // of 8 cases of 10 packs: 400 events each
const CASES = 8
const PACKS = 10
const PER_ENTRY = 250
const TRACES = 500
const TRACE_MS_MAX = 50
const RECALL_MS_MAX = 1_000
const CHECK_MS_MAX = 1_000
const INDEX_FLOOR = 20_000 // events a second: a million within a minute, once, at the first question
const GTIN = '09506000134352'
const MEMBERS = ['a', 'b', 'c', 'd', 'e'].map((digit) => digit.repeat(64) as MemberId)

/** Indexes the events from encoded entries, as from the logs, then asks. */
export async function bench(): Promise<Figure[]> {
  const heapBefore = heapMb()
  const book = new SupplyBook()
  const seqs = MEMBERS.map(() => 0)
  let indexMs = 0
  let batch: SupplyEvent[] = []
  const flush = (): void => {
    const member = book.events % MEMBERS.length
    const author = MEMBERS[member] as MemberId
    const raw = entryOf(author, (seqs[member] as number)++, batch)
    batch = []
    const startMs = performance.now()
    book.tell(decodeEntry(raw))
    indexMs += performance.now() - startMs
  }
  for (let pallet = 0; pallet < PALLETS; pallet++)
    for (const event of journey(pallet)) {
      batch.push(event)
      if (batch.length === PER_ENTRY) flush()
    }
  if (batch.length > 0) flush()
  const memoryMb = heapMb() - heapBefore
  if (book.events !== EVENTS) throw new Error(`${book.events} events, ${EVENTS} were meant`)
  const beside = `${book.events} events of ${book.things} keys; ${memoryMb.toFixed(0)} MB in memory`
  const { median, p99, worst } = traced(book)
  const checks = checked(book)
  const recallMs = timed(() => recallScope(book, `01/${GTIN}/10/L7` as Gs1Key))
  return [
    under(
      'supply, trace of one pack',
      p99,
      TRACE_MS_MAX,
      'ms',
      `99th percentile of ${TRACES}, median ${median.toFixed(2)}, worst ${worst.toFixed(0)} ms; ${beside}`,
    ),
    under(
      'supply, recall of one lot',
      recallMs,
      RECALL_MS_MAX,
      'ms',
      `${(PALLETS * CASES * PACKS) / 100} packs and what holds them`,
    ),
    under(
      'supply, check of everything',
      checks.warmMs,
      CHECK_MS_MAX,
      'ms',
      `${checks.findings} findings; ${checks.how}`,
    ),
    atLeast(
      'supply, events indexed',
      (EVENTS / indexMs) * 1_000,
      INDEX_FLOOR,
      'per s',
      'entries decoded and checked',
      `${(indexMs / 1_000).toFixed(1)} s in all`,
    ),
  ]
}

/** The first check looks at all things; each later one at what is new, and at all temperatures. Worst of three kinds of questions. */
function checked(book: SupplyBook): { warmMs: number; findings: number; how: string } {
  const checkup = new Checkup(book)
  const final = (): number => 1e9
  const limits = { overdueMs: 14 * 86_400_000, nowMs: 1_800_000_000_000 }
  const ask = (fixed: { low: number; high: number } | null): number => {
    checkup.update(final)
    while (!checkup.lookOn(1_000, final));
    const answering = checkup.answer({ ...limits, fixed }, { shown: 1_000, final })
    let answer = answering.next()
    while (answer.done !== true) answer = answering.next()
    const { counts } = answer.value
    return [...counts.values()].reduce((sum, one) => sum + one, 0)
  }
  const firstMs = timed(() => ask(null))
  const range = { item: utf8(`01/${GTIN}`), low: 2_000, high: 8_000 }
  const place = { author: MEMBERS[0] as MemberId, seq: 1e6, timeMs: 1, lamport: 1 }
  book.tell({ kind: 'supply.product', ...place, body: range as Cbor })
  const declaredMs = timed(() => ask(null))
  let findings = 0
  const outsideMs = timed(() => {
    findings = ask({ low: 6_000, high: 6_500 })
  })
  const events = [...journey(PALLETS)]
  for (let i = 0; i < events.length; i += PER_ENTRY) {
    const more = { events: events.slice(i, i + PER_ENTRY) } as unknown as Cbor
    book.tell({ kind: 'supply.recorded', ...place, seq: 1e6 + 1 + i, body: more })
  }
  const newMs = timed(() => ask(null))
  const how = `by what is declared ${declaredMs.toFixed(0)} ms, all readings outside ${outsideMs.toFixed(0)} ms, after ${events.length} new events ${newMs.toFixed(0)} ms; the first after a start ${(firstMs / 1_000).toFixed(1)} s, in slices`
  return { warmMs: Math.max(declaredMs, outsideMs, newMs), findings, how }
}

function traced(book: SupplyBook): { median: number; p99: number; worst: number } {
  const rng = Rng.from('supply')
  const limits = { rangeAt: () => ({ low: 2_000, high: 8_000 }), overdueMs: 1, nowMs: 2e12 }
  const times = Array.from({ length: TRACES }, () => {
    const serial = `${rng.below(PALLETS)}-${rng.below(CASES)}-${rng.below(PACKS)}`
    const thing = book.thingOf(`01/${GTIN}/21/${serial}` as Gs1Key)
    if (thing === null) throw new Error(`${serial} is not in the book`)
    return timed(() => examine(book, wayOf(book, thing), limits, () => []))
  }).sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor((TRACES - 1) * share)] as number
  return { median: at(0.5), p99: at(0.99), worst: at(1) }
}

/** 400 events: 80 packs made, each looked at three times, packed by case and pallet, shipped, measured, received, unpacked. */
function* journey(pallet: number): Generator<SupplyEvent> {
  let minute = pallet
  const at = (): { time: number; zone: number } => ({ time: 1_790_000_000_000 + minute++ * 60_000, zone: 60 })
  const whole = sscc(pallet * (CASES + 1))
  const boxes = Array.from({ length: CASES }, (_, i) => sscc(pallet * (CASES + 1) + i + 1))
  const packs = boxes.map((_, box) =>
    Array.from({ length: PACKS }, (_, i) => utf8(`01/${GTIN}/21/${pallet}-${box}-${i}`)),
  )
  const [plant, hospital] = [utf8('414/0614141123452'), utf8('414/9506000134376')]
  const lot = utf8(`L${pallet % 100}`)
  for (const pack of packs.flat())
    yield {
      type: 'object',
      ...at(),
      action: 'add',
      step: 'commissioning',
      items: [pack],
      readPoint: plant,
      lot,
      expires: 21_000,
    }
  for (const [i, box] of boxes.entries())
    yield {
      type: 'aggregation',
      ...at(),
      action: 'add',
      step: 'packing',
      parent: box,
      items: packs[i] as Uint8Array[],
      readPoint: plant,
    }
  yield { type: 'aggregation', ...at(), action: 'add', step: 'packing', parent: whole, items: boxes, readPoint: plant }
  yield { type: 'object', ...at(), action: 'observe', step: 'shipping', items: [whole], readPoint: plant }
  for (let i = 0; i < 59; i++)
    yield {
      type: 'object',
      ...at(),
      action: 'observe',
      step: 'transporting',
      items: [whole],
      temperatures: [[3_000 + i, 7_000, null, null, false]],
    }
  yield { type: 'object', ...at(), action: 'observe', step: 'receiving', items: [whole], readPoint: hospital }
  yield { type: 'aggregation', ...at(), action: 'delete', step: 'unpacking', parent: whole, readPoint: hospital }
  for (const [i, box] of boxes.entries())
    yield {
      type: 'aggregation',
      ...at(),
      action: 'delete',
      step: 'unpacking',
      parent: box,
      items: packs[i] as Uint8Array[],
      readPoint: hospital,
    }
  for (const step of ['inspecting', 'storing', 'dispensing'] as const)
    for (const pack of packs.flat())
      yield { type: 'object', ...at(), action: 'observe', step, items: [pack], readPoint: hospital }
  yield { type: 'object', ...at(), action: 'delete', step: 'decommissioning', items: [whole], readPoint: hospital }
}

function sscc(number: number): Uint8Array {
  const digits = `10614141${String(number).padStart(9, '0')}`
  return utf8(`00/${digits}${checkDigit(digits)}`)
}

function entryOf(author: MemberId, seq: number, events: readonly SupplyEvent[]): Uint8Array {
  const fields = {
    author,
    seq,
    prev: new Uint8Array(32).fill(seq === 0 ? 0 : 1),
    timeMs: 1_800_000_000_000,
    lamport: seq + 1,
  }
  return encodeEntry({ ...fields, kind: 'supply.recorded', study: null, refs: [] }, new Uint8Array(32), {
    events,
  } as unknown as Cbor)
}

function timed(work: () => void): number {
  const startMs = performance.now()
  work()
  return performance.now() - startMs
}

/** Typed arrays among it. */
function heapMb(): number {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / 1e6
}
