/** edwards25519 in affine big integers: slow, short, and independent of what is tested. */
import { createHash } from 'node:crypto'
import { fromHex } from '../../src/core/bytes.ts'

export const P = 2n ** 255n - 19n
export const L = 2n ** 252n + 27742317777372353535851937790883648493n
const mod = (a: bigint): bigint => ((a % P) + P) % P
const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) if (e & 1n) result = mod(result * b)
  return result
}
/** By Euclid: much faster than a power. */
const inverse = (a: bigint): bigint => {
  let [old, rest, x, next] = [P, mod(a), 0n, 1n]
  while (rest !== 0n) {
    const q = old / rest
    ;[old, rest, x, next] = [rest, old - q * rest, next, x - q * next]
  }
  return mod(x)
}
const D = mod(-121665n * inverse(121666n))

export type Point = readonly [x: bigint, y: bigint]

export const ZERO: Point = [0n, 1n]
export const add = ([x1, y1]: Point, [x2, y2]: Point): Point => {
  const k = mod(D * x1 * x2 * y1 * y2)
  return [mod((x1 * y2 + x2 * y1) * inverse(1n + k)), mod((y1 * y2 + x1 * x2) * inverse(1n - k))]
}
export const negative = ([x, y]: Point): Point => [mod(-x), y]
export const isSame = (a: Point, b: Point): boolean => a[0] === b[0] && a[1] === b[1]
export const times = (n: bigint, point: Point): Point => {
  let sum = ZERO
  for (let p = point, e = n; e > 0n; e >>= 1n, p = add(p, p)) if (e & 1n) sum = add(sum, p)
  return sum
}

/** The even-x point with this y; null where there is none. */
export function pointAt(y: bigint): Point | null {
  const square = mod((y * y - 1n) * inverse(D * y * y + 1n))
  let x = power(square, (P + 3n) / 8n)
  if (mod(x * x) !== square) x = mod(x * power(2n, (P - 1n) / 4n))
  if (mod(x * x) !== square) return null
  return [x % 2n === 0n ? x : mod(-x), mod(y)]
}

/** The base point: y = 4/5, x even (RFC 8032 §5.1). */
export const BASE = pointAt(mod(4n * inverse(5n))) as Point

export const littleEndian = (n: bigint): Uint8Array => fromHex(n.toString(16).padStart(64, '0')).reverse()
export const fromLittleEndian = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
export const withSign = (y: bigint, sign: number): Uint8Array => {
  const bytes = littleEndian(y)
  bytes[31] = (bytes[31] as number) | (sign << 7)
  return bytes
}
/** The canonical 32 bytes. */
export const encode = ([x, y]: Point): Uint8Array => withSign(y, Number(x % 2n))

/** All points whose order divides 8, as multiples of one of order 8: L times any point of the curve, until such a one is met. */
export function smallOrderPoints(): Point[] {
  for (let y = 2n; ; y++) {
    const point = pointAt(y)
    if (point === null) continue
    const torsion = times(L, point)
    if (times(4n, torsion)[1] === 1n) continue
    return Array.from({ length: 8 }, (_, i) => times(BigInt(i), torsion))
  }
}

/** k of RFC 8032 §5.1.7: SHA-512 of R, A and the message as they are given, modulo L. */
export function challenge(r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint {
  return fromLittleEndian(createHash('sha512').update(r).update(a).update(message).digest()) % L
}
