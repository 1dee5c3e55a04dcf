/** The exporter over logs as they are rarely found: in dispute, or with a final head that came before its entries. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Gap, LeftOut } from '../../src/cli/leftOut.ts'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../../src/core/ids.ts'
import type { ExportLine, ExportReport } from '../../src/daemon/api.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { Exporter } from '../../src/daemon/exporter.ts'
import { memberOf } from '../../src/daemon/logFilter.ts'
import type { LogReader } from '../../src/daemon/logReader.ts'
import { LineSplitter } from '../../src/ledger/bundle.ts'
import { BundleVerifier } from '../../src/ledger/bundleVerify.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { epochContent, Membership } from '../../src/ledger/epoch.ts'
import { encodeForkAt, openFork } from '../../src/ledger/fork.ts'
import { TreeReader } from '../../src/store/treeReader.ts'
import { consortiumOf, cosigned, headFor, judge, type Log, logFor, othersThan } from '../ledger/bundleKit.ts'
import { type Person, person, rowsOf, signed } from '../ledger/epochKit.ts'

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
  /** Changes of the members; nobody's where it is not given. */
  readonly membership?: Membership
  /** Which of the others have cosigned the final heads; all but one where it is not given. */
  readonly witnesses?: readonly Person[]
  /** Sizes at which a note of the author is kept, beside the newest. */
  readonly noted?: readonly number[]
}

const PEOPLE = FIVE.founding.members.map(({ name }) => person(name))
const OWN = PEOPLE.find(({ key }) => key.member === KEY.member) as Person
const [NEXT, ...REST] = PEOPLE.filter((one) => one !== OWN) as [Person, ...Person[]]
const ZED = person('Zed')

/** Epoch by epoch: who is a member from then on, and where the log of these tests is pinned. */
function membershipOf(
  ...epochs: readonly (readonly [members: readonly Person[], size: number, log?: Log])[]
): Membership {
  const membership = new Membership(FIVE.founding)
  for (const [members, size, log = WHOLE] of epochs) {
    const pin = { author: KEY.member, size, root: toHex(log.root(size)) as Digest }
    const content = epochContent(membership.current, rowsOf(members), [pin])
    membership.add(
      signed(content, membership.current, [...PEOPLE, ZED].filter(isIn(membership.current.members, members))),
    )
  }
  return membership
}

const isIn =
  (before: readonly { key: MemberId }[], after: readonly Person[]) =>
  ({ key }: Person): boolean =>
    before.some((one) => one.key === key.member) || after.some((one) => one.key.member === key.member)

/** A daemon that holds one log. */
function daemonWith(setting: Setting): Daemon {
  const { size, finals, finalsOf = WHOLE, forkAt, membership = new Membership(FIVE.founding) } = setting
  const witnesses = setting.witnesses?.map(({ key }) => key) ?? othersThan(FIVE, WHOLE).slice(0, 3)
  const heads = finals.map((at) => {
    const part = cosigned(FIVE, finalsOf, at, witnesses) as { note: Uint8Array }
    return { size: at, note: part.note }
  })
  const known = new Map<MemberId, ReturnType<typeof openFork>>()
  if (forkAt !== undefined) known.set(KEY.member, openFork(evidenceAt(forkAt), FIVE.digest))
  const entries = async (_: MemberId, from: number, to: number) => WHOLE.raws.slice(from, Math.min(to, size))
  const log = { author: KEY.member, size }
  const logs = {
    authors: () => [KEY.member],
    sizeOf: () => log,
    newest: (author: MemberId) => (author === KEY.member ? { log, note: headFor(FIVE, WHOLE, size).note } : null),
    final: async (_: MemberId, least?: number) =>
      least === undefined ? heads.at(-1) : heads.find((head) => head.size >= least),
    noteAt: async (_: MemberId, at: number) =>
      at === size || setting.noted?.includes(at) ? headFor(FIVE, WHOLE, at).note : undefined,
    entries,
    tree: (author: MemberId) => new TreeReader({ entries, nodes: async () => [] }, author),
  }
  const now = [...membership.current.members].sort((a, b) => compareIds(a.key, b.key))
  const consortium = { name: FIVE.founding.name, members: now, founding: FIVE.digest }
  const home = { consortium, membership, key: { id: KEY.member } }
  const nameOf = (member: MemberId) => membership.nameOf(member)
  return { logs, forks: { known }, home, nameOf } as unknown as Daemon
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
  const verdict = judge(utf8(text), FIVE.digest)
  assert.equal(lackingIn(utf8(text)), [], 'who checks an export must not take what the filter leaves out for a gap')
  return { verdict, report, exporter }
}

