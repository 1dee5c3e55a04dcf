/** What a node does with a ledger by itself: takes others' entries in, verifies all of a log, and starts. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { invariant } from '../../../src/core/errors.ts'
import { Logs } from '../../../src/daemon/logs.ts'
import { Room } from '../../../src/daemon/room.ts'
import { rollOf } from '../../../src/ledger/membership.ts'
import type { LogStore } from '../../../src/ledger/store.ts'
import type { Transport } from '../../../src/net/transport.ts'
import { atLeast, type Figure, median, under } from '../figures.ts'
import { FOUNDING, type Frames, KEYS, openStore } from './log.ts'
import type { NodeJob, Started } from './node.ts'
import { type Peers, ssbRate } from './peers.ts'
import { Child } from './processes.ts'
import type { References } from './references.ts'

const RUNS = 5
const STARTS = 7
const author = KEYS.author.member
const never = new AbortController().signal

/** A reader's `Logs` takes frames from a network that has them ready: checked, then stored and synced, frame by frame. */
export async function appending(
  folder: string,
  { frames, raws }: Frames,
  { hashed, filed, signatures }: References,
  peers: Peers | null,
): Promise<Figure[]> {
  const rates: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const place = join(folder, 'appended')
    const store = await openStore(place, 'reader')
    const logs = logsOver(store, place, frames)
    const begun = performance.now()
    for await (const _ of logs.fetch(author, author, raws.length, never)) {
    }
    rates.push((raws.length * 1000) / (performance.now() - begun))
    await store.close()
    await rm(place, { recursive: true })
  }
  const rate = median(rates)
  const ssb = peers === null ? '' : `; ${times(rate, await ssbRate(peers, folder))} ssb-db2 8.1.0, which signs each`
  const reference = `${times(rate, hashed)} SHA-256 of the same bytes, ${times(rate, filed)} a plain file with fdatasync, ${times(rate, signatures)} a signature each${ssb}`
  return [atLeast('verify and append, synced', rate, 25_000, 'entries/s', how(rates, raws.length), reference)]
}

/** All of a stored log, as `consilium log verify` does it: read, decode, links, root, the head's signature. */
export async function verifying(folder: string, { hashed, signatures }: References): Promise<Figure[]> {
  const store = await openStore(folder, 'author')
  const logs = logsOver(store, folder, [])
  await logs.load()
  const rates: number[] = []
  let entries = 0
  for (let run = 0; run < 3; run++) {
    const begun = performance.now()
    const report = await logs.verify(author)
    invariant(report.fault === null, `the log is whole: ${report.fault}`)
    entries = report.entries
    rates.push((entries * 1000) / (performance.now() - begun))
  }
  await store.close()
  const rate = median(rates)
  const reference = `${times(rate, hashed)} SHA-256 of the same bytes, ${times(rate, signatures)} a signature each`
  return [atLeast('full verification', rate, 60_000, 'entries/s', how(rates, entries), reference)]
}

/** Everything that a daemon reads of its ledger before it says "ready", in a process of its own. */
export async function starting(folder: string): Promise<Figure[]> {
  const seconds: number[] = []
  const opening: number[] = []
  for (let run = -1; run < STARTS; run++) {
    const child = new Child('./node.ts', { task: 'start', as: 'author', folder } satisfies NodeJob)
    const started = await child.next<Started>()
    await child.end()
    if (run < 0) continue // it reads all, and leaves the bookmark
    seconds.push(started.seconds)
    opening.push(started.openSeconds)
  }
  const detail = `median of ${STARTS}, of which ${median(opening).toFixed(2)} s open the database; worst ${Math.max(...seconds).toFixed(2)} s`
  return [under('start with a log of 1M', median(seconds), 1, 's', detail)]
}

function logsOver(store: LogStore, folder: string, frames: readonly Uint8Array[]): Logs {
  const transport = {
    async *request() {
      yield* frames
    },
  } as unknown as Transport // of a network it only ever asks
  const roll = rollOf([KEYS.reader.member, author])
  return new Logs({ self: KEYS.reader.member, founding: FOUNDING, roll, store, transport, room: new Room(folder) })
}

function how(rates: readonly number[], count: number): string {
  const text = (rate: number) => Math.round(rate).toLocaleString('en')
  return `median of ${rates.length} runs over ${text(count)}, ${text(Math.min(...rates))} to ${text(Math.max(...rates))}`
}

/** `0.31 ×`. */
export function times(rate: number, reference: number): string {
  return `${(rate / reference).toPrecision(2)} ×`
}
