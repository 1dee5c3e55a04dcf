/** The steps of one round, and what a slice of them covers: rounds can be trained in slices, each of which goes on where the last ended. */
import type { Place, TrainingSpec, TrainRequest } from './learner.ts'

/** Of a round over `rows` rows. */
export interface RoundSteps {
  readonly perEpoch: number
  readonly total: number
}

/** An epoch's last batch may be smaller. */
export function stepsOf({ localEpochs, batchRows }: TrainingSpec, rows: number): RoundSteps {
  const perEpoch = Math.ceil(rows / batchRows)
  return { perEpoch, total: perEpoch * localEpochs }
}

/** Batches `from` ≤ b < `to` of one epoch. */
export interface Span {
  readonly epoch: number
  readonly from: number
  readonly to: number
}

/** What a request asks for: its first and last step, and the batches of each epoch between. A slice has one step at least, but for a round that is done. */
export function sliceOf(
  request: TrainRequest,
  { perEpoch, total }: RoundSteps,
): { first: number; end: number; spans: Span[] } {
  const first = request.from?.steps ?? 0
  const end = Math.min(total, first + Math.max(1, request.stepsMax ?? total))
  const spans: Span[] = []
  for (let at = first; at < end; ) {
    const epoch = Math.floor(at / perEpoch)
    const to = Math.min(end, (epoch + 1) * perEpoch)
    spans.push({ epoch, from: at - epoch * perEpoch, to: to - epoch * perEpoch })
    at = to
  }
  return { first, end, spans }
}

/** What a result says of a round that has come to `place`. */
export function outcomeOf(
  place: Place,
  { batchRows }: TrainingSpec,
  rows: number,
  { perEpoch, total }: RoundSteps,
): { readonly loss: number; readonly examples: number; readonly place: Place; readonly done: boolean } {
  const inEpoch = place.steps % perEpoch === 0 ? perEpoch : place.steps % perEpoch
  const seen = Math.min(rows, inEpoch * batchRows)
  const examples = place.steps >= perEpoch ? rows : seen
  return { loss: place.lossSum / seen, examples, place, done: place.steps >= total }
}
