/** The stacked fleet: against the other learners, whatever is trained together, any layers model, what is refused, tensors. */
import * as tf from '@tensorflow/tfjs-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import { KernelFleet } from '../../src/learn/kernels/kernelFleet.ts'
import type { DesignMatrix, ModelSpec, Weights } from '../../src/learn/learner.ts'
import { weightedMean } from '../../src/learn/merge/mean.ts'
import type { ModelFile } from '../../src/learn/stacked/modelFile.ts'
import { StackedFleet, type StackedSpec } from '../../src/learn/stacked/stackedFleet.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { LOGISTIC, STUDY, someWeights, TRAINING, table } from './fixtures.ts'

const it = suite('stacked fleet')

const MLP: ModelSpec = { kind: 'mlp', hidden: [6, 3] }
const COLUMNS = 5
const NODES = 6

/** Nodes with 5, 12, 19 … rows: with batches of 7 from one step to six, and last batches of other sizes. */
function spec(overrides: Partial<StackedSpec> = {}): StackedSpec {
  return {
    model: MLP,
    backend: 'auto',
    training: TRAINING,
    columns: COLUMNS,
    nodes: NODES,
    privateHeads: true,
    rowsOf: (node) => ({
      train: table(`train ${node}`, 5 + 7 * node + (node % 2), COLUMNS),
      test: table(`test ${node}`, 9 + node, COLUMNS),
    }),
    ...overrides,
  }
}

async function withFleet<T>(given: StackedSpec, work: (fleet: StackedFleet) => T): Promise<T> {
  const fleet = await StackedFleet.build(given)
  try {
    return work(fleet)
  } finally {
    fleet.close()
  }
}

function holding(fleet: Fleet, weights: Weights): number {
  const slot = fleet.take()
  fleet.write(slot, weights)
  return slot
}

const flat = ({ shared, head }: Weights): number[] => [...shared, ...head]

function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.is(actual.length, expected.length)
  for (let i = 0; i < actual.length; i++) {
    const [a, b] = [actual[i] as number, expected[i] as number]
    assert.ok(Math.abs(a - b) <= tolerance, `value ${i}: ${a}, expected ${b}`)
  }
}

/** Three rounds of every node, each from what came of its last; all of a round announced first where `together` says so. */
function rounds(fleet: Fleet, base: Weights, together: boolean): { weights: number[][]; losses: number[] } {
  const losses: number[] = []
  const slots = Array.from({ length: fleet.nodes }, () => holding(fleet, base))
  for (let round = 0; round < 3; round++) {
    if (together) for (const [node, slot] of slots.entries()) fleet.announce?.(node, slot, 40 + node, round)
    slots.forEach((slot, node) => {
      const into = fleet.take()
      losses.push(fleet.train(node, slot, into, 40 + node, round))
      fleet.release(slot)
      slots[node] = into
    })
  }
  return { weights: slots.map((slot) => flat(fleet.read(slot))), losses }
}

for (const backend of ['wasm', 'cpu'] as const) {
  for (const model of [LOGISTIC, MLP]) {
    for (const optimiser of ['adam', 'sgd'] as const) {
      it(`${backend}, ${model.kind}, ${optimiser}: trains as the kernels do, in the same orders, alone and together`, async () => {
        const given = spec({ model, backend, training: { ...TRAINING, optimiser } })
        const base = someWeights(model, COLUMNS)
        const kernels = rounds(KernelFleet.build({ ...given, model }), base, false)
        await withFleet(given, (fleet) => {
          assert.is(fleet.backend.backend, backend)
          assert.ok(fleet.stacks)
          for (const together of [false, true]) {
            for (let node = 0; node < NODES; node++) fleet.resetOptimiser(node)
            const { weights, losses } = rounds(fleet, base, together)
            weights.forEach((each, node) => {
              assertNear(each, kernels.weights[node] as number[], 2e-4)
            })
            assertNear(losses, kernels.losses, 1e-4)
          }
        })
      })
    }
  }
}

it('an update whose rows make one batch is that of the learner over TensorFlow.js', async () => {
  const training = { ...TRAINING, batchRows: 64 }
  const given = spec({ training })
  const base = someWeights(MLP, COLUMNS)
  const stacked = await withFleet(given, (fleet) => {
    const slot = holding(fleet, base)
    for (let node = 0; node < NODES; node++) fleet.announce(node, slot, 0, 0)
    const into = fleet.take()
    return { loss: fleet.train(4, slot, into, 0, 0), weights: fleet.read(into) }
  })
  const learner = new TfjsLearner({ backend: 'wasm' })
  await learner.open({ study: STUDY, model: MLP, training, ...given.rowsOf(4) })
  const alone = await learner.train({ study: STUDY, base, optimiser: new Uint8Array(0), seed: 'any' })
  await learner.close()
  assertNear(flat(stacked.weights), flat(alone.weights), 1e-5)
  assertNear([stacked.loss], [alone.loss], 1e-6)
})

