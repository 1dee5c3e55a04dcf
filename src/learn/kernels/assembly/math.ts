/** Functions of four float32 at once, from + − × ÷ and bits alone: the same results on every machine. */

const LOG2E: f32 = 1.44269504088896341
const LN2_HIGH: f32 = 0.693359375 // ln 2 to nine bits: its multiples up to 150 are exact
const LN2_LOW: f32 = -2.12194440054690583e-4 // ln 2 − LN2_HIGH
const EXP_MAX: f32 = 89 // e^89 is beyond float32: infinity
const EXP_MIN: f32 = -104 // e^−104 is below half of the smallest float32: 0

/**
 * e^x within 1.5 units in the last place, subnormal results included; NaN stays NaN. x = n ln 2 + r with |r| ≤ ½ ln 2 (Cody and Waite
 * 1980, ch. 6), then Taylor's polynomial of degree 7, whose remainder is below 6·10⁻⁹.
 */
@inline
export function exp4(x: v128): v128 {
  const c = f32x4.max(f32x4.min(x, f32x4.splat(EXP_MAX)), f32x4.splat(EXP_MIN))
  const n = f32x4.nearest(f32x4.mul(c, f32x4.splat(LOG2E)))
  let r = f32x4.sub(c, f32x4.mul(n, f32x4.splat(LN2_HIGH)))
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(LN2_LOW)))
  let p = f32x4.splat(1.0 / 5040.0)
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 720.0))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 120.0))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 24.0))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.0 / 6.0))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5))
  p = f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r)
  p = f32x4.add(p, f32x4.splat(1))
  const k = i32x4.trunc_sat_f32x4_s(n)
  const half = i32x4.shr_s(k, 1) // 2^k in two steps: k reaches from −150 to 128, a float32's exponent does not
  return f32x4.mul(f32x4.mul(p, powerOfTwo(half)), powerOfTwo(i32x4.sub(k, half)))
}

@inline
function powerOfTwo(k: v128): v128 {
  return i32x4.shl(i32x4.add(k, i32x4.splat(127)), 23)
}

/**
 * log(1 + t) for t from 0 to 1, within 3 units in the last place, and so for the tiniest t too: 2 artanh(t / (2 + t)) by its series to
 * the power 15, whose remainder is below 3·10⁻⁹.
 */
@inline
export function log1p4(t: v128): v128 {
  const s = f32x4.div(t, f32x4.add(t, f32x4.splat(2)))
  const q = f32x4.mul(s, s)
  let p = f32x4.splat(2.0 / 15.0)
  p = f32x4.add(f32x4.mul(p, q), f32x4.splat(2.0 / 13.0))
  p = f32x4.add(f32x4.mul(p, q), f32x4.splat(2.0 / 11.0))
  p = f32x4.add(f32x4.mul(p, q), f32x4.splat(2.0 / 9.0))
  p = f32x4.add(f32x4.mul(p, q), f32x4.splat(2.0 / 7.0))
  p = f32x4.add(f32x4.mul(p, q), f32x4.splat(2.0 / 5.0))
  p = f32x4.add(f32x4.mul(p, q), f32x4.splat(2.0 / 3.0))
  p = f32x4.mul(f32x4.mul(p, q), s)
  return f32x4.add(p, f32x4.add(s, s))
}

/** e^−|z|: what the sigmoid and the loss both need. */
@inline
export function odds4(z: v128): v128 {
  return exp4(f32x4.neg(f32x4.abs(z)))
}

/** 1 / (1 + e^−z), exact in both tails; `odds` is `odds4(z)`. */
@inline
export function sigmoid4(z: v128, odds: v128): v128 {
  const above = f32x4.div(f32x4.splat(1), f32x4.add(odds, f32x4.splat(1)))
  return v128.bitselect(above, f32x4.mul(above, odds), f32x4.ge(z, f32x4.splat(0)))
}

/** −log of the probability that the logits `z` give to the labels `y` (0 or 1): log(1 + e^−|z|) + max(z, 0) − z·y. */
@inline
export function logLoss4(z: v128, odds: v128, y: v128): v128 {
  return f32x4.add(log1p4(odds), f32x4.sub(f32x4.max(z, f32x4.splat(0)), f32x4.mul(z, y)))
}

/** The sums of four vectors' lanes: [Σa, Σb, Σc, Σd], each as (lane 0 + lane 2) + (lane 1 + lane 3). */
@inline
export function sums4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3))
}

/** Lanes below `count` are all ones, the others zero. */
@inline
export function lanesBelow(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count))
}
