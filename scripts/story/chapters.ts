/** The chapters of the story, in the order in which they are told. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { invariant } from '../../src/core/errors.ts'
import type { EntryReport, MembersReport, StatusReport } from '../../src/daemon/api.ts'
import { freePorts, until } from '../demo/clinics.ts'
import type { Hospital } from './hospital.ts'
import { chapter, consilium, say } from './stage.ts'

const ROUNDS_MS = 90_000 // rounds take a second; on a machine that is busy with other things, several
const VOTE_MS = 240_000 // two phases of votes, and a minute for each node whose turn it is and that is slow
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
  say('\n(The others do the same. All five run: consilium start)')
  await Promise.all(five.map((hospital) => hospital.start()))
  const { consortium } = await first.asks<StatusReport>(['status'])
  return consortium.fingerprint
}

/** Waits until `hospital` has trained so many more rounds of the study. */
export async function moreRounds(hospital: Hospital, more: number): Promise<void> {
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

/** A sixth hospital comes. */
export async function admit(five: readonly Hospital[], sixth: Hospital): Promise<void> {
  chapter(
    'A sixth hospital is admitted',
    'Nobody alone lets anybody in: a quorum of the members approves, their nodes vote.',
  )
  const [first] = five as [Hospital]
  const [port] = await freePorts(1)
  await sixth.does(['init', '--name', sixth.name, '--port', `${port}`, '--announce', `/ip4/127.0.0.1/tcp/${port}`], {
    lines: 4,
  })
  await first.does(['members', 'add', join(sixth.home, 'card.txt')], { lines: 3 })
  const { changes } = await first.asks<MembersReport>(['members', 'ls'])
  const change = changes[0]?.change
  invariant(change !== undefined, 'what was proposed is listed')
  await sixth.does(['accept', join(first.home, 'consortium.yaml'), '--join'])
  await sixth.start()
  await decide(five, change)
  await first.does(['members', 'ls'])
}

/** All bind a table and train. @returns the first digits of the study's digest. */
export async function begin(folder: string, hospitals: readonly Hospital[]): Promise<string> {
  chapter(
    'They train',
    'A study that asks patients: no word means yes here (opt-out), and a no is obeyed before the next round.',
  )
  const text = (await readFile(STUDY, 'utf8')).replace(/count: \d+/, 'count: 100000')
  await writeFile(
    join(folder, 'memory.study.yaml'),
    `${text}consent: { basis: opt-out, jurisdiction: DE, purposes: [DUO:0000006] }\n`,
  )
  const [first, ...others] = hospitals as [Hospital, ...Hospital[]]
  const shown = await first.does(['study', 'add', 'memory.study.yaml'])
  const id = /[0-9a-f]{64}/.exec(shown)?.[0]
  invariant(id !== undefined, 'what was proposed has a digest')
  for (const [i, hospital] of others.entries()) {
    await until(ROUNDS_MS, `the study to reach ${hospital.name}`, async () =>
      (await hospital.asks<StatusReport>(['status'])).studies.some((study) => study.id === id),
    )
    await hospital.does(['study', 'accept', id], i === 0 ? {} : { silent: true })
  }
  for (const [i, hospital] of hospitals.entries())
    await hospital.does(
      ['study', 'bind', id.slice(0, 12), '--data', hospital.table, '--subject', 'mrn'],
      i === 0 ? { lines: -3 } : { silent: true },
    )
  await moreRounds(first, 5)
  await first.does(['status'])
  return id.slice(0, 12)
}

/** A patient says no between two rounds, and is told what became of the records. */
export async function obey(hospital: Hospital, auditor: Hospital, record: string): Promise<void> {
  chapter('A patient says no', `A patient of ${hospital.name} asks who used the records, and wants no more of it.`)
  await hospital.does(['consent', 'revoke', '--subject', '-'], { input: `${record}\n` })
  await moreRounds(hospital, 2)
  await hospital.does(['subject', 'report', '-'], { input: `${record}\n`, lines: 24 })
  const entries = await hospital.asks<readonly EntryReport[]>([
    'log',
    'ls',
    '--kind',
    'round.trained',
    '--member',
    hospital.name,
    '--limit',
    '1',
  ])
  const round = entries[0]
  invariant(round !== undefined, 'a round was trained')
  await hospital.does(['audit', 'round', `${hospital.name}/${round.seq}`, '--open', 'opening.jsonl'])
  await auditor.does(['audit', 'check', 'opening.jsonl'])
}

/** A member leaves without being asked. */
export async function remove(hospitals: readonly Hospital[], leaving: Hospital): Promise<void> {
  chapter('A member is removed', 'Its log ends where it is pinned; what it wrote before stays, and verifies.')
  const staying = hospitals.filter((hospital) => hospital !== leaving)
  const [first] = staying as [Hospital]
  await first.does(['members', 'remove', leaving.name], { lines: 3 })
  const { changes } = await first.asks<MembersReport>(['members', 'ls'])
  const change = changes[0]?.change
  invariant(change !== undefined, 'what was proposed is listed')
  await decide(staying, change)
  await first.does(['members', 'ls'])
}

/** A regulator with one file and the fingerprint that it was told. */
export async function regulate(folder: string, hospital: Hospital, fingerprint: string): Promise<void> {
  chapter(
    'A regulator verifies, offline',
    'One file from one member; no network, no node, and no trust in who made it. The fingerprint came by phone.',
  )
  await hospital.does(['log', 'export', '--out', 'audit.bundle'])
  await consilium('Regulator', null, ['log', 'verify', 'audit.bundle', '--root', fingerprint], { cwd: folder })
  const bundle = await readFile(join(folder, 'audit.bundle'), 'utf8')
  const at = Math.floor(bundle.length / 2)
  await writeFile(
    join(folder, 'forged.bundle'),
    `${bundle.slice(0, at)}${bundle[at] === 'A' ? 'B' : 'A'}${bundle.slice(at + 1)}`,
  )
  say('\n(Somebody changes one character of the file:)')
  await consilium('Regulator', null, ['log', 'verify', 'forged.bundle', '--root', fingerprint], {
    cwd: folder,
    refused: true,
  })
}
