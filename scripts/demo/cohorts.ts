/** The hospitals' tables as their daemons read and split them, and every model's figures on everyone's held-out patients. */

import { designColumns, modelOf, type Study } from '../../src/config/study.ts'
import { invariant } from '../../src/core/errors.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import type { Scaling } from '../../src/core/statistics.ts'
import { bindTable } from '../../src/data/bind.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { designMatrix } from '../../src/data/design.ts'
import { readTableFile, type TableFile } from '../../src/data/table.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import type { DesignMatrix } from '../../src/learn/learner.ts'
import { type Parameters, predict } from '../../src/learn/model.ts'

export interface Cohort {
  readonly name: string
  readonly dataset: Dataset
  /** Which of everyone's test patients are its own: rows `from` to `to − 1`. */
  readonly own: { readonly from: number; readonly to: number }
}

/** All hospitals' tables: what only a demo has. */
export interface Cohorts {
  readonly clinics: readonly Cohort[]
  /** Patients of hospitals that don't take part, all of them for testing; they come last among everyone's. Null where there are none. */
  readonly elsewhere: Dataset | null
  /** Of everyone's test patients, in order: each clinic's held-out rows, clinic by clinic, then those from elsewhere. */
  readonly labels: Uint8Array
}

export interface ModelFigures {
  readonly everyone: Metrics
  readonly own: Metrics
  /** Of everyone's test patients, in the order of `Cohorts.labels`. */
  readonly logits: Float64Array
}

/**
 * Reads each clinic's file with the daemon's options, so that test patients here are test patients there.
 * Errors: `data-…` of the readers, in one line.
 */
export async function loadCohorts(
  study: Study,
  clinics: readonly { readonly name: string; readonly file: string }[],
  elsewhere: TableFile | null = null,
): Promise<Cohorts> {
  const cohorts: Cohort[] = []
  const labels: number[] = []
  for (const { name, file } of clinics) {
    const { dataset } = await bindTable(study, await readTableFile(file), { extra: 'refuse' })
    const from = labels.length
    for (const row of dataset.testRows) labels.push(dataset.labels[row] as number)
    cohorts.push({ name, dataset, own: { from, to: labels.length } })
  }
  const others = elsewhere === null ? null : (await bindTable(study, elsewhere, { extra: 'refuse' })).dataset
  if (others !== null) labels.push(...others.labels)
  return { clinics: cohorts, elsewhere: others, labels: Uint8Array.from(labels) }
}

/** Everyone's test patients as one design matrix, scaled as the model to be tested was trained. */
export function everyonesTest(study: Study, cohorts: Cohorts, scaling: Scaling): DesignMatrix {
  const parts = cohorts.clinics.map(({ dataset }) => designMatrix(study, dataset, dataset.testRows, scaling))
  const { elsewhere } = cohorts
  if (elsewhere !== null) {
    const all = Uint32Array.from(elsewhere.labels, (_, row) => row)
    parts.push(designMatrix(study, elsewhere, all, scaling))
  }
  return stack(study, parts)
}

/** Everyone's training patients as one design matrix. */
export function everyonesTraining(study: Study, cohorts: Cohorts, scaling: Scaling): DesignMatrix {
  return stack(
    study,
    cohorts.clinics.map(({ dataset }) => designMatrix(study, dataset, dataset.trainRows, scaling)),
  )
}

/** The figures of the model of `clinic` (its place in `cohorts.clinics`), in plain JavaScript. */
export function evaluateModel(
  study: Study,
  scaling: Scaling,
  weights: Parameters,
  cohorts: Cohorts,
  clinic: number,
): ModelFigures {
  const cohort = cohorts.clinics[clinic]
  invariant(cohort !== undefined, `there is no clinic ${clinic}`)
  const { labels } = cohorts
  const logits = predict(modelOf(study), designColumns(study), weights, everyonesTest(study, cohorts, scaling))
  const { from, to } = cohort.own
  const own = evaluate(logits.subarray(from, to), labels.subarray(from, to))
  return { everyone: evaluate(logits, labels), own, logits }
}

function stack(study: Study, parts: readonly DesignMatrix[]): DesignMatrix {
  const columns = designColumns(study)
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const all = { rows, columns, x: new Float32Array(rows * columns), y: new Uint8Array(rows) }
  let at = 0
  for (const part of parts) {
    all.x.set(part.x, at * columns)
    all.y.set(part.y, at)
    at += part.rows
  }
  return all
}
