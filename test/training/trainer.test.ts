/** What a trainer lets a hospital's rows decide. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LinearLearner } from '../../netsim/members/linearLearner.ts'
import type { Study } from '../../src/config/study.ts'
import type { Digest } from '../../src/core/ids.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import type { Checkpoint } from '../../src/node/checkpoint.ts'
import { decodeCheckpoint, encodeCheckpoint } from '../../src/training/storedCheckpoint.ts'
import { Trainer } from '../../src/training/trainer.ts'
import { WeightStore } from '../../src/training/weightStore.ts'
import { keyOf } from '../gossip/fixtures.ts'
import { STUDY } from '../learn/fixtures.ts'
import { studyOf, tableOf } from '../node/clinics.ts'
import { NotingLearner, opened, PERMIT, trainerParts, withValidation } from './trainerKit.ts'

const it = suite('trainer')
const [ADA, BEN] = [keyOf('ada').member, keyOf('ben').member]
const PRIVATE = studyOf(7, 'privacy: { noiseMultiplier: 4, clipNorm: 1, epsilonMax: 6 }')

/** Ada merges her own update with one that makes every row worse; which rows the merge asked for, and whom it set aside. */
async function merged(study: Study, dataset: Dataset) {
  const { trainer, learner, weights } = await opened(study, dataset)
  const own = weights.put(STUDY, Float32Array.of(0.5, 0.6, 0, 0))
  const bad = weights.put(STUDY, Float32Array.of(-9, -9, 0, 0))
  const inputOf = (author: typeof ADA, digest: Digest) => ({ author, round: 3, digest, examples: 40, ageRounds: 0 })
  const inputs = [inputOf(ADA, own), inputOf(BEN, bad)]
  const event = await trainer.merge({ type: 'merge', permit: PERMIT, round: 3, own: ADA, base: own, inputs })()
  assert.is(event.type, 'merged')
  return { parts: learner.parts, aside: event.type === 'merged' ? event.aside.length : 0 }
}

it('of a private study no row that trains decides what is merged, for that shows in the log and ε does not cover it', async () => {
  const dataset = tableOf('ada', 120)
  assert.equal(await merged(PRIVATE, dataset), { parts: [], aside: 0 })
  assert.is((await merged(studyOf(), dataset)).aside, 1, 'without a promise of privacy they do')
  const apart = await merged(PRIVATE, withValidation(dataset, 30))
  assert.ok(apart.parts.length > 1 && apart.aside === 1, 'rows that do not train may')
})

const checkpointOf = (stage: Checkpoint['stage'], shared: Digest): Checkpoint => ({
  ...{ study: STUDY, stage, round: 3, scaling: PERMIT.scaling, base: shared, parents: [], shared, head: shared },
  ...{ examples: 40, metrics: null, standing: null },
})

/** Ada's figures of an update of Ben's: `positives` of 30 held-out rows are positive, and the minimum cohort is 10. */
async function crossed(positives: number) {
  const table = tableOf('ada', 120)
  const testRows = Uint32Array.from({ length: 30 }, (_, row) => row)
  const labels = table.labels.map((label, row) => (row < 30 ? (row < positives ? 1 : 0) : label))
  const { trainer, weights } = await opened(studyOf(), { ...table, labels, testRows })
  const shared = weights.put(STUDY, Float32Array.of(0.5, 0.6, 0, 0))
  const digest = weights.put(STUDY, Float32Array.of(0.2, 0.9, 0.1, 0))
  trainer.stored(checkpointOf('merged', shared))
  const others = [{ author: BEN, round: 2, digest, examples: 40 }]
  const event = await trainer.assess({ type: 'cross', permit: PERMIT, others } as never)()
  return event.type === 'crossed' ? event : assert.unreachable()
}

it('of another hospital’s update no AUC is told where a class has fewer rows than the cohort: it would be the ranks of a few', async () => {
  const few = await crossed(9)
  assert.is(few?.examples, 30)
  assert.equal(
    few?.sites.map(({ auc }) => auc),
    [null],
  )
  const [site] = (await crossed(10))?.sites ?? []
  assert.ok((site?.auc?.[0] as number) > 0)
})

it('after a kill at the end of a study the others’ updates are still here to be tested, though no folder has them yet', async () => {
  const table = tableOf('ada', 120)
  const dataset = { ...table, testRows: Uint32Array.from({ length: 30 }, (_, row) => row) }
  const before = await opened(studyOf(), dataset)
  const shared = before.weights.put(STUDY, Float32Array.of(0.5, 0.6, 0, 0))
  const digest = before.weights.put(STUDY, Float32Array.of(0.2, 0.9, 0.1, 0))
  const others = [{ author: BEN, round: 2, digest, examples: 40 }]
  const stored = before.trainer.stored({ ...checkpointOf('ended', shared), others })
  const weights = new WeightStore()
  const parts = trainerParts(studyOf(), new NotingLearner(new LinearLearner()), {
    weights,
    loadDataset: async () => dataset,
  })
  const after = new Trainer(parts, [decodeCheckpoint(encodeCheckpoint(stored))])
  await after.open({ type: 'open-study', permit: PERMIT, start: 'resume' })()
  const event = await after.assess({ type: 'cross', permit: PERMIT, others } as never)()
  assert.equal(event.type === 'crossed' && event.sites.map(({ update }) => update), [digest])
})

it.run()
