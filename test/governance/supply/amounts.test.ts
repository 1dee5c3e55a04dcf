/** Goods that are counted by lot or product: so many in each of several boxes, and what a recall, a warm box and a check say of them. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Gs1Key, readGs1 } from '../../../src/core/gs1.ts'
import type { SupplyBook } from '../../../src/governance/supply/book.ts'
import { Checkup } from '../../../src/governance/supply/checkup.ts'
import { Ranges } from '../../../src/governance/supply/excursions.ts'
import { examine } from '../../../src/governance/supply/findings.ts'
import { itemCheck } from '../../../src/governance/supply/itemCheck.ts'
import type { Thing } from '../../../src/governance/supply/keys.ts'
import { Recalled } from '../../../src/governance/supply/recalled.ts'
import { lotsBehind, recallScope } from '../../../src/governance/supply/recallScope.ts'
import { containersOf, contentsAt } from '../../../src/governance/supply/stays.ts'
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

const it = suite('supply amounts')
const LOT_CLASS = 'urn:epc:class:lgtin:9506000.013435.L1'
const PRODUCT = 'https://id.gs1.org/01/09506000134352'
const boxes = Array.from({ length: 4 }, (_, i) => `urn:epc:id:giai:4000001.${i}`)
const CLINIC_SITE = { id: 'https://id.gs1.org/414/9506000140445' }
const NOW = Date.UTC(2026, 10, 20)
const LIMITS = { overdueMs: 86_400_000, nowMs: NOW }

type Json = Record<string, unknown>
const moved = (minutes: number, action: 'ADD' | 'DELETE', box: string, more: Json): Json =>
  eventAt(minutes, 'AggregationEvent', { action, parentID: box, readPoint: PLANT, ...more })
const some = (quantity: number, uom?: string, epcClass = LOT_CLASS): Json => ({
  childQuantityList: [{ epcClass, quantity, ...(uom === undefined ? {} : { uom }) }],
})
const put = (minutes: number, box: string, quantity: number, uom?: string): Json =>
  moved(minutes, 'ADD', box, some(quantity, uom))
const taken = (minutes: number, box: string, quantity: number, uom?: string): Json =>
  moved(minutes, 'DELETE', box, some(quantity, uom))

const thing = (book: SupplyBook, what: string): Thing => book.thingOf(readGs1(what)) as Thing
const holding = (book: SupplyBook, what: string = LOT): Gs1Key[] =>
  recallScope(book, what as Gs1Key).reached.flatMap(({ thing: one, how }) => (how === 'holds' ? [book.keyOf(one)] : []))
const keys = (...given: (string | undefined)[]): Gs1Key[] => given.map((one) => readGs1(one as string))
const [A, B, C] = boxes as [string, string, string]

it('a lot of which some is in each of three boxes is recalled from all of them, and its way goes with each', () => {
  const book = bookOf([
    told(MAKER, 0, [put(0, A, 50), put(5, B, 50), put(6, C, 7), moved(7, 'ADD', BOX, { childEPCs: [C] })]),
    told(WARD, 0, [seen(90, 'receiving', A, HOSPITAL)]),
    told(CLINIC, 0, [seen(95, 'receiving', B, CLINIC_SITE), taken(99, C, 3)]),
  ])
  assert.equal(holding(book).sort(), keys(A, B, C, BOX).sort())
  assert.equal(
    wayOf(book, thing(book, LOT_CLASS)).steps.map(({ event, within }) => [event.step, within.length]),
    [
      [null, 0],
      [null, 0],
      [null, 0],
      [null, 1],
      ['receiving', 1],
      ['receiving', 1],
      [null, 0],
    ],
  )
})

/** Each row moves a lot after 50 of it were put into one box and 50 into another. */
const MOVES: readonly (readonly [what: string, more: readonly ReturnType<typeof told>[], left: readonly string[]])[] = [
  ['10 of 50 are taken out', [told(WARD, 0, [taken(20, B, 10)])], [A, B]],
  ['all are taken out, in parts', [told(WARD, 0, [taken(20, B, 10), taken(21, B, 40)])], [A]],
  ['all are taken out, and some put in again', [told(WARD, 0, [taken(20, B, 50), put(21, B, 1)])], [A, B]],
  ['a box is emptied', [told(WARD, 0, [moved(20, 'DELETE', A, {})])], [B]],
  [
    'a box is emptied, and filled and emptied by count',
    [told(WARD, 0, [moved(20, 'DELETE', A, {}), put(21, A, 5), taken(22, A, 5)])],
    [B],
  ],
  ['kilograms are taken out of pieces', [told(WARD, 0, [taken(20, A, 500, 'KGM')])], [A, B]],
  [
    'as many of the product, of whatever lot',
    [told(WARD, 0, [moved(20, 'DELETE', A, some(50, undefined, PRODUCT))])],
    [A, B],
  ],
  ['two tell of the same 25', [told(WARD, 0, [taken(20, A, 25)]), told(CLINIC, 0, [taken(20, A, 25)])], [A, B]],
  ['two tell that the same 50 were put in', [told(WARD, 0, [put(0, A, 50), taken(20, A, 50)])], [B]],
]

