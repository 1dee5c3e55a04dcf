/** A finished model on one hospital's held-out rows: measures with intervals, what joining gained, the calibration curve, and groups of patients. */
import { invariant } from '../core/errors.ts'
import type { Estimate, Evaluation, GroupFigures, Measures } from '../core/evaluation.ts'
import type { Rng } from '../core/rng.ts'
import { toldOf } from '../core/told.ts'
import { type MeanColumn, pairedBootstrap } from './bootstrap.ts'
import { calibrationCurve, calibrationFit } from './calibration.ts'
import { aucDifference, aucEstimate, Z_95 } from './delong.ts'
import { evaluate, logLossOf } from './evaluate.ts'
import { labelsAt } from './inUse.ts'
import { probability } from './model.ts'
import { type Grouping, groupFigures } from './subgroups.ts'

/** Predictions to assess; all arrays are over the same held-out rows. */
export interface Judged {
  readonly labels: Uint8Array
  readonly shared: ArrayLike<number>
  /** Of the model that was trained without the others. */
  readonly alone: ArrayLike<number> | null
  readonly groupings: readonly Grouping[]
  /** Of a study that asks patients: which rows of the table these are (`core/told.ts`); null of any other. */
  readonly numbers: Uint32Array | null
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

/**
 * Null where there are fewer rows than the minimum cohort: then nothing may be told. The same input and chance give the same figures. Where
 * patients are asked, neither how many are ill nor the calibration curve, whose bins have as many rows as it falls out.
 */
export async function assess(judged: Judged, options: AssessOptions): Promise<Evaluation | null> {
  const { labels, shared, groupings, numbers } = judged
  const { cohort, threshold } = options
  if (labels.length < cohort) return null
  const told = toldOf(labels, numbers, cohort)
  const [all, classes] = [judgedAt(judged, told.all), told.classes && judgedAt(judged, told.classes)]
  const { measures, lossGain } = await measuresOf(all, classes, options)
  const [of, ofAlone] = measures
  invariant(of !== undefined, 'the shared model is measured')
  const rates = classes === null ? null : ratesOf(classes, threshold)
  const aucGain =
    classes === null || classes.alone === null ? null : aucDifference(classes.shared, classes.alone, classes.labels)
  const groups: GroupFigures[] = []
  for (const [by, grouping] of groupings.entries()) {
    await options.breathe()
    groups.push(...groupFigures(shared, labels, grouping, { by, cohort, threshold, numbers }))
  }
  return {
    examples: all.labels.length,
    positives: numbers === null ? (rates?.positives ?? null) : null,
    shared: of,
    alone: ofAlone ?? null,
    aucGain,
    lossGain,
    truePositiveRate: rates?.truePositiveRate ?? null,
    falsePositiveRate: rates?.falsePositiveRate ?? null,
    bins: numbers === null ? calibrationCurve(shared, labels, cohort) : [],
    groups,
  }
}

function judgedAt({ labels, shared, alone, ...rest }: Judged, places: Uint32Array): Judged {
  const at = (logits: ArrayLike<number>): Float64Array => Float64Array.from(places, (place) => logits[place] as number)
  return { ...rest, labels: labelsAt(labels, places), shared: at(shared), alone: alone && at(alone) }
}

function ratesOf({ labels, shared }: Judged, threshold: number) {
  const positives = labels.reduce((sum, label) => sum + label, 0)
  const called = (label: number): number =>
    labels.reduce((sum, one, row) => sum + (one === label && probability(shared[row] as number) > threshold ? 1 : 0), 0)
  return {
    positives,
    truePositiveRate: wilson(called(1), positives),
    falsePositiveRate: wilson(called(0), labels.length - positives),
  }
}

const modelsOf = ({ shared, alone }: Judged): ArrayLike<number>[] => (alone === null ? [shared] : [shared, alone])

/** What is of either class alone is null where `classes` is. All models on the same resamples, so that the difference of the first two is paired. */
async function measuresOf(
  judged: Judged,
  classes: Judged | null,
  { rng, breathe }: AssessOptions,
): Promise<{ measures: Measures[]; lossGain: Estimate | null }> {
  const { labels } = judged
  const models = modelsOf(judged)
  const apart = classes && modelsOf(classes)
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
    const auc = classes && apart && aucEstimate(apart[i] as ArrayLike<number>, classes.labels)
    await breathe()
    const { slope, intercept } = classes ? calibrationFit(logits, labels) : { slope: null, intercept: null }
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
