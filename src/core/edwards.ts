/**
 * Whether a point of edwards25519 lies in the group of prime order: what node:crypto does not tell. In big integers, so it takes
 * milliseconds and is for public bytes alone: for checking a key once, never for signing.
 */

const P = (1n << 255n) - 19n
const ORDER = (1n << 252n) + 27742317777372353535851937790883648493n // L of RFC 8032 §5.1
const D = mod(-121665n * power(121666n, P - 2n))
const SQRT_MINUS_1 = power(2n, (P - 1n) / 4n)

/** (X : Y : Z : T) with x = X/Z, y = Y/Z, xy = T/Z (Hisil et al. 2008). */
type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint]

/**
 * Whether 32 bytes encode a point A with [L]A = 0. False for what is no point. The sign bit makes no difference, for A and −A have one
 * order; whether y is canonical is for the caller to check.
 */
export function isTorsionFree(encoded: Uint8Array): boolean {
  const point = pointOf(encoded)
  if (point === null) return false
  const [x, y, z] = times(ORDER, point)
  return x === 0n && y === z
}

/** One of the two points with this y (RFC 8032 §5.1.3), or null where there is none. */
function pointOf(encoded: Uint8Array): Point | null {
  let y = 0n
  for (let i = 31; i >= 0; i--) y = (y << 8n) | BigInt(encoded[i] as number)
  y = mod(y & ((1n << 255n) - 1n))
  const u = mod(y * y - 1n)
  const v = mod(D * y * y + 1n)
  const [v3, v7] = [mod(v * v * v), mod(mod(v * v * v) * mod(v * v * v) * v)]
  let x = mod(u * v3 * power(u * v7, (P - 5n) / 8n))
  if (mod(v * x * x) === mod(-u)) x = mod(x * SQRT_MINUS_1)
  return mod(v * x * x) === u ? [x, y, 1n, mod(x * y)] : null
}

/** RFC 8032 §5.1.4; complete, so it doubles as well. */
function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = (y1 - x1) * (y2 - x2)
  const b = (y1 + x1) * (y2 + x2)
  const c = 2n * D * mod(t1 * t2)
  const d = 2n * z1 * z2
  const [e, f, g, h] = [mod(b - a), mod(d - c), mod(d + c), mod(b + a)]
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)]
}

function times(n: bigint, point: Point): Point {
  let sum: Point = [0n, 1n, 1n, 0n]
  for (let left = n, double = point; left > 0n; left >>= 1n, double = add(double, double))
    if (left & 1n) sum = add(sum, double)
  return sum
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let left = exponent, square = mod(base); left > 0n; left >>= 1n, square = mod(square * square))
    if (left & 1n) result = mod(result * square)
  return result
}

function mod(a: bigint): bigint {
  const rest = a % P
  return rest < 0n ? rest + P : rest
}
