/** What can be said about models: content digests, distances, sums of squares, losses; and copies. */
import { exp4, log1p4, logLoss4, odds4, sigmoid4 } from './math.ts'

const ODD_A: u64 = 0xd6e8feb86659fd93 // odd, with about as many ones as zeros: multiplying by it loses nothing and spreads low bits upwards
const ODD_B: u64 = 0xa0761d6478bd642f

/**
 * A 64-bit digest of `floats` float32 at `at`; not for security. Each word is taken in by steps that can be undone, so two contents of equal length
 * that differ in one 64-bit word have different digests, always. Writes the 64 bits at `out`; returns the upper 53 as a number, which differ but for
 * one chance in 2⁵³.
 */
export function digest(at: usize, floats: u32, out: usize): f64 {
  let a: u64 = ODD_A ^ <u64>floats
  let b: u64 = ODD_B
  let c: u64 = ~ODD_A
  let d: u64 = ~ODD_B
  const blocks = at + (<usize>(floats >> 3) << 5)
  for (; at < blocks; at += 32) {
    a = taken(a, load<u64>(at))
    b = taken(b, load<u64>(at, 8))
    c = taken(c, load<u64>(at, 16))
    d = taken(d, load<u64>(at, 24))
  }
  const pairs = at + (<usize>((floats & 7) >> 1) << 3)
  for (; at < pairs; at += 8) a = taken(a, load<u64>(at))
  if (floats & 1) b = taken(b, <u64>load<u32>(at))
  const h = taken(taken(taken(taken(ODD_B, a), b), c), d)
  store<u64>(out, h)
  return <f64>(h >> 11)
}

/** Two multiplications: after one, a word's highest bit (a float's sign) would have changed one bit alone, and the next word could undo it. */
@inline
function taken(state: u64, word: u64): u64 {
  let x = (state ^ word) * ODD_A
  x = (x ^ (x >> 29)) * ODD_B
  return x ^ (x >> 32)
}

/** Σ (a[i] − b[i])² over `floats` float32, in float64. */
export function squaredDistance(a: usize, b: usize, floats: u32): f64 {
  let even = f64x2.splat(0), odd = even
  const end = a + (<usize>(floats >> 2) << 4)
  for (; a < end; a += 16, b += 16) {
    const x = v128.load(a), y = v128.load(b)
    const low = f64x2.sub(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(y))
    const high = f64x2.sub(
      f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1)), f64x2.promote_low_f32x4(v128.shuffle<f64>(y, y, 1, 1)),
    )
    even = f64x2.add(even, f64x2.mul(low, low))
    odd = f64x2.add(odd, f64x2.mul(high, high))
  }
  const both = f64x2.add(even, odd)
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1)
  for (let i: u32 = 0; i < (floats & 3); i++, a += 4, b += 4) {
    const difference = <f64>load<f32>(a) - <f64>load<f32>(b)
    sum += difference * difference
  }
  return sum
}

/** Σ a[i]² over `floats` float32, in float64, where no finite float32 overflows: it is finite exactly when all of them are. */
export function sumOfSquares(at: usize, floats: u32): f64 {
  let sums = f64x2.splat(0)
  const end = at + (<usize>(floats >> 2) << 4)
  for (; at < end; at += 16) {
    const x = v128.load(at)
    const low = f64x2.promote_low_f32x4(x)
    const high = f64x2.promote_low_f32x4(v128.shuffle<f64>(x, x, 1, 1))
    sums = f64x2.add(sums, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)))
  }
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)
  for (let i: u32 = 0; i < (floats & 3); i++, at += 4) sum += <f64>load<f32>(at) * <f64>load<f32>(at)
  return sum
}

/** The mean log-loss, in nats, of `count` float32 logits at `at` against labels u8 at `labels`. */
export function logLoss(at: usize, labels: usize, count: u32): f64 {
  let sum: f64 = 0
  for (let i: u32 = 0; i < count; i++) {
    const z = v128.load_splat<f32>(at + (<usize>i << 2))
    const y = f32x4.splat(<f32>load<u8>(labels + i))
    sum += <f64>f32x4.extract_lane(logLoss4(z, odds4(z), y), 0)
  }
  return sum / <f64>count
}

/** Copies `bytes` bytes, a multiple of 16. */
export function copy(from: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, v128.load(from + i))
}

/** Sets `bytes` bytes, a multiple of 16, to 0. */
export function clear(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes)
}

/** Turns 0 into 1 and 1 into 0: `count` labels from `from` to `to`. */
export function flip(from: usize, to: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u8>(to + i, 1 - load<u8>(from + i))
}

/** In place, four float32 at a time (`count` is a multiple of four): e^x, log(1 + x) for 0 ≤ x ≤ 1, 1 / (1 + e^−x). For the tests. */
export function elementwise(kind: u32, at: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i += 4, at += 16) {
    const x = v128.load(at)
    if (kind == 0) v128.store(at, exp4(x))
    else if (kind == 1) v128.store(at, log1p4(x))
    else v128.store(at, sigmoid4(x, odds4(x)))
  }
}
