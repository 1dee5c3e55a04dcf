/** What is told of a study that asks patients: whoever of two within a band has spoken, the same counts, and shares of the same many rows. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import { seededFill } from '../../netsim/privacy.ts'
import type { Study } from '../../src/config/study.ts'
import type { Evaluation } from '../../src/core/evaluation.ts'
import { localStatistics } from '../../src/data/statistics.ts'
import { permittedRows } from '../../src/data/subjects.ts'
import { PrivateLearner } from '../../src/learn/privacy/privateLearner.ts'
import { openRequest, type PermittedTable } from '../../src/training/openRequest.ts'
import { Trainer } from '../../src/training/trainer.ts'
import { WeightStore } from '../../src/training/weightStore.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { STUDY } from '../learn/fixtures.ts'
import { studyOf, tableOf } from '../node/clinics.ts'
import { PERMIT, trainerParts, withValidation } from './trainerKit.ts'

const it = suite('what is told of permitted rows')
const BEN = keyOf('ben').member
const ASKS = `
consent: { basis: opt-out, jurisdiction: DE, purposes: [DUO:0000006] }
report: { subgroups: [{ feature: sex }], crossSite: true }
personal: { proximal: 0.1 }
`
const ASKING = studyOf(7, ASKS)
const ROWS = 400
const TABLE = {
  ...withValidation(tableOf('told', ROWS), 60),
  subjects: Uint32Array.from({ length: ROWS }, (_, row) => row),
}
const SCALING = { mean: [65, 350], deviation: [14, 140] }

const permit = (permitted: Uint8Array) => permittedRows(TABLE, permitted, 10)
const without = (refusing: readonly number[]): Uint8Array => {
  const permitted = new Uint8Array(ROWS).fill(1)
  for (const row of refusing) permitted[row] = 0
  return permitted
}

/** A round and what follows the end, on the rows of those who permit. */
async function done(study: Study, permitted: Uint8Array) {
  const found = permit(permitted)
  const said: PermittedTable = {
    ...{ ...found, table: TABLE, testRows: found.dataset.testRows.length, root: digestOf('said'), changesAtMs: null },
  }
  const weights = new WeightStore()
  const loadDataset = async () => found.dataset
  const parts = trainerParts(study, new LinearLearner(), { weights, loadDataset, permitted: async () => said })
  const trainer = new Trainer(parts, [])
  if (study.consent !== null) await trainer.consult({ type: 'consult-consent', permit: PERMIT, atMs: 5, words: 0 })()
  const opened = await trainer.open({ type: 'open-study', permit: PERMIT, start: 'initial' })()
  const asked = { ...PERMIT, consent: study.consent === null ? null : digestOf('said') } as never
  const trained = await trainer.train({
    type: 'train',
    permit: asked,
    round: 0,
    base: (opened as never as { base: never }).base,
  })()
  const model = weights.put(STUDY, Float32Array.of(0.5, 0.6, 0.1, -0.1))
  const evaluated = await trainer.evaluate({ type: 'evaluate', permit: PERMIT, round: 0, model })()
  trainer.stored({
    ...{ study: STUDY, stage: 'merged', round: 0, scaling: PERMIT.scaling, base: model, parents: [], shared: model },
    ...{ head: model, examples: 40, metrics: null, standing: null },
  })
  const digest = weights.put(STUDY, Float32Array.of(0.2, 0.9, 0.1, 0))
  const others = [{ author: BEN, round: 0, digest, examples: 40 }]
  const measured = await trainer.assess({ type: 'measure', permit: PERMIT } as never)()
  const crossed = await trainer.assess({ type: 'cross', permit: PERMIT, others } as never)()
  if (trained.type !== 'trained' || evaluated.type !== 'evaluated') throw new Error('no round')
  if (measured.type !== 'measured' || crossed.type !== 'crossed') throw new Error('no evaluation')
  return { trained, evaluated, evaluation: measured.evaluation as Evaluation, crossed }
}

type Done = Awaited<ReturnType<typeof done>>

/** Every number of rows that goes into entries. */
function counts({ trained, evaluated, evaluation, crossed }: Done): unknown {
  const { examples, positives, bins, groups, shared } = evaluation
  const { metrics, local } = evaluated
  return {
    trained: trained.examples,
    evaluated: [metrics.examples, metrics.positives, local.personal?.examples, local.calibrated?.examples],
    measured: [examples, positives, bins, shared.auc === null],
    groups: groups.map((one) => [one.by, one.group, one.examples, one.positives, one.auc === null]),
    crossed: [crossed.examples, crossed.sites.map(({ auc }) => auc === null)],
  }
}

/** How many rows there are of everything that is counted, down to a multiple of the cohort. */
function sizesOf(permitted: Uint8Array) {
  const { trainRows, testRows, validationRows } = permit(permitted).dataset
  const told = (rows: Uint32Array): number => rows.length - (rows.length % 10)
  const parted = (rows: Uint32Array): number[] =>
    [0, 1].map((label) => told(rows.filter((row) => TABLE.labels[row] === label)))
  const sexes = [0, 1].map((sex) => testRows.filter((row) => TABLE.values[row * 3 + 2] === sex))
  return {
    ...{ train: told(trainRows), validation: told(validationRows), all: told(testRows), groups: sexes.map(told) },
    ...{ classes: parted(testRows), groupClasses: sexes.map(parted) },
  }
}

