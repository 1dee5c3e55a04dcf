/** Hospitals that differ, over seeds: what a pull, an own output bias, own scaling, momentum and tracking do; and who refuses them. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Sample } from '../../netsim/result.ts'
import type { ScenarioInput } from '../../netsim/scenario/schema.ts'
import { brokenIn, runOf, scenarioOf } from './scenarioKit.ts'

const it = suite('unequal hospitals')

const SEEDS = [1, 2, 3]
const SKEW = { kind: 'feature-shift', deviation: 1 } as const

type StudyInput = NonNullable<ScenarioInput['study']>
type TrainingInput = NonNullable<StudyInput['training']>

async function ends(more: Partial<ScenarioInput>, seeds = SEEDS): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const seed of seeds) {
    const result = await runOf({ report: { everySeconds: 60, sampleNodes: 20 }, ...more }, { seed })
    assert.is(brokenIn(result), null)
    samples.push(result.samples.at(-1) as Sample)
  }
  return samples
}

/** Twenty hospitals that each train for long on few patients. */
const drifting = (training: TrainingInput, local: StudyInput['local'] = {}, split: object = SKEW) =>
  ends({
    nodes: { count: 20 },
    network: { topology: { kind: 'k-regular', degree: 4 } },
    data: { kind: 'synthetic', features: 12, rows: 80, split } as ScenarioInput['data'],
    study: {
      model: { kind: 'mlp', hidden: [16] },
      training: { localEpochs: 20, batchRows: 16, learningRate: 0.1, l2: 0, optimiser: 'sgd', ...training },
      local,
      rounds: { count: 30 },
    },
    end: { seconds: 40 },
  })

/** Five hospitals with a ledger: the whole machine at each. */
const recorded = (training: TrainingInput, rounds: number) =>
  ends(
    {
      nodes: { count: 5 },
      data: { kind: 'synthetic', features: 8, rows: 80, split: SKEW },
      study: {
        training: { batchRows: 64, l2: 0.001, optimiser: 'sgd', ...training },
        merge: { weighting: 'uniform' },
        rounds: { count: rounds },
        statistics: { deadlineSeconds: 5 },
      },
      ledger: 'on',
      end: { seconds: 40 },
    },
    [1, 2],
  )

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
const lossOf = (samples: readonly Sample[]): number[] => samples.map(({ logLoss }) => logLoss as number)
const apart = (samples: readonly Sample[]): number[] =>
  samples.map(({ consensusDistance }) => consensusDistance as number)
const each = (a: readonly number[], b: readonly number[], holds: (a: number, b: number) => boolean): boolean =>
  a.every((value, i) => holds(value, b[i] as number))

it('FedProx: where rounds are long and features shifted, a pull to the base lowers the log-loss and the distance of models, with every seed', async () => {
  const [free, pulled] = [await drifting({}), await drifting({ proximal: 0.3 })]
  assert.ok(
    each(lossOf(pulled), lossOf(free), (a, b) => a < b - 0.03),
    `${lossOf(free)} → ${lossOf(pulled)}`,
  )
  assert.ok(
    each(apart(pulled), apart(free), (a, b) => a < 0.7 * b),
    `${apart(free)} → ${apart(pulled)}`,
  )
})

it('an output bias of its own is worth more than one that is merged, under shifted features and under skewed labels, in the mean over seeds', async () => {
  for (const split of [SKEW, { kind: 'dirichlet', alpha: 0.1 }]) {
    const [own, merged] = [await drifting({}, {}, split), await drifting({}, { head: 'none' }, split)]
    assert.ok(
      each(lossOf(own), lossOf(merged), (a, b) => a < b + 0.01) && mean(lossOf(own)) < mean(lossOf(merged)) - 0.02,
      `${split.kind}: ${lossOf(merged)} → ${lossOf(own)}`,
    )
  }
})

it('inputs scaled by own statistics: each hospital’s columns are centred, and models are others', async () => {
  const [all, own] = [await drifting({}), await drifting({}, { normalisation: 'own' })]
  assert.ok(
    each(lossOf(own), lossOf(all), (a, b) => a !== b && a < 0.9),
    `${lossOf(all)} → ${lossOf(own)}`,
  )
})

it('quasi-global momentum brings slow steps forward, with every seed', async () => {
  const slow = { learningRate: 0.003, localEpochs: 2 }
  const [plain, pushed] = [await recorded(slow, 15), await recorded({ ...slow, momentum: 0.8 }, 15)]
  assert.ok(
    each(lossOf(pushed), lossOf(plain), (a, b) => a < b - 0.002),
    `${lossOf(plain)} → ${lossOf(pushed)}`,
  )
})

it('tracking takes back what each hospital’s own patients add: their models come closer, with every seed', async () => {
  const long = { learningRate: 0.1, localEpochs: 20 }
  const [plain, tracked] = [await recorded(long, 15), await recorded({ ...long, tracking: 0.9 }, 15)]
  assert.ok(
    each(apart(tracked), apart(plain), (a, b) => a < b),
    `${apart(plain)} → ${apart(tracked)}`,
  )
})

it('what a scenario’s nodes or learner cannot do is refused by name', () => {
  const refused: readonly (readonly [RegExp, Partial<ScenarioInput>])[] = [
    [/^study.training.momentum: .*optimiser: sgd/, { study: { training: { momentum: 0.5 } } }],
    [/^study.training.momentum: .*ledger: on/, { study: { training: { momentum: 0.5, optimiser: 'sgd' } } }],
    [/^study.training.tracking: .*ledger: on/, { study: { training: { tracking: 0.5, optimiser: 'sgd' } } }],
    [/^study.training.secondsMax: .*ledger: on/, { study: { training: { secondsMax: 5 } } }],
    [/^study.personal: .*ledger: on/, { study: { personal: { proximal: 0.1 } } }],
    [/^study.end.plateau: .*ledger: on/, { study: { end: { plateau: {} } } }],
    [/^study.end.afterSeconds: .*ledger: on/, { study: { end: { afterSeconds: 5 } } }],
    [/^study.training.proximal: .*kernels/, { learner: { kind: 'tfjs' }, study: { training: { proximal: 1 } } }],
    [
      /^study.training.proximal: .*kernels/,
      { ledger: 'on', learner: { kind: 'linear' }, study: { training: { proximal: 1 } } },
    ],
    [/^study.local.head: .*kernels/, { ledger: 'on', learner: { kind: 'linear' }, study: { local: { head: 'none' } } }],
    [/^study.personal: .*kernels/, { ledger: 'on', learner: { kind: 'null' }, study: { personal: {} } }],
  ]
  for (const [message, more] of refused) assert.throws(() => scenarioOf(more), message)
})

it.run()