for (const [what, more, left] of MOVES)
  it(`a lot is where some of it is: ${what}`, () => {
    const book = bookOf([told(MAKER, 0, [put(0, A, 50), put(5, B, 50)]), ...(more as ReturnType<typeof told>[])])
    assert.equal(holding(book).sort(), keys(...left).sort())
  })

it('tenths that were put in are all out when as many are out', () => {
  const book = bookOf([told(MAKER, 0, [put(0, A, 0.1, 'KGM'), put(1, A, 0.2, 'KGM'), taken(2, A, 0.3, 'KGM')])])
  assert.equal(holding(book), [])
})

const act = fc.record({
  box: fc.nat(3),
  what: fc.constantFrom('put', 'put', 'take', 'take', 'empty', 'look'),
  amount: fc.integer({ min: 1, max: 4 }),
})

it('what a box holds of a lot, now and at each event, is what a count of its amounts says', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const events = acts.map(({ box, what, amount }, i) => {
        const at = boxes[box] as string
        if (what === 'put') return put(i, at, amount)
        if (what === 'take') return taken(i, at, amount)
        return what === 'empty' ? moved(i, 'DELETE', at, {}) : measured(i, at, 5)
      })
      const book = bookOf([told(MAKER, 0, events)])
      const left = boxes.map(() => 0)
      for (const [event, { box, what, amount }] of acts.entries()) {
        if (what === 'put') left[box] = (left[box] as number) + amount
        else if (what === 'take') left[box] = Math.max(0, (left[box] as number) - amount)
        else if (what === 'empty') left[box] = 0
        else {
          const { contents } = contentsAt(book, thing(book, boxes[box] as string), event)
          assert.equal(contents.length, (left[box] as number) > 0 ? 1 : 0)
        }
      }
      const held = boxes.filter((_, i) => (left[i] as number) > 0)
      const lot = book.thingOf(LOT as Gs1Key)
      const found = lot === null ? [] : containersOf(book, lot).map((one) => book.keyOf(one))
      assert.equal(found.sort(), keys(...held).sort())
    }),
    { numRuns: 200 },
  )
})

it('what lies in a box by count is found out from the box, however many events name the lot', () => {
  const elsewhere = Array.from({ length: 400 }, (_, i) => put(i, B, 1))
  const book = bookOf([told(MAKER, 0, [put(0, A, 50), measured(500, A, 30)]), told(WARD, 0, elsewhere)])
  let looks = 0
  const namedIn = book.namedIn.bind(book)
  book.namedIn = (...asked) => {
    looks++
    return namedIn(...asked)
  }
  assert.equal(contentsAt(book, thing(book, A), 1).contents, [thing(book, LOT_CLASS)])
  assert.ok(looks < 10, `${looks} looks`)
})

const found = (book: SupplyBook, what: string): string[] => {
  const [one, final] = [thing(book, what), (): number => 9]
  const [ranges, recalls] = [new Ranges(book, final, 1e9), new Recalled(book, final, 1e9)]
  const rangeAt = ({ number, low, high }: { number: number; low: number | null; high: number | null }) =>
    ranges.at(one, number, { low, high })
  const findings = examine(book, wayOf(book, one), { ...LIMITS, rangeAt }, ({ number }) => recalls.at(one, number))
  return findings.map(({ code, event }) => `${code} ${event.seq} ${event.nth}`)
}

