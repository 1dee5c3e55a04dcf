/** The world that a scenario describes, made once from its seed before virtual time begins: who is linked, how fast, when up, which rows. */
import type { Feature, Study } from '../../src/config/study.ts'

/** Who may be linked to whom. */
export interface Topology {
  readonly nodes: number
  /** Whether everybody is linked to everybody; then `neighbours` is not to be asked. */
  readonly full: boolean
  /** Ascending; links are mutual. */
  neighbours(node: number): Int32Array
  /** Least one-way latency between two nodes beyond the scenario's range, milliseconds; null where the topology has none. */
  latencyMs(from: number, to: number): number | null
  /** Of a node in a geographic topology. */
  regionOf(node: number): string | null
}

/** When a node is up: a schedule that nothing else changes. Asked in the order of time, for each node. */
export interface Availability {
  /** Whether it is up at the start. */
  initially(node: number): boolean
  /**
   * When the schedule next turns from `up` to the other after `nowMs` (since the start), whole milliseconds; null: never again. `up` is what
   * the schedule says now; asking twice gives the same answer.
   */
  nextChangeMs(node: number, nowMs: number, up: boolean): number | null
}

/** All rows of all nodes, before scaling: labels in memory, values on demand, so that made-up ones never lie there all at once. */
export interface Deal {
  readonly nodes: number
  readonly features: readonly Feature[]
  readonly label: Study['label']
  /** 1 where the label is positive. */
  readonly labels: Uint8Array
  /** Rows of node i are `from[i]` ≤ row < `from[i + 1]`; `nodes` + 1 long. */
  readonly from: Uint32Array
  /** 1 where the row is held out. */
  readonly test: Uint8Array
  /** Of the node with the most: how long a buffer for one node must be, in rows. */
  readonly rowsMax: number
  /**
   * Writes the node's values into the beginning of `out`, row-major, rows × features: a number as it stands, a category as the index of
   * its level, NaN where missing. The same values at every call.
   */
  fill(node: number, out: Float32Array): void
  /** Of a node: its site, or its number. */
  nameOf(node: number): string
  /** SHA-256 over values, labels, from and test, hex; takes a pass over all values when it is asked for first. */
  readonly digest: string
}
