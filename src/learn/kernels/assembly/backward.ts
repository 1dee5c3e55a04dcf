/** How the loss of four rows changes with the parameters: gradients are added to what lies in the plan's gradient. */
import {
  ACTIVATIONS, DELTAS, GRADIENT, INPUTS, WIDTH_BYTES, WORK, WORK_BIAS, WORK_KERNEL,
} from '../planLayout.ts'
import { sums4 } from './math.ts'

/** The output layer: `errors` are the derivatives of the loss by the four logits. */
@inline
export function outputGradient4(plan: usize, layer: usize, errors: v128, a: usize, b: usize, c: usize, d: usize): void {
  const gradient = load<usize>(plan, GRADIENT)
  const kernel = gradient + load<u32>(layer, WORK_KERNEL)
  const bias = gradient + load<u32>(layer, WORK_BIAS)
  const width: usize = load<u32>(layer, WIDTH_BYTES)
  const ea = v128.shuffle<f32>(errors, errors, 0, 0, 0, 0)
  const eb = v128.shuffle<f32>(errors, errors, 1, 1, 1, 1)
  const ec = v128.shuffle<f32>(errors, errors, 2, 2, 2, 2)
  const ed = v128.shuffle<f32>(errors, errors, 3, 3, 3, 3)
  for (let i: usize = 0; i < width; i += 16) {
    const ab = f32x4.add(f32x4.mul(ea, v128.load(a + i)), f32x4.mul(eb, v128.load(b + i)))
    const cd = f32x4.add(f32x4.mul(ec, v128.load(c + i)), f32x4.mul(ed, v128.load(d + i)))
    v128.store(kernel + i, f32x4.add(v128.load(kernel + i), f32x4.add(ab, cd)))
  }
  const sum = f32x4.extract_lane(f32x4.add(f32x4.add(ea, eb), f32x4.add(ec, ed)), 0)
  store<f32>(bias, load<f32>(bias) + sum)
}

/** The derivatives at the last hidden layer `below`, from the four errors and the output layer's kernel; 0 where the ReLU is shut. */
export function deltasFromErrors4(plan: usize, output: usize, below: usize, errors: v128): void {
  const kernel = load<usize>(plan, WORK) + load<u32>(output, WORK_KERNEL)
  const width: usize = load<u32>(below, WIDTH_BYTES)
  const activations = load<usize>(below, ACTIVATIONS)
  const deltas = load<usize>(below, DELTAS)
  const ea = v128.shuffle<f32>(errors, errors, 0, 0, 0, 0)
  const eb = v128.shuffle<f32>(errors, errors, 1, 1, 1, 1)
  const ec = v128.shuffle<f32>(errors, errors, 2, 2, 2, 2)
  const ed = v128.shuffle<f32>(errors, errors, 3, 3, 3, 3)
  for (let j: usize = 0; j < width; j += 16) {
    const w = v128.load(kernel + j)
    storeOpen(deltas + j, f32x4.mul(ea, w), activations + j)
    storeOpen(deltas + width + j, f32x4.mul(eb, w), activations + width + j)
    storeOpen(deltas + 2 * width + j, f32x4.mul(ec, w), activations + 2 * width + j)
    storeOpen(deltas + 3 * width + j, f32x4.mul(ed, w), activations + 3 * width + j)
  }
}

@inline
function storeOpen(to: usize, value: v128, activation: usize): void {
  v128.store(to, v128.and(value, f32x4.gt(v128.load(activation), f32x4.splat(0))))
}

/** The derivatives at hidden layer `below`, from those of hidden layer `layer` above it. */
export function deltasFromAbove4(plan: usize, layer: usize, below: usize): void {
  const width: usize = load<u32>(layer, WIDTH_BYTES)
  const from = load<usize>(layer, DELTAS)
  const inputs = load<u32>(layer, INPUTS)
  const belowWidth: usize = load<u32>(below, WIDTH_BYTES)
  let kernel = load<usize>(plan, WORK) + load<u32>(layer, WORK_KERNEL)
  let to = load<usize>(below, DELTAS)
  let activation = load<usize>(below, ACTIVATIONS)
  for (let i: u32 = 0; i < inputs; i++, kernel += width, to += 4, activation += 4) {
    let sa = f32x4.splat(0), sb = sa, sc = sa, sd = sa
    for (let j: usize = 0; j < width; j += 16) {
      const w = v128.load(kernel + j)
      sa = f32x4.add(sa, f32x4.mul(w, v128.load(from + j)))
      sb = f32x4.add(sb, f32x4.mul(w, v128.load(from + width + j)))
      sc = f32x4.add(sc, f32x4.mul(w, v128.load(from + 2 * width + j)))
      sd = f32x4.add(sd, f32x4.mul(w, v128.load(from + 3 * width + j)))
    }
    const sums = sums4(sa, sb, sc, sd)
    storeOpen1(to, f32x4.extract_lane(sums, 0), activation)
    storeOpen1(to + belowWidth, f32x4.extract_lane(sums, 1), activation + belowWidth)
    storeOpen1(to + 2 * belowWidth, f32x4.extract_lane(sums, 2), activation + 2 * belowWidth)
    storeOpen1(to + 3 * belowWidth, f32x4.extract_lane(sums, 3), activation + 3 * belowWidth)
  }
}

