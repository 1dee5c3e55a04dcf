/** Noise for counts: its distribution is the one that privacy rests on. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Below, geometricNoise, MILLION } from '../../src/core/geometric.ts'
import { Rng } from '../../src/core/rng.ts'

const it = suite('geometric noise')

const below =
  (rng: Rng): Below =>
  (n) =>
    rng.below(n)

/** P(y) of the two-sided geometric distribution. */
function chance(y: number, epsilon: number): number {
  const alpha = Math.exp(-epsilon)
  return ((1 - alpha) / (1 + alpha)) * alpha ** Math.abs(y)
}

// 99.9 % points of χ²: with a pinned seed a run either always passes or never
for (const [epsilon, edge, limit] of [
  [0.2, 20, 76.1], // 42 cells
  [0.7, 6, 36.2], // 14 cells + tails
  [1, 5, 32.9],
  [3, 2, 20.5],
] as const) {
  it(`at ε = ${epsilon} as many draws fall on each number as the distribution says (χ²)`, () => {
    const rng = Rng.from('geometric', epsilon)
    const draws = 60_000
    const counts = new Map<number, number>()
    for (let i = 0; i < draws; i++) {
      const y = Math.max(-edge - 1, Math.min(edge + 1, geometricNoise(epsilon * MILLION, below(rng))))
      counts.set(y, (counts.get(y) ?? 0) + 1)
    }
    const alpha = Math.exp(-epsilon)
    const tail = alpha ** (edge + 1) / (1 + alpha)
    let chi = 0
    for (let y = -edge - 1; y <= edge + 1; y++) {
      const expected = draws * (Math.abs(y) > edge ? tail : chance(y, epsilon))
      chi += ((counts.get(y) ?? 0) - expected) ** 2 / expected
    }
    assert.ok(chi < limit, `χ² ${chi.toFixed(1)}, at most ${limit}`)
  })
}

it('draws whole numbers alone, both signs, and one zero', () => {
  const rng = Rng.from('signs')
  const drawn = Array.from({ length: 4_000 }, () => geometricNoise(700_000, below(rng)))
  assert.ok(drawn.every(Number.isSafeInteger))
  assert.not.ok(drawn.some((y) => Object.is(y, -0)))
  const [less, more] = [drawn.filter((y) => y < 0).length, drawn.filter((y) => y > 0).length]
  assert.ok(Math.abs(less - more) < 250, `${less} below, ${more} above`)
})

it('an ε that is too small, too large or no whole number of millionths is our own bug', () => {
  const rng = Rng.from('bounds')
  for (const micro of [0, 999, 10_000_001, 1_500.5, Number.NaN, -5])
    assert.throws(() => geometricNoise(micro, below(rng)), /bounds/, String(micro))
})

it.run()