it('the same calls in the same order give the same bits; what else is announced changes rounding alone', async () => {
  const base = someWeights(MLP, COLUMNS)
  const run = (together: boolean) => withFleet(spec(), (fleet) => rounds(fleet, base, together).weights)
  const [first, again, alone] = [await run(true), await run(true), await run(false)]
  assert.equal(first, again)
  assertNear(first.flat(), alone.flat(), 1e-5)
})

it('what is announced is what is trained: another base, other seeds, other labels and a lost optimiser count', async () => {
  const [a, b] = [someWeights(MLP, COLUMNS, 'a'), someWeights(MLP, COLUMNS, 'b')]
  const single = (work: (fleet: StackedFleet, slots: number[]) => void) =>
    withFleet(spec(), (fleet) => {
      const slots = [holding(fleet, a), holding(fleet, b)]
      work(fleet, slots)
      const into = fleet.take()
      fleet.train(5, slots[1] as number, into, 1, 2)
      for (const slot of slots) fleet.release(slot)
      assert.is(fleet.slotsUsed, 1, 'a base is held no longer than until it was trained from')
      return flat(fleet.read(into))
    })
  const expected = await single(() => undefined)
  const other = (work: (fleet: StackedFleet, slots: number[]) => void) => async () =>
    assert.equal(await single(work), expected)
  await other((fleet, [first]) => fleet.announce(5, first as number, 1, 2))()
  await other((fleet, [, second]) => fleet.announce(5, second as number, 3, 2))()
  await other((fleet, [, second]) => {
    fleet.announce(5, second as number, 1, 2)
    fleet.announce(5, second as number, 1, 2)
  })()
  await other((fleet, [first, second]) => {
    fleet.announce(4, first as number, 1, 2)
    fleet.announce(5, first as number, 1, 2)
    const into = fleet.take()
    fleet.train(4, first as number, into, 1, 2) // computes that of node 5 too, in vain
    fleet.release(into)
    fleet.announce(5, second as number, 1, 2)
  })()
  await other((fleet, [first, second]) => {
    const into = fleet.take()
    fleet.train(5, first as number, into, 1, 2)
    fleet.announce(5, second as number, 1, 2)
    fleet.train(4, first as number, into, 1, 2) // computes that of node 5 too, with the moments that it then loses
    fleet.release(into)
    fleet.resetOptimiser(5)
  })()
  const flipped = await single((fleet, [first, second]) => {
    fleet.announce(5, second as number, 1, 2)
    const into = fleet.take()
    fleet.train(4, first as number, into, 1, 2)
    fleet.release(into)
    fleet.flipLabels(5)
  })
  assert.not.equal(flipped, expected)
})

it('a base stays as it was announced, although its slot is let go', async () => {
  const base = someWeights(MLP, COLUMNS)
  await withFleet(spec(), (fleet) => {
    const slot = holding(fleet, base)
    fleet.announce(1, slot, 0, 0)
    fleet.release(slot)
    assert.is.not(fleet.take(), slot)
    assert.is(fleet.slotsUsed, 2)
  })
})

it('a node that runs off to infinity is told so, and spoils none of those it is trained with', async () => {
  const base = someWeights(MLP, COLUMNS)
  const wild = { shared: base.shared.map((value) => value * 1e30), head: base.head }
  const run = (first: Weights) =>
    withFleet(spec(), (fleet) => {
      const [bad, good] = [holding(fleet, first), holding(fleet, base)]
      fleet.announce(2, bad, 0, 0)
      fleet.announce(3, good, 0, 0)
      const [into, other] = [fleet.take(), fleet.take()]
      return {
        loss: fleet.train(2, bad, into, 0, 0),
        trained: [fleet.train(3, good, other, 0, 0), ...flat(fleet.read(other))],
      }
    })
  const [spoilt, sound] = [await run(wild), await run(base)]
  assert.ok(Number.isNaN(spoilt.loss) && Number.isFinite(sound.loss))
  assert.equal(spoilt.trained, sound.trained)
})