@inline
function storeOpen1(to: usize, value: f32, activation: usize): void {
  store<f32>(to, load<f32>(activation) > 0 ? value : 0)
}

/** A hidden layer's kernel and bias, from its derivatives and its four rows of inputs at `a` … `d`. */
export function hiddenGradient4(plan: usize, layer: usize, a: usize, b: usize, c: usize, d: usize): void {
  const gradient = load<usize>(plan, GRADIENT)
  const kernel = gradient + load<u32>(layer, WORK_KERNEL)
  const bias = gradient + load<u32>(layer, WORK_BIAS)
  const width: usize = load<u32>(layer, WIDTH_BYTES)
  const inputBytes: usize = load<u32>(layer, INPUTS) << 2
  const deltas = load<usize>(layer, DELTAS)
  const even = width & ~31
  let at: usize = 0
  for (; at < even; at += 32) gradient4x8(kernel + at, bias + at, deltas + at, width, inputBytes, a, b, c, d)
  if (at < width) gradient4x4(kernel + at, bias + at, deltas + at, width, inputBytes, a, b, c, d)
}

/** Eight outputs: the derivatives of four rows stay in registers. */
@inline
function gradient4x8(
  kernel: usize, bias: usize, deltas: usize, width: usize, inputBytes: usize, a: usize, b: usize, c: usize, d: usize,
): void {
  const a0 = v128.load(deltas), a1 = v128.load(deltas, 16)
  const b0 = v128.load(deltas + width), b1 = v128.load(deltas + width, 16)
  const c0 = v128.load(deltas + 2 * width), c1 = v128.load(deltas + 2 * width, 16)
  const d0 = v128.load(deltas + 3 * width), d1 = v128.load(deltas + 3 * width, 16)
  for (let i: usize = 0; i < inputBytes; i += 4, kernel += width) {
    const xa = v128.load_splat<f32>(a + i), xb = v128.load_splat<f32>(b + i)
    const ab0 = f32x4.add(f32x4.mul(xa, a0), f32x4.mul(xb, b0))
    const ab1 = f32x4.add(f32x4.mul(xa, a1), f32x4.mul(xb, b1))
    const xc = v128.load_splat<f32>(c + i), xd = v128.load_splat<f32>(d + i)
    const cd0 = f32x4.add(f32x4.mul(xc, c0), f32x4.mul(xd, d0))
    const cd1 = f32x4.add(f32x4.mul(xc, c1), f32x4.mul(xd, d1))
    v128.store(kernel, f32x4.add(v128.load(kernel), f32x4.add(ab0, cd0)))
    v128.store(kernel, f32x4.add(v128.load(kernel, 16), f32x4.add(ab1, cd1)), 16)
  }
  v128.store(bias, f32x4.add(v128.load(bias), f32x4.add(f32x4.add(a0, b0), f32x4.add(c0, d0))))
  v128.store(bias, f32x4.add(v128.load(bias, 16), f32x4.add(f32x4.add(a1, b1), f32x4.add(c1, d1))), 16)
}

@inline
function gradient4x4(
  kernel: usize, bias: usize, deltas: usize, width: usize, inputBytes: usize, a: usize, b: usize, c: usize, d: usize,
): void {
  const a0 = v128.load(deltas)
  const b0 = v128.load(deltas + width)
  const c0 = v128.load(deltas + 2 * width)
  const d0 = v128.load(deltas + 3 * width)
  for (let i: usize = 0; i < inputBytes; i += 4, kernel += width) {
    const ab = f32x4.add(f32x4.mul(v128.load_splat<f32>(a + i), a0), f32x4.mul(v128.load_splat<f32>(b + i), b0))
    const cd = f32x4.add(f32x4.mul(v128.load_splat<f32>(c + i), c0), f32x4.mul(v128.load_splat<f32>(d + i), d0))
    v128.store(kernel, f32x4.add(v128.load(kernel), f32x4.add(ab, cd)))
  }
  v128.store(bias, f32x4.add(v128.load(bias), f32x4.add(f32x4.add(a0, b0), f32x4.add(c0, d0))))
}
