/** What the control API answers about updates that were set aside, as the command line reads it. */

/** `GET /v1/studies/:/outliers`, from this node's own log: those in a row most often first. */
export interface OutliersReport {
  readonly study: string
  /** Merges that the log tells of. */
  readonly merges: number
  readonly members: readonly OutlierReport[]
}

/** One member whose updates were set aside. */
export interface OutlierReport {
  readonly member: string
  readonly name: string
  /** Merges that knew of an update of it, and those of them that set it aside. */
  readonly known: number
  readonly aside: number
  /** Up to the newest of them. */
  readonly inARow: number
  /** The last one; null where there is none. */
  readonly last: {
    readonly reason: string
    readonly round: number
    /** When the row began. */
    readonly sinceRound: number
    readonly sinceMs: number
  } | null
  readonly excluded: boolean
}
