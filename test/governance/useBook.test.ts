/** Who used which model: the same sums in whatever order logs arrive, by study, hospital and time. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import { UseBook, type UseFilter } from '../../src/governance/useBook.ts'
import { dropBody, encodeEntry } from '../../src/ledger/entry.ts'
import { B32, SOUND } from './sound.ts'

const it = suite('use book')
const [NORTH, SOUTH] = ['a1', 'b2'].map((digits) => digits.repeat(32)) as [MemberId, MemberId]
const [STROKE, MEMORY] = ['51', '52'].map((digits) => digits.repeat(32)) as [StudyId, StudyId]
const ALL: UseFilter = { study: null, author: null, sinceMs: null, untilMs: null }

type Said = readonly [kind: string, study: StudyId | null, timeMs: number, body?: Cbor]

/** A log's entries, from number `from` on. */
function log(author: MemberId, said: readonly Said[], from = 0): Uint8Array[] {
  return said.map(([kind, study, timeMs, body], i) => {
    const seq = from + i
    const fields = {
      author,
      seq,
      prev: seq === 0 ? new Uint8Array(32) : B32,
      timeMs,
      lamport: seq + 1,
      kind,
      study,
      refs: [],
    }
    return encodeEntry(fields, new Uint8Array(32), body ?? (SOUND[kind as 'model.used'] as unknown as Cbor))
  })
}

const used = (rows: number | null): Cbor => ({ ...SOUND['model.used'], rows }) as Cbor
const served = (runs: number | null, fromMs: number, toMs: number): Cbor =>
  ({ ...SOUND['model.served'], runs, rows: runs === null ? null : 100, fromMs, toMs }) as Cbor

const NORTHS: readonly Said[] = [
  ['model.used', STROKE, 1_000, used(40)],
  ['model.used', STROKE, 2_000, used(null)],
  ['model.served', STROKE, 9_000, served(7, 3_000, 8_000)],
  ['model.exported', STROKE, 4_000],
  ['model.explained', MEMORY, 5_000],
  ['node.started', null, 6_000],
  ['model.used', null, 7_000, used(40)],
  ['model.used', STROKE, 7_500, { rows: 'many' }],
]
const SOUTHS: readonly Said[] = [
  ['round.evaluated', STROKE, 1_500],
  ['model.served', STROKE, 6_000, served(2, 5_000, 6_000)],
]

function bookOf(...logs: readonly (readonly [MemberId, Uint8Array[]])[]): UseBook {
  const book = new UseBook()
  for (const [author, raws] of logs) book.take(author, raws)
  return book
}

it('runs and rows are summed, what is not told is counted apart, and what tells of no use or does not fit is passed over', () => {
  const book = bookOf([NORTH, log(NORTH, NORTHS)], [SOUTH, log(SOUTH, SOUTHS)])
  assert.is(book.entries, 7)
  const lines = book
    .sums(ALL)
    .map(({ author, study, use, runs, rows, withheld, firstMs, lastMs, lastSeq }) => [
      ...[author === NORTH ? 'north' : 'south', study === STROKE ? 'stroke' : 'memory', use, runs, rows, withheld],
      ...[firstMs, lastMs, lastSeq],
    ])
  assert.equal(lines, [
    ['north', 'stroke', 'prediction', 9, 140, 1, 1_000, 8_000, 2],
    ['south', 'stroke', 'prediction', 2, 100, 0, 5_000, 6_000, 1],
    ['north', 'memory', 'explanation', 1, 29, 0, 5_000, 5_000, 4],
    ['north', 'stroke', 'export', 1, null, 0, 4_000, 4_000, 3],
    ['south', 'stroke', 'evaluation', 1, 29, 0, 1_500, 1_500, 0],
  ])
})

it('of an entry that does not tell how many runs there were one is counted, and it is said that there may be more', () => {
  const book = bookOf([NORTH, log(NORTH, [...NORTHS, ['model.served', STROKE, 9_500, served(null, 0, 3_600_000)]])])
  const [sum] = book.sums({ ...ALL, author: NORTH }).filter(({ use }) => use === 'prediction')
  assert.equal([sum?.runs, sum?.rows, sum?.withheld, sum?.lastMs], [10, 140, 2, 3_600_000])
})

it('a study, a hospital and a time take what is theirs; a batch counts where any of its runs may lie', () => {
  const book = bookOf([NORTH, log(NORTH, NORTHS)], [SOUTH, log(SOUTH, SOUTHS)])
  const runs = (filter: Partial<UseFilter>): number =>
    book.sums({ ...ALL, ...filter }).reduce((sum, one) => sum + one.runs, 0)
  assert.is(runs({}), 14)
  assert.is(runs({ study: MEMORY }), 1)
  assert.is(runs({ author: SOUTH }), 3)
  assert.is(runs({ sinceMs: 8_000 }), 7)
  assert.is(runs({ sinceMs: 8_001 }), 0)
  assert.is(runs({ untilMs: 1_500 }), 1)
  assert.is(runs({ untilMs: 3_000 }), 3)
  assert.is(runs({ untilMs: 3_001 }), 10)
})

it('property: the sums are the same in whatever order and pieces the logs arrive', () => {
  const [north, south] = [log(NORTH, [...NORTHS, ...NORTHS.slice(0, 4)]), log(SOUTH, SOUTHS)]
  const expected = bookOf([NORTH, north], [SOUTH, south]).sums(ALL)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 4 })), { maxLength: 12 }), (pieces) => {
      const book = new UseBook()
      const feed = (author: MemberId, raws: readonly Uint8Array[], count: number): void =>
        book.take(author, raws.slice(book.readOf(author), book.readOf(author) + count))
      for (const [first, count] of pieces) feed(first ? NORTH : SOUTH, first ? north : south, count)
      feed(SOUTH, south, 99)
      feed(NORTH, north, 99)
      assert.equal(book.sums(ALL), expected)
    }),
  )
})

it('of a body that is gone nothing is told, and how many are gone is what who reads the log now would say', () => {
  const later: readonly Said[] = [['model.used', STROKE, 9_900, used(33)]]
  const gone = [0, 2, 4, 5, 7]
  const [whole, silent] = [log(NORTH, NORTHS), log(NORTH, NORTHS)]
  for (const seq of gone) silent[seq] = dropBody(whole[seq] as Uint8Array)
  const [read, fresh] = [bookOf([NORTH, whole], [SOUTH, log(SOUTH, SOUTHS)]), bookOf([NORTH, silent])]
  assert.equal([read.silent(ALL), fresh.silent(ALL)], [1, 4], 'one can be read by nobody')
  read.forget(NORTH, gone)
  read.forget(NORTH, gone)
  fresh.forget(NORTH, gone)
  fresh.take(SOUTH, log(SOUTH, SOUTHS))
  for (const book of [read, fresh]) {
    book.take(NORTH, log(NORTH, later, NORTHS.length))
    const lines = book.sums({ ...ALL, author: NORTH }).map(({ use, runs, rows, lastSeq }) => [use, runs, rows, lastSeq])
    assert.equal(lines, [
      ['prediction', 2, 33, 8],
      ['export', 1, null, 3],
    ])
    assert.is(book.silent(ALL), 4)
    assert.equal([book.silent({ ...ALL, study: MEMORY }), book.silent({ ...ALL, author: SOUTH })], [1, 0])
  }
  assert.equal([read.sums(ALL), read.entries], [fresh.sums(ALL), fresh.entries])
})

it.run()
