/**
 * What a study may say of training does in daemons what it does here, to the byte, and it does something; a study ends there by its time and
 * by standstill, and a round in its time; and what a daemon keeps of its rounds is all there when it was killed.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { orderOf } from '../../netsim/members/inOrder.ts'
import { runStudy, type StudyResult } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import { parseStudy, type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { toHex } from '../../src/core/bytes.ts'
import { compareIds, type Digest, type StudyId } from '../../src/core/ids.ts'
import { openHome } from '../../src/daemon/home.ts'
import { bindTable } from '../../src/data/bind.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { designMatrix } from '../../src/data/design.ts'
import { readTableFile } from '../../src/data/table.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { Kernels } from '../../src/learn/kernels/kernels.ts'
import type { Learner, OpenRequest, TrainRequest } from '../../src/learn/learner.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import {
  consortium,
  fixBackend,
  inFolder,
  patients,
  signing,
  startAll,
  studyText,
  type TestNode,
  until,
} from '../daemon/kit.ts'
import { type DaemonRun, ownLog, readRun, recordingOf } from './daemonRun.ts'
import { firstDifference, type ToldRounds, tellRounds } from './tellRounds.ts'

const it = suite('options in daemons and here')

const ROWS = [50, 90, 140]
const ROUNDS = 5
const KERNELS = new Kernels()
const SGD = 'localEpochs: 3, batchRows: 16, learningRate: 0.1, l2: 0.01, optimiser: sgd'

const described = (name: string, training: string, more = '', rounds = ROUNDS, model = 'kind: logistic'): Study => {
  const text = studyText({ name, rounds, periodSeconds: 0.3, deadlineSeconds: 30 })
    .replace(/^training: .*$/m, `training: { ${training} }`)
    .replace(/^model: .*$/m, `model: { ${model} }`)
  return parseStudy(`${text}${more}\n`, name)
}

/** A learner of which one thing is passed over that the study asks for. */
interface Row {
  readonly study: Study
  readonly without: (learner: Learner, run: DaemonRun, scaling: StudyResult['nodes'][number]['scaling']) => Learner
}

const OPTIONS: Readonly<Record<string, Row>> = {
  proximal: {
    study: described('proximal', `${SGD}, proximal: 0.7`),
    without: (learner) => trainingBy(learner, ({ pull: _, ...request }) => request),
  },
  momentum: {
    study: described('momentum', `${SGD}, momentum: 0.6`),
    without: (learner) => trainingBy(learner, ({ drift: _, ...request }) => request),
  },
  tracking: {
    study: described('tracking', `${SGD}, tracking: 0.8`),
    without: (learner) => trainingBy(learner, ({ drift: _, ...request }) => request),
  },
  normalisation: {
    study: described('normalisation', SGD, 'local: { normalisation: own }'),
    without: (learner, { study, daemons }, scaling) => {
      const open = async (request: OpenRequest) => {
        const table = daemons.find((one) => one.table.trainRows.length === request.train.rows)?.table
        assert.ok(table && scaling)
        return learner.open({ ...request, train: designMatrix(study, table, table.trainRows, scaling) })
      }
      return { ...delegating(learner), open }
    },
  },
}

const STANDSTILL = described('standstill', SGD, 'end: { plateau: { rounds: 2, delta: 0.5 } }', 100_000)
const TIMED = described('timed', SGD, 'end: { afterSeconds: 12 }', 100_000)
const CUT = described(
  'cut',
  `localEpochs: 50, batchRows: 1, learningRate: 0.01, secondsMax: 0.1`,
  'end: { afterSeconds: 12 }',
  100_000,
  'kind: mlp, hidden: [256, 256]', // at the smallest hospital 1,700 steps of 67,000 weights: five times as long as a round has, on a fast core
)
const STATES = described(
  'states',
  `${SGD}, momentum: 0.6, tracking: 0.8`,
  'personal: { proximal: 0.2 }\ncoding: { kind: top-k, share: 0.5, keyframeRounds: 7 }',
  24,
)

const delegating = (learner: Learner): Learner => ({
  open: (request) => learner.open(request),
  train: (request) => learner.train(request),
  evaluate: (...given) => learner.evaluate(...given),
  logits: (...given) => learner.logits(...given),
  close: () => learner.close(),
})
const trainingBy = (learner: Learner, change: (request: TrainRequest) => TrainRequest): Learner => ({
  ...delegating(learner),
  train: (request) => learner.train(change(request)),
})

