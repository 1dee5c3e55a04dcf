/** Weighted sums of models. */

/**
 * into[i] = Σ coefficients[m] · model m[i] for `bytes` (a multiple of 16) bytes of float32: products and sums in float64, from +0, model after
 * model in the order given, rounded once; bit for bit what `weightedMean` gives. `models` holds `count` u32 pointers, `coefficients` as many
 * float64. `into` may be one of the models.
 */
export function merge(into: usize, models: usize, coefficients: usize, count: u32, bytes: usize): void {
  let at: usize = 0
  for (; at + 64 <= bytes; at += 64) merge16(into, models, coefficients, count, at)
  for (; at + 32 <= bytes; at += 32) merge8(into, models, coefficients, count, at)
  if (at < bytes) merge4(into, models, coefficients, count, at)
}

/** Where there are many: the pointers and coefficients are read half as often, and eight sums do not wait for each other. */
@inline
function merge16(into: usize, models: usize, coefficients: usize, count: u32, at: usize): void {
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0
  for (let m: u32 = 0; m < count; m++) {
    const from = load<usize>(models + (<usize>m << 2)) + at
    const c = v128.load_splat<f64>(coefficients + (<usize>m << 3))
    const x = v128.load(from), y = v128.load(from, 16), z = v128.load(from, 32), w = v128.load(from, 48)
    s0 = f64x2.add(s0, f64x2.mul(c, f64x2.promote_low_f32x4(x)))
    s1 = f64x2.add(s1, f64x2.mul(c, f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1))))
    s2 = f64x2.add(s2, f64x2.mul(c, f64x2.promote_low_f32x4(y)))
    s3 = f64x2.add(s3, f64x2.mul(c, f64x2.promote_low_f32x4(v128.shuffle<f64>(y, y, 1, 1))))
    s4 = f64x2.add(s4, f64x2.mul(c, f64x2.promote_low_f32x4(z)))
    s5 = f64x2.add(s5, f64x2.mul(c, f64x2.promote_low_f32x4(v128.shuffle<f64>(z, z, 1, 1))))
    s6 = f64x2.add(s6, f64x2.mul(c, f64x2.promote_low_f32x4(w)))
    s7 = f64x2.add(s7, f64x2.mul(c, f64x2.promote_low_f32x4(v128.shuffle<f64>(w, w, 1, 1))))
  }
  v128.store(into + at, rounded(s0, s1))
  v128.store(into + at, rounded(s2, s3), 16)
  v128.store(into + at, rounded(s4, s5), 32)
  v128.store(into + at, rounded(s6, s7), 48)
}

@inline
function merge8(into: usize, models: usize, coefficients: usize, count: u32, at: usize): void {
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0
  for (let m: u32 = 0; m < count; m++) {
    const from = load<usize>(models + (<usize>m << 2)) + at
    const c = v128.load_splat<f64>(coefficients + (<usize>m << 3))
    const x = v128.load(from), y = v128.load(from, 16)
    s0 = f64x2.add(s0, f64x2.mul(c, f64x2.promote_low_f32x4(x)))
    s1 = f64x2.add(s1, f64x2.mul(c, f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1))))
    s2 = f64x2.add(s2, f64x2.mul(c, f64x2.promote_low_f32x4(y)))
    s3 = f64x2.add(s3, f64x2.mul(c, f64x2.promote_low_f32x4(v128.shuffle<f64>(y, y, 1, 1))))
  }
  v128.store(into + at, rounded(s0, s1))
  v128.store(into + at, rounded(s2, s3), 16)
}

@inline
function merge4(into: usize, models: usize, coefficients: usize, count: u32, at: usize): void {
  let s0 = f64x2.splat(0), s1 = s0
  for (let m: u32 = 0; m < count; m++) {
    const x = v128.load(load<usize>(models + (<usize>m << 2)) + at)
    const c = v128.load_splat<f64>(coefficients + (<usize>m << 3))
    s0 = f64x2.add(s0, f64x2.mul(c, f64x2.promote_low_f32x4(x)))
    s1 = f64x2.add(s1, f64x2.mul(c, f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1))))
  }
  v128.store(into + at, rounded(s0, s1))
}

@inline
function rounded(low: v128, high: v128): v128 {
  return v128.shuffle<f64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2)
}
