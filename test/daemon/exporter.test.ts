/** The exporter over logs as they are rarely found: in dispute, or with a final head that came before its entries. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { MemberId } from '../../src/core/ids.ts'
import type { ExportLine, ExportReport } from '../../src/daemon/api.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { Exporter } from '../../src/daemon/exporter.ts'
import type { LogReader } from '../../src/daemon/logReader.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { encodeForkAt, openFork } from '../../src/ledger/fork.ts'
import { TreeReader } from '../../src/store/treeReader.ts'
import { consortiumOf, cosigned, headFor, judge, type Log, logFor, othersThan } from '../ledger/bundleKit.ts'

const it = suite('exporter')

const FIVE = consortiumOf(5)
const [KEY] = FIVE.keys as [(typeof FIVE.keys)[0]]
const WHOLE = logFor(KEY, 9)

interface Setting {
  /** How many entries are here, and the sizes of the final heads that are kept. */
  readonly size: number
  readonly finals: readonly number[]
  /** Whose final heads they are; the log's where it is not given. */
  readonly finalsOf?: Log
  /** The place from which on another history differs. */
  readonly forkAt?: number
}

/** A daemon that holds one log. */
function daemonWith({ size, finals, finalsOf = WHOLE, forkAt }: Setting): Daemon {
  const heads = finals.map((at) => {
    const part = cosigned(FIVE, finalsOf, at, othersThan(FIVE, WHOLE).slice(0, 3)) as { note: Uint8Array }
    return { size: at, note: part.note }
  })
  const known = new Map<MemberId, ReturnType<typeof openFork>>()
  if (forkAt !== undefined) known.set(KEY.member, openFork(evidenceAt(forkAt), FIVE.digest))
  const entries = async (_: MemberId, from: number, to: number) => WHOLE.raws.slice(from, Math.min(to, size))
  const log = { author: KEY.member, size }
  const logs = {
    authors: () => [KEY.member],
    sizeOf: () => log,
    newest: () => ({ log, note: headFor(FIVE, WHOLE, size).note }),
    final: async (_: MemberId, least?: number) =>
      least === undefined ? heads.at(-1) : heads.find((head) => head.size >= least),
    entries,
    tree: (author: MemberId) => new TreeReader({ entries, nodes: async () => [] }, author),
  }
  const home = { consortium: { ...FIVE.founding, founding: FIVE.digest }, key: { id: KEY.member } }
  return { logs, forks: { known }, home, nameOf: () => 'Ben' } as unknown as Daemon
}

/** Heads over 9 and over more entries, which differ from number `at` on. */
function evidenceAt(at: number): Uint8Array {
  const other = logFor(KEY, 12, 'fork')
  const [small, large] = [WHOLE, other].map((log, i) => {
    const size = i === 0 ? 9 : 12
    return { head: headFor(FIVE, log, size), leaf: log.leaves[at] as Uint8Array, path: log.proof(at, size) }
  })
  return encodeForkAt(at, small as NonNullable<typeof small>, large as NonNullable<typeof large>)
}

async function exported(setting: Setting, query = '', signal = new AbortController().signal) {
  const reader = { find: async (ref: string) => decodeEntry(WHOLE.raws[Number(ref)] as Uint8Array) }
  const exporter = new Exporter(daemonWith(setting), reader as unknown as LogReader)
  let text = ''
  let report: ExportReport | null = null
  for await (const value of exporter.run(new URLSearchParams(query), signal) as AsyncIterable<ExportLine>) {
    if ('line' in value) text += value.line
    else report = value.report
  }
  return { verdict: judge(utf8(text), FIVE.digest), report, exporter }
}

/** Entries that are final, pending and disputed, then heads; or the fault. */
async function counted(setting: Setting, query = ''): Promise<string> {
  const { verdict, report } = await exported(setting, query)
  if (verdict.verdict !== 'good') return JSON.stringify(verdict)
  assert.is(report?.entries, verdict.entries)
  const [log] = verdict.logs
  return `${log?.final} ${log?.pending} ${log?.disputed}, ${verdict.heads}`
}

it('exporter: what is beyond the final head is under the newest signed one, and no head is there in vain', async () => {
  assert.is(await counted({ size: 9, finals: [2, 5] }), '5 4 0, 2')
  assert.is(await counted({ size: 9, finals: [9] }), '9 0 0, 1')
  assert.is(await counted({ size: 9, finals: [] }), '0 9 0, 1')
  assert.is(await counted({ size: 9, finals: [5] }, 'state=final'), '5 0 0, 1')
  assert.is(await counted({ size: 9, finals: [5] }, 'state=pending'), '0 4 0, 1')
  assert.is(
    await counted({ size: 9, finals: [5] }, `since=${decodeEntry(WHOLE.raws[7] as Uint8Array).timeMs}`),
    '0 2 0, 1',
  )
  assert.is(await counted({ size: 9, finals: [5] }, 'kind=study'), 'undefined undefined undefined, 0')
})

it('exporter: a final head whose entries are not here yet proves nothing, an older one that fits does', async () => {
  assert.is(await counted({ size: 6, finals: [9] }), '0 6 0, 1')
  assert.is(await counted({ size: 6, finals: [1, 3, 4, 8, 9] }), '4 2 0, 2')
})

it('exporter: of a log in dispute the evidence comes too, and what is disputed is neither final nor pending', async () => {
  assert.is(await counted({ size: 9, finals: [5], forkAt: 3 }), '3 0 6, 2')
  assert.is(await counted({ size: 9, finals: [5], forkAt: 3 }, 'state=final'), '3 0 0, 1')
  assert.is(await counted({ size: 9, finals: [5], forkAt: 7 }, 'state=pending'), '0 2 0, 1')
  assert.is(await counted({ size: 9, finals: [5], finalsOf: logFor(KEY, 9, 'fork'), forkAt: 3 }), '0 3 6, 1')
})

it('exporter: a proof is under the first final head that covers the entry, and a pending one has none', async () => {
  const { exporter } = await exported({ size: 9, finals: [2, 5, 7], forkAt: 4 })
  assert.is((await exporter.prove('3')).size, 5)
  assert.equal([(await exporter.prove('3')).disputed, (await exporter.prove('4')).disputed], [false, true])
  await refusedWith('entry-pending', exporter.prove('7'))
})

it('exporter: when nobody waits any more it ends', async () => {
  await refusedWith('export-broken-off', exported({ size: 9, finals: [] }, '', AbortSignal.abort()))
})

async function refusedWith(code: string, work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    assert.instance(error, ConsiliumError)
    return assert.is((error as ConsiliumError).code, code)
  }
  assert.unreachable(`${code} is expected`)
}

it.run()
