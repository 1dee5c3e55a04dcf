/** A store of mixed entries as FHIR AuditEvent, to a file, against decoding the same entries alone; a part of what was written is judged afterwards. */
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { utf8 } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import { sha256 } from '../../../src/core/digest.ts'
import { type SigningKey, signingKey } from '../../../src/core/ed25519.ts'
import { compareIds, type MemberId, type StudyId } from '../../../src/core/ids.ts'
import type { ViewPart } from '../../../src/daemon/api.ts'
import type { Daemon } from '../../../src/daemon/daemon.ts'
import { Exporter } from '../../../src/daemon/exporter.ts'
import type { LogReader } from '../../../src/daemon/logReader.ts'
import type { Kind } from '../../../src/governance/kinds.ts'
import { emptyTip, extend, rootAt } from '../../../src/ledger/chain.ts'
import { formatCosigned, signCosignature } from '../../../src/ledger/cosignature.ts'
import { decodeEntry } from '../../../src/ledger/entry.ts'
import { Membership } from '../../../src/ledger/epoch.ts'
import { foundingDigest } from '../../../src/ledger/founding.ts'
import { signHead } from '../../../src/ledger/head.ts'
import { LevelStore } from '../../../src/store/levelStore.ts'
import { TreeReader } from '../../../src/store/treeReader.ts'
import { atLeast, type Figure } from '../figures.ts'

const ENTRIES = 120_000
const BATCH = 2_000
const FLOOR = 20_000 // entries a second
const WRITTEN_AHEAD = 1_048_576 // as the command does
const READ_AT_A_TIME = 100 // as the exporter does
const STUDY = '5d'.repeat(32) as StudyId
const B32 = new Uint8Array(32).fill(7)

/** A hospital's years: rounds for the most part, with what stands between them. */
const MIX: readonly (readonly [Kind, object])[] = [
  ['round.trained', { round: 4, base: B32, update: B32, head: B32, examples: 88, loss: 0.61, dataset: B32 }],
  ['round.published', { round: 4, update: B32 }],
  [
    'round.merged',
    { round: 4, rule: 'mean', inputs: Array.from({ length: 6 }, () => [B32, 4, B32, 0.125]), result: B32 },
  ],
  [
    'round.evaluated',
    { round: 4, model: B32, examples: 29, auc: 0.8, accuracy: 0.75, logLoss: 1.7, calibrationError: 0.1 },
  ],
  ['model.used', { round: 7, model: B32, rows: 412, warned: 17, withoutPrediction: 3 }],
  ['consent.recorded', { from: 41, items: Array.from({ length: 5 }, () => [B32.subarray(16), B32]) }],
  ['agreement.denied', { agreement: B32, clause: 'guards', reason: 'agreement-guard', action: 'round', guard: 2 }],
  [
    'person.acted',
    {
      person: B32,
      action: 'study.accept',
      request: B32,
      timeMs: 1_790_000_000_000,
      part: 2,
      signature: new Uint8Array(64),
    },
  ],
]

