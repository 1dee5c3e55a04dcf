/**
 * `npm run demo`: five hospitals as five daemon processes on loopback train one model on real patients, without a server.
 * One is killed on the way and comes back. At the end: what joining was worth, and every log verified on every node.
 */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parseStudy, type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { ConsiliumError, messageOf } from '../../src/core/errors.ts'
import type { ModelReport, StatusReport, StudyReport, VerifyReport } from '../../src/daemon/api.ts'
import { runBaselines } from './baselines.ts'
import { type Clinic, foundClinics, until } from './clinics.ts'
import { type Cohorts, evaluateModel, loadCohorts } from './cohorts.ts'
import { dealAlzheimer, dealIcu } from './deal.ts'
import { report, reportJson } from './report.ts'
import { type LiveRow, Screen } from './screen.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const PROGRAM = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))
const POLL_MS = 1_000
const KILL_AT_ROUND = 10
const DOWN_MS = 9_000
const TRAINING_MS_MAX = 90_000 // on a machine that is busy with other things; usually 40 s
const VICTIM = 1 // the second largest: a loss that would hurt

const DATA = {
  alzheimer: { file: 'alzheimer_modeldata.csv', study: 'alzheimer.study.yaml', deal: dealAlzheimer, real: false },
  icu: { file: 'icu_patient_pammtools.csv', study: 'icu.study.yaml', deal: dealIcu, real: true },
} as const

interface Options {
  readonly data: keyof typeof DATA
  readonly seed: number
}

/** What one poll of all clinics found; models only where a daemon answered. */
interface Sample {
  readonly status: StatusReport | null
  readonly study: StudyReport | null
  readonly model: ModelReport | null
}

async function main(): Promise<void> {
  const started = Date.now()
  const options = parseOptions()
  const { file, study: studyFile, deal, real } = DATA[options.data]
  const study = parseStudy(await readFile(join(HERE, studyFile), 'utf8'), studyFile)
  const tables = deal(await readFile(join(HERE, file), 'utf8'), options.seed)
  const folder = await mkdtemp(join(tmpdir(), 'consilium-demo-'))
  say(`Consilium demo: ${tables.length} hospitals, ${tables.reduce((sum, one) => sum + one.rows, 0)} real patients, no server. Folder: ${folder}`)
  say(real ? 'The hospitals are the real sites of the data set.' : `The data set has no sites: dealing it ${tables.map((one) => one.rows).join(' : ')} to five clinics (seed ${options.seed}) is ours.`)

  const clinics = await foundClinics(folder, tables)
  const stop = new AbortController()
  const interrupted = (): void => stop.abort(new Error('interrupted'))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  process.once('exit', () => clinics.forEach((clinic) => clinic.kill()))
  try {
    const cohorts = await loadCohorts(study, clinics.map(({ name, table }) => ({ name, file: table })))
    await Promise.all(clinics.map((clinic) => clinic.start(PROGRAM)))
    await agreeOnStudy(clinics, study)
    const history = await watch(clinics, study, cohorts, stop.signal, started)
    const verified = await verifyEverywhere(clinics)
    await Promise.all(clinics.map((clinic) => clinic.stop()))
    stop.signal.throwIfAborted()
    say('\nTraining the baselines: each hospital alone, FedAvg, and all data pooled (only a demo has all the data) …')
    const baselines = await runBaselines(study, cohorts, study.rounds.count)
    const input = { study, cohorts, seed: options.seed, realSites: real, gossip: history, baselines, verified }
    for (const line of report(input)) say(line)
    await writeFile(join(folder, 'report.json'), `${JSON.stringify(reportJson(input), null, 2)}\n`)
    say(farewell(folder, clinics, (Date.now() - started) / 1000))
  } finally {
    await Promise.all(clinics.map((clinic) => clinic.stop()))
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  }
}
