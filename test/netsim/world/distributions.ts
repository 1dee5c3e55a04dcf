/** Limits of statistical tests, in numbers. */

/** Kolmogorov's distance between draws and a distribution, times √draws: above 2.23 with a chance of 1 in 10,000. */
export function kolmogorov(draws: readonly number[], shareBelow: (x: number) => number): number {
  const sorted = Float64Array.from(draws).sort()
  let most = 0
  for (const [i, value] of sorted.entries()) {
    const share = shareBelow(value)
    most = Math.max(most, Math.abs(share - i / sorted.length), Math.abs(share - (i + 1) / sorted.length))
  }
  return most * Math.sqrt(sorted.length)
}

export const KOLMOGOROV_MAX = 2.23

/** Mean and population variance. */
export function momentsOf(draws: readonly number[]): { mean: number; variance: number } {
  const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length
  return { mean, variance: draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length }
}

export function draw(count: number, next: () => number): number[] {
  return Array.from({ length: count }, next)
}

/** Whether a mean of `count` draws lies within 4 of its own deviations of what is expected. */
export function near(mean: number, expected: number, deviation: number, count: number): boolean {
  return Math.abs(mean - expected) <= (4 * deviation) / Math.sqrt(count)
}
