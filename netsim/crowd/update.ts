/** An update in a crowd: what it says of itself, and how far its weights and copies are in use. */
import type { Digest } from '../../src/core/ids.ts'
import type { Offer } from '../../src/gossip/exchange.ts'
import type { UpdateFacts } from '../../src/gossip/update.ts'

export const SOUND: UpdateFacts = { finite: true, rms: 1, digestMatches: true, signatureValid: true }
/** The one scaling that a crowd has. */
export const SCALING = '00'.repeat(32) as Digest

/** Weights by their slot in the fleet: what `Digest` is to the machine. */
export type Slot = number

/** An update on its way to one or many. */
export class Update implements Offer<number, Slot> {
  author = 0
  round = 0
  examples = 0
  scaling: Digest = SCALING
  parameters = 0
  digest: Slot = 0
  facts: UpdateFacts = SOUND
  bytes = 0
  /** Who sends it, whatever it says of its author. */
  sender = 0
  /** Copies on their way, and the number under which they fly. */
  flying = 0
  number = 0
  /** Whether its weights are kept for who may ask for them. */
  kept = false
}
