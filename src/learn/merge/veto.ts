/** The second line behind a merge rule: a merge that is worse on the hospital's own rows than what its round began with is not taken as it is. */
import { compareIds, type MemberId } from '../../core/ids.ts'
import type { MergeArithmetic } from './arithmetic.ts'
import { distance } from './distances.ts'
import { mergeInParts, type PartialInput, type PartlyMerged } from './inParts.ts'
import type { MergeInput, MergeRule } from './rule.ts'

export const VETO = {
  rowsMin: 20, // on fewer rows a mean loss says nothing: no veto
  deviations: 2, // standard errors that the difference must exceed the tolerance by: one honest merge in forty at the very tolerance
  triedMax: 8, // updates judged one by one where a merge is refused, those that draw it the most: ten evaluations more than usual at most
} as const

/** Why an update was not merged: on the own rows it is worse by itself, or it is one of those whose merge is. */
export type VetoReason = 'worsens' | 'worsens-together'

/** What is merged after all, and what was left out. */
export interface Judged {
  readonly merged: PartlyMerged
  readonly left: readonly { readonly author: MemberId; readonly reason: VetoReason }[]
}

/** One merge to be judged. `reference` is what the round began with, or the own update where that is not here any more. */
export interface VetoCase {
  readonly rule: MergeRule
  readonly inputs: readonly MergeInput[]
  readonly partial?: readonly PartialInput[]
  readonly own: MemberId
  readonly reference: Float32Array
  readonly toleranceNats: number
  readonly arithmetic?: MergeArithmetic
}

/**
 * Merges, and asks for the losses of models on the hospital's own rows, with its own head: each model that is yielded is answered with one log-loss
 * per row, always of the same rows. Usually two are: the reference and the merge. Where the merge is worse by more than the tolerance and chance, the
 * updates that draw it the most are judged one by one, those that are worse themselves are left out, and the others are merged again; where
 * that does not help, the own update alone is taken. Each round judges anew. A reference that is itself the last merge lets a model worsen by
 * the tolerance in each round: this is the line behind the rule, not the rule.
 */
export function* judgedMerge(given: VetoCase): Generator<Float32Array, Judged, Float64Array> {
  const { inputs, partial = [], own, reference } = given
  const merge = (among: (author: MemberId) => boolean): PartlyMerged => {
    const some = <Input extends MergeInput>(all: readonly Input[]) => all.filter(({ author }) => among(author))
    return mergeInParts(given.rule, some(inputs), some(partial), own, given.arithmetic)
  }
  const merged = merge(() => true)
  const others = othersIn(given)
  if (others.length === 0) return { merged, left: [] }
  const before = (yield reference).slice()
  const worsens = (after: Float64Array): boolean => isWorse(before, after, given.toleranceNats)
  if (!worsens(yield merged.weights)) return { merged, left: [] }
  const bad = new Set<MemberId>()
  for (const { author, weights } of strongest(others, merged, given)) if (worsens(yield weights())) bad.add(author)
  const left = (author: MemberId, reason: VetoReason) => ({ author, reason })
  if (bad.size > 0) {
    const again = merge((author) => !bad.has(author))
    const without = others.flatMap(({ author }) => (bad.has(author) ? [left(author, 'worsens')] : []))
    if (bad.size === others.length || !worsens(yield again.weights)) return { merged: again, left: without }
  }
  return {
    merged: merge((author) => author === own),
    left: others.map(({ author }) => left(author, bad.has(author) ? 'worsens' : 'worsens-together')),
  }
}

/** Another member's update as a model of its own. */
interface Other {
  readonly author: MemberId
  readonly weights: () => Float32Array
}

/** In the order of the inputs, then those of whom only parts are here: these lie over the older update, or else over the own one. */
function othersIn({ inputs, partial = [], own }: VetoCase): Other[] {
  const parts = new Map(partial.map((input) => [input.author, input]))
  const mine = inputs.find(({ author }) => author === own) as MergeInput
  const whole = inputs.filter(({ author }) => author !== own)
  const known = new Set(whole.map(({ author }) => author))
  const news = partial.filter(({ author }) => !known.has(author)).map((input) => ({ ...input, weights: mine.weights }))
  return [...whole, ...news].map(({ author, weights }) => {
    const newer = parts.get(author)
    return { author, weights: () => (newer === undefined ? weights : laidOver(weights, newer)) }
  })
}

function laidOver(weights: Float32Array, { weights: newer, ranges }: PartialInput): Float32Array {
  const out = weights.slice()
  for (const [from, to] of ranges) out.set(newer.subarray(from, to), from)
  return out
}

/** Whether losses are higher by more than `toleranceNats` in the mean, and by more than chance: paired, row by row. */
export function isWorse(before: Float64Array, after: Float64Array, toleranceNats: number): boolean {
  const rows = before.length
  let sum = 0
  for (let row = 0; row < rows; row++) sum += (after[row] as number) - (before[row] as number)
  if (!Number.isFinite(sum)) return true // a model whose logits overflow
  const mean = sum / rows
  let squares = 0
  for (let row = 0; row < rows; row++) {
    const apart = (after[row] as number) - (before[row] as number) - mean
    squares += apart * apart
  }
  const error = Math.sqrt(squares / (rows - 1) / rows)
  return mean - VETO.deviations * error > toleranceNats
}

/** Those of the others that draw the merge the most: part in it times distance from the own update; of equal ones the earlier. */
function strongest(
  others: readonly Other[],
  { authors, coefficients, partial }: PartlyMerged,
  { inputs, own }: VetoCase,
): Other[] {
  const shares = new Map(authors.map((author, i) => [author, coefficients[i] as number]))
  for (const { author, coefficient } of partial) shares.set(author, (shares.get(author) ?? 0) + coefficient)
  const mine = (inputs.find(({ author }) => author === own) as MergeInput).weights
  return [...others]
    .sort((a, b) => compareIds(a.author, b.author))
    .map((other) => ({ other, pull: (shares.get(other.author) as number) * distance(other.weights(), mine) }))
    .sort((a, b) => b.pull - a.pull)
    .slice(0, VETO.triedMax)
    .map(({ other }) => other)
}
