/**
 * Scaling statistics: what hospitals tell each other about numeric features so that all standardise alike, checked, summed and
 * frozen. Only + − × ÷ √ in a fixed order, so that every member freezes the same bytes.
 */
import { ConsiliumError, invariant } from './errors.ts'

/** Per numeric feature, in feature order: counts and sums over one hospital's training rows, or over several hospitals'. */
export interface FeatureStatistics {
  /** Rows that the sums are of; 0 where nothing is told (`data/statistics.ts`), and then the sums are 0 too. */
  readonly count: readonly number[]
  readonly sum: readonly number[]
  readonly sumOfSquares: readonly number[]
}

/** Frozen once per study: z = (x − mean) / deviation, a missing value becomes the mean. One per numeric feature, in feature order. */
export interface Scaling {
  readonly mean: readonly number[]
  readonly deviation: readonly number[]
}

/** What a member's statistics must meet; `ranges` has one entry per numeric feature, null where the study gives none. */
export interface StatisticsRules {
  readonly minimumCohort: number
  readonly ranges: readonly (readonly [low: number, high: number] | null)[]
}

/** Numbers beyond this are refused in tables and statistics: 5 million squares of it still sum far below double's limit. */
export const MAGNITUDE_MAX = 1e12

/** Relative room for rounding: sums of 5 million doubles drift by at most 5e6 × 2^−53, about 6e-10. */
const SUM_TOLERANCE = 1e-8

const ROUNDING = 2 ** -52 // spacing of doubles at 1: the relative error of one addition

/**
 * Adds statistics, element by element, in the order given: sort by author first, so that the sum is the same everywhere.
 * `features` is the number of numeric features; it is needed only where the list may be empty.
 */
export function combineStatistics(
  list: readonly FeatureStatistics[],
  features: number = list[0]?.count.length ?? 0,
): FeatureStatistics {
  const add = (part: keyof FeatureStatistics): number[] => {
    const total = new Array<number>(features).fill(0)
    for (const statistics of list) {
      invariant(statistics[part].length === features, 'statistics of one study have one length')
      for (let i = 0; i < features; i++) total[i] = (total[i] as number) + (statistics[part][i] as number)
    }
    return total
  }
  return { count: add('count'), sum: add('sum'), sumOfSquares: add('sumOfSquares') }
}

/**
 * Statistics of more than `cap` rows count as if they were of `cap` with the same means and squares, feature by feature: what a member
 * claims gives it no more weight than that.
 */
export function cappedStatistics({ count, sum, sumOfSquares }: FeatureStatistics, cap: number): FeatureStatistics {
  const share = (i: number): number => ((count[i] as number) > cap ? cap / (count[i] as number) : 1)
  return {
    count: count.map((n) => Math.min(n, cap)),
    sum: sum.map((value, i) => value * share(i)),
    sumOfSquares: sumOfSquares.map((value, i) => value * share(i)),
  }
}

/**
 * Means and population deviations of `total`; a constant feature gets deviation 1. One that nobody tells of is scaled as if its values were
 * spread evenly over its range, and not at all where the study gives none.
 */
export function freezeScaling(total: FeatureStatistics, ranges: StatisticsRules['ranges'] = []): Scaling {
  const mean: number[] = []
  const deviation: number[] = []
  for (let i = 0; i < total.count.length; i++) {
    const count = total.count[i] as number
    if (count === 0) {
      const [low, high] = ranges[i] ?? [0, 0]
      mean.push((low + high) / 2)
      deviation.push(high > low ? (high - low) / Math.sqrt(12) : 1)
      continue
    }
    const average = (total.sum[i] as number) / count
    const variance = (total.sumOfSquares[i] as number) / count - average * average
    // below this the difference of two nearly equal sums is rounding error, of either sign, and no spread of values
    const noise = (count + 8) * ROUNDING * average * average
    mean.push(average)
    deviation.push(variance > noise ? Math.sqrt(variance) : 1)
  }
  return { mean, deviation }
}

/**
 * Refuses a member's statistics that no table within the rules could give: lengths, whole counts of 0 or at least the minimum
 * cohort and at most `rowsMax`, the mean within the feature's range, and a sum of squares between Cauchy–Schwarz's lower bound
 * (sum² ÷ count) and Bhatia and Davis's upper one (2000, for values within a range).
 * Errors: `statistics-shape`, `statistics-count`, `statistics-mean`, `statistics-squares`; all blame the sender.
 */
export function checkStatistics(rules: StatisticsRules, statistics: FeatureStatistics, rowsMax: number): void {
  const { count, sum, sumOfSquares } = statistics
  const features = rules.ranges.length
  for (const [name, list] of Object.entries({ count, sum, sumOfSquares })) {
    if (!Array.isArray(list) || list.length !== features || !list.every(Number.isFinite)) {
      throw refused('shape', `${name} is not ${features} finite numbers, one per numeric feature of the study`)
    }
  }
  for (let i = 0; i < features; i++) {
    const range = rules.ranges[i] ?? ([-MAGNITUDE_MAX, MAGNITUDE_MAX] as const)
    const fault = faultOf(
      count[i] as number,
      sum[i] as number,
      sumOfSquares[i] as number,
      range,
      rules.minimumCohort,
      rowsMax,
    )
    if (fault) throw refused(fault[0], `numeric feature ${i}: ${fault[1]}`)
  }
}

function faultOf(
  count: number,
  sum: number,
  squares: number,
  [low, high]: readonly [number, number],
  cohort: number,
  rowsMax: number,
): [string, string] | null {
  if (count === 0) return sum === 0 && squares === 0 ? null : ['count', 'no rows, but sums that are not 0']
  if (!Number.isInteger(count) || count < cohort || count > rowsMax) {
    return ['count', `${count} rows, but 0 or ${cohort} to ${rowsMax} whole ones are allowed`]
  }
  const mean = sum / count
  const largest = Math.max(Math.abs(low), Math.abs(high))
  const slack = SUM_TOLERANCE * largest
  if (mean < low - slack || mean > high + slack)
    return ['mean', `the mean ${mean} is outside the range ${low} to ${high}`]
  const squareSlack = SUM_TOLERANCE * largest * largest
  if (squares / count < mean * mean - SUM_TOLERANCE * mean * mean)
    return ['squares', 'the sum of squares is below sum² ÷ count']
  if (squares / count > (low + high) * mean - low * high + squareSlack) {
    return ['squares', `the sum of squares is more than values from ${low} to ${high} can give`]
  }
  return null
}

function refused(kind: string, message: string): ConsiliumError {
  return new ConsiliumError({ code: `statistics-${kind}`, message: `statistics refused: ${message}`, blame: 'reject' })
}
