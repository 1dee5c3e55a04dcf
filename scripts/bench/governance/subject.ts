/** A patient's report at a hospital whose own log has a million entries, against reading that log through. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseStudy, studyDocument, studyIdOf } from '../../../src/config/study.ts'
import { fromHex, toHex, utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import { sha256 } from '../../../src/core/digest.ts'
import { signingKey } from '../../../src/core/ed25519.ts'
import type { Digest } from '../../../src/core/ids.ts'
import { LineageReader } from '../../../src/daemon/lineageReader.ts'
import { LogTraces, type LogTracesParts } from '../../../src/daemon/logTraces.ts'
import { OwnLog } from '../../../src/daemon/ownLog.ts'
import { subjectReport } from '../../../src/daemon/subjectReport.ts'
import type { ConsentDecision } from '../../../src/governance/consent.ts'
import { VaultBook, type VaultSubject } from '../../../src/governance/vaultBook.ts'
import { emptyTip, extend, rootAt } from '../../../src/ledger/chain.ts'
import { glanceAt } from '../../../src/ledger/entry.ts'
import { signHead } from '../../../src/ledger/head.ts'
import type { LogStore } from '../../../src/ledger/store.ts'
import { LevelStore } from '../../../src/store/levelStore.ts'
import { SealedStore } from '../../../src/store/sealedStore.ts'
import { type Figure, median, under } from '../figures.ts'

const ENTRIES = 1_000_000
const BATCH = 5_000
const ROUND_ENTRIES = 4 // trained, published, merged, evaluated
const ROUNDS_PER_SET = 100 // somebody spoke before each hundredth round
const REPORT_MS_MAX = 1_000
const START_MS_MAX = 3_000 // what is kept beside the log, 55 MB of it, is read once
const FIRST_MS_MAX = 8_000 // as any fold over a million entries
const REPORTS = 5

const KEY = signingKey(sha256(utf8('bench subject')))
const FOUNDING = toHex(sha256(utf8('founding'))) as Digest
const STUDY = parseStudy(
  `name: Bench
purpose: to measure
model: { kind: logistic }
label: { name: ill, positive: 'yes', negative: 'no' }
features: [{ name: age, kind: number }]
consent: { basis: opt-out, jurisdiction: DE, purposes: [DUO:0000006] }
`,
  'bench.yaml',
)
const ID = studyIdOf(studyDocument(STUDY))
/** 32 bytes that nothing else here has: what they are digests of makes no difference to who looks for them. */
function bytes(name: string): Uint8Array {
  return new Uint8Array(32).fill(7).map((byte, i) => (i < name.length ? name.charCodeAt(i) : byte))
}