/** What one consortium of daemons did. */
interface Done {
  readonly options: ReadonlyMap<string, DaemonRun>
  readonly others: ReadonlyMap<Study, DaemonRun>
  /** A study in which one daemon trained alone, and was killed. */
  readonly states: {
    readonly node: number
    readonly id: StudyId
    readonly table: Dataset
    readonly raws: readonly Uint8Array[]
    readonly kills: number
  }
  /** Standard error of each. */
  readonly logs: readonly string[]
}

const done = runAll()

async function runAll(): Promise<Done> {
  let all: Done | null = null
  await inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east'])))
    for (const node of nodes) await fixBackend(node, 'kernels')
    await Promise.all(nodes.map((node) => node.start('--record', recordingOf(folder, node))))
    await signing(nodes)
    for (const [i, node] of nodes.entries()) await writeFile(tableOf(folder, node), patients(ROWS[i] as number, i))
    const described = [...Object.values(OPTIONS).map(({ study }) => study), STANDSTILL, TIMED, CUT]
    for (const study of described) await takePart(folder, nodes, nodes, study)
    await until(180_000, 'all studies to end', async () => {
      const reports = await Promise.all(nodes.map((node) => node.status()))
      return reports.every((status) => status?.studies.every(({ phase }) => phase === 'ended'))
    })
    for (const code of await Promise.all(nodes.map((node) => node.end('SIGTERM')))) assert.is(code, 0)
    const runs = new Map<Study, DaemonRun>()
    for (const study of described) runs.set(study, await readRun(folder, nodes, study, idOf(study)))
    const states = await killed(folder, nodes as [TestNode, TestNode, TestNode])
    all = {
      options: new Map(Object.entries(OPTIONS).map(([name, { study }]) => [name, runs.get(study) as DaemonRun])),
      others: runs,
      states,
      logs: nodes.map(({ log }) => log),
    }
  })
  assert.ok(all)
  return all
}

const idOf = (study: Study): StudyId => studyIdOf(studyDocument(study))
const tableOf = (folder: string, { name }: TestNode): string => join(folder, `${name}.csv`)

/** Proposes a study, and binds the tables of `taking` to it. */
async function takePart(
  folder: string,
  nodes: readonly TestNode[],
  taking: readonly TestNode[],
  study: Study,
): Promise<void> {
  const [first] = nodes as [TestNode]
  const id = idOf(study)
  await first.client.post('/v1/studies', { document: Buffer.from(studyDocument(study)).toString('base64') })
  for (const node of taking) {
    await until(60_000, 'the study', async () => (await node.status())?.studies.some((one) => one.id === id) ?? false)
    if (node !== first) await node.client.post(`/v1/studies/${id}/accept`)
    await node.client.post(`/v1/studies/${id}/bind`, {
      path: tableOf(folder, node),
      columns: {},
      units: {},
      extra: 'refuse',
    })
  }
}

/** The second node trains alone, and is killed twice on the way. */
async function killed(folder: string, nodes: [TestNode, TestNode, TestNode]): Promise<Done['states']> {
  await startAll(nodes)
  const [, node] = nodes
  const id = idOf(STATES)
  await takePart(folder, nodes, [node], STATES)
  const report = async () => (await node.status())?.studies.find((one) => one.id === id)
  for (const round of [6, 13]) {
    await until(120_000, `round ${round}`, async () => ((await report())?.round ?? 0) >= round)
    assert.is.not((await report())?.phase, 'ended')
    await node.end('SIGKILL')
    await node.start()
  }
  await until(120_000, 'the end', async () => (await report())?.phase === 'ended')
  for (const code of await Promise.all(nodes.map((node) => node.end('SIGTERM')))) assert.is(code, 0)
  const { key, paths, consortium } = await openHome(node.home)
  const members = [...consortium.members].map(({ key }) => key).sort(compareIds)
  const { dataset: table } = await bindTable(STATES, await readTableFile(tableOf(folder, node)))
  return { node: members.indexOf(key.id), id, table, raws: await ownLog(paths.database, key.id), kills: 2 }
}

/** The same in netsim, with these learners. */
async function simulated(
  run: DaemonRun,
  learner: () => Learner,
): Promise<{ told: ToldRounds[]; nodes: StudyResult['nodes'] }> {
  const steps: Step[][] = run.daemons.map(() => [])
  const { nodes, settled, study } = await runStudy({
    study: run.study,
    tables: run.daemons.map(({ table }) => [table]),
    commitments: run.daemons.map(({ commitment }) => [commitment]),
    founders: run.founders,
    signatures: 'real',
    orders: run.daemons.map(({ steps }) => orderOf(steps, run.id)),
    seed: 7,
    learner,
    untilMs: 600_000,
    onStep: (step) => steps[step.node]?.push(step),
  })
  assert.ok(settled, 'netsim came to the end')
  const told = nodes.map(({ member, logs }, node) => tellRounds(study, logs.get(member)?.raws ?? [], steps[node] ?? []))
  return { told, nodes }
}

