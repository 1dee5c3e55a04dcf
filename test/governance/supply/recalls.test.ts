/** Recalls of many: in slices that each bind alone, whole or said to be wanting, and apart from what is recalled alone. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import type { Gs1Key } from '../../../src/core/gs1.ts'
import type { MemberId } from '../../../src/core/ids.ts'
import { recallListOf } from '../../../src/governance/supply/recalls.ts'
import { bookOf, LOT, MAKER, recalled, WARD } from './kit.ts'

const it = suite('supply recalls')
const LOTS = Array.from({ length: 7 }, (_, i) => `01/09506000134352/10/M${i}` as Gs1Key)
const LIST = recallListOf(LOTS)
const [AT, NOBODY] = [1_800_000_000_000, (): number => 0]

const entry = (author: MemberId, seq: number, kind: string, body: object) => {
  return { kind, author, seq, timeMs: AT + seq, lamport: seq + 1, body: body as Cbor }
}
/** Slices of three, of seven lots: three of them. */
function slice(author: MemberId, seq: number, number: number, more: object = {}) {
  const items = LOTS.slice(number * 3, number * 3 + 3).map(utf8)
  const said = { reason: 'stability', class: 2 }
  return entry(author, seq, 'supply.recall-slice', {
    ...{ list: fromHex(LIST), slice: number, slices: 3, items, ...said },
    ...more,
  })
}
const lifted = (author: MemberId, seq: number) =>
  entry(author, seq, 'supply.list-lifted', { list: fromHex(LIST), reason: 'investigated' })

it('a list is whole when all its slices are here, and says which are not; each binds alone', () => {
  const book = bookOf([slice(MAKER, 4, 2), slice(MAKER, 5, 0)])
  const [list] = book.recalls.lists(NOBODY)
  assert.equal([list?.missing, list?.items, list?.slices, list?.stands, list?.differs], [[1], 4, 3, true, false])
  const bound = LOTS.map((lot) => book.recalls.standing(lot, NOBODY).length)
  assert.equal(bound, [1, 1, 1, 0, 0, 0, 1])
  book.recalls.tell(slice(MAKER, 9, 1))
  const [whole] = book.recalls.lists(NOBODY)
  assert.equal([whole?.missing, whole?.items, whole?.differs, whole?.seq], [[], 7, false, 4])
})

it('slices that add up to something else than the list is named by are found out', () => {
  const other = slice(MAKER, 2, 2, { items: [utf8(LOT)] })
  const [list] = bookOf([slice(MAKER, 0, 0), slice(MAKER, 1, 1), other]).recalls.lists(NOBODY)
  assert.equal([list?.missing, list?.differs], [[], true])
})

it('a list is named by its lots, in whatever order they are given', () => {
  assert.is(recallListOf([...LOTS].reverse()), LIST)
  assert.is.not(recallListOf(LOTS.slice(1)), LIST)
})

it('the end of a list counts when it is final, ends all its slices, and nothing that is recalled alone or by others', () => {
  const [alone, both] = [recalled(MAKER, 0, LOTS[0] as string, AT), [slice(MAKER, 1, 0), slice(MAKER, 2, 1)]]
  const book = bookOf([alone, ...both, slice(WARD, 7, 0), lifted(MAKER, 5)])
  const standing = (lot: number, final: number): string[] =>
    book.recalls
      .standing(LOTS[lot] as Gs1Key, () => final)
      .map((one) => `${one.author[0]}${one.list === null ? '' : 's'}`)
  assert.equal(standing(0, 5), ['a', 'as', 'bs'], 'pending')
  assert.equal(standing(0, 6), ['a', 'bs'])
  assert.equal(standing(3, 6), [])
  book.recalls.tell(recalled(MAKER, 6, LOTS[0] as string, AT, 'supply.lifted'))
  assert.equal(standing(0, 7), ['bs'])
})

it('a list that is recalled again after its end begins anew, and with another reason counts what is said anew', () => {
  const slices = [slice(MAKER, 0, 0), slice(MAKER, 1, 1), slice(MAKER, 2, 2)]
  const again = bookOf([...slices, lifted(MAKER, 3), slice(MAKER, 4, 1)])
  const found = again.recalls.lists(() => 9)[0]
  assert.equal([found?.missing, found?.items, found?.liftedBy, found?.stands], [[0, 2], 3, null, true])
  const worse = bookOf([...slices, slice(MAKER, 3, 0, { class: 1 })])
  const [now] = worse.recalls.lists(NOBODY)
  assert.equal([now?.class, now?.missing, now?.items], [1, [1, 2], 7])
  worse.recalls.tell(lifted(MAKER, 4))
  const left = LOTS.map((lot) => worse.recalls.standing(lot, () => 9).length)
  assert.equal(left, [0, 0, 0, 0, 0, 0, 0], 'what an earlier saying recalled is taken back too')
})

it('a body that does not fit, and one more list than is followed, changes nothing', () => {
  const book = bookOf([slice(MAKER, 0, 3), slice(MAKER, 1, 0, { class: 9 }), slice(MAKER, 2, 0, { items: [] })])
  assert.is(book.recalls.lists(NOBODY).length, 0)
  for (let i = 0; i < 1_005; i++) {
    const list = fromHex(i.toString(16).padStart(64, '0'))
    book.recalls.tell(slice(MAKER, i, 0, { list, items: [utf8(LOT)] }))
  }
  assert.is(book.recalls.lists(NOBODY).length, 1_000)
})

it.run()
