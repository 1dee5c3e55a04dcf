/** A settlement at two real daemons: measured by one that is asked and one that does so by itself, closed by both, checked from a file by nobody's node. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AgreementLine } from '../../src/daemon/agreementApi.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import type { SettlementListLine, SettlementMeasured, SettlementReport } from '../../src/daemon/settlementApi.ts'
import {
  bind,
  consilium,
  consortium,
  inFolder,
  patients,
  propose,
  startAll,
  studyText,
  type TestNode,
  until,
} from './kit.ts'

const it = suite('settlement at daemons')
const EXPIRES = '2090-01-01'
const ROUNDS = 6

interface Told {
  readonly body: { readonly round: number; readonly inputs?: readonly unknown[] }
}

async function entries(node: TestNode, kind: string): Promise<Told[]> {
  const path = `/v1/log?kind=${kind}&limit=1000&member=${node.name}`
  return (await node.client.get<{ entries: Told[] }>(path)).entries
}

async function ran(node: TestNode, ...args: string[]): Promise<string> {
  const { code, out, err } = await consilium([...args, '--home', node.home])
  assert.is(code, 0, `${args.join(' ')}: ${err}`)
  return out
}

async function agreed(folder: string, nodes: readonly TestNode[], study: string): Promise<void> {
  const [north] = nodes as [TestNode]
  const file = join(folder, 'clinics.agreement.yaml')
  await ran(north, 'agreement', 'new', file, '--study', study, '--expires', EXPIRES, '--name', 'Clinics')
  const text = (await readFile(file, 'utf8'))
    .replace('minimumCohort: 10', 'minimumCohort: 5')
    .replace('{ rule: none }', '{ rule: by-marginal-value, pool: { amount: 90001, unit: EUR-cents } }')
  await writeFile(file, text)
  const { agreement } = JSON.parse(await ran(north, 'agreement', 'propose', file, '--json')) as { agreement: string }
  const statusAt = async (node: TestNode): Promise<string | undefined> => {
    const { agreements } = await node.client.get<{ agreements: AgreementLine[] }>('/v1/agreements')
    return agreements[0]?.status
  }
  for (const node of nodes) {
    await until(20_000, `the agreement to reach ${node.name}`, async () => (await statusAt(node)) !== undefined)
    await node.client.post(`/v1/agreements/${agreement}/sign`, {})
  }
  for (const node of nodes)
    await until(20_000, `the signatures to be final at ${node.name}`, async () => (await statusAt(node)) === 'active')
}

it('a period that one hospital proposes to close is closed by all, to the same cent, and computed again from a file', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    const { config } = homePaths(south.home)
    await writeFile(config, (await readFile(config, 'utf8')).replace('measure: ask', 'measure: auto'))
    await startAll(nodes)
    const unsteady = studyText({ rounds: ROUNDS, periodSeconds: 1, deadlineSeconds: 60 }) // both take part from the first round on
    const text = unsteady.replace('learningRate: 0.05', 'learningRate: 6') // so that merging is worth whole steps of what is told
    const study = await propose(folder, nodes, text)
    await agreed(folder, nodes, study)
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(480 + 120 * i, i + 1))
    const shown = async (node: TestNode, period = ''): Promise<SettlementReport> =>
      node.client.get<SettlementReport>(`/v1/settlements/statement?agreement=Clinics${period}`)
    const measuredOf = async (name: string): Promise<number> =>
      (await shown(north)).lines.find((line) => line.name === name)?.measured ?? 0
    await until(60_000, 'south to measure its merges by itself, the last too', async () => {
      const trained = (await entries(south, 'round.trained')).length
      const merged = (await entries(south, 'round.merged')).filter(({ body }) => (body.inputs?.length ?? 0) > 1)
      const measured = new Set((await entries(south, 'value.measured')).map(({ body }) => body.round))
      return trained === ROUNDS && measured.size >= 2 && measured.has(Math.max(...merged.map(({ body }) => body.round)))
    })
    await until(20_000, 'north to measure', async () => {
      const how = { study, method: 'tmc', permutations: 20, last: 10 }
      const { rounds } = await north.client.post<SettlementMeasured>('/v1/settlements/measure', how)
      for (const { values } of rounds) assert.not.ok(values.some(({ name }) => name === 'north'))
      return (await measuredOf('south')) > 0 // what others trained is measured when it is final
    })
    await ran(north, 'settlement', 'propose', 'Clinics')
    for (const node of nodes)
      await until(40_000, `the close at ${node.name}`, async () => {
        const path = '/v1/settlements'
        const { settlements } = await node.client.get<{ settlements: SettlementListLine[] }>(path)
        return settlements[0]?.status === 'closed'
      })
    const [one, other] = (await Promise.all(nodes.map((node) => shown(node, '&period=1')))) as SettlementReport[]
    assert.equal([one?.status, one?.shared, one?.result], ['closed', 90_001, other?.result])
    assert.equal(
      other?.lines.map(({ amount }) => amount),
      one?.lines.map(({ amount }) => amount),
    )
    const ref = one?.proposal?.entry as string
    const bundle = join(folder, 'all.bundle')
    await ran(south, 'log', 'export', '--out', bundle)
    for (const node of nodes) await node.end('SIGTERM')
    const root = one?.origin.fingerprint as string
    const checked = await consilium(['settlement', 'check', ref, '--bundle', bundle, '--root', root])
    assert.is(checked.code, 0, checked.err)
    assert.match(checked.out, /computed again from its entries: the same to the unit/)
    const unnamed = await consilium(['settlement', 'check', ref, '--bundle', bundle])
    assert.is(unnamed.code, 3)
    const missing = await consilium(['settlement', 'check', 'north/1', '--bundle', bundle, '--root', root])
    assert.match(missing.err, /no final proposal/)
  }))

it.run()
