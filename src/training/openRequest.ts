/** What a learner is opened with: the rows of a table that may be used, scaled, in their parts. */
import { modelOf, type Study } from '../config/study.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { PrivacySteps } from '../core/privacy.ts'
import type { Scaling } from '../core/statistics.ts'
import type { Dataset } from '../data/dataset.ts'
import { designMatrix } from '../data/design.ts'
import { scalingHere } from '../data/ownScaling.ts'
import type { OpenRequest } from '../learn/learner.ts'
import { privateTraining } from './privateTraining.ts'

/** The part of a bound table that patients permit, and what their words came to. */
export interface PermittedTable {
  readonly root: Digest
  /** Whose rows may train, and how many rows may test. */
  readonly patients: number
  readonly testRows: number
  /** The same object for as long as the same rows may be used. */
  readonly dataset: Dataset
  readonly changesAtMs: number | null
}

/** Asks the hospital's vault. `words`: so many the own log tells of at least. Errors: `vault-…`, `data-…`, `dataset-not-bound`. */
export type AskPermitted = (asked: {
  readonly study: StudyId
  readonly atMs: number
  readonly words: number
}) => Promise<PermittedTable>

/** What a hospital opens a study with. */
export interface Opening {
  readonly id: StudyId
  readonly study: Study
  readonly scaling: Scaling
  readonly dataset: Dataset
  readonly spent: readonly PrivacySteps[]
  readonly epsilonMax: number | null
}

/** Training, held-out and, where there are any, validation rows. */
export function openRequest({ id, study, scaling, dataset, spent, epsilonMax }: Opening): OpenRequest {
  const own = scalingHere(study, dataset, scaling)
  const train = designMatrix(study, dataset, dataset.trainRows, own)
  const test = designMatrix(study, dataset, dataset.testRows, own)
  const validating = dataset.validationRows.length > 0
  const validation = validating ? { validation: designMatrix(study, dataset, dataset.validationRows, own) } : {}
  const given = { rows: train.rows, spent, roundsMax: study.rounds.count, epsilonMax }
  const privacy = study.privacy === null ? {} : { privacy: privateTraining(study.privacy, given) }
  return { study: id, model: modelOf(study), training: study.training, train, test, ...validation, ...privacy }
}
