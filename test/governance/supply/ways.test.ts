/** Ways of goods over several logs: custody, findings, recalls; the same in whatever order logs arrive. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Gs1Key, readGs1 } from '../../../src/core/gs1.ts'
import type { SupplyBook } from '../../../src/governance/supply/book.ts'
import { examine, standingOf } from '../../../src/governance/supply/findings.ts'
import type { Thing } from '../../../src/governance/supply/keys.ts'
import { strictest } from '../../../src/governance/supply/products.ts'
import { lotsBehind, recallScope } from '../../../src/governance/supply/recallScope.ts'
import { containersOf } from '../../../src/governance/supply/stays.ts'
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

const it = suite('supply ways')
const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 10, 2)
const LIMITS = { rangeAt: () => ({ low: 2_000, high: 8_000 }), overdueMs: 14 * DAY_MS, nowMs: NOW }
const ward = { id: 'https://id.gs1.org/414/9506000140445' }

const thing = (book: SupplyBook, what: string): Thing => book.thingOf(readGs1(what)) as Thing
const inside = (book: SupplyBook, what: string): string[] =>
  containersOf(book, thing(book, what)).map((one) => book.keyOf(one))
const codes = (book: SupplyBook, what: string, limits = LIMITS): string[] => {
  const way = wayOf(book, thing(book, what))
  const recalls = lotsBehind(book, way.thing).flatMap((lot) => book.recalls.standing(lot, () => 0))
  return examine(book, way, limits, () => recalls).map(({ code }) => code)
}

const shipment = [
  told(MAKER, 0, [
    made(0, ['A', 'B']),
    packed(5, ['A', 'B']),
    seen(10, 'shipping', BOX, PLANT, { destinationList: [{ type: 'location', destination: HOSPITAL.id }] }),
  ]),
  told(WARD, 0, [seen(600, 'receiving', BOX, HOSPITAL), packed(610, ['A'], 'DELETE')]),
]

it('a pack goes with its box: shipped and received in it, on its own after it was taken out', () => {
  const book = bookOf([
    ...shipment,
    told(WARD, 1, [seen(700, 'shipping', BOX, HOSPITAL), seen(650, 'storing', pack('A'), HOSPITAL)]),
  ])
  const [a, b] = [wayOf(book, thing(book, pack('A'))), wayOf(book, thing(book, pack('B')))]
  assert.equal(
    a.steps.map(({ event }) => event.step),
    ['commissioning', 'packing', 'shipping', 'receiving', 'unpacking', 'storing'],
  )
  assert.equal(
    b.steps.map(({ event }) => event.step),
    ['commissioning', 'packing', 'shipping', 'receiving', 'shipping'],
  )
  assert.equal([inside(book, pack('A')), inside(book, pack('B'))], [[], [readGs1(BOX)]])
  assert.equal([standingOf(book, a).state, standingOf(book, b).state], ['here', 'under-way'])
  assert.equal(codes(book, pack('A')), [])
})

it('an emptied box, named without what came out, holds nothing any more', () => {
  const emptied = eventAt(620, 'AggregationEvent', { action: 'DELETE', parentID: BOX, readPoint: HOSPITAL })
  const book = bookOf([...shipment, told(WARD, 1, [emptied])])
  assert.equal(inside(book, pack('B')), [])
})

/** Each row adds events to a sound way, and says what is found of pack A then. */
const FINDS: readonly (readonly [what: string, more: readonly ReturnType<typeof told>[], found: readonly string[]])[] =
  [
    ['nothing', [], []],
    ['a copy', [told(CLINIC, 0, [made(30, ['A'])])], ['commissioned-twice']],
    [
      'a shipment that nobody received',
      [
        told(WARD, 1, [seen(700, 'shipping', pack('A'), HOSPITAL)]),
        told(CLINIC, 0, [seen(900, 'storing', pack('A'), ward)]),
      ],
      ['never-received'],
    ],
    ['a receipt that nobody shipped', [told(CLINIC, 0, [seen(900, 'receiving', pack('A'), ward)])], ['never-shipped']],
    ['a sighting elsewhere', [told(CLINIC, 0, [seen(900, 'storing', pack('A'), ward)])], ['moved']],
    [
      'two places at once',
      [
        told(WARD, 1, [seen(900, 'storing', pack('A'), HOSPITAL)]),
        told(CLINIC, 0, [seen(900, 'storing', pack('A'), ward)]),
      ],
      ['two-places', 'moved'],
    ],
    [
      'life after death',
      [
        told(WARD, 1, [
          seen(700, 'dispensing', pack('A'), HOSPITAL, { disposition: 'dispensed' }),
          seen(800, 'storing', pack('A'), HOSPITAL),
        ]),
      ],
      ['after-end'],
    ],
    [
      'a return',
      [
        told(WARD, 1, [
          seen(700, 'dispensing', pack('A'), HOSPITAL),
          seen(800, 'receiving', pack('A'), HOSPITAL, { disposition: 'returned' }),
        ]),
      ],
      [],
    ],
    ['a sighting before', [told(MAKER, 1, [seen(-30, 'storing', pack('A'), PLANT)])], ['before-commissioning']],
    ['expiry', [told(WARD, 1, [seen(60 * 24 * 160, 'dispensing', pack('A'), HOSPITAL)])], ['expired-dispensed']],
    ['the same told by two', [told(CLINIC, 0, [made(0, ['A', 'B'])])], []],
    [
      'a recall',
      [
        recalled(CLINIC, 0, LOT, Date.UTC(2026, 10, 1, 13)),
        told(WARD, 1, [seen(700, 'dispensing', pack('A'), HOSPITAL)]),
      ],
      ['recalled-received', 'recalled-dispensed'],
    ],
    [
      'a warm truck',
      [
        told(WARD, 1, [
          eventAt(300, 'ObjectEvent', {
            action: 'OBSERVE',
            bizStep: 'transporting',
            epcList: [BOX],
            sensorElementList: [
              {
                sensorReport: [
                  { type: 'Temperature', minValue: 3, maxValue: 9.4, uom: 'CEL', exception: 'ALARM_CONDITION' },
                ],
              },
            ],
          }),
        ]),
      ],
      ['excursion', 'alarm'],
    ],
  ]

