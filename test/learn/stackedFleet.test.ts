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
    if (together) slots.forEach((slot, node) => fleet.announce?.(node, slot, 40 + node, round))
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
        const kernels = rounds(KernelFleet.build(given), base, false)
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
  first.forEach((weights, node) => assertNear(weights, alone[node] as number[], 1e-5))
})

it.run()
