/** Which group of patients each row is in, by the features that a study's report is broken down by. */
import type { Study } from '../config/study.ts'
import { groupNames } from '../config/subgroups.ts'
import { invariant } from '../core/errors.ts'
import type { Dataset } from './dataset.ts'

/** For each of the study's subgroups, how many groups there are and the group of each of `rows`; the last is who has no value. */
export function groupingsOf(
  study: Study,
  dataset: Dataset,
  rows: Uint32Array,
): { readonly groups: number; readonly of: Uint8Array }[] {
  const width = dataset.features.length
  return study.report.subgroups.map((subgroup) => {
    const column = study.features.findIndex(({ name }) => name === subgroup.feature)
    invariant(column >= 0, 'a subgroup names a feature')
    const groups = groupNames(study.features, subgroup).length
    const groupOf = (value: number): number => {
      if (Number.isNaN(value)) return groups - 1
      return subgroup.edges === null ? value : subgroup.edges.filter((edge) => edge <= value).length
    }
    return { groups, of: Uint8Array.from(rows, (row) => groupOf(dataset.values[row * width + column] as number)) }
  })
}
