/** Which rows figures are told of where patients are asked. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toldClasses, toldPlaces } from '../../src/core/told.ts'

const it = suite('rows that are told of')
const everywhere = (rows: Uint32Array): Uint32Array => Uint32Array.from(rows.keys())
const toldRows = (rows: readonly number[]): number[] => {
  const numbers = Uint32Array.from(rows)
  return [...toldPlaces(numbers, everywhere(numbers), 7)].map((place) => numbers[place] as number)
}
const tables = fc.uniqueArray(fc.nat(5_000), { minLength: 1, maxLength: 90 }).map((rows) => rows.sort((a, b) => a - b))

it('are as many as the greatest multiple of the cohort, in their order', () => {
  fc.assert(
    fc.property(tables, (rows) => {
      const told = toldRows(rows)
      assert.is(told.length, rows.length - (rows.length % 7))
      assert.equal(
        told,
        rows.filter((row) => told.includes(row)),
      )
    }),
  )
})

it('one row less within a band leaves all others told of, and brings in at most the next', () => {
  fc.assert(
    fc.property(tables, fc.nat(), (rows, at) => {
      fc.pre(rows.length % 7 !== 0)
      const gone = rows[at % rows.length] as number
      const [before, after] = [toldRows(rows), toldRows(rows.filter((row) => row !== gone))]
      const kept = before.filter((row) => row !== gone)
      assert.ok(kept.every((row) => after.includes(row)))
      assert.is(after.length, before.length)
      if (!before.includes(gone)) assert.equal(after, before)
    }),
  )
})

it('a table that is sorted by its label is not cut at one end', () => {
  const rows = Array.from({ length: 6_999 }, (_, row) => row)
  const told = new Set(toldRows(rows))
  const left = rows.filter((row) => !told.has(row))
  assert.is(left.length, 6)
  assert.ok(left.some((row) => row < 3_500) && left.some((row) => row >= 3_500), left.join(' '))
})

it('either class has a multiple of the cohort, or neither is told of', () => {
  const numbers = Uint32Array.from({ length: 60 }, (_, row) => row)
  const labels = Uint8Array.from(numbers, (row) => (row < 23 ? 1 : 0))
  const told = toldClasses(numbers, everywhere(numbers), labels, 7) as Uint32Array
  assert.equal([told.filter((place) => labels[place] === 1).length, told.length], [21, 56])
  assert.is(
    toldClasses(
      numbers,
      everywhere(numbers),
      labels.map((label, row) => (row < 17 ? 0 : label)),
      7,
    ),
    null,
  )
})

it.run()
