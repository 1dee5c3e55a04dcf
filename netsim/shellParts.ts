/** What one start of a simulated node is made of. */
import type { Dataset } from '../src/data/dataset.ts'
import type { Learner } from '../src/learn/learner.ts'
import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Equivocation } from './equivocator.ts'
import type { Identities } from './identity.ts'
import type { Lie } from './liar.ts'
import type { Network, Port } from './network.ts'
import type { Timing } from './timing.ts'
import type { Step } from './trace.ts'

/** Given by who runs the simulation; `P` is the node itself. */
export interface ShellParts<P extends Port> {
  readonly node: number
  /** 0 the first time. */
  readonly start: number
  readonly seed: string
  readonly identities: Identities
  readonly clock: Clock
  readonly network: Network<P>
  readonly disk: Disk
  readonly learner: Learner
  /** The node's tables: the first one, and what is bound in its place later. */
  readonly tables: readonly Dataset[]
  readonly timing: Timing
  readonly lies: readonly Lie[]
  /** Its second history, where it signs two. */
  readonly second: Equivocation | null
  /** How far its clock is ahead of the true time. */
  readonly skewMs: number
  readonly onStep: (step: Step) => void
  /** Called around each durable write of own entries; may crash the node. */
  readonly onCommit: (side: 'before' | 'after') => void
  /** The machine asked for an end. */
  readonly onEnd: (why: string) => void
}
