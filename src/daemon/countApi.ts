/** What the control API answers about counts, as the command line reads it: as declared by the hospitals in their logs. */
import type { CountCode } from '../governance/kinds/access.ts'

/** What one hospital told of one dataset. Names of members are those of this node. */
export interface CountAnswerLine {
  /** `North/stroke-2026`. */
  readonly dataset: string
  readonly counted: 'patients' | 'rows'
  readonly status: 'waiting' | 'told' | 'refused'
  readonly code: CountCode | null
  /** What that means, and what is to be done. */
  readonly says: string
  readonly count: number | null
  /** The ends of the 95 % interval of noise and rounding. */
  readonly low: number | null
  readonly high: number | null
  /** Of the noise; what this answer cost, and what remains for who asked. */
  readonly epsilon: number | null
  readonly spent: number | null
  readonly left: number | null
  readonly cohort: number | null
  readonly step: number | null
  readonly entry: string | null
}

/** One question. */
export interface CountReport {
  /** The entry that asks: `South/17`, as commands take it. */
  readonly ref: string
  readonly by: string
  readonly askedAtMs: number
  /** The condition in its one form; `all` where there is none; null of a question that this version cannot read. */
  readonly where: string | null
  readonly purposes: readonly { readonly code: string; readonly label: string }[]
  readonly answers: readonly CountAnswerLine[]
  readonly waiting: number
  /** Of those who told; null where nobody did. */
  readonly total: { readonly count: number; readonly low: number; readonly high: number; readonly of: number } | null
}

/** `POST /v1/counts`. */
export interface CountAskedReport extends CountReport {
  /** Of `--all`: datasets that cannot be asked this, and why. */
  readonly leftOut: readonly { readonly dataset: string; readonly because: string }[]
}
