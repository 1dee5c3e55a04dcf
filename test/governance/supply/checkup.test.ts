/** A check that goes on from where it was finds what one from the beginning finds; temperatures by what is declared of products; what is dropped is gone. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../../src/core/bytes.ts'
import { checkDigit, readGs1 } from '../../../src/core/gs1.ts'
import { SupplyBook } from '../../../src/governance/supply/book.ts'
import { Checkup } from '../../../src/governance/supply/checkup.ts'
import { Ranges } from '../../../src/governance/supply/excursions.ts'
import { examine } from '../../../src/governance/supply/findings.ts'
import { Recalled } from '../../../src/governance/supply/recalled.ts'
import { contentsAt } from '../../../src/governance/supply/stays.ts'
import { wayOf } from '../../../src/governance/supply/trace.ts'
import {
  BOX,
  bookOf,
  CLINIC,
  declared,
  eventAt,
  HOSPITAL,
  LOT,
  MAKER,
  made,
  measured,
  PLANT,
  pack,
  packed,
  recalled,
  seen,
  told,
  WARD,
} from './kit.ts'

const it = suite('supply checkup')
const NOW = Date.UTC(2026, 10, 20)
const LIMITS = { overdueMs: 86_400_000, nowMs: NOW }
const SITES = [PLANT, HOSPITAL, { id: 'https://id.gs1.org/414/9506000140445' }] as const
type Told = Parameters<SupplyBook['tell']>[0]

/** Everything that is found, one line each, by looking at all ways anew. */
function naive(book: SupplyBook, final: number, fixed: { low: number; high: number } | null): string[] {
  const lines: string[] = []
  const [ranges, recalled] = [new Ranges(book, () => final, 1e9), new Recalled(book, () => final, 1e9)]
  for (let thing = 0; thing < book.things; thing++) {
    if (!book.isGoods(thing)) continue
    const way = wayOf(book, thing)
    const inBox = new Set(way.steps.filter(({ within }) => within.length > 0).map(({ event }) => event.number))
    const rangeAt = ({ number, low, high }: { number: number; low: number | null; high: number | null }) =>
      fixed ?? ranges.at(thing, number, { low, high })
    for (const { code, event, milliCelsius } of examine(book, way, { ...LIMITS, rangeAt }, ({ number }) =>
      recalled.at(thing, number),
    ))
      if (!inBox.has(event.number))
        lines.push(`${code} ${book.keyOf(thing)} ${event.author} ${event.seq} ${event.nth} ${milliCelsius}`)
  }
  return lines.sort()
}

/** What it comes to, and after how many slices. */
function finished<T>(run: Generator<undefined, T>): T & { readonly slices: number } {
  for (let slices = 0; ; slices++) {
    const { done, value } = run.next()
    if (done === true) return { ...value, slices }
  }
}

function answered(checkup: Checkup, book: SupplyBook, final: number, fixed: { low: number; high: number } | null) {
  checkup.update(() => final)
  while (!checkup.lookOn(3, () => final));
  const answer = checkup.answer({ ...LIMITS, fixed }, { shown: 10_000, final: () => final })
  const { shown, counts } = finished(answer)
  const lines = shown.map(({ thing, finding: { code, event, milliCelsius } }) => {
    return `${code} ${book.keyOf(thing)} ${event.author} ${event.seq} ${event.nth} ${milliCelsius}`
  })
  assert.is(
    [...counts.values()].reduce((sum, one) => sum + one, 0),
    lines.length,
  )
  return lines.sort()
}