/** The export from the store to the disk; one after another, the first of two to warm up. */
export async function bench(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-bench-'))
  const keys = ['a', 'b', 'c', 'd'].map((name) => signingKey(sha256(utf8(`bench ${name}`))))
  keys.sort((a, b) => compareIds(a.member, b.member))
  const own = keys[0] as SigningKey
  const store = await LevelStore.open(join(folder, 'db'), { self: own.member, pin: 'trust' })
  try {
    const founding = { name: 'bench', members: keys.map(({ member }, i) => ({ name: `hospital ${i}`, key: member })) }
    const digest = foundingDigest(founding)
    const { size, note } = await fill(store, own, digest)
    const witnesses = keys.slice(1)
    const head = signHead(own, digest, size, (await new TreeReader(store, own.member).root(size)) as Uint8Array)
    const final = formatCosigned(
      head,
      witnesses.map((key, i) => signCosignature(key, head.text, 1_790_000_000 + i)),
    )
    const exporter = new Exporter(
      daemonOver(store, new Membership(founding), own.member, digest, { size, note, final }),
      {} as LogReader,
    )
    const [decodeMs, first] = [await timed(() => decodeAll(store, own.member)), join(folder, 'first')]
    await exportTo(exporter, first)
    let report = { entries: 0, lines: 0 }
    const ms = await timed(async () => {
      report = await exportTo(exporter, join(folder, 'second'))
    })
    const alone = (ENTRIES / decodeMs) * 1_000
    return [
      atLeast(
        'FHIR AuditEvent export',
        (report.entries / ms) * 1_000,
        FLOOR,
        'entries per s',
        `${report.lines} resources of ${report.entries} mixed entries from the store to the disk`,
        `reading and decoding them alone ${Math.round(alone).toLocaleString('en')} per s`,
      ),
    ]
  } finally {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function fill(store: LevelStore, key: SigningKey, founding: ReturnType<typeof foundingDigest>) {
  let tip = emptyTip(key.member)
  let note = new Uint8Array()
  while (tip.size < ENTRIES) {
    const drafts = Array.from({ length: Math.min(BATCH, ENTRIES - tip.size) }, (_, i) => {
      const [kind, body] = MIX[(tip.size + i) % MIX.length] as (typeof MIX)[number]
      return { kind, study: STUDY, timeMs: 1_790_000_000_000 + tip.size + i, refs: [], body: body as Cbor }
    })
    const made = extend(
      tip,
      drafts,
      drafts.map((_, i) => sha256(utf8(`${tip.size + i}`))),
    )
    const head = signHead(key, founding, made.tip.size, rootAt(made.tip))
    note = new Uint8Array(head.note)
    await store.append({
      ...{ author: key.member, from: tip.size, entries: made.raws, nodes: made.nodes },
      head: {
        author: key.member,
        size: made.tip.size,
        note,
        frontier: made.tip.frontier,
        lastHash: made.tip.lastHash,
      },
    })
    tip = made.tip
  }
  return { size: tip.size, note }
}

function daemonOver(
  store: LevelStore,
  membership: Membership,
  self: MemberId,
  founding: string,
  { size, note, final }: { size: number; note: Uint8Array; final: Uint8Array },
): Daemon {
  const log = { author: self, size }
  const logs = {
    authors: () => [self],
    sizeOf: () => log,
    newest: () => ({ log, note }),
    final: async () => ({ size, note: final }),
    entries: (author: MemberId, from: number, to: number) => store.entries(author, from, to),
    tree: (author: MemberId) => new TreeReader(store, author),
  }
  const home = { consortium: { name: 'bench', founding }, membership, key: { id: self } }
  return {
    logs,
    forks: { known: new Map() },
    home,
    nameOf: (member: MemberId) => membership.nameOf(member),
  } as unknown as Daemon
}

async function exportTo(exporter: Exporter, path: string): Promise<{ entries: number; lines: number }> {
  let report = { entries: 0, lines: 0 }
  const parts = exporter.view(new URLSearchParams({ form: 'fhir-audit' }), new AbortController().signal)
  await pipeline(
    async function* () {
      for await (const part of parts as AsyncIterable<ViewPart>) {
        if ('text' in part) yield part.text
        else report = part.report
      }
    },
    createWriteStream(path, { highWaterMark: WRITTEN_AHEAD }),
  )
  if (report.entries !== ENTRIES) throw new Error(`${report.entries} entries were exported, ${ENTRIES} were meant`)
  return report
}

async function decodeAll(store: LevelStore, author: MemberId): Promise<void> {
  for (let at = 0; at < ENTRIES; at += READ_AT_A_TIME)
    for (const raw of await store.entries(author, at, at + READ_AT_A_TIME)) decodeEntry(raw)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}