it('a box that is too warm for a lot of which some lies in it is an excursion, of the box and of the lot', () => {
  const book = bookOf([
    told(MAKER, 0, [put(0, A, 50), put(5, B, 50), taken(6, A, 10)]),
    told(WARD, 0, [measured(10, A, 30), measured(11, B, 30), taken(20, A, 40), measured(30, A, 30)]),
    declared(CLINIC, 0, null, 8_000),
  ])
  assert.equal(found(book, A), ['excursion 0 0'])
  assert.equal(found(book, LOT_CLASS), ['excursion 0 0', 'excursion 0 1'])
})

it('a box is received while recalled as long as it holds what is: packs in boxes in it too, and nothing that was taken out', () => {
  const inBox = [made(0, ['P']), packed(1, ['P']), moved(2, 'ADD', A, { childEPCs: [BOX] }), put(3, B, 4)]
  const received = [A, B, C].map((box, i) => seen(60 + i, 'receiving', box, HOSPITAL))
  const out = [moved(70, 'DELETE', A, {}), taken(71, B, 4)]
  const again = [A, B].map((box, i) => seen(80 + i, 'receiving', box, CLINIC_SITE))
  const book = bookOf([
    told(MAKER, 0, inBox),
    told(WARD, 0, [...received, ...out]),
    told(WARD, 1, again),
    recalled(CLINIC, 0, LOT, Date.UTC(2026, 10, 1, 12, 30)),
  ])
  const codes = (what: string): string[] => found(book, what).filter((one) => one.startsWith('recalled'))
  assert.equal([codes(A), codes(B), codes(C)], [['recalled-received 0 0'], ['recalled-received 0 1'], []])
  const recalls = new Recalled(book, () => 9, 1e9)
  const now = (what: string): number => recalls.now(thing(book, what)).length
  assert.equal([now(A), now(BOX), now(B)], [0, 1, 0])
  assert.is(new Recalled(book, () => 9, 0).now(thing(book, A)).length, 1, 'too much to look into: rather one too many')
})

function checked(book: SupplyBook, ...things: readonly string[]): string[] {
  const run = itemCheck(
    book,
    new Set(things.map((one) => thing(book, one))),
    { ...LIMITS, fixed: { low: null, high: 8_000 } },
    { shown: 100, final: () => 9 },
  )
  const { shown } = ended(run)
  return shown.map(({ thing: one, finding }) => `${finding.code} ${book.keyOf(one)} ${finding.milliCelsius}`)
}

function ended<T>(run: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = run.next()
    if (done === true) return value
  }
}

it('a check of packs or of their lot tells of the box that was too warm while they lay in it, once, and of no other time', () => {
  const book = bookOf([
    told(MAKER, 0, [made(0, ['P', 'Q']), measured(1, BOX, 40), packed(2, ['P', 'Q']), measured(3, BOX, 9)]),
    told(WARD, 0, [
      { ...packed(10, ['P', 'Q'], 'DELETE'), readPoint: PLANT },
      measured(11, BOX, 41),
      measured(12, pack('Q'), 10),
    ]),
  ])
  const inBox = `excursion ${readGs1(BOX)} 9000`
  assert.equal(checked(book, pack('P')), [inBox])
  assert.equal(checked(book, pack('P'), pack('Q')), [inBox, `excursion ${readGs1(pack('Q'))} 10000`])
})

it('a check of a lot tells of the boxes too that were received without having been shipped, while some of it lay in them', () => {
  const book = bookOf([
    told(MAKER, 0, [measured(0, A, 5), put(1, A, 50), put(2, B, 50)]),
    told(WARD, 0, [seen(60, 'receiving', A, HOSPITAL), taken(61, A, 50), seen(62, 'receiving', B, HOSPITAL)]),
    told(CLINIC, 0, [seen(70, 'receiving', A, CLINIC_SITE)]),
  ])
  const at = (box: string): string => `never-shipped ${readGs1(box)} null`
  assert.equal(checked(book, LOT_CLASS), [at(A), at(B)])
})

