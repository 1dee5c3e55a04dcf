/** What a learner is opened with: the rows of a table that may be used, scaled, in their parts. */
import { modelOf, type Study } from '../config/study.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { PrivacySteps } from '../core/privacy.ts'
import type { Scaling } from '../core/statistics.ts'
import type { Dataset } from '../data/dataset.ts'
import { designMatrix } from '../data/design.ts'
import { scalingHere } from '../data/ownScaling.ts'
import type { OpenRequest } from '../learn/learner.ts'
import { privateTrainingOf } from './privateTraining.ts'

/** The part of a bound table that patients permit, and what their words came to. */
export interface PermittedTable {
  readonly root: Digest
  /** Whose rows may train, and how many rows may test. */
  readonly patients: number
  readonly testRows: number
  /** The same object for as long as the same rows may be used. */
  readonly dataset: Dataset
  /** The table that those rows are of. */
  readonly table: Dataset
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
  /** Where patients are asked: the table that the rows are of. */
  readonly table: Dataset | null
  /** What was opened of that table before, with that scaling. */
  readonly before: OpenRequest | null
  readonly spent: readonly PrivacySteps[]
  readonly epsilonMax: number | null
}

/** Training, held-out and, where there are any, validation rows. */
export function openRequest(opening: Opening): OpenRequest {
  const { id, study, spent, epsilonMax, dataset } = opening
  const rows = rowsOf(opening)
  const given = { rows: dataset.trainRows.length, spent, roundsMax: study.rounds.count, epsilonMax }
  const privacy = privateTrainingOf(study, given)
  const opened = { study: id, model: modelOf(study), training: study.training, ...rows }
  return privacy === null ? opened : { ...opened, privacy }
}

type Rows = Pick<OpenRequest, 'train' | 'test' | 'validation' | 'inUse'>

/**
 * Where patients are asked, the whole table is prepared once, and which of its rows are in use is said beside it: so a word costs no new
 * preparation. Where inputs are scaled by the own rows, what others than before give is another scaling, and all is prepared anew.
 */
function rowsOf({ study, scaling, dataset, table, before }: Opening): Rows {
  if (table === null || study.local.normalisation === 'own')
    return matricesOf(study, dataset, scalingHere(study, dataset, scaling))
  const { train, test, validation } = before ?? matricesOf(study, table, scaling)
  const inUse = {
    train: placesIn(table.trainRows, dataset.trainRows),
    validation: placesIn(table.validationRows, dataset.validationRows),
    test: placesIn(table.testRows, dataset.testRows),
  }
  return { train, test, ...(validation === undefined ? {} : { validation }), inUse }
}

function matricesOf(study: Study, dataset: Dataset, scaling: Scaling): Rows {
  const train = designMatrix(study, dataset, dataset.trainRows, scaling)
  const test = designMatrix(study, dataset, dataset.testRows, scaling)
  if (dataset.validationRows.length === 0) return { train, test }
  return { train, test, validation: designMatrix(study, dataset, dataset.validationRows, scaling) }
}

/** Where `some` rows stand among `all`; both are in the same order. */
function placesIn(all: Uint32Array, some: Uint32Array): Uint32Array {
  const places = new Uint32Array(some.length)
  let at = 0
  for (let i = 0; i < some.length; i++) {
    while (all[at] !== some[i] && at < all.length) at++
    invariant(at < all.length, 'rows that are permitted are rows of the table')
    places[i] = at++
  }
  return places
}
