/** How long a simulated node's own work takes. */

/** In virtual milliseconds; ranges are uniform. */
export interface Timing {
  readonly commitMs: number
  readonly openMs: readonly [min: number, max: number]
  readonly trainMs: readonly [min: number, max: number]
  readonly mergeMs: number
  readonly evaluateMs: number
}

/** A small table on an ordinary machine, as the daemon's bench measures it. */
export const ORDINARY_TIMING: Timing = {
  commitMs: 12, // group commit's 10 ms and a synced write
  openMs: [150, 600], // tfjs loads and the table is read
  trainMs: [20, 120],
  mergeMs: 1,
  evaluateMs: 5,
}
