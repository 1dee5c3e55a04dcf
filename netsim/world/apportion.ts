/** Whole numbers in proportion to weights. */

/**
 * Whole parts of `total` in proportion to `weights` (0 or more, not all 0), each at least `least`, by largest remainder; the earlier one
 * wins a tie. `total` is at least `least` × parts.
 */
export function apportion(total: number, weights: ArrayLike<number>, least = 0): Uint32Array {
  const parts = new Uint32Array(weights.length).fill(least)
  const free = total - least * weights.length
  let sum = 0
  for (let i = 0; i < weights.length; i++) sum += weights[i] as number
  const remainders = new Float64Array(weights.length)
  let left = free
  for (let i = 0; i < weights.length; i++) {
    const exact = (free * (weights[i] as number)) / sum
    const whole = Math.min(Math.floor(exact), left)
    parts[i] = (parts[i] as number) + whole
    remainders[i] = exact - whole
    left -= whole
  }
  if (left === 0) return parts
  const order = Uint32Array.from(weights, (_, i) => i)
  order.sort((a, b) => (remainders[b] as number) - (remainders[a] as number) || a - b)
  for (let i = 0; left > 0; i = (i + 1) % order.length, left--) {
    const part = order[i] as number
    parts[part] = (parts[part] as number) + 1
  }
  return parts
}