const act = fc.record({
  author: fc.constantFrom(MAKER, WARD, CLINIC),
  minute: fc.nat(30),
  what: fc.constantFrom(
    ...(['make', 'pack', 'unpack', 'ship', 'receive', 'see', 'dispense', 'transform', 'warm', 'warm box'] as const),
    ...(['ship box', 'error', 'recall', 'lift', 'declare', 'redact'] as const),
    ...(['nest', 'put some', 'take some', 'empty', 'make some'] as const),
  ),
  a: fc.nat(4),
  b: fc.nat(4),
})
const PRODUCT = 'https://id.gs1.org/01/09506000134352'
const asset = (number: number): string => `urn:epc:id:giai:4000001.${number}`
const packing = (minutes: number, action: 'ADD' | 'DELETE', parentID: string, more: object) =>
  eventAt(minutes, 'AggregationEvent', { action, parentID, ...more })
/** What is told by entries of other kinds, or by none. */
const NO_EVENTS: readonly string[] = ['recall', 'lift', 'declare', 'redact']
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

function eventOf({ minute, what, a, b }: Act) {
  const one = pack(`S${a}`)
  const site = SITES[b % 3] as (typeof SITES)[0]
  if (what === 'make') return made(minute, [`S${a}`], `L${b % 2}`)
  if (what === 'pack' || what === 'unpack') return packed(minute, [`S${a}`], what === 'pack' ? 'ADD' : 'DELETE')
  if (what === 'ship') return seen(minute, 'shipping', one, site)
  if (what === 'ship box') return seen(minute, 'shipping', BOX, site)
  if (what === 'receive') return seen(minute, 'receiving', b < 2 ? (a < 2 ? asset(0) : BOX) : one, site)
  if (what === 'dispense') return seen(minute, 'dispensing', one, site, { disposition: 'dispensed' })
  if (what === 'transform')
    return eventAt(minute, 'TransformationEvent', { inputEPCList: [one], outputEPCList: [pack(`S${b}`)] })
  if (what === 'warm') return measured(minute, one, b * 4)
  if (what === 'warm box') return measured(minute, BOX, b * 4)
  if (what === 'nest') return packing(minute, 'ADD', asset(0), { childEPCs: [BOX] })
  if (what === 'empty') return packing(minute, 'DELETE', b < 2 ? BOX : asset(0), {})
  if (what === 'put some' || what === 'take some') {
    const epcClass = b === 3 ? PRODUCT : `urn:epc:class:lgtin:9506000.013435.L${b % 2}`
    const childQuantityList = [{ epcClass, quantity: a + 1 }]
    return packing(minute, what === 'put some' ? 'ADD' : 'DELETE', a < 2 ? BOX : asset(0), { childQuantityList })
  }
  if (what === 'make some')
    return { ...made(minute, [], `L${b % 2}`), quantityList: [{ epcClass: PRODUCT, quantity: a + 1 }] }
  const error = { declarationTime: '2026-11-03T00:00:00Z', reason: 'did_not_occur' }
  return seen(minute, 'storing', one, site, what === 'error' ? { errorDeclaration: error } : {})
}

/** Each act as it comes to a book: entries, and bodies that go; a question after each. */
function play(acts: readonly Act[], ask: (book: SupplyBook, checkup: Checkup, final: number) => void): void {
  const book = new SupplyBook()
  const checkup = new Checkup(book)
  const seqs = new Map<string, number>()
  for (const [i, one] of acts.entries()) {
    const { author, what, a, b, minute } = one
    const seq = seqs.get(author) ?? 0
    if (what === 'redact') {
      const events = book.toldIn(author, [a, b])
      checkup.forgetting(events)
      book.forget(events)
    } else {
      const item = a === 0 ? '01/09506000134352' : `01/09506000134352/10/L${a % 2}`
      const atMs = Date.UTC(2026, 10, 1, 12, minute)
      const entry: Told =
        what === 'recall' || what === 'lift'
          ? recalled(author, seq, item, atMs, what === 'recall' ? 'supply.recalled' : 'supply.lifted')
          : what === 'declare'
            ? declared(author, seq, a * 2_000, a * 2_000 + b * 2_000 + 1_000)
            : told(author, seq, [eventOf(one)])
      book.tell(entry)
      seqs.set(author, seq + 1)
    }
    ask(book, checkup, i)
  }
}

