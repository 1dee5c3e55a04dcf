/** What the control API answers about registered tables, as the command line reads it. Cells go to the hospital's own terminal alone. */
import type { RegisteredColumn } from '../data/rowCommitments.ts'
import type { RowDifference } from '../data/rowDifferences.ts'

/** One version. Digests are hex. */
export interface DatasetReport {
  readonly name: string
  readonly number: number
  readonly dataset: string
  readonly version: string
  readonly previous: string | null
  readonly rows: number
  readonly columns: readonly RegisteredColumn[]
  readonly keyColumn: string | null
  readonly source: string
  readonly path: string
  readonly query: string | null
  readonly origin: {
    readonly commitment: string
    readonly recordedAtMs: number
    readonly targets: number
    readonly organisations: readonly string[]
  } | null
  readonly published: boolean
  readonly registeredAtMs: number
  /** Null where the log does not tell of it: a stop came between. */
  readonly entry: string | null
}

/** `GET /v1/datasets/:`. */
export interface DatasetDetails extends DatasetReport {
  /** Every version of the name, the oldest first. */
  readonly versions: readonly Pick<DatasetReport, 'number' | 'version' | 'rows' | 'registeredAtMs' | 'entry'>[]
  /** Where it was bound, and what was trained on it, by the own log. `rounds`: first, last, how many; null where there are none. */
  readonly uses: readonly {
    readonly study: string
    readonly studyName: string
    readonly entry: string
    readonly rounds: readonly [first: number, last: number, count: number] | null
  }[]
  /** A FHIR R4 Provenance resource that says the same. */
  readonly fhir: unknown
}

/** `POST /v1/datasets/:/verify`. */
export interface DatasetVerdict {
  readonly name: string
  readonly number: number
  readonly version: string
  readonly path: string
  readonly registeredRows: number
  readonly rows: number
  readonly changed: number
  readonly added: number
  readonly removed: number
  readonly movedLine: number | null
  readonly columnsGone: readonly string[]
  readonly columnsCame: readonly string[]
  readonly keyColumn: string | null
  readonly shown: readonly RowDifference[]
  readonly entry: string
}
