/** The membership changes while real daemons run: a hospital joins, one leaves, one gets a new key; and nobody else changes anything. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { defaultConfigText } from '../../src/config/config.ts'
import type { ChangeReport, HeadReport, MembersReport } from '../../src/daemon/api.ts'
import { homePaths } from '../../src/daemon/home.ts'
import { consilium, consortium, inFolder, signing, startAll, TestNode, until } from './kit.ts'

const it = suite('membership of real daemons')

const membersAt = (node: TestNode) => node.client.get<MembersReport>('/v1/members')

async function run(node: TestNode, ...args: string[]): Promise<string> {
  const { code, out, err } = await consilium([...args, '--home', node.home])
  assert.is(code, 0, `${args.join(' ')}: ${err}`)
  return out
}

/** A data folder with key and card, whose node dials `others`. */
async function initialised(folder: string, name: string, others: TestNode): Promise<TestNode> {
  const node = new TestNode(folder, name)
  await run(node, 'init', '--name', name.replace(/\d$/, ''), '--port', '0')
  const { addresses } = (await others.status()) as { addresses: readonly string[] }
  const bootstrap = addresses.map((address) => address.replace(/\/p2p\/.*/, ''))
  const listen = ['/ip4/127.0.0.1/tcp/0']
  await writeFile(homePaths(node.home).config, defaultConfigText({ name: name.replace(/\d$/, ''), listen, bootstrap }))
  return node
}

async function proposed(node: TestNode, ...args: string[]): Promise<string> {
  const report = JSON.parse(await run(node, 'members', ...args, '--json')) as ChangeReport
  return report.change
}

async function approved(nodes: readonly TestNode[], change: string): Promise<void> {
  for (const node of nodes) {
    await until(20_000, `the change to reach ${node.name}`, async () =>
      (await membersAt(node)).changes.some((one) => one.change === change),
    )
    await run(node, 'members', 'approve', change.slice(0, 12))
  }
}

async function epochIs(nodes: readonly TestNode[], epoch: number): Promise<void> {
  for (const node of nodes)
    await until(90_000, `epoch ${epoch} at ${node.name}`, async () => (await membersAt(node)).epoch === epoch)
}

const headsAt = async (node: TestNode): Promise<readonly HeadReport[]> =>
  (await node.client.get<{ heads: HeadReport[] }>('/v1/log/heads')).heads

async function allFinal(nodes: readonly TestNode[]): Promise<void> {
  // the last entries of who has gone are cosigned after half a minute of quiet, and told with the heads of the next
  for (const node of nodes)
    await until(120_000, `all logs to be final at ${node.name}`, async () =>
      (await headsAt(node)).every(({ size, finalSize }) => size > 0 && size === finalSize),
    )
}

it('a hospital joins four others by the votes of the nodes, reads all logs, and is witnessed by all', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east', 'west'])))
    const [north, south, east, west] = nodes as [TestNode, TestNode, TestNode, TestNode]
    await startAll(nodes)
    const harbour = await initialised(folder, 'harbour', north)
    const change = await proposed(north, 'add', join(harbour.home, 'card.txt'))
    const refused = await consilium(['accept', homePaths(north.home).consortium, '--home', harbour.home])
    assert.match(refused.err, /--join/)
    await run(harbour, 'accept', homePaths(north.home).consortium, '--join')
    nodes.push(harbour)
    await harbour.start()
    assert.is((await harbour.status())?.fence?.admitted, false)
    await until(20_000, 'west to be told', async () => (await west.status())?.changes.length === 1)
    const doctor = await consilium(['doctor', '--home', west.home])
    assert.match(
      doctor.out,
      /LOOK +change [0-9a-f]{12} +"harbour" joins, with epoch 1: this hospital has not said yes or no/,
    )
    await approved([south, east], change)
    await epochIs(nodes, 1)
    await signing(nodes)
    await allFinal(nodes)
    for (const node of nodes) {
      const { members, quorum, changes } = await membersAt(node)
      assert.equal([members.length, quorum, changes.length], [5, 4, 0], node.name)
      assert.equal((await headsAt(node)).map(({ name }) => name).sort(), ['east', 'harbour', 'north', 'south', 'west'])
    }
  }))

it('a hospital whose machine is gone gets a new key by the votes of the others; its old key extends nothing any more', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east', 'west'])))
    const [north, south, east, west] = nodes as [TestNode, TestNode, TestNode, TestNode]
    await startAll(nodes)
    await allFinal(nodes)
    await west.end('SIGTERM')
    const others = [north, south, east]
    await allFinal(others)
    const old = (await headsAt(north)).find(({ name }) => name === 'west') as HeadReport
    const west2 = await initialised(folder, 'west2', north)
    const change = await proposed(north, 'replace', 'west', join(west2.home, 'card.txt'))
    await run(west2, 'accept', homePaths(north.home).consortium, '--join')
    nodes.push(west2)
    await west2.start()
    await approved([south, east], change)
    await epochIs([...others, west2], 1)
    await signing([west2])
    await allFinal([...others, west2])
    for (const node of [...others, west2]) {
      const { members, former } = await membersAt(node)
      assert.is(members.length, 4)
      assert.equal(
        former.map(({ name, key, entries }) => [name, key, entries]),
        [['west', old.member, old.size]],
      )
      await run(node, 'log', 'verify', '--full')
    }
    // the old machine comes back with the old key: nobody lets it in, and nothing that it signs is taken
    await west.start()
    await until(20_000, 'the old key to be refused', async () => north.log.includes('stranger-refused'))
    assert.is((await west.status())?.fence?.admitted, true, 'it has not heard that it is no member any more')
    assert.is((await headsAt(north)).find(({ member }) => member === old.member)?.size, old.size)
    await west.end('SIGTERM')
    await run(west, 'accept', homePaths(north.home).consortium).then(
      () => assert.unreachable(),
      (error: Error) => assert.match(error.message, /was a member's and is none in epoch 1/),
    )
  }))

it('a member leaves by the votes of those who stay; its node hears of it and ends, and its log stays as far as it was pinned', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east', 'west'])))
    const [north, south, east, west] = nodes as [TestNode, TestNode, TestNode, TestNode]
    await startAll(nodes)
    await allFinal(nodes)
    const change = await proposed(north, 'remove', 'west')
    await approved([south], change)
    // one node ends in the midst of it, and goes on after its start
    await south.end('SIGKILL')
    await approved([east], change)
    await south.start()
    const stay = [north, south, east]
    await epochIs(stay, 1)
    await until(20_000, 'the node that left to end', async () => west.process?.exitCode === 1)
    assert.match(west.log, /no member any more/)
    await allFinal(stay)
    const sizes = await Promise.all(
      stay.map(async (node) => (await headsAt(node)).find(({ name }) => name === 'west')?.finalSize),
    )
    assert.is(new Set(sizes).size, 1)
    const started = await consilium(['start', '--home', west.home])
    assert.is(started.code, 1)
    assert.match(started.err, /was a member's and is none in epoch 1/)
    // and the next change is decided by those who stayed
    const again = await proposed(south, 'add', join((await initialised(folder, 'west2', north)).home, 'card.txt'))
    const ls = await run(east, 'members', 'ls')
    assert.match(ls, /epoch 1: 3 members; what 3 of them have signed is final/)
    await until(20_000, 'the proposal', async () => (await membersAt(east)).changes.some((one) => one.change === again))
    await run(east, 'members', 'reject', again.slice(0, 8))
    assert.equal((await membersAt(east)).changes[0]?.rejectedBy, ['east'])
  }))

it.run()
