/** Nearest-neighbour mixing (NNM), a step before a rule: each model is replaced by the mean of those nearest to it. */
import { invariant } from '../../core/errors.ts'

/** Models of one length. */
export type Vectors = readonly Float32Array[]

/** For each model, which ones are averaged in its place: n lists of as many numbers, ascending, one after the other. */
export interface Mixing {
  readonly neighbours: Uint32Array
  /** Length of each list. */
  readonly count: number
}

/**
 * The n − f models nearest to each of n, itself among them; of equally near ones the earlier.
 * Allouah, Farhadkhani, Guerraoui, Gupta, Pinot and Stephan 2023, "Fixing by Mixing", Alg. 2. With it a rule tolerates f < n/2, and its error
 * under attack shrinks with f/n even where honest models differ: then it is optimal up to a constant. Breakdown point: that of the rule that
 * follows, (f + 1)/n. Cost: the distances of all pairs, O(n² · parameters), which the caller gives; choosing is O(n² log n).
 * @param squared Squared distances, n × n.
 */
export function nearestMixing(squared: Float64Array, n: number, faulty: number): Mixing {
  invariant(2 * faulty < n && squared.length === n * n, `mixing of ${n} models of which ${faulty} may be faulty`)
  const count = n - faulty
  const neighbours = new Uint32Array(n * count)
  const sorted = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const row = squared.subarray(i * n, (i + 1) * n)
    sorted.set(row)
    sorted.sort()
    const farthest = sorted[count - 1] as number
    let ties = count
    for (let j = 0; j < n; j++) if ((row[j] as number) < farthest) ties--
    let at = i * count
    for (let j = 0; j < n; j++) {
      const d = row[j] as number
      if (d < farthest || (d === farthest && ties-- > 0)) neighbours[at++] = j
    }
  }
  return { neighbours, count }
}

/**
 * Writes coordinates `at` to `at + length` of the mixed models to the beginnings of `rows`: sums in float64, in the order of the models,
 * divided by their number and rounded to float32.
 */
export function mix(models: Vectors, { neighbours, count }: Mixing, at: number, length: number, rows: Vectors): void {
  const sums = new Float64Array(length)
  for (const [m, row] of rows.entries()) {
    sums.fill(0)
    for (let k = 0; k < count; k++) {
      const model = models[neighbours[m * count + k] as number] as Float32Array
      for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + (model[at + i] as number)
    }
    for (let i = 0; i < length; i++) row[i] = (sums[i] as number) / count
  }
}

/** Model `m` stays as it is: all its neighbours are itself, and the mean of one number many times over is that number. */
export function leaveUnmixed({ neighbours, count }: Mixing, m: number): void {
  neighbours.fill(m, m * count, (m + 1) * count)
}

/** All mixed models, in as much memory as the models take. */
export function mixed(models: Vectors, mixing: Mixing): Float32Array[] {
  const rows = models.map((model) => new Float32Array(model.length))
  mix(models, mixing, 0, rows[0]?.length ?? 0, rows)
  return rows
}

/** Shares of mixed models in a result as shares of the models: an even part of each share goes to each of its neighbours. */
export function unmixed(shares: readonly number[], { neighbours, count }: Mixing): number[] {
  const out = shares.map(() => 0)
  for (const [m, share] of shares.entries()) {
    for (let k = 0; k < count; k++) {
      const j = neighbours[m * count + k] as number
      out[j] = (out[j] as number) + share / count
    }
  }
  return out
}
