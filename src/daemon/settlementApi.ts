/** What the control API answers about settlements, as the command line reads it: as declared by the members in their logs. */
import type { SettlementFacts } from '../report/settlement.ts'
import type { SettlementOrigin } from '../report/settlementPage.ts'

/** `GET /v1/settlements/statement`. */
export interface SettlementReport extends SettlementFacts {
  readonly origin: SettlementOrigin
  readonly tookMs: number
}

/** `GET /v1/settlements`: one for each period that is closed, and for the open one of each agreement. */
export interface SettlementListLine {
  readonly agreement: string
  readonly agreementName: string
  readonly rule: string
  readonly period: number
  readonly status: 'open' | 'proposed' | 'closed'
  /** Null of a period for which nobody has proposed anything. */
  readonly untilMs: number | null
  readonly proposal: string | null
  readonly confirmed: number
  readonly refused: number
  readonly needed: number
  readonly voters: number
  /** Attempts that came to nothing. */
  readonly failed: number
}

/** What one party found that the proposer did not. */
export interface SettlementDifference {
  readonly by: string
  readonly says: string
}

/** `GET /v1/settlements/check`. */
export interface SettlementCheckReport {
  readonly proposal: string
  readonly statement: SettlementReport
  readonly recomputed: boolean
  /** Null where the statement of the proposal is what was computed here. */
  readonly difference: string | null
  /** Why this node would not confirm it now, though it computes the same; null where it would. */
  readonly objection: string | null
  /** What those who refused it had computed, where that differs. */
  readonly others: readonly SettlementDifference[]
}

/** `POST /v1/settlements`, `…/confirm` and `…/refuse`. */
export interface SettlementSaid {
  readonly statement: SettlementReport
  readonly entry: string
}

/** `POST /v1/settlements/measure`. */
export interface SettlementMeasured {
  readonly study: string
  readonly name: string
  readonly method: string
  readonly rounds: readonly {
    readonly round: number
    readonly patients: number
    readonly part: string
    readonly entry: string
    /** In millionths of a nat of log-loss. */
    readonly values: readonly { readonly name: string; readonly value: number }[]
  }[]
  /** Rounds that were due, why they were not measured, and whether they can be when more is final. */
  readonly skipped: readonly { readonly round: number; readonly why: string; readonly waits: boolean }[]
}
