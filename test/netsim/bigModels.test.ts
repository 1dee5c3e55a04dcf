/** Models that fit no message, among simulated nodes: the daemon's swarm over slow uplinks, for several seeds. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { SimulationResult } from '../../netsim/result.ts'
import type { ScenarioInput } from '../../netsim/scenario/schema.ts'
import { brokenIn, runOf } from './scenarioKit.ts'

const it = suite('netsim big models')
const UNITS = 300 // with 20 inputs 97,000 weights: as int8 97 kB, in 6 chunks
const NODES = 6
const ROUNDS = 4

const BIG: Partial<ScenarioInput> = {
  nodes: { count: NODES },
  network: { uplinkMbit: 4 },
  data: { kind: 'synthetic', features: 20, rows: 30 },
  ledger: 'on',
  liveness: { fromSeconds: 30, convergeSeconds: 20, finalSeconds: 45 },
}
const studyWith = (coding: NonNullable<ScenarioInput['study']>['coding']): ScenarioInput['study'] => ({
  model: { kind: 'mlp', hidden: [UNITS, UNITS] },
  rounds: { count: ROUNDS, periodSeconds: 4 },
  coding,
})

/** Of a merge on average, when some were made last. */
const inputsOf = ({ samples }: SimulationResult): number =>
  samples.findLast((one) => one.inputsMean !== null)?.inputsMean ?? 0

for (const seed of [1, 2, 3]) {
  it(`seed ${seed}: with int8 over 4 Mbit/s each node merges the others, and bytes stay near one copy of each update`, async () => {
    const result = await runOf({ ...BIG, study: studyWith({ kind: 'int8' }) }, { seed })
    assert.is(brokenIn(result), null)
    const last = result.samples.at(-1)
    assert.ok(inputsOf(result) > NODES - 1.5, `${inputsOf(result)} inputs of the last merges`)
    const payload = result.parameters + 6 * 4
    const copies = (last?.bytesSent ?? 0) / (payload * NODES * (NODES - 1) * ROUNDS)
    assert.ok(copies < 1.5, `${copies} copies, the ledger's bytes included`)
  })
}

it('where a transfer takes several rounds of its author, updates still arrive and are merged', async () => {
  const study = { ...studyWith({ kind: 'int8' }), rounds: { count: 16, periodSeconds: 4 } }
  const result = await runOf({ ...BIG, network: { uplinkMbit: 0.4 }, study }, {})
  assert.is(brokenIn(result), null)
  const inputs = result.samples.flatMap(({ inputsMean }) => (inputsMean === null ? [] : [inputsMean]))
  const mean = inputs.reduce((sum, one) => sum + one, 0) / inputs.length
  assert.ok(mean > 2, `${mean} inputs of a merge`)
})

it('over uplinks that need longer than a round what has come is merged, and every merge equals its recomputation', async () => {
  const network = { uplinkMbit: 0.2 }
  const result = await runOf({ ...BIG, network, study: studyWith({ kind: 'int8' }) }, {})
  assert.is(brokenIn(result), null)
  assert.ok(inputsOf(result) < NODES - 2, `${inputsOf(result)} whole inputs of the last merges`)
})

it('top-k deltas are read against keyframes, and take less', async () => {
  const spec = { kind: 'top-k', share: 0.05, keyframeRounds: 4 } as const
  const [whole, sparse] = await Promise.all([
    runOf({ ...BIG, study: studyWith({ kind: 'float16' }) }, {}),
    runOf({ ...BIG, study: studyWith(spec) }, {}),
  ])
  assert.equal([brokenIn(whole), brokenIn(sparse)], [null, null])
  const bytes = [whole, sparse].map(({ samples }) => samples.at(-1)?.bytesSent ?? 0) as [number, number]
  assert.ok(bytes[1] < 0.6 * bytes[0], `${bytes}`)
  assert.ok(inputsOf(sparse) > NODES - 1.5, `${inputsOf(sparse)} inputs of the last merges`)
})

it.run()
