/** What robust merge rules do to blocks of models: rows of float32, `stride` bytes apart, of which `bytes` (a multiple of 16) count. */

/**
 * sums[i · n + j] += Σ (row i − row j)² for j < i, as `squaredDistances` of learn/merge does it: differences, squares and four sums modulo 4
 * in float32, then (0 + 2) + (1 + 3) in float64.
 */
export function addSquaredDistances(rows: usize, n: u32, stride: usize, bytes: usize, sums: usize): void {
  for (let i: u32 = 1; i < n; i++) {
    const a = rows + <usize>i * stride
    let j: u32 = 0
    for (; j + 4 <= i; j += 4) { // four at a time: sums that do not wait for each other
      const b = rows + <usize>j * stride
      const c = b + stride, d = c + stride, e = d + stride
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0
      for (let at: usize = 0; at < bytes; at += 16) {
        const x = v128.load(a + at)
        const d0 = f32x4.sub(x, v128.load(b + at))
        const d1 = f32x4.sub(x, v128.load(c + at))
        const d2 = f32x4.sub(x, v128.load(d + at))
        const d3 = f32x4.sub(x, v128.load(e + at))
        s0 = f32x4.add(s0, f32x4.mul(d0, d0))
        s1 = f32x4.add(s1, f32x4.mul(d1, d1))
        s2 = f32x4.add(s2, f32x4.mul(d2, d2))
        s3 = f32x4.add(s3, f32x4.mul(d3, d3))
      }
      const to = sums + ((<usize>i * n + j) << 3)
      addSum(to, s0)
      addSum(to + 8, s1)
      addSum(to + 16, s2)
      addSum(to + 24, s3)
    }
    for (; j < i; j++) {
      const b = rows + <usize>j * stride
      let s0 = f32x4.splat(0)
      for (let at: usize = 0; at < bytes; at += 16) {
        const d0 = f32x4.sub(v128.load(a + at), v128.load(b + at))
        s0 = f32x4.add(s0, f32x4.mul(d0, d0))
      }
      addSum(sums + ((<usize>i * n + j) << 3), s0)
    }
  }
}

@inline
function addSum(to: usize, four: v128): void {
  const both = f64x2.add(f64x2.promote_low_f32x4(four), f64x2.promote_low_f32x4(v128.shuffle<f64>(four, four, 1, 1)))
  store<f64>(to, load<f64>(to) + (f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1)))
}

/** Rows of float64 at `wide`, twice as far apart, of the same values. */
export function widenRows(rows: usize, n: u32, stride: usize, bytes: usize, wide: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const from = rows + <usize>i * stride
    const to = wide + <usize>i * (stride << 1)
    for (let at: usize = 0; at < bytes; at += 16) {
      const x = v128.load(from + at)
      v128.store(to + (at << 1), f64x2.promote_low_f32x4(x))
      v128.store(to + (at << 1), f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1)), 16)
    }
  }
}

/**
 * Row m of `out` is the mean of the rows of `wide` that are listed at `lists`, `count` u32 for each of n rows: added in that order from +0 in
 * float64, divided, rounded. `stride` is that of `out`; `bytes` a multiple of 64, up to which whatever lies there may be read and written.
 */
export function mixRows(wide: usize, n: u32, stride: usize, lists: usize, count: u32, out: usize, bytes: usize): void {
  const divisor = f64x2.splat(<f64>count)
  for (let m: u32 = 0; m < n; m++) {
    const list = lists + ((<usize>m * count) << 2)
    const to = out + <usize>m * stride
    for (let at: usize = 0; at < bytes; at += 64) { // eight sums that do not wait for each other
      let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0
      for (let k: u32 = 0; k < count; k++) {
        const from = wide + <usize>load<u32>(list + (<usize>k << 2)) * (stride << 1) + (at << 1)
        s0 = f64x2.add(s0, v128.load(from))
        s1 = f64x2.add(s1, v128.load(from, 16))
        s2 = f64x2.add(s2, v128.load(from, 32))
        s3 = f64x2.add(s3, v128.load(from, 48))
        s4 = f64x2.add(s4, v128.load(from, 64))
        s5 = f64x2.add(s5, v128.load(from, 80))
        s6 = f64x2.add(s6, v128.load(from, 96))
        s7 = f64x2.add(s7, v128.load(from, 112))
      }
      v128.store(to + at, rounded(f64x2.div(s0, divisor), f64x2.div(s1, divisor)))
      v128.store(to + at, rounded(f64x2.div(s2, divisor), f64x2.div(s3, divisor)), 16)
      v128.store(to + at, rounded(f64x2.div(s4, divisor), f64x2.div(s5, divisor)), 32)
      v128.store(to + at, rounded(f64x2.div(s6, divisor), f64x2.div(s7, divisor)), 48)
    }
  }
}

/** Compares and exchanges pairs of rows, column by column: `pairs` holds `count` times two u32, where the lower value goes and where the higher. */
export function exchangeRows(rows: usize, stride: usize, pairs: usize, count: u32, bytes: usize): void {
  for (let c: u32 = 0; c < count; c++) {
    const low = rows + <usize>load<u32>(pairs + (<usize>c << 3)) * stride
    const high = rows + <usize>load<u32>(pairs + (<usize>c << 3), 4) * stride
    for (let at: usize = 0; at < bytes; at += 16) {
      const a = v128.load(low + at), b = v128.load(high + at)
      v128.store(low + at, f32x4.pmin(a, b))
      v128.store(high + at, f32x4.pmax(a, b))
    }
  }
}

/** out = the mean of rows `first` to `last`, the last one not among them: added in this order from +0 in float64, divided, rounded. */
export function meanOfRows(rows: usize, stride: usize, first: u32, last: u32, out: usize, bytes: usize): void {
  const divisor = f64x2.splat(<f64>(last - first))
  for (let at: usize = 0; at < bytes; at += 16) {
    let s0 = f64x2.splat(0), s1 = s0
    for (let m = first; m < last; m++) {
      const x = v128.load(rows + <usize>m * stride + at)
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(x))
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1)))
    }
    v128.store(out + at, rounded(f64x2.div(s0, divisor), f64x2.div(s1, divisor)))
  }
}

@inline
function rounded(low: v128, high: v128): v128 {
  return v128.shuffle<f64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2)
}
