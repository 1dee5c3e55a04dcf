/** Which group of patients each row is in, by the features that a study's report is broken down by. */
import type { Study } from '../config/study.ts'
import { groupNames } from '../config/subgroups.ts'
import { invariant } from '../core/errors.ts'
import type { Dataset } from './dataset.ts'

/**
 * For each of the study's subgroups, how many groups there are and the group of each of `rows`; the last is who has no value. Where patients are
 * asked, `table` is all that they were asked about: which groups its held-out rows are in no word changes.
 */
export function groupingsOf(
  study: Study,
  dataset: Dataset,
  rows: Uint32Array,
  table: Dataset | null,
): { readonly groups: number; readonly of: Uint8Array; readonly held?: ReadonlySet<number> }[] {
  const width = dataset.features.length
  return study.report.subgroups.map((subgroup) => {
    const column = study.features.findIndex(({ name }) => name === subgroup.feature)
    invariant(column >= 0, 'a subgroup names a feature')
    const groups = groupNames(study.features, subgroup).length
    const groupOf = (value: number): number => {
      if (Number.isNaN(value)) return groups - 1
      return subgroup.edges === null ? value : subgroup.edges.filter((edge) => edge <= value).length
    }
    const groupsOf = (of: Uint32Array) =>
      Uint8Array.from(of, (row) => groupOf(dataset.values[row * width + column] as number))
    const grouping = { groups, of: groupsOf(rows) }
    return table === null ? grouping : { ...grouping, held: new Set(groupsOf(table.testRows)) }
  })
}
