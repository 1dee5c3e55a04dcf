/** People at real daemons, from the command line: who may do what, who signed for an erasure, and what any other hospital can check of it. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Client } from '../../src/cli/client.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import type { EntryDetails, EntryReport } from '../../src/daemon/api.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import type { PeopleAudit, PeopleReport } from '../../src/daemon/peopleApi.ts'
import { readPersonKey } from '../../src/daemon/personKey.ts'
import { asking, recordOf, withRecords } from './consentKit.ts'
import { consilium, consortium, filesIn, inFolder, startAll, type TestNode, until } from './kit.ts'

const it = suite('people')
const WORDS = 'four words that fit'
const NAMES = ['Ada Quux', 'Bo Quuux']

it('an erasure is refused without an approver’s sign-off; signed, every member sees that a person signed, and its hospital who', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const [ada, bo, words] = ['ada.key', 'bo.key', 'words'].map((file) => join(folder, file)) as [
      string,
      string,
      string,
    ]
    await writeFile(words, `${WORDS}\n`, { mode: 0o600 })
    await done('person', 'new', '--name', NAMES[0] as string, '--out', ada, '--passphrase-file', words)
    await done('person', 'new', '--name', NAMES[1] as string, '--out', bo, '--no-passphrase')

    const at = ['--home', north.home]
    await north.client.post('/v1/people', { card: await readFile(`${bo}.card`, 'utf8'), roles: ['operator'] })
    await done('person', 'enrol', `${ada}.card`, '--role', 'approver', ...at)
    const asAda = [...at, '--as', ada, '--passphrase-file', words]
    const asBo = [...at, '--as', bo]

    const text = join(folder, 'test.study.yaml')
    const table = join(folder, 'north.csv')
    await writeFile(text, asking('opt-out'))
    await writeFile(table, withRecords('north', 60, 1))
    await refused(/study\.add needs the sign-off of an approver.*Ada Quux/, 'study', 'add', text, ...at)
    await done('study', 'add', text, ...asAda)
    const { studies } = await north.client.get<{ studies: { id: string }[] }>('/v1/studies')
    const study = studies[0]?.id ?? ''
    await done('study', 'bind', study, '--data', table, '--subject', 'mrn', ...asBo)
    const model = await north.client.get(`/v1/studies/${study}/model`).catch((error) => error)
    assert.is(model.code, 'person-needed', 'a model with its private head leaves by an export alone')
    const inviting = await clientOf(north, await readPersonKey(ada, async () => WORDS))
      .post('/v1/invitations', { name: null, days: 1, observer: false, propose: true })
      .catch((error) => error)
    assert.is(inviting.code, 'invite-propose')
    const erasure = ['subject', 'erase', recordOf('north', 12), '--reason', 'patient-request']
    await refused(
      /Bo Quuux is an operator here.*subject\.erase needs .* an approver: ask Ada Quux/,
      ...erasure,
      ...asBo,
    )
    await done(...erasure, ...asAda)
    const started = await newest(north, 'node.started')
    const client = clientOf(north, await readPersonKey(ada, async () => WORDS))
    await client.post('/v1/log/redact', { ref: started.ref, reason: 'erasure-order' })

    for (const [kind, action] of [
      ['subject.erased', 'subject.erase'],
      ['operator.redacted', 'log.redact'],
    ] as const) {
      const { signedFor } = await details(north, (await newest(north, kind)).ref)
      assert.equal([signedFor?.name, signedFor?.action, signedFor?.fault], [NAMES[0], action, null])
      assert.equal(signedFor?.roles, ['approver'])
    }
    const shown = await consilium(['log', 'show', (await newest(north, 'subject.erased')).ref, ...at])
    assert.match(shown.out, /signed {3}off by Ada Quux, person [0-9a-f]{12} \(approver\): subject\.erase, .*; verified/)

    await until(
      20_000,
      'the log to reach south',
      async () => (await newest(south, 'operator.redacted').catch(() => null)) !== null,
    )
    const { signedFor } = await details(south, (await newest(south, 'subject.erased')).ref)
    assert.equal([signedFor?.name, signedFor?.fault, signedFor?.roles], [null, null, ['approver']])
    const bundle = join(folder, 'all.bundle')
    await done('log', 'export', '-o', bundle, '--home', south.home)
    const verified = JSON.parse((await consilium(['log', 'verify', bundle, '--json'])).out) as { signOffs: unknown[] }
    const [audited] = (await audit(south)).filter(({ name }) => name === 'north')
    assert.equal([audited?.signOffs, audited?.unsigned, audited?.faults], [4, 0, []])
    const { name, checked, signOffs, unsigned } = verified.signOffs[0] as Record<string, unknown>
    assert.equal([name, checked, signOffs, unsigned], ['north', true, 4, 0])

    await lostAndForgotten(north, client, bo)
    await Promise.all(nodes.map((node) => node.end('SIGTERM')))
    for (const node of nodes) assert.equal(await filesWith(node.home, NAMES), [])
  }))

/** Who has the data folder begins anew; all see it, and those of before sign no more. */
async function lostAndForgotten(north: TestNode, asAda: Client, bo: string): Promise<void> {
  const at = ['--home', north.home]
  const last = asAda.post('/v1/people/revoke', { person: 'Ada Quux', reason: 'left' })
  assert.match(await last.then(String, String), /the last approver here/)
  await asAda.post('/v1/people/revoke', { person: 'Bo Quuux', reason: 'left' })
  await refused(/Bo Quuux acts here no longer since entry north\/\d+ \(left\)/, 'log', 'prune', ...at, '--as', bo)
  await asAda.post('/v1/people/forget', { person: 'Bo Quuux' })
  const before = await north.client.get<PeopleReport>('/v1/people')
  assert.equal(
    before.people.map((person) => [person.name, person.ended?.reason ?? null]),
    [
      [null, 'left'],
      ['Ada Quux', null],
    ],
  )
  await done('person', 'reset', '--reason', 'key-lost', ...at)
  assert.is((await newest(north, 'person.reset')).kind, 'person.reset')
  await north.client.post('/v1/log/prune')
  const [own] = (await audit(north)).filter(({ name }) => name === 'north')
  assert.equal([own?.requiredSince, own?.faults], [null, []])
}

