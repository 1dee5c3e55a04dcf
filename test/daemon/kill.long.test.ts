/** SIGKILL at random moments, again and again, start included: nothing is lost, nothing is said twice, and the study ends. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import type { EntryReport, VerifyReport } from '../../src/daemon/api.ts'
import type { ModelReport } from '../../src/daemon/modelReport.ts'
import { bind, consortium, inFolder, patients, propose, startAll, studyText, type TestNode, until } from './kit.ts'

const it = suite('killed again and again')
const KILLS = 40
const ROUNDS = 600
const SEED = process.env.CONSILIUM_SEED ?? String(Math.floor(Math.random() * 1e9)) // moments differ from run to run

it(`${KILLS} kills at random moments (CONSILIUM_SEED=${SEED})`, () =>
  inFolder(async (folder, nodes) => {
    const rng = Rng.from('kills', SEED)
    nodes.push(...(await consortium(folder, ['one', 'two', 'three'])))
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: ROUNDS, periodSeconds: 0.05 }))
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
    const roundOf = async (node: TestNode): Promise<number> => (await node.status())?.studies[0]?.round ?? 0
    const phaseOf = async (node: TestNode): Promise<string> => (await node.status())?.studies[0]?.phase ?? 'down'

    for (let kill = 0; kill < KILLS; kill++) {
      const node = nodes[rng.below(nodes.length)] as TestNode
      await new Promise((resolve) => setTimeout(resolve, rng.below(400)))
      const before = await roundOf(node)
      await node.end('SIGKILL')
      if (rng.below(3) === 0) {
        const start = node.start() // and once more while it starts
        await new Promise((resolve) => setTimeout(resolve, rng.below(900)))
        await Promise.all([node.end('SIGKILL'), start.catch(() => undefined)])
      }
      await node.start()
      await until(20_000, `${node.name} to be back`, async () => (await roundOf(node)) >= before)
    }
    await until(180_000, 'the end of the study', async () =>
      (await Promise.all(nodes.map(phaseOf))).every((phase) => phase === 'ended'),
    )
    await until(30_000, 'all logs everywhere', async () => {
      const roots = await Promise.all(
        nodes.map(async (node) => JSON.stringify((await node.status())?.ledger.map((log) => log.root))),
      )
      return new Set(roots).size === 1
    })
    for (const node of nodes) {
      const status = await node.status()
      assert.ok(status?.ledger.every(({ forked }) => !forked))
      assert.equal(status?.rejections, [], 'nobody honest is blamed')
      const { logs } = await node.client.get<{ logs: VerifyReport[] }>('/v1/log/verify')
      assert.ok(logs.every(({ ok }) => ok))
      const { entries } = await node.client.get<{ entries: EntryReport[] }>(
        `/v1/log?member=${node.name}&kind=round.published&limit=10000`,
      )
      const rounds = entries.map(({ body }) => (body as { round: number }).round)
      assert.equal(
        rounds,
        [...new Set(rounds)].sort((a, b) => a - b),
        `${node.name} publishes each round once, in order`,
      )
      const { shared } = await node.client.get<ModelReport>(`/v1/studies/${study}/model`)
      assert.ok(shared.every(Number.isFinite))
    }
  }))

it.run()
