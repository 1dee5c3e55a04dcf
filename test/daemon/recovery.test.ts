/** A node that has lost what it signed, or goes on from an old copy of its folder, fetches its log back and signs no second history. */
import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EntryReport, ForkReport, VerifyReport } from '../../src/daemon/api.ts'
import { readMemberKey } from '../../src/daemon/memberKey.ts'
import { numberKey, shortAuthor, TABLE } from '../../src/store/records.ts'
import {
  bind,
  consilium,
  consortium,
  inFolder,
  patients,
  propose,
  signing,
  startAll,
  studyText,
  TestNode,
  until,
} from './kit.ts'

const it = suite('recovery')

const roundOf = async (node: TestNode): Promise<number> => (await node.status())?.studies[0]?.round ?? -1
const sizeOf = async (at: TestNode, name: string): Promise<number> =>
  (await at.status())?.ledger.find((log) => log.name === name)?.size ?? -1

/** Three hospitals that train; the study does not end. */
async function training(folder: string, nodes: TestNode[]): Promise<[TestNode, TestNode, TestNode]> {
  nodes.push(...(await consortium(folder, ['one', 'two', 'three'])))
  await startAll(nodes)
  const study = await propose(folder, nodes, studyText({ rounds: 5_000, periodSeconds: 0.1, deadlineSeconds: 2 }))
  for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
  const [one, two, three] = nodes as [TestNode, TestNode, TestNode]
  await until(30_000, 'some rounds', async () => (await roundOf(one)) >= 5)
  return [one, two, three]
}

/** The rounds that an own log says were published, and whether nobody has seen a contradiction. */
async function checkHistory(node: TestNode, others: readonly TestNode[]): Promise<void> {
  const { entries } = await node.client.get<{ entries: EntryReport[] }>(
    `/v1/log?member=${node.name}&kind=round.published&limit=10000`,
  )
  const rounds = entries.map((entry) => (entry.body as { round: number }).round)
  assert.equal(
    rounds,
    [...new Set(rounds)].sort((a, b) => a - b),
    'each round is published once, in order',
  )
  for (const other of others) {
    const log = (await other.status())?.ledger.find((one) => one.name === node.name)
    assert.is(log?.forked, false, `${other.name} has seen no contradiction`)
  }
  const { logs } = await node.client.get<{ logs: VerifyReport[] }>('/v1/log/verify')
  assert.ok(logs.every((log) => log.ok))
}

it('a node whose database is gone fetches all logs back, its own too, and goes on after what it had signed', () =>
  inFolder(async (folder, nodes) => {
    const [one, two, three] = await training(folder, nodes)
    await one.end('SIGTERM')
    const signed = await sizeOf(two, 'one')
    await rm(join(one.home, 'database'), { recursive: true })
    await one.start()
    await signing([one])
    assert.ok((await sizeOf(one, 'one')) >= signed)
    const study = (await two.status())?.studies[0]?.id as string
    await until(20_000, 'the study to be known again', async () => ((await one.status())?.studies.length ?? 0) === 1)
    await bind(folder, one, study, patients(60, 0)) // the binding was in the database
    const before = await roundOf(two)
    await until(30_000, 'training to go on', async () => (await roundOf(one)) > before)
    await until(10_000, 'the others to hear of it', async () => (await sizeOf(three, 'one')) > signed + 4)
    await checkHistory(one, [two, three])
  }))

