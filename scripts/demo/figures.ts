/** The report's figures: every arm's models on the same test patients, with bootstrap intervals from the same resamples. */

import type { Study } from '../../src/config/study.ts'
import { invariant } from '../../src/core/errors.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import { Rng } from '../../src/core/rng.ts'
import type { VerifyReport } from '../../src/daemon/api.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import type { BaselineName, Baselines, ScaledModel } from './baselines.ts'
import { type Cohorts, evaluateModel, type ModelFigures } from './cohorts.ts'

export const ARMS = ['local-only', 'gossip', 'FedAvg', 'pooled'] as const
export type ArmName = BaselineName | 'gossip'

export const METRICS = ['auc', 'accuracy', 'logLoss', 'calibrationError'] as const
export type Metric = (typeof METRICS)[number]

/** One model seen at one clinic (its place among the clinics) after so many complete rounds, from 1. */
export interface GossipPoint {
  readonly clinic: number
  readonly round: number
  /** On everyone's test patients. */
  readonly auc: number
}

/** What was seen of the real network: its models' figures over time, and each clinic's last model; null where none was got. */
export interface GossipHistory {
  readonly points: GossipPoint[]
  readonly final: (ScaledModel | null)[]
}

/** What one node found when it verified all logs. */
export interface NodeVerification {
  readonly node: string
  readonly logs: readonly VerifyReport[]
}

export interface ReportInput {
  readonly study: Study
  readonly cohorts: Cohorts
  readonly seed: number
  /** Whether the hospitals are sites of the data set; else the deal is ours. */
  readonly realSites: boolean
  readonly gossip: GossipHistory
  readonly baselines: Baselines
  readonly verified: readonly NodeVerification[]
}

/** A figure and its 95 % bootstrap interval. */
export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

export type ArmFigures = Readonly<Record<Metric, Interval>>

export interface ClinicFigures {
  readonly name: string
  readonly trainRows: number
  readonly own: {
    readonly rows: number
    readonly positives: number
    readonly auc: Readonly<Record<ArmName, number | null>>
  }
  /** Its model of each arm on everyone's test patients; null where it has none. */
  readonly everyone: Readonly<Record<ArmName, ArmFigures | null>>
  /** AUC of gossip less that of local-only on everyone's test patients, in pairs. */
  readonly worth: Interval | null
}

export interface Figures {
  /** Of everyone, those from elsewhere included. */
  readonly everyone: { readonly rows: number; readonly positives: number; readonly elsewhere: number }
  /** Of the clinics that took part. */
  readonly own: { readonly rows: number; readonly positives: number }
  /** Each of their test patients scored by the model of the own clinic. */
  readonly overall: Readonly<Record<ArmName, ArmFigures | null>>
  readonly clinics: readonly ClinicFigures[]
}

const RESAMPLES_MAX = 1_000 // the ends of a 95 % interval then move by a few hundredths of its width from seed to seed
const RESAMPLED_ROWS_MAX = 1_000_000 // per model; keeps the whole report of two thousand test patients under two seconds
const LEVEL = 0.95

/** Computes all figures, with intervals seeded by the demo's own seed. */
export function figuresOf(input: ReportInput): Figures {
  const { study, cohorts, gossip, baselines } = input
  const { labels, clinics } = cohorts
  const all = new Resamples(labels, Rng.from('demo-bootstrap', 'everyone', input.seed))
  const ownRows = clinics.at(-1)?.own.to ?? 0
  const ownLabels = labels.subarray(0, ownRows)
  const own = new Resamples(ownLabels, Rng.from('demo-bootstrap', 'own', input.seed))
  const models: Record<ArmName, readonly (ScaledModel | null)[]> = {
    'local-only': baselines.arms['local-only'].models,
    gossip: gossip.final,
    FedAvg: baselines.arms.FedAvg.models,
    pooled: baselines.arms.pooled.models,
  }
  const score = (model: ScaledModel | null, clinic: number): ModelFigures | null =>
    model && evaluateModel(study, model.scaling, model.weights, cohorts, clinic)
  const scored = byArm((arm) => models[arm].map(score))
  return {
    everyone: { rows: labels.length, positives: positivesOf(labels), elsewhere: labels.length - ownRows },
    own: { rows: ownRows, positives: positivesOf(ownLabels) },
    overall: byArm((arm) => {
      const logits = stacked(cohorts, scored[arm], ownRows)
      return logits && own.figures(logits)
    }),
    clinics: clinics.map(({ name, dataset, own: { from, to } }, i) => {
      const logits = byArm((arm) => scored[arm][i]?.logits ?? null)
      return {
        name,
        trainRows: dataset.trainRows.length,
        own: {
          rows: to - from,
          positives: positivesOf(labels.subarray(from, to)),
          auc: byArm((arm) => scored[arm][i]?.own.auc ?? null),
        },
        everyone: byArm((arm) => logits[arm] && all.figures(logits[arm])),
        worth: logits.gossip && logits['local-only'] && all.difference(logits.gossip, logits['local-only']),
      }
    }),
  }
}

