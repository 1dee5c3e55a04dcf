/** What telling of a prediction adds to it, while a million of them are told of; and who used which model, asked of a million entries. */
import { appendFileSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import { sha256, taggedDigest } from '../../../src/core/digest.ts'
import { signingKey } from '../../../src/core/ed25519.ts'
import type { MemberId, StudyId } from '../../../src/core/ids.ts'
import { LedgerWriter } from '../../../src/daemon/ledgerWriter.ts'
import { USE_TIMING, UseDesk } from '../../../src/daemon/useDesk.ts'
import { UseBook } from '../../../src/governance/useBook.ts'
import { fileCommitment, type UseRun } from '../../../src/governance/uses.ts'
import { emptyTip, type Tip } from '../../../src/ledger/chain.ts'
import '../../../src/polyfill.ts'
import { LevelStore } from '../../../src/store/levelStore.ts'
import { type Figure, median, under } from '../figures.ts'

const RUNS = 1_000_000
const ADDED_MS_MAX = 1
const QUERY_MS_MAX = 1_000
const QUERIES = 5
const STUDY = '5d'.repeat(32) as StudyId
const MODELS = 20
const REFERENCE_RUNS = 20_000
const SIDE_BY_SIDE = 1 // what telling adds to one prediction; of 4 that never pause each waits for the others, too: 1.5 ms were measured

/** Predictions of several clients, each one after another; entries are signed and written meanwhile. */
export async function bench(): Promise<Figure[]> {
  return [...(await logging()), asked()]
}

async function logging(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-bench-'))
  const key = signingKey(sha256(utf8('bench uses')))
  const store = await LevelStore.open(join(folder, 'db'), { self: key.member, pin: 'trust' })
  let tip: Tip = emptyTip(key.member)
  let entries = 0
  const writer = new LedgerWriter({
    ...{ key, founding: taggedDigest('founding', utf8('bench')), tip: () => tip, heardLamport: () => 0, store },
    onCommitted: (done) => {
      tip = done.tip
      entries += done.entries.length
    },
    onFailed: (error) => {
      throw error
    },
  })
  const home = { paths: { uses: join(folder, 'uses') }, dataKey: new Uint8Array(32).fill(5) }
  const desk = new UseDesk({ home, writer, people: { people: { required: null } } } as never, () => store)
  const stop = new AbortController()
  const telling = desk.run(stop.signal, (error) => {
    throw error
  })
  try {
    const bare = await appends(join(folder, 'bare'))
    const times = new Float64Array(RUNS)
    let next = 0
    const client = async (): Promise<void> => {
      for (let i = next++; i < RUNS; i = next++) {
        const run = runOf(i)
        const startMs = performance.now()
        await desk.note(run)
        times[i] = performance.now() - startMs
      }
    }
    const beganMs = performance.now()
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, client))
    await desk.tell()
    const tookS = (performance.now() - beganMs) / 1_000
    times.sort()
    const at = (share: number): number => times[Math.floor((RUNS - 1) * share)] as number
    const how = `99th percentile of ${RUNS.toLocaleString('en')}, median ${at(0.5).toFixed(3)}, 99.9th ${at(0.999).toFixed(2)} ms; ${SIDE_BY_SIDE} side by side, ${tookS.toFixed(0)} s in all; ${entries} entries of at most ${USE_TIMING.runsMax} runs; appending 300 bytes to a file alone ${bare.toFixed(3)} ms`
    return [under('telling of a prediction adds', at(0.99), ADDED_MS_MAX, 'ms', how)]
  } finally {
    stop.abort()
    await telling
    await desk.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** The 99th percentile of appends of about a run's size. */
async function appends(path: string): Promise<number> {
  const file = await open(path, 'a')
  const times: number[] = []
  for (let i = 0; i < REFERENCE_RUNS; i++) {
    const startMs = performance.now()
    appendFileSync(file.fd, new Uint8Array(300))
    times.push(performance.now() - startMs)
  }
  await file.close()
  return times.sort((a, b) => a - b)[Math.floor(REFERENCE_RUNS * 0.99)] as number
}

function runOf(i: number): UseRun {
  const salt = new Uint8Array(32).fill(i % 256)
  const digest = new Uint8Array(32).fill(i % 251)
  return {
    ...{
      study: STUDY,
      model: new Uint8Array(32).fill(i % 3),
      round: 6,
      cohort: 10,
      rows: 1,
      warned: 0,
      withoutPrediction: 0,
    },
    ...{ fromMs: 1_790_000_000_000 + i, toMs: 1_790_000_000_003 + i, salt },
    read: fileCommitment(salt, 'read', digest),
    written: fileCommitment(salt, 'written', digest),
  }
}

/** Where each prediction has an entry of its own, as where people sign: a million of them, in the logs of six hospitals. */
function asked(): Figure {
  const book = new UseBook()
  const members = ['a', 'b', 'c', 'd', 'e', 'f'].map((digit) => digit.repeat(64) as MemberId)
  for (let i = 0; i < RUNS; i++) {
    const model = new Uint8Array(32).fill(i % MODELS)
    const body: Cbor = { round: 7, model, rows: 40, warned: null, withoutPrediction: null }
    book.tell({
      author: members[i % 6] as MemberId,
      study: STUDY,
      kind: 'model.used',
      body,
      seq: i,
      timeMs: 1_790_000_000_000 + i,
    })
  }
  const filter = { study: STUDY, author: null, sinceMs: 1_790_000_000_000 + RUNS / 2, untilMs: null }
  const times = Array.from({ length: QUERIES }, () => {
    const startMs = performance.now()
    book.sums(filter)
    return performance.now() - startMs
  })
  return under(
    'who used which model, of a million entries',
    median(times),
    QUERY_MS_MAX,
    'ms',
    `${MODELS} models at ${members.length} hospitals since some time, once the logs are read; median of ${QUERIES}`,
  )
}
