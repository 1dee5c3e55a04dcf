/** Groups of patients: figures of each, and nothing of small ones, neither told nor to be worked out. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { evaluate } from '../../src/learn/evaluate.ts'
import { groupFigures } from '../../src/learn/subgroups.ts'
import { withheldCells } from '../../src/learn/suppression.ts'

const it = suite('subgroups')
const one = (counts: readonly number[]) => counts.map((count) => [count])

it('a small cell takes the next smallest with it, so that the total does not give it away', () => {
  assert.equal(withheldCells(one([40, 3, 25]), 10), [false, true, true])
  assert.equal(withheldCells(one([40, 30, 25]), 10), [false, false, false])
})

it('two small cells that together are too few take a third', () => {
  assert.equal(withheldCells(one([40, 3, 4, 25]), 10), [false, true, true, true])
  assert.equal(withheldCells(one([40, 7, 8, 25]), 10), [false, true, true, false])
})

it('a cell that nobody is in tells nothing, and hides nothing', () => {
  assert.equal(withheldCells(one([40, 0, 3, 25]), 10), [false, false, true, true])
})

it('a class that nobody of a group is in tells of everybody in it', () => {
  assert.equal(
    withheldCells(
      [
        [20, 0],
        [30, 30],
        [40, 25],
      ],
      10,
    ),
    [true, false, true],
  )
})

const tables = fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { minLength: 2, maxLength: 8 })

it('whatever the table: what is shown is large enough, and the rest is nobody, everybody, or two cells and large enough', () => {
  fc.assert(
    fc.property(tables, fc.integer({ min: 5, max: 15 }), (cells, cohort) => {
      const withheld = withheldCells(cells, cohort)
      const shown = cells.filter((_, i) => !withheld[i])
      for (const counts of shown) assert.ok(counts.every((n) => n >= cohort) || counts.every((n) => n === 0))
      const hidden = cells.filter((_, i) => withheld[i])
      if (hidden.length === 0 || shown.every((counts) => counts.every((n) => n === 0))) return
      assert.ok(hidden.length >= 2)
      for (const k of [0, 1]) assert.ok(hidden.reduce((sum, counts) => sum + (counts[k] as number), 0) >= cohort)
    }),
  )
})

/** Sixty rows in three groups: 30 and 24 with both classes, and 6. */
function patients() {
  const of = Uint8Array.from({ length: 60 }, (_, row) => (row < 30 ? 0 : row < 54 ? 1 : 2))
  const labels = Uint8Array.from({ length: 60 }, (_, row) => (row % 2 === 0 || row % 7 === 0 ? 1 : 0))
  const logits = Float64Array.from({ length: 60 }, (_, row) => ((row * 37) % 41) / 10 - 2)
  return { of, labels, logits }
}

it('figures of a group are those of its rows alone', () => {
  const { of, labels, logits } = patients()
  const [first] = groupFigures(logits, labels, { groups: 3, of }, { by: 2, cohort: 5, threshold: 0.3, numbers: null })
  const rows = Uint32Array.from({ length: 30 }, (_, row) => row)
  const { examples, accuracy, logLoss, brier, auc, positives } = evaluate(logits, labels, rows)
  assert.equal(
    { ...first, auc: Math.round((first?.auc?.[0] as number) * 1e12) },
    {
      ...{ by: 2, group: 0, examples, accuracy, logLoss, brier, positives, auc: Math.round((auc as number) * 1e12) },
      predicted: first?.predicted,
      truePositiveRate: first?.truePositiveRate,
      falsePositiveRate: first?.falsePositiveRate,
    },
  )
  const above = [...rows].filter((row) => 1 / (1 + Math.exp(-(logits[row] as number))) > 0.3)
  assert.is(first?.truePositiveRate, above.filter((row) => labels[row] === 1).length / positives)
  assert.is(first?.falsePositiveRate, above.filter((row) => labels[row] === 0).length / (30 - positives))
})

it('of a small group, and of the one that would give it away, no figure is told', () => {
  const { of, labels, logits } = patients()
  const figures = groupFigures(logits, labels, { groups: 4, of }, { by: 0, cohort: 10, threshold: 0.5, numbers: null })
  assert.equal(
    figures.map(({ group, examples }) => [group, examples]),
    [
      [0, 30],
      [1, null],
      [2, null],
    ],
    'the fourth group has nobody in it',
  )
  for (const hidden of figures.slice(1))
    assert.ok(Object.entries(hidden).every(([key, value]) => key === 'by' || key === 'group' || value === null))
})

it('where a class is small, rows are told and classes are not', () => {
  const of = Uint8Array.from({ length: 60 }, (_, row) => (row < 30 ? 0 : 1))
  const labels = Uint8Array.from({ length: 60 }, (_, row) => (row < 3 || row > 40 ? 1 : 0))
  const logits = Float64Array.from({ length: 60 }, (_, row) => row / 30 - 1)
  const figures = groupFigures(logits, labels, { groups: 2, of }, { by: 0, cohort: 10, threshold: 0.5, numbers: null })
  assert.equal(
    figures.map(({ examples, positives, auc, predicted, truePositiveRate }) => [
      examples,
      positives,
      auc,
      predicted,
      truePositiveRate,
    ]),
    [
      [30, null, null, null, null],
      [30, null, null, null, null],
    ],
  )
  assert.ok(figures.every(({ logLoss, accuracy }) => logLoss !== null && accuracy !== null))
})

it('where patients are asked a group of the table that nobody of permits is withheld as one of a few, and takes the same cell with it', () => {
  const { of, labels, logits } = patients()
  const numbers = Uint32Array.from(of.keys())
  const held = new Set([0, 1, 2])
  const figuresOf = (wanted: (row: number) => boolean) => {
    const rows = numbers.filter(wanted)
    const at = <T extends Uint8Array | Float64Array>(all: T): T => all.filter((_, row) => wanted(row)) as T
    const options = { by: 0, cohort: 5, threshold: 0.5, numbers: rows }
    return groupFigures(at(logits), at(labels), { groups: 4, of: at(of), held }, options)
  }
  const [one, nobody] = [figuresOf((row) => row < 55), figuresOf((row) => row < 54)]
  assert.equal(one, nobody)
  assert.equal(
    nobody.map(({ group, examples, positives, auc }) => [group, examples, positives, auc === null]),
    [
      [0, 30, null, false],
      [1, null, null, true],
      [2, null, null, true],
    ],
  )
})

it.run()
