/** Members of real daemons as they change: what the tests of it share. */
import { writeFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { defaultConfigText } from '../../src/config/config.ts'
import type { HeadReport } from '../../src/daemon/api.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import type { ChangeReport, MembersReport } from '../../src/daemon/membersApi.ts'
import { consilium, TestNode, until } from './kit.ts'

export const membersAt = (node: TestNode) => node.client.get<MembersReport>('/v1/members')

export async function run(node: TestNode, ...args: string[]): Promise<string> {
  const { code, out, err } = await consilium([...args, '--home', node.home])
  assert.is(code, 0, `${args.join(' ')}: ${err}`)
  return out
}

/** A data folder with key and card, whose node dials `others`. */
export async function initialised(folder: string, name: string, others: TestNode): Promise<TestNode> {
  const node = new TestNode(folder, name)
  await run(node, 'init', '--name', name.replace(/\d$/, ''), '--port', '0')
  const { addresses } = (await others.status()) as { addresses: readonly string[] }
  const bootstrap = addresses.map((address) => address.replace(/\/p2p\/.*/, ''))
  const listen = ['/ip4/127.0.0.1/tcp/0']
  await writeFile(homePaths(node.home).config, defaultConfigText({ name: name.replace(/\d$/, ''), listen, bootstrap }))
  return node
}

export async function proposed(node: TestNode, ...args: string[]): Promise<string> {
  const report = JSON.parse(await run(node, 'members', ...args, '--json')) as ChangeReport
  return report.change
}

export async function approved(nodes: readonly TestNode[], change: string): Promise<void> {
  for (const node of nodes) {
    await until(20_000, `the change to reach ${node.name}`, async () =>
      (await membersAt(node)).changes.some((one) => one.change === change),
    )
    await run(node, 'members', 'approve', change.slice(0, 12))
  }
}

export async function epochIs(nodes: readonly TestNode[], epoch: number): Promise<void> {
  // where who is gone was to propose, the others wait for it, and then again in the next round
  for (const node of nodes)
    await until(200_000, `epoch ${epoch} at ${node.name}`, async () => (await membersAt(node)).epoch === epoch)
}

export const headsAt = async (node: TestNode): Promise<readonly HeadReport[]> =>
  (await node.client.get<{ heads: HeadReport[] }>('/v1/log/heads')).heads

export async function allFinal(nodes: readonly TestNode[]): Promise<void> {
  // the last entries of who has gone are cosigned after half a minute of quiet, and told with the heads of the next
  for (const node of nodes)
    await until(120_000, `all logs to be final at ${node.name}`, async () =>
      (await headsAt(node)).every(({ size, finalSize }) => size > 0 && size === finalSize),
    )
}
