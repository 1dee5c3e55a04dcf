/** How long the event loop waits for its next turn while long work on a log goes on beside it. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { Level } from 'level'
import { invariant } from '../../../src/core/errors.ts'
import type { Daemon } from '../../../src/daemon/daemon.ts'
import { Exporter } from '../../../src/daemon/exporter.ts'
import type { LogReader } from '../../../src/daemon/logReader.ts'
import { Logs } from '../../../src/daemon/logs.ts'
import { Replay } from '../../../src/daemon/replay.ts'
import { Room } from '../../../src/daemon/room.ts'
import { Scrub, type ScrubParts } from '../../../src/daemon/scrub.ts'
import { Membership } from '../../../src/ledger/epoch.ts'
import { rollOf } from '../../../src/ledger/membership.ts'
import { type LogStore, REPAIR_ENTRIES_MAX } from '../../../src/ledger/store.ts'
import { decodeRangeRequest } from '../../../src/ledger/wire.ts'
import type { Transport } from '../../../src/net/transport.ts'
import { numberKey, shortAuthor, TABLE } from '../../../src/store/records.ts'
import { serveRange } from '../../../src/store/serveRange.ts'
import { type Figure, under } from '../figures.ts'
import { copyOf, FOUNDING, KEYS, openStore } from './log.ts'

const LIMIT_MS = 20 // a person who types notices nothing, nor does a peer that waits for an answer
const RUNS = 3 // the least of them counts: what the machine's other work adds, it does not add to each
const TICK_MS = 1 // how finely the loop is watched; a turn shows up to so much longer
const LOST = REPAIR_ENTRIES_MAX - 1 // in one piece, from the middle on; the entry before it comes with it
const author = KEYS.author.member
const never = new AbortController().signal

/** A node that holds a log, and asks another that holds it too. */
interface Node {
  readonly folder: string
  readonly store: LogStore
  readonly logs: Logs
  readonly transport: Pick<Transport, 'peers' | 'request'>
}

/** What one kind of work is done on, and the work. */
interface Work {
  readonly name: string
  open(): Promise<Node>
  close(node: Node): Promise<void>
  run(node: Node): Promise<void>
}

/** In milliseconds. */
interface Waited {
  /** The longest turn of the event loop, as far as this process was computing in it, and not collecting garbage. */
  readonly busyMs: number
  /** The longest with that, */
  readonly collectingMs: number
  /** the longest by the clock, other processes' work included, and the one that a thousandth exceed. */
  readonly longestMs: number
  readonly p999Ms: number
}

