/** A learner for one node over the kernels. It sees rows in the order of `batches`. */

import { invariant } from '../../core/errors.ts'
import type { StudyId } from '../../core/ids.ts'
import type { Metrics } from '../../core/metrics.ts'
import { Rng } from '../../core/rng.ts'
import { checkFinite, checkMatrices, learnerError } from '../checks.ts'
import { evaluate } from '../evaluate.ts'
import { hasSameRows, labelsAt, validationInUse } from '../inUse.ts'
import type { DesignMatrix, Learner, OpenRequest, Part, TrainRequest, TrainResult, Weights } from '../learner.ts'
import { decodeState, encodeState } from '../optimiserState.ts'
import { outcomeOf, sliceOf, stepsOf } from '../slices.ts'
import { readAdam, resetAdam, writeAdam } from './adamState.ts'
import { Kernels, Scope } from './kernels.ts'
import { makePlan, type Plan } from './plan.ts'
import { DRIFT, PULL_STRENGTH } from './planLayout.ts'
import { loadRows, type RowBlock } from './rows.ts'

interface Opened extends InUse {
  readonly request: OpenRequest
  readonly scope: Scope
  readonly plan: Plan
  /** All rows that were given, whichever are in use. */
  readonly train: RowBlock
  readonly test: RowBlock
  /** Pointers: the model that is trained, Adam's state, the orders of all epochs, the logits of the test rows. */
  readonly slot: number
  readonly adam: number
  readonly orders: number
  readonly logits: number
}

/** What changes with the rows in use. */
interface InUse {
  /** Places of the training rows and of the test rows; null where all are in use. */
  readonly trainAt: Uint32Array | null
  readonly testAt: Uint32Array | null
  readonly trainRows: number
  readonly testLabels: Uint8Array
  /** Null where training rows serve. */
  readonly validation: DesignMatrix | null
}

/**
 * Computes in the calling thread, before the promise is given; gives the same bytes on every machine. Learners may share one memory.
 * Errors: `kernels-missing`, `kernels-memory`, `learner-study-not-open`, `learner-shape`, `learner-state`, `learner-diverged`.
 */
export class KernelLearner implements Learner {
  readonly #kernels: Kernels
  readonly #studies = new Map<StudyId, Opened>()
  constructor(kernels: Kernels = new Kernels()) {
    this.#kernels = kernels
  }

