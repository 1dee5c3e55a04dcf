/** What the control API answers about goods, as the command line reads it: as declared by the members in their logs. */
import type { FindingCode } from '../governance/supply/findings.ts'

/** `POST /v1/supply/import`. */
export interface SupplyImportReport {
  readonly path: string
  /** Events of the file; those written now; those that this log had before. */
  readonly events: number
  readonly recorded: number
  readonly known: number
  /** Entries that they were written in: first and last. */
  readonly entries: readonly string[]
  /** How many fields of each name stay at the hospital. */
  readonly leftOut: readonly { readonly field: string; readonly times: number }[]
  /** Which events are not accepted; the file was not imported then. */
  readonly faults: readonly { readonly event: number; readonly message: string }[]
  readonly faultsInAll: number
  /** Goods received, given out or shipped by these events that are recalled now, or held what is; `step`: the last that they went through then. */
  readonly warnings: readonly { readonly item: string; readonly step: string; readonly recall: SupplyRecallLine }[]
  /** New events that say of another that it is in error, and this hospital told no such one. */
  readonly ofNothing: readonly { readonly timeMs: number; readonly item: string | null }[]
  readonly ofNothingInAll: number
  readonly dryRun: boolean
}

/** One event on a way. Temperatures in degrees Celsius. */
export interface SupplyStepReport {
  readonly timeMs: number
  readonly entry: string
  readonly state: string
  readonly by: string
  readonly type: string
  readonly action: string | null
  readonly step: string | null
  readonly disposition: string | null
  readonly place: string | null
  readonly destination: string | null
  readonly low: number | null
  readonly high: number | null
  /** What it lay in, from the outermost. */
  readonly within: readonly string[]
  readonly inError: boolean
}

/** What is wrong with the way of one thing, and the event before that it does not fit. */
export interface SupplyFindingReport {
  readonly code: FindingCode
  readonly says: string
  readonly item: string
  readonly timeMs: number
  readonly place: string | null
  readonly by: string
  readonly entry: string
  readonly before: {
    readonly timeMs: number
    readonly place: string | null
    readonly by: string
    readonly entry: string
  } | null
  readonly celsius: number | null
}

/** Where something is, as far as anybody has said. */
export interface SupplyStandingReport {
  readonly state: 'here' | 'under-way' | 'ended' | 'used' | 'unknown'
  readonly place: string | null
  readonly towards: string | null
  readonly sinceMs: number | null
  readonly by: string | null
  readonly entry: string | null
}

/** `GET /v1/supply/trace`. */
export interface SupplyTraceReport {
  readonly item: string
  readonly link: string
  readonly lots: readonly string[]
  readonly steps: readonly SupplyStepReport[]
  readonly standing: SupplyStandingReport
  readonly inside: readonly string[]
  readonly madeFrom: readonly string[]
  readonly madeInto: readonly string[]
  readonly findings: readonly SupplyFindingReport[]
  readonly recalls: readonly SupplyRecallLine[]
  /** Of its product, or of the products that ever lay in it. */
  readonly ranges: readonly SupplyRangeReport[]
  readonly cut: boolean
  readonly tookMs: number
}

/** Between which temperatures a product is to be kept, in degrees Celsius; null is no bound. */
export interface SupplyRangeReport {
  readonly item: string
  readonly low: number | null
  readonly high: number | null
  /** Members declare different ranges; the strictest of them counts. */
  readonly differ: boolean
  /** They leave no temperature that would be right. */
  readonly isEmpty: boolean
  /** The last word of each member. One that is not final only narrows the one before. */
  readonly declared: readonly {
    readonly low: number | null
    readonly high: number | null
    readonly by: string
    readonly entry: string
    readonly timeMs: number
    readonly final: boolean
  }[]
}

/** `GET /v1/supply/products` and `POST /v1/supply/product`. `item`: the one that was asked for. */
export interface SupplyProductReport {
  readonly item: string | null
  readonly products: readonly SupplyRangeReport[]
}

/** A recall as one member says it. */
export interface SupplyRecallLine {
  readonly item: string
  readonly reason: string
  readonly class: number
  readonly by: string
  readonly entry: string
  readonly timeMs: number
  readonly stands: boolean
  /** The entry that takes it back, and whether it is final. */
  readonly lifted: { readonly entry: string; readonly final: boolean } | null
}

/** A recall of many as one member says it, in slices; `missing` are the numbers of those that are not here, from 1. */
export interface SupplyListLine extends Omit<SupplyRecallLine, 'item'> {
  readonly list: string
  readonly digest: string
  readonly slices: number
  readonly missing: readonly number[]
  /** Lots and products of the slices that are here. */
  readonly items: number
  /** All slices are here, and yet are not what was recalled by that digest. */
  readonly differs: boolean
}

/** `GET /v1/supply/recalls`. */
export interface SupplyRecallsReport {
  readonly recalls: readonly SupplyRecallLine[]
  readonly lists: readonly SupplyListLine[]
}

/** `GET /v1/supply/recall`: what a recall of this reaches. `item`: null of a list; `list`: null of one that nobody recalls. */
export interface SupplyScopeReport {
  readonly item: string | null
  readonly list: SupplyListLine | null
  readonly items: number
  readonly recalls: readonly SupplyRecallLine[]
  readonly reached: readonly {
    readonly item: string
    readonly how: 'lot' | 'any' | 'made' | 'holds'
    readonly by: string | null
    /** From the innermost; of a lot, the first hundred boxes that have some of it. */
    readonly inside: readonly string[]
    readonly standing: SupplyStandingReport
  }[]
  readonly reachedInAll: number
  readonly cut: boolean
}

/** `GET /v1/supply/check`. */
export interface SupplyCheckReport {
  readonly events: number
  readonly dropped: number
  readonly items: number
  /** Of some goods there are more events than are followed: what is wrong later is not told. */
  readonly cut: boolean
  readonly findings: readonly SupplyFindingReport[]
  readonly findingsInAll: number
  readonly byCode: readonly { readonly code: FindingCode; readonly says: string; readonly count: number }[]
  /** Products of which members declare different temperatures. */
  readonly differing: readonly SupplyRangeReport[]
  readonly tookMs: number
}
