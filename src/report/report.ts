/** What a study's entries say of it, as plain data: what `consilium study report` writes as JSON, and draws. */
import type { Study } from '../config/study.ts'
import type { CrossSite, Estimate, Evaluation } from '../core/evaluation.ts'

/** Version 1. Times are milliseconds since 1970 by the authors' clocks, digests and members hex, shares from 0 to 1. */
export interface Report {
  readonly kind: 'consilium-study-report'
  readonly format: 1
  /** By whose copies of the logs it was made. */
  readonly made: { readonly atMs: number; readonly by: string; readonly software: string; readonly founding: string }
  readonly study: {
    readonly id: string
    readonly proposedBy: string
    readonly proposedAtMs: number
    /** The document that all members accepted. */
    readonly terms: Study
    /** Names of the groups of each of `terms.report.subgroups`, in order. */
    readonly groups: readonly (readonly string[])[]
  }
  /** By name; who accepted the study, or spoke of it in another way. */
  readonly members: readonly MemberReport[]
  /** Models that were written to files, predicted with, explained, withdrawn or restored, the last touched first; `modelsLeftOut` more are not shown. */
  readonly models: readonly ReportedModel[]
  readonly modelsLeftOut: number
}

/** One member as its own log tells of it. Everything is declared by the member; null stands for what it has not told. */
export interface MemberReport {
  readonly member: string
  readonly name: string
  readonly acceptedAtMs: number | null
  /** Rows of its table, and of those the ones that train. */
  readonly rows: number | null
  readonly trainRows: number | null
  /** Whether its sums are part of the scaling, as far as it offered them. */
  readonly statistics: boolean
  readonly rounds: {
    readonly trained: number
    readonly merged: number
    /** Inputs of a merge, the own one included. */
    readonly inputsMean: number | null
    readonly firstAtMs: number | null
    readonly lastAtMs: number | null
    readonly rule: string | null
  }
  readonly ended: { readonly rounds: number; readonly model: string; readonly atMs: number } | null
  /** Of its newest complete model over the rounds, thinned to some hundred. */
  readonly curve: readonly CurvePoint[]
  readonly measured: {
    readonly round: number
    readonly model: string
    readonly atMs: number
    /** Null where its held-out patients are fewer than the minimum cohort. */
    readonly evaluation: Evaluation | null
  } | null
  readonly crossed: {
    readonly round: number
    readonly atMs: number
    readonly examples: number | null
    /** Whose update, of which round, on this member's patients. */
    readonly sites: readonly (Omit<CrossSite, 'author' | 'update'> & {
      readonly author: string
      readonly update: string
    })[]
  } | null
  /** What it keeps of an ended study, exports and predicts with: the best of its rounds by its own validation patients, with its refit. */
  readonly calibrated: {
    readonly round: number
    readonly model: string
    readonly atMs: number
    /** logit ← slope · logit + intercept, fitted on `rows` validation patients, null where fewer than the minimum cohort; 1 and 0 on 0 where nothing was fitted. */
    readonly slope: number
    readonly intercept: number
    readonly rows: number | null
    /** On held-out patients before and after; null where those are too few. */
    readonly logLoss: readonly [before: number, after: number] | null
    readonly calibrationError: readonly [before: number, after: number] | null
  } | null
  /** Its newest personal model, on the same held-out patients; null where the study asks for none. Measures as in `curve`. */
  readonly personal:
    | ({ readonly examples: number | null; readonly calibrationError: number | null } & CurvePoint)
    | null
  /** Whose updates its merges set aside: how often, for what. */
  readonly aside: readonly { readonly author: string; readonly reason: string; readonly merges: number }[]
  /** Whose updates its operator keeps out now, and why. */
  readonly excluded: readonly { readonly author: string; readonly reason: string; readonly atMs: number }[]
  /** Merges of other members that took an update of this one. */
  readonly takenByOthers: number
  /** What its newest private update says that it has spent. */
  readonly privacy: {
    readonly epsilon: number
    readonly delta: number
    readonly sampleRate: number
    readonly noiseMultiplier: number
  } | null
  /** Membership inference against its own model, the newest audits last. */
  readonly audits: readonly AuditFigures[]
  /** Other entries about the study, counted by kind. */
  readonly others: Readonly<Record<string, number>>
}

/** One attack on a hospital's own model with its own rows; shares with their 95 % intervals. */
export interface AttackFigures {
  /** `loss`, or `calibrated-loss`: against models that were trained without the row. */
  readonly attack: string
  /** Chance that a row that was trained on looks more so than one that was not; ½ is guessing. */
  readonly auc: Estimate
  /** Share of trained-on rows that are named where a tenth, or a hundredth, of the others are named wrongly. */
  readonly found10: Estimate
  readonly found1: Estimate
  /** Training was not more private than this, with 95 % confidence; 0 where the attack shows nothing. */
  readonly epsilonLow: number
}

/** `members` rows were trained on and `others` held out; both were attacked. */
export interface AuditFigures {
  readonly round: number
  readonly model: string
  readonly atMs: number
  readonly members: number
  readonly others: number
  /** Models trained for the second attack. */
  readonly shadows: number
  readonly attacks: readonly AttackFigures[]
  /** What the hospital's updates claimed when it was audited; null in a study without privacy. */
  readonly claimed: { readonly epsilon: number; readonly delta: number } | null
}

/** What became of one model, as the logs tell. A file that was written can be taken anywhere; of that no log tells. */
export interface ReportedModel {
  readonly model: string
  /** Who made it, and exported, used and explained it. */
  readonly author: string
  readonly name: string
  /** Null where no log here tells how it was made. */
  readonly making: 'trained' | 'merged' | null
  readonly rounds: number | null
  /** By form: how many files, with or without the hospital's private output bias. */
  readonly exports: readonly {
    readonly format: string
    readonly withHead: boolean
    readonly files: number
    readonly firstAtMs: number
    readonly lastAtMs: number
  }[]
  /** Patients of all runs but `runsWithheld`, at least so many, whose patients were fewer than the minimum cohort. */
  readonly predictions: {
    readonly runs: number
    readonly runsWithheld: number
    readonly patients: number
    readonly warned: number
    readonly withoutPrediction: number
    readonly lastAtMs: number
  } | null
  readonly explanations: { readonly runs: number; readonly lastAtMs: number } | null
  /** All that was said of it: each member's newest word. */
  readonly words: readonly {
    readonly name: string
    readonly withdrawn: boolean
    readonly reason: string | null
    readonly atMs: number
  }[]
  /** The withdrawal that binds every member; null where none does. */
  readonly withdrawn: { readonly by: string; readonly reason: string; readonly atMs: number } | null
  /** Digest of another model that is withdrawn from everybody, of which this one was made. */
  readonly descendsFrom: string | null
  /** What was made of it, where anything was said of it; else null. */
  readonly descendants: { readonly models: number; readonly members: readonly string[] } | null
}

/** After `round` rounds; null where it was withheld. */
export interface CurvePoint {
  readonly round: number
  readonly auc: number | null
  readonly logLoss: number | null
}

/** Which way an interval points: `up` or `down` where it leaves out 0, else `open`; null where there is no interval. */
export function direction(estimate: Estimate | null): 'up' | 'down' | 'open' | null {
  if (estimate === null || estimate[1] === null || estimate[2] === null) return null
  if (estimate[1] > 0) return 'up'
  return estimate[2] < 0 ? 'down' : 'open'
}