it('a check that goes on from where it was finds what one from the beginning finds', () => {
  fc.assert(
    fc.property(fc.array(act, { minLength: 10, maxLength: 40 }), fc.boolean(), (acts, isFixed) => {
      const fixed = isFixed ? { low: 3_000, high: 9_000 } : null
      play(acts, (book, checkup, final) =>
        assert.equal(answered(checkup, book, final, fixed), naive(book, final, fixed)),
      )
    }),
    { numRuns: 100 },
  )
})

it('of a body that is dropped nothing is left: ways, findings and keys are those of a book that never read it', () => {
  const keysIn = (book: SupplyBook): string[] =>
    Array.from({ length: book.things }, (_, i) => book.keyOf(i)).filter((key) => key !== '')
  const acts = fc.array(
    act.filter(({ what }) => !NO_EVENTS.includes(what)),
    { maxLength: 25 },
  )
  fc.assert(
    fc.property(acts, fc.nat(10), (list, gone) => {
      const [whole, without] = [new SupplyBook(), new SupplyBook()]
      for (const [seq, one] of list.entries()) {
        const entry = told(one.author, seq, [eventOf(one), made(seq, [`P${seq}`])])
        whole.tell(entry)
        if (seq !== gone) without.tell(entry)
      }
      const author = list[gone]?.author ?? MAKER
      whole.forget(whole.toldIn(author, [gone]))
      whole.forget(whole.toldIn(author, [gone]))
      assert.equal(keysIn(whole).sort(), keysIn(without).sort())
      assert.equal(naive(whole, 0, null), naive(without, 0, null))
      assert.is(whole.thingOf(readGs1(pack(`P${gone}`))), null)
    }),
    { numRuns: 150 },
  )
})

it('a box that is too warm for a product in it is an excursion of the box, while that product lies in it and no longer', () => {
  const book = bookOf([
    told(MAKER, 0, [made(0, ['A']), packed(5, ['A'])]),
    told(WARD, 0, [measured(10, BOX, 9), measured(12, BOX, 7)]),
    told(WARD, 1, [packed(20, ['A'], 'DELETE'), measured(30, BOX, 20), measured(31, pack('A'), 4)]),
    declared(CLINIC, 0, 2_000, 8_000),
  ])
  assert.equal(
    naive(book, 1, null).filter((line) => line.startsWith('excursion')),
    [`excursion ${readGs1(BOX)} ${WARD} 0 0 9000`],
  )
})

it('what counts of a recall changes what is found, without any new event', () => {
  const book = bookOf([told(MAKER, 0, [made(0, ['A'])]), told(WARD, 0, [seen(60, 'receiving', pack('A'), PLANT)])])
  const checkup = new Checkup(book)
  const codes = (final: number): string[] =>
    answered(checkup, book, final, null).map((line) => line.split(' ')[0] as string)
  assert.equal(codes(9), [])
  book.tell(recalled(CLINIC, 5, LOT, Date.UTC(2026, 10, 1, 12, 30)))
  assert.equal(codes(9), ['recalled-received'])
  book.tell(recalled(CLINIC, 6, LOT, Date.UTC(2026, 10, 1, 12, 40), 'supply.lifted'))
  assert.equal(codes(6), ['recalled-received'])
  assert.equal(codes(7), [])
})

it('a box that was received with two recalled packs in it is told of once, and no more once the recall is over', () => {
  const book = bookOf([
    told(MAKER, 0, [made(0, ['A', 'B']), packed(5, ['A', 'B'])]),
    told(WARD, 0, [seen(60, 'receiving', BOX, PLANT), packed(70, ['A', 'B'], 'DELETE')]),
    recalled(CLINIC, 5, LOT, Date.UTC(2026, 10, 1, 12, 30)),
    recalled(CLINIC, 6, LOT, Date.UTC(2026, 10, 1, 12, 40), 'supply.lifted'),
  ])
  const checkup = new Checkup(book)
  const found = (final: number): string[] =>
    answered(checkup, book, final, null).filter((line) => line.startsWith('recalled'))
  assert.equal([found(6), found(7)], [[`recalled-received ${readGs1(BOX)} ${WARD} 0 0 null`], []])
})

