/** The chapters of the story, in the order in which they are told. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { invariant } from '../../src/core/errors.ts'
import type { EntryReport, StatusReport } from '../../src/daemon/api.ts'
import type { InvitationReport, MembersReport } from '../../src/daemon/membersApi.ts'
import { freePorts } from '../demo/clinics.ts'
import { until } from '../demo/daemonProcess.ts'
import type { Hospital } from './hospital.ts'
import { answerCounts } from './records.ts'
import { chapter, consilium, PROGRAM, say, type Telling } from './stage.ts'

const ROUNDS_MS = 90_000 // rounds take a second; on a machine that is busy with other things, several
const VOTE_MS = 240_000 // two phases of votes, and a minute for each node whose turn it is and that is slow
const YEAR_MS = 31_536_000_000
/** What the agreement is called. */
export const AGREEMENT = 'Memory benefits'
const SHARED = '{ rule: by-rounds, pool: { amount: 1200000, unit: EUR-cents } }'
const STUDY = new URL('../demo/alzheimer.study.yaml', import.meta.url)

/** Keys, cards, and one file that five sign. @returns the fingerprint of the founding, which a regulator is told by phone. */
export async function found(folder: string, five: readonly Hospital[]): Promise<string> {
  chapter(
    'Five hospitals found a consortium',
    'Each makes a key and a card; one collects the cards; each accepts what all compare by phone.',
  )
  const ports = await freePorts(five.length)
  for (const [i, hospital] of five.entries()) {
    const port = ports[i] as number
    const args = ['init', '--name', hospital.name, '--port', `${port}`, '--announce', `/ip4/127.0.0.1/tcp/${port}`]
    await hospital.does(args, i === 0 ? {} : { silent: true })
  }
  const cards = five.map(({ home }) => join(home, 'card.txt'))
  const [first] = five as [Hospital]
  await consilium(first.name, null, ['found', '--name', 'Northern memory clinics', ...cards], { cwd: folder })
  for (const [i, hospital] of five.entries())
    await hospital.does(['accept', 'consortium.yaml'], i === 0 ? {} : { silent: true })
  await answerCounts(five[1] as Hospital)
  say('\n(The others do the same. All five run: consilium start)')
  await Promise.all(five.map((hospital) => hospital.start(PROGRAM)))
  const { consortium } = await first.asks<StatusReport>(['status'])
  return consortium.fingerprint
}

/** Waits until `hospital` has trained so many more rounds of the study. */
async function moreRounds(hospital: Hospital, more: number): Promise<void> {
  const rounds = async (): Promise<number> => {
    const { studies } = await hospital.asks<StatusReport>(['status'])
    return studies[0]?.round ?? 0
  }
  const before = await rounds()
  await until(ROUNDS_MS, `${more} more rounds at ${hospital.name}`, async () => (await rounds()) >= before + more)
}

/** A member proposes, four of five say yes, the nodes vote. */
export async function decide(hospitals: readonly Hospital[], change: string): Promise<void> {
  const [first, ...others] = hospitals as [Hospital, ...Hospital[]]
  const { epoch, quorum } = await first.asks<MembersReport>(['members', 'ls'])
  const needed = quorum - 1 // its proposer has said yes
  for (const [i, hospital] of others.slice(0, needed).entries()) {
    await until(VOTE_MS, `the proposal to reach ${hospital.name}`, async () =>
      (await hospital.asks<MembersReport>(['members', 'ls'])).changes.some((one) => one.change.startsWith(change)),
    )
    await hospital.does(['members', 'approve', change.slice(0, 12)], i === 0 ? {} : { silent: true })
  }
  const begun = async (hospital: Hospital): Promise<boolean> =>
    (await hospital.asks<MembersReport>(['members', 'ls'])).epoch > epoch
  await until(VOTE_MS, 'the vote to end', async () => (await Promise.all(hospitals.map(begun))).every(Boolean))
}

