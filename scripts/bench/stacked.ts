/** Benchmark: local updates per second of the stacked fleet against one TensorFlow.js model per node, on the same backend. */
import { Rng } from '../../src/core/rng.ts'
import type { DesignMatrix, ModelSpec, TrainingSpec } from '../../src/learn/learner.ts'
import { initialWeights } from '../../src/learn/model.ts'
import { StackedFleet } from '../../src/learn/stacked/stackedFleet.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { type Figure, median } from './figures.ts'

const RUNS = 7 // interleaved, so that a neighbour's load falls on both alike
const NODES = 1_000
const COLUMNS = 30
const ROWS = 32
const ALONE = 50 // updates of one model per node in a run: some hundred milliseconds
const ROUNDS = 3 // of all stacked nodes in a run
const TRAINING: TrainingSpec = { localEpochs: 1, batchRows: ROWS, learningRate: 0.05, l2: 0.001, optimiser: 'sgd' }
const SEED = '5'.repeat(64) as never

const CASES: readonly { readonly name: string; readonly model: ModelSpec; readonly target: number }[] = [
  { name: `logistic, ${COLUMNS} columns`, model: { kind: 'logistic' }, target: 20 },
  { name: `MLP ${COLUMNS}-16-1`, model: { kind: 'mlp', hidden: [16] }, target: 10 },
]

/** One figure per model: updates of a thousand stacked nodes per second over those of one model per node, medians of interleaved runs. */
export async function bench(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const one of CASES) figures.push(await measure(one))
  return figures
}

async function measure({ name, model, target }: (typeof CASES)[number]): Promise<Figure> {
  const data = Array.from({ length: NODES }, (_, node) => made(node))
  const rowsOf = (node: number) => ({ train: data[node] as DesignMatrix, test: data[node] as DesignMatrix })
  const fleet = await StackedFleet.build({
    model,
    backend: 'wasm',
    training: TRAINING,
    columns: COLUMNS,
    nodes: NODES,
    privateHeads: true,
    rowsOf,
  })
  const slots = data.map(() => fleet.initial(SEED))
  const learner = new TfjsLearner({ backend: 'wasm' })
  const [together, alone]: [number[], number[]] = [[], []]
  for (let run = -2; run < RUNS; run++) {
    const rates = [stackedRate(fleet, slots), await aloneRate(learner, model, data)] as const
    if (run < 0) continue // the first two compile
    together.push(rates[0])
    alone.push(rates[1])
  }
  await learner.close()
  fleet.close()
  const [ours, theirs] = [median(together), median(alone)]
  const shown = (rate: number) => Math.round(rate).toLocaleString('en')
  const figure =
    `${shown(ours)} local updates/s (best ${shown(Math.max(...together))}), one model per node ${shown(theirs)} ` +
    `(best ${shown(Math.max(...alone))}); ${NODES} nodes, batches of ${ROWS}, SGD, tfjs-wasm, one core`
  return { name: `stacked: ${name}`, figure, ratio: ours / theirs, target, ok: ours / theirs >= target }
}

function stackedRate(fleet: StackedFleet, slots: readonly number[]): number {
  const start = performance.now()
  for (let round = 0; round < ROUNDS; round++) {
    for (const [node, slot] of slots.entries()) fleet.announce(node, slot, 0, round)
    for (const [node, slot] of slots.entries()) fleet.train(node, slot, slot, 0, round)
  }
  return (ROUNDS * slots.length * 1_000) / (performance.now() - start)
}

/** Each node's study is opened once, outside of what is measured. */
async function aloneRate(learner: TfjsLearner, model: ModelSpec, data: readonly DesignMatrix[]): Promise<number> {
  const ids = data.slice(0, ALONE).map((_, node) => String(node).padStart(64, '0') as never)
  for (const [node, study] of ids.entries()) {
    const rows = data[node] as DesignMatrix
    await learner.open({ study, model, training: TRAINING, train: rows, test: rows })
  }
  const base = initialWeights(model, COLUMNS, SEED)
  const start = performance.now()
  for (const study of ids) await learner.train({ study, base, optimiser: new Uint8Array(0), seed: 'bench' })
  return (ids.length * 1_000) / (performance.now() - start)
}

function made(node: number): DesignMatrix {
  const rng = Rng.from('bench', 'stacked', node)
  const x = Float32Array.from({ length: ROWS * COLUMNS }, () => 2 * rng.float() - 1)
  return { rows: ROWS, columns: COLUMNS, x, y: Uint8Array.from({ length: ROWS }, () => rng.below(2)) }
}
