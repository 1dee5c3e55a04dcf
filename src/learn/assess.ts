/** A finished model on one hospital's held-out rows: measures with intervals, what joining gained, the calibration curve, and groups of patients. */
import { invariant } from '../core/errors.ts'
import type { Estimate, Evaluation, GroupFigures, Measures } from '../core/evaluation.ts'
import { classesShow } from '../core/metrics.ts'
import type { Rng } from '../core/rng.ts'
import { type MeanColumn, pairedBootstrap } from './bootstrap.ts'
import { calibrationCurve, calibrationFit } from './calibration.ts'
import { aucDifference, aucEstimate, Z_95 } from './delong.ts'
import { evaluate, logLossOf } from './evaluate.ts'
import { probability } from './model.ts'
import { type Grouping, groupFigures } from './subgroups.ts'

/** Predictions to assess; all arrays are over the same held-out rows. */
export interface Judged {
  readonly labels: Uint8Array
  readonly shared: ArrayLike<number>
  /** Of the model that was trained without the others. */
  readonly alone: ArrayLike<number> | null
  readonly groupings: readonly Grouping[]
}

/** How figures are told. */
export interface AssessOptions {
  readonly cohort: number
  /** Probability above which a row is called positive, for the rates. */
  readonly threshold: number
  readonly rng: Rng
  /** Awaited every few milliseconds of work. */
  readonly breathe: () => Promise<void>
}

/** Null where there are fewer rows than the minimum cohort: then nothing may be told. The same input and chance give the same figures. */
export async function assess(judged: Judged, options: AssessOptions): Promise<Evaluation | null> {
  const { labels, shared, alone, groupings } = judged
  const { cohort, threshold } = options
  if (labels.length < cohort) return null
  const models = alone === null ? [shared] : [shared, alone]
  const positives = labels.reduce((sum, label) => sum + label, 0)
  const shows = classesShow({ examples: labels.length, positives }, cohort)
  const { measures, lossGain } = await measuresOf(models, labels, { ...options, shows })
  const [of, ofAlone] = measures
  invariant(of !== undefined, 'the shared model is measured')
  const called = (label: number): number =>
    labels.reduce((sum, one, row) => sum + (one === label && probability(shared[row] as number) > threshold ? 1 : 0), 0)
  const aucGain = alone === null || !shows ? null : aucDifference(shared, alone, labels)
  const groups: GroupFigures[] = []
  for (const [by, grouping] of groupings.entries()) {
    await options.breathe()
    groups.push(...groupFigures(shared, labels, grouping, { by, cohort, threshold }))
  }
  return {
    examples: labels.length,
    positives: shows ? positives : null,
    shared: of,
    alone: ofAlone ?? null,
    aucGain,
    lossGain,
    truePositiveRate: shows ? wilson(called(1), positives) : null,
    falsePositiveRate: shows ? wilson(called(0), labels.length - positives) : null,
    bins: calibrationCurve(shared, labels, cohort),
    groups,
  }
}

/** What is of either class alone where `shows`, else null. All models on the same resamples, so that the difference of the first two is paired. */
async function measuresOf(
  models: readonly ArrayLike<number>[],
  labels: Uint8Array,
  { rng, breathe, shows }: AssessOptions & { readonly shows: boolean },
): Promise<{ measures: Measures[]; lossGain: Estimate | null }> {
  const columns = models.map((logits) => columnsOf(logits, labels))
  const [first, second] = columns
  const gain =
    first === undefined || second === undefined
      ? null
      : first[LOSS].map((loss, row) => (second[LOSS][row] as number) - loss)
  const all: MeanColumn[] = columns.flat()
  if (gain !== null) all.push(gain)
  const spans = await pairedBootstrap({ labels, columns: all, logits: models }, rng, breathe)
  const measures: Measures[] = []
  for (const [i, logits] of models.entries()) {
    const point = evaluate(logits, labels)
    await breathe()
    const at = i * COLUMNS
    const mean = (value: number, column: number): Estimate => [value, ...(spans.means[at + column] as Span)]
    const auc = shows ? aucEstimate(logits, labels) : null
    await breathe()
    const { slope, intercept } = shows ? calibrationFit(logits, labels) : { slope: null, intercept: null }
    await breathe()
    measures.push({
      auc,
      accuracy: mean(point.accuracy, RIGHT),
      logLoss: mean(point.logLoss, LOSS),
      brier: mean(point.brier, SQUARE),
      calibrationError: [point.calibrationError, ...(spans.calibrationErrors[i] as Span)],
      calibrationSlope: slope,
      calibrationIntercept: intercept,
    })
  }
  const span = spans.means[models.length * COLUMNS]
  if (gain === null || span === undefined) return { measures, lossGain: null }
  return { measures, lossGain: [gain.reduce((sum, value) => sum + value, 0) / gain.length, ...span] }
}

type Span = readonly [low: number, high: number]

const [RIGHT, LOSS, SQUARE] = [0, 1, 2] as const
const COLUMNS = 3

/** Row by row: called right, log-loss, squared error. */
function columnsOf(logits: ArrayLike<number>, labels: Uint8Array): [Float64Array, Float64Array, Float64Array] {
  const columns: [Float64Array, Float64Array, Float64Array] = [
    new Float64Array(labels.length),
    new Float64Array(labels.length),
    new Float64Array(labels.length),
  ]
  for (let row = 0; row < labels.length; row++) {
    const [logit, label] = [logits[row] as number, labels[row] as number]
    columns[RIGHT][row] = logit > 0 === (label === 1) ? 1 : 0
    columns[LOSS][row] = logLossOf(logit, label)
    columns[SQUARE][row] = (probability(logit) - label) ** 2
  }
  return columns
}

/** A share with Wilson's 95 % score interval (Wilson 1927), which holds where few are counted too. */
export function wilson(count: number, of: number): Estimate {
  const share = count / of
  const z2 = Z_95 * Z_95
  const middle = (share + z2 / (2 * of)) / (1 + z2 / of)
  const spread = (Z_95 / (1 + z2 / of)) * Math.sqrt((share * (1 - share)) / of + z2 / (4 * of * of))
  return [share, Math.max(0, middle - spread), Math.min(1, middle + spread)]
}
