/** What a copy of a hospital's folder gives away, and what a restored one brings back: real daemons, their files read as bytes. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { RedactionReport, RestoreReport, StatusReport } from '../../src/daemon/api.ts'
import { DatasetFiles } from '../../src/daemon/datasetFiles.ts'
import { openHome } from '../../src/daemon/home.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import { readKeyFile } from '../../src/store/keyFile.ts'
import { asking, bindTo, entries, recordOf, rootsOfNext, said, withRecords } from './consentKit.ts'
import { consilium, consortium, filesIn, inFolder, propose, signing, startAll, type TestNode, until } from './kit.ts'

const it = suite('at rest')

const NAME = 'Quuxhagen, Adelheid'

async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await consilium(args)
  assert.is(code, 0, `${args.join(' ')}: ${err}`)
  return out
}

const bytesIn = async (folder: string): Promise<Buffer> =>
  Buffer.concat((await filesIn(folder)).map(({ bytes }) => bytes))

/** Whether a bundle has the name in any of its entries. */
async function tells(bundle: string): Promise<boolean> {
  const text = await readFile(bundle, 'latin1')
  return [...text.matchAll(/[A-Za-z0-9+/=_-]{40,}/g)].some(([one]) => Buffer.from(one, 'base64').includes(NAME))
}

const redactionsAt = async (node: TestNode) =>
  (await node.client.get<{ redactions: RedactionReport[] }>('/v1/log/redactions')).redactions

it('an erased patient and a redacted name come back with no restored backup, and the node goes on', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const text = asking('opt-out')
    const study = await propose(folder, nodes, text.replace('Test study', NAME))
    await bindTo(folder, north, study, withRecords('north', 120, 1))
    await rootsOfNext(north, 1)
    await said(north, 'revoke', recordOf('north', 12))
    const table = join(folder, 'north.csv')
    await done('dataset', 'register', table, '--name', 'wards', '--home', north.home)
    const backup = join(folder, 'backup')
    await done('backup', '--out', backup, '--home', north.home)

    // what a thief of backup and folder has: neither keys nor record numbers
    const { key, dataKey, paths } = await openHome(north.home)
    const file = await readKeyFile(paths.vaultKey)
    const secrets = [key.seed, dataKey as Uint8Array, ...(file?.node ?? []), ...(file?.vault ?? [])]
    const copied = Buffer.concat([await readFile(backup), await bytesIn(north.home)])
    assert.ok(copied.includes(NAME), 'the ledger is as all members have it')
    for (const secret of secrets) assert.not.ok(copied.includes(Buffer.from(secret)))
    for (const secret of secrets) assert.not.ok(copied.includes(Buffer.from(secret).toString('hex')))
    assert.not.ok(copied.includes(recordOf('north', 12)))
    const { datasets } = homePaths(north.home)
    const [version] = await new DatasetFiles(datasets, dataKey).versions('wards')
    assert.not.ok(copied.includes(Buffer.from(version?.secret ?? '')))

    // erased, and the name taken back while the other is away
    const bundles = ['before', 'after'].map((name) => join(folder, name)) as [string, string]
    await done('log', 'export', '--out', bundles[0], '--home', north.home)
    await north.client.post('/v1/subjects/erase', { subjects: [recordOf('north', 12)], reason: 'patient-request' })
    const [proposal] = await entries(north, 'study.proposed')
    await south.end('SIGTERM')
    const corrected = join(folder, 'corrected.study.yaml')
    await writeFile(corrected, text.replace('Test study', 'Falls in wards'))
    const ref = `north/${proposal?.seq}`
    await done('log', 'redact', ref, '--reason', 'personal-data', '--with', corrected, '--home', north.home)
    assert.is((await north.status())?.studies[0]?.name, 'Falls in wards')
    await startAll([south])
    await until(60_000, 'the redaction at south', async () => (await redactionsAt(south))[0]?.gone ?? false)
    const shown = await done('log', 'show', ref, '--home', south.home)
    assert.match(shown, /REDACTED by its author.*personal-data \(north\/\d+\)/)
    await done('log', 'export', '--out', bundles[1], '--home', south.home)
    const { consortium: founded } = (await north.status()) as StatusReport
    for (const bundle of bundles) await done('log', 'verify', bundle, '--root', founded.fingerprint)
    assert.equal([await tells(bundles[0]), await tells(bundles[1])], [true, false])

    // the machine is lost; what comes back is as old as the backup
    await until(60_000, 'south to have it all', async () => {
      const sizes = await Promise.all(
        nodes.map(async (one) => (await one.status())?.ledger.find(({ name }) => name === 'north')?.size),
      )
      return sizes[0] !== undefined && sizes[0] === sizes[1]
    })
    await north.end('SIGKILL')
    await rename(north.home, join(folder, 'lost'))
    const report = JSON.parse(await done('restore', backup, '--home', north.home, '--json')) as RestoreReport
    assert.is(report.keys, 'opened')
    assert.match(report.vault, /after an erasure an older copy of either is of no use/)
    assert.ok((await bytesIn(north.home)).includes(NAME))
    await north.start()
    await signing([north])
    assert.match(await done('dataset', 'verify', 'wards', '--home', north.home), /the same 120 rows in the same order/)
    await until(60_000, 'the restore to be told', async () => (await entries(north, 'operator.restored')).length === 1)
    const subject = recordOf('north', 12)
    const asked = await north.client.post('/v1/subjects/report', { subject }).catch((error: Error) => error.message)
    assert.match(String(asked), /does not open the vault/)
    await until(60_000, 'the redaction again', async () => (await redactionsAt(north))[0]?.gone ?? false)
    assert.is((await south.status())?.ledger.find(({ name }) => name === 'north')?.forked, false)
    await done('log', 'verify', '--full', '--home', north.home)
    for (const node of nodes) assert.is(await node.end('SIGTERM'), 0)
    for (const node of nodes) assert.not.ok((await bytesIn(homePaths(node.home).folder)).includes(NAME), node.name)
  }))

it.run()
