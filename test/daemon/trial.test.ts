/** A trial at real daemons, from the command line: approvals, an enrolment, an arm that its site alone learns, a lock, and what an auditor checks with a file. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Client } from '../../src/cli/client.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import { createPersonKey, readPersonKey } from '../../src/daemon/personKey.ts'
import type { TrialCheckReport, TrialEnrolled, TrialParticipantReport, TrialReport } from '../../src/daemon/trialApi.ts'
import { writePersonCard } from '../../src/governance/personCard.ts'
import { consilium, consortium, filesIn, inFolder, startAll, type TestNode, until } from './kit.ts'

const it = suite('trial')
const PATIENT = 'QX-70013'
const PLAN = `name: stroke-2
document: protocol.txt
arms: [{ arm: active }, { arm: control }]
sites: [north]
lists: west
approvals:
  - { meaning: ethics-approval, by: west }
  - { meaning: investigator-agreement, by: each-site }
consent: { purposes: [DUO:0000006] }
`

it('a participant gets an arm that its site alone learns; what is opened and locked is verified with a file and no node', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'west'])))
    const [north, west] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const [asAda, asCy] = [await person(folder, north, 'Ada Quux'), await person(folder, west, 'Cy Quux')]
    const [plan, table] = [join(folder, 'plan.yaml'), join(folder, 'data.csv')]
    await writeFile(plan, PLAN)
    await writeFile(join(folder, 'protocol.txt'), 'what is done, and why')
    await writeFile(table, 'participant,score\n1f,"3\nlines"\n2f,4\n')

    await done('trial', 'new', plan, ...asAda.at)
    const again = await consilium(['trial', 'new', plan, ...asAda.at])
    assert.match(again.err, /name: "stroke-2" is taken, by [0-9a-f]{20} of north: amend it/)
    await seen(west, ({ name }) => name === 'stroke-2')
    await seen(north, ({ versions }) => versions[0]?.final === true)
    await asAda.client.post('/v1/consent', { subject: PATIENT, decision: 'deny', by: 'subject' })
    await refused(/needs the ethics-approval of west, and there is none; see north\/\d+; ask west/, asAda, 'enrol')
    await Promise.all([
      done('trial', 'approve', 'stroke-2', '--meaning', 'ethics-approval', ...asCy.at),
      done('trial', 'approve', 'stroke-2', '--meaning', 'investigator-agreement', ...asAda.at),
    ])
    await asCy.client.post('/v1/trials/stroke-2/list', { site: 'north', positions: 9, blocks: [4] })
    await seen(north, ({ sites, randomisation }) => sites[0]?.refusal === null && randomisation[0]?.final === true)
    await refused(/needs the patient's consent, and none stands in the vault/, asAda, 'enrol')
    await asAda.client.post('/v1/consent', { subject: PATIENT, decision: 'permit', by: 'subject', trial: 'stroke-2' })
    const enrolled = JSON.parse(
      await done('trial', 'enrol', 'stroke-2', '--subject', PATIENT, '--json', ...asAda.at),
    ) as TrialEnrolled
    assert.equal([enrolled.position, enrolled.participant.length], [0, 32])
    await refused(/is participant [0-9a-f]{32} already: nobody is enrolled twice; see north\/\d+/, asAda, 'enrol')
    await until(20_000, 'the allocation', async () => (await show(north)).randomisation[0]?.allocated === 1)
    const { arm } = await asAda.client.post<{ arm: string }>('/v1/trials/stroke-2/arm', { subject: PATIENT })
    assert.ok(['active', 'control'].includes(arm))

    await seen(west, ({ randomisation }) => randomisation[0]?.taken === 1)
    const away = (): Promise<TrialParticipantReport> =>
      west.client.get<TrialParticipantReport>(`/v1/trials/stroke-2/participants/${enrolled.participant}`)
    await until(20_000, 'the reading to reach west', async () => (await away()).steps.length === 3)
    const { arm: known, steps } = await away()
    assert.equal(
      [known, ...steps.map(({ what, by, signedOff }) => `${what} ${by} ${signedOff?.name ?? signedOff?.fault}`)],
      [null, 'enrolled north null', 'allocated west undefined', 'arm-read north null'],
    )
    await asAda.client.post('/v1/consent', { subject: PATIENT, decision: 'deny', by: 'subject', trial: 'stroke-2' })
    assert.is((await show(north)).withoutConsent, 1)
    await refused(/without-consent needs/, north, 'without-consent')
    const named = await done('trial', 'participant', 'stroke-2', '--without-consent', ...asAda.at)
    assert.is(named.trim(), enrolled.participant)
    await done('trial', 'lock', 'stroke-2', table, ...asAda.at)
    await refused(/north has locked the data/, asAda, 'event', { event: 'visit' })
    assert.match(
      await done('trial', 'lock', 'stroke-2', table, '--verify', ...asAda.at),
      /is what north locked .* 2 rows/,
    )
    const asked = ['trial', 'show', 'stroke-2', '--document', join(folder, 'protocol.txt'), '--home', north.home]
    assert.match((await consilium(asked)).err, /give the key of the commitment with --key DIGITS.*add --as FILE/)
    assert.match(await done(...asked, ...asAda.at.slice(2)), /is the document of version 1/)
    await seen(west, ({ locks }) => locks[0]?.final === true)
    await done('trial', 'open', 'stroke-2', '--lists', '--reason', 'end-of-trial', ...asCy.at)
    await audited(folder, west)
    await Promise.all(nodes.map((node) => node.end('SIGTERM')))
    for (const node of nodes) assert.equal(await filesWith(node.home, [PATIENT, 'Quux']), [])
  }))

/** Offline: nothing is wrong, the list is drawn again, and who signed is known as a person and not by name. */
async function audited(folder: string, west: TestNode): Promise<void> {
  const bundle = join(folder, 'all.bundle')
  await until(20_000, 'all of it to be final', async () => {
    const { randomisation, locks } = await show(west)
    return randomisation[0]?.unsealed?.final === true && locks[0]?.final === true
  })
  const rows = join(folder, 'participants.csv')
  await done('trial', 'participants', 'stroke-2', '--csv', rows, '--home', west.home)
  assert.match(
    await readFile(rows, 'utf8'),
    /\r\n[0-9a-f]{32},north,,[0-9a-f]{64},0,1,taking part,yes,(active|control)\r\n$/,
  )
  assert.match(
    await done('trial', 'participants', 'stroke-2', '--site', 'north', '--home', west.home),
    /1 participants/,
  )
  await done('log', 'export', '-o', bundle, '--home', west.home)
  const root = (await west.status())?.consortium.fingerprint ?? ''
  const checked = JSON.parse(await done('trial', 'check', 'stroke-2', '--bundle', bundle, '--root', root, '--json'))
  const { participants, findings, lists } = checked as TrialCheckReport
  assert.equal([participants, findings, lists[0]?.arms], [1, [], { active: 6, control: 6 }])
  const { sites } = await show(west)
  const [own, away] = sites[0]?.approvals.map(({ signature }) => signature) ?? []
  assert.equal(
    [own?.name, own?.fault, away?.name, away?.fault, away?.roles],
    ['Cy Quux', null, null, null, ['approver']],
  )
}

