/** What an operator is told of keys that contradict themselves: as data, as words, and by the doctor. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { contradictionLines, cosignerLines, forkLines } from '../../src/cli/logForks.ts'
import { toHex } from '../../src/core/bytes.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { ledgerFindings } from '../../src/daemon/doctor.ts'
import { ForkReports } from '../../src/daemon/forkReports.ts'
import { LedgerReports } from '../../src/daemon/ledgerReports.ts'
import { LogReader } from '../../src/daemon/logReader.ts'
import { encodeDoubleCosignature } from '../../src/ledger/doubleCosignature.ts'
import { Membership } from '../../src/ledger/epoch.ts'
import { openFork } from '../../src/ledger/fork.ts'
import { FOUNDING } from '../ledger/fixtures.ts'
import {
  ADA,
  BEN,
  branch,
  CLEO,
  DAN,
  EVE,
  finalOf,
  handOver,
  last,
  MEMBERS,
  never,
  open,
  type PeerNode,
  type Peers,
  statementOf,
  storeWith,
} from './peerKit.ts'

const it = suite('fork reports')
const NAMES = new Map(
  [ADA, BEN, CLEO, DAN, EVE].map(({ member }, i) => [member, ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve'][i]]),
)
const MAIN = branch('main', 7, [12])
const THEIRS = branch('other', 7, [20])

const keyNamed = (name: string) => [...NAMES].find(([, one]) => one === name)?.[0] ?? ''
const byKey = (a: string, b: string) => (keyNamed(a) < keyNamed(b) ? -1 : 1)

function daemonOf({ forks, logs, witness }: PeerNode, finalSize = 0): Daemon {
  const members = MEMBERS.map((key) => ({ key, name: NAMES.get(key) ?? '' }))
  const final = finalSize === 0 ? null : { author: ADA.member, size: finalSize, root: toHex(last(MAIN).head.root) }
  const machine = { finality: { final: () => final, replicas: () => 0 } }
  const nameOf = (member: string) => NAMES.get(member as never) ?? member
  return {
    forks,
    logs,
    witness,
    machine,
    nameOf,
    home: { consortium: { founding: FOUNDING }, membership: new Membership({ name: 'Ours', members }) },
  } as unknown as Daemon
}

function reportsOf(node: PeerNode, finalSize = 0): ForkReports {
  const daemon = daemonOf(node, finalSize)
  return new ForkReports(daemon, new LogReader(daemon))
}

async function forked(): Promise<{ peers: Peers; node: PeerNode }> {
  const peers: Peers = new Map()
  const node = await open(peers, BEN, await storeWith(MAIN))
  await open(peers, CLEO, await storeWith(THEIRS))
  node.logs.readHead(last(THEIRS).head.note, null)
  await node.forks.examine(ADA.member, CLEO.member, never)
  return { peers, node }
}

it('a fork: both heads, how much of each history is kept and from where on, and whether it may be a restore', async () => {
  const { node } = await forked()
  const [before] = (await reportsOf(node).forks(null)).forks
  assert.equal(
    before?.heads.map(({ kept, from, entries }) => [kept, from, entries]),
    [
      ['log', null, 12],
      [null, null, 0],
    ],
  )
  await node.forks.branches.collect(CLEO.member, never)
  const { forks, cosigners, contradictions } = await reportsOf(node, 7).forks(null)
  const [fork] = forks
  assert.ok(fork !== undefined)
  assert.equal([forks.length, cosigners, contradictions], [1, [], []])
  assert.equal([fork.name, fork.differWithin, fork.finalSize, fork.possibleRestore], ['Ada', 8, 7, true])
  assert.equal(
    fork.heads.map(({ kept, from, entries }) => [kept, from, entries]),
    [
      ['log', 7, 5],
      ['branch', 7, 13],
    ],
  )
  assert.is(openFork(new Uint8Array(Buffer.from(fork.evidence, 'base64')), FOUNDING).differWithin, 8)
  const text = forkLines(fork).join('\n')
  for (const words of [
    'Ada: one key signed conflicting heads',
    'the log here: 5 entries from number 7 on',
    'kept beside the log: 13 entries from number 7 on',
    'possibly a folder put back',
  ])
    assert.ok(text.includes(words), `${words} in:\n${text}`)
  const [final] = (await reportsOf(node, 8).forks('Ada')).forks
  assert.is(final?.possibleRestore, false)
  assert.ok(
    forkLines(final as NonNullable<typeof final>)
      .join()
      .includes('a final entry is contradicted'),
  )
  assert.equal((await reportsOf(node).forks('Cleo')).forks, [])
})

it('the entries of the other history are shown as they are, and none as final', async () => {
  const { node } = await forked()
  assert.equal((await reportsOf(node).branches('Ada')).branches, [])
  await node.forks.branches.collect(CLEO.member, never)
  const { branches } = await reportsOf(node, 12).branches('Ada')
  const [report] = branches
  assert.equal([branches.length, report?.from, report?.size, report?.complete], [1, 7, 20, true])
  assert.equal(
    report?.entries.map(({ seq }) => seq),
    Array.from({ length: 13 }, (_, i) => 7 + i),
  )
  assert.ok(report?.entries.every(({ state }) => state === 'disputed'))
  const hashes = THEIRS.flatMap(({ entries }) => entries.map(({ hash }) => hash)).slice(7)
  assert.equal(
    report?.entries.map(({ hash }) => hash),
    hashes,
  )
})

it('a witness: in words of its own, by its name and by that of whose log it was', async () => {
  const node = await open(new Map(), BEN)
  const evidence = encodeDoubleCosignature(
    statementOf(DAN, last(MAIN).head),
    statementOf(DAN, last(branch('third', 7, [12])).head),
  )
  await node.forks.hear(evidence)
  const { forks, cosigners } = await reportsOf(node).forks('Dan')
  const [cosigner] = cosigners
  assert.equal(
    [forks, cosigner?.type, cosigner?.name, cosigner?.authorName, cosigner?.size],
    [[], 'cosigned', 'Dan', 'Ada', 12],
  )
  assert.is(cosigner?.evidence, Buffer.from(evidence).toString('base64'))
  const text = cosignerLines(cosigner as NonNullable<typeof cosigner>).join('\n')
  assert.ok(text.includes('Dan: one key cosigned conflicting heads') && text.includes('its own log is not in question'))
  assert.equal((await reportsOf(node).forks('Ada')).cosigners, [])
  const [finding] = ledgerFindings(daemonOf(node))
  assert.equal([finding?.check, finding?.ok], ['witness Dan', false])
})

it('a final head that contradicts the log is shown before it is proven, and makes the fork no restore afterwards', async () => {
  const peers: Peers = new Map()
  const node = await open(peers, BEN, await storeWith(MAIN))
  handOver(peers, CLEO, finalOf(last(branch('other', 7, [10])).head, [CLEO, DAN, EVE]))
  await node.replicator.askHeads(CLEO.member, never)
  const [found] = (await reportsOf(node).forks(null)).contradictions
  assert.equal([found?.name, found?.size, found?.proven], ['Ada', 10, false])
  assert.ok(
    contradictionLines(found as NonNullable<typeof found>)
      .join()
      .includes('not taken for final here'),
  )
  const [finding] = ledgerFindings(daemonOf(node))
  assert.equal([finding?.check, finding?.ok], ['log of Ada', false])
  assert.ok(finding?.text.includes('contradicts'))
  await open(peers, EVE, await storeWith(branch('other', 7, [10])))
  await node.replicator.askHeads(EVE.member, never)
  const { forks, contradictions } = await reportsOf(node).forks(null)
  assert.equal([forks[0]?.possibleRestore, contradictions[0]?.proven], [false, true])
  assert.is(ledgerFindings(daemonOf(node)).length, 1, 'said once: as a log in dispute')
})

it('the heads of a log whose newest kept final head is of another history: those of the log, and nobody’s signature of the other', async () => {
  const peers: Peers = new Map()
  const node = await open(peers, BEN)
  handOver(peers, CLEO, finalOf(last(branch('other', 7, [12])).head, [CLEO, DAN, EVE]))
  await node.replicator.askHeads(CLEO.member, never)
  const report = async () => {
    const daemon = daemonOf(node)
    const { heads } = await new LedgerReports(daemon, new LogReader(daemon)).heads()
    return heads.find(({ name }) => name === 'Ada')
  }
  assert.equal((await report())?.witnesses, ['Cleo', 'Dan', 'Eve'].sort(byKey))
  await open(peers, DAN, await storeWith(MAIN))
  await node.replicator.fetch({ type: 'replicate', author: ADA.member, peer: DAN.member, from: 0, to: 12 }, never)
  const refuted = await report()
  assert.equal([refuted?.witnesses, refuted?.note], [[], Buffer.from(last(MAIN).head.note).toString('utf8')])
})

it('where no key contradicts itself nothing is said', async () => {
  const node = await open(new Map(), BEN, await storeWith(MAIN))
  assert.equal(await reportsOf(node).forks(null), { forks: [], cosigners: [], contradictions: [] })
  assert.equal(ledgerFindings(daemonOf(node)), [])
})

it.run()
