/** A hospital's table, mapped to a study's features. It never leaves this node. */

/** All rows in memory, each cell checked against the study, nothing standardised yet. */
export interface Dataset {
  readonly rows: number
  /** Names of the raw columns, in the study's order of features. */
  readonly features: readonly string[]
  /**
   * Row-major rows × features. A number as it stands; a category as the index of its level; NaN where missing.
   */
  readonly values: Float64Array
  /** 1 where the label is the study's positive value. */
  readonly labels: Uint8Array
  /** Row numbers of the stratified held-out split, ascending; every row is in one of the three parts. */
  readonly testRows: Uint32Array
  /** For choices made here, such as whose update to leave out; empty where they would be fewer than the minimum cohort. */
  readonly validationRows: Uint32Array
  readonly trainRows: Uint32Array
  /** Which patient each row is of, from 0 in the order in which they come; only where the study asks patients for their word. */
  readonly subjects?: Uint32Array
}
