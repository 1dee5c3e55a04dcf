/** One study in real daemons on loopback, and everything that netsim needs to run it again: keys, tables, recordings and logs. */
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { Founders } from '../../netsim/members/identity.ts'
import type { Step } from '../../netsim/members/trace.ts'
import { parseStudy, type Study } from '../../src/config/study.ts'
import { compareIds, type Digest, type MemberId, type StudyId } from '../../src/core/ids.ts'
import { openHome } from '../../src/daemon/home.ts'
import { actionsDigest, recorded } from '../../src/daemon/recorder.ts'
import { bindTable } from '../../src/data/bind.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { readTableFile } from '../../src/data/table.ts'
import { Machine } from '../../src/node/machine.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import {
  bind,
  consortium,
  fixBackend,
  inFolder,
  patients,
  propose,
  signing,
  type TestNode,
  until,
} from '../daemon/kit.ts'
import { roundOf } from '../daemon/recoveryKit.ts'

/** One daemon after its end. */
export interface EndedDaemon {
  readonly member: MemberId
  readonly table: Dataset
  /** To the file that it bound. */
  readonly commitment: Digest
  /** Of its own log, from its disk. */
  readonly raws: readonly Uint8Array[]
  /** Every step of its machine, by its recording. */
  readonly steps: readonly Pick<Step, 'event' | 'actions'>[]
}

/** The whole run; daemons are in the order of their keys, as netsim numbers its nodes. */
export interface DaemonRun {
  readonly id: StudyId
  readonly study: Study
  readonly founders: Founders
  readonly daemons: readonly EndedDaemon[]
}

const NAMES = ['north', 'south', 'east'] as const
const ROWS = [50, 90, 140] // different lengths of training, and different weights in merges
const AHEAD = 4 // rounds: more than an update may be old

/** Runs `text` with three daemons, each with the learner on `backend`. One of them is stopped until the others are far ahead. */
export async function runDaemons(text: string, backend: 'cpu' | 'wasm'): Promise<DaemonRun> {
  let run: DaemonRun | null = null
  await inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, NAMES)))
    for (const node of nodes) await fixBackend(node, backend)
    await Promise.all(nodes.map((node) => node.start('--record', recordingOf(folder, node))))
    await signing(nodes)
    const id = (await propose(folder, nodes, text)) as StudyId
    for (const [i, node] of nodes.entries()) await bind(folder, node, id, patients(ROWS[i] as number, i))
    const study = parseStudy(text, 'study')
    await fallBehind(nodes as [TestNode, TestNode, TestNode], study.rounds.count - 1)
    await until(120_000, 'the end of the study', async () => {
      const reports = await Promise.all(nodes.map((node) => node.status()))
      return reports.every((status) => status?.studies[0]?.phase === 'ended')
    })
    for (const code of await Promise.all(nodes.map((node) => node.end('SIGTERM')))) assert.is(code, 0)
    run = await readRun(folder, nodes, study, id)
  })
  assert.ok(run)
  return run
}

/** Where the recording of a node is, that it is started with. */
export const recordingOf = (folder: string, { name }: TestNode): string => join(folder, `${name}.recording`)

/** The last node hears nothing, and says nothing, until the others have gone on without it for some rounds. */
async function fallBehind([north, south, east]: [TestNode, TestNode, TestNode], last: number): Promise<void> {
  for (const node of [north, south])
    await until(60_000, `${node.name} to merge all`, async () => (await node.status())?.studies[0]?.merged.length === 3)
  east.process?.kill('SIGSTOP')
  const aim = Math.min(last, AHEAD + Math.max(await roundOf(north), await roundOf(south)))
  for (const node of [north, south])
    await until(60_000, `${node.name} to go on alone`, async () => (await roundOf(node)) >= aim)
  east.process?.kill('SIGCONT')
}

/** Of daemons that have ended and were recorded: what one of their studies was, with the tables that they bound. */
export async function readRun(
  folder: string,
  nodes: readonly TestNode[],
  study: Study,
  id: StudyId,
): Promise<DaemonRun> {
  const homes = await Promise.all(nodes.map(({ home }) => openHome(home)))
  const [first] = homes
  assert.ok(first)
  const daemons = await Promise.all(
    nodes.map(async (node, i): Promise<EndedDaemon> => {
      const { key, paths } = homes[i] as typeof first
      const { dataset } = await bindTable(study, await readTableFile(join(folder, `${node.name}.csv`)))
      const steps = await replayed(recordingOf(folder, node))
      const bound = steps.flatMap(({ event }) =>
        event.type === 'study-bind' && event.dataset.study === id ? event.dataset : [],
      )
      assert.is(bound.length, 1)
      const { commitment } = bound[0] as (typeof bound)[number]
      return { member: key.id, table: dataset, commitment, raws: await ownLog(paths.database, key.id), steps }
    }),
  )
  daemons.sort((a, b) => compareIds(a.member, b.member))
  const founders = { founding: first.consortium.founding, keys: homes.map(({ key }) => key.signing) }
  return { id, study, founders, daemons }
}

/** A recording with the actions of a fresh machine, which are those of the daemon. */
async function replayed(path: string): Promise<Pick<Step, 'event' | 'actions'>[]> {
  const machine = new Machine()
  const steps: Pick<Step, 'event' | 'actions'>[] = []
  for await (const { now, event, digest } of recorded(path)) {
    const actions = machine.step(event, now)
    assert.is(actionsDigest(actions), digest, `event ${steps.length} of ${path}`)
    steps.push({ event, actions })
  }
  return steps
}

/** The entries of its own log, of a daemon that has ended. */
export async function ownLog(database: string, self: MemberId): Promise<Uint8Array[]> {
  const store = await LevelStore.open(database, { self })
  try {
    const { size } = store.signed
    const raws = await store.entries(self, 0, size)
    assert.is(raws.length, size)
    return raws
  } finally {
    await store.close()
  }
}
