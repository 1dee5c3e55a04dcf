/**
 * Noise for counts: whole numbers y with chance ∝ exp(−ε·|y|), the two-sided geometric distribution, than which no other ε-private count serves
 * anybody better (Ghosh, Roughgarden and Sundararajan 2009, "Universally utility-maximizing privacy mechanisms"). It is drawn by comparing
 * whole numbers alone (Canonne, Kamath and Steinke 2020, "The discrete Gaussian for differential privacy", Alg. 1 and 2), for rounded floating
 * point would tell what was rounded (Mironov 2012). ε is counted in millionths, so that budgets add up exactly.
 */
import { invariant } from './errors.ts'

/** Uniform over 0 … n − 1. Whoever can foresee it can take the noise off again. */
export type Below = (n: number) => number

export const MILLION = 1_000_000
/** ε of one draw, in millionths; below the smallest the noise is wider than any table. */
export const MICRO_EPSILON = { min: 1_000, max: 10 * MILLION } as const

/** One draw; `microEpsilon` is a whole number within `MICRO_EPSILON`. */
export function geometricNoise(microEpsilon: number, below: Below): number {
  const { min, max } = MICRO_EPSILON
  invariant(Number.isInteger(microEpsilon) && microEpsilon >= min && microEpsilon <= max, 'ε is within its bounds')
  const divisor = greatestDivisor(microEpsilon, MILLION)
  const [over, scale] = [microEpsilon / divisor, MILLION / divisor] // ε = over / scale
  for (;;) {
    const part = below(scale)
    if (!happensByExp(part, scale, below)) continue
    let whole = 0
    while (happensByExp(1, 1, below)) whole++
    const magnitude = Math.floor((part + scale * whole) / over)
    const isNegative = below(2) === 1
    if (isNegative && magnitude === 0) continue // else there were two zeros
    return isNegative ? -magnitude : magnitude
  }
}

/** True with chance exp(−n/d), for n ≤ d: how long a run of ever rarer things lasts is odd with just that chance. */
function happensByExp(n: number, d: number, below: Below): boolean {
  let run = 1
  while (below(d * run) < n) run++
  return run % 2 === 1
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}
