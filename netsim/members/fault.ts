/** What goes wrong in a simulation, and when: plain data, so that a fault found once can be written down. */

/** Times are in virtual milliseconds since the start. */
export type Fault =
  /** The power of a node goes, and comes back `downMs` later with the disk as it was. */
  | { readonly type: 'crash'; readonly node: number; readonly atMs: number; readonly downMs: number }
  /** The same at one durable write of own entries (from 1, counted over restarts): just before it, or when it is durable but not reported. */
  | {
      readonly type: 'crash-at-commit'
      readonly node: number
      readonly commit: number
      readonly side: 'before' | 'after'
      readonly downMs: number
    }
  /** Only nodes with equal sides reach each other. */
  | { readonly type: 'partition'; readonly sides: readonly number[]; readonly fromMs: number; readonly toMs: number }
  /** The operator pauses the study at one node, and resumes it. */
  | { readonly type: 'pause'; readonly node: number; readonly fromMs: number; readonly toMs: number }
  /** The operator binds another of the node's tables. */
  | { readonly type: 'rebind'; readonly node: number; readonly atMs: number; readonly version: number }
  /** The operator takes back the first update of its own node. */
  | { readonly type: 'withdraw'; readonly node: number; readonly atMs: number }
  /** The clock of a node is wrong from the start. */
  | { readonly type: 'skew'; readonly node: number; readonly byMs: number }
  /** A node that is not there from the start. */
  | { readonly type: 'late'; readonly node: number; readonly atMs: number }