for (const whose of ['one', 'two'] as const)
  it(`a start that finds ${whose === 'one' ? 'its own log' : 'the log of another'} damaged says what to do, and with that goes on as if nothing had been`, () =>
    inFolder(async (folder, nodes) => {
      const [one, two, three] = await training(folder, nodes)
      await one.end('SIGTERM')
      const signed = await sizeOf(two, 'one')
      const database = join(one.home, 'database')
      const author = (await readMemberKey(join(folder, whose, 'member.key'))).id
      const db = new Level<Uint8Array, Uint8Array>(database, { keyEncoding: 'view', valueEncoding: 'view' })
      await db.del(numberKey(TABLE.entry, shortAuthor(author), 5)) // after five rounds among the newest 256
      await db.close()
      const refused = await consilium(['start', '--home', one.home])
      assert.is(refused.code, 1)
      assert.match(refused.err, /entry \d+ of \d+ is missing.*move database\/ out of the data folder/)
      await rename(database, join(folder, 'moved-away')) // as the message says, with heads.pin left where it is
      await one.start()
      await signing([one])
      assert.ok((await sizeOf(one, 'one')) >= signed, 'all that was signed is back before anything is signed')
      const study = (await two.status())?.studies[0]?.id as string
      await until(20_000, 'the study to be known again', async () => ((await one.status())?.studies.length ?? 0) === 1)
      await bind(folder, one, study, patients(60, 0))
      const before = await roundOf(two)
      await until(30_000, 'training to go on', async () => (await roundOf(one)) > before)
      await until(10_000, 'the others to hear of it', async () => (await sizeOf(three, 'one')) > signed + 4)
      await checkHistory(one, [two, three])
    }))

it('a folder put back from an old backup, its pin with it, signs no second history', () =>
  inFolder(async (folder, nodes) => {
    const [one, two, three] = await training(folder, nodes)
    await one.end('SIGTERM')
    const backup = join(folder, 'backup')
    await cp(one.home, backup, { recursive: true })
    await one.start()
    await signing([one])
    const round = await roundOf(one)
    await until(30_000, 'rounds that the backup does not know', async () => (await roundOf(one)) >= round + 8)
    await one.end('SIGTERM') // somebody has fetched all that it signed
    const signed = await sizeOf(two, 'one')
    await rm(one.home, { recursive: true })
    await cp(backup, one.home, { recursive: true })
    await one.start()
    await signing([one])
    assert.ok((await sizeOf(one, 'one')) >= signed, 'what the others hold was fetched back before anything was signed')
    await until(30_000, 'training to go on', async () => (await roundOf(one)) > round + 12)
    await until(10_000, 'the others to hear of it', async () => (await sizeOf(three, 'one')) > signed + 4)
    await checkHistory(one, [two, three])
  }))

it('a node that hears nobody signs nothing, says why, and stops cleanly', () =>
  inFolder(async (folder, nodes) => {
    const [one, two, three] = await training(folder, nodes)
    for (const node of [two, three]) await node.end('SIGTERM')
    await one.end('SIGTERM')
    await one.start()
    const size = await sizeOf(one, 'one')
    const fence = (await one.status())?.fence
    assert.equal([fence?.answered, fence?.needed, fence?.stored], [0, 1, size])
    const paused = await consilium(['study', 'pause', 'Test study', '--home', one.home])
    assert.is(paused.code, 1)
    assert.match(paused.err, /^consilium: .*may not sign yet.*doctor/)
    const doctor = await consilium(['doctor', '--home', one.home])
    assert.match(doctor.out, /LOOK {2}signing .*0 of 1 other members/)
    assert.match((await consilium(['status', '--home', one.home])).out, /not signing yet: 0 of 1/)
    assert.is(await one.end('SIGTERM'), 0)
    await one.start()
    assert.is(await sizeOf(one, 'one'), size, 'neither the start nor the stop was signed')
    await two.start()
    await signing([one, two])
  }))

it('of two live copies of one folder at least one stops, and the others show that one key signed both histories', () =>
  inFolder(async (folder, nodes) => {
    const [one, two, three] = await training(folder, nodes)
    await two.end('SIGTERM')
    const clone = new TestNode(folder, 'copy')
    await cp(two.home, clone.home, { recursive: true })
    nodes.push(clone)
    await Promise.all([two.start(), clone.start()])
    const pair = [two, clone]
    const ended = () => pair.find((node) => node.process === null || node.process.exitCode !== null)
    await until(90_000, 'one of the two to stop', async () => ended() !== undefined)
    assert.match(ended()?.log ?? '', /signed with this key|other members hold entries/)
    for (const other of [one, three]) assert.ok((await other.status()) !== null, 'the others go on')
    const forks = async () => (await one.client.get<{ forks: ForkReport[] }>('/v1/log/forks')).forks
    await until(20_000, 'the evidence', async () => (await forks()).length === 1).catch(() => undefined)
    for (const { name, heads } of await forks()) assert.equal([name, heads.length], ['two', 2])
  }))

it.run()
