/** Crowds that train with TensorFlow.js: checks hold, runs repeat, and learn as those with the kernels do. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { movedFiles } from '../../netsim/cli/runFolder.ts'
import { Clock } from '../../netsim/clock.ts'
import { Crowd } from '../../netsim/crowd/crowd.ts'
import { FastTrace } from '../../netsim/crowd/fastTrace.ts'
import { traceNote } from '../../netsim/report/terminal.ts'
import type { SimulationResult } from '../../netsim/result.ts'
import { parseScenario } from '../../netsim/scenario/read.ts'
import { simulate } from '../../netsim/simulate.ts'
import { NullFleet } from '../../src/learn/kernels/nullFleet.ts'
import { MEAN } from '../../src/learn/merge/rule.ts'

const it = suite('stacked crowd')

/** Nodes of different sizes that come and go, lose their disks and messages, one of them an attacker. */
const SCENARIO = `question: Do nodes learn together over TensorFlow.js?
nodes: { count: 24, disk: lost, availability: { kind: churn, meanUpSeconds: 6, meanDownSeconds: 2 } }
network: { loss: 0.1 }
gossip: { mode: fanout, fanout: 3 }
data: { kind: synthetic, features: 9, rows: 60, split: { kind: quantity, alpha: 2 } }
learner: { kind: tfjs }
study: { rounds: { count: 30 }, training: { learningRate: 0.05 }, merge: { rule: mean, vetoNats: null } } # who is outlying may hang on a rounding
adversaries: [{ attack: sign-flip, nodes: [3] }, { attack: label-flip, nodes: [5] }]
liveness: { fromSeconds: 12, convergeSeconds: 12 }
ledger: off
end: { seconds: 60 }
`

const run = (parameters: Record<string, unknown> = {}, baseFolder = '.'): Promise<SimulationResult> =>
  simulate({ scenario: parseScenario(SCENARIO, 's.yaml', parameters), seed: 7, scenarioName: 's', baseFolder })

function assertSound({ checks, outcome, localUpdates }: SimulationResult): void {
  assert.is(outcome, 'done')
  assert.ok(localUpdates >= 24 * 25)
  assert.is(checks.length, 4)
  for (const { name, checked, failure } of checks) {
    assert.is(failure, null, `${name}: ${failure?.message}`)
    assert.ok(checked > 0, `${name} was never looked at`)
  }
}

it('all checks hold while nodes come and go, the run repeats, and it is that of the kernels but for rounding', async () => {
  for (const model of [{ kind: 'logistic' }, { kind: 'mlp', hidden: [6] }]) {
    const parameters = { 'study.model': model }
    const [first, again] = [await run(parameters), await run(parameters)]
    assertSound(first)
    assert.is(again.traceHash, first.traceHash)
    const kernels = await run({ ...parameters, learner: { kind: 'kernels' } })
    assertSound(kernels)
    assert.is(first.events, kernels.events)
    assert.is(first.merges, kernels.merges)
    assert.equal(
      first.samples.map(({ seconds }) => seconds),
      kernels.samples.map(({ seconds }) => seconds),
    )
    first.samples.forEach(({ logLoss, consensusDistance }, i) => {
      const theirs = kernels.samples[i]
      assert.ok(Math.abs((logLoss ?? 0) - (theirs?.logLoss ?? 0)) < 1e-3, `${logLoss}, ${theirs?.logLoss}`)
      assert.ok(Math.abs((consensusDistance ?? 0) - (theirs?.consensusDistance ?? 0)) < 1e-3)
    })
    assert.ok((first.samples.at(-1)?.auc ?? 0) > 0.8)
    assert.match(traceNote(first), /this machine and backend/)
    assert.is(traceNote(kernels), '')
  }
})

