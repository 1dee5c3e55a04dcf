/** The demo's own view of the tables: the daemon's split, and figures that agree with the learner's. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { evaluateModel, everyonesTest, everyonesTraining } from '../../scripts/demo/cohorts.ts'
import { designColumns, modelOf, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { Rng } from '../../src/core/rng.ts'
import { combineStatistics, freezeScaling } from '../../src/core/statistics.ts'
import { bindTable } from '../../src/data/bind.ts'
import { designMatrix } from '../../src/data/design.ts'
import { localStatistics } from '../../src/data/statistics.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { cohortsOf } from './kit.ts'

const it = suite('demo cohorts')

it('hold out the patients that the daemons hold out', async () => {
  const { study, tables, cohorts } = await cohortsOf('alzheimer', 4)
  for (const [i, { csv }] of tables.entries()) {
    // as src/daemon/bindings.ts binds: the operator's columns and units, none here, and no seed
    const file = { name: 'patients.csv', bytes: new TextEncoder().encode(csv) }
    const { dataset } = await bindTable(study, file, { columns: {}, units: {}, extra: 'refuse' })
    assert.equal(cohorts.clinics[i]?.dataset.testRows, dataset.testRows)
    assert.equal(cohorts.clinics[i]?.dataset.trainRows, dataset.trainRows)
  }
})

it('every patient either trains or tests, once', async () => {
  const { study, cohorts } = await cohortsOf('alzheimer', 4)
  const scaling = freezeScaling(
    combineStatistics(cohorts.clinics.map(({ dataset }) => localStatistics(study, dataset))),
  )
  const [train, test] = [everyonesTraining(study, cohorts, scaling), everyonesTest(study, cohorts, scaling)]
  assert.is(train.rows + test.rows, 333)
  assert.equal(test.y, cohorts.labels)
  assert.equal(
    cohorts.clinics.map(({ own }) => own.to - own.from),
    [29, 21, 15, 11, 8],
  )
})

it("a hospital's own figures are those that its learner gives", async () => {
  const { study, cohorts } = await cohortsOf('alzheimer', 4)
  const clinic = 3
  const { dataset } = cohorts.clinics[clinic] as (typeof cohorts.clinics)[number]
  const scaling = freezeScaling(combineStatistics(cohorts.clinics.map((one) => localStatistics(study, one.dataset))))
  const rng = Rng.from('weights')
  const shared = Float32Array.from({ length: designColumns(study) }, () => rng.float() - 0.5)
  const weights = { shared, head: Float32Array.of(-0.7) }
  const { own, everyone } = evaluateModel(study, scaling, weights, cohorts, clinic)
  const learner = new TfjsLearner({ backend: 'cpu' })
  const id = studyIdOf(studyDocument(study))
  const matrices = {
    train: designMatrix(study, dataset, dataset.trainRows, scaling),
    test: designMatrix(study, dataset, dataset.testRows, scaling),
  }
  await learner.open({ study: id, model: modelOf(study), training: study.training, ...matrices })
  const learned = await learner.evaluate(id, weights)
  await learner.close()
  assert.is(own.examples, 11)
  assert.is(own.auc, learned.auc)
  assert.is(own.accuracy, learned.accuracy)
  assert.ok(Math.abs(own.logLoss - learned.logLoss) < 1e-5)
  assert.is(everyone.examples, 84)
})

it('patients from elsewhere are tested and train nowhere', async () => {
  const { study, cohorts } = await cohortsOf('icu', 1)
  assert.is(cohorts.elsewhere?.rows, 1921)
  const own = cohorts.clinics.at(-1)?.own.to ?? 0
  assert.is(cohorts.labels.length, own + 1921)
  const scaling = freezeScaling(
    combineStatistics(cohorts.clinics.map(({ dataset }) => localStatistics(study, dataset))),
  )
  assert.is(everyonesTraining(study, cohorts, scaling).rows, 79 - own)
})

it.run()
