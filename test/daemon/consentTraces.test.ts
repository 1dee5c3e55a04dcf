/** What is left of patients where others can look: in databases, on the wire and in logs; after a kill, an erasure, a lost key. */
import { copyFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AuditReport, SubjectReport } from '../../src/daemon/consentApi.ts'
import { asking, auditOf, bindTo, entries, recordOf, rootsOfNext, rounds, said, withRecords } from './consentKit.ts'
import { consilium, consortium, inFolder, propose, signing, startAll, type TestNode, until } from './kit.ts'

const it = suite('consent traces')

const DOB = '1961-04-17'
const MOTHER = 'Henriette Obersteiner-Wang, mother'

/** Every byte under a folder but the table that the hospital keeps itself, the vault's key among it where it is there. */
async function bytesUnder(folder: string, but: (name: string) => boolean): Promise<[string, Buffer][]> {
  const found: [string, Buffer][] = []
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name)
    if (!but(name) && (await stat(path)).isFile()) found.push([name, await readFile(path)])
  }
  return found
}

it('no record number, name or date of a patient is in any database, log or recording, and a stranger can check a round', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    for (const node of nodes) await node.start('--record', join(folder, `${node.name}.record`))
    await signing(nodes)
    const study = await propose(folder, nodes, asking('opt-out'))
    for (const [i, node] of nodes.entries()) await bindTo(folder, node, study, withRecords(node.name, 120, i + 1))
    await rootsOfNext(north, 2)
    const consents = [0, 1, 2, 3].map((row) => ({
      ...{
        resourceType: 'Consent',
        status: 'active',
        dateTime: DOB,
        provision: { type: row === 3 ? 'deny' : 'permit' },
      },
      patient: { identifier: { value: recordOf('north', row) } },
      performer: [
        {
          display: MOTHER,
          identifier: {
            type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleCode', code: 'GUARD' }] },
          },
        },
      ],
    }))
    await writeFile(join(folder, 'in.ndjson'), consents.map((one) => JSON.stringify(one)).join('\n'))
    const imported = await consilium(['consent', 'import', join(folder, 'in.ndjson'), '--home', north.home])
    assert.is(imported.code, 0, imported.err)
    await rm(join(folder, 'in.ndjson'))
    await said(north, 'revoke', recordOf('north', 12))
    await rootsOfNext(north, 3)

    const trained = await rounds(north)
    const last = trained.at(-1)
    await said(north, 'revoke', 'QX-elsewhere') // of no table, and after the round: no auditor of it needs to read that
    const opened = join(folder, 'opened.jsonl')
    const audit = await auditOf(north, 'round', `north/${last?.seq}`, '--open', opened)
    assert.equal([audit.faults, audit.unopened, audit.recorded, audit.denials], [[], 0, 5, 2])
    assert.is(audit.patients, 103)
    assert.is(audit.permitted, 101)
    await until(
      20_000,
      'the entry at south',
      async () => ((await south.status())?.ledger.find(({ name }) => name === 'north')?.size ?? 0) > (last?.seq ?? 0),
    )
    assert.equal(
      (await auditOf(south, 'check', opened)).faults,
      [],
      'another member checks it by its own copy of the log',
    )
    const text = await readFile(opened, 'utf8')
    assert.not.match(text, /"elsewhere"/)
    await rm(opened)
    const forged = text.replace('"permitted":false', '"permitted":true')
    await writeFile(opened, forged)
    const found = await auditOf(south, 'check', opened)
    assert.is(found.faults.length, 2, `${found.faults}`)
    const dropped = text
      .split('\n')
      .filter((line) => !line.includes('"permitted":false'))
      .join('\n')
    await writeFile(opened, dropped)
    assert.ok((await auditOf(south, 'check', opened)).faults.length >= 2)
    await rm(opened)

    const report = await north.client.post<SubjectReport>('/v1/subjects/report', { subject: recordOf('north', 12) })
    const used = report.studies[0]?.rounds ?? []
    const revoked = trained.findIndex(({ body }) => body.consent?.root === last?.body.consent?.root)
    assert.ok(used.length >= 2 && used.length <= revoked, `${used.length} of ${revoked}`)
    assert.equal(
      used.map(({ round }) => round),
      trained.slice(0, used.length).map(({ body }) => body.round),
    )
    assert.ok((report.studies[0]?.models.length ?? 0) > used.length, 'what was merged of them, here and at south')

    for (const node of nodes) await node.end('SIGTERM')
    const planted = [MOTHER, 'Obersteiner', DOB, ...[0, 3, 12, 40, 118].map((row) => recordOf('north', row))]
    const all = await bytesUnder(folder, (name) => name.endsWith('.csv'))
    for (const node of nodes) all.push([`${node.name}'s log`, Buffer.from(node.log)])
    assert.ok(all.length > 20)
    for (const [name, bytes] of all)
      for (const word of planted) assert.is(bytes.includes(word), false, `${word} in ${name}`)
    assert.is((await readFile(join(folder, 'north.csv'))).includes(recordOf('north', 12)), true, 'where it belongs')
  }))