it('merges are weightedMean to the bit; private heads stay, shared ones are merged; logits and losses are those of the kernels', async () => {
  const [a, b] = [someWeights(MLP, COLUMNS, 'a'), someWeights(MLP, COLUMNS, 'b')]
  for (const privateHeads of [true, false]) {
    await withFleet(spec({ privateHeads }), (fleet) => {
      const [own, other, into] = [holding(fleet, a), holding(fleet, b), fleet.take()]
      fleet.merge(into, own, [other, own], [0.3, 0.7], 2)
      const merged = fleet.read(into)
      assert.equal(merged.shared, weightedMean([b.shared, a.shared], [0.3, 0.7]))
      assert.equal(merged.head, privateHeads ? a.head : weightedMean([b.head, a.head], [0.3, 0.7]))
      const kernels = KernelFleet.build({ ...spec(), model: MLP })
      const slot = holding(kernels, a)
      const [ours, theirs] = [new Float32Array(11), new Float32Array(11)]
      assert.is(fleet.logits(2, own, ours), kernels.logits(2, slot, theirs))
      assertNear(ours, theirs, 1e-5)
      assertNear([fleet.testLoss(2, own)], [kernels.testLoss(2, slot)], 1e-6)
      assert.equal(fleet.testLabels(2), kernels.testLabels(2))
      assert.is(fleet.digest(own), kernels.digest(slot))
      assert.is(fleet.squaredDistance(own, other), kernels.squaredDistance(slot, holding(kernels, b)))
      assert.equal(fleet.read(fleet.initial(STUDY)), kernels.read(kernels.initial(STUDY)))
    })
  }
})

interface LayerJson {
  readonly class_name: string
  readonly config: Readonly<Record<string, unknown>>
}

const dense = (units: number, activation: string, more: object = {}): LayerJson => ({
  class_name: 'Dense',
  config: { name: `dense_${units}_${activation}`, units, activation, ...more },
})
const INPUT = { batch_input_shape: [null, COLUMNS] }
const layer = (class_name: string, config: object = {}): LayerJson => ({
  class_name,
  config: { name: `the_${class_name}`, ...config },
})

function file(
  layers: readonly LayerJson[],
  more: object = {},
  weights: ModelFile['weights'] = () => new Uint8Array(0),
): ModelFile {
  const modelTopology = { class_name: 'Sequential', config: { name: 'made', layers } }
  return { kind: 'file', name: 'made.json', json: utf8(JSON.stringify({ modelTopology, ...more })), weights }
}

/** 8 × 8 images: a bright horizontal bar is 1, a vertical one 0, anywhere, under noise. */
function bars(seed: string, rows: number): DesignMatrix {
  const rng = Rng.from('bars', seed)
  const x = Float32Array.from({ length: rows * 64 }, () => rng.float() - 0.5)
  const y = new Uint8Array(rows)
  for (let row = 0; row < rows; row++) {
    y[row] = row % 2
    const place = rng.below(8)
    for (let k = 0; k < 8; k++) {
      const at = row * 64 + (row % 2 === 1 ? 8 * place + k : 8 * k + place)
      x[at] = (x[at] as number) + 1.5
    }
  }
  return { rows, columns: 64, x, y }
}

const CNN = [
  layer('Conv2D', { filters: 6, kernel_size: 3, activation: 'relu', batch_input_shape: [null, 8, 8, 1] }),
  layer('MaxPooling2D', { pool_size: 2 }),
  layer('Flatten'),
  dense(1, 'sigmoid'),
]
const images = (overrides: Partial<StackedSpec> = {}): StackedSpec =>
  spec({
    model: file(CNN),
    columns: 64,
    nodes: 3,
    training: { localEpochs: 2, batchRows: 8, learningRate: 0.02, l2: 0, optimiser: 'adam' },
    rowsOf: (node) => ({ train: bars(`train ${node}`, 20 + node), test: bars(`test ${node}`, 40) }),
    ...overrides,
  })

