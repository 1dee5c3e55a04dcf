/**
 * Every write, sync, renaming and opening that the level store does fails, one after the other, in an empty folder and in one that has
 * been used; and nothing is confirmed before it has been synced. Needs strace.
 */
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import { type ConsiliumError, messageOf } from '../../src/core/errors.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { emptyTip, tipOf } from '../../src/ledger/chain.ts'
import { openHead } from '../../src/ledger/head.ts'
import { verifyLog } from '../../src/ledger/verify.ts'
import { pinNothing, pinPath } from '../../src/store/headPin.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import { TreeReader } from '../../src/store/treeReader.ts'
import { batchOf, type Commit, commitOf, FOUNDING } from '../ledger/fixtures.ts'
import { ADA, carryOut, LOGS, STEPS, type Step } from './steps.ts'
import { CALLS, type Fault, pathsIn, readTrace, type Traced, underStrace, whyNoStrace } from './strace.ts'

const it = suite('system calls that fail')
const why = whyNoStrace()
if (why !== null) console.log(`SKIPPED: ${why}, so it is NOT tried what happens when the system's calls fail`)
const claim = why === null ? it : it.skip

const AFTERWARDS = 'after the fault'
const USED = 6 // steps that a folder that is not empty has behind it

/** What a data folder is before the child runs in it: the first `first` steps have been carried out there. */
interface Scene {
  readonly name: string
  readonly first: number
  make(data: string): Promise<void>
}

const databaseIn = (data: string): string => join(data, 'database')
const open = (data: string): Promise<LevelStore> => LevelStore.open(databaseIn(data), { self: ADA.member })

