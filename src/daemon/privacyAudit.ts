/** Answers `consilium study audit-privacy`: attacks this hospital's own model with its own rows, and records what came of it. */
import { toldRows } from '../config/consent.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { PrivacyClaim } from '../core/privacy.ts'
import { designMatrix } from '../data/design.ts'
import { readBody } from '../governance/kinds.ts'
import type { StudyState } from '../governance/studies.ts'
import { attackFigures } from '../learn/privacy/audit.ts'
import { type AuditResult, attack } from '../learn/privacy/shadows.ts'
import { WorkerLearner } from '../learn/workerLearner.ts'
import { FENCED } from '../node/boot.ts'
import { privateTrainingOf } from '../training/privateTraining.ts'
import type { Daemon } from './daemon.ts'
import { entriesOf } from './logSlices.ts'
import { privacyClaim } from './privacyClaims.ts'
import { Turns } from './turns.ts'

/** What an audit found, and what the study claims. */
export interface AuditReport extends AuditResult {
  readonly study: StudyId
  readonly name: string
  /** Rounds that went into the model. */
  readonly round: number
  readonly model: string
  /** Training rows, and held-out rows that stand for patients who were never in the table. */
  readonly members: number
  readonly others: number
  /** Of a private study; null where there is no claim. */
  readonly claim: PrivacyClaim | null
}

const turns = new Turns() // one audit at a time: each has a learner of its own

/** Errors: `model-missing`, `audit-cohort`, `audit-told`, `boot-fence`; those of tables and learners. */
export function auditPrivacy(daemon: Daemon, state: StudyState): Promise<AuditReport> {
  return turns.run('audit', () => audit(daemon, state))
}

async function audit(daemon: Daemon, state: StudyState): Promise<AuditReport> {
  const { id, study, scaling } = state
  const found = daemon.model(id)
  if (found === null || scaling === null) {
    const message = `study ${id.slice(0, 12)} has no model here yet; it has one after its first round`
    throw new ConsiliumError({ code: 'model-missing', message })
  }
  if (study.consent !== null) await requireUntold(daemon, id, found.digest)
  const dataset = await daemon.dataset(state.id)
  const own = await daemon.models.scaling({ ...state, scaling })
  const of = (rows: Uint32Array) => designMatrix(study, dataset, toldRows(study, rows), own)
  const [members, others] = [of(dataset.trainRows), of(dataset.testRows)]
  requireCohort(Math.min(members.rows, others.rows), study.minimumCohort)
  const given = { rows: members.rows, spent: [], roundsMax: 0, epsilonMax: null }
  const privacy = privateTrainingOf(study, given)
  const learner = new WorkerLearner({ backend: daemon.home.config.learner.backend })
  try {
    const { model, training } = study
    const audited = { study: id, model, training, weights: found.weights, members, others, privacy }
    const result = await attack(learner, audited)
    const { round, digest } = found
    const { claim } = await privacyClaim(daemon, daemon.home.key.id, id) // from the log: an ended study is not run any more
    const report = {
      study: id,
      name: study.name,
      round: round + 1,
      model: digest,
      claim,
      ...result,
    }
    const whole = { ...report, members: members.rows, others: others.rows }
    await record(daemon, whole)
    return whole
  } finally {
    await learner.close()
  }
}

/** Shares of fewer patients would be told to everybody. */
function requireCohort(rows: number, minimumCohort: number): void {
  if (rows >= minimumCohort) return
  throw new ConsiliumError({
    code: 'audit-cohort',
    message: `${rows} rows are held out here or trained on, and the study's minimum cohort is ${minimumCohort}: what an audit of so few finds is told to nobody`,
  })
}

/** Where patients are asked, figures of one model before and after a word would tell of the word: each model is audited once. */
async function requireUntold(daemon: Daemon, study: StudyId, model: Digest): Promise<void> {
  for await (const entry of entriesOf(daemon.logs, daemon.home.key.id, ['privacy.audited'])) {
    const told = entry.study === study ? readBody('privacy.audited', entry.body) : null
    if (told === null || toHex(told.model) !== model) continue
    const message =
      'this model is audited already, and this study asks patients for their word: figures of one model before and after a word would tell of it'
    throw new ConsiliumError({ code: 'audit-told', message })
  }
}

async function record(
  daemon: Daemon,
  { study, round, model, members, others, shadows, loss, calibrated }: AuditReport,
) {
  const { writer } = daemon
  if (writer === null) throw new ConsiliumError(FENCED)
  const attacks = [attackFigures('loss', loss), attackFigures('calibrated-loss', calibrated)]
  const body = { round: round - 1, model: fromHex(model), members, others, shadows, attacks }
  writer.record('audited', [{ kind: 'privacy.audited', study, timeMs: Date.now(), refs: [], body }], new Map())
  await writer.flush()
}