for (const [what, more, found] of FINDS)
  it(`found of a pack: ${what}`, () => {
    assert.equal(codes(bookOf([...shipment, ...(more as typeof shipment)]), pack('A')), found)
  })

it('a shipment is overdue after as many days as are asked for', () => {
  const book = bookOf([shipment[0] as (typeof shipment)[0]])
  assert.equal(codes(book, BOX), [])
  assert.equal(codes(book, BOX, { ...LIMITS, nowMs: NOW + 15 * DAY_MS }), ['overdue'])
})

it('an event declared in error counts for nothing, and another member’s word does not make it one', () => {
  const wrong = seen(900, 'receiving', pack('A'), ward)
  const error = { ...wrong, errorDeclaration: { declarationTime: '2026-11-03T00:00:00Z', reason: 'did_not_occur' } }
  assert.equal(codes(bookOf([...shipment, told(CLINIC, 0, [wrong]), told(CLINIC, 1, [error])]), pack('A')), [])
  assert.equal(codes(bookOf([...shipment, told(CLINIC, 0, [wrong]), told(WARD, 1, [error])]), pack('A')), [
    'never-shipped',
  ])
})

it('a recall reaches packs of the lot, what was made of them and what holds it; and no other lot', () => {
  const mixed = eventAt(20, 'TransformationEvent', {
    inputEPCList: [pack('B')],
    outputEPCList: ['https://id.gs1.org/01/04012345123456/21/Z'],
    readPoint: HOSPITAL,
  })
  const book = bookOf([
    told(MAKER, 0, [made(0, ['A', 'B']), made(1, ['C'], 'L2'), packed(5, ['A', 'C'])]),
    told(WARD, 0, [mixed]),
  ])
  const { reached } = recallScope(book, LOT as Gs1Key)
  const told2 = reached.map((one) => `${one.how} ${book.keyOf(one.thing)}`)
  assert.equal(told2, [
    `lot ${LOT}`,
    `lot ${readGs1(pack('A'))}`,
    `lot ${readGs1(pack('B'))}`,
    'made 01/04012345123456/21/Z',
    `holds ${readGs1(BOX)}`,
  ])
  assert.ok(lotsBehind(book, thing(book, 'https://id.gs1.org/01/04012345123456/21/Z')).includes(LOT as Gs1Key))
})

