/** netsim is the second shell around the one machine: what daemons did over real sockets comes out of it again, to the byte. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { orderOf, type Stage } from '../../netsim/members/inOrder.ts'
import { runStudy, type StudyOptions } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import { parseStudy } from '../../src/config/study.ts'
import type { Digest } from '../../src/core/ids.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { crowdMerges, type OtherRun } from './crowdInOrder.ts'
import { type DaemonRun, runDaemons } from './daemonRun.ts'
import { postponed } from './postponed.ts'
import { firstDifference, inputsOnly, type ToldRounds, tellRounds, weighedInputs } from './tellRounds.ts'

const it = suite('equal daemons')

const BACKEND = 'cpu' // the other backends compute in an order of their own
const ROUNDS = 24

const study = (ageRoundsMax: number): string => `name: Equal
purpose: To run in both shells.
model: { kind: logistic }
label: { name: ill, positive: 'yes', negative: 'no' }
features:
  - { name: age, kind: number, unit: years, range: [0, 120], missing: mean }
  - { name: marker, kind: number, unit: mg/L, range: [-10, 10], missing: mean }
  - { name: sex, kind: category, levels: [f, m], missing: level }
training: { localEpochs: 3, batchRows: 16, learningRate: 0.05, l2: 0.01, optimiser: adam }
merge: { rule: mean, weighting: sqrt, examplesCap: 100, ageRoundsMax: ${ageRoundsMax} }
statistics: { deadlineSeconds: 600 }
rounds: { periodSeconds: 0.5, count: ${ROUNDS} }
testShare: 0.25
minimumCohort: 5
`

const daemons = runDaemons(study(2), BACKEND)

const tell = ({ id, daemons }: DaemonRun): ToldRounds[] => daemons.map(({ raws, steps }) => tellRounds(id, raws, steps))
const orders = ({ id, daemons }: DaemonRun): Stage[][] => daemons.map(({ steps }) => orderOf(steps, id))

/** The same in netsim, but for what `more` changes. */
async function simulated(run: DaemonRun, more: Partial<StudyOptions> = {}): Promise<ToldRounds[]> {
  const steps: Step[][] = run.daemons.map(() => [])
  const learners = run.daemons.map(() => new TfjsLearner({ backend: BACKEND }))
  const { nodes, settled, ...result } = await runStudy({
    study: run.study,
    tables: run.daemons.map(({ table }) => [table]),
    commitments: run.daemons.map(({ commitment }) => [commitment]),
    founders: run.founders,
    signatures: 'real',
    orders: orders(run),
    seed: 7,
    learner: (node) => learners[node] as TfjsLearner,
    untilMs: 600_000,
    onStep: (step) => steps[step.node]?.push(step),
    ...more,
  })
  await Promise.all(learners.map((learner) => learner.close()))
  assert.ok(settled, 'netsim came to the end')
  assert.equal(
    nodes.map(({ member }) => member),
    run.daemons.map(({ member }) => member),
  )
  return nodes.map(({ member, logs }, node) =>
    tellRounds(result.study, logs.get(member)?.raws ?? [], steps[node] ?? []),
  )
}

it('the daemons heard each other unevenly: merges without somebody, updates of several ages, rounds skipped', async () => {
  const merges = tell(await daemons).map((told) => told.merges)
  const counts = merges.map((lines) => lines.map((line) => line.split(';').length))
  assert.ok(
    counts.every((own) => own.includes(3)),
    'each has merged all three',
  )
  assert.ok(
    counts.some((own) => own.includes(2)),
    'somebody has merged two',
  )
  for (const age of [0, 1, 2])
    assert.ok(
      merges.some((lines) => lines.join().includes(`age ${age}`)),
      `age ${age}`,
    )
  assert.ok(Math.min(...merges.map((lines) => lines.length)) < ROUNDS, 'somebody skipped rounds')
})

it('updates, inputs, ages, coefficients, merges, measures and scaling of every node and round are those of the daemons', async () => {
  const run = await daemons
  const told = tell(run)
  assert.is(firstDifference(await simulated(run), told), null)
  for (const { scalings, logged } of told) {
    assert.equal(scalings, told[0]?.scalings)
    assert.ok(logged.at(-1)?.startsWith('study.ended'))
  }
})

const otherRun = (run: DaemonRun): OtherRun => ({
  study: run.study,
  members: run.daemons.map(({ member }) => member),
  trainRows: run.daemons.map(({ table }) => table.trainRows.length),
  orders: orders(run),
})

it('a crowd without a ledger comes to the same rounds, inputs, ages and coefficients', async () => {
  const run = await daemons
  const told = run.daemons.map(({ steps }) => weighedInputs(run.id, steps))
  const other = otherRun(run)
  assert.equal(await crowdMerges(other), told)
  const [first = [], ...others] = other.orders
  const merge = { ...run.study.merge, ageRoundsMax: 3 }
  for (const change of [{ orders: [postponed(first), ...others] }, { study: { ...run.study, merge } }]) {
    const changed = await crowdMerges({ ...other, ...change }).catch((error: Error) => error.message)
    assert.not.equal(changed, told, `${Object.keys(change)} is noticed`)
  }
})

/** What is noticed where something is otherwise in netsim: the first difference in `part`, or that it does not come to the end. */
async function noticed(
  run: DaemonRun,
  more: Partial<StudyOptions>,
  part = (told: ToldRounds) => told,
): Promise<string | null> {
  try {
    return firstDifference((await simulated(run, more)).map(part), tell(run).map(part))
  } catch (error) {
    return (error as Error).message
  }
}

it('one delivery taken a merge later is noticed', async () => {
  const run = await daemons
  const [first = [], ...others] = orders(run)
  assert.match((await noticed(run, { orders: [postponed(first), ...others] })) ?? '', /^node 0, merges|order that it/)
})

it('another seed of training at one node is noticed', async () => {
  const run = await daemons
  const [, ...others] = run.daemons.map(({ commitment }) => [commitment])
  const commitments = [['ab'.repeat(32) as Digest], ...others]
  assert.match((await noticed(run, { commitments })) ?? '', /^node 0, merges 0:/)
})

it('updates that may be one round older are noticed, though another study has other digests anyway', async () => {
  const run = await daemons
  assert.is(await noticed(run, { study: parseStudy(study(2), 'study') }, inputsOnly), null)
  assert.match((await noticed(run, { study: parseStudy(study(3), 'study') }, inputsOnly)) ?? '', /merges|order that it/)
})

it('another table at one node is noticed', async () => {
  const run = await daemons
  const [first, ...others] = run.daemons.map(({ table }) => table)
  assert.ok(first)
  const values = first.values.map((value, i) => (i % first.features.length === 0 ? value + 1 : value)) // all a year older
  const tables = [{ ...first, values }, ...others].map((table) => [table])
  assert.match((await noticed(run, { tables })) ?? '', /^node 0, scalings 0:/)
})

it.run()
