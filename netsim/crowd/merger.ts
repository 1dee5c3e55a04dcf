/** How a crowd merges: the plain mean in the fleet's own memory, all else by the product's own functions over what the slots hold. */
import type { MemberId } from '../../src/core/ids.ts'
import type { Rounds } from '../../src/gossip/rounds.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import { mergeInParts } from '../../src/learn/merge/inParts.ts'
import { type MergeInput, type MergeRule, resolve } from '../../src/learn/merge/rule.ts'
import { type Judged, judgedMerge, VETO } from '../../src/learn/merge/veto.ts'
import { coefficientsInto } from '../../src/learn/merge/weighting.ts'
import { exp, ln } from '../world/elementary.ts'

/** Weights by their place in the fleet. */
type Slot = number

/** What a merger works with. */
export interface MergerParts {
  readonly fleet: Fleet
  readonly rule: MergeRule & { readonly vetoNats: number | null }
  /** Whether the output bias is merged like all other weights. */
  readonly sharedHeads: boolean
}

/** The author of a number, as the merge rule sorts it: in the order of numbers. */
export const authorOf = (node: number): MemberId => String(node).padStart(9, '0') as MemberId

/** What travels of a slot's weights, in one array. */
export function travelling(fleet: Fleet, slot: Slot, sharedHeads: boolean): Float32Array {
  const { shared, head } = fleet.read(slot)
  if (!sharedHeads) return shared
  const all = new Float32Array(shared.length + head.length)
  all.set(shared)
  all.set(head, shared.length)
  return all
}

/** One per crowd. */
export class Merger {
  readonly #parts: MergerParts
  /** Of each node: of how many merges of others it was an input or left out, and how many of them set it aside. */
  readonly #known: Int32Array
  readonly #aside: Int32Array
  #logits = new Float32Array(0)

  constructor(parts: MergerParts) {
    this.#parts = parts
    const { nodes } = parts.fleet
    const counted = this.#isPlain(1) ? 0 : nodes
    this.#known = new Int32Array(counted)
    this.#aside = new Int32Array(counted)
  }

  /** Of the merges of others that knew of an update of `node`, the share that set it aside; null where there is none. */
  asideOf(node: number): number | null {
    const known = this.#known[node] ?? 0
    return known === 0 ? null : (this.#aside[node] as number) / known
  }

  /**
   * Merges what `rounds` of `node` has as inputs, whose slots are in `slots`, into slot `into`, and reports it to `rounds`. `shares` holds the part
   * of each input in the result then.
   */
  merge(node: number, rounds: Rounds<number, Slot>, into: Slot, slots: Uint32Array, shares: Float64Array): void {
    const { fleet, rule } = this.#parts
    const { inputs, own, round } = rounds
    const count = inputs.length
    if (this.#isPlain(count)) {
      coefficientsInto(shares, inputs, rule)
      fleet.merge(into, own?.update as Slot, slots, shares, count)
      rounds.mergedInto(round, into)
      return
    }
    const { merged, left } = this.#judged(node, rounds)
    shares.set(merged.coefficients)
    this.#write(into, merged.weights, own?.update as Slot)
    const without = new Set(left.map(({ author }) => Number(author)))
    const outlying = new Set(merged.outlying.map(Number))
    for (const { author } of inputs) {
      if (author === node) continue
      this.#known[author] = (this.#known[author] as number) + 1
      if (without.has(author) || outlying.has(author)) this.#aside[author] = (this.#aside[author] as number) + 1
    }
    rounds.mergedInto(round, into, without)
  }

  /** Whether the weighted mean of the inputs is all there is to it. */
  #isPlain(inputs: number): boolean {
    const { rule, fleet } = this.#parts
    if (fleet.parameters === 0) return true // a fleet without models
    const { rule: name, nearest } = resolve(rule, inputs)
    return name === 'mean' && !nearest && (rule.vetoNats === null || fleet.trainLogits === undefined)
  }

  #judged(node: number, rounds: Rounds<number, Slot>): Judged {
    const { fleet, rule, sharedHeads } = this.#parts
    const inputs = rounds.inputs.map(({ author, examples, ageRounds, digest }): MergeInput => {
      return { author: authorOf(author), examples, ageRounds, weights: travelling(fleet, digest, sharedHeads) }
    })
    const own = authorOf(node)
    const { vetoNats } = rule
    if (vetoNats === null || fleet.trainLogits === undefined || fleet.trainRows(node) < VETO.rowsMin)
      return { merged: mergeInParts(rule, inputs, [], own), left: [] }
    const reference = travelling(fleet, rounds.base as Slot, sharedHeads)
    const judging = judgedMerge({ rule, inputs, own, reference, toleranceNats: vetoNats })
    const labels = fleet.trainLabels?.(node) as Uint8Array
    const tried = fleet.take()
    let step = judging.next()
    while (step.done !== true) {
      this.#write(tried, step.value, rounds.own?.update as Slot)
      step = judging.next(this.#losses(node, tried, labels))
    }
    fleet.release(tried)
    return step.value
  }

  #write(into: Slot, weights: Float32Array, own: Slot): void {
    const { fleet, sharedHeads } = this.#parts
    const { parameters } = fleet
    const head = sharedHeads ? weights.subarray(parameters) : fleet.read(own).head
    fleet.write(into, { shared: weights.subarray(0, parameters), head })
  }

  /** By functions that give the same on every machine. */
  #losses(node: number, slot: Slot, labels: Uint8Array): Float64Array {
    const { fleet } = this.#parts
    if (this.#logits.length < labels.length) this.#logits = new Float32Array(labels.length)
    fleet.trainLogits?.(node, slot, this.#logits)
    return Float64Array.from(labels, (label, row) => {
      const logit = this.#logits[row] as number
      return ln(1 + exp(-Math.abs(logit))) + Math.max(logit, 0) - logit * label
    })
  }
}