/** `log` is the folder of the author's node with a log of `size` entries; others are made beside it and removed. */
export async function blocking(log: string, size: number): Promise<Figure[]> {
  const source = await openStore(log, 'author')
  const whole = await nodeOver(log, source, source)
  const shared = { open: async () => whole, close: async () => undefined }
  const own = {
    close: async ({ store, folder }: Node) => {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
  const place = `${log}-blocking`
  const work: Work[] = [
    { name: 'log verify --full', ...shared, run: verify },
    { name: 'log verify --replay', ...shared, run: replay },
    { name: 'log export', ...shared, run: exportAll },
    { name: 'a scrub', ...shared, run: scrub },
    {
      name: `a repair of ${LOST.toLocaleString('en')} entries`,
      ...own,
      open: () => damaged(log, place, source, size / 2),
      run: scrub,
    },
    {
      name: 'replication, both ends',
      ...own,
      open: async () => nodeOver(place, await openStore(place, 'reader'), source),
      run: (node) => fetchAll(node, size),
    },
  ]
  const figures: Figure[] = []
  for (const one of work) figures.push(await figureOf(one, size))
  await source.close()
  return figures
}

async function figureOf({ name, open, close, run }: Work, size: number): Promise<Figure> {
  const runs: Waited[] = []
  for (let i = 0; i < RUNS; i++) {
    const node = await open()
    runs.push(await watch(() => run(node)))
    await close(node)
  }
  const least = runs.reduce((a, b) => (b.busyMs < a.busyMs ? b : a))
  const { busyMs, collectingMs, longestMs, p999Ms } = least
  const worst = Math.max(...runs.map((one) => one.busyMs)).toFixed(0)
  const how = `the longest turn over ${size.toLocaleString('en')} entries, the least of ${RUNS} runs, the worst ${worst}; with collections of garbage ${collectingMs.toFixed(0)}, by the clock ${longestMs.toFixed(0)}, p99.9 ${p999Ms.toFixed(0)}`
  return under(`event loop: ${name}`, busyMs, LIMIT_MS, 'ms', how)
}

/** A timer that is due each millisecond comes late by the turn that it has to wait for. */
async function watch(work: () => Promise<void>): Promise<Waited> {
  const pauses: { readonly startTime: number; readonly duration: number }[] = []
  const collections = new PerformanceObserver((list) => pauses.push(...list.getEntries()))
  collections.observe({ entryTypes: ['gc'] })
  const turns: { readonly atMs: number; readonly wallMs: number; readonly cpuMs: number }[] = []
  let [atMs, cpu] = [performance.now(), process.cpuUsage()]
  const tick = setInterval(() => {
    const { user, system } = process.cpuUsage(cpu) // of all threads: never less than what this one computed
    turns.push({ atMs, wallMs: performance.now() - atMs, cpuMs: (user + system) / 1_000 })
    ;[atMs, cpu] = [performance.now(), process.cpuUsage()]
  }, TICK_MS)
  await work()
  await setTimeout(5 * TICK_MS)
  clearInterval(tick)
  await setTimeout(5 * TICK_MS) // the observer is told of the last pauses
  collections.disconnect()
  const pausedIn = (from: number, to: number): number => {
    const lengths = pauses.map(
      ({ startTime, duration }) => Math.min(to, startTime + duration) - Math.max(from, startTime),
    )
    return lengths.reduce((sum, length) => sum + Math.max(0, length), 0)
  }
  const walls = turns.map(({ wallMs }) => wallMs).sort((a, b) => a - b)
  const at = (share: number): number => walls[Math.ceil(walls.length * share) - 1] ?? Number.NaN
  return {
    busyMs: Math.max(
      ...turns.map((turn) => Math.min(turn.wallMs - pausedIn(turn.atMs, turn.atMs + turn.wallMs), turn.cpuMs)),
    ),
    collectingMs: Math.max(...turns.map(({ wallMs, cpuMs }) => Math.min(wallMs, cpuMs))),
    longestMs: at(1),
    p999Ms: at(0.999),
  }
}

async function nodeOver(folder: string, store: LogStore, source: LogStore): Promise<Node> {
  const transport = {
    peers: () => [{ member: author, connected: true }],
    request: (_peer: string, _protocol: string, request: Uint8Array) => serveRange(source, decodeRangeRequest(request)),
  } as unknown as Transport // of a network it only ever asks
  const roll = rollOf([KEYS.reader.member, author])
  const room = new Room(folder)
  const logs = new Logs({ self: KEYS.reader.member, founding: FOUNDING, roll, store, transport, room })
  await logs.load()
  return { folder, store, logs, transport }
}

/** A copy of the author's folder whose disk has lost as many entries as can be put back, from number `from` on. */
async function damaged(log: string, folder: string, source: LogStore, from: number): Promise<Node> {
  await copyOf(log, folder)
  const db = new Level<Uint8Array, Uint8Array>(join(folder, 'database'), { keyEncoding: 'view', valueEncoding: 'view' })
  await db.open()
  const batch = db.batch()
  for (let i = 0; i < LOST; i++) batch.del(numberKey(TABLE.entry, shortAuthor(author), from + i))
  await batch.write()
  await db.close()
  return nodeOver(folder, await openStore(folder, 'author'), source)
}

async function verify({ logs }: Node): Promise<void> {
  const { fault } = await logs.verify(author)
  invariant(fault === null, `the log is whole: ${fault}`)
}

/** Of a log without merges: it reads all of it twice, and recomputes nothing. */
async function replay({ logs }: Node): Promise<void> {
  const inputs = { has: () => false, read: async () => null, settled: async () => undefined }
  await new Replay({ logs, inputs, study: () => null, nameOf: (member) => member }, never).run([author])
}

async function exportAll({ logs }: Node): Promise<void> {
  const members = [KEYS.author.member, KEYS.reader.member].map((key, i) => ({ name: `hospital ${i}`, key }))
  const membership = new Membership({ name: 'bench', members })
  const home = { consortium: { name: 'bench', founding: FOUNDING }, membership, key: { id: author } }
  const daemon = { logs, home, forks: { known: new Map() }, nameOf: () => 'hospital' } as unknown as Daemon
  const exporter = new Exporter(daemon, null as unknown as LogReader) // it reads single entries, for proofs
  let entries = -1
  for await (const value of exporter.run(new URLSearchParams(), never))
    if ('report' in value) entries = value.report.entries
  invariant(entries === logs.sizeOf(author).size, 'all is exported')
}

/** One pass without rests; what lacks is fetched back. */
async function scrub({ store, logs, transport }: Node): Promise<void> {
  const stop = new AbortController()
  let failure: unknown = null
  const parts: ScrubParts = {
    ...{ founding: FOUNDING, roll: rollOf([KEYS.reader.member, author]), store, transport, feed: () => undefined },
    daemon: { logs, writer: null, nameOf: (member) => member },
    log: (_, event) => event === 'scrubbed' && stop.abort(),
  }
  const once = { firstMs: 0, againMs: 3_600_000, restMs: 0 }
  await new Scrub(
    parts,
    (error) => {
      failure = error
    },
    once,
  ).run(stop.signal)
  invariant(failure === null, `the log could be put right: ${failure}`)
}

async function fetchAll({ logs }: Node, size: number): Promise<void> {
  for await (const _ of logs.fetch(author, author, size, never)) {
  }
  invariant(logs.sizeOf(author).size === size, 'all has come')
}
