/** How long a daemon takes from its start until it is ready, and how much memory it holds when idle. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultConfigText } from '../../src/config/config.ts'
import { invariant } from '../../src/core/errors.ts'
import { studyId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { acceptConsortium, foundConsortium, initHome, openHome } from '../../src/daemon/home.ts'
import { type EntryDraft, extend, rootAt, storedHead, tipOf } from '../../src/ledger/chain.ts'
import { SALT_BYTES } from '../../src/ledger/entry.ts'
import { signHead } from '../../src/ledger/head.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import { type Figure, median, under } from './figures.ts'

const PROGRAM = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))
const STARTS = 7
const IDLE_MS = 5_000
const LONG = 100_000 // own entries: half a year of rounds every ten minutes

export async function bench(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-bench-'))
  try {
    const home = await found(folder)
    const readyMs: number[] = []
    let idleBytes = 0
    for (let i = 0; i < STARTS; i++) {
      const last = i === STARTS - 1
      const run = await start(home, last ? IDLE_MS : 0)
      readyMs.push(run.readyMs)
      if (last) idleBytes = run.residentBytes
    }
    const empty = median(readyMs) / 1000
    await fill(home)
    const wholeSeconds = (await start(home, 0)).readyMs / 1000 // reads all of it, and leaves a bookmark
    const longMs: number[] = []
    for (let i = 0; i < STARTS; i++) longMs.push((await start(home, 0)).readyMs)
    const long = `median of ${STARTS} starts after ${LONG} entries; without the bookmark ${wholeSeconds.toFixed(2)} s`
    return [
      under('daemon start to ready', empty, 1.5, 's', `median of ${STARTS} starts, process spawn to "ready"`),
      under('the same with a long log', median(longMs) / 1000, 1.5, 's', long),
      under('daemon idle RSS', idleBytes / 1e6, 150, 'MB', `VmRSS after ${IDLE_MS / 1000} s`),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function found(folder: string): Promise<string> {
  const cards: { text: string; source: string }[] = []
  for (const name of ['one', 'two']) {
    const { card, paths } = await initHome(join(folder, name), { name, port: 4801, announce: [] }, [])
    await writeFile(paths.config, defaultConfigText({ name, listen: ['/ip4/127.0.0.1/tcp/0'] }))
    cards.push({ text: card, source: name })
  }
  const file = join(folder, 'consortium.yaml')
  await writeFile(file, (await foundConsortium('bench', cards)).text)
  await acceptConsortium(join(folder, 'one'), file)
  return join(folder, 'one')
}

/** Writes rounds into the node's own log, as its daemon would. */
async function fill(home: string): Promise<void> {
  const { key, consortium, paths } = await openHome(home)
  const store = await LevelStore.open(paths.database, { self: key.id })
  const head = await store.head(key.id)
  invariant(head !== undefined, 'the node has started before')
  const [last] = await store.entries(key.id, head.size - 1, head.size)
  let tip = tipOf(head, last as Uint8Array)
  while (tip.size < LONG) {
    const drafts = Array.from({ length: LIMITS.commitEntriesMax }, (_, i) => roundDraft(tip.size + i))
    const salts = drafts.map(() => new Uint8Array(randomBytes(SALT_BYTES)))
    const made = extend(tip, drafts, salts)
    const { note } = signHead(key.signing, consortium.founding, made.tip.size, rootAt(made.tip))
    const { raws: entries, nodes } = made
    await store.append({ author: key.id, from: tip.size, entries, head: storedHead(made.tip, note), nodes })
    tip = made.tip
  }
  await store.close()
}

function roundDraft(round: number): EntryDraft {
  const digest = new Uint8Array(32).fill(round)
  return {
    kind: 'round.published',
    study: studyId('5f'.repeat(32)),
    timeMs: Date.now(),
    refs: [],
    body: { round, update: digest },
  }
}

async function start(home: string, idleMs: number): Promise<{ readyMs: number; residentBytes: number }> {
  const begun = performance.now()
  const child = spawn(process.execPath, [PROGRAM, 'start', '--home', home, '--json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const said: string[] = []
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said.push(chunk.toString('utf8'))
      if (said.join('').includes('"msg":"ready"')) resolve()
    })
    child.once('exit', () => reject(new Error(`the daemon stopped: ${said.join('')}`)))
  })
  const readyMs = performance.now() - begun
  await new Promise((resolve) => setTimeout(resolve, idleMs))
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
  const residentBytes = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * 1024
  child.kill('SIGTERM')
  await ended
  return { readyMs, residentBytes }
}