/** From here on a person signs for what the hospital does. */
export async function enrol(hospital: Hospital): Promise<void> {
  chapter(
    'People act under their own names',
    `At ${hospital.name} a physician becomes an approver. Her name stays in the house; the log has a commitment and her key.`,
  )
  const signer = { key: 'ada.key', phrase: 'ada.phrase' }
  await writeFile(join(hospital.folder, signer.phrase), 'three lanterns over the harbour\n', { mode: 0o600 })
  const made = ['person', 'new', '--name', 'Dr. Ada Lind', '--out', signer.key, '--passphrase-file', signer.phrase]
  await consilium(hospital.name, null, made, { cwd: hospital.folder })
  await hospital.does(['person', 'enrol', 'ada.key.card', '--role', 'approver', 'operator'])
  await hospital.does(['members', 'suspend', hospital.name, '--reason', 'compromised'], { refused: true })
  hospital.signer = signer
  say('\n(From here on she signs: CONSILIUM_PERSON=ada.key)')
}

/** A sixth hospital comes by a ticket. */
export async function admit(five: readonly Hospital[], sixth: Hospital): Promise<void> {
  chapter(
    'A sixth hospital is admitted',
    'A ticket opens the door to one question. Nobody alone lets anybody in: a quorum of the members approves, their nodes vote.',
  )
  const [first] = five as [Hospital]
  await first.does(['invite', '--name', sixth.name, '--out', 'ticket.txt'])
  const [port] = await freePorts(1)
  const at = ['--port', `${port}`, '--announce', `/ip4/127.0.0.1/tcp/${port}`]
  await sixth.does(['join', 'ticket.txt', ...at])
  await sixth.start(PROGRAM)
  await first.does(['invite', 'ls'])
  const { invitations } = await first.asks<{ invitations: readonly InvitationReport[] }>(['invite', 'ls'])
  await first.does(['invite', 'propose', invitations[0]?.id ?? ''])
  await decide(five, await proposedChange(first))
  await first.does(['members', 'ls'])
}

async function proposedChange(hospital: Hospital): Promise<string> {
  const { changes } = await hospital.asks<MembersReport>(['members', 'ls'])
  const change = changes[0]?.change
  invariant(change !== undefined, 'what was proposed is listed')
  return change
}

/** A study is proposed, and an agreement about it is signed by all. @returns the study's digest. */
export async function agree(folder: string, hospitals: readonly Hospital[]): Promise<string> {
  chapter(
    'They sign an agreement',
    'A study that asks patients: no word means yes here (opt-out), and a no is obeyed before the next round. Until all have signed, nothing trains.',
  )
  const text = (await readFile(STUDY, 'utf8')).replace(/count: \d+/, 'count: 100000')
  const asking = 'consent: { basis: opt-out, jurisdiction: DE, purposes: [DUO:0000006] }\n'
  await writeFile(join(folder, 'memory.study.yaml'), `${text}${asking}`)
  const [first, ...others] = hospitals as [Hospital, ...Hospital[]]
  const id = digestIn(await first.does(['study', 'add', 'memory.study.yaml'], { lines: 2 }))
  for (const [i, hospital] of others.entries()) {
    await until(ROUNDS_MS, `the study to reach ${hospital.name}`, async () =>
      (await hospital.asks<StatusReport>(['status'])).studies.some((study) => study.id === id),
    )
    await hospital.does(['study', 'accept', id], i === 0 ? {} : { silent: true })
  }
  const expires = new Date(Date.now() + YEAR_MS).toISOString().slice(0, 10)
  const made = ['--study', id.slice(0, 12), '--expires', expires, '--name', AGREEMENT]
  await first.does(['agreement', 'new', 'memory.agreement.yaml', ...made])
  const file = join(folder, 'memory.agreement.yaml')
  await writeFile(file, (await readFile(file, 'utf8')).replace('{ rule: none }', SHARED))
  say(`\n(They edit the file: settlement: ${SHARED})`)
  const agreement = digestIn(await first.does(['agreement', 'propose', 'memory.agreement.yaml']))
  await first.does(['study', 'bind', id.slice(0, 12), '--data', first.table, '--subject', 'mrn'], { refused: true })
  for (const [i, hospital] of hospitals.entries()) {
    await until(ROUNDS_MS, `the agreement to reach ${hospital.name}`, async () =>
      hospital.does(['agreement', 'show', agreement.slice(0, 12)], { silent: true }).then(
        () => true,
        () => false,
      ),
    )
    await hospital.does(['agreement', 'sign', agreement], i === 1 ? {} : { silent: true })
  }
  const active = async (hospital: Hospital): Promise<boolean> =>
    /active/.test(await hospital.does(['agreement', 'ls'], { silent: true }))
  await until(ROUNDS_MS, 'the agreement to be active', async () =>
    (await Promise.all(hospitals.map(active))).every(Boolean),
  )
  await first.does(['agreement', 'show', agreement.slice(0, 12)])
  return id
}