it('an excursion that two tell of counts once, one in error never, and the second where the first was dropped', () => {
  const book = bookOf([])
  const checkup = new Checkup(book)
  const found = (): string[] =>
    answered(checkup, book, 0, { low: 2_000, high: 8_000 }).map((line) => line.split(' ').slice(0, 3).join(' '))
  const by = (author: string): string => `excursion ${readGs1(pack('A'))} ${author}`
  const warm = measured(10, pack('A'), 9)
  book.tell(told(WARD, 0, [warm]))
  book.tell(told(MAKER, 0, [warm]))
  assert.equal(found(), [by(MAKER)])
  const events = book.toldIn(MAKER, [0])
  checkup.forgetting(events)
  book.forget(events)
  assert.equal(found(), [by(WARD)])
  const declarationTime = '2026-11-03T00:00:00Z'
  book.tell(told(WARD, 1, [{ ...warm, errorDeclaration: { declarationTime, reason: 'did_not_occur' } }]))
  assert.equal(found(), [])
})

const put = (minutes: number, child: string, parentID: string) =>
  eventAt(minutes, 'AggregationEvent', { action: 'ADD', parentID, childEPCs: [child] })

it('four thousand boxes, each in the next, are looked at: a reading of the outermost is held against the pack in the innermost', () => {
  const boxes = 4_000
  const packings = Array.from({ length: boxes }, (_, i) => put(1, i === 0 ? pack('A') : asset(i), asset(i + 1)))
  const book = bookOf([
    ...Array.from({ length: boxes / 500 }, (_, i) => told(MAKER, i, packings.slice(i * 500, (i + 1) * 500))),
    told(WARD, 0, [measured(10, asset(boxes), 9), measured(11, asset(boxes), 7)]),
    declared(CLINIC, 0, 2_000, 8_000),
  ])
  const checkup = new Checkup(book)
  assert.equal(answered(checkup, book, 1, null), [`excursion ${readGs1(asset(boxes))} ${WARD} 0 0 9000`])
})

it('a box is held against what ever lay in it, once so much was looked into that others would wait', () => {
  const book = bookOf([
    told(MAKER, 0, [packed(5, ['A']), packed(20, ['A'], 'DELETE'), measured(30, BOX, 20)]),
    declared(CLINIC, 0, 2_000, 8_000),
  ])
  const [box, reading] = [book.thingOf(readGs1(BOX)) as number, { low: 20_000, high: 20_000 }]
  const rangeWith = (lookedMax: number) => new Ranges(book, () => 1, lookedMax).at(box, 2, reading)
  assert.equal(rangeWith(1), { low: 2_000, high: 8_000 })
  assert.equal(rangeWith(2), { low: null, high: null })
})

it('what lies in a box is found out by a look at each thing and two at the box', () => {
  const serials = Array.from({ length: 40 }, (_, i) => `S${i}`)
  const book = bookOf([told(MAKER, 0, [packed(1, serials), measured(9, BOX, 9)])])
  const namingsOf = book.namingsOf.bind(book)
  let looks = 0
  book.namingsOf = (thing) => {
    looks++
    return namingsOf(thing)
  }
  const { contents } = contentsAt(book, book.thingOf(readGs1(BOX)) as number, 1)
  assert.equal([contents.length, looks], [40, 2 + 40 + 40])
})

