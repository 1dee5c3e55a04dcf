/** What the control API answers about the use of models, as the command line reads it: as declared by the hospitals in their logs. */
import type { Use } from '../governance/useBook.ts'
import type { UseFile } from '../governance/uses.ts'

/** Uses of one model by one hospital. */
export interface UseLine {
  readonly hospital: string
  readonly study: string
  readonly studyName: string | null
  readonly model: string
  readonly use: Use
  /** At least so many, where `withheld` is not 0. */
  readonly runs: number
  /** Rows as far as they were told; null for exports. */
  readonly rows: number | null
  /** Runs whose rows were too few to be told. */
  readonly withheld: number
  readonly firstMs: number
  readonly lastMs: number
  readonly entries: number
  /** The newest entry, as `consilium log show` takes it. */
  readonly entry: string
}

/** `GET /v1/uses`. */
export interface UsesReport {
  readonly uses: readonly UseLine[]
  /** Entries that were looked through. */
  readonly entries: number
  /** Entries about uses, of what was asked for, that tell of nothing here: they were redacted or pruned, or cannot be read. */
  readonly silent: number
  /** Runs of this hospital that no entry tells of yet: those of few rows wait for the end of their hour. */
  readonly untold: number
  /** Runs of this hospital that a damaged file lost before an entry told of them: at least so many. */
  readonly lost: number
  readonly tookMs: number
}

/** `POST /v1/uses/check`: what this hospital keeps of the predictions that an own entry tells of. */
export interface UseCheckReport {
  readonly entry: string
  readonly study: string
  readonly model: string
  readonly rounds: number
  readonly runs: readonly {
    readonly fromMs: number
    readonly toMs: number
    readonly rows: number
    readonly warned: number
    readonly withoutPrediction: number
  }[]
  /** Whether the commitment in the log is that over these runs. */
  readonly holds: boolean
  /** Runs, from 1, that read or wrote the file that was given; null where none was given. */
  readonly matches: readonly { readonly run: number; readonly file: UseFile }[] | null
}