const digestIn = (text: string): string => {
  const found = /[0-9a-f]{64}/.exec(text)?.[0]
  invariant(found !== undefined, 'what was proposed has a digest')
  return found
}

/** All register and bind a table, and train. */
export async function train(hospitals: readonly Hospital[], study: string): Promise<void> {
  chapter(
    'They train',
    'Each commits to its table row by row before it is used: the rows stay, the root goes into the log.',
  )
  const [first] = hospitals as [Hospital]
  for (const [i, hospital] of hospitals.entries()) {
    const silent = i === 0 ? {} : { silent: true }
    const key = ['--name', 'memory-2026', '--key-column', 'mrn']
    await hospital.does(['dataset', 'register', hospital.table, ...key], silent)
    const bound = ['study', 'bind', study.slice(0, 12), '--data', hospital.table, '--subject', 'mrn']
    await hospital.does(bound, i === 0 ? { lines: -4 } : { silent: true })
  }
  await moreRounds(first, 5)
  await first.does(['status'])
}

/** A patient says no between two rounds, and is told what became of the records. @returns the opened round's file. */
export async function obey(hospital: Hospital, auditor: Hospital, record: string): Promise<string> {
  const input = `${record}\n`
  chapter('A patient says no', `A patient of ${hospital.name} asks who used the records, and wants no more of it.`)
  await hospital.does(['consent', 'revoke', '--subject', '-'], { input })
  await moreRounds(hospital, 2)
  await hospital.does(['subject', 'report', '-', '--out', 'patient.json'], { input, lines: 24 })
  await hospital.does(['consent', 'receipt', '--subject', '-', '--out', 'receipt'], { input })
  await hospital.does(['subject', 'key', '-', '--out', 'key.txt'], { input, lines: 4 })
  const kinds = ['--kind', 'round.trained', '--member', hospital.name, '--limit', '1']
  const [round] = await hospital.asks<readonly EntryReport[]>(['log', 'ls', ...kinds])
  invariant(round !== undefined, 'a round was trained')
  await hospital.does(['audit', 'round', `${hospital.name}/${round.seq}`, '--open', 'opening.jsonl'])
  await auditor.does(['audit', 'check', 'opening.jsonl'])
  await auditor.does(['subject', 'bundle', '--out', 'patients.bundle'])
  return 'opening.jsonl'
}