const layer = (class_name: string, config: object) => ({
  class_name,
  config: { name: class_name.toLowerCase(), ...config },
})
const CONVOLUTION = JSON.stringify({
  modelTopology: {
    class_name: 'Sequential',
    config: {
      name: 'made',
      layers: [
        layer('Conv2D', { filters: 3, kernel_size: 2, activation: 'relu', batch_input_shape: [null, 3, 3, 1] }),
        layer('Flatten', {}),
        layer('Dense', { units: 1, activation: 'sigmoid' }),
      ],
    },
  },
})

it('any layers model runs from a file beside the scenario, and what cannot is said in one line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stacked-'))
  const model = { kind: 'tfjs', model: 'm.json' }
  const refused = async (parameters: Record<string, unknown>): Promise<string> => {
    const result = await run({ learner: model, ...parameters }, folder).catch((error: Error) => error.message)
    assert.type(result, 'string')
    assert.not((result as string).includes('\n'))
    return result as string
  }
  try {
    assert.match(await refused({}), /no such file at .*m\.json/)
    await writeFile(join(folder, 'm.json'), CONVOLUTION)
    const result = await run({ learner: model, 'nodes.count': 8, adversaries: [] }, folder)
    assert.is(result.outcome, 'done')
    assert.equal(
      result.checks.filter(({ failure }) => failure !== null),
      [],
    )
    assert.is(result.parameters, 3 * 4 + 3 + 3 * 4)
    assert.ok((result.samples.at(-1)?.auc ?? 0) > 0.8, `AUC ${result.samples.at(-1)?.auc}`)
    assert.match(await refused({ 'data.features': 8 }), /learner\.model: m\.json: its input is 3 × 3 × 1, rows of 8/)
    assert.match(await refused({ learner: { ...model, backend: 'wasm' } }), /backend wasm has no exact gradients/)
    assert.match(await refused({ learner: { kind: 'linear' } }), /kernels, tfjs or null is allowed/)
    const moved = movedFiles(result.scenario, folder, join(folder, 'results', 'one'))
    assert.equal(moved.learner, { ...model, model: '../../m.json', backend: 'auto' })
  } finally {
    await rm(folder, { recursive: true })
  }
})

/** Notes for each update how many nodes had announced one that was not asked for yet, this one included; none where it was not announced. */
class Announced extends NullFleet {
  readonly waiting: number[] = []
  readonly #announced = new Map<number, string>()

  announce(node: number, ...key: number[]): void {
    this.#announced.set(node, key.join())
  }

  override train(node: number, base: number, into: number, high: number, low: number): number {
    this.waiting.push(this.#announced.get(node) === [base, high, low].join() ? this.#announced.size : 0)
    this.#announced.delete(node)
    return super.train(node, base, into, high, low)
  }
}

it('a crowd announces every update when its round is planned, so that those of all nodes can be computed at once', async () => {
  const [clock, fleet, nodes] = [new Clock(), new Announced(5), 5]
  const crowd: Crowd = new Crowd({
    atOnce: true,
    clock,
    trace: new FastTrace(),
    nodes,
    fleet,
    rounds: { count: 6, periodMs: 1_000 },
    merge: { ...MEAN, ageRoundsMax: 8, vetoNats: null },
    sharedHeads: false,
    heldMax: 10,
    trainMs: (node) => 20 + node,
    mayMerge: null,
    spread: (update) => crowd.flights.fly(update, (update.author + 1) % nodes, 10),
    publisher: () => null,
    digestOf: (slot) => fleet.digest(slot),
    onMerge: null,
    onVerdict: null,
  })
  for (let node = 0; node < nodes; node++) crowd.up(node, null)
  clock.after(2_500, () => crowd.up(3, crowd.down(3)))
  await clock.run(60_000)
  assert.is(crowd.counts.ended, nodes)
  assert.is(fleet.waiting.length, 6 * nodes)
  assert.equal(fleet.waiting.slice(0, -nodes), new Array<number>(5 * nodes).fill(nodes))
})

it.run()
