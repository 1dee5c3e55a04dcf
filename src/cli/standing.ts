/** How a study stands at this hospital, in lines: who trains it, its models, and what calibration does to them. */
import type { Metrics } from '../core/metrics.ts'
import type { StudyReport } from '../daemon/api.ts'
import type { AssessedReport } from '../daemon/modelReport.ts'
import { measure, table } from './output.ts'

/** Nothing before the study was opened. Measures are of this hospital's own held-out patients, log-losses in nats. */
export function standingLines({ learner, standing }: Pick<StudyReport, 'learner' | 'standing'>): string[] {
  const trainedBy = learner === null ? [] : [`trained by ${learner.backend}: ${learner.why}`]
  if (standing === null) return trainedBy
  const { newest, best, personal } = standing
  const rows = [...models('newest', newest), ...(best.round === newest.round ? [] : models('best', best))]
  if (personal !== null) rows.push(['personal', String(newest.round), '–', ...measures(personal)])
  const header = ['model', 'rounds', 'validation log-loss', 'AUC', 'log-loss', 'calibration error']
  return [...trainedBy, '', ...table(header, rows, [1, 2, 3, 4, 5])]
}

function models(name: string, { round, validationLoss, metrics, calibration, calibrated }: AssessedReport): string[][] {
  const row = [name, String(round), validationLoss.toFixed(4), ...measures(metrics)]
  if (calibration === null || calibrated === null) return [row]
  const { slope, intercept, rows } = calibration
  const how = `${name}, calibrated on ${rows}: ${slope.toFixed(2)} × logit ${intercept < 0 ? '−' : '+'} ${Math.abs(intercept).toFixed(2)}`
  return [row, [how, String(round), '–', ...measures(calibrated)]]
}

const measures = ({ auc, logLoss, calibrationError }: Metrics): string[] => [
  measure(auc),
  measure(logLoss),
  measure(calibrationError),
]