it('products are looked at once for a question, however many boxes are empty or lie in each other', () => {
  const [products, boxes] = [60, 50]
  const empty = Array.from({ length: boxes }, (_, i) => measured(10, asset(i), 9))
  const circles = Array.from({ length: boxes }, (_, i) => {
    const [one, other] = [asset(1_000 + 2 * i), asset(1_001 + 2 * i)]
    return [put(1, one, other), put(2, other, one), measured(10, one, 9)]
  })
  const book = bookOf([
    told(WARD, 0, [...empty, ...circles.flat()]),
    ...Array.from({ length: products }, (_, i) => {
      const digits = `0950600${100_000 + i}`
      const body = { item: utf8(`01/${digits}${checkDigit(digits)}`), low: 2_000, high: 8_000 }
      return { ...declared(CLINIC, i, 0, 1), body }
    }),
  ])
  const { products: known } = book
  const of = known.of.bind(known)
  let evaluations = 0
  known.of = (...asked) => {
    evaluations++
    return of(...asked)
  }
  assert.equal(answered(new Checkup(book), book, products, null), [])
  assert.ok(evaluations > 0 && evaluations <= products, `${evaluations} evaluations of ${products} products`)
})

it('an answer comes in slices of about as much work, and what is forgotten in between is not in it', () => {
  const serials = Array.from({ length: 1_000 }, (_, i) => `S${i}`)
  const book = bookOf([
    told(MAKER, 0, [packed(1, serials)]),
    told(WARD, 0, [measured(9, BOX, 9)]),
    told(
      WARD,
      1,
      Array.from({ length: 8 }, (_, i) => measured(10 + i, BOX, 10)),
    ),
    declared(CLINIC, 0, 2_000, 8_000),
  ])
  const checkup = new Checkup(book)
  const final = (): number => 9
  checkup.update(final)
  while (!checkup.lookOn(100, final));
  const ask = () => checkup.answer({ ...LIMITS, fixed: null }, { shown: 100, final })
  const whole = finished(ask())
  assert.equal([whole.slices, whole.counts.get('excursion')], [3, 9])
  const answer = ask()
  assert.is(answer.next().done, false)
  const events = book.toldIn(WARD, [0])
  checkup.forgetting(events)
  book.forget(events)
  const { counts, shown } = finished(answer)
  assert.equal([counts.get('excursion'), shown.some(({ finding }) => finding.event.seq === 0)], [8, false])
})

it('things with long ways are looked at fewer at a time', () => {
  const serials = ['A', 'B', 'C', 'D']
  const book = bookOf([
    told(
      WARD,
      0,
      Array.from({ length: 400 }, (_, i) => measured(i, pack(serials[i % 4] as string), 5)),
    ),
  ])
  const checkup = new Checkup(book)
  checkup.update(() => 0)
  let calls = 1
  while (!checkup.lookOn(6, () => 0)) calls++
  assert.is(calls, 4, 'one of 100 events counts as six')
})

it('packs of a lot are looked at again when it is told what the lot was made of', () => {
  const pills = 'urn:epc:class:lgtin:4012345.012345.M1'
  const pill = 'urn:epc:id:sgtin:4012345.012345.1'
  const book = bookOf([
    told(MAKER, 0, [made(0, ['A']), { ...made(1, []), epcList: [pill], ilmd: { 'cbvmda:lotNumber': 'M1' } }]),
    told(WARD, 0, [seen(60, 'receiving', pill, HOSPITAL)]),
    recalled(CLINIC, 0, LOT, Date.UTC(2026, 10, 1, 12, 30)),
  ])
  const checkup = new Checkup(book)
  const found = (): boolean => answered(checkup, book, 0, null).some((line) => line.startsWith('recalled-received'))
  assert.is(found(), false)
  const outputs = { outputQuantityList: [{ epcClass: pills, quantity: 9 }] }
  book.tell(told(MAKER, 1, [eventAt(1, 'TransformationEvent', { inputEPCList: [pack('A')], ...outputs })]))
  assert.is(found(), true)
})

it.run()
