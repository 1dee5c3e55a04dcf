/** Permutation importance: what was made to matter is found, as much as arithmetic says, and nothing else. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { importances } from '../../src/learn/explain.ts'
import { logitsInSlices } from '../../src/learn/inSlices.ts'
import type { DesignMatrix } from '../../src/learn/learner.ts'
import { predict } from '../../src/learn/model.ts'
import { someWeights, table } from './fixtures.ts'
import { COLUMNS, clinicStudy } from './portableFixtures.ts'

const it = suite('explain')
const STUDY = clinicStudy() // age, tau, and sex in two columns
const WEIGHTS = { shared: Float32Array.of(2, 0, 0.75, -0.75), head: Float32Array.of(-0.2) }

/** Labels follow the weights. */
function rowsOf(rows: number): DesignMatrix {
  const rng = Rng.from('explain-test')
  const x = new Float32Array(rows * COLUMNS)
  for (let row = 0; row < rows; row++) {
    const sex = rng.below(2)
    x.set([4 * rng.float() - 2, 4 * rng.float() - 2, sex, 1 - sex], row * COLUMNS)
  }
  const matrix = { rows, columns: COLUMNS, x, y: new Uint8Array(rows) }
  const logits = predict(STUDY.model, COLUMNS, WEIGHTS, matrix)
  for (let row = 0; row < rows; row++) matrix.y[row] = (logits[row] as number) + rng.float() * 2 - 1 > 0 ? 1 : 0
  return matrix
}

const MATRIX = rowsOf(400)
const logits = (matrix: DesignMatrix) => logitsInSlices(STUDY.model, WEIGHTS, matrix)
const options = { repeats: 40, seed: 'seven' }

it('the feature that decides comes first, a category counts as one, and one without a weight loses exactly nothing', async () => {
  const found = await importances(STUDY, MATRIX, logits, options)
  assert.equal(
    found.map(({ feature }) => feature),
    ['age', 'sex', 'Größe "tau"'],
  )
  const [age, sex, tau] = found
  assert.ok((age?.auc?.mean ?? 0) > 0.3 && (age?.auc?.low ?? 0) > 0.2, JSON.stringify(age))
  assert.ok((sex?.logLoss.low ?? 0) > 0)
  assert.equal(tau, {
    feature: 'Größe "tau"',
    auc: { mean: 0, low: 0, high: 0 },
    logLoss: { mean: 0, low: 0, high: 0 },
  })
})

it('both columns of a category are dealt together: no row ever has two levels, or none', async () => {
  await importances(
    STUDY,
    MATRIX,
    async (given) => {
      for (let row = 0; row < given.rows; row++)
        assert.is((given.x[row * COLUMNS + 2] as number) + (given.x[row * COLUMNS + 3] as number), 1)
      return logits(given)
    },
    { repeats: 20, seed: 'one' },
  )
})

it('a mean lies within its interval, the same seed gives the same numbers, and the rows stay as they were', async () => {
  const before = MATRIX.x.slice()
  const [one, again, other] = [
    await importances(STUDY, MATRIX, logits, options),
    await importances(STUDY, MATRIX, logits, options),
    await importances(STUDY, MATRIX, logits, { ...options, seed: 'eight' }),
  ]
  assert.equal(one, again)
  assert.not.equal(one, other)
  assert.equal(MATRIX.x, before)
  for (const { auc, logLoss } of one)
    for (const drop of [auc, logLoss]) assert.ok(drop !== null && drop.low <= drop.mean && drop.mean <= drop.high)
})

it('where a class is missing there is no AUC to lose, but log-loss', async () => {
  const sick = { ...MATRIX, y: new Uint8Array(MATRIX.rows).fill(1) }
  const [first] = await importances(STUDY, sick, logits, options)
  assert.is(first?.auc, null)
  assert.ok(Number.isFinite(first?.logLoss.mean))
})

it('in slices the logits are those of the whole, also of a model that is wider than a slice', async () => {
  const spec = { kind: 'mlp', hidden: [1500, 1500] } as const // 2.3 million parameters, more than are multiplied in one go
  const weights = someWeights(spec, COLUMNS)
  const rows = table('slices', 3, COLUMNS)
  assert.equal(await logitsInSlices(spec, weights, rows), predict(spec, COLUMNS, weights, rows))
})

it.run()