/** The first report after a start, which reads the log, and those after it. */
export async function bench(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-bench-'))
  const store = await LevelStore.open(join(folder, 'db'), { self: KEY.member, pin: 'trust' })
  try {
    const book = bookOf()
    await fill(store)
    const logs = {
      self: KEY.member,
      authors: () => [KEY.member],
      sizeOf: () => ({ author: KEY.member, size: ENTRIES, root: FOUNDING }),
      entries: (author: typeof KEY.member, from: number, to: number) => store.entries(author, from, to),
    }
    const scanMs = await time(() => scan(logs))
    const sealed = await SealedStore.open(store, bytes('data key'), 'data.key')
    let daemon = daemonOf(book, logs, sealed)
    let rounds = 0
    const ask = async (): Promise<void> => {
      rounds = (await subjectReport(daemon, RECORD)).studies[0]?.rounds.length ?? 0
    }
    const firstMs = await time(ask)
    const after: number[] = []
    for (let i = 0; i < REPORTS; i++) after.push(await time(ask))
    const started: number[] = []
    for (let i = 0; i < REPORTS; i++) {
      daemon = daemonOf(book, logs, sealed)
      started.push(await time(ask))
    }
    const reference = `reading the kinds of its ${ENTRIES} entries once takes ${scanMs.toFixed(0)} ms`
    const found = `${rounds} rounds found; ${(scanMs / median(after)).toFixed(1)} × as fast; ${reference}`
    return [
      under('subject report over 1M entries', median(after), REPORT_MS_MAX, 'ms', found),
      under(
        'the first one after a start',
        median(started),
        START_MS_MAX,
        'ms',
        `${(median(started) / scanMs).toFixed(1)} of that`,
      ),
      under('the first one ever, which reads them all', firstMs, FIRST_MS_MAX, 'ms', reference),
    ]
  } finally {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

const RECORD = 'MRN-7'
const SALT = bytes('salt')
const SETS = Math.ceil(ENTRIES / ROUND_ENTRIES / ROUNDS_PER_SET)
const rootOf = (set: number): Uint8Array => bytes(`set ${set}`)

/** A vault in which the patient was permitted in every second hundred of rounds. */
function bookOf(): VaultBook {
  const book = new VaultBook()
  const keep = (records: readonly Uint8Array[]): void => {
    for (const record of records) book.read(record)
  }
  keep(book.admit([RECORD], () => bytes('key')))
  const decision: ConsentDecision = {
    ...{ decision: 'permit', purposes: 'all', study: 'all', fromMs: null, toMs: null, by: 'subject' },
    ...{ receivedAtMs: 1_000, effectiveAtMs: 1_000, form: 'in-person' },
  }
  const subject = book.subject(RECORD) as VaultSubject
  keep(book.say([{ subject, decision, speaker: null }], () => bytes('salt')))
  for (let set = 0; set < SETS; set++) {
    const changes = new Map([[0, { permitted: set % 2 === 0, rows: 1, words: 1 }]])
    keep([book.sets.record({ study: ID, root: toHex(rootOf(set)) as Digest, atMs: set }, changes)])
  }
  return book
}

async function fill(store: LevelStore): Promise<void> {
  let tip = emptyTip(KEY.member)
  while (tip.size < ENTRIES) {
    const from = tip.size
    const numbers = Array.from({ length: BATCH }, (_, i) => from + i)
    const made = extend(
      tip,
      numbers.map(draftOf),
      numbers.map(() => SALT),
    )
    tip = made.tip
    const head = signHead(KEY, FOUNDING, tip.size, rootAt(tip))
    const stored = {
      author: KEY.member,
      size: tip.size,
      note: head.note,
      frontier: tip.frontier,
      lastHash: tip.lastHash,
    }
    await store.append({ author: KEY.member, from, entries: made.raws, head: stored, nodes: [] })
  }
}

function draftOf(i: number) {
  const round = Math.floor(i / ROUND_ENTRIES)
  const body = i === 0 ? { from: 0, items: [[new Uint8Array(16), bytes('word')]] } : bodyOf(i % ROUND_ENTRIES, round)
  const kind = i === 0 ? 'consent.recorded' : (KINDS[i % ROUND_ENTRIES] as string)
  return { kind, study: i === 0 ? null : ID, timeMs: 1_790_000_000_000 + i, refs: [], body: body as Cbor }
}

const KINDS = ['round.trained', 'round.published', 'round.merged', 'round.evaluated']

function bodyOf(which: number, round: number): Cbor {
  const update = bytes(`update ${round}`)
  if (which === 0) {
    const base = round === 0 ? bytes('start') : bytes(`model ${round - 1}`)
    const consent = { root: rootOf(Math.floor(round / ROUNDS_PER_SET)), basis: 'opt-out' }
    return { round, base, update, head: update, examples: 50, loss: 0.5, dataset: update, consent }
  }
  if (which === 1) return { round, update }
  if (which === 2)
    return { round, rule: 'mean', inputs: [[fromHex(KEY.member), round, update, 1]], result: bytes(`model ${round}`) }
  return { round, model: update, examples: 20, auc: null, accuracy: 0.5, logLoss: 0.5, calibrationError: 0.25 }
}

type Logs = LogTracesParts['logs']

/** Five others accepted while it went on. */
const ACCEPTED = new Map([1, 2, 3, 4, 5].map((n) => [toHex(bytes(`member ${n}`)), (n * ENTRIES) / 8]))

function daemonOf(book: VaultBook, logs: Logs, store: LogStore): Parameters<typeof subjectReport>[0] {
  const traces = new LogTraces(() => ({ logs, store }))
  const daemon = {
    vault: { book: async () => book },
    ownLog: new OwnLog(traces),
    lineage: new LineageReader(traces),
    machine: { view: () => ({ studies: [{ state: { id: ID, study: STUDY, acceptedAt: ACCEPTED } }] }) },
    logs,
    home: { key: { id: KEY.member } },
    nameOf: () => 'bench',
  }
  return daemon as unknown as Parameters<typeof subjectReport>[0]
}

async function scan(logs: Logs): Promise<void> {
  for (let from = 0; from < ENTRIES; from += BATCH)
    for (const raw of await logs.entries(KEY.member, from, from + BATCH)) glanceAt(raw)
}

async function time(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
