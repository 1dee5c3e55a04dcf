/** Datasets, requests and counts at real daemons: announced, asked for, granted, counted, taken back. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AccessLine } from '../../src/daemon/accessApi.ts'
import type { CatalogueDetails, CatalogueLine } from '../../src/daemon/catalogueApi.ts'
import type { CountAskedReport, CountReport } from '../../src/daemon/countApi.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import { recordOf, withRecords } from './consentKit.ts'
import { consilium, consortium, inFolder, propose, signing, startAll, studyText, type TestNode, until } from './kit.ts'

const it = suite('access at daemons')
const UNTIL = '2030-12-31'
const NAME = 'Anna Schmidt'

const at = (node: TestNode, ...args: string[]) => consilium([...args, '--home', node.home])
async function json<T>(node: TestNode, ...args: string[]): Promise<T> {
  const { code, out, err } = await at(node, ...args, '--json')
  assert.is(code, 0, `${args.join(' ')}: ${err}`)
  return JSON.parse(out) as T
}
async function refusedBy(node: TestNode, args: string[], says: RegExp): Promise<void> {
  const { code, err } = await at(node, ...args)
  assert.is(code, 1, args.join(' '))
  assert.match(err, says)
  assert.is(err.trim().split('\n').length, 1, err)
}

/** A column of names beside the record numbers. */
const withNames = (csv: string): string =>
  csv
    .trimEnd()
    .split('\n')
    .map((line, i) => `${line},${i === 0 ? 'name' : `${NAME} ${i}`}`)
    .join('\n')

async function registered(folder: string, node: TestNode, rows: number): Promise<string> {
  const file = join(folder, `${node.name}.csv`)
  await writeFile(file, `${withNames(withRecords(node.name, rows, 7))}\n`)
  await node.client.post('/v1/datasets', { path: file, name: 'memory', keyColumn: 'mrn' })
  return file
}

const granted = (node: TestNode, ref: string): Promise<void> =>
  until(15_000, 'the grant to be final', async () => {
    const { requests } = await node.client.get<{ requests: AccessLine[] }>('/v1/access')
    return requests.some((one) => one.ref === ref && one.status === 'granted')
  })

async function count(node: TestNode, where: string): Promise<CountReport> {
  const { ref } = await node.client.post<CountAskedReport>('/v1/counts', { where, at: ['north/memory'] })
  let report = await node.client.get<CountReport>(`/v1/counts/show?ref=${ref}`)
  await until(15_000, 'the answer', async () => {
    report = await node.client.get<CountReport>(`/v1/counts/show?ref=${ref}`)
    return report.waiting === 0
  })
  return report
}

/** Requests that a hospital has to answer. */
async function waiting(node: TestNode): Promise<string[]> {
  const { requests } = await node.client.get<{ requests: AccessLine[] }>('/v1/access?which=waiting')
  return requests.map(({ ref }) => ref)
}

it('announced, asked for, granted, counted by itself, bound, taken back: and no name or record number in any log', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    const { config } = homePaths(north.home)
    await writeFile(config, (await readFile(config, 'utf8')).replace('studies: free', 'studies: granted'))
    await startAll(nodes)
    const file = await registered(folder, north, 140)
    const announced = await json<CatalogueLine>(
      north,
      'catalogue',
      'announce',
      'memory',
      '--purposes',
      'DUO:0000006',
      '--columns',
      '--texts',
      'sex',
      'ill',
    )
    assert.equal(
      announced.announced?.columns.map(({ name, values }) => [name, values]),
      [
        ['age', null],
        ['marker', null],
        ['sex', ['f', 'm']],
        ['ill', ['no', 'yes']],
      ],
    )
    assert.equal([announced.announced?.count, announced.announced?.counted], [120, 'patients'])
    await until(15_000, 'the catalogue', async () => {
      const { datasets } = await south.client.get<{ datasets: CatalogueLine[] }>('/v1/catalogue')
      return datasets[0]?.status === 'announced'
    })

    const where = "age >= 50 and sex = 'f'"
    const before = await count(south, where)
    assert.equal([before.answers[0]?.code, before.answers[0]?.spent], ['not-granted', 0])
    const asking = { member: 'north', dataset: 'memory', purposes: ['DUO:0000006'], until: Date.parse(UNTIL) }
    const asked = await south.client.post<AccessLine>('/v1/access', asking)
    await until(10_000, 'the request', async () => (await waiting(north)).includes(asked.ref))

    const study = await propose(folder, [south, north], studyText({ rounds: 100_000, deadlineSeconds: 1 }))
    const bind = ['study', 'bind', study.slice(0, 10), '--data', file, '--ignore-extra']
    await refusedBy(
      north,
      bind,
      /nobody has asked for dataset memory for study .* ask south to run: consilium access ask north memory --study/,
    )
    const forStudy = await south.client.post<AccessLine>('/v1/access', { ...asking, study })
    await until(10_000, 'the request', async () => (await waiting(north)).includes(forStudy.ref))
    await refusedBy(
      north,
      bind,
      new RegExp(`south asked .* entry ${forStudy.ref}, and north has not answered: consilium access grant`),
    )
    for (const { ref } of [asked, forStudy]) await north.client.post('/v1/access/grant', { ref })
    for (const { ref } of [asked, forStudy]) await granted(north, ref)
    assert.is((await at(north, ...bind)).code, 0)

    const told = await json<CountAskedReport>(south, 'count', '--where', where, '--at', 'north/memory')
    assert.equal([told.answers[0]?.code, told.answers[0]?.spent, told.answers[0]?.left], ['counted', 0.2, 1.8])
    const words = "sex = 'f' and age >= 50.0"
    const again = await count(south, words)
    assert.equal(
      [again.answers[0]?.code, again.answers[0]?.count, again.answers[0]?.spent],
      ['repeated', told.answers[0]?.count, 0],
    )
    await north.end('SIGKILL')
    await north.start()
    await signing(nodes)
    const { told: spent } = await north.client.get<CatalogueDetails>('/v1/catalogue/show?ref=north/memory')
    assert.is(spent?.inAll, 0.2, 'after a kill')

    for (const { ref } of [asked, forStudy]) await north.client.post('/v1/access/revoke', { ref, reason: 'breach' })
    const after = await count(south, 'age >= 50')
    assert.is(after.answers[0]?.code, 'not-granted')
    await until(15_000, 'rounds to be refused', async () => {
      const status = await north.status()
      return status?.studies.find(({ id }) => id === study)?.refusal === 'access-revoked'
    })
    const { entries: denied } = await north.client.get<{ entries: { body: { reason: string } }[] }>(
      '/v1/log?kind=access.denied&limit=100',
    )
    const reasons = denied.map(({ body }) => body.reason).filter((reason) => reason !== 'pending') // as after a start
    assert.equal(reasons.sort(), ['asked', 'missing', 'revoked'])

    for (const node of nodes) {
      const out = JSON.stringify(await node.client.get('/v1/log?limit=1000'))
      assert.ok(out.includes('count.answered'))
      for (const secret of ['Schmidt', recordOf('north', 3), 'QX-']) assert.not.ok(out.includes(secret), secret)
    }
  }))

it.run()
