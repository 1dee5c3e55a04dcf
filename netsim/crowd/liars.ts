/** A crowd's attackers: what comes out of one in place of an honest update. */
import type { Digest } from '../../src/core/ids.ts'
import type { Rounds } from '../../src/gossip/rounds.ts'
import { rootMeanSquare, type UpdateFacts } from '../../src/gossip/update.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import type { Attackers, Published } from '../adversary/attackers.ts'
import type { Clock } from '../clock.ts'
import type { Lie } from '../members/liar.ts'
import type { Publisher } from './crowd.ts'
import { type Slot, SOUND, Update } from './update.ts'

/** What a receiver finds wrong with each lie, in the words of `Offer` and `UpdateFacts`. */
const WRONG: Readonly<Record<Lie, { readonly offer?: Partial<Update>; readonly facts?: Partial<UpdateFacts> }>> = {
  'update-not-finite': { facts: { finite: false } },
  'update-norm': { facts: { rms: 3e7 } },
  'update-shape': { offer: { parameters: -1 } },
  'update-digest': { facts: { digestMatches: false } },
  'update-author': { offer: { author: Number.MAX_SAFE_INTEGER } }, // a stranger: no member has that number
  'update-signature': { facts: { signatureValid: false } },
  'update-without-examples': { offer: { examples: 0 } },
  'round-beyond-end': { offer: { round: 4_000_000_000 } },
  'scaling-differs': { offer: { scaling: 'ab'.repeat(32) as Digest } },
}

/** The publishers of `attackers`; null for the honest. */
export function liarsOf(attackers: Attackers, clock: Clock, fleet: Fleet): (node: number) => Publisher | null {
  const publishers = new Map<number, Publisher>()
  for (const node of attackers.publishers) {
    publishers.set(node, (honest, rounds) => {
      const published = attackers.publish(node, clock.elapsedMs, situationOf(fleet, honest, rounds))
      return updatesOf(published, honest, fleet)
    })
  }
  return (node) => publishers.get(node) ?? null
}

function situationOf(fleet: Fleet, honest: Update, rounds: Rounds<number, Slot>) {
  const shared = (slot: Slot): Float32Array => fleet.read(slot).shared
  return {
    round: honest.round,
    base: shared(rounds.base as Slot),
    honest: shared(honest.digest),
    seen: () => rounds.inputs.map(({ digest }) => shared(digest)),
  }
}

function updatesOf(published: Published, honest: Update, fleet: Fleet): Update[] {
  if (published === null) return []
  if (typeof published === 'string') return [lying(honest, published)]
  if (!('twice' in published)) return [withWeights(honest, published, fleet)]
  return [honest, withWeights(honest, published.twice, fleet)]
}

function withWeights(honest: Update, weights: Float32Array, fleet: Fleet): Update {
  const slot = fleet.take()
  fleet.copy(honest.digest, slot) // the head stays: it does not travel
  fleet.write(slot, { shared: weights, head: fleet.read(honest.digest).head })
  const rms = rootMeanSquare(weights)
  const facts = { ...SOUND, finite: Number.isFinite(rms), rms: Number.isFinite(rms) ? rms : 0 }
  return like(honest, slot, facts)
}

function lying(honest: Update, lie: Lie): Update {
  const { offer, facts } = WRONG[lie]
  return Object.assign(like(honest, honest.digest, { ...SOUND, ...facts }), offer, { sender: honest.author })
}

function like(honest: Update, digest: Slot, facts: UpdateFacts): Update {
  return Object.assign(new Update(), honest, { digest, facts, flying: 0, number: 0, kept: false })
}
