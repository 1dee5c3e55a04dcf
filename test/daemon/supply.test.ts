/** Goods at real daemons: a wholesaler ships, a hospital receives, another traces; a recall of many lots, and a body that is taken back. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type {
  SupplyImportReport,
  SupplyProductReport,
  SupplyRecallsReport,
  SupplyScopeReport,
  SupplyTraceReport,
} from '../../src/daemon/supplyApi.ts'
import { BOX, HOSPITAL, made, measured, PLANT, pack, packed, seen } from '../governance/supply/kit.ts'
import { consilium, consortium, inFolder, startAll, type TestNode, until } from './kit.ts'

const it = suite('supply')

/** Exit code 1 where something is wrong with goods. */
async function supply<T>(node: TestNode, ...args: string[]): Promise<T> {
  const { out, err } = await consilium(['supply', ...args, '--home', node.home, '--json'])
  if (out === '') throw new Error(err)
  return JSON.parse(out) as T
}

it('what one ships another receives and a third traces; a recalled lot is named when it comes in; what is redacted is gone', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['depot', 'north', 'south'])))
    const [depot, north, south] = nodes as [TestNode, TestNode, TestNode]
    await startAll(nodes)
    const file = async (name: string, events: readonly unknown[]): Promise<string> => {
      await writeFile(join(folder, name), events.map((one) => JSON.stringify(one)).join('\n'))
      return join(folder, name)
    }
    const toHospital = { destinationList: [{ type: 'location', destination: HOSPITAL.id }] }
    const shipped = [made(0, ['A', 'B']), packed(5, ['A', 'B']), seen(10, 'shipping', BOX, PLANT, toHospital)]
    assert.is((await supply<SupplyImportReport>(depot, 'import', await file('out', shipped))).recorded, 3)
    await supply<SupplyProductReport>(
      south,
      'product',
      '09506000134352',
      '--min',
      '35.6',
      '--max',
      '46.4',
      '--unit',
      'FAH',
    )
    const traceAt = (node: TestNode, item: string): Promise<SupplyTraceReport | null> =>
      supply<SupplyTraceReport>(node, 'trace', item).catch(() => null)
    await until(20_000, 'the goods to be known', async () => (await traceAt(north, pack('A')))?.ranges.length === 1)

    const received = [measured(60, BOX, 9.5), seen(90, 'receiving', BOX, HOSPITAL), packed(95, ['A', 'B'], 'DELETE')]
    await supply(north, 'import', await file('in', received))
    await until(20_000, 'the receipt', async () => (await traceAt(south, pack('A')))?.standing.state === 'here')
    const traced = (await traceAt(south, pack('A'))) as SupplyTraceReport
    assert.equal(
      traced.steps.map(({ step, by, within }) => `${step} ${by} ${within.length}`),
      [
        'commissioning depot 0',
        'packing depot 0',
        'shipping depot 1',
        'transporting north 1',
        'receiving north 1',
        'unpacking north 0',
      ],
    )
    assert.equal(
      traced.findings.map(({ code, celsius }) => [code, celsius]),
      [['excursion', 9.5]],
    )
    assert.equal([traced.standing.by, traced.ranges[0]?.low, traced.ranges[0]?.high], ['north', 2, 8])

    const lots = Array.from({ length: 1_500 }, (_, i) => `(01)09506000134352(10)L${i}`)
    await writeFile(join(folder, 'lots.txt'), `# of the plant\n${lots.join('\n')}\n`)
    const list = ['--list', join(folder, 'lots.txt')]
    const recalled = await supply<SupplyScopeReport>(depot, 'recall', ...list, '--reason', 'sterility', '--class', '1')
    assert.equal([recalled.list?.items, recalled.list?.slices, recalled.list?.missing], [1_500, 2, []])
    const listsAt = async (node: TestNode) => (await supply<SupplyRecallsReport>(node, 'recalls')).lists
    await until(20_000, 'the recall', async () => (await listsAt(north))[0]?.missing.length === 0)
    const again = [made(0, ['C']), seen(200, 'receiving', pack('C'), HOSPITAL)]
    const { warnings, recorded } = await supply<SupplyImportReport>(north, 'import', await file('late', again))
    assert.equal(
      warnings.map(({ item, recall }) => [item.slice(-1), recall.by, recall.class]),
      [['C', 'depot', 1]],
    )
    assert.is(recorded, 2)

    const [entry] = traced.steps.filter(({ step }) => step === 'receiving').map((one) => one.entry)
    const { code, err } = await consilium([
      'log',
      'redact',
      entry as string,
      '--reason',
      'erasure-order',
      '--home',
      north.home,
    ])
    assert.is(code, 0, err)
    for (const node of [north, south])
      await until(
        20_000,
        `the body to be gone at ${node.name}`,
        async () => (await traceAt(node, pack('A')))?.steps.length === 3,
      )
  }))

it.run()
