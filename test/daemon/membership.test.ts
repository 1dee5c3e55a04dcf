/** The membership changes while real daemons run: a hospital joins, one leaves, one gets a new key; and nobody else changes anything. */
import { readFile, writeFile } from 'node:fs/promises'
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
  for (const node of nodes)
    await until(60_000, `all logs to be final at ${node.name}`, async () =>
      (await headsAt(node)).every(({ size, finalSize }) => size > 0 && size === finalSize),
    )
}

it('a hospital joins four others by the votes of the nodes, reads all logs, and is witnessed by all', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east', 'west'])))
    const [north, south, east] = nodes as [TestNode, TestNode, TestNode, TestNode]
    await startAll(nodes)
    const harbour = await initialised(folder, 'harbour', north)
    const change = await proposed(north, 'add', join(harbour.home, 'card.txt'))
    const refused = await consilium(['accept', homePaths(north.home).consortium, '--home', harbour.home])
    assert.match(refused.err, /--join/)
    await run(harbour, 'accept', homePaths(north.home).consortium, '--join')
    nodes.push(harbour)
    await harbour.start()
    assert.is((await harbour.status())?.fence?.admitted, false)
    await approved([south, east], change)
    await epochIs(nodes, 1)
    await signing(nodes)
    await allFinal(nodes)
    for (const node of nodes) {
      const { members, quorum, changes } = await membersAt(node)
      assert.equal([members.length, quorum, changes.length], [5, 4, 0], node.name)
      assert.equal((await headsAt(node)).map(({ name }) => name).sort(), ['east', 'harbour', 'north', 'south', 'west'])
    }
    console.log(await run(north, 'members', 'ls'), await readFile(homePaths(north.home).consortium, 'utf8'))
  }))

it.run()
