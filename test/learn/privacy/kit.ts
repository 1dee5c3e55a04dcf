/** Chance that repeats, and what a statistical test asks of samples. */
import { Rng } from '../../../src/core/rng.ts'
import { Chance, type Fill } from '../../../src/learn/privacy/chance.ts'
import { upperTail } from '../../../src/learn/privacy/normal.ts'

/** Bits of a seed, in place of the system's. */
export function seededFill(...seed: (string | number)[]): Fill {
  const rng = Rng.from('privacy-test', ...seed)
  return (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at + 4 <= bytes.length; at += 4) view.setUint32(at, rng.u32())
  }
}

export const seeded = (...seed: (string | number)[]): Chance => new Chance(seededFill(...seed))

/** How many of its own deviations the sum of squares is away from that of so many normal values of this deviation (χ², large n). */
export function deviationScore(values: ArrayLike<number>, deviation: number): number {
  let squares = 0
  for (let i = 0; i < values.length; i++) squares += ((values[i] as number) / deviation) ** 2
  return (squares - values.length) / Math.sqrt(2 * values.length)
}

/** Kolmogorov and Smirnov's √n·D against the normal distribution; above 1.95 has a chance of one in a thousand. */
export function normalScore(values: readonly number[], deviation: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  let apart = 0
  sorted.forEach((value, i) => {
    const below = 1 - upperTail(value / deviation)
    apart = Math.max(apart, Math.abs(below - i / sorted.length), Math.abs(below - (i + 1) / sorted.length))
  })
  return apart * Math.sqrt(sorted.length)
}
