/** The second line behind a merge rule: a merge that is worse on the hospital's own rows than what its round began with is not taken as it is. */
import type { MemberId } from '../../core/ids.ts'
import type { MergeArithmetic } from './arithmetic.ts'
import { distance } from './distances.ts'
import { type Merged, type MergeInput, type MergeRule, mergeUpdates } from './rule.ts'

export const VETO = {
  rowsMin: 20, // on fewer rows a mean loss says nothing: no veto
  deviations: 2, // standard errors that the difference must exceed the tolerance by: one honest merge in forty at the very tolerance
  triedMax: 8, // updates judged one by one where a merge is refused, those that draw it the most: ten evaluations more than usual at most
} as const

/** Why an update was not merged: on the own rows it is worse by itself, or it is one of those whose merge is. */
export type VetoReason = 'worsens' | 'worsens-together'

/** What is merged after all, and what was left out. */
export interface Judged {
  readonly merged: Merged
  readonly left: readonly { readonly author: MemberId; readonly reason: VetoReason }[]
}

/** One merge to be judged. `reference` is what the round began with, or the own update where that is not here any more. */
export interface VetoCase {
  readonly rule: MergeRule
  readonly inputs: readonly MergeInput[]
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
  const { inputs, own, reference } = given
  const merge = (some: readonly MergeInput[]): Merged => mergeUpdates(given.rule, some, own, given.arithmetic)
  const merged = merge(inputs)
  if (inputs.length === 1) return { merged, left: [] }
  const before = (yield reference).slice()
  const worsens = (after: Float64Array): boolean => isWorse(before, after, given.toleranceNats)
  if (!worsens(yield merged.weights)) return { merged, left: [] }
  const bad = new Set<MemberId>()
  for (const input of strongest(inputs, merged, own)) if (worsens(yield input.weights)) bad.add(input.author)
  const rest = inputs.filter(({ author }) => !bad.has(author))
  const left =
    (reason: VetoReason) =>
    ({ author }: MergeInput) => ({ author, reason })
  if (bad.size > 0) {
    const again = merge(rest)
    const without = inputs.filter(({ author }) => bad.has(author)).map(left('worsens'))
    if (rest.length === 1 || !worsens(yield again.weights)) return { merged: again, left: without }
  }
  const others = inputs.filter(({ author }) => author !== own)
  return {
    merged: merge(inputs.filter(({ author }) => author === own)),
    left: others.map((input) => left(bad.has(input.author) ? 'worsens' : 'worsens-together')(input)),
  }
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
function strongest(inputs: readonly MergeInput[], { authors, coefficients }: Merged, own: MemberId): MergeInput[] {
  const of = new Map(inputs.map((input) => [input.author, input]))
  const mine = (of.get(own) as MergeInput).weights
  const pulls = authors.flatMap((author, i) => {
    const input = of.get(author) as MergeInput
    return author === own ? [] : [{ input, pull: (coefficients[i] as number) * distance(input.weights, mine) }]
  })
  return pulls
    .sort((a, b) => b.pull - a.pull)
    .slice(0, VETO.triedMax)
    .map(({ input }) => input)
}
