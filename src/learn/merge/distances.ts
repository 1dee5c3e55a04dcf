/** Distances between models, in one fixed order of arithmetic. */

/** Coordinates of one block: the slices of 64 models, 128 kB, stay in a second-level cache. */
export const DISTANCE_BLOCK = 512

/**
 * Squared euclidean distances of all pairs of `models`, n × n row-major, symmetric, zeros on the diagonal. Differences,
 * squares and, within a block of 512 coordinates, four sums (of the coordinates that are 0, 1, 2 and 3 modulo 4) are float32, for a ranking needs
 * no more than their six digits; the four are added as (0 + 2) + (1 + 3) in float64, then block after block. Models that lie more than 1e19
 * apart are infinitely far.
 * Cost: O(n² · parameters); the models are read once.
 */
export function squaredDistances(models: readonly Float32Array[]): Float64Array {
  const n = models.length
  const parameters = models[0]?.length ?? 0
  const squared = new Float64Array(n * n)
  for (let at = 0; at < parameters; at += DISTANCE_BLOCK) {
    const end = Math.min(parameters, at + DISTANCE_BLOCK)
    for (let i = 1; i < n; i++) {
      for (let j = 0; j < i; j++) {
        const sum = blockSum(models[i] as Float32Array, models[j] as Float32Array, at, end)
        squared[i * n + j] = (squared[i * n + j] as number) + sum
      }
    }
  }
  mirror(squared, n)
  return squared
}

/** ‖a − b‖ in the arithmetic of `squaredDistances`. */
export function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at += DISTANCE_BLOCK)
    sum += blockSum(a, b, at, Math.min(a.length, at + DISTANCE_BLOCK))
  return Math.sqrt(sum)
}

/** Copies what is below the diagonal of an n × n matrix to above it. */
export function mirror(matrix: Float64Array, n: number): void {
  for (let i = 1; i < n; i++) for (let j = 0; j < i; j++) matrix[j * n + i] = matrix[i * n + j] as number
}

function blockSum(a: Float32Array, b: Float32Array, from: number, to: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  for (let i = from; i < to; i += 4) {
    s0 = Math.fround(s0 + squareAt(a, b, i))
    if (i + 1 < to) s1 = Math.fround(s1 + squareAt(a, b, i + 1))
    if (i + 2 < to) s2 = Math.fround(s2 + squareAt(a, b, i + 2))
    if (i + 3 < to) s3 = Math.fround(s3 + squareAt(a, b, i + 3))
  }
  return s0 + s2 + (s1 + s3)
}

function squareAt(a: Float32Array, b: Float32Array, i: number): number {
  const difference = Math.fround((a[i] as number) - (b[i] as number))
  return Math.fround(difference * difference)
}