it('a lot in more boxes than one way has room for is checked all the same', () => {
  const n = 3_400
  const boxOf = (i: number): string => `urn:epc:id:giai:4000001.${i}`
  const warm = (i: number): Json => ({ ...measured(9_000, boxOf(i), 9), bizStep: 'receiving' })
  const events = Array.from({ length: n }, (_, i) => [put(i, boxOf(i), 1), warm(i), taken(9_001, boxOf(i), 1)]).flat()
  const sliced = Array.from({ length: (3 * n) / 200 }, (_, i) => told(MAKER, i, events.slice(i * 200, i * 200 + 200)))
  const book = bookOf(sliced)
  const limits = { ...LIMITS, fixed: { low: null, high: 8_000 } }
  const checkup = new Checkup(book)
  for (const more of [[], [recalled(CLINIC, 0, LOT, Date.UTC(2026, 10, 1, 12, 30))]]) {
    for (const entry of more) book.tell(entry)
    checkup.update(() => 9)
    while (!checkup.lookOn(1e6, () => 9));
  }
  const asked = { shown: 9, final: (): number => 9 }
  const lot = new Set([thing(book, LOT_CLASS)])
  for (const run of [checkup.answer(limits, asked), itemCheck(book, lot, limits, asked)]) {
    const { counts, cut } = ended(run)
    assert.equal([counts.get('recalled-received'), counts.get('excursion'), cut], [n, n, false])
  }
})

it('a check says where there are more events of a pack than are followed', () => {
  const events = Array.from({ length: 10_001 }, (_, i) => measured(i, pack('P'), 5))
  const sliced = Array.from({ length: 21 }, (_, i) => told(MAKER, i, events.slice(i * 500, i * 500 + 500)))
  const cuts = [sliced.slice(0, 20), sliced].map((entries) => {
    const book = bookOf(entries)
    const checkup = new Checkup(book)
    checkup.update(() => 9)
    while (!checkup.lookOn(1e6, () => 9));
    const [limits, asked] = [
      { ...LIMITS, fixed: null },
      { shown: 9, final: (): number => 9 },
    ]
    return [
      ended(checkup.answer(limits, asked)),
      ended(itemCheck(book, new Set([thing(book, pack('P'))]), limits, asked)),
    ].map(({ cut }) => cut)
  })
  assert.equal(cuts, [
    [false, false],
    [true, true],
  ])
})

it('a check of an item begins anew where something is forgotten meanwhile', () => {
  const serials = Array.from({ length: 1_200 }, (_, i) => `S${i}`)
  const book = bookOf([
    told(MAKER, 0, [measured(0, pack('S0'), 9)]),
    told(WARD, 0, [packed(1, serials.slice(0, 600)), packed(2, serials.slice(600))]),
  ])
  const all = new Set(serials.map((one) => thing(book, pack(one))))
  const limits = { ...LIMITS, fixed: { low: null, high: 8_000 } }
  const run = itemCheck(book, all, limits, { shown: 100, final: () => 9 })
  assert.is(run.next().done, false)
  book.forget(book.toldIn(MAKER, [0]))
  assert.is(ended(run).counts.size, 0)
})

it('a lot that is told apart from its product, of which so many were made, is known and recalled, with the product and its boxes', () => {
  const counted = { action: 'ADD', bizStep: 'commissioning', readPoint: PLANT, epcList: [] }
  const made5 = eventAt(0, 'ObjectEvent', {
    ...{ ...counted, quantityList: [{ epcClass: PRODUCT, quantity: 5 }] },
    ilmd: { 'cbvmda:lotNumber': 'K2' },
  })
  const book = bookOf([
    told(MAKER, 0, [made5, moved(1, 'ADD', A, some(5, undefined, PRODUCT))]),
    told(WARD, 0, [seen(60, 'receiving', A, HOSPITAL)]),
  ])
  const K2 = '01/09506000134352/10/K2'
  const { reached } = recallScope(book, K2 as Gs1Key)
  assert.equal(
    reached.map(({ thing: one, how }) => `${how} ${book.keyOf(one)}`),
    [`lot ${K2}`, `any ${readGs1(PRODUCT)}`, `holds ${readGs1(A)}`],
  )
  assert.ok(lotsBehind(book, thing(book, PRODUCT)).includes(K2 as Gs1Key))
  book.recalls.tell(recalled(CLINIC, 0, K2, Date.UTC(2026, 10, 1, 12, 30)))
  assert.ok(found(book, A).includes('recalled-received 0 0'))
})

it.run()
