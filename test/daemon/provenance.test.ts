/** A hospital's table altered while it trains: found before the next round, named row by row, and told to the others as another version. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { DatasetReport, DatasetVerdict } from '../../src/daemon/datasetApi.ts'
import type { FamilyReport } from '../../src/report/family.ts'
import { entries, recordOf, rounds, withRecords } from './consentKit.ts'
import { consilium, consortium, filesIn, inFolder, propose, startAll, studyText, type TestNode, until } from './kit.ts'

const it = suite('provenance')

async function json<T>(code: number, ...args: string[]): Promise<T> {
  const ended = await consilium([...args, '--json'])
  assert.is(ended.code, code, `${args.join(' ')}: ${ended.err}`)
  return JSON.parse(ended.out) as T
}

const more = async (node: TestNode, count: number): Promise<void> => {
  const before = (await rounds(node)).length
  await until(20_000, `rounds at ${node.name}`, async () => (await rounds(node)).length >= before + count)
}

/** Every byte in a folder's files. */
async function bytesIn(folder: string): Promise<string> {
  return (await filesIn(folder)).map(({ bytes }) => bytes.toString('latin1')).join('\n')
}

it('a table that was altered is found before the next round; the rows are named here, and elsewhere its version alone', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 100_000, periodSeconds: 0.2 }))
    const file = join(folder, 'north.csv')
    const text = withRecords('north', 120, 1)
    await writeFile(file, text)
    await writeFile(join(folder, 'south.csv'), withRecords('south', 120, 2))
    const at = ['--home', north.home]
    const register = ['dataset', 'register', file, '--name', 'stroke', ...at]
    const bind = (node: TestNode): string[] => [
      'study',
      'bind',
      study,
      '--ignore-extra',
      '--data',
      join(folder, `${node.name}.csv`),
      '--home',
      node.home,
    ]
    const first = await json<DatasetReport>(0, ...register, '--key-column', 'mrn')
    const bound = await json<{ version: unknown }>(0, ...bind(north))
    assert.equal(bound.version, { name: 'stroke', number: 1 })
    assert.is((await json<{ version: unknown }>(0, ...bind(south))).version, null)
    await more(north, 2)

    const lines = text.trimEnd().split('\n')
    lines[41] = (lines[41] as string).replace(/(yes|no)$/, (ill) => (ill === 'yes' ? 'no' : 'yes'))
    await writeFile(file, `${lines.join('\n')}\n`)
    await until(20_000, 'the change to be found', async () =>
      ((await north.status())?.studies[0]?.failure ?? '').startsWith('data-changed'),
    )
    const [stands] = [(await rounds(north)).length]
    const verdict = await json<DatasetVerdict>(1, 'dataset', 'verify', 'stroke', ...at)
    assert.equal([verdict.changed, verdict.added, verdict.removed], [1, 0, 0])
    assert.equal(verdict.shown, [{ what: 'changed', key: recordOf('north', 40), registeredLine: 42, line: 42 }])
    assert.is((await rounds(north)).length, stands, 'nothing trains on it')

    const second = await json<DatasetReport>(0, ...register)
    await json(0, ...bind(north))
    await more(north, 2) // at once: the pause after a failure is longer than this test
    const told = (await entries(south, 'dataset.bound')) as unknown as { body: { version?: string } }[]
    assert.equal(
      told.map(({ body }) => body.version),
      [undefined],
    )
    const family = (): Promise<FamilyReport> =>
      json<FamilyReport>(0, 'model', 'lineage', study, '--member', 'north', '--home', south.home)
    await until(20_000, 'both versions behind the model, at the other hospital', async () => {
      const { hospitals } = await family()
      const tables = hospitals.find(({ name }) => name === 'north')?.tables ?? []
      return tables.map(({ version }) => version).join() === `${first.version},${second.version}`
    })
    for (const node of nodes) await node.end('SIGTERM')
    for (const [i, node] of nodes.entries()) {
      const kept = await bytesIn(node.home)
      for (let row = 0; row < 120; row++) assert.not.ok(kept.includes(recordOf(node.name, row)), `${i} ${row}`)
    }
  }))

it.run()
