/** Hospitals that train, and what must hold of a log whose node has lost something: what the recovery tests share. */
import * as assert from 'uvu/assert'
import type { EntryReport, VerifyReport } from '../../src/daemon/api.ts'
import { bind, consortium, patients, propose, startAll, studyText, type TestNode, until } from './kit.ts'

export const roundOf = async (node: TestNode): Promise<number> => (await node.status())?.studies[0]?.round ?? -1
export const sizeOf = async (at: TestNode, name: string): Promise<number> =>
  (await at.status())?.ledger.find((log) => log.name === name)?.size ?? -1

/** Three hospitals that train; the study does not end. */
export async function training(folder: string, nodes: TestNode[]): Promise<[TestNode, TestNode, TestNode]> {
  nodes.push(...(await consortium(folder, ['one', 'two', 'three'])))
  await startAll(nodes)
  const study = await propose(folder, nodes, studyText({ rounds: 5_000, periodSeconds: 0.1, deadlineSeconds: 2 }))
  for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
  const [one, two, three] = nodes as [TestNode, TestNode, TestNode]
  await until(30_000, 'some rounds', async () => (await roundOf(one)) >= 5)
  return [one, two, three]
}

/** The rounds that an own log says were published, and whether nobody has seen a contradiction. */
export async function checkHistory(node: TestNode, others: readonly TestNode[]): Promise<void> {
  const { entries } = await node.client.get<{ entries: EntryReport[] }>(
    `/v1/log?member=${node.name}&kind=round.published&limit=10000`,
  )
  const rounds = entries.map((entry) => (entry.body as { round: number }).round)
  assert.equal(
    rounds,
    [...new Set(rounds)].sort((a, b) => a - b),
    'each round is published once, in order',
  )
  for (const other of others) {
    const log = (await other.status())?.ledger.find((one) => one.name === node.name)
    assert.is(log?.forked, false, `${other.name} has seen no contradiction`)
  }
  const { logs } = await node.client.get<{ logs: VerifyReport[] }>('/v1/log/verify')
  assert.ok(logs.every((log) => log.ok))
}