it('a convolutional network from a file learns images, node by node, as well when announced', async () => {
  await withFleet(images(), (fleet) => {
    assert.not(fleet.stacks)
    assert.is.not(fleet.backend.backend, 'wasm')
    assert.is(fleet.parameters, 6 * 9 + 6 + 6 * 9)
    const start = fleet.initial(STUDY)
    const [alone, together] = [fleet.take(), fleet.take()]
    const slot = fleet.take()
    fleet.copy(start, slot)
    for (let round = 0; round < 8; round++) {
      fleet.announce(1, slot, 1, round)
      if (round === 0) {
        fleet.train(0, start, alone, 5, 5)
        fleet.resetOptimiser(0)
        fleet.announce(2, start, 5, 5)
        fleet.announce(0, start, 5, 5)
      }
      fleet.train(1, slot, slot, 1, round)
    }
    fleet.train(0, start, together, 5, 5)
    assert.equal(fleet.read(together), fleet.read(alone))
    const [before, after] = [fleet.testLoss(1, start), fleet.testLoss(1, slot)]
    assert.ok(after < 0.5 * before && after < 0.4, `test loss ${before}, then ${after}`)
  })
})

/** The same chain, told as a graph. */
function graph(layers: readonly LayerJson[]): ModelFile {
  const input = layer('InputLayer', { name: 'in', batch_input_shape: [null, 64] })
  const all = [input, ...layers].map((each, i, list) => {
    const from = list[i - 1]?.config.name
    return { ...each, name: each.config.name, inbound_nodes: from === undefined ? [] : [[[from, 0, 0, {}]]] }
  })
  const config = { name: 'made', layers: all, input_layers: [['in', 0, 0]], output_layers: [[all.at(-1)?.name, 0, 0]] }
  const weights = () => new Uint8Array(0)
  return { kind: 'file', name: 'made.json', json: utf8(JSON.stringify({ class_name: 'Functional', config })), weights }
}

it('a chain with pooling and reshaping is stacked, and trains as the same layers in a graph do, node by node', async () => {
  const layers = [
    layer('Reshape', { target_shape: [8, 8, 1], batch_input_shape: [null, 64] }),
    layer('AveragePooling2D', { pool_size: 2 }),
    layer('Reshape', { name: 'again', target_shape: [4, 4] }),
    dense(3, 'tanh'), // over the last axis, for each of the four
    layer('Flatten'),
    dense(2, 'elu', { use_bias: false }),
    layer('Dense', { units: 1, activation: 'linear' }),
    layer('Activation', { activation: 'sigmoid' }),
  ]
  const run = (model: ModelFile) =>
    withFleet(images({ model }), (fleet) => {
      const base = fleet.read(fleet.initial(STUDY))
      return { stacks: fleet.stacks, head: base.head.length, base, ...rounds(fleet, base, true) }
    })
  const [chain, nodes] = [await run(file(layers)), await run(graph(layers))]
  assert.equal([chain.stacks, chain.head, nodes.stacks, nodes.head], [true, 1, false, 1])
  assert.equal(chain.base, nodes.base)
  assertNear(chain.weights.flat(), nodes.weights.flat(), 1e-5)
  assertNear(chain.losses, nodes.losses, 1e-5)
  assert.ok((chain.losses.at(-1) as number) < (chain.losses[0] as number))
})

it('initialisers are seeded: all nodes of all runs start alike, layers apart, and another seed starts elsewhere', async () => {
  const model = file([dense(4, 'relu', INPUT), dense(4, 'relu', { name: 'second' }), dense(1, 'linear')])
  const start = (seed: string) => withFleet(spec({ model }), (fleet) => flat(fleet.read(fleet.initial(seed as never))))
  const first = await start(STUDY)
  assert.equal(await start(STUDY), first)
  assert.not.equal(await start('5'.repeat(64)), first)
  assert.ok(first.some((value) => value !== 0))
  assert.not.equal(first.slice(0, 16), first.slice(24, 40))
  assert.is(first.length, 5 * 4 + 4 + 4 * 4 + 4 + 4 + 1)
})

it('weights that a manifest names are where all nodes start; a file of them that is too short is told', async () => {
  const values = Float32Array.of(0.5, -1, 2, 0.25, 3, -0.125)
  const manifest = [
    {
      paths: ['a.bin', 'b.bin'],
      weights: [
        { name: 'only/kernel', shape: [5, 1], dtype: 'float32' },
        { name: 'only/bias', shape: [1], dtype: 'float32' },
      ],
    },
  ]
  const bytes = new Uint8Array(values.buffer)
  const parts: Record<string, Uint8Array> = { 'a.bin': bytes.subarray(0, 9), 'b.bin': bytes.subarray(9) }
  const layers = [dense(1, 'sigmoid', { ...INPUT, name: 'only' })]
  const model = file(layers, { weightsManifest: manifest }, (path) => parts[path] as Uint8Array)
  await withFleet(spec({ model }), (fleet) => assert.equal(flat(fleet.read(fleet.initial(STUDY))), [...values]))
  parts['b.bin'] = bytes.subarray(9, 16)
  await assertRefused(model, 'cannot make it')
})

