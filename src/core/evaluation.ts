/** How good a finished model is at one hospital: what leaves the hospital as figures, with intervals, above the study's minimum cohort. */
import type { Digest, MemberId } from './ids.ts'

/** A figure with the ends of its 95 % interval; null where none can be given. */
export type Estimate = readonly [value: number, low: number | null, high: number | null]

/** Measures of one model on one hospital's held-out rows; null, too, what a class of fewer rows than the minimum cohort would show in. */
export interface Measures {
  /** Area under the ROC curve, DeLong's interval; null where a class is absent. */
  readonly auc: Estimate | null
  /** Share of rows on the right side of ½, stratified bootstrap, as the three that follow. */
  readonly accuracy: Estimate
  /** Nats. */
  readonly logLoss: Estimate
  /** Mean squared error of the probability. */
  readonly brier: Estimate
  /** Expected calibration error over ten bins of equal width. */
  readonly calibrationError: Estimate
  /** Of a logistic regression of the label on the logit: 1 where predictions are neither too extreme nor too timid. Wald's interval. */
  readonly calibrationSlope: Estimate | null
  /** Calibration in the large: what all logits lack, in logits; 0 where the mean prediction is right. Wald's interval. */
  readonly calibrationIntercept: Estimate | null
}

/** One bin of a calibration curve; no bin holds fewer rows of either class than the minimum cohort. */
export type CalibrationBin = readonly [rows: number, predicted: number, observed: number]

/** One group of patients, as the study's `report.subgroups` names it; null stands for what is withheld. */
export interface GroupFigures {
  /** Which of the study's subgroups, and which group of that: a level, or a band; the last is who has no value. */
  readonly by: number
  readonly group: number
  readonly examples: number | null
  readonly accuracy: number | null
  readonly logLoss: number | null
  readonly brier: number | null
  /** This one and those below tell of classes: withheld where either class is smaller than the minimum cohort, and this one where patients are asked. */
  readonly positives: number | null
  readonly auc: Estimate | null
  readonly predicted: number | null
  readonly truePositiveRate: number | null
  readonly falsePositiveRate: number | null
}

/** One hospital's evaluation of its own model. */
export interface Evaluation {
  readonly examples: number
  /** Null where either class has fewer rows than the minimum cohort, as all that tells of classes; `bins` are then empty. Both so where patients are asked. */
  readonly positives: number | null
  readonly shared: Measures
  /** The same of a model that this hospital trained alone; null where the study does not ask for it. */
  readonly alone: Measures | null
  /** AUC of the shared model less that of the one trained alone, DeLong's interval, paired by rows. */
  readonly aucGain: Estimate | null
  /** Log-loss of the one trained alone less that of the shared model, bootstrap, paired by rows. */
  readonly lossGain: Estimate | null
  /** Of the shared model, at the study's threshold; Wilson's intervals. */
  readonly truePositiveRate: Estimate | null
  readonly falsePositiveRate: Estimate | null
  /** Empty where either class has fewer rows than the minimum cohort: rows times rates would tell the classes. */
  readonly bins: readonly CalibrationBin[]
  readonly groups: readonly GroupFigures[]
}

/** An update of another member, tested here. */
export interface CrossSite {
  readonly author: MemberId
  /** The author's round. */
  readonly round: number
  readonly update: Digest
  /** Null where either class has fewer rows than the minimum cohort. */
  readonly auc: Estimate | null
  readonly accuracy: number
  readonly logLoss: number
  readonly brier: number
  readonly calibrationError: number
}
