/** Keeping logs with real daemons: no value of a bound table is in any file, and bodies go by the commands. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EntryDetails, EntryReport } from '../../src/daemon/api.ts'
import { openHome } from '../../src/daemon/home.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import { consilium, consortium, inFolder, patients, propose, startAll, studyText, type TestNode, until } from './kit.ts'

const it = suite('keeping logs')

/** The table of `patients`, with a name, a record number and a date of birth for each row, all made up. */
function planted(rows: number, seed: number): { csv: string; secrets: string[] } {
  const secrets: string[] = []
  const [header, ...lines] = patients(rows, seed).trim().split('\n') as [string, ...string[]]
  const wide = lines.map((line, i) => {
    const number = seed * 1_000 + i
    const birth = `19${30 + (number % 60)}-${String(1 + (number % 12)).padStart(2, '0')}-${String(1 + (number % 28)).padStart(2, '0')}`
    const own = [`Quux${number}`, `MRN-${7_310_000 + number}`, birth]
    secrets.push(...own)
    return `${line},${own.join(',')}`
  })
  return { csv: `${header},name,record,birth\n${wide.join('\n')}\n`, secrets }
}

/** Which of `secrets` are in any of the node's files, or in an entry that it stores, read as raw bytes. */
async function found(node: TestNode, secrets: readonly string[]): Promise<string[]> {
  const parts: Uint8Array[] = []
  for (const entry of await readdir(node.home, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) parts.push(await readFile(join(entry.parentPath, entry.name)))
  const self = (await openHome(node.home)).key.id
  const store = await LevelStore.open(join(node.home, 'database'), { self })
  for (const { author, size } of await store.heads()) {
    const raws = await store.entries(author, 0, size)
    assert.is(raws.length, size)
    parts.push(...raws)
  }
  await store.close()
  const all = Buffer.concat(parts)
  return secrets.filter((secret) => all.includes(secret))
}

it('no name, record number or date of birth of a bound table is in an entry or in any file of any node', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north] = nodes as [TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 6 }))
    const secrets: string[] = []
    for (const [i, node] of nodes.entries()) {
      const table = planted(60, i + 1)
      secrets.push(...table.secrets)
      const file = join(folder, `${node.name}.csv`)
      await writeFile(file, table.csv)
      const bound = await consilium(['study', 'bind', study, '--data', file, '--ignore-extra', '--home', node.home])
      assert.is(bound.code, 0, bound.err)
    }
    const phases = async () => Promise.all(nodes.map(async (node) => (await node.status())?.studies[0]?.phase))
    await until(60_000, 'the end of the study', async () => (await phases()).every((phase) => phase === 'ended'))
    const { entries } = await north.client.get<{ entries: EntryReport[] }>('/v1/log?limit=1000')
    const kinds = new Set(entries.map(({ kind }) => kind))
    for (const kind of [
      'member.accepted',
      'member.seen',
      'study.proposed',
      'study.statistics',
      'dataset.bound',
      'round.merged',
      'study.ended',
    ])
      assert.ok(kinds.has(kind), `${kind} is among what is searched`)
    for (const node of nodes) assert.is(await node.end('SIGTERM'), 0, node.log)
    assert.is(secrets.length, 360)
    for (const node of nodes) {
      assert.equal(await found(node, secrets), [], node.name)
      assert.equal(await found(node, ['to test the daemon']), ['to test the daemon'], 'what is there is found')
    }
  }))

it('a study whose text looks like personal data is refused, unless the operator says that it is none', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one] = nodes as [TestNode]
    await startAll(nodes)
    const file = join(folder, 'test.study.yaml')
    await writeFile(file, studyText({ rounds: 3, name: 'Admissions since 2019-01-01' }))
    const refused = await consilium(['study', 'add', file, '--home', one.home])
    assert.is(refused.code, 1)
    assert.match(refused.err, /^consilium: name: it holds what looks like a date, as of birth; .*--accept-text\n$/)
    assert.is((await one.status())?.studies.length, 0)
    const added = await consilium(['study', 'add', file, '--accept-text', '--home', one.home])
    assert.is(added.code, 0, added.err)
    assert.is((await one.status())?.studies.length, 1)
  }))

it('log redact drops a body here and at the other member; log prune says what it kept', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one, two] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const bodyAt = async (node: TestNode) =>
      (await node.client.get<EntryDetails>('/v1/log/entry?ref=one/1').catch(() => null))?.body
    await until(10_000, 'the entry at two', async () => (await bodyAt(two)) !== undefined)
    assert.equal(await bodyAt(two), await bodyAt(one))
    const redact = (node: TestNode, ref: string, reason: string) =>
      consilium(['log', 'redact', ref, '--reason', reason, '--home', node.home])
    for (const [node, ref, reason, says] of [
      [one, 'one/0', 'erasure-order', /decides who may do what/],
      [one, 'one/1', 'personal-data', /1096 days at least .*--reason erasure-order/],
      [one, 'one/1', 'boredom', /Allowed choices are personal-data, erasure-order/],
      [two, 'one/1', 'erasure-order', /its author alone/],
    ] as const) {
      const refused = await redact(node, ref, reason)
      assert.is(refused.code, 1)
      assert.match(refused.err, says)
    }
    const done = await redact(one, 'one/1', 'erasure-order')
    assert.is(done.code, 0, done.err)
    assert.match(done.out, /^Redacted one\/1 \(node\.started, erasure-order\)/)
    assert.is(await bodyAt(one), null)
    await until(10_000, 'the redaction to reach two', async () => (await bodyAt(two)) === null)
    const shown = await consilium(['log', 'show', 'one/1', '--home', two.home])
    assert.match(shown.out, /cited by one\/\d+/)
    const verified = await consilium(['log', 'verify', '--home', two.home])
    assert.is(verified.code, 0, verified.err)
    const pruned = await consilium(['log', 'prune', '--dry-run', '--home', two.home])
    assert.match(pruned.out, /training unlimited, operation unlimited.*\nNothing would go\.\n/)
    const held = await redact(one, 'one/1', 'erasure-order')
    assert.match(held.err, /redacted before/)
  }))

it.run()
