/** Draws from the distributions that a world is made of; each takes its chance from the generator alone. */

import { invariant } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import { exp, ln } from './elementary.ts'

/** Standard normal, by the polar method (Marsaglia and Bray 1964). */
export function normal(rng: Rng): number {
  normals(rng, one, 0, 1)
  return one[0] as number
}

const one = new Float64Array(1)

/** Fills `out` from `from` up to `to` with independent standard normal draws: half the cost of drawing them one by one.
 * Within 9.2: 32 bits decide about each coordinate. */
export function normals(rng: Rng, out: Float32Array | Float64Array, from = 0, to = out.length): void {
  for (let at = from; at < to; at += 2) {
    let x: number
    let y: number
    let square: number
    do {
      x = (rng.u32() + 0.5) / 2_147_483_648 - 1
      y = (rng.u32() + 0.5) / 2_147_483_648 - 1
      square = x * x + y * y
    } while (square >= 1)
    const stretch = Math.sqrt((-2 * ln(square)) / square)
    out[at] = x * stretch
    if (at + 1 < to) out[at + 1] = y * stretch
  }
}

/** Exponential with this mean: a waiting time without memory. */
export function exponential(rng: Rng, mean: number): number {
  return -mean * ln(1 - rng.float())
}

/** Log-normal: half of the draws are below `median`; `sigma` is the deviation of its logarithm. */
export function logNormal(rng: Rng, median: number, sigma: number): number {
  return median * exp(sigma * normal(rng))
}

/** Gamma with this shape and scale 1 (Marsaglia and Tsang 2000; below shape 1 by way of shape + 1). Shape above 0. */
export function gamma(rng: Rng, shape: number): number {
  return exp(lnGamma(rng, shape))
}

/** Logarithm of a gamma draw: of small shapes most draws are too small for a double. */
function lnGamma(rng: Rng, shape: number): number {
  invariant(shape > 0, 'a gamma distribution has a shape above 0')
  if (shape < 1) return lnGamma(rng, shape + 1) + ln(1 - rng.float()) / shape
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normal(rng)
    const root = 1 + c * x
    if (root <= 0) continue
    const v = root * root * root
    if (ln(1 - rng.float()) < (x * x) / 2 + d * (1 - v + ln(v))) return ln(d * v)
  }
}

/** Shares that sum to 1, Dirichlet with these parameters, each above 0: the smaller they are, the more one share has all. */
export function dirichlet(rng: Rng, alphas: ArrayLike<number>): Float64Array {
  const shares = Float64Array.from(alphas, (alpha) => lnGamma(rng, alpha))
  let largest = Number.NEGATIVE_INFINITY
  for (const value of shares) if (value > largest) largest = value
  let total = 0
  for (let i = 0; i < shares.length; i++) {
    shares[i] = exp((shares[i] as number) - largest)
    total += shares[i] as number
  }
  for (let i = 0; i < shares.length; i++) shares[i] = (shares[i] as number) / total
  return shares
}
