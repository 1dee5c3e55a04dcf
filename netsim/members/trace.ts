/** A running digest of everything that all machines were told and answered: equal traces mean equal runs, to the byte. */
import { toHex } from '../../src/core/bytes.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { Digest } from '../../src/core/ids.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'

/** One step of one machine. */
export interface Step {
  /** Milliseconds since 1970, virtual. */
  readonly now: number
  /** Which node, and its how-manieth start: a restart is a new machine. */
  readonly node: number
  readonly start: number
  readonly event: NodeEvent
  readonly actions: readonly Action[]
}

/** Folds steps into one hash. */
export class Trace {
  #state: Uint8Array = new Uint8Array(32)
  #steps = 0

  get steps(): number {
    return this.#steps
  }

  add({ now, node, start, event, actions }: Step): void {
    const plain = [now, node, start, event, actions] as unknown as Cbor
    this.#state = sha256(this.#state, encodeCbor(plain))
    this.#steps++
  }

  get hash(): Digest {
    return toHex(this.#state) as Digest
  }
}
