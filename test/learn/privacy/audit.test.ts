import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { StudyId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { DesignMatrix, TrainingSpec } from '../../../src/learn/learner.ts'
import { initialWeights } from '../../../src/learn/model.ts'
import { clopperPearson, judgeAttack } from '../../../src/learn/privacy/audit.ts'
import { PrivateLearner } from '../../../src/learn/privacy/privateLearner.ts'
import { attack } from '../../../src/learn/privacy/shadows.ts'
import { seeded, seededFill } from './kit.ts'

const it = suite('audit')
const STUDY = 'cd'.repeat(32) as StudyId

it('Clopper and Pearson’s interval has the values of their tables', () => {
  for (const [found, of, low, high] of [
    [0, 10, 0, 0.3084971],
    [10, 10, 0.6915029, 1],
    [7, 20, 0.1539092, 0.5921885],
    [450, 1000, 0.4188498, 0.4814461],
  ] as const) {
    const interval = clopperPearson(found, of, 0.95)
    assert.ok(Math.abs(interval.low - low) < 2e-5, `${found} of ${of}: ${interval.low}`)
    assert.ok(Math.abs(interval.high - high) < 2e-5, `${found} of ${of}: ${interval.high}`)
  }
})

it('scores that say nothing show no ε, but for one time in twenty', () => {
  let shown = 0
  for (let run = 0; run < 100; run++) {
    const chance = seeded('nothing', run)
    const normal = (count: number) => Array.from({ length: count }, () => chance.normal())
    const { auc, epsilonLow } = judgeAttack({ members: normal(90), others: normal(70) }, 0.01)
    assert.ok(auc.low <= auc.value && auc.value <= auc.high)
    if (epsilonLow > 0) shown++
  }
  assert.ok(shown <= 8, `${shown} of 100`)
})

it('scores that tell all show much of ε, and no more than so many rows can show', () => {
  const members = Array.from({ length: 100 }, (_, i) => 1 + i)
  const others = Array.from({ length: 100 }, (_, i) => -1 - i)
  const { auc, found10, found1, epsilonLow } = judgeAttack({ members, others }, 0)
  assert.equal([auc.value, found10.value, found1.value], [1, 1, 1])
  assert.ok(epsilonLow > 3 && epsilonLow < Math.log(200), `${epsilonLow}`)
  assert.ok(judgeAttack({ members, others }, 0.05).epsilonLow < epsilonLow, 'a δ explains some of it')
})

it('ties count half, and shares are of those above the threshold', () => {
  const { auc, found10 } = judgeAttack({ members: [3, 3, 1], others: [3, 1, 1, 0] }, 0)
  assert.is(auc.value, (2 * 3.5 + 2) / 12)
  assert.is(found10.value, 0, 'the best of the others is no member, and not below two of them')
})

/** More columns than rows, and labels by chance: what is learnt is the rows themselves. */
function noise(rows: number, seed: string): DesignMatrix {
  const rng = Rng.from('audit-test', seed)
  const x = Float32Array.from({ length: rows * 60 }, () => 2 * rng.float() - 1)
  return { rows, columns: 60, x, y: Uint8Array.from({ length: rows }, () => rng.below(2)) }
}

async function audited(noiseMultiplier: number) {
  const [members, others] = [noise(40, 'members'), noise(40, 'others')]
  const training: TrainingSpec = { localEpochs: 10, batchRows: 40, learningRate: 1, l2: 0, optimiser: 'sgd' }
  const privacy = { noiseMultiplier, clipNorm: 2, epsilonMax: 1, delta: 1e-3, spent: [], roundsMax: 0 }
  const model = { kind: 'logistic' } as const
  const learner = new PrivateLearner(seededFill('audit', noiseMultiplier))
  await learner.open({ study: STUDY, model, training, train: members, test: others, privacy })
  let weights = initialWeights(model, 60, STUDY)
  for (let round = 0; round < 5; round++)
    weights = (await learner.train({ study: STUDY, base: weights, optimiser: new Uint8Array(0), seed: 'a' })).weights
  return attack(learner, { study: STUDY, model, training, weights, members, others, privacy })
}

it('who learns rows by heart is found out by both attacks, and noise protects', async () => {
  const [careless, careful] = [await audited(0.5), await audited(100)]
  for (const name of ['loss', 'calibrated'] as const) {
    assert.ok(careless[name].auc.low > 0.65, `${name}: ${careless[name].auc.low}`)
    assert.ok(careless[name].epsilonLow > 0.3, `${name}: ${careless[name].epsilonLow}`)
    assert.ok(careful[name].auc.value < 0.65, `${name}: ${careful[name].auc.value}`)
    assert.ok(careful[name].epsilonLow < careless[name].epsilonLow)
  }
})

it.run()
