/** The weighted mean of models, in one fixed order of arithmetic: the same inputs give the same bytes on every machine. */
import { invariant } from '../../core/errors.ts'

const BLOCK = 2_048 // 16 kB of float64 sums: they and eight models' slices stay in a 48 kB first-level cache
const TOGETHER = 8 // models added per pass over a block: enough to hide the sums' loads and stores, and still in registers

/**
 * out[i] = Σ weights[m] · models[m][i]: the products and their sum in float64, from +0, model after model in the order given, rounded
 * once to float32 (McMahan et al. 2017, Alg. 1, the server's average, when `weights` sum to 1). The caller sorts the models.
 *
 * Attackers tolerated: f = 0; breakdown point 0, one unbounded model moves the mean anywhere. Cost: O(models · parameters), the
 * buffers are read once. `out` may be given to save the allocation; it must not be one of `models`.
 */
export function weightedMean(
  models: readonly Float32Array[],
  weights: readonly number[],
  out: Float32Array = new Float32Array(models[0]?.length ?? 0),
): Float32Array {
  invariant(models.length > 0 && models.length === weights.length, `${models.length} models, ${weights.length} weights`)
  invariant(
    models.every((model) => model.length === out.length && model !== out),
    'models and output are of one length and apart',
  )
  const sums = new Float64Array(Math.min(BLOCK, out.length))
  for (let at = 0; at < out.length; at += BLOCK) {
    const length = Math.min(BLOCK, out.length - at)
    sums.fill(0)
    let m = 0
    for (; m + TOGETHER <= models.length; m += TOGETHER) addEight(sums, models, weights, m, at, length)
    for (; m < models.length; m++) addOne(sums, models[m] as Float32Array, weights[m] as number, at, length)
    for (let i = 0; i < length; i++) out[at + i] = sums[i] as number
  }
  return out
}

function addOne(sums: Float64Array, model: Float32Array, weight: number, at: number, length: number): void {
  for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + weight * (model[at + i] as number)
}

/** The same additions in the same order as eight calls of `addOne`, without storing the sums in between. */
function addEight(
  sums: Float64Array,
  models: readonly Float32Array[],
  weights: readonly number[],
  m: number,
  at: number,
  length: number,
): void {
  type Eight<T> = readonly [T, T, T, T, T, T, T, T]
  const [a, b, c, d, e, f, g, h] = models.slice(m, m + TOGETHER) as unknown as Eight<Float32Array>
  const [u, v, w, x, y, z, s, t] = weights.slice(m, m + TOGETHER) as unknown as Eight<number>
  for (let i = 0, j = at; i < length; i++, j++) {
    let sum = sums[i] as number
    sum += u * (a[j] as number)
    sum += v * (b[j] as number)
    sum += w * (c[j] as number)
    sum += x * (d[j] as number)
    sum += y * (e[j] as number)
    sum += z * (f[j] as number)
    sum += s * (g[j] as number)
    sum += t * (h[j] as number)
    sums[i] = sum
  }
}