it('a recall binds as soon as it is known, and its end when that is final; each takes back its own', () => {
  const at = NOW
  const book = bookOf([
    recalled(MAKER, 4, LOT, at),
    recalled(WARD, 2, LOT, at),
    recalled(MAKER, 7, LOT, at, 'supply.lifted'),
  ])
  const standing = (final: number): string[] =>
    book.recalls.standing(LOT as Gs1Key, () => final).map(({ author }) => author)
  assert.equal(standing(0), [MAKER, WARD])
  assert.equal(standing(7), [MAKER, WARD])
  assert.equal(standing(8), [WARD])
  book.recalls.tell(recalled(MAKER, 9, LOT, at))
  assert.equal(standing(8), [WARD, MAKER].sort(), 'said again')
})

/** Packs in boxes in boxes, made into one another; by three members. */
const story = fc.array(
  fc.record({
    author: fc.constantFrom(MAKER, WARD, CLINIC),
    minute: fc.nat(20),
    what: fc.constantFrom('make', 'pack', 'unpack', 'ship', 'receive', 'transform'),
    a: fc.nat(5),
    b: fc.nat(5),
  }),
  { maxLength: 25 },
)
const eventOf = ({ minute, what, a, b }: { minute: number; what: string; a: number; b: number }) => {
  const [one, other] = [pack(`S${a}`), pack(`S${b}`)]
  if (what === 'make') return made(minute, [`S${a}`], `L${a % 2}`)
  if (what === 'ship') return seen(minute, 'shipping', one, PLANT)
  if (what === 'receive') return seen(minute, 'receiving', one, b % 2 === 0 ? HOSPITAL : ward)
  if (what === 'transform')
    return eventAt(minute, 'TransformationEvent', { inputEPCList: [one], outputEPCList: [other] })
  return eventAt(minute, 'AggregationEvent', {
    action: what === 'pack' ? 'ADD' : 'DELETE',
    parentID: other,
    childEPCs: [one],
  })
}
type Act = Parameters<typeof eventOf>[0] & { readonly author: typeof MAKER }
const entriesOf = (acts: readonly Act[]) =>
  [MAKER, WARD, CLINIC].map((author) =>
    acts.filter((one) => one.author === author).map((one, seq) => told(author, seq, [eventOf(one)])),
  )

it('ways, findings and recalls are the same in whatever order the logs arrive', () => {
  const summary = (book: SupplyBook): unknown =>
    Array.from({ length: 6 }, (_, i) => pack(`S${i}`)).map((what) => {
      const at = book.thingOf(readGs1(what))
      if (at === null) return null
      const way = wayOf(book, at)
      const reached = recallScope(book, book.keyOf(at)).reached.map((one) => [book.keyOf(one.thing), one.how])
      const steps = way.steps.map(({ event, within }) => [
        event.author,
        event.seq,
        within.map((one) => book.keyOf(one)),
      ])
      return [steps, inside(book, what), codes(book, what), reached, standingOf(book, way).state]
    })
  fc.assert(
    fc.property(story, (acts) => {
      const [a = [], b = [], c = []] = entriesOf(acts)
      assert.equal(summary(bookOf([...a, ...b, ...c])), summary(bookOf([...c, ...a, ...b])))
    }),
    { numRuns: 150 },
  )
})

