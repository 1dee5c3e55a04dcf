/** A hospital joins others while real daemons run; and nobody else changes anything. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { homePaths } from '../../src/daemon/home.ts'
import { consilium, consortium, inFolder, signing, startAll, type TestNode, until } from './kit.ts'
import { allFinal, approved, epochIs, headsAt, initialised, membersAt, proposed, run } from './membershipKit.ts'

const it = suite('joining')

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
    const peers = (await north.status())?.peers.map(({ name }) => name) ?? []
    assert.ok(peers.includes('harbour (no member yet)'), peers.join(', '))
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

it.run()
