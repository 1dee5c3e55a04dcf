/**
 * Exponential, logarithm and the normal's quantile from + − × ÷ √ and bits alone, so that a world has the same bytes on every machine:
 * those of Math may differ in the last bit.
 */

const LN2_HIGH = 0.6931471803691238 // its last 21 bits are 0: times any exponent it is exact
const LN2_LOW = 1.9082149292705877e-10 // ln 2 less the above

const word = new Float64Array(1)
const halves = new Uint32Array(word.buffer) // low half first: src/core/digest.ts refuses other platforms

const POWERS = new Float64Array(2 * 1023 + 1)
POWERS[1023] = 1
for (let n = 1; n <= 1023; n++) {
  POWERS[1023 + n] = (POWERS[1022 + n] as number) * 2
  POWERS[1023 - n] = (POWERS[1024 - n] as number) / 2
}

/** 2^n exactly, for whole n from −1023 to 1023. */
const powerOfTwo = (n: number): number => POWERS[1023 + n] as number

const OVERFLOW = 709.782712893384 // above it e^x is more than the largest double
const UNDERFLOW = -745.1332191019412 // below it e^x rounds to 0

/** e^x, at most 1 unit in the last place off; 0 and infinity where doubles end, NaN for NaN. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x
  if (x > OVERFLOW) return Number.POSITIVE_INFINITY
  if (x < UNDERFLOW) return 0
  const k = Math.round(x / Math.LN2)
  const high = x - k * LN2_HIGH
  const low = k * LN2_LOW
  const r = high - low
  const sum = 1 + (high - (low - r * r * expTail(r)))
  if (k > 1023) return sum * powerOfTwo(k - 1) * 2
  return k >= -1022 ? sum * powerOfTwo(k) : sum * powerOfTwo(k + 100) * powerOfTwo(-100)
}

/** ½ + r/3! + r²/4! + … for |r| ≤ ½ ln 2: what is left out is below 2^−60 of the whole. */
function expTail(r: number): number {
  // biome-ignore format: one series
  return 1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * (1 / 40320 + r *
    (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r * (1 / 479001600 + r * (1 / 6227020800 + r * (1 /
    87178291200))))))))))))
}

const SUBNORMAL = 2.2250738585072014e-308 // the smallest double with all its bits

/** Natural logarithm, at most 1 unit in the last place off; −infinity for 0, NaN below. */
export function ln(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN
  if (x === 0) return Number.NEGATIVE_INFINITY
  if (x === Number.POSITIVE_INFINITY) return x
  const tiny = x < SUBNORMAL
  const normal = tiny ? x * 18_014_398_509_481_984 : x // 2^54
  word[0] = normal
  const scale = ((halves[1] as number) >>> 20) - 1023
  let mantissa = normal * powerOfTwo(-scale)
  let exponent = tiny ? scale - 54 : scale
  if (mantissa > Math.SQRT2) {
    mantissa /= 2
    exponent++
  }
  // ln(1 + f) = 2 artanh(s) = f − (f²/2 − s (f²/2 + rest)), s = f ÷ (2 + f): the large part f has no error
  const f = mantissa - 1
  const s = f / (2 + f)
  const square = s * s
  const rest = square * lnTail(square)
  const half = (f * f) / 2
  return exponent * LN2_HIGH - (half - (s * (half + rest) + exponent * LN2_LOW) - f)
}

/** 2/3 + 2q/5 + 2q²/7 + … for q ≤ 0.0295: what is left out is below 2^−60 of the whole. */
function lnTail(q: number): number {
  // biome-ignore format: one series
  return 2 / 3 + q * (2 / 5 + q * (2 / 7 + q * (2 / 9 + q * (2 / 11 + q * (2 / 13 + q * (2 / 15 + q * (2 / 17 +
    q * (2 / 19 + q * (2 / 21 + q * (2 / 23))))))))))
}

const PHI_AT_0 = 0.3989422804014327 // 1 ÷ √(2π)
const QUANTILE_MAX = 8 // beyond it 1 − Φ is below 1e-15

/** Φ(x): the share of a standard normal below `x`; Marsaglia 2004's series, about 1e-15 off; 0 or 1 beyond ±8. */
export function normalShareBelow(x: number): number {
  if (x > QUANTILE_MAX) return 1
  if (x < -QUANTILE_MAX) return 0
  let sum = x
  let term = x
  for (let i = 3; sum + term !== sum || i < 5; i += 2) {
    term *= (x * x) / i
    sum += term
    if (term === 0) break
  }
  return 0.5 + sum * PHI_AT_0 * exp((-x * x) / 2)
}

/** The x with Φ(x) = `share`, within ±8: by halving, to the last bit that Φ can tell apart. */
export function normalQuantile(share: number): number {
  let [low, high] = [-QUANTILE_MAX, QUANTILE_MAX]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (normalShareBelow(middle) < share) low = middle
    else high = middle
  }
  return (low + high) / 2
}
