/** Real daemons whose folders hold two histories of one log, both signed with its key: what they find, keep and tell their operators. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ForkReport, ForksReport } from '../../src/daemon/forkApi.ts'
import { openHome } from '../../src/daemon/home.ts'
import { type Extension, extend, rootAt, storedHead, tipOf } from '../../src/ledger/chain.ts'
import { signCosignature } from '../../src/ledger/cosignature.ts'
import { encodeDoubleCosignature } from '../../src/ledger/doubleCosignature.ts'
import { openFork } from '../../src/ledger/fork.ts'
import { signHead } from '../../src/ledger/head.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import { SealedStore } from '../../src/store/sealedStore.ts'
import { saltOf } from '../ledger/fixtures.ts'
import { consilium, consortium, inFolder, signing, startAll, type TestNode, until } from './kit.ts'

const it = suite('forks, live')

/** Writes `count` entries of `of`'s log, signed with its key, into the folder of `at`, which is stopped. */
async function write(at: TestNode, of: TestNode, count: number): Promise<Extension> {
  const { key } = await openHome(of.home)
  const { consortium: file, ...home } = await openHome(at.home)
  const store = await LevelStore.open(home.paths.database, { self: home.key.id })
  const head = await store.head(key.id)
  if (head === undefined) throw new Error(`${at.name} holds nothing of ${of.name}`)
  const [last] = await store.entries(key.id, head.size - 1, head.size)
  const drafts = Array.from({ length: count }, () => {
    return { kind: 'node.stopped', study: null, timeMs: Date.now(), refs: [], body: { reason: 'test' } }
  })
  const salts = drafts.map((_, i) => saltOf(`${at.name} ${i}`))
  const made = extend(tipOf(head, last as Uint8Array), drafts, salts)
  const { note } = signHead(key.signing, file.founding, made.tip.size, rootAt(made.tip))
  const { raws: entries, nodes, tip } = made
  await store.append({ author: key.id, from: head.size, entries, head: storedHead(tip, note), nodes })
  await store.close()
  return made
}

/** Puts evidence that `witness` cosigned two roots of `author`'s log into the folder of `at`, as if gossip had brought it. */
async function accuse(at: TestNode, witness: TestNode, author: TestNode): Promise<void> {
  const [{ key }, { key: other }] = [await openHome(witness.home), await openHome(author.home)]
  const home = await openHome(at.home)
  const heads = ['one', 'two'].map((label) => signHead(other.signing, home.consortium.founding, 9, saltOf(label)))
  const [one, two] = heads.map((head) => ({ ...head, cosignature: signCosignature(key.signing, head.text, 9) }))
  if (one === undefined || two === undefined) throw new Error('two heads were made')
  const level = await LevelStore.open(home.paths.database, { self: home.key.id })
  assert.ok(home.dataKey !== null)
  const store = await SealedStore.open(level, home.dataKey, home.paths.dataKey)
  await store.putState(new Map([[`double-cosignature/${key.id}`, encodeDoubleCosignature(one, two)]]))
  await store.close()
}

const forksAt = (node: TestNode): Promise<ForksReport> => node.client.get<ForksReport>('/v1/log/forks')
const branchAt = async (node: TestNode): Promise<number> => {
  const [fork] = (await forksAt(node)).forks
  return fork?.heads.find(({ kept }) => kept === 'branch')?.entries ?? 0
}
const alarmsAt = async (node: TestNode): Promise<string[]> => {
  const path = `/v1/log?member=${node.name}&kind=alarm&limit=100`
  return (await node.client.get<{ entries: { kind: string }[] }>(path)).entries.map(({ kind }) => kind).sort()
}

it('two histories in two folders: both nodes prove it, keep the other branch, tell of it over a restart, and go on', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two', 'three', 'four'])))
    const [one, two, three, four] = nodes as [TestNode, TestNode, TestNode, TestNode]
    await startAll(nodes)
    const sizes = async () => {
      const ledgers = await Promise.all(nodes.map(async (node) => (await node.status())?.ledger ?? []))
      return new Set(ledgers.map((ledger) => ledger.find(({ name }) => name === 'two')?.size))
    }
    await until(60_000, 'all to hold the log of two', async () => {
      const [size, ...others] = await sizes()
      return others.length === 0 && (size ?? 0) > 0 // nothing held anywhere is equal, too
    })
    await two.end('SIGKILL') // it writes no more
    for (const node of [one, three, four]) await node.end('SIGTERM')
    const [here, there] = [await write(one, two, 5), await write(three, two, 8)]
    await accuse(one, four, two)
    await startAll([one, three, four])
    for (const [node, entries] of [
      [one, 8],
      [three, 5],
    ] as const)
      await until(60_000, `${node.name} to keep the other branch`, async () => (await branchAt(node)) === entries)
    const { founding } = (await openHome(one.home)).consortium
    const from = here.tip.size - 5
    for (const node of [one, three]) {
      const [fork] = (await forksAt(node)).forks as [ForkReport]
      assert.is(openFork(new Uint8Array(Buffer.from(fork.evidence, 'base64')), founding).differWithin, from + 1)
      assert.equal(new Set(fork.heads.map((head) => head.from)), new Set([from]))
      assert.ok(fork.possibleRestore)
    }
    await until(20_000, 'the evidence against four to come', async () => (await forksAt(three)).cosigners.length === 1)
    for (const node of [one, three])
      await until(20_000, 'both alarms', async () => (await alarmsAt(node)).join() === 'alarm.fork,alarm.witness')
    await one.end('SIGTERM')
    await one.start()
    await signing([one])
    assert.is(await branchAt(one), 8)
    assert.equal(await alarmsAt(one), ['alarm.fork', 'alarm.witness'], 'each once')
    await told(one, join(folder, 'evidence.json'), there)
  }))

/** What an operator reads at `node`. */
async function told(node: TestNode, file: string, branch: Extension): Promise<void> {
  const run = (...args: string[]) => consilium([...args, '--home', node.home])
  const forks = await run('log', 'forks', '--out', file)
  assert.is(forks.code, 1)
  for (const words of [
    'two: one key signed conflicting heads',
    'four: one key cosigned conflicting heads',
    '8 entries',
  ])
    assert.ok(forks.out.includes(words), `${words} in ${forks.out}`)
  const written = JSON.parse(await readFile(file, 'utf8')) as { type: string }[]
  assert.equal(
    written.map(({ type }) => type),
    ['signed', 'cosigned'],
  )
  const shown = await run('log', 'forks', 'two', '--branch', '--json')
  const [kept] = JSON.parse(shown.out) as { entries: { hash: string }[] }[]
  assert.equal(
    kept?.entries.map(({ hash }) => hash),
    branch.entries.map(({ hash }) => hash),
  )
  assert.match((await run('log', 'forks', '--branch')).err, /name it/)
  assert.match((await run('log', 'heads')).out, /CAREFUL: the key of four cosigned conflicting heads/)
  assert.match((await run('doctor')).out, /witness four/)
  assert.match((await run('log', 'forks', 'one')).out, /No key is known/)
}

it.run()
