/** What a model makes of four rows: hidden layers with ReLU, then the logits. */
import {
  ACTIVATIONS, HIDDEN, INPUTS, LAYER_BYTES, LAYERS, ROW_BYTES, WIDTH_BYTES, WORK, WORK_BIAS, WORK_KERNEL, ZERO_ROW,
} from '../planLayout.ts'
import { sums4 } from './math.ts'
import { pack } from './pack.ts'

/** One hidden layer: four rows of inputs at `a` … `d` to four padded rows of activations, each the bias plus products in order of inputs. */
export function dense4(plan: usize, layer: usize, a: usize, b: usize, c: usize, d: usize): void {
  const work = load<usize>(plan, WORK)
  const kernel = work + load<u32>(layer, WORK_KERNEL)
  const bias = work + load<u32>(layer, WORK_BIAS)
  const width: usize = load<u32>(layer, WIDTH_BYTES)
  const inputBytes: usize = load<u32>(layer, INPUTS) << 2
  const out = load<usize>(layer, ACTIVATIONS)
  const even = width & ~31
  let at: usize = 0
  for (; at < even; at += 32) dense4x8(kernel + at, bias + at, width, inputBytes, a, b, c, d, out + at)
  if (at < width) dense4x4(kernel + at, bias + at, width, inputBytes, a, b, c, d, out + at)
}

/** Eight outputs of four rows: their sums stay in registers. */
@inline
function dense4x8(
  kernel: usize, bias: usize, width: usize, inputBytes: usize, a: usize, b: usize, c: usize, d: usize, out: usize,
): void {
  let a0 = v128.load(bias), a1 = v128.load(bias, 16)
  let b0 = a0, b1 = a1, c0 = a0, c1 = a1, d0 = a0, d1 = a1
  for (let i: usize = 0; i < inputBytes; i += 4, kernel += width) {
    const w0 = v128.load(kernel), w1 = v128.load(kernel, 16)
    let x = v128.load_splat<f32>(a + i)
    a0 = f32x4.add(a0, f32x4.mul(x, w0))
    a1 = f32x4.add(a1, f32x4.mul(x, w1))
    x = v128.load_splat<f32>(b + i)
    b0 = f32x4.add(b0, f32x4.mul(x, w0))
    b1 = f32x4.add(b1, f32x4.mul(x, w1))
    x = v128.load_splat<f32>(c + i)
    c0 = f32x4.add(c0, f32x4.mul(x, w0))
    c1 = f32x4.add(c1, f32x4.mul(x, w1))
    x = v128.load_splat<f32>(d + i)
    d0 = f32x4.add(d0, f32x4.mul(x, w0))
    d1 = f32x4.add(d1, f32x4.mul(x, w1))
  }
  const zero = f32x4.splat(0)
  v128.store(out, f32x4.max(a0, zero))
  v128.store(out, f32x4.max(a1, zero), 16)
  v128.store(out + width, f32x4.max(b0, zero))
  v128.store(out + width, f32x4.max(b1, zero), 16)
  v128.store(out + 2 * width, f32x4.max(c0, zero))
  v128.store(out + 2 * width, f32x4.max(c1, zero), 16)
  v128.store(out + 3 * width, f32x4.max(d0, zero))
  v128.store(out + 3 * width, f32x4.max(d1, zero), 16)
}

@inline
function dense4x4(
  kernel: usize, bias: usize, width: usize, inputBytes: usize, a: usize, b: usize, c: usize, d: usize, out: usize,
): void {
  let a0 = v128.load(bias)
  let b0 = a0, c0 = a0, d0 = a0
  for (let i: usize = 0; i < inputBytes; i += 4, kernel += width) {
    const w0 = v128.load(kernel)
    a0 = f32x4.add(a0, f32x4.mul(v128.load_splat<f32>(a + i), w0))
    b0 = f32x4.add(b0, f32x4.mul(v128.load_splat<f32>(b + i), w0))
    c0 = f32x4.add(c0, f32x4.mul(v128.load_splat<f32>(c + i), w0))
    d0 = f32x4.add(d0, f32x4.mul(v128.load_splat<f32>(d + i), w0))
  }
  const zero = f32x4.splat(0)
  v128.store(out, f32x4.max(a0, zero))
  v128.store(out + width, f32x4.max(b0, zero))
  v128.store(out + 2 * width, f32x4.max(c0, zero))
  v128.store(out + 3 * width, f32x4.max(d0, zero))
}

/** The logits of four rows whose (padded) inputs to the output layer lie at `a` … `d`. */
@inline
export function logits4(plan: usize, layer: usize, a: usize, b: usize, c: usize, d: usize): v128 {
  const work = load<usize>(plan, WORK)
  const kernel = work + load<u32>(layer, WORK_KERNEL)
  const width: usize = load<u32>(layer, WIDTH_BYTES)
  let sa = f32x4.splat(0), sb = sa, sc = sa, sd = sa
  for (let i: usize = 0; i < width; i += 16) {
    const w = v128.load(kernel + i)
    sa = f32x4.add(sa, f32x4.mul(w, v128.load(a + i)))
    sb = f32x4.add(sb, f32x4.mul(w, v128.load(b + i)))
    sc = f32x4.add(sc, f32x4.mul(w, v128.load(c + i)))
    sd = f32x4.add(sd, f32x4.mul(w, v128.load(d + i)))
  }
  return f32x4.add(sums4(sa, sb, sc, sd), v128.load_splat<f32>(work + load<u32>(layer, WORK_BIAS)))
}

/** The logits of `rows` padded rows at `rowsAt` under the model in `slot`, float32 each at `out`, which has room for a multiple of four. */
export function logits(plan: usize, rowsAt: usize, rows: u32, slot: usize, out: usize): void {
  pack(plan, slot, load<usize>(plan, WORK))
  const rowBytes: usize = load<u32>(plan, ROW_BYTES)
  const hidden = load<u32>(plan, HIDDEN)
  const zero = load<usize>(plan, ZERO_ROW)
  for (let at: u32 = 0; at < rows; at += 4, rowsAt += 4 * rowBytes, out += 16) {
    let a = rowsAt
    let b = at + 1 < rows ? a + rowBytes : zero
    let c = at + 2 < rows ? a + 2 * rowBytes : zero
    let d = at + 3 < rows ? a + 3 * rowBytes : zero
    let layer = plan + LAYERS
    for (let l: u32 = 0; l < hidden; l++, layer += LAYER_BYTES) {
      dense4(plan, layer, a, b, c, d)
      const width: usize = load<u32>(layer, WIDTH_BYTES)
      a = load<usize>(layer, ACTIVATIONS)
      b = a + width
      c = b + width
      d = c + width
    }
    v128.store(out, logits4(plan, layer, a, b, c, d))
  }
}
