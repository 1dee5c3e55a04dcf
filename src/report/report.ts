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
  /** Whose updates its merges set aside: how often, for what. */
  readonly aside: readonly { readonly author: string; readonly reason: string; readonly merges: number }[]
  /** Merges of other members that took an update of this one. */
  readonly takenByOthers: number
  /** What its newest private update says that it has spent. */
  readonly privacy: {
    readonly epsilon: number
    readonly delta: number
    readonly sampleRate: number
    readonly noiseMultiplier: number
  } | null
  /** Other entries about the study, counted by kind: audits, exports, predictions, exclusions. */
  readonly others: Readonly<Record<string, number>>
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
