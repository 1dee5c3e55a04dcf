/** The groups of patients that a study's report is broken down by: what they are called, and which a study may name. */
import type { Complaint } from './yaml.ts'

export const GROUPS_MAX = 16 // of one feature: more are too small to say anything of, and make the table unreadable

/** A feature by which the report is broken down: a category by its levels, a number by bands. */
export interface Subgroup {
  readonly feature: string
  /** Where bands of a number begin, ascending: k of them make k + 1 bands; null for a category. */
  readonly edges: readonly number[] | null
}

/** What of a study's features is needed to name groups. */
type Features = readonly (
  | { readonly name: string; readonly kind: 'number' }
  | { readonly name: string; readonly kind: 'category'; readonly levels: readonly string[] }
)[]

/** In order, the last for patients without a value: `f`, `m`, `missing`; `below 65`, `65 to 80`, `80 and above`, `missing`. */
export function groupNames(features: Features, { feature: name, edges }: Subgroup): string[] {
  const feature = features.find((one) => one.name === name)
  if (feature?.kind === 'category') return [...feature.levels, 'missing']
  const bands = (edges ?? []).map((edge, i, all) => (i === 0 ? `below ${edge}` : `${all[i - 1]} to ${edge}`))
  return [...bands, `${edges?.at(-1)} and above`, 'missing']
}

/** The first thing that is wrong, or null. */
export function subgroupsComplaint(features: Features, subgroups: readonly Subgroup[]): Complaint | null {
  const seen = new Set<string>()
  for (const [i, { feature: name, edges }] of subgroups.entries()) {
    const at = (key: string, message: string): Complaint => ({ path: ['report', 'subgroups', i, key], message })
    const feature = features.find((one) => one.name === name)
    if (feature === undefined) return at('feature', `"${name}" was given, one of the study's features is allowed`)
    if (seen.has(name)) return at('feature', `"${name}" was given twice: each feature may be listed once`)
    seen.add(name)
    if (feature.kind === 'category') {
      if (edges !== null)
        return at('edges', `edges were given, but "${name}" is a category, whose levels are the groups`)
      if (feature.levels.length > GROUPS_MAX)
        return at('feature', `"${name}" has ${feature.levels.length} levels, at most ${GROUPS_MAX} make a table`)
    } else if (edges === null) {
      return at(
        'edges',
        `nothing was given, but "${name}" is a number: say where its bands begin, as in edges: [50, 65, 80]`,
      )
    } else if (edges.some((edge, k) => k > 0 && edge <= (edges[k - 1] as number))) {
      return at('edges', `${edges.join(', ')} was given, each edge must be above the one before`)
    }
  }
  return null
}
