/** A model on groups of patients: whom it serves worse. Small cells are withheld, and those from which they could be worked out. */
import type { GroupFigures } from '../core/evaluation.ts'
import { aucEstimate } from './delong.ts'
import { evaluate } from './evaluate.ts'
import { probability } from './model.ts'
import { withheldCells } from './suppression.ts'

/** Which group each row is in, of `groups`, the last of which is of those whose value is missing. */
export interface Grouping {
  readonly groups: number
  readonly of: Uint8Array
}

/** Which of the study's subgroups these are, and how its figures are told. */
export interface GroupOptions {
  readonly by: number
  readonly cohort: number
  /** Probability above which a row is called positive. */
  readonly threshold: number
}

const NOTHING = {
  examples: null,
  accuracy: null,
  logLoss: null,
  brier: null,
  positives: null,
  auc: null,
  predicted: null,
  truePositiveRate: null,
  falsePositiveRate: null,
} as const

/**
 * One row per group that anybody is in. Rows and what is averaged over all of them are withheld by the group's size; what tells of classes,
 * by the sizes of both classes, so that who is shown no class count is not shown a mean prediction of well calibrated patients either.
 */
export function groupFigures(
  logits: ArrayLike<number>,
  labels: Uint8Array,
  { groups, of }: Grouping,
  { by, cohort, threshold }: GroupOptions,
): GroupFigures[] {
  const rowsOf = Array.from({ length: groups }, (_, group) => rowsWhere(of, group))
  const positives = rowsOf.map((rows) => rows.reduce((sum, row) => sum + (labels[row] as number), 0))
  const sizes = rowsOf.map((rows, group) => [rows.length, positives[group] as number] as const)
  const hidden = withheldCells(
    sizes.map(([rows]) => [rows]),
    cohort,
  )
  const classesHidden = withheldCells(
    sizes.map(([rows, ill]) => [rows - ill, ill]),
    cohort,
    hidden,
  )
  return rowsOf.flatMap((rows, group): GroupFigures[] => {
    if (rows.length === 0) return []
    if (hidden[group]) return [{ by, group, ...NOTHING }]
    const { examples, accuracy, logLoss, brier } = evaluate(logits, labels, rows)
    const shown = { by, group, ...NOTHING, examples, accuracy, logLoss, brier }
    return [classesHidden[group] ? shown : { ...shown, ...classFigures(logits, labels, rows, threshold) }]
  })
}

function classFigures(logits: ArrayLike<number>, labels: Uint8Array, rows: Uint32Array, threshold: number) {
  const own = Float64Array.from(rows, (row) => logits[row] as number)
  const ill = Uint8Array.from(rows, (row) => labels[row] as number)
  const positives = ill.reduce((sum, label) => sum + label, 0)
  const probabilities = own.map(probability)
  const called = (label: number): number => probabilities.filter((p, i) => p > threshold && ill[i] === label).length
  return {
    positives,
    auc: aucEstimate(own, ill),
    predicted: probabilities.reduce((sum, p) => sum + p, 0) / rows.length,
    truePositiveRate: called(1) / positives,
    falsePositiveRate: called(0) / (rows.length - positives),
  }
}

function rowsWhere(of: Uint8Array, group: number): Uint32Array {
  return Uint32Array.from(of.keys()).filter((row) => of[row] === group)
}
