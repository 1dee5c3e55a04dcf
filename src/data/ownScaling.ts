/** Scaling by a hospital's own training rows, where a study asks for it. */
import type { Study } from '../config/study.ts'
import { freezeScaling, type Scaling } from '../core/statistics.ts'
import type { Dataset } from './dataset.ts'
import { localStatistics } from './statistics.ts'

/** Own means and deviations; a feature of which this hospital tells nothing is scaled as everywhere else. */
export function ownScaling(study: Study, dataset: Dataset, everywhere: Scaling): Scaling {
  const own = localStatistics(study, dataset)
  const { mean, deviation } = freezeScaling(own)
  const pick = (mine: readonly number[], theirs: readonly number[]): number[] =>
    mine.map((value, i) => ((own.count[i] as number) > 0 ? value : (theirs[i] as number)))
  return { mean: pick(mean, everywhere.mean), deviation: pick(deviation, everywhere.deviation) }
}

/** What the study's inputs are scaled with at this hospital. */
export function scalingHere(study: Study, dataset: Dataset, everywhere: Scaling): Scaling {
  return study.local.normalisation === 'own' ? ownScaling(study, dataset, everywhere) : everywhere
}