/** Somebody changes one value of a table that is in use. */
export async function alter(hospital: Hospital): Promise<void> {
  chapter('A table is altered', `At ${hospital.name} somebody changes one value of the table that the study uses.`)
  const file = join(hospital.folder, hospital.table)
  const honest = await readFile(file, 'utf8')
  await writeFile(file, honest.replace(/^(430004,)[^,]*/m, '$10.5'))
  const failure = async (): Promise<string> => (await hospital.asks<StatusReport>(['status'])).studies[0]?.failure ?? ''
  await until(ROUNDS_MS, 'the change to be found', async () => /data-changed/.test(await failure()))
  say(`\n(consilium status, at ${hospital.name}: ${await failure()})`)
  await hospital.does(['dataset', 'verify', 'memory-2026'], { refused: true })
  await writeFile(file, honest)
  say('\n(The file is put back.)')
  await moreRounds(hospital, 1)
  await hospital.does(['dataset', 'verify', 'memory-2026'])
}

/** A member leaves without being asked. */
export async function remove(hospitals: readonly Hospital[], leaving: Hospital): Promise<void> {
  chapter('A member is removed', 'Its log ends where it is pinned; what it wrote before stays, and verifies.')
  const staying = hospitals.filter((hospital) => hospital !== leaving)
  const [first] = staying as [Hospital]
  await first.does(['members', 'remove', leaving.name], { lines: 3 })
  await decide(staying, await proposedChange(first))
  await first.does(['members', 'ls'])
}

/** A regulator with files and the fingerprint that it was told. */
export async function regulate(
  folder: string,
  hospital: Hospital,
  fingerprint: string,
  { opening, settlement }: { readonly opening: string; readonly settlement: string },
): Promise<void> {
  chapter(
    'A regulator verifies, offline',
    'Files from any member; no network, no node, and no trust in who made them. The fingerprint came by phone.',
  )
  await hospital.does(['log', 'export', '--out', 'audit.bundle'])
  const kinds = 'access,agreement.denied,consent,model,person.acted'
  await hospital.does(['log', 'export', '--form', 'fhir-audit', '--kind', kinds, '--proofs', '--out', 'audit.ndjson'])
  const regulator = (args: readonly string[], more = {}) =>
    consilium('Regulator', null, [...args, '--root', fingerprint], { cwd: folder, ...more })
  await regulator(['log', 'verify', 'audit.bundle'])
  await regulator(['audit', 'check', opening, '--bundle', 'patients.bundle'])
  await regulator(['model', 'lineage', 'Memory clinics', '--bundle', 'audit.bundle', '--member', hospital.name], {
    lines: 40,
  })
  await regulator(['settlement', 'check', settlement, '--bundle', 'audit.bundle'], { lines: -4 })
  await regulator(['trial', 'check', 'memory-2', '--bundle', 'audit.bundle'], { lines: -4 })
  await openExport(folder, regulator)
  const bundle = await readFile(join(folder, 'audit.bundle'), 'utf8')
  const at = Math.floor(bundle.length / 2)
  const forged = `${bundle.slice(0, at)}${bundle[at] === 'A' ? 'B' : 'A'}${bundle.slice(at + 1)}`
  await writeFile(join(folder, 'forged.bundle'), forged)
  say('\n(Somebody changes one character of the file:)')
  await regulator(['log', 'verify', 'forged.bundle'], { refused: true })
}

/** The export as a FHIR server would take it, one of its lines, and what becomes of a line that somebody mends. */
async function openExport(
  folder: string,
  regulator: (args: readonly string[], more?: Partial<Telling>) => Promise<string>,
): Promise<void> {
  await regulator(['log', 'check-export', 'audit.ndjson'])
  const file = join(folder, 'audit.ndjson')
  const text = await readFile(file, 'utf8')
  const permit = text.split('\n').find((line) => line.includes('"outcomeDesc":"permit: access')) ?? ''
  say(`\n(One line of audit.ndjson, a FHIR R4 AuditEvent: that access was granted.)\n    ${permit.slice(0, 460)} …`)
  await writeFile(file, text.replace('permit: access to a dataset granted', 'permit: access to a dataset refused'))
  say('\n(Somebody changes one word of that line:)')
  await regulator(['log', 'check-export', 'audit.ndjson'], { refused: true })
}
