/** Real daemons train a model that fits no message: its updates are announced, and fetched in chunks, also by who was away. */
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ReplayReport } from '../../src/daemon/api.ts'
import { bind, consortium, inFolder, patients, propose, startAll, studyText, type TestNode, until } from './kit.ts'

const it = suite('big models')
const ROUNDS = 14
const SLOW_UPLINK = fileURLToPath(new URL('./slowUplink.mjs', import.meta.url))
/** 67,328 shared weights: 67 kB as int8, 135 kB as float16. */
const MODEL = 'model: { kind: mlp, hidden: [256, 256] }'

const phaseOf = async (node: TestNode): Promise<string> => (await node.status())?.studies[0]?.phase ?? 'down'
const mergedAt = (node: TestNode): number[] =>
  [...node.log.matchAll(/round-complete [^\n]* merged=(\d+)/g)].map(([, merged]) => Number(merged))

it('three hospitals train it with top-k deltas; who was away until the others had ended merges their newest updates', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'west'])))
    const [north, south, west] = nodes as [TestNode, TestNode, TestNode]
    await startAll(nodes)
    const text = studyText({ rounds: ROUNDS, periodSeconds: 1.5 }).replace('model: { kind: logistic }', MODEL)
    const study = await propose(folder, nodes, `${text}coding: { kind: top-k, share: 0.1, keyframeRounds: 3 }\n`)
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
    await until(90_000, 'all to have merged all three', async () => nodes.every((node) => mergedAt(node).includes(3)))
    await west.end('SIGKILL')
    await until(90_000, 'the end of the others', async () =>
      (await Promise.all([north, south].map(phaseOf))).every((phase) => phase === 'ended'),
    )
    west.log = ''
    await west.start()
    await until(60_000, 'the end at west', async () => (await phaseOf(west)) === 'ended')
    assert.ok(mergedAt(west).includes(3), `west, of what nobody publishes any more: ${mergedAt(west)}`)
    for (const node of nodes) {
      const { logs } = await node.client.get<{ logs: ReplayReport[] }>('/v1/log/replay')
      const own = logs.find(({ name }) => name === node.name)
      assert.equal(own?.differences, [])
      assert.ok((own?.equal ?? 0) > 0, `${node.name} recomputed ${own?.equal} of ${own?.merges}`)
    }
  }))

it('who needs longer than a round to send its model is merged in part, every round, and such merges are recomputed', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'west'])))
    const [, , west] = nodes as [TestNode, TestNode, TestNode]
    west.nodeArguments.push('--import', SLOW_UPLINK)
    await startAll(nodes)
    const text = studyText({ rounds: 8, periodSeconds: 2 }).replace('model: { kind: logistic }', MODEL)
    const study = await propose(folder, nodes, `${text}coding: { kind: int8 }\n`)
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
    await until(120_000, 'the end', async () =>
      (await Promise.all(nodes.map(phaseOf))).every((phase) => phase === 'ended'),
    )
    for (const node of nodes.filter((one) => one !== west)) {
      const inParts = [...node.log.matchAll(/merged-in-part [^\n]* updates=(\d+)/g)]
      assert.ok(inParts.length >= 3, `${node.name} merged parts in ${inParts.length} rounds`)
    }
    for (const { client, name } of nodes) {
      const { logs } = await client.get<{ logs: ReplayReport[] }>('/v1/log/replay')
      for (const log of logs) assert.equal(log.differences, [], `${log.name} at ${name}`)
      assert.ok(
        logs.some(({ equal }) => equal > 0),
        `${name} recomputed nothing`,
      )
    }
  }))

it.run()
