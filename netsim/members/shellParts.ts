/** What one start of a simulated node is made of. */
import type { Dataset } from '../../src/data/dataset.ts'
import type { Learner } from '../../src/learn/learner.ts'
import type { Clock } from '../clock.ts'
import type { Disk } from './disk.ts'
import type { Equivocation } from './equivocator.ts'
import type { Identities } from './identity.ts'
import type { InOrder } from './inOrder.ts'
import type { Lie, Publisher } from './liar.ts'
import type { Network, Port } from './network.ts'
import type { Timing } from './timing.ts'
import type { Step } from './trace.ts'

/** What a node needs for its own log. */
export interface DiskParts {
  readonly node: number
  readonly seed: string
  readonly identities: Identities
  readonly disk: Disk
  readonly timing: Timing
  /** Its second history, where it signs two. */
  readonly second: Equivocation | null
  /** Called around each durable write of own entries; may crash the node. */
  readonly onCommit: (side: 'before' | 'after') => void
}

/** Given by who runs the simulation; `P` is the node itself. */
export interface ShellParts<P extends Port> extends DiskParts {
  /** 0 the first time. */
  readonly start: number
  readonly clock: Clock
  readonly network: Network<P>
  readonly learner: Learner
  /** The node's tables: the first one, and what is bound in its place later. */
  readonly tables: readonly Dataset[]
  readonly lies: readonly Lie[]
  /** Of who does not publish what it trained. */
  readonly publisher: Publisher | null
  /** How long one local update takes; drawn from `timing` where null. */
  readonly trainMs: ((node: number) => number) | null
  /** Keeps to the order of another run, where there is one. */
  readonly order: InOrder | null
  /** How far its clock is ahead of the true time. */
  readonly skewMs: number
  readonly onStep: (step: Step) => void
  /** The machine asked for an end. */
  readonly onEnd: (why: string) => void
}
