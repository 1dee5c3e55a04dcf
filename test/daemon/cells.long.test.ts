/** Real daemons whose study meets in cells: everybody merges with different mates over time, and through a restart. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { recorded } from '../../src/daemon/recorder.ts'
import type { Action } from '../../src/node/actions.ts'
import { Machine } from '../../src/node/machine.ts'
import {
  bind,
  consilium,
  consortium,
  inFolder,
  patients,
  propose,
  signing,
  studyText,
  type TestNode,
  until,
} from './kit.ts'
import { roundOf } from './recoveryKit.ts'

const it = suite('daemons in cells')
const NAMES = ['north', 'south', 'east', 'west', 'harbour']
const ROUNDS = 40
const PERIOD_SECONDS = 2

it('five hospitals in cells of two and three, one of them restarted: each meets those that it is dealt to, and nobody is blamed', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, NAMES)))
    const record = (node: TestNode, start: number): string[] => ['--record', join(folder, `${node.name}.${start}`)]
    await Promise.all(nodes.map((node) => node.start(...record(node, 0))))
    await signing(nodes)
    const text = `${studyText({ rounds: ROUNDS, periodSeconds: 0.25, deadlineSeconds: 5 })}cells: { above: 4, size: 4, periodSeconds: ${PERIOD_SECONDS} }\n`
    const study = await propose(folder, nodes, text)
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
    const [, south] = nodes as [TestNode, TestNode]
    await until(60_000, 'some rounds', async () => (await roundOf(south)) >= 15)
    assert.is(await south.end('SIGTERM'), 0)
    await south.start(...record(south, 1))
    await until(120_000, 'the end of the study', async () => {
      const reports = await Promise.all(nodes.map((node) => node.status()))
      return reports.every((status) => status?.studies[0]?.phase === 'ended')
    })
    const members = new Map<TestNode, string | undefined>()
    for (const node of nodes) {
      const status = await node.status()
      members.set(node, status?.member)
      assert.equal(status?.rejections, [], `${node.name} blames nobody`)
    }
    const shown = await consilium(['study', 'show', study.slice(0, 10), '--home', south.home])
    assert.match(shown.out, /^cells +above 4 members, of at most 4; dealt anew every 2 s/m)
    for (const node of nodes) assert.is(await node.end('SIGTERM'), 0)

    const byNode = new Map<TestNode, Action[]>()
    for (const node of nodes) {
      const starts = node === south ? [0, 1] : [0]
      byNode.set(node, (await Promise.all(starts.map((start) => actionsOf(record(node, start)[1] as string)))).flat())
    }
    for (const [node, actions] of byNode) {
      const met = new Set(
        actions.flatMap((one) => (one.type === 'merge' ? one.inputs.map(({ author }) => author) : [])),
      )
      const own = cellsOf(actions)
      for (const [other, theirs] of byNode) {
        const shared = [...cellsOf(theirs)].filter((cell) => own.has(cell)).length // chance deals them: of 40 rounds' periods two may share none
        if (shared >= 2)
          assert.ok(
            met.has(members.get(other) as MemberId),
            `${node.name} was dealt to ${other.name} ${shared} times, and has not met it`,
          )
      }
      assert.ok(met.size >= 3, `${node.name} has met ${met.size}`)
      const together = actions.flatMap((one) => (one.type === 'publish-update' ? [one.claims.round] : []))
      assert.ok(together.length >= 10, `${together.length} updates`)
      const topics = actions.filter((one) => one.type === 'topics')
      assert.ok(topics.length >= 5, 'cells changed')
      assert.ok(topics.every(({ listen }) => listen.length <= 3))
      assert.ok(new Set(topics.map(({ publish }) => publish?.period)).size >= 5)
      const heard = refusalsOf(actions)
      assert.ok(
        (heard.get('accept') ?? 0) > 20 * ((heard.get('author-in-another-cell') ?? 0) + 1),
        JSON.stringify([...heard]),
      )
    }
  }))

/** What a fresh machine does with a recording, which is what the daemon did. */
async function actionsOf(path: string): Promise<Action[]> {
  const machine = new Machine()
  const actions: Action[] = []
  for await (const { now, event } of recorded(path)) {
    const done = machine.step(event, now)
    const isOnTopic = event.type === 'update-heard' && event.cell !== 'fetched' // who is asked after a start tells of other cells, too
    actions.push(...(isOnTopic ? done : done.filter(({ type }) => type !== 'verdict')))
  }
  return actions
}

/** The cells that a node published in, by name. */
function cellsOf(actions: readonly Action[]): Set<string> {
  return new Set(
    actions.flatMap((one) =>
      one.type === 'topics' && one.publish !== null ? [Object.values(one.publish).join('/')] : [],
    ),
  )
}

function refusalsOf(actions: readonly Action[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const action of actions) {
    if (action.type !== 'verdict') continue
    const word = action.reason ?? action.verdict
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return counts
}

it.run()
