/** Benchmark: how fast the simulator is, beside what plain JavaScript could do at most, each in a process and on a core of its own. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { table } from '../../src/cli/output.ts'
import { weightedMean } from '../../src/learn/merge/mean.ts'
import { atLeast, type Figure, under } from './figures.ts'
import type { Cost } from './netsimRun.ts'

const RUN = fileURLToPath(new URL('./netsimRun.ts', import.meta.url))
const COLUMNS = 57 // what gossipy was measured with (DECISIONS, "Simulators to beat")
const GOSSIPY = { logistic: 1_900, mlp: 1_600 } as const // node-operations a second there, 100 nodes

/** As the figures are stated: digests modelled, ledger off, one receiver per send. */
const scenario = (
  nodes: number,
  rounds: number,
  rows: number,
  more = '',
  features = COLUMNS,
): string => `question: How fast is it?
nodes: { count: ${nodes} }
gossip: { mode: fanout, fanout: 1, heldMax: 8 }
data: { kind: synthetic, features: ${features}, rows: ${rows} }
study: { rounds: { count: ${rounds} }, training: { optimiser: sgd }, merge: { rule: mean, vetoNats: null, ageRoundsMax: 1 }, testShare: 0.05${more.startsWith(',') ? more : ''} }
ledger: off
digests: ${more.includes('real digests') ? 'real' : 'modelled'}
end: { seconds: 1000000 }
report: { everySeconds: 50 }
`
const MLP = ', model: { kind: mlp, hidden: [64] }'

async function run(text: string): Promise<Cost> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', RUN, text], { maxBuffer: 1e7 })
  return JSON.parse(stdout) as Cost
}

const perSecond = ({ operations, seconds }: Cost): number => operations / seconds
const thousands = (value: number): string => `${Math.round(value / 1000)}k`

/** The figures of the issue, and beside them what real digests and the ledger cost. */
export async function bench(): Promise<Figure[]> {
  const ceilings = { rows41: ceiling(41), rows4: ceiling(4) }
  const small = await run(scenario(100, 6_000, 43))
  const many = await run(scenario(1_000, 2_000, 5))
  const mlp = await run(scenario(1_000, 100, 5, MLP, 30))
  const mlp32 = await run(scenario(1_000, 40, 34, MLP, 30))
  const real = await run(scenario(1_000, 400, 5, '# real digests'))
  const nothing = await run(
    scenario(1_000, 1_500, 5).replace(/data: .*/, "data: { kind: none }\nlearner: { kind: 'null' }"),
  )
  const ledger = await run(
    scenario(20, 20, 43)
      .replace('ledger: off', 'ledger: on')
      .replace('mode: fanout', 'mode: flood')
      .replace('digests: modelled', 'digests: real'),
  )
  const hundred = await run(scenario(100_000, 100, 5))
  const million = await run(scenario(1_000_000, 3, 5))
  const stateBytes = (million.peakBytes - million.beforeBytes - million.fleetBytes) / million.nodes
  const rows = [
    ['logistic 57, 41 rows, 100 nodes', small, ceilings.rows41],
    ['logistic 57, 4 rows, 1,000 nodes', many, ceilings.rows4],
    ['the same with real digests (SHA-256)', real, ceilings.rows4],
    ['MLP 30-64-1, 4 rows, 1,000 nodes', mlp, null],
    ['MLP 30-64-1, 32 rows, 1,000 nodes', mlp32, null],
    ['no learner, 1,000 nodes', nothing, null],
    ['with the ledger, 20 nodes, flooding', ledger, null],
    ['logistic 57, 4 rows, 100,000 nodes', hundred, null],
    ['logistic 57, 4 rows, 1,000,000 nodes', million, null],
  ] as const
  const lines = rows.map(([name, cost, plain]) => [
    name,
    thousands(perSecond(cost)),
    plain === null ? '' : thousands(plain),
    thousands(cost.events / cost.seconds),
    cost.seconds.toFixed(1),
    (cost.peakBytes / 1e9).toFixed(2),
  ])
  const header = ['', 'node-ops/s', 'plain-JS ceiling', 'events/s', 'seconds', 'GB']
  for (const line of table(header, lines, [1, 2, 3, 4, 5])) process.stdout.write(`${line}\n`)
  const speed = (name: string, cost: Cost, floor: number, beside: string): Figure =>
    atLeast(name, perSecond(cost), floor, 'node-ops/s', 'start included', beside)
  const against = (cost: Cost, plain: number, gossipy: number): string =>
    `${(perSecond(cost) / plain).toFixed(2)} of the plain-JS ceiling of ${thousands(plain)}, ${Math.round(perSecond(cost) / gossipy)} × gossipy`
  return [
    speed('logistic, 41 rows, 100 nodes', small, 100_000, against(small, ceilings.rows41, GOSSIPY.logistic)),
    speed('logistic, 4 rows, 1,000 nodes', many, 500_000, against(many, ceilings.rows4, 2_900)),
    speed('MLP 30-64, 1,000 nodes', mlp, 50_000, `${Math.round(perSecond(mlp) / GOSSIPY.mlp)} × gossipy; 4 rows`),
    atLeast('null learner', nothing.events / nothing.seconds, 500_000, 'events/s', 'start included', '1,000 nodes'),
    under('100,000 nodes × 100 rounds', hundred.seconds, 60, 's', 'start included'),
    under('1,000,000 nodes start and gossip', million.peakBytes / 1e9, 8, 'GB', `${million.seconds.toFixed(0)} s`),
    under('state of a node', stateBytes, 2_048, 'bytes', 'besides rows and models, at a million'),
  ]
}

/** Node-operations a second of plain typed-array JavaScript without any protocol: an update and a merge of two, in turn, on one core. */
function ceiling(rows: number): number {
  const nodes = rows > 10 ? 100 : 1_000
  const models = Array.from({ length: nodes }, () => new Float32Array(COLUMNS + 1))
  const x = Float32Array.from({ length: nodes * rows * COLUMNS }, (_, i) => ((i * 2_654_435_761) % 1_000) / 500 - 1)
  const merged = new Float32Array(COLUMNS + 1)
  let operations = 0
  const startMs = performance.now()
  while (performance.now() - startMs < 2_000) {
    for (let node = 0; node < nodes; node++) {
      const model = models[node] as Float32Array
      plainUpdate(model, x, node * rows, rows)
      const other = models[(node * 7 + operations) % nodes] as Float32Array
      if (other === model) continue
      weightedMean([model, other], [0.6, 0.4], merged)
      model.set(merged)
      operations += 2
    }
  }
  return operations / ((performance.now() - startMs) / 1000)
}

function plainUpdate(model: Float32Array, x: Float32Array, first: number, rows: number): void {
  const gradient = new Float32Array(COLUMNS + 1)
  for (let row = first; row < first + rows; row++) {
    const at = row * COLUMNS
    let z = model[COLUMNS] as number
    for (let j = 0; j < COLUMNS; j++) z += (model[j] as number) * (x[at + j] as number)
    const error = 1 / (1 + Math.exp(-z)) - (row & 1)
    for (let j = 0; j < COLUMNS; j++) gradient[j] = (gradient[j] as number) + error * (x[at + j] as number)
    gradient[COLUMNS] = (gradient[COLUMNS] as number) + error
  }
  for (let j = 0; j <= COLUMNS; j++) model[j] = (model[j] as number) - (0.01 / rows) * (gradient[j] as number)
}