/** What `log check-export` would say that the bundle lacks. */
function lackingIn(bundle: Uint8Array): readonly Gap[] {
  const leftOut = new LeftOut()
  const verifier = new BundleVerifier(FIVE.digest, (entry, _, __, of) => leftOut.take(entry, of.filter, 'log'))
  const splitter = new LineSplitter()
  for (const line of splitter.split(bundle)) verifier.push(line)
  const verdict = verifier.finish(splitter.rest)
  if (verdict.verdict !== 'wrong') leftOut.ended(verdict.filter, verdict.logs)
  return leftOut.gaps
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

it('exporter: the epochs come along under the founders, and what a pin covers is final', async () => {
  const joined = membershipOf([[...PEOPLE, ZED], 4])
  const { verdict } = await exported({ size: 9, finals: [], membership: joined, noted: [4] })
  if (verdict.verdict !== 'good') throw new Error(JSON.stringify(verdict))
  assert.equal([verdict.consortium.epoch, verdict.consortium.members, verdict.consortium.quorum], [1, 6, 5])
  assert.equal([verdict.logs[0]?.final, verdict.logs[0]?.pending, verdict.logs[0]?.name], [4, 5, OWN.name])
  assert.is(await counted({ size: 4, finals: [], membership: joined }), '4 0 0, 1')
  assert.is(await counted({ size: 9, finals: [2], membership: joined, noted: [4] }), '4 5 0, 2', 'an older one is past')
  assert.is(await counted({ size: 9, finals: [4], membership: joined }), '4 5 0, 2', 'the pin as it was kept')
  assert.is(await counted({ size: 9, finals: [4], membership: joined }, 'state=final'), '4 0 0, 1')
  assert.is(await counted({ size: 9, finals: [], membership: joined }), '0 9 0, 1', 'no note at the pin is kept')
})

it('exporter: beyond the pin a head is final with the quorum of the new members alone', async () => {
  const changed = membershipOf([[OWN, ...REST, ZED], 4])
  const row = { size: 9, finals: [4, 7], membership: changed, noted: [4] }
  assert.is(await counted({ ...row, witnesses: [ZED, ...REST] }), '7 2 0, 2', 'who has come counts')
  assert.is(await counted({ ...row, witnesses: [NEXT, ...REST.slice(1)] }), '4 5 0, 2', 'three of five are too few')
  assert.is(
    await counted({ ...row, witnesses: [NEXT, ...REST] }),
    '7 2 0, 2',
    'the cosignature of who has left is dropped',
  )
  const { exporter } = await exported({ ...row, witnesses: [NEXT, ...REST.slice(1)] })
  await refusedWith('entry-pending', exporter.prove('5'))
})

it('exporter: of a former member nothing beyond its pin is exported, and nothing where the pin is not here', async () => {
  const left = membershipOf([[NEXT, ...REST], 4])
  assert.is(await counted({ size: 9, finals: [4, 9], membership: left, noted: [4] }), '4 0 0, 1')
  assert.is(await counted({ size: 9, finals: [], membership: left, noted: [4] }), '4 0 0, 1')
  assert.is(await counted({ size: 9, finals: [], membership: left }), 'undefined undefined undefined, 0')
  assert.is(await counted({ size: 4, finals: [], membership: left }), '4 0 0, 1')
  assert.is(await counted({ size: 3, finals: [3], membership: left }), 'undefined undefined undefined, 0')
  const other = membershipOf([PEOPLE, 4, logFor(KEY, 9, 'fork')])
  assert.is(await counted({ size: 9, finals: [9], membership: other, noted: [4] }), 'undefined undefined undefined, 0')
})

it('exporter: a log is asked for by the name of a former member, or of one whose key was replaced', async () => {
  const anew = person(OWN.name, 'a new key')
  const replaced = membershipOf([[...PEOPLE.filter((one) => one !== OWN), anew], 4])
  const { verdict, report } = await exported({ size: 9, finals: [4], membership: replaced }, `member=${OWN.name}`)
  if (verdict.verdict !== 'good') throw new Error(JSON.stringify(verdict))
  assert.equal(verdict.filter.members, [KEY.member, anew.key.member].sort())
  assert.equal([verdict.entries, report?.filter.members], [4, verdict.filter.members])
  const left = membershipOf([[NEXT, ...REST], 4])
  for (const name of [OWN.name, KEY.member.slice(0, 6)])
    assert.is(await counted({ size: 9, finals: [4], membership: left }, `member=${name}`), '4 0 0, 1')
  await refusedWith('member-unknown', exported({ size: 9, finals: [4], membership: left }, 'member=Nobody'))
  const daemon = daemonWith({ size: 9, finals: [4], membership: replaced })
  assert.is(memberOf(daemon, OWN.name), anew.key.member, 'one log alone is that of the member now')
  assert.is(memberOf(daemon, KEY.member.slice(0, 8)), KEY.member)
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