const show = (node: TestNode): Promise<TrialReport> => node.client.get<TrialReport>('/v1/trials/stroke-2')

const seen = (node: TestNode, holds: (report: TrialReport) => boolean): Promise<void> =>
  until(20_000, `the trial at ${node.name}`, async () => {
    const report = await show(node).catch(() => null)
    return report !== null && holds(report)
  })

interface Acting {
  readonly at: readonly string[]
  readonly client: Client
}

/** Somebody with a key of their own who approves for a hospital. */
async function person(folder: string, { home, client }: TestNode, name: string): Promise<Acting> {
  const file = join(folder, `${name}.key`)
  const key = await createPersonKey(file, name, { passphrase: null })
  await client.post('/v1/people', { card: writePersonCard(name, key), roles: ['approver'] })
  const own = await readPersonKey(file, async () => '')
  return { at: ['--home', home, '--as', file], client: new Client(home, homePaths(home).socket, async () => own) }
}

async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await consilium(args)
  assert.is(code, 0, `${args.join(' ')}: ${err}`)
  return out
}

/** One line. */
async function refused(
  says: RegExp,
  { client }: Pick<Acting, 'client'>,
  verb: string,
  more: object = {},
): Promise<void> {
  const said = await client.post(`/v1/trials/stroke-2/${verb}`, { subject: PATIENT, ...more }).then(
    () => 'was done',
    (error: Error) => error.message,
  )
  assert.match(said, says)
  assert.not.match(said, /\n/)
}

/** Which of these words are in any file of a folder. */
async function filesWith(home: string, words: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const { file, bytes } of await filesIn(home))
    found.push(...words.filter((word) => bytes.includes(word)).map((word) => `${file}: ${word}`))
  return found
}

it.run()