/** Runs `test` for an empty folder and for a used one, with a folder for its own. */
async function forBoth(test: (scene: Scene, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-syscalls-'))
  try {
    const used = join(folder, 'used')
    await mkdir(used)
    await pinNothing(pinPath(databaseIn(used)))
    const store = await open(used)
    for (const step of STEPS.slice(0, USED)) await carryOut(store, step)
    await store.close()
    const make = (data: string) => cp(used, data, { recursive: true })
    await test({ name: 'an empty folder', first: 0, make: async (data) => void (await mkdir(data)) }, folder)
    await test({ name: 'a used folder', first: USED, make }, folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What the child says in a new folder of the scene; without `paths` all that it does is traced. */
async function runIn(data: string, { first, make }: Scene, paths: readonly string[] = [], fault?: Fault) {
  await make(data)
  const program = ['test/store/stepper.ts', databaseIn(data), `${first}`]
  return underStrace(`${data}.strace`, program, { paths: paths.map((path) => join(data, path)), fault })
}

/** The calls on files of the scene's folder, when nothing fails. */
async function callsOf(scene: Scene, folder: string): Promise<{ calls: Traced[]; data: string; said: string[] }> {
  const data = join(folder, `whole-${scene.first}`)
  const said = await runIn(data, scene)
  assert.is(said.at(-1), 'closed', said.join('\n'))
  return { calls: await readTrace(`${data}.strace`), data, said }
}

claim('a call that fails, once or from then on, costs nothing confirmed and makes no second signature', () =>
  forBoth(async (scene, folder) => {
    const { calls, data } = await callsOf(scene, folder)
    const paths = pathsIn(data, calls)
    let noticed = 0
    const wrong: string[] = []
    for (const call of CALLS) {
      const count = calls.filter((one) => one.call === call && one.path.startsWith(data)).length
      assert.ok(count > 0, `${scene.name}: no ${call}`)
      for (let nth = 1; nth <= count; nth++) {
        for (const error of ['EIO', 'ENOSPC'] as const) {
          const fault: Fault = { call, nth, error, onwards: error === 'ENOSPC' } // a disk that is full stays full
          const name = `${scene.name}, ${call} ${nth} of ${count}: ${error}`
          const tried = join(folder, 'tried')
          const said = await runIn(tried, scene, paths, fault)
          if (!said.includes('closed') || said.some((line) => line.startsWith('failed'))) noticed++
          await checkAfter(tried, scene, fault, said).catch((error: unknown) => {
            wrong.push(`${name}: ${messageOf(error)}; the child said: ${said.join(', ')}`)
          })
          await rm(tried, { recursive: true })
        }
      }
    }
    assert.equal(wrong, [])
    assert.ok(noticed > 20, `${scene.name}: only ${noticed} faults were noticed`)
  }),
)

/** Without faults the folder opens again, and is as it must be after what the child said. */
async function checkAfter(data: string, { first }: Scene, { call }: Fault, said: readonly string[]): Promise<void> {
  assert.not(said.includes('accepted'), 'a write was taken after one that had failed')
  if (first === 0 && !said.includes('pinned')) return // nothing is lost yet, and whoever makes a folder is told
  const store = await open(data).catch((error: ConsiliumError) => error)
  if (!(store instanceof LevelStore)) {
    // LevelDB has lost a journal after we had read it: the child was told, and nobody may go on from there, now or later
    assert.is(store.code, 'database-corrupt', store.message)
    assert.ok(first > 0 && !said.includes('opened') && (call === 'openat' || call === 'read'), store.message)
    return assert.is(await open(data).catch((error: ConsiliumError) => error.code), 'database-corrupt')
  }
  assert.not(said.includes('failed database-corrupt'), 'what was damaged opens')
  try {
    const done = said.filter((line) => line.startsWith('done ')).length
    await checkHeld(store, STEPS.slice(0, first + done), STEPS[first + done])
    await signOn(store)
  } finally {
    await store.close()
  }
  await checkSigned(data)
}

/** All that was confirmed is there, and all or nothing of the `next` step. */
async function checkHeld(store: LevelStore, confirmed: readonly Step[], next: Step | undefined): Promise<void> {
  for (const log of LOGS) {
    const author = (log[0] as Commit).tip.author
    const sizeAfter = (steps: readonly Step[], type: Step['type']): number =>
      steps.findLast((step) => step.type === type && step.commit.tip.author === author)?.commit.tip.size ?? 0
    const allowed = (type: Step['type']): number[] =>
      [confirmed, next === undefined ? confirmed : [...confirmed, next]].map((steps) => sizeAfter(steps, type))
    const size = await sizeOf(store, author)
    assert.ok(allowed('append').includes(size), `${size} entries of ${author}, not ${allowed('append')}`)
    await checkLog(store, author, log, size)
    const witnessed = await store.witnessed(author)
    const cosigned = witnessed?.size ?? 0
    assert.ok(allowed('witness').includes(cosigned), `cosigned at ${cosigned}, not ${allowed('witness')}`)
    assert.equal(witnessed?.root, log.find(({ tip }) => tip.size === cosigned)?.head.root)
  }
}

async function sizeOf(store: LevelStore, author: MemberId): Promise<number> {
  return (await store.head(author))?.size ?? 0
}

/** The log is exactly that of the commits up to `size`, each with its note. */
async function checkLog(store: LevelStore, author: MemberId, commits: readonly Commit[], size: number): Promise<void> {
  const held = commits.filter(({ tip }) => tip.size <= size)
  assert.is(held.at(-1)?.tip.size ?? 0, size, 'part of a batch')
  const hex = (list: readonly Uint8Array[]) => list.map(toHex)
  const raws = await store.entries(author, 0, size + 1)
  assert.equal(hex(raws), hex(held.flatMap((commit) => commit.raws)))
  const notes = await notesOf(store, author, size)
  assert.equal(hex(notes), hex(held.map(({ head }) => head.note)))
  if (size === 0) return
  const newest = held.at(-1) as Commit
  assert.ok(verifyLog([raws], openHead((await store.head(author))?.note as Uint8Array, FOUNDING)).ok)
  assert.equal(await new TreeReader(store, author).root(size), newest.head.root)
}

async function notesOf(store: LevelStore, author: MemberId, upTo: number): Promise<Uint8Array[]> {
  const notes: Uint8Array[] = []
  for (let size = upTo; size > 0; ) {
    const kept = await store.commit(author, 0, size)
    if (kept === undefined) break
    notes.unshift(kept.note)
    size = kept.size - 1
  }
  return notes
}

/** Ada reads where her log ends, and signs other entries there than were tried before. */
async function signOn(store: LevelStore): Promise<void> {
  const head = await store.head(ADA.member)
  const last = head && (await store.entries(ADA.member, head.size - 1, head.size))[0]
  const tip = head && last ? tipOf(head, last) : emptyTip(ADA.member)
  assert.ok(store.signed.size <= tip.size, 'the pin is ahead of what is stored')
  await store.append(batchOf(commitOf(ADA, tip, 2, AFTERWARDS)))
}

/** One more start finds the pin at the end of Ada's log, and under each size the one head that her log has there. */
async function checkSigned(data: string): Promise<void> {
  const store = await open(data)
  try {
    const size = await sizeOf(store, ADA.member)
    const before = LOGS[0]?.filter(({ tip }) => tip.size <= size - 2) ?? []
    const further = commitOf(ADA, before.at(-1)?.tip ?? emptyTip(ADA.member), 2, AFTERWARDS)
    await checkLog(store, ADA.member, [...before, further], size)
    assert.equal(store.signed, { size, root: further.head.root })
  } finally {
    await store.close()
  }
}

claim('nothing is confirmed while a file that it was written to is not synced', () =>
  forBoth(async (scene, folder) => {
    const { calls, data, said } = await callsOf(scene, folder)
    const writes = (call: Traced) => call.call === 'write' || call.call === 'pwrite64'
    const syncs = (call: Traced) => call.ok && (call.call === 'fsync' || call.call === 'fdatasync')
    // LevelDB's diary matters to nobody, and what is gone at the end was replaced
    const kept = calls.filter(({ path }) => path.startsWith(data) && basename(path) !== 'LOG' && existsSync(path))
    const confirmations = calls.filter(({ call, args }) => call === 'write' && /"(?:pinned|done \d+)\\n"/.test(args))
    assert.is(confirmations.length, said.filter((line) => /^(?:pinned|done)/.test(line)).length)
    let from = -1
    for (const { begun: at, args } of confirmations) {
      const since = kept.filter((call) => writes(call) && call.begun > from && call.begun < at)
      assert.ok(since.length > 0, `${args}: nothing was written for it`)
      for (const write of kept.filter((call) => writes(call) && call.begun < at)) {
        const synced = kept.some(
          (sync) => syncs(sync) && sync.path === write.path && sync.begun > write.done && sync.done < at,
        )
        assert.ok(synced, `${args}: ${basename(write.path)} was written and not synced before it`)
      }
      const step = STEPS[Number(/\d+/.exec(/"(.*)"/.exec(args)?.[1] ?? '')?.[0])]
      const files = new Set(since.map(({ path }) => basename(path)))
      if (step !== undefined)
        assert.ok(
          [...files].some((name) => name.endsWith('.log')),
          `${args}: not in the database`,
        )
      const own = step === undefined || (step.type === 'append' && step.commit.tip.author === ADA.member)
      assert.is(files.has('heads.pin'), own, `${args}: the pin`)
      from = at
    }
  }),
)

it.run()
