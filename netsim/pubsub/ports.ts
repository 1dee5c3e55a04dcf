/** What the modelled gossipsub needs of the world around it. */
import type { Rng } from '../../src/core/rng.ts'
import type { Send } from './outbox.ts'

export type Verdict = 'accept' | 'ignore' | 'reject'

/** What the model works with; `M` is what messages carry. */
export interface GossipsubPorts<M> {
  /** Virtual milliseconds. */
  now(): number
  /** Plans work in virtual time, whole milliseconds. */
  after(delayMs: number, task: () => void): void
  /** Takes an RPC along a link; never calls `arrive` before it returns. */
  readonly send: Send
  /**
   * A message came to a node that has joined its topic for the first time. `verdict` is called once, now or later; only then and only
   * if accepted is the message forwarded and kept for others to ask for. `from`: the peer that it came from.
   */
  deliver(
    node: number,
    from: number,
    author: number,
    topic: number,
    message: M,
    verdict: (verdict: Verdict) => void,
  ): void
  /** One stream for the whole model. */
  readonly rng: Rng
}