it('a kill between the vault and the log loses no word, and it is told once', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, asking('opt-out'))
    for (const [i, node] of nodes.entries()) await bindTo(folder, node, study, withRecords(node.name, 60, i + 1))
    await rootsOfNext(north, 2)
    await north.end('SIGTERM')
    await south.end('SIGTERM')
    await north.start() // alone it may not sign: what is said now is in the vault, and not in the log
    const told = north.client.post('/v1/consent', { subject: recordOf('north', 5), decision: 'deny', by: 'subject' })
    await told
    await north.end('SIGKILL')
    await startAll(nodes)
    await rootsOfNext(north, 2)
    const words = await entries(north, 'consent.recorded')
    assert.is(words.length, 1)
    const shown = await consilium([
      'consent',
      'show',
      '--subject',
      recordOf('north', 5),
      '--home',
      north.home,
      '--json',
    ])
    assert.is((JSON.parse(shown.out) as { studies: { permitted: boolean }[] }).studies[0]?.permitted, false)
  }))

it('an erasure leaves nothing to open or to link, binds the next round, and makes older copies of the vault unreadable', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north] = nodes as [TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, asking('opt-out'))
    for (const [i, node] of nodes.entries()) await bindTo(folder, node, study, withRecords(node.name, 60, i + 1))
    await said(north, 'grant', recordOf('north', 9))
    const [before] = (await rootsOfNext(north, 2)).slice(-1)
    const [vault, key] = [join(north.home, 'vault'), `${north.home}.vault-key`]
    await copyFile(vault, join(folder, 'backup'))
    const erased = await consilium([
      'subject',
      'erase',
      recordOf('north', 9),
      '--reason',
      'patient-request',
      '--home',
      north.home,
    ])
    assert.is(erased.code, 0, erased.err)
    const [, after] = await rootsOfNext(north, 2)
    assert.is.not(after, before)
    const gone = await consilium(['consent', 'show', '--subject', recordOf('north', 9), '--home', north.home])
    assert.is(gone.code, 1)
    assert.match(gone.err, /was erased here/)
    const [entry] = await entries(north, 'subject.erased')
    assert.equal(entry?.body as unknown, { subjects: 1, reason: 'patient-request' })
    const [old] = (await rounds(north)).filter(({ body }) => body.consent?.root === before)
    const audit: AuditReport = await auditOf(north, 'round', `north/${old?.seq}`)
    assert.equal([audit.faults, audit.erased], [[], 1], 'rounds of before still add up')

    await north.end('SIGTERM')
    const newest = join(folder, 'newest')
    await copyFile(vault, newest)
    await copyFile(join(folder, 'backup'), vault)
    await startAll([north])
    await until(
      20_000,
      'the failure',
      async () => (await north.status())?.studies[0]?.failure?.startsWith('vault-key-wrong') ?? false,
    )
    await rm(key)
    await copyFile(newest, vault)
    const missing = await consilium(['consent', 'show', '--subject', recordOf('north', 3), '--home', north.home])
    assert.match(missing.err, /^consilium: .*north\.vault-key: there is no vault key/)
  }))

it.run()
