/** What the log takes of a run of predictions: no count, and no difference of two, of fewer patients than the minimum cohort. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { countsTold } from '../../src/governance/uses.ts'

const it = suite('counts of predictions')
const COHORT = 10
const told = (rows: number, warned: number, withoutPrediction: number) => {
  const counts = countsTold({ rows, warned, withoutPrediction }, COHORT)
  return [counts.rows, counts.warned, counts.withoutPrediction]
}

it('a small count is withheld, and so is a large one that leaves a small rest', () => {
  assert.equal(told(9, 9, 0), [null, null, null])
  assert.equal(told(60, 9, 1), [60, null, null])
  assert.equal(told(60, 51, 0), [60, null, 0], 'nine were not warned of')
  assert.equal(told(60, 50, 10), [60, 50, 10])
  assert.equal(told(60, 60, 60), [60, 60, 60])
  assert.equal(told(60, 0, 0), [60, 0, 0])
  assert.equal(told(60, 25, 17), [60, 25, null], 'eight were warned of and predicted')
  assert.equal(told(60, 57, 47), [60, null, 47])
})

it('whatever the counts, no part that can be worked out is of some patients but fewer than the cohort', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.nat(40), fc.nat(40), (clean, predicted, blocked) => {
      const [rows, warned, without] = told(clean + predicted + blocked, predicted + blocked, blocked)
      const parts = [rows, warned, without].flatMap((count) => count ?? [])
      for (const a of [...parts])
        for (const b of [0, ...parts]) assert.ok(a - b <= 0 || a - b >= COHORT, `${clean} ${predicted} ${blocked}`)
    }),
  )
})

it.run()