/** Every share, and of how many it must be one. */
function shares({ evaluated, evaluation, crossed }: Done, { all, classes, groups }: ReturnType<typeof sizesOf>) {
  const { metrics, local } = evaluated
  const [well, ill] = classes as [number, number]
  const pairs = 2 * well * ill // ties count half
  const found: (readonly [what: string, share: number | null | undefined, of: number])[] = [
    ['personal accuracy', local.personal?.accuracy, all],
    ['personal AUC', local.personal?.auc, pairs],
    ['calibrated AUC', local.calibrated?.auc, pairs],
    ['accuracy', metrics.accuracy, all],
    ['AUC', metrics.auc, pairs],
    ['accuracy at the end', evaluation.shared.accuracy[0], all],
    ['AUC at the end', evaluation.shared.auc?.[0], pairs],
    ['AUC of the one trained alone', evaluation.alone?.auc?.[0], pairs],
    ['true positives', evaluation.truePositiveRate?.[0], ill],
    ['false positives', evaluation.falsePositiveRate?.[0], well],
    ...evaluation.groups.map(
      ({ group, accuracy }) => ['accuracy of a group', accuracy, groups[group] as number] as const,
    ),
    ...crossed.sites.flatMap(({ accuracy, auc }) => [
      ['accuracy of another', accuracy, all] as const,
      ['AUC of another', auc?.[0], pairs] as const,
    ]),
  ]
  return found
}

it('two who differ in one patient within a band tell the same counts, all of them multiples, and shares of as many rows', async () => {
  let [compared, checked] = [0, 0]
  const refusing = fc.uniqueArray(fc.nat(ROWS - 1), { minLength: 1, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(refusing, async (rows) => {
      const [one, other] = [without(rows), without(rows.slice(1))]
      const sizes = sizesOf(one)
      if (JSON.stringify(sizes) !== JSON.stringify(sizesOf(other))) return
      compared++
      const [told, toldOther] = [await done(ASKING, one), await done(ASKING, other)]
      assert.equal(counts(told), counts(toldOther))
      for (const { trained, evaluation, crossed } of [told, toldOther]) {
        assert.equal([trained.examples, evaluation.examples, crossed.examples], [sizes.train, sizes.all, sizes.all])
      }
      for (const [what, share, of] of [...shares(told, sizes), ...shares(toldOther, sizes)]) {
        if (share === null || share === undefined) continue
        checked++
        const times = share * of
        assert.ok(Math.abs(times - Math.round(times)) < 1e-6, `${what}: ${share} is no share of ${of}`)
      }
    }),
    { numRuns: 30 },
  )
  assert.ok(compared >= 5 && checked >= 20 * compared, `${compared} pairs, ${checked} shares`)
})

it('where nobody is asked all rows are told of, as ever', async () => {
  const found = await done(studyOf(7, ASKS.replace(/consent.*/, '')), without([]))
  assert.equal([found.trained.examples, found.evaluation.examples, found.evaluation.positives], [240, 100, 46])
})

it('counts and sums for the scaling are of rows that may be told of, feature by feature', () => {
  const values = TABLE.values.slice()
  for (const row of TABLE.trainRows.slice(0, 13)) values[row * 3 + 1] = Number.NaN
  const statistics = (study: Study, rows: readonly number[]) =>
    localStatistics(study, permittedRows({ ...TABLE, values }, without(rows), 10).dataset)
  const [first, second] = TABLE.trainRows.slice(20, 22) as unknown as [number, number]
  assert.equal(statistics(ASKING, [first]).count, [230, 220])
  assert.equal(statistics(ASKING, [first, second]).count, [230, 220])
  assert.equal(statistics(studyOf(), [first]).count, [239, 219], 'nobody is asked: 13 of 239 lack a value, told as 20')
})

it('neither the sampling rate nor δ of a private round tells how many rows train, and the accountant goes by the rate', async () => {
  const study = studyOf(
    7,
    `${ASKS.replace(/personal.*/, '')}\nprivacy: { noiseMultiplier: 4, clipNorm: 1, epsilonMax: 6 }`,
  )
  const claimed = async (refusing: number) => {
    const { dataset } = permit(without([...TABLE.trainRows.slice(0, refusing)]))
    const given = {
      id: STUDY,
      study,
      scaling: SCALING,
      dataset,
      table: TABLE,
      before: null,
      spent: [],
      epsilonMax: null,
    }
    const learner = new PrivateLearner(seededFill(1, 0))
    await learner.open(openRequest(given))
    const base = { shared: new Float32Array(4), head: new Float32Array(1) }
    const { privacy } = await learner.train({ study: STUDY, base, optimiser: new Uint8Array(0), seed: 'x' })
    return privacy
  }
  const said = await claimed(3)
  assert.equal(said, await claimed(7))
  assert.is(said?.sampleRate, study.training.batchRows / 230)
  assert.ok((said?.delta as number) < 1 / 239, 'stricter than for those who train')
})

it.run()
