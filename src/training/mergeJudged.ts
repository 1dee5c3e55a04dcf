/** A merge, judged on the hospital's own rows where the study asks for it and there are enough of them. */
import type { MemberId } from '../core/ids.ts'
import { logLossOf } from '../learn/evaluate.ts'
import { mergeInParts, type PartialInput } from '../learn/merge/inParts.ts'
import type { MergeInput, MergeRule } from '../learn/merge/rule.ts'
import { type Judged, judgedMerge, VETO } from '../learn/merge/veto.ts'

/** One merge. `labels` of the rows that it is judged on; null where there are none. */
export interface Merging {
  readonly rule: MergeRule & { readonly vetoNats: number | null }
  readonly inputs: readonly MergeInput[]
  /** Updates of which only parts are here. */
  readonly partial: readonly PartialInput[]
  readonly own: MemberId
  readonly reference: Float32Array
  readonly labels: Uint8Array | null
}

/** `logits` of those rows, with the own head, in their order. Errors: those of `logits`. */
export async function mergeJudged(
  { rule, inputs, partial, own, reference, labels }: Merging,
  logits: (shared: Float32Array) => Promise<Float32Array>,
): Promise<Judged> {
  const { vetoNats } = rule
  if (vetoNats === null || labels === null || labels.length < VETO.rowsMin)
    return { merged: mergeInParts(rule, inputs, partial, own), left: [] }
  const judging = judgedMerge({ rule, inputs, partial, own, reference, toleranceNats: vetoNats })
  let step = judging.next()
  while (step.done !== true) step = judging.next(losses(await logits(step.value), labels))
  return step.value
}

function losses(logits: Float32Array, labels: Uint8Array): Float64Array {
  return Float64Array.from(labels, (label, row) => logLossOf(logits[row] as number, label))
}
