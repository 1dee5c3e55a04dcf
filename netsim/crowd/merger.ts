/** How a crowd merges: the weighted mean in the fleet's own memory, robust rules by the product's own functions over what the slots hold. */
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import type { MergeArithmetic } from '../../src/learn/merge/arithmetic.ts'
import { apply, type MergeRule, resolve } from '../../src/learn/merge/rule.ts'
import type { Slot } from './crowd.ts'

/** What a merger works with. */
export interface MergerParts {
  readonly fleet: Fleet
  readonly rule: MergeRule
  /** Whether the output bias is merged like all other weights. */
  readonly sharedHeads: boolean
  readonly arithmetic: MergeArithmetic
}

/** What travels of a slot's weights, in one array. */
export function travelling(fleet: Fleet, slot: Slot, sharedHeads: boolean): Float32Array {
  const { shared, head } = fleet.read(slot)
  if (!sharedHeads) return shared
  const all = new Float32Array(shared.length + head.length)
  all.set(shared)
  all.set(head, shared.length)
  return all
}

export class Merger {
  readonly #parts: MergerParts

  constructor(parts: MergerParts) {
    this.#parts = parts
  }

  /**
   * Merges the first `count` of `slots` (the `own`-th is the node's) into slot `into`. `shares` holds their weights, and then their parts in the
   * result. Returns whom the rule sets aside, ascending, as indices.
   */
  merge(into: Slot, slots: Uint32Array, shares: Float64Array, count: number, own: number): readonly number[] {
    const { fleet, rule, sharedHeads, arithmetic } = this.#parts
    const { rule: name, nearest } = resolve(rule, count)
    if (name === 'mean' && !nearest) {
      fleet.merge(into, slots[own] as Slot, slots, shares, count)
      return NOBODY
    }
    const models = Array.from({ length: count }, (_, i) => travelling(fleet, slots[i] as Slot, sharedHeads))
    const merged = apply(rule, models, [...shares.subarray(0, count)], own, arithmetic)
    shares.set(merged.coefficients)
    const { head } = fleet.read(slots[own] as Slot)
    const { parameters } = fleet
    const { weights } = merged
    fleet.write(into, {
      shared: weights.subarray(0, parameters),
      head: sharedHeads ? weights.subarray(parameters) : head,
    })
    return merged.outlying
  }
}

const NOBODY: readonly number[] = []
