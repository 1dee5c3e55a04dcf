/** The discrete Fourier transform that convolutions need: complex, in place, of a length that is a power of two. */
import { invariant } from '../../core/errors.ts'

/**
 * Cooley and Tukey 1965, radix 2, decimation in time: `re` + i·`im` becomes its transform, Σ x[k]·exp(−2πi·jk/n) at j. The inverse is the
 * same with `re` and `im` exchanged, over n. O(n log n).
 */
export function transform(re: Float64Array, im: Float64Array): void {
  const n = re.length
  invariant(n > 0 && (n & (n - 1)) === 0 && im.length === n, `a transform of ${n} values`)
  reverseBits(re, im)
  const { cos, sin } = rootsOf(n)
  for (let half = 1; half < n; half *= 2) {
    for (let from = 0; from < n; from += 2 * half) {
      for (let k = 0; k < half; k++) {
        const c = cos[half + k] as number
        const s = sin[half + k] as number
        const i = from + k
        const j = i + half
        const a = re[j] as number
        const b = im[j] as number
        const x = a * c + b * s
        const y = b * c - a * s
        re[j] = (re[i] as number) - x
        im[j] = (im[i] as number) - y
        re[i] = (re[i] as number) + x
        im[i] = (im[i] as number) + y
      }
    }
  }
}

function reverseBits(re: Float64Array, im: Float64Array): void {
  const n = re.length
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit
    j ^= bit
    if (i >= j) continue
    const a = re[i] as number
    const b = im[i] as number
    re[i] = re[j] as number
    im[i] = im[j] as number
    re[j] = a
    im[j] = b
  }
}

/** Roots of unity stage by stage, in the order of their use: exp(πi·k/half) at half + k. Those of the last length are kept, for transforms come in threes. */
let roots = { n: 0, cos: new Float64Array(0), sin: new Float64Array(0) }

function rootsOf(n: number): { readonly cos: Float64Array; readonly sin: Float64Array } {
  if (roots.n === n) return roots
  const cos = new Float64Array(n)
  const sin = new Float64Array(n)
  for (let half = 1; half < n; half *= 2) {
    for (let k = 0; k < half; k++) {
      cos[half + k] = Math.cos((Math.PI * k) / half)
      sin[half + k] = Math.sin((Math.PI * k) / half)
    }
  }
  roots = { n, cos, sin }
  return roots
}