async function assertRefused(model: ModelFile, ...says: readonly string[]): Promise<void> {
  try {
    ;(await StackedFleet.build(spec({ model }))).close()
  } catch (error) {
    const { message, code } = error as { message: string; code?: string }
    assert.ok(code?.startsWith('learner-'), message)
    for (const word of ['made.json', ...says]) assert.ok(message.includes(word), `"${message}" does not say ${word}`)
    assert.not(message.includes('\n'))
    return
  }
  assert.unreachable(`not refused: ${says}`)
}

const raw = (text: string): ModelFile => ({
  kind: 'file',
  name: 'made.json',
  json: utf8(text),
  weights: () => new Uint8Array(0),
})
const first = dense(4, 'relu', INPUT)
const REFUSED: readonly [claim: string, model: ModelFile, ...says: string[]][] = [
  ['no JSON', raw('layers:'), 'no JSON'],
  ['no topology', raw('{"layers": []}'), 'modelTopology'],
  ['a graph model', raw('{"format": "graph-model", "modelTopology": {}}'), 'graph model'],
  ['an unknown layer', file([first, layer('Magic'), dense(1, 'linear')]), 'cannot make it', 'Magic'],
  ['an input of another size', file([dense(1, 'linear', { batch_input_shape: [null, 3, 2] })]), '3 × 2', '5 columns'],
  ['an input of any size', file([dense(1, 'linear', { batch_input_shape: [null, null, 5] })]), 'any × 5'],
  ['two outputs', file([first, dense(2, 'sigmoid')]), 'output is 2'],
  ['a softmax', file([first, dense(1, 'softmax')]), 'softmax', 'linear or sigmoid'],
  [
    'two sigmoids',
    file([first, dense(1, 'sigmoid'), layer('Activation', { activation: 'sigmoid' })]),
    'Activation sigmoid',
  ],
  [
    'no dense layer last',
    file([layer('Reshape', { target_shape: [5, 1], ...INPUT }), layer('GlobalAveragePooling1D')]),
    'GlobalAveragePooling1D',
  ],
  ['dropout', file([first, layer('Dropout', { rate: 0.5 }), dense(1, 'linear')]), 'Dropout', 'chance'],
  [
    'batch normalisation',
    file([first, layer('BatchNormalization'), dense(1, 'linear')]),
    'BatchNormalization',
    'leave it out',
  ],
  ['a frozen layer', file([dense(4, 'relu', { ...INPUT, trainable: false }), dense(1, 'linear')]), 'dense_4_relu'],
  [
    'a penalty of its own',
    file([first, dense(1, 'linear', { kernel_regularizer: { class_name: 'L1L2', config: { l1: 0, l2: 0.1 } } })]),
    'kernelRegularizer',
    'study.training.l2',
  ],
  [
    'a manifest that is none',
    file([dense(1, 'linear', INPUT)], { weightsManifest: [{ paths: 'a' }] }),
    'weightsManifest',
  ],
]
for (const [claim, model, ...says] of REFUSED) it(`refused in one line: ${claim}`, () => assertRefused(model, ...says))

it('a backend that would train wrongly is refused, with those that do not', async () => {
  try {
    ;(await StackedFleet.build(images({ backend: 'wasm' }))).close()
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, /backend wasm has no exact gradients for layer "the_Conv2D".*auto or cpu/)
  }
})

it('no tensor is left behind by training and evaluating, and none at all by closing', async () => {
  await StackedFleet.build(spec()).then((fleet) => fleet.close()) // loads what stays
  const before = tf.memory().numTensors
  for (const given of [spec(), images(), spec({ model: file([first, dense(1, 'sigmoid')]), backend: 'cpu' })]) {
    await withFleet(given, (fleet) => {
      const open = tf.memory().numTensors
      const base = fleet.read(fleet.initial(STUDY))
      assert.is(tf.memory().numTensors, open)
      for (const together of [true, false]) {
        rounds(fleet, base, together)
        fleet.testLoss(0, fleet.initial(STUDY))
        assert.is(tf.memory().numTensors, open)
      }
    })
  }
  for (const [, model] of REFUSED.filter(([claim]) => claim !== 'an unknown layer'))
    await StackedFleet.build(spec({ model })).catch(() => undefined)
  assert.is(tf.memory().numTensors, before)
})

it.run()
