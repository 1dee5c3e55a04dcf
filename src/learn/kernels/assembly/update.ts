/** One step of an optimiser along the gradient that lies in the plan, penalty included: l2 · kernel is added to a kernel's gradient. */
import {
  ADAM_BETA1_POWER, ADAM_BETA2_POWER, ADAM_MOMENTS, ADAM_STEPS, ANCHOR, DRIFT, GRADIENT, HIDDEN, L2, LAYER_BYTES, LAYERS, LEARNING_RATE,
  PULL_STRENGTH, STEERED_BYTES, WORK, WORK_BIAS, WORK_BYTES, WORK_KERNEL,
} from '../planLayout.ts'

const BETA1: f64 = 0.9 // Kingma and Ba 2015, their defaults
const BETA2: f64 = 0.999
const EPSILON: f32 = 1e-7 // as the learner in TensorFlow.js has it

/** gradient ← gradient + strength · (w − anchor) + drift, of the parameters that travel; nothing where the plan has neither. */
export function steer(plan: usize): void {
  const strength = load<f32>(plan, PULL_STRENGTH)
  const drift = load<usize>(plan, DRIFT)
  if (strength == 0 && drift == 0) return
  const work = load<usize>(plan, WORK)
  const gradient = load<usize>(plan, GRADIENT)
  const anchor = load<usize>(plan, ANCHOR)
  const end: usize = load<u32>(plan, STEERED_BYTES)
  if (strength != 0) {
    const s = f32x4.splat(strength)
    for (let at: usize = 0; at < end; at += 16) {
      const away = f32x4.sub(v128.load(work + at), v128.load(anchor + at))
      v128.store(gradient + at, f32x4.add(v128.load(gradient + at), f32x4.mul(away, s)))
    }
  }
  if (drift == 0) return
  for (let at: usize = 0; at < end; at += 16)
    v128.store(gradient + at, f32x4.add(v128.load(gradient + at), v128.load(drift + at)))
}

/** w ← w − rate · (gradient + l2 · w); biases without the penalty. The gradient is cleared for the next batch. */
export function sgd(plan: usize): void {
  const work = load<usize>(plan, WORK)
  const gradient = load<usize>(plan, GRADIENT)
  const rate = v128.load_splat<f32>(plan, LEARNING_RATE)
  const l2 = v128.load_splat<f32>(plan, L2)
  const none = f32x4.splat(0)
  const layers = load<u32>(plan, HIDDEN) + 1
  let at: usize = 0
  for (let l: u32 = 0, layer = plan + LAYERS; l < layers; l++, layer += LAYER_BYTES) {
    const bias: usize = load<u32>(layer, WORK_BIAS)
    const end: usize = l + 1 < layers ? load<u32>(layer + LAYER_BYTES, WORK_KERNEL) : load<u32>(plan, WORK_BYTES)
    for (; at < bias; at += 16) {
      const w = v128.load(work + at)
      const g = f32x4.add(v128.load(gradient + at), f32x4.mul(w, l2))
      v128.store(gradient + at, none)
      v128.store(work + at, f32x4.sub(w, f32x4.mul(g, rate)))
    }
    for (; at < end; at += 16) {
      const g = v128.load(gradient + at)
      v128.store(gradient + at, none)
      v128.store(work + at, f32x4.sub(v128.load(work + at), f32x4.mul(g, rate)))
    }
  }
}

/** Kingma and Ba 2015, Alg. 1, with its state at `state`; the powers of β₁ and β₂ are running products. Clears the gradient. */
export function adam(plan: usize, state: usize): void {
  const power1 = load<f64>(state, ADAM_BETA1_POWER) * BETA1
  const power2 = load<f64>(state, ADAM_BETA2_POWER) * BETA2
  store<f64>(state, power1, ADAM_BETA1_POWER)
  store<f64>(state, power2, ADAM_BETA2_POWER)
  store<u32>(state, load<u32>(state, ADAM_STEPS) + 1, ADAM_STEPS)
  const rate = f32x4.splat(<f32>(<f64>load<f32>(plan, LEARNING_RATE) / (1 - power1)))
  const correction2 = f32x4.splat(<f32>(1 / (1 - power2)))
  const l2 = v128.load_splat<f32>(plan, L2)
  const layers = load<u32>(plan, HIDDEN) + 1
  let at: usize = 0
  for (let l: u32 = 0, layer = plan + LAYERS; l < layers; l++, layer += LAYER_BYTES) {
    const bias: usize = load<u32>(layer, WORK_BIAS)
    const end: usize = l + 1 < layers ? load<u32>(layer + LAYER_BYTES, WORK_KERNEL) : load<u32>(plan, WORK_BYTES)
    adamPart(plan, state, at, bias, l2, rate, correction2)
    adamPart(plan, state, bias, end, f32x4.splat(0), rate, correction2)
    at = end
  }
}

function adamPart(plan: usize, state: usize, from: usize, to: usize, l2: v128, rate: v128, correction2: v128): void {
  const work = load<usize>(plan, WORK)
  const gradient = load<usize>(plan, GRADIENT)
  const first = state + ADAM_MOMENTS
  const second = first + load<u32>(plan, WORK_BYTES)
  const beta1 = f32x4.splat(<f32>BETA1), rest1 = f32x4.splat(<f32>(1 - BETA1))
  const beta2 = f32x4.splat(<f32>BETA2), rest2 = f32x4.splat(<f32>(1 - BETA2))
  const epsilon = f32x4.splat(EPSILON)
  for (let at = from; at < to; at += 16) {
    const w = v128.load(work + at)
    const g = f32x4.add(v128.load(gradient + at), f32x4.mul(w, l2))
    const m = f32x4.add(f32x4.mul(v128.load(first + at), beta1), f32x4.mul(g, rest1))
    const v = f32x4.add(f32x4.mul(v128.load(second + at), beta2), f32x4.mul(f32x4.mul(g, g), rest2))
    const length = f32x4.add(f32x4.sqrt(f32x4.mul(v, correction2)), epsilon)
    v128.store(gradient + at, f32x4.splat(0))
    v128.store(first + at, m)
    v128.store(second + at, v)
    v128.store(work + at, f32x4.sub(w, f32x4.mul(rate, f32x4.div(m, length))))
  }
}
