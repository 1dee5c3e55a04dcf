/** The frame of the experiments: what is measured and counted, the same bits from the same options, and who learns more than whom. */
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { consensus, meanPredictions } from '../../../netsim/experiments/consensus.ts'
import { DATA_SETS, loadFederation, madeUp } from '../../../netsim/experiments/data.ts'
import { pooledFederation } from '../../../netsim/experiments/federation.ts'
import { type ExperimentResult, judge, judgeEverywhere, Trial } from '../../../netsim/experiments/frame.ts'
import { EXPERIMENTS, type ExperimentName } from '../../../netsim/experiments/index.ts'
import { localOnly } from '../../../netsim/experiments/localOnly.ts'
import { pooled } from '../../../netsim/experiments/pooled.ts'
import { evaluate } from '../../../src/learn/evaluate.ts'
import { alike, combined, type Plain, SOME, stepped, tiny, tinyOptions, Watched } from './plain.ts'

const it = suite('experiments')

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const NAMES = Object.keys(EXPERIMENTS) as ExperimentName[]

/** A trial whose nodes have the models `SOME`. */
function holding(): { trial: Trial; slots: number[] } {
  const trial = new Trial('', tinyOptions())
  const slots = trial.start()
  for (const [node, [a, b, head]] of (SOME as [number, number, number][]).entries())
    trial.fleet.write(slots[node] as number, { shared: Float32Array.of(a, b), head: Float32Array.of(head) })
  return { trial, slots }
}

const logit = ([a, b, head]: Plain, [x, y]: readonly number[]): number =>
  (a as number) * (x as number) + (b as number) * (y as number) + (head as number)
const TESTS = [
  [
    [1, 1],
    [-1, 0.5],
  ],
  [
    [0.5, 2],
    [0.75, -1],
    [0.1, 0.2],
  ],
  [[-1.5, 1]],
] // as in plain.ts
const LABELS = Uint8Array.of(1, 0, 1, 0, 1, 0)

const near = (a: number | null | undefined, b: number | null | undefined): boolean =>
  Math.abs((a as number) - (b as number)) < 1e-6

it("a node's own model is judged on its own rows, all rows together; some models on everybody's", () => {
  const { trial, slots } = holding()
  const own = TESTS.flatMap((rows, node) => rows.map((row) => logit(SOME[node] as Plain, row)))
  const expected = evaluate(own, LABELS)
  assert.ok(near(judge(trial.fleet, slots)?.logLoss, expected.logLoss))
  assert.is(judge(trial.fleet, slots)?.auc, expected.auc)
  const each = [0, 2].map((node) => {
    return evaluate(
      TESTS.flat().map((row) => logit(SOME[node] as Plain, row)),
      LABELS,
    )
  })
  const everywhere = judgeEverywhere(trial.fleet, slots, [0, 2])
  assert.ok(near(everywhere.logLoss, ((each[0]?.logLoss as number) + (each[1]?.logLoss as number)) / 2))
  assert.ok(near(everywhere.auc, ((each[0]?.auc as number) + (each[1]?.auc as number)) / 2))
})

it('points come as often as asked, and at the end', async () => {
  const { arms } = await localOnly({ ...tinyOptions(), rounds: 8, measureEvery: 3 })
  assert.equal(
    arms[0]?.curve.map(({ round }) => round),
    [0, 3, 6, 8],
  )
})

it('a model that has diverged gives no figure, and no error', () => {
  const { trial, slots } = holding()
  trial.fleet.write(slots[1] as number, { shared: Float32Array.of(3e38, 3e38), head: Float32Array.of(0) })
  trial.measure(0, slots)
  const { curve, final } = trial.end()
  assert.is(final, null)
  assert.equal([curve[0]?.auc, curve[0]?.logLoss, curve[0]?.logLossEverywhere], [null, null, null])
})

it('averaged predictions are the mean probability over all models, row by row', () => {
  const { trial, slots } = holding()
  for (const [node, { logits, labels }] of meanPredictions(trial, slots).entries()) {
    assert.is(labels.length, TESTS[node]?.length)
    for (const [i, row] of (TESTS[node] as number[][]).entries()) {
      const mean = SOME.reduce((sum, model) => sum + 1 / (1 + Math.exp(-logit(model, row))) / 3, 0)
      assert.ok(near(1 / (1 + Math.exp(-(logits[i] as number))), mean))
    }
  }
})

it('pooled training is that of one node with all rows; local only that of each with its own', async () => {
  const { train, test } = pooledFederation(tiny()).rowsOf(0)
  assert.equal([train.rows, test.rows, train.columns], [9, 6, 2])
  assert.equal([...test.y], [...LABELS])
  assert.equal([...train.x.subarray(4, 6)], [0.5, -1], "the second node's rows follow the first's")
  const trial = new Watched('', { ...tinyOptions(), federation: pooledFederation(tiny()) })
  const [slot] = trial.start() as [number]
  trial.train(0, slot, slot, 1)
  trial.measure(1, [slot])
  const mean = combined(
    [0, 1, 2].map((node) => stepped(node, [0, 0, 0])),
    [2 / 9, 3 / 9, 4 / 9],
  ) // one step on all rows is the mean step, weighted by rows
  assert.ok(alike(trial.seen[0] as Plain[], [mean]))
  const { arms } = await pooled(tinyOptions({ head: 'private' }))
  assert.is(arms[0]?.bytes, 9 * (2 * 4 + 1), 'every record travels once')
  assert.ok(near(arms[0]?.curve[1]?.logLoss, trial.end().final?.logLoss))

  const alone = await localOnly(tinyOptions())
  const own = TESTS.flatMap((rows, node) => rows.map((row) => logit(stepped(node, [0, 0, 0], 3), row)))
  assert.ok(near(alone.arms[0]?.final?.logLoss, evaluate(own, LABELS).logLoss))
  assert.is(alone.arms[0]?.messages, 0)
})

