/** Patients' words at real daemons: what they bind, what is told of them, what a kill or an erasure leaves. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asking, bindTo, entries, recordOf, rootsOfNext, rounds, said, withRecords } from './consentKit.ts'
import { consilium, consortium, inFolder, propose, startAll, type TestNode, until } from './kit.ts'

const it = suite('consent')

const runOf = async (node: TestNode) => (await node.status())?.studies[0]

it('a revocation binds the next round while the node is cut off from all others, and a new start changes nothing', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, asking('opt-out'))
    for (const [i, node] of nodes.entries()) await bindTo(folder, node, study, withRecords(node.name, 120, i + 1))
    const before = new Set(await rootsOfNext(north, 3))
    assert.is(before.size, 1, 'nobody said anything: one root')
    await exportsAt(folder, north)
    await south.end('SIGKILL')
    await until(
      30_000,
      'north to be alone',
      async () => (await north.status())?.peers.every(({ connected }) => !connected) ?? false,
    )
    await said(north, 'revoke', recordOf('north', 12))
    const [first, ...later] = await rootsOfNext(north, 3) // the first may have begun before
    assert.not.ok(
      later.some((root) => before.has(root)),
      `${first} ${later}`,
    )
    assert.is(new Set(later).size, 1)
    const told = await entries(north, 'consent.recorded')
    assert.is(told.length, 1)
    await pendingExportAt(folder, north)

    const audited = await consilium([
      'consent',
      'show',
      '--subject',
      recordOf('north', 12),
      '--home',
      north.home,
      '--json',
    ])
    const shown = JSON.parse(audited.out) as { studies: { permitted: boolean; rule: number }[]; words: unknown[] }
    assert.equal([shown.studies[0]?.permitted, shown.studies[0]?.rule, shown.words.length], [false, 0, 1])

    await north.end('SIGTERM')
    await startAll(nodes) // a start without the other would wait at its fence
    const [again] = await rootsOfNext(north, 1)
    assert.is(again, later[0])
    assert.is((await entries(north, 'consent.recorded')).length, 1, 'told once')
  }))

/** The forms of an export as the command writes them, and what is said of them without a node. */
async function exportsAt(folder: string, { home }: TestNode): Promise<void> {
  const done = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await consilium(args)
    assert.is(code, 0, err)
    return out
  }
  const [accounting, audit] = [join(folder, 'accounting.csv'), join(folder, 'audit.ndjson')]
  const patient = recordOf('north', 3)
  await done('log', 'export', '--form', 'hipaa', '--patient', patient, '-o', accounting, '--home', home)
  const text = await readFile(accounting, 'utf8')
  const [header = '', line = '', ...more] = text.split('\r\n')
  assert.match(header, /^first_date,last_date,number,recipient,/)
  assert.match(line, /^\d{4}-\d\d-\d\d,\d{4}-\d\d-\d\d,\d+,south,not known here,"model updates computed from/)
  assert.equal(more, [''], 'one study, one recipient')
  assert.match(line, /,"used unless the patient said no: /)
  const strangers = join(folder, 'stranger.csv')
  const unheard = await done('log', 'export', '--form', 'hipaa', '--patient', 'QX-0', '-o', strangers, '--home', home)
  assert.match(
    unheard,
    /0 lines from 0 updates, from .* UTC until before .* UTC: .*\nStudies that asked patients are not in it: no patient with this record number/,
  )
  const about = await readFile(`${accounting}.about.txt`, 'utf8')
  assert.match(about, /^filter {7}one patient of this hospital; from \S+ \S+ UTC until before \S+ \S+ UTC$/m)
  assert.match(about, /^lines {8}1, from [1-9]\d* updates of this hospital's log$/m)
  assert.not.ok((text + about).includes(patient))
  const said = await done('log', 'export', '--form', 'fhir-audit', '--proofs', '-o', audit, '--home', home)
  const root = /^fingerprint {2}(.+)$/m.exec(said)?.[1] ?? ''
  assert.match(
    await done('log', 'check-export', audit, '--root', root),
    /good\. Each of its [1-9]\d* lines \(fhir-audit\)/,
  )
  const plain = join(folder, 'plain.ndjson')
  await done('log', 'export', '--form', 'fhir-audit', '-o', plain, '--home', home)
  const proven = await readFile(audit, 'utf8')
  assert.ok(
    (await readFile(plain, 'utf8')).includes(proven.slice(0, proven.indexOf('\n') + 1)),
    'the daemon writes the same bytes',
  )
}

/** While the other member is away nothing more is final, and an export of that is no good one. */
async function pendingExportAt(folder: string, { home }: TestNode): Promise<void> {
  const file = join(folder, 'pending.csv')
  const options = ['--form', 'csv', '--state', 'pending', '--proofs', '-o', file, '--home', home]
  const exported = await consilium(['log', 'export', ...options])
  assert.match(exported.out, /None of it is final: that is said then, with exit code 1\./, exported.err)
  const root = /^fingerprint {2}(.+)$/m.exec(exported.out)?.[1] ?? ''
  const { code, out, err } = await consilium(['log', 'check-export', file, '--root', root])
  assert.is(code, 1)
  assert.match(out, /pending\.csv: NOT GOOD\. Each of its \d+ lines \(csv\) is what its entry gives\. But/)
  assert.match(
    err,
    /^consilium: \S+: (\d+) of \1 entr(?:y is|ies are) not final: north \d+ pending(, south \d+ pending)?\n$/,
  )
}

it('an opt-in study trains nobody before enough patients agreed, says why, and begins by itself when they have', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north] = nodes as [TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, asking('opt-in'))
    await bindTo(folder, north, study, withRecords('north', 40, 3))
    await until(20_000, 'the refusal', async () => (await runOf(north))?.refusal === 'consent-cohort')
    for (let row = 0; row < 24; row++) {
      const subject = recordOf('north', row)
      await north.client.post('/v1/consent', { subject, decision: 'permit', by: 'subject' })
    }
    await until(30_000, 'rounds', async () => (await rounds(north)).length >= 2)
    const { refusal, failure } = (await runOf(north)) as { refusal: string | null; failure: string | null }
    assert.equal([refusal, failure], [null, null])
    for (const { body } of await rounds(north)) {
      assert.is(body.examples % 5, 0, 'told as a multiple of the minimum cohort')
      assert.ok(body.examples <= 24)
      assert.is(body.consent?.basis, 'opt-in')
    }
    for (let row = 0; row < 24; row++)
      await north.client.post('/v1/consent', { subject: recordOf('north', row), decision: 'deny', by: 'subject' })
    await until(20_000, 'the refusal again', async () => (await runOf(north))?.refusal === 'consent-cohort')
  }))

it.run()
