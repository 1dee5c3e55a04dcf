/** Tails of the normal distribution, to float64's precision also where they are tiny. */

/**
 * exp(x²)·erfc(x) for x ≥ 0: what is left of erfc's tail when its decay is taken out. Below 2 by the series of erf, above by the continued
 * fraction (Abramowitz and Stegun 1964, 7.1.6 and 7.1.14); about 1e-13 relative.
 */
export function scaledErfc(x: number): number {
  if (x < SERIES_BELOW) return Math.exp(x * x) - TWO_BY_SQRT_PI * seriesOf(x)
  let below = x
  for (let k = Math.ceil(FRACTION_TERMS / (x * x)) + 5; k > 0; k--) below = x + k / 2 / below
  return 1 / (SQRT_PI * below)
}

/** log erfc(x), for any x. */
export function logErfc(x: number): number {
  return x < 0 ? Math.log(2 - Math.exp(-x * x) * scaledErfc(-x)) : Math.log(scaledErfc(x)) - x * x
}

/** The chance that a standard normal value is above z. */
export function upperTail(z: number): number {
  const x = z / Math.SQRT2
  return x < 0 ? 1 - upperTail(-z) : (Math.exp(-x * x) * scaledErfc(x)) / 2
}

const SQRT_PI = Math.sqrt(Math.PI)
const TWO_BY_SQRT_PI = 2 / SQRT_PI
const SERIES_BELOW = 2 // above it the series loses digits to the difference, and the fraction needs few terms
const FRACTION_TERMS = 170 // over x²: they leave e^(−2x√(2·terms)), 1e-16

/** exp(x²)·erf(x)·√π/2 = Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n + 1)); all terms are positive. */
function seriesOf(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; term > sum * Number.EPSILON; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return sum
}