it('shares of losses and of nodes that are off are those asked for', () => {
  const trial = new Trial('', tinyOptions({ federation: tiny(50), loss: 0.3, offlineShare: 0.2 }))
  let arrived = 0
  for (let i = 0; i < 4_000; i++) if (trial.send(10)) arrived++
  assert.ok(Math.abs(arrived - 2_800) < 4 * Math.sqrt(4_000 * 0.3 * 0.7), `${arrived} of 4000`)
  const presence = trial.presence()
  let up = 0
  for (let round = 0; round < 80; round++) up += presence.next().value.length
  assert.ok(Math.abs(up - 3_200) < 4 * Math.sqrt(4_000 * 0.2 * 0.8), `${up} of 4000`)
  const { messages, bytes } = trial.end()
  assert.equal([messages, bytes], [4_000, 160_000], 'lost ones count')
})

it('the same options give the same bits in every experiment, and another seed other ones', async () => {
  const shown = (result: ExperimentResult): string => JSON.stringify({ ...result, seed: 0 })
  for (const name of NAMES) {
    const federation = await madeUp(3, { nodes: 12, rowsEach: 9 })
    const run = (seed: number) => EXPERIMENTS[name].run({ federation, seed, rounds: 6, loss: 0.1, offlineShare: 0.2 })
    const [one, again, other] = [shown(await run(3)), shown(await run(3)), shown(await run(4))]
    assert.is(one, again, name)
    const still = name === 'localOnly' || name === 'pooled' || name === 'consensus' // rows that make one batch have no order
    if (!still) assert.is.not(one, other, name)
    assert.match(EXPERIMENTS[name].paper, /\d{4}|rows|exchange/)
  }
})

it('every experiment runs with private heads, and says how much it sends', async () => {
  const federation = await madeUp(5, { nodes: 9, rowsEach: 9, features: 4 })
  for (const name of NAMES) {
    const { arms, parameters, nodes } = await EXPERIMENTS[name].run({ federation, rounds: 3, head: 'private' })
    assert.equal([nodes, parameters], [9, 4], name)
    for (const { final, curve, bytes, messages, name: arm } of arms) {
      assert.ok(final !== null && final.logLoss < 0.75, `${name}, ${arm}: ${final?.logLoss}`)
      assert.is(curve[0]?.round, 0)
      assert.ok(curve.every((point, i) => i === 0 || point.bytes >= (curve[i - 1]?.bytes as number)))
      assert.is(bytes > 0, messages > 0)
    }
  }
})

it('alike hospitals with few rows: pooled ≥ FedAvg ≈ gossip > averaged once > alone', async () => {
  const federation = await madeUp(1, { nodes: 60, rowsEach: 12, features: 20, learningRate: 0.5 })
  const given = { federation, rounds: 40 }
  const finalOf = ({ arms }: ExperimentResult, name: string) =>
    arms.find((arm) => arm.name === name)?.curve.at(-1)?.aucEverywhere as number
  const [all, alone, fedAvg, el, mu] = [
    finalOf(await pooled(given), 'pooled'),
    finalOf(await localOnly(given), 'local only'),
    finalOf(await EXPERIMENTS.mcmahan2017.run(given), 'FedAvg, E 5'),
    finalOf(await EXPERIMENTS.deVos2023.run(given), 'EL-Oracle, s 6'),
    finalOf(await EXPERIMENTS.ormandi2013.run(given), 'MU'),
  ]
  const once = finalOf(await consensus(given), 'averaged models')
  const shown = JSON.stringify({ all, fedAvg, el, mu, once, alone })
  assert.ok(all > fedAvg - 0.01 && Math.abs(fedAvg - el) < 0.01 && Math.abs(fedAvg - mu) < 0.03, shown)
  assert.ok(fedAvg >= once - 0.01 && mu > alone + 0.05 && once > alone + 0.05, shown)
})

it('FedAvg: more local work takes fewer rounds', async () => {
  const { arms } = await EXPERIMENTS.mcmahan2017.run({ rounds: 8 })
  const losses = arms.map(({ curve }) => curve.at(-1)?.logLossEverywhere as number)
  assert.ok(
    (losses[0] as number) > (losses[1] as number) + 0.05 && (losses[1] as number) > (losses[2] as number) + 0.02,
  )
  assert.ok(Math.abs((losses[2] as number) - (losses[3] as number)) < 0.02, 'a tenth of the clients costs little')
  assert.ok((arms[3]?.bytes as number) * 9 < (arms[2]?.bytes as number))
})

it('tables are found by name', async () => {
  const { nodes, columns, training } = await loadFederation('alzheimer', 1, ROOT)
  assert.equal([nodes, training.l2], [5, 0.1])
  assert.ok(columns > 130)
  assert.is((await loadFederation('synthetic', 1, ROOT)).nodes, DATA_SETS.synthetic.nodes)
})

it.run()