  async open(request: OpenRequest): Promise<{ readonly backend: string; readonly why: string }> {
    checkMatrices(request)
    const before = this.#studies.get(request.study)
    if (before !== undefined && hasSameRows(before.request, request)) {
      this.#studies.set(request.study, { ...before, request, ...inUseOf(request) })
      return { backend: 'kernels', why: 'asked for' }
    }
    this.forget(request.study)
    const { model, training, train, test } = request
    const scope = new Scope(this.#kernels)
    const plan = makePlan(scope, model, training, train.columns)
    this.#studies.set(request.study, {
      request,
      scope,
      plan,
      train: loadRows(scope, plan.rowBytes, train),
      test: loadRows(scope, plan.rowBytes, test),
      slot: scope.alloc(plan.slotBytes),
      adam: scope.alloc(plan.adamBytes),
      orders: scope.alloc(4 * train.rows * training.localEpochs),
      logits: scope.alloc(4 * test.rows),
      ...inUseOf(request),
    })
    return { backend: 'kernels', why: 'asked for' }
  }

  async train(given: TrainRequest): Promise<TrainResult> {
    const opened = this.#opened(given.study)
    const { request, plan, train, trainRows, slot, adam, orders } = opened
    const steps = stepsOf(request.training, trainRows)
    const { first, end, spans } = sliceOf(given, steps)
    this.#steer(opened, given)
    this.#write(opened, given.base)
    this.#restore(opened, given.optimiser)
    this.#order(
      opened,
      given.seed,
      spans.map(({ epoch }) => epoch),
    )
    const { run } = this.#kernels
    const sum = run.trainSteps(plan.pointer, train.x, train.y, trainRows, slot, adam, orders, first, end)
    const before = spans.length === 1 && spans[0]?.from !== 0 ? (given.from?.lossSum ?? 0) : 0
    const place = { steps: end, lossSum: before + sum }
    const weights = this.#read(opened)
    checkFinite(request, weights.shared)
    checkFinite(request, weights.head)
    return { weights, optimiser: this.#save(opened), ...outcomeOf(place, request.training, trainRows, steps) }
  }

  /** Milliseconds of one training step on the open rows; the weights are drawn by a seed, and the study is as before. */
  probe(study: StudyId, base: Weights, steps: number): number[] {
    const opened = this.#opened(study)
    const { plan, train, trainRows, slot, adam, orders } = opened
    this.#steer(opened, {})
    this.#write(opened, base)
    this.#restore(opened, new Uint8Array(0))
    this.#order(opened, 'probe', [0])
    return Array.from({ length: steps }, () => {
      const start = performance.now()
      this.#kernels.run.trainSteps(plan.pointer, train.x, train.y, trainRows, slot, adam, orders, 0, 1)
      return performance.now() - start
    })
  }

  async evaluate(study: StudyId, weights: Weights): Promise<Metrics> {
    const opened = this.#opened(study)
    const { request, plan, test, slot, logits, testAt, testLabels } = opened
    this.#write(opened, weights)
    this.#kernels.run.logits(plan.pointer, test.x, test.rows, slot, logits)
    const values = picked(this.#kernels.f32.slice(logits / 4, logits / 4 + test.rows), testAt)
    checkFinite(request, values)
    return evaluate(values, testLabels)
  }

  async logits(study: StudyId, weights: Weights, rows: Part | DesignMatrix): Promise<Float32Array> {
    const opened = this.#opened(study)
    const { request, plan, slot } = opened
    this.#write(opened, weights)
    const scope = new Scope(this.#kernels)
    try {
      const block = this.#block(opened, scope, rows)
      const at = scope.alloc(4 * block.rows)
      this.#kernels.run.logits(plan.pointer, block.x, block.rows, slot, at)
      const values = picked(this.#kernels.f32.slice(at / 4, at / 4 + block.rows), placesOf(opened, rows))
      checkFinite(request, values)
      return values
    } finally {
      scope.freeAll()
    }
  }

  async close(): Promise<void> {
    for (const study of [...this.#studies.keys()]) this.forget(study)
  }

  /** Lets go of one study; nothing where it is not open. */
  forget(study: StudyId): void {
    this.#studies.get(study)?.scope.freeAll()
    this.#studies.delete(study)
  }

  #block({ plan, train, test, validation }: Opened, scope: Scope, rows: Part | DesignMatrix): RowBlock {
    if (rows === 'test') return test
    if (rows === 'train') return train
    if (rows !== 'validation') return loadRows(scope, plan.rowBytes, rows)
    return validation === null ? train : loadRows(scope, plan.rowBytes, validation)
  }

  #opened(study: StudyId): Opened {
    const opened = this.#studies.get(study)
    if (opened !== undefined) return opened
    throw learnerError('learner-study-not-open', `study ${study} is not open here; open it first`)
  }

  #write({ plan, slot, request }: Opened, { shared, head }: Weights): void {
    if (shared.length !== plan.shared || head.length !== plan.head) {
      const given = `weights of ${shared.length} shared and ${head.length} private parameters`
      throw learnerError('learner-shape', `${given} given, study ${request.study} has ${plan.shared} and ${plan.head}`)
    }
    this.#kernels.f32.set(shared, slot / 4)
    this.#kernels.f32.set(head, slot / 4 + plan.shared)
  }

  #read({ plan, slot }: Opened): Weights {
    const { f32 } = this.#kernels
    const head = slot / 4 + plan.shared
    return { shared: f32.slice(slot / 4, head), head: f32.slice(head, head + plan.head) }
  }

  #restore({ plan, adam, request }: Opened, bytes: Uint8Array): void {
    if (bytes.length === 0) return resetAdam(this.#kernels, plan, adam)
    if (request.training.optimiser === 'sgd')
      throw learnerError('learner-state', 'SGD keeps no state between rounds; give an empty one')
    writeAdam(this.#kernels, plan, adam, decodeState(bytes, plan.shared + plan.head))
  }

  #save({ plan, adam, request }: Opened): Uint8Array {
    if (request.training.optimiser === 'sgd') return new Uint8Array(0)
    return encodeState(readAdam(this.#kernels, plan, adam))
  }

  /** The orders that `batches` makes of these epochs, one after the other. */
  #order({ trainRows, trainAt, orders }: Opened, seed: string, epochs: readonly number[]): void {
    const order = new Uint32Array(trainRows)
    epochs.forEach((epoch, i) => {
      if (trainAt !== null) order.set(trainAt)
      else for (let row = 0; row < trainRows; row++) order[row] = row
      this.#kernels.u32.set(Rng.from(seed, epoch).shuffle(order), orders / 4 + i * trainRows)
    })
  }

  /** Writes pull and drift of a request into the plan. */
  #steer({ plan }: Opened, { pull, drift }: Pick<TrainRequest, 'pull' | 'drift'>): void {
    const { f32, u32 } = this.#kernels
    f32[(plan.pointer + PULL_STRENGTH) / 4] = pull?.strength ?? 0
    u32[(plan.pointer + DRIFT) / 4] = drift === undefined ? 0 : plan.drift
    for (const [numbers, to] of [
      [pull?.anchor, plan.anchor],
      [drift, plan.drift],
    ] as const) {
      if (numbers === undefined) continue
      invariant(numbers.length === plan.shared, 'pull and drift are as long as the shared weights')
      f32.fill(0, plan.spareSlot / 4, (plan.spareSlot + plan.slotBytes) / 4)
      f32.set(numbers, plan.spareSlot / 4)
      this.#kernels.run.pack(plan.pointer, plan.spareSlot, to)
    }
  }
}

function inUseOf(request: OpenRequest): InUse {
  const { inUse, train, test } = request
  const validation = validationInUse(request).validation ?? null
  const testLabels = inUse === undefined ? test.y : labelsAt(test.y, inUse.test)
  return {
    ...{ trainAt: inUse?.train ?? null, testAt: inUse?.test ?? null },
    ...{ trainRows: inUse?.train.length ?? train.rows, testLabels, validation },
  }
}

/** Of what the kernels computed for all rows of a block, which are asked for; null: all. */
function placesOf({ trainAt, testAt, validation }: Opened, rows: Part | DesignMatrix): Uint32Array | null {
  if (rows === 'test') return testAt
  return rows === 'train' || (rows === 'validation' && validation === null) ? trainAt : null
}

function picked(values: Float32Array, places: Uint32Array | null): Float32Array {
  if (places === null) return values
  const picked = new Float32Array(places.length)
  for (let i = 0; i < places.length; i++) picked[i] = values[places[i] as number] as number
  return picked
}
