/** DP-SGD: Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar and Zhang 2016, Algorithm 1, with Adam or plain steps. */
import type { PrivacySteps } from '../../core/privacy.ts'
import type { DesignMatrix, ModelSpec, TrainingSpec, Weights } from '../learner.ts'
import { layout, parameterCount } from '../model.ts'
import { ADAM, type AdamState } from '../optimiserState.ts'
import type { Chance } from './chance.ts'
import { addNoise, type Mechanism } from './noise.ts'
import { ClippedGradients } from './perExample.ts'

/** What is trained on what. */
export interface PrivateRound {
  readonly model: ModelSpec
  readonly training: TrainingSpec
  readonly mechanism: Mechanism
  readonly rows: DesignMatrix
  /** Steps and sampling rate are those of so many rows; of all where absent. */
  readonly ratedRows?: number
}

/** The steps of one round: an epoch has as many as there are batches of the expected size in the rows, the last one counted whole. */
export function stepsOfRound(
  { localEpochs, batchRows }: TrainingSpec,
  noiseMultiplier: number,
  rows: number,
): PrivacySteps {
  const sampleRate = Math.min(1, batchRows / rows)
  return { sampleRate, noiseMultiplier, steps: localEpochs * Math.ceil(rows / batchRows) }
}

/** What a round of DP-SGD gives; `loss` is the mean log-loss of the rows that the last epoch drew, 0 where it drew none. */
export interface PrivateRoundResult {
  readonly weights: Weights
  readonly loss: number
  /** Null for plain steps. */
  readonly adam: AdamState | null
}

/**
 * One local round from `base`. Every step draws each row by itself (Poisson sampling: what the accountants assume; shuffled batches are
 * not the same), clips its gradient, adds noise to the sum, and divides by the *expected* number of rows, which no row changes. A batch
 * without rows is a step of noise. The penalty and the optimiser see the noisy gradient alone, so they cost nothing.
 */
export function trainPrivately(
  { model, training, mechanism, rows, ratedRows = rows.rows }: PrivateRound,
  base: Weights,
  adam: AdamState | null,
  chance: Chance,
): PrivateRoundResult {
  const { sampleRate, steps } = stepsOfRound(training, mechanism.noiseMultiplier, ratedRows)
  const { shared, head } = parameterCount(model, rows.columns)
  const parameters = new Float64Array(shared + head)
  parameters.set(base.shared)
  parameters.set(base.head, shared)
  const gradients = new ClippedGradients(model, rows.columns)
  const kernels = kernelsOf(model, rows.columns)
  const optimiser = training.optimiser === 'adam' ? new Adam(parameters.length, adam) : null
  const sum = new Float64Array(parameters.length)
  const expectedRows = sampleRate * ratedRows
  const stepsOfEpoch = steps / training.localEpochs
  let [loss, drawn] = [0, 0]
  for (let step = 0; step < steps; step++) {
    if (step % stepsOfEpoch === 0) [loss, drawn] = [0, 0]
    sum.fill(0)
    for (let row = 0; row < rows.rows; row++) {
      if (!chance.happens(sampleRate)) continue
      loss += gradients.add(parameters, rows, row, mechanism.clipNorm, sum)
      drawn++
    }
    addNoise(sum, mechanism, chance)
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) / expectedRows
    for (const [from, to] of kernels)
      for (let i = from; i < to; i++) sum[i] = (sum[i] as number) + training.l2 * (parameters[i] as number)
    if (optimiser === null) descend(parameters, sum, training.learningRate)
    else optimiser.step(parameters, sum, training.learningRate)
  }
  const weights = {
    shared: Float32Array.from(parameters.subarray(0, shared)),
    head: Float32Array.from(parameters.subarray(shared)),
  }
  return { weights, loss: drawn === 0 ? 0 : loss / drawn, adam: optimiser?.state() ?? null }
}

/** Where the penalised parameters lie: kernels, not biases. */
function kernelsOf(model: ModelSpec, columns: number): readonly (readonly [from: number, to: number])[] {
  return layout(model, columns).map(({ kernelAt, inputs, outputs }) => [kernelAt, kernelAt + inputs * outputs])
}

function descend(parameters: Float64Array, gradient: Float64Array, rate: number): void {
  for (let i = 0; i < parameters.length; i++) parameters[i] = (parameters[i] as number) - rate * (gradient[i] as number)
}

/** Kingma and Ba 2015, Alg. 1. */
class Adam {
  readonly #first: Float64Array
  readonly #second: Float64Array
  #steps: number

  constructor(parameters: number, state: AdamState | null) {
    this.#steps = state?.steps ?? 0
    this.#first = Float64Array.from(state?.moments.subarray(0, parameters) ?? new Float64Array(parameters))
    this.#second = Float64Array.from(state?.moments.subarray(parameters) ?? new Float64Array(parameters))
  }

  step(parameters: Float64Array, gradient: Float64Array, rate: number): void {
    const { beta1, beta2, epsilon } = ADAM
    this.#steps++
    const [left1, left2] = [1 - beta1 ** this.#steps, 1 - beta2 ** this.#steps]
    for (let i = 0; i < parameters.length; i++) {
      const g = gradient[i] as number
      const m = beta1 * (this.#first[i] as number) + (1 - beta1) * g
      const v = beta2 * (this.#second[i] as number) + (1 - beta2) * g * g
      this.#first[i] = m
      this.#second[i] = v
      parameters[i] = (parameters[i] as number) - (rate * (m / left1)) / (Math.sqrt(v / left2) + epsilon)
    }
  }

  state(): AdamState {
    const moments = new Float32Array(2 * this.#first.length)
    moments.set(this.#first)
    moments.set(this.#second, this.#first.length)
    return { steps: this.#steps, moments }
  }
}
