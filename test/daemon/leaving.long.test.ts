/** A member leaves by the votes of those who stay, while real daemons run. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { consilium, consortium, inFolder, startAll, type TestNode, until } from './kit.ts'
import { allFinal, approved, epochIs, headsAt, initialised, membersAt, proposed, run } from './membershipKit.ts'

const it = suite('leaving')

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
