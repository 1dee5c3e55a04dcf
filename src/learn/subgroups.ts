/** A model on groups of patients: whom it serves worse. Small cells are withheld, and those from which they could be worked out. */
import type { GroupFigures } from '../core/evaluation.ts'
import { toldClasses, toldPlaces } from '../core/told.ts'
import { aucEstimate } from './delong.ts'
import { evaluate } from './evaluate.ts'
import { probability } from './model.ts'
import { withheldCells } from './suppression.ts'

/** Which group each row is in, of `groups`, the last of which is of those whose value is missing. */
export interface Grouping {
  readonly groups: number
  readonly of: Uint8Array
  /** The groups that anybody can be in; where absent, those that anybody is in. */
  readonly held?: ReadonlySet<number>
}

/** Which of the study's subgroups these are, and how its figures are told. */
export interface GroupOptions {
  readonly by: number
  readonly cohort: number
  /** Probability above which a row is called positive. */
  readonly threshold: number
  /** Of a study that asks patients: which rows of the table these are (`core/told.ts`); null of any other. */
  readonly numbers: Uint32Array | null
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
 * by the sizes of both classes, so that who is shown no class count is not shown a mean prediction of well calibrated patients either. Where
 * patients are asked, figures are of as many rows of a group, and of either class of it, as may be told of, and how many are ill is not told.
 */
export function groupFigures(
  logits: ArrayLike<number>,
  labels: Uint8Array,
  { groups, of, held }: Grouping,
  { by, cohort, threshold, numbers }: GroupOptions,
): GroupFigures[] {
  const told = (rows: Uint32Array): Uint32Array => (numbers === null ? rows : toldPlaces(numbers, rows, cohort))
  const rowsOf = Array.from({ length: groups }, (_, group) => rowsWhere(of, group))
  const isHeld = (group: number): boolean => held?.has(group) ?? (rowsOf[group] as Uint32Array).length > 0
  const withheld = (sizes: readonly (readonly number[])[], before: readonly boolean[]): boolean[] => {
    const small = sizes.map((counts, group) => isHeld(group) && counts.some((count) => count < cohort))
    return withheldCells(
      sizes,
      cohort,
      small.map((is, group) => is || before[group] === true),
    )
  }
  const toldOf = rowsOf.map(told)
  const hidden = withheld(
    toldOf.map((rows) => [rows.length]),
    [],
  )
  const classesHidden = withheld(
    rowsOf.map((rows) => [0, 1].map((label) => told(rows.filter((row) => labels[row] === label)).length)),
    hidden,
  )
  return toldOf.flatMap((rows, group): GroupFigures[] => {
    if (!isHeld(group)) return []
    if (hidden[group]) return [{ by, group, ...NOTHING }]
    const { examples, accuracy, logLoss, brier } = evaluate(logits, labels, rows)
    const shown = { by, group, ...NOTHING, examples, accuracy, logLoss, brier }
    const all = rowsOf[group] as Uint32Array
    const apart = numbers === null ? all : toldClasses(numbers, all, labels, cohort)
    if (classesHidden[group] || apart === null) return [shown]
    const { positives, ...figures } = classFigures(logits, labels, apart, threshold)
    const predicted = rows.reduce((sum, row) => sum + probability(logits[row] as number), 0) / rows.length
    return [{ ...shown, ...figures, predicted, positives: numbers === null ? positives : null }]
  })
}

function classFigures(logits: ArrayLike<number>, labels: Uint8Array, rows: Uint32Array, threshold: number) {
  const own = Float64Array.from(rows, (row) => logits[row] as number)
  const ill = Uint8Array.from(rows, (row) => labels[row] as number)
  const positives = ill.reduce((sum, label) => sum + label, 0)
  const called = (label: number): number =>
    own.filter((logit, i) => probability(logit) > threshold && ill[i] === label).length
  return {
    positives,
    auc: aucEstimate(own, ill),
    truePositiveRate: called(1) / positives,
    falsePositiveRate: called(0) / (rows.length - positives),
  }
}

function rowsWhere(of: Uint8Array, group: number): Uint32Array {
  return Uint32Array.from(of.keys()).filter((row) => of[row] === group)
}
