/** What two nodes do in two processes over Noise on loopback: copy a log, and close a small gap in a long one. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { atLeast, type Figure, median, under } from '../figures.ts'
import { times } from './local.ts'
import { copyOf, makeLong } from './log.ts'
import type { Fetched, NodeJob } from './node.ts'
import { hypercoreRate, type Peers } from './peers.ts'
import { Child } from './processes.ts'
import type { References } from './references.ts'
import { Wire } from './wire.ts'

const RUNS = 3
const SMALL = 20_000
const FEW = 1_000 // how many ways a gap takes does not depend on what is before it
const QUIET_MS = 300 // the greetings of a new connection are over
const ONE_WAY_MS = 100 // long beside what is computed, so that ways can be counted

/** Copies the first `count` entries: straight for the rate, and through a wire that counts for the bytes. */
export async function replicating(
  folder: string,
  long: string,
  count: number,
  { hashed }: References,
  peers: Peers | null,
): Promise<Figure[]> {
  const server = await serving(long)
  const runs: Fetched[] = []
  for (let run = 0; run < RUNS; run++) runs.push(await copying(folder, server.port, count))
  await server.stop()
  const { perByte, entries } = await wholeCopy(folder)
  const rates = runs.map((one) => one.entries / one.seconds)
  const rate = median(rates)
  const cpu = median(runs.map((one) => (one.cpuSeconds * 1e6) / one.entries)).toFixed(0)
  const detail = `median of ${RUNS} runs over ${count.toLocaleString('en')}, best ${Math.round(Math.max(...rates))}; ${cpu} µs of processor time each at the receiver`
  const figures = [
    atLeast(
      'replication over Noise',
      rate,
      20_000,
      'entries/s',
      detail,
      `${times(rate, hashed)} SHA-256 of the same bytes`,
    ),
    under('wire bytes per byte of entries', perByte, 1.3, 'bytes', `${entries} entries, both ways, encryption and all`),
  ]
  if (peers === null) return figures
  const theirs = await hypercoreRate(peers, folder, count)
  const ratio = rate / theirs
  figures.push({
    name: 'replication against hypercore',
    figure: `${Math.round(rate)} entries/s; hypercore 11.39.5 over TCP with its own Noise ${Math.round(theirs)} blocks/s, the same bytes, same run`,
    ratio,
    target: 3,
    ok: ratio >= 3,
  })
  return figures
}

/** All of a log that is small, for beyond what was asked for a window's worth is already on its way when a fetch ends. */
async function wholeCopy(folder: string): Promise<{ perByte: number; entries: number }> {
  const small = join(folder, 'small')
  await makeLong(small, SMALL)
  const server = await serving(small)
  const wire = await Wire.open(server.port)
  const { bytes, entries } = await copying(folder, wire.port, SMALL, wire)
  const perByte = wire.bytes / bytes
  wire.close()
  await server.stop()
  return { perByte, entries }
}

/** `short` lacks the last entries of `long`: bytes on the wire beyond the entries' own, and ways there and back. */
export async function catchingUp(folder: string, short: string, long: string, size: number): Promise<Figure[]> {
  const { overhead, entries } = await closing(short, long, size, 0)
  const [fewer, few] = [join(folder, 'fewer'), join(folder, 'few')]
  await makeLong(fewer, FEW - entries)
  await copyOf(fewer, few)
  await makeLong(few, FEW)
  const ways: number[] = []
  for (let run = 0; run < RUNS; run++) ways.push((await closing(fewer, few, FEW, ONE_WAY_MS)).ms / (2 * ONE_WAY_MS))
  const how = `the least of ${RUNS} times on a wire of ${ONE_WAY_MS} ms each way; the stream stands open`
  return [
    under(
      `overhead of ${entries} missing of ${size.toLocaleString('en')}`,
      overhead,
      5_000,
      'bytes',
      'both ways, beyond the entries’ own',
    ),
    under('round trips for them', Math.min(...ways), 1.5, '×', how), // one, and half of one for what is computed
  ]
}

/** A reader that holds `short` fetches up to `size` from a node with `long`. */
async function closing(short: string, long: string, size: number, delayMs: number) {
  const server = await serving(long)
  const wire = await Wire.open(server.port)
  const place = `${short}-copy`
  await copyOf(short, place)
  const job: NodeJob = { task: 'fetch', as: 'reader', folder: place, address: addressOf(wire.port), to: size }
  const child = new Child('./node.ts', job)
  await child.next()
  await wire.settle(QUIET_MS)
  wire.bytes = 0
  wire.delayMs = delayMs
  child.go()
  const { bytes, entries, seconds } = await child.next<Fetched>()
  const overhead = wire.bytes - bytes
  wire.delayMs = 0
  await child.end()
  wire.close()
  await server.stop()
  await rm(place, { recursive: true })
  return { overhead, entries, ms: seconds * 1000 }
}

async function serving(folder: string): Promise<{ port: number; stop: () => Promise<void> }> {
  const child = new Child('./node.ts', { task: 'serve', as: 'author', folder } satisfies NodeJob)
  const { address } = await child.next<{ address: string }>()
  const stop = async () => {
    child.go()
    await child.end()
  }
  return { port: Number(/\/tcp\/(\d+)/.exec(address)?.[1]), stop }
}

async function copying(folder: string, port: number, to: number, wire?: Wire): Promise<Fetched> {
  const place = join(folder, 'copied')
  const job: NodeJob = { task: 'fetch', as: 'reader', folder: place, address: addressOf(port), to }
  const child = new Child('./node.ts', job)
  await child.next()
  if (wire !== undefined) {
    await wire.settle(QUIET_MS)
    wire.bytes = 0
  }
  child.go()
  const fetched = await child.next<Fetched>()
  await child.end()
  await rm(place, { recursive: true })
  return fetched
}

const addressOf = (port: number): string => `/ip4/127.0.0.1/tcp/${port}`
