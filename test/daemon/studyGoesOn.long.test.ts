/** Members come and go in the middle of a study: the rounds go on, with who is there. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { homePaths } from '../../src/daemon/homePaths.ts'
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
  type TestNode,
  until,
} from './kit.ts'
import { approved, epochIs, initialised, proposed, run } from './membershipKit.ts'

const it = suite('a study while members change')

it('a hospital joins a study that runs, and trains along; one that leaves is missing from the next merges, and nothing else changes', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east', 'west'])))
    const [north, south, east] = nodes as [TestNode, TestNode, TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 1_000, periodSeconds: 0.5 }))
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
    const merged = async () => ((await north.status())?.studies[0]?.merged ?? []).map(({ name }) => name).sort()
    await until(60_000, 'all four to train', async () => (await merged()).join() === 'east,north,south,west')

    const harbour = await initialised(folder, 'harbour', north)
    const joins = await proposed(north, 'add', join(harbour.home, 'card.txt'))
    await run(harbour, 'accept', homePaths(north.home).consortium, '--join')
    nodes.push(harbour)
    await harbour.start()
    await approved([south, east], joins)
    await epochIs(nodes, 1)
    await signing([harbour])
    await until(20_000, 'the study at harbour', async () => (await harbour.status())?.studies.length === 1)
    await run(harbour, 'study', 'accept', study)
    await bind(folder, harbour, study, patients(60, 9))
    await until(60_000, 'harbour in a merge', async () => (await merged()).includes('harbour'))

    const leaves = await proposed(north, 'remove', 'west')
    await approved([south, east, harbour], leaves)
    const stay = [north, south, east, harbour]
    await epochIs(stay, 2)
    await until(60_000, 'rounds without west', async () => (await merged()).join() === 'east,harbour,north,south')
    for (const node of stay) assert.equal((await node.status())?.rejections, [], `${node.name} blames nobody`)
    const replayed = await run(north, 'log', 'verify', '--replay')
    assert.match(replayed, /^harbour +\d+ +[1-9]/m, 'merges of the newcomer were recomputed')
    const bundle = join(folder, 'all.bundle')
    await run(harbour, 'log', 'export', '-o', bundle)
    const { code, out, err } = await consilium(['log', 'verify', bundle])
    assert.is(code, 3, err)
    assert.match(out, /^epoch +2, the newest in it/m)
  }))

it.run()
