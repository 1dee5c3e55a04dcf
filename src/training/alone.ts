/**
 * The model that a hospital would have without the others, as many rounds of as many steps or seconds on the own rows alone. Rounds go through the
 * slices of every round, so that one that has a time is cut as the shared model's are, and a node that is killed goes on where it was.
 */
import { modelOf, type Study } from '../config/study.ts'
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import { bytesFloat, floatBytes, weightsDigest } from '../core/digest.ts'
import type { StudyId } from '../core/ids.ts'
import { evaluate } from '../learn/evaluate.ts'
import type { Weights } from '../learn/learner.ts'
import { initialWeights } from '../learn/model.ts'
import { KEPT, type ProgressStore, type RoundParts, trainRound } from './roundTraining.ts'

const VERSION = 1
const BYTES_MAX = 402_653_184 // six of the largest models: this one, two moments of each of its weights, the best, and room

/** Where a node keeps how far it has come: after a round, and within the next. */
export interface AloneProgress {
  readonly rounds: ProgressStore
  readonly within: ProgressStore
}

/** What it trains with; `progress` is that of the shared model's rounds, and is left alone. */
export interface AloneParts extends RoundParts {
  readonly alone: AloneProgress
}

/** One model trained alone. */
export interface AloneAsked {
  readonly id: StudyId
  readonly study: Study
  readonly rounds: number
  /** Training rows, and columns of the design matrix. */
  readonly rows: number
  readonly columns: number
  /** Labels of the validation rows; none where no rows are apart. */
  readonly validation: Uint8Array
  readonly seed: string
  /** Names the rows, their scaling and the arithmetic: progress of anything else is of no use. */
  readonly mark: string
}

/** After `round` rounds. */
interface State {
  readonly round: number
  readonly base: Weights
  readonly optimiser: Uint8Array
  readonly best: { readonly loss: number; readonly weights: Weights }
}

/**
 * From the weights that all began with. Where there are validation rows it is the best of its rounds by their log-loss, which the shared model
 * is not given; else the last. What was trained stays kept: more rounds later go on from there. Errors: the learner's.
 */
export async function trainAlone(parts: AloneParts, asked: AloneAsked): Promise<Weights> {
  const { id, study, rounds, mark } = asked
  const { alone, stopwatch, tell } = parts
  const kept = decode(await alone.rounds.load(id), asked)
  if (kept !== null) tell('info', 'alone-resumed', { study: id, rounds: kept.round, of: rounds })
  let state = kept ?? beginning(study, asked)
  const elapsed = stopwatch()
  let [savedAtMs, restMs] = [0, KEPT.everyMs as number]
  while (state.round < rounds) {
    state = await oneMore(parts, asked, state)
    const nowMs = elapsed(state.round / rounds)
    if (nowMs - savedAtMs < restMs) continue
    await alone.rounds.save(id, encode(state, mark))
    savedAtMs = elapsed(state.round / rounds)
    restMs = Math.max(KEPT.everyMs, (savedAtMs - nowMs) / KEPT.writingShareMax)
  }
  return state.best.weights
}

function beginning(study: Study, { columns, id }: AloneAsked): State {
  const base = initialWeights(modelOf(study), columns, id)
  return { round: 0, base, optimiser: new Uint8Array(0), best: { loss: Number.POSITIVE_INFINITY, weights: base } }
}

async function oneMore(parts: AloneParts, asked: AloneAsked, { round, base, optimiser, best }: State): Promise<State> {
  const { id, study, rows, validation } = asked
  const { learner, alone } = parts
  const seed = `${asked.seed}/${round}`
  const tell: RoundParts['tell'] = (_, event, facts) => parts.tell('debug', `alone-${event}`, facts)
  const trained = await trainRound(
    { ...parts, progress: alone.within, tell },
    {
      request: { study: id, base, optimiser, seed },
      ...{ training: study.training, rows, mark: `${asked.mark}/${round}/${weightsDigest(base.shared)}` },
    },
  )
  const { weights } = trained
  const loss =
    validation.length === 0 ? -round : evaluate(await learner.logits(id, weights, 'validation'), validation).logLoss
  const better = loss < best.loss ? { loss, weights } : best
  return { round: round + 1, base: weights, optimiser: trained.optimiser, best: better }
}

/** CBOR of [version, mark, rounds, shared, head, optimiser, and of the best log-loss, shared, head]. */
function encode({ round, base, optimiser, best }: State, mark: string): Uint8Array {
  const { loss, weights } = best
  const numbers = [base, weights].map(({ shared, head }) => [floatBytes(shared), floatBytes(head)])
  return encodeCbor([VERSION, mark, round, ...(numbers[0] ?? []), optimiser, loss, ...(numbers[1] ?? [])])
}

/** Null where it is of another version or of something else, or has gone further than is asked: then it begins anew, which costs time alone. */
function decode(bytes: Uint8Array | null, { mark, rounds }: AloneAsked): State | null {
  if (bytes === null) return null
  const [version, kept, round, shared, head, optimiser, loss, bestShared, bestHead] = decodeCbor(bytes, BYTES_MAX) as [
    number,
    string,
    number,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    number,
    Uint8Array,
    Uint8Array,
  ]
  if (version !== VERSION || kept !== mark || round > rounds) return null
  const weightsOf = (one: Uint8Array, own: Uint8Array): Weights => ({ shared: bytesFloat(one), head: bytesFloat(own) })
  return { round, base: weightsOf(shared, head), optimiser, best: { loss, weights: weightsOf(bestShared, bestHead) } }
}