it('what a recall reaches by making is what a search over all events finds', () => {
  fc.assert(
    fc.property(story, (acts) => {
      const book = bookOf(entriesOf(acts).flat())
      const start = readGs1(pack('S0'))
      if (book.thingOf(start) === null) return
      const naive = new Set([start])
      for (let before = -1; before < naive.size; ) {
        before = naive.size
        for (const { what, a, b } of acts)
          if (what === 'transform' && naive.has(readGs1(pack(`S${a}`)))) naive.add(readGs1(pack(`S${b}`)))
      }
      const found = recallScope(book, start)
        .reached.filter(({ how }) => how !== 'holds')
        .map((one) => book.keyOf(one.thing))
      assert.equal(found.sort(), [...naive].sort())
    }),
    { numRuns: 150 },
  )
})

it('who writes much of one thing at one time does not keep others busy: each event is looked at a few times', () => {
  const n = 2_000
  const hostile = Array.from({ length: n }, (_, i) => measured(5, pack('A'), i / 100))
  const packings = Array.from({ length: n }, (_, i) => packed(10 + i, ['A']))
  const book = bookOf([
    told(MAKER, 0, [made(0, ['A'])]),
    ...[...hostile, ...packings].map((one, i) => told(WARD, i, [one])),
  ])
  let looks = 0
  const [compare, namedIn, at] = [book.compare.bind(book), book.namedIn.bind(book), book.at.bind(book)]
  book.compare = (a, b) => {
    looks++
    return compare(a, b)
  }
  book.namedIn = (event, role) => {
    looks++
    return namedIn(event, role)
  }
  book.at = (event) => {
    looks++
    return at(event)
  }
  assert.ok(codes(book, pack('A')).length > 0)
  assert.ok(looks < 500 * n, `${looks} looks at ${2 * n} events`)
})

it('a wider range counts when it is final, however many are declared before that', () => {
  const wider = Array.from({ length: 20 }, (_, i) => declared(MAKER, 1 + i, 0, 90_000))
  const { products } = bookOf([declared(MAKER, 0, 2_000, 8_000), ...wider])
  const range = (final: number): unknown => {
    const found = products.of('09506000134352', () => final)
    return [found?.low, found?.high]
  }
  assert.equal(
    [range(0), range(1), range(21)],
    [
      [2_000, 8_000],
      [2_000, 8_000],
      [0, 90_000],
    ],
  )
})

it('of two declarations the strictest counts, a narrower one at once and a wider one when it is final', () => {
  const rangeOf = (final: number, ...entries: Parameters<SupplyBook['tell']>[0][]) => {
    const found = bookOf(entries).products.of('09506000134352', () => final)
    return found === null ? null : [found.low, found.high, found.differ]
  }
  const [wide, narrow, none] = [
    declared(MAKER, 1, null, 25_000),
    declared(MAKER, 0, 2_000, 8_000),
    declared(MAKER, 1, null, null),
  ]
  assert.equal(rangeOf(1, narrow, wide), [2_000, 8_000, false], 'wider, and pending')
  assert.equal(rangeOf(2, narrow, wide), [null, 25_000, false], 'wider, and final')
  assert.equal(rangeOf(1, declared(MAKER, 0, null, 25_000), declared(MAKER, 1, 2_000, 8_000)), [2_000, 8_000, false])
  assert.equal(rangeOf(1, narrow, none), [2_000, 8_000, false], 'taken back, and pending')
  assert.is(rangeOf(2, narrow, none), null, 'taken back')
  assert.equal(rangeOf(9, narrow, declared(WARD, 0, 1_000, 6_000)), [2_000, 6_000, true])
  assert.equal(rangeOf(9, declared(WARD, 0, 1_000, 6_000), narrow), [2_000, 6_000, true], 'in whatever order')
  assert.is(rangeOf(9, declared(MAKER, 0, 8_000, 2_000)), null, 'upside down, and passed over')
})

it('a truck that carried more than a call has arguments has a strictest range all the same', () => {
  const ranges = Array.from({ length: 200_000 }, (_, i) => ({ low: i === 7 ? 3_000 : 2_000, high: null }))
  assert.equal(strictest(ranges), { low: 3_000, high: null })
})

it.run()
