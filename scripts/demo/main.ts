/**
 * `npm run demo`: five hospitals as five daemon processes on loopback train one model on real patients, without a server.
 * One is killed on the way and comes back. At the end: what joining was worth, and every log verified on every node.
 */
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { parseStudy, type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import type { ModelReport, StatusReport, StudyReport, VerifyReport } from '../../src/daemon/api.ts'
import { runBaselines } from './baselines.ts'
import { type Clinic, foundClinics, until } from './clinics.ts'
import { type Cohorts, evaluateModel, loadCohorts } from './cohorts.ts'
import { dealAlzheimer, dealIcu } from './deal.ts'
import { type LiveRow, report, type RoundPoint } from './report.ts'
import { Screen } from './screen.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const PROGRAM = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))
const POLL_MS = 1_000
const KILL_AT_ROUND = 10
const RESTART_AFTER_MS = 9_000
const DEADLINE_MS = 75_000 // the whole training, on a machine that is busy with other things
const VICTIM = 1 // the second largest: a loss that would hurt

const DATA = {
  alzheimer: { file: 'alzheimer_modeldata.csv', study: 'alzheimer.study.yaml', deal: dealAlzheimer },
  icu: { file: 'icu_patient_pammtools.csv', study: 'icu.study.yaml', deal: dealIcu },
} as const
