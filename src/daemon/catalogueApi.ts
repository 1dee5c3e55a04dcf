/** What the control API answers about announced datasets, as the command line reads it: as declared by the hospitals in their logs. */
import type { CountColumn } from '../config/countColumns.ts'

/** One dataset. Names of members are those of this node. */
export interface CatalogueLine {
  /** `North/stroke-2026`, as commands take it. */
  readonly ref: string
  readonly member: string
  readonly ours: boolean
  readonly name: string
  /** Hex. */
  readonly dataset: string
  readonly status: 'pending' | 'announced' | 'withdrawn'
  readonly entry: string
  /** Of a withdrawal. */
  readonly reason: string | null
  /** Null where it was withdrawn. */
  readonly announced: {
    readonly version: string
    readonly title: readonly string[]
    readonly source: string
    readonly purposes: readonly { readonly code: string; readonly label: string }[]
    readonly counted: 'patients' | 'rows'
    /** At least so many: it is rounded down to a multiple of `cohort`. */
    readonly count: number
    readonly cohort: number
    readonly counts: string
    readonly columns: readonly CountColumn[]
  } | null
}

/** `GET /v1/catalogue/show`. */
export interface CatalogueDetails extends CatalogueLine {
  /** Of an own dataset: what counts have told of it, by asker; ε. Null of others'. */
  readonly told: {
    /** Names of own datasets that are the same table, and share the budget. */
    readonly sharedWith: readonly string[]
    /** How many datasets that are registered here no more share it too. */
    readonly goneToo: number
    readonly inAll: number
    readonly inAllMax: number
    readonly perAskerMax: number
    readonly askers: readonly { readonly member: string; readonly epsilon: number }[]
  } | null
}

/** `POST /v1/catalogue`. */
export interface AnnouncedReport extends CatalogueLine {
  /** Columns that are not announced, and why; none where no columns are told. */
  readonly leftOut: readonly { readonly column: string; readonly because: string }[]
}