const clientOf = ({ home }: TestNode, key: SigningKey): Client =>
  new Client(home, homePaths(home).socket, async () => key)

async function done(...args: string[]): Promise<void> {
  const { code, err } = await consilium(args)
  assert.is(code, 0, `${args.join(' ')}: ${err}`)
}

async function refused(says: RegExp, ...args: string[]): Promise<void> {
  const { code, err } = await consilium(args)
  assert.is(code, 1, args.join(' '))
  assert.match(err, says)
  assert.match(err, /^consilium: [^\n]+\n$/)
}

async function newest(node: TestNode, kind: string): Promise<EntryReport> {
  const { entries } = await node.client.get<{ entries: EntryReport[] }>(`/v1/log?kind=${kind}&member=north&limit=1`)
  const [entry] = entries
  if (entry === undefined) throw new Error(`no ${kind} at ${node.name}`)
  return entry
}

const details = (node: TestNode, ref: string): Promise<EntryDetails> =>
  node.client.get<EntryDetails>(`/v1/log/entry?ref=${encodeURIComponent(ref)}`)

const audit = async (node: TestNode): Promise<PeopleAudit[]> =>
  (await node.client.get<{ logs: PeopleAudit[] }>('/v1/audit/people')).logs

/** Which of these words are in any file of a folder. */
async function filesWith(home: string, words: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const { file, bytes } of await filesIn(home))
    found.push(...words.filter((word) => bytes.includes(word)).map((word) => `${file}: ${word}`))
  return found
}

it.run()