for (const [name, { without }] of Object.entries(OPTIONS)) {
  it(`${name}: updates, merges and measures of all rounds are those of the daemons, and would be others without it`, async () => {
    const run = (await done).options.get(name) as DaemonRun
    const told = run.daemons.map(({ raws, steps }) => tellRounds(run.id, raws, steps))
    const same = await simulated(run, () => new KernelLearner(KERNELS))
    assert.is(firstDifference(same.told, told), null)
    assert.ok(told.every(({ merges }) => merges.length >= 3))
    assert.ok(
      told.some(({ merges }) => merges.some((line) => line.split(';').length === 3)),
      'all three were merged',
    )
    const passed = () => without(new KernelLearner(KERNELS), run, same.nodes[0]?.scaling ?? null)
    const other = await simulated(run, passed)
    assert.match(firstDifference(other.told, told) ?? '', /^node \d, merges/)
  })
}

const ofKind = (run: DaemonRun, kind: string) =>
  run.daemons.map(({ raws }) =>
    raws.map(decodeEntry).flatMap((entry) => (entry.study === run.id && entry.kind === kind ? [entry] : [])),
  )

it('daemons end a study when most of them stand still, and when its time is over', async () => {
  const { others } = await done
  const [still, timed] = [others.get(STANDSTILL), others.get(TIMED)] as [DaemonRun, DaemonRun]
  const said = ofKind(still, 'study.enough').flat()
  assert.ok(said.length >= 2, 'most of three')
  for (const { body } of said) assert.equal(body, { reason: 'plateau' })
  assert.is(ofKind(timed, 'study.enough').flat().length, 0)
  const [proposed] = ofKind(timed, 'study.proposed').flat()
  for (const run of [still, timed]) {
    for (const [ended, more] of ofKind(run, 'study.ended')) {
      assert.ok(ended)
      const { rounds } = ended.body as { rounds: number }
      assert.ok(more === undefined && rounds >= 1 && rounds < 100_000)
      if (run === timed) assert.ok(ended.timeMs >= (proposed?.timeMs as number) + 12_000)
    }
  }
})

it('daemons cut a round when its time is over, and train the next one', async () => {
  const { others, logs } = await done
  const run = others.get(CUT) as DaemonRun
  for (const [node, trained] of ofKind(run, 'round.trained').entries()) assert.ok(trained.length >= 2, `node ${node}`)
  for (const log of logs) {
    const cuts = log.split('\n').filter((line) => line.includes('round-cut') && line.includes(run.id))
    assert.ok(cuts.length >= 2, 'said of each')
    for (const cut of cuts) {
      const [steps, of] = [/ steps\D+(\d+)/, / of\D+(\d+)/].map((word) => Number(word.exec(cut)?.[1]))
      assert.ok((steps as number) > 0 && (steps as number) < (of as number), cut)
    }
  }
})

it('momentum, personal model, keyframe and what was not sent are all there after a daemon was killed: its rounds go on to the byte', async () => {
  const { options, states } = await done
  const [{ founders, daemons }] = [...options.values()] as [DaemonRun]
  const bound = states.raws.map(decodeEntry).find(({ kind, study }) => kind === 'dataset.bound' && study === states.id)
  assert.ok(bound)
  const commitment = toHex((bound.body as { commitment: Uint8Array }).commitment) as Digest
  const alone = <T>(own: T): T[][] => daemons.map((_, node) => (node === states.node ? [own] : []))
  const result = await runStudy({
    ...{
      study: STATES,
      tables: alone(states.table),
      commitments: alone(commitment),
      founders,
      seed: 8,
      untilMs: 600_000,
    },
    learner: () => new KernelLearner(KERNELS),
  })
  const { member, logs } = result.nodes[states.node] as StudyResult['nodes'][number]
  const expected = tellRounds(states.id, logs.get(member)?.raws ?? [], []).logged
  const told = tellRounds(states.id, states.raws, []).logged
  assert.equal(told, expected)
  assert.ok(told.filter((line) => line.startsWith('round.personal')).length === 24)
  const starts = states.raws.map(decodeEntry).filter(({ kind }) => kind === 'node.started').length
  assert.ok(starts >= 2 + states.kills)
})

it.run()
