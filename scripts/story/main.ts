/**
 * `npm run story`: the trust layer told once through, with the command as hospitals, a patient and a regulator type it. Five hospitals
 * admit a sixth, sign an agreement, train, obey a patient, find an altered table, grant access and count, settle, use a model, run a trial,
 * recall a lot, remove a member; a regulator verifies it from files, offline.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf } from '../../src/core/errors.ts'
import { dealAlzheimer } from '../demo/deal.ts'
import { AGREEMENT, admit, agree, alter, enrol, found, obey, regulate, remove, train } from './chapters.ts'
import { Hospital } from './hospital.ts'
import { ask, recall, runTrial, settle, use } from './records.ts'
import { say } from './stage.ts'

const DATA = new URL('../demo/', import.meta.url)
const SEED = 6

type Six = readonly [Hospital, Hospital, Hospital, Hospital, Hospital, Hospital]

const CLINICS = [
  { name: 'Alder House', share: 30 },
  { name: 'Birch Grove', share: 22 },
  { name: 'Cedar Hill', share: 17 },
  { name: 'Dogwood Bay', share: 12 },
  { name: 'Elm Court', share: 10 },
  { name: 'Fir Lodge', share: 9 }, // comes later
] as const

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } })
  const folder = await mkdtemp(join(tmpdir(), 'consilium-story-'))
  const startedMs = Date.now()
  say(
    'Consilium, the trust layer: six hospitals, a patient and a regulator. Every line after a $ is a command that was run.',
  )
  say(`Folder: ${folder}`)
  const hospitals = await cast(folder)
  process.once('exit', () => {
    for (const hospital of hospitals) hospital.kill()
  })
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
  try {
    await tell(folder, hospitals)
    say(`\n\nTold in ${Math.round((Date.now() - startedMs) / 1000)} s.`)
  } finally {
    await Promise.all(hospitals.map((hospital) => hospital.stop()))
    if (values.keep) say(`Everything is kept in ${folder}`)
    else await rm(folder, { recursive: true, force: true })
  }
}

/** The hospitals with their tables: the demo's patients, under record numbers that are ours. */
async function cast(folder: string): Promise<Hospital[]> {
  const csv = await readFile(new URL('alzheimer_modeldata.csv', DATA), 'utf8')
  const dealt = dealAlzheimer(csv, SEED, CLINICS).map(async ({ name, slug, csv: rows }, i) => {
    const hospital = new Hospital(name, folder, slug)
    await hospital.keepTable(withRecordNumbers(rows, i))
    return hospital
  })
  return Promise.all(dealt)
}

/** A column `mrn` before the others: 410001, 410002, … at the first hospital, 420001 … at the second. */
function withRecordNumbers(csv: string, hospital: number): string {
  const [header, ...rows] = csv.trimEnd().split('\n')
  const numbered = rows.map((row, i) => `${(hospital + 41) * 10_000 + i + 1},${row}\n`)
  return `mrn,${header}\n${numbered.join('')}`
}

async function tell(folder: string, hospitals: readonly Hospital[]): Promise<void> {
  const five = hospitals.slice(0, 5)
  const [alder, birch, cedar, dogwood, elm, fir] = hospitals as unknown as Six
  const fingerprint = await found(folder, five)
  await enrol(alder)
  await admit(five, fir)
  const study = await agree(folder, hospitals)
  await train(hospitals, study)
  const opening = await obey(birch, alder, '420007')
  await alter(cedar)
  await ask(birch, cedar)
  const settlement = await settle([alder, birch], AGREEMENT, folder)
  await use(folder, birch, alder, 'Memory clinics')
  await runTrial(folder, alder, elm, birch, '410003')
  await recall(folder, elm, fir)
  await remove(hospitals, dogwood)
  await regulate(folder, alder, fingerprint, { opening, settlement })
}

main().catch((error: unknown) => {
  process.stderr.write(`story: ${messageOf(error)}\n`)
  process.exitCode = 1
})
