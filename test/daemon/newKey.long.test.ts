/** A hospital that has lost its machine gets a new key by the votes of the others, while real daemons run. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { HeadReport } from '../../src/daemon/api.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import { consortium, inFolder, signing, startAll, type TestNode, until } from './kit.ts'
import { allFinal, approved, epochIs, headsAt, initialised, membersAt, proposed, run } from './membershipKit.ts'

const it = suite('new key')

it('a hospital whose machine is gone gets a new key by the votes of the others; its old key extends nothing any more', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east', 'west'])))
    const [north, south, east, west] = nodes as [TestNode, TestNode, TestNode, TestNode]
    await startAll(nodes)
    await allFinal(nodes)
    await west.end('SIGTERM')
    const others = [north, south, east]
    const westAt = async (node: TestNode) => (await headsAt(node)).find(({ name }) => name === 'west') as HeadReport
    await until(60_000, 'its last entries everywhere', async () => {
      return new Set(await Promise.all(others.map(async (node) => (await westAt(node)).size))).size === 1
    })
    const old = await westAt(north)
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

it.run()
