/** Adam's state of one model in the kernels' memory: made new, read, and written back. */
import { ADAM, type AdamState } from '../optimiserState.ts'
import type { Kernels } from './kernels.ts'
import type { Plan } from './plan.ts'
import { ADAM_BETA1_POWER, ADAM_BETA2_POWER, ADAM_MOMENTS, ADAM_STEPS } from './planLayout.ts'

const VANISHED = 2 ** -60 // below it 1 − βᵗ is 1 in float64, whatever βᵗ is

/** The state before the first step; nothing where the plan says SGD. `state` is a pointer to the plan's `adamBytes`. */
export function resetAdam(kernels: Kernels, plan: Plan, state: number): void {
  if (plan.adamBytes === 0) return
  kernels.run.clear(state, plan.adamBytes)
  kernels.f64[(state + ADAM_BETA1_POWER) / 8] = 1
  kernels.f64[(state + ADAM_BETA2_POWER) / 8] = 1
}

/** Writes a state that `readAdam` gave, at this or another node. */
export function writeAdam(kernels: Kernels, plan: Plan, state: number, { steps, moments }: AdamState): void {
  resetAdam(kernels, plan, state)
  kernels.f64[(state + ADAM_BETA1_POWER) / 8] = power(ADAM.beta1, steps)
  kernels.f64[(state + ADAM_BETA2_POWER) / 8] = power(ADAM.beta2, steps)
  kernels.u32[(state + ADAM_STEPS) / 4] = steps
  const count = plan.shared + plan.head
  for (const half of [0, 1]) {
    kernels.f32.set(moments.subarray(half * count, (half + 1) * count), plan.spareSlot / 4)
    kernels.run.pack(plan.pointer, plan.spareSlot, state + ADAM_MOMENTS + half * plan.workBytes)
  }
}

/** A copy of the state, without padding. */
export function readAdam(kernels: Kernels, plan: Plan, state: number): AdamState {
  const count = plan.shared + plan.head
  const moments = new Float32Array(2 * count)
  for (const half of [0, 1]) {
    kernels.run.unpack(plan.pointer, state + ADAM_MOMENTS + half * plan.workBytes, plan.spareSlot)
    moments.set(kernels.f32.subarray(plan.spareSlot / 4, plan.spareSlot / 4 + count), half * count)
  }
  return { steps: kernels.u32[(state + ADAM_STEPS) / 4] as number, moments }
}

/** βᵗ as the kernels come to it, product by product. */
function power(base: number, steps: number): number {
  let product = 1
  for (let t = 0; t < steps && product > VANISHED; t++) product *= base
  return product
}