/**
 * Bootstrap resamples of rows, stratified by label (Efron and Tibshirani 1993, §13.3), drawn once and used for every model, so that
 * differences between models are paired.
 */
export class Resamples {
  readonly #labels: Uint8Array
  /** How often each row is drawn, resample by resample. */
  readonly #counts: readonly Uint8Array[]
  readonly #evaluations = new Map<string, readonly Metrics[]>()

  constructor(labels: Uint8Array, rng: Rng, resamples = resamplesFor(labels.length)) {
    const strata = [0, 1].map((label) => [...labels.keys()].filter((row) => labels[row] === label))
    this.#labels = labels
    this.#counts = Array.from({ length: resamples }, () => {
      const counts = new Uint8Array(labels.length)
      for (const rows of strata) {
        for (let draw = 0; draw < rows.length; draw++) {
          const row = rows[rng.below(rows.length)] as number
          counts[row] = (counts[row] as number) + 1
        }
      }
      return counts
    })
  }

  figures(logits: Float64Array): ArmFigures {
    const point = evaluate(logits, this.#labels)
    const evaluations = this.evaluations(logits)
    const interval = (metric: Metric): Interval => {
      const values = evaluations.map((evaluation) => known(evaluation[metric]))
      return { value: known(point[metric]), ...ends(values) }
    }
    return Object.fromEntries(METRICS.map((metric) => [metric, interval(metric)])) as Record<Metric, Interval>
  }

  /** AUC of `a` less that of `b`. */
  difference(a: Float64Array, b: Float64Array): Interval {
    const [first, second] = [this.evaluations(a), this.evaluations(b)]
    const values = first.map(({ auc }, i) => known(auc) - known(second[i]?.auc ?? null))
    return { value: known(evaluate(a, this.#labels).auc) - known(evaluate(b, this.#labels).auc), ...ends(values) }
  }

  /** `evaluate` on every resample. Rows are given in the order of their logits, which spares it most of its sorting. */
  evaluations(logits: Float64Array): readonly Metrics[] {
    const key = logits.join(' ')
    const found = this.#evaluations.get(key)
    if (found !== undefined) return found
    const order = Uint32Array.from(logits.keys()).sort((a, b) => (logits[a] as number) - (logits[b] as number))
    const rows = new Uint32Array(logits.length)
    const evaluations = this.#counts.map((counts) => {
      let at = 0
      for (const row of order) for (let k = counts[row] as number; k > 0; k--) rows[at++] = row
      return evaluate(logits, this.#labels, rows)
    })
    this.#evaluations.set(key, evaluations)
    return evaluations
  }
}

function resamplesFor(rows: number): number {
  return Math.min(RESAMPLES_MAX, Math.ceil(RESAMPLED_ROWS_MAX / rows))
}

/** Percentiles by linear interpolation (Hyndman and Fan 1996, type 7). */
function ends(values: readonly number[]): { readonly low: number; readonly high: number } {
  const sorted = Float64Array.from(values).sort()
  const quantile = (q: number): number => {
    const at = q * (sorted.length - 1)
    const below = sorted[Math.floor(at)] as number
    return below + ((sorted[Math.ceil(at)] as number) - below) * (at - Math.floor(at))
  }
  return { low: quantile((1 - LEVEL) / 2), high: quantile((1 + LEVEL) / 2) }
}

/** The logits of the clinics' own test patients, each from the own clinic's model; null where a clinic has none. */
function stacked({ clinics }: Cohorts, scored: readonly (ModelFigures | null)[], rows: number): Float64Array | null {
  const logits = new Float64Array(rows)
  for (const [i, { own }] of clinics.entries()) {
    const model = scored[i]
    if (!model) return null
    logits.set(model.logits.subarray(own.from, own.to), own.from)
  }
  return logits
}

function byArm<T>(make: (arm: ArmName) => T): Record<ArmName, T> {
  return Object.fromEntries(ARMS.map((arm) => [arm, make(arm)])) as Record<ArmName, T>
}

function known(value: number | null): number {
  invariant(value !== null, 'a resample within each class has both classes')
  return value
}

const positivesOf = (labels: Uint8Array): number => labels.reduce((sum, label) => sum + label, 0)
