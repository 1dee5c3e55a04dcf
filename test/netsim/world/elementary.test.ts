/** Exact elementary functions and the draws that stand on them: against Math, against distributions, and frozen bits. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { dirichlet, exponential, gamma, logNormal, normal, normals } from '../../../netsim/world/draws.ts'
import { exp, ln, normalQuantile, normalShareBelow } from '../../../netsim/world/elementary.ts'
import { Keyed } from '../../../netsim/world/keyed.ts'
import { Rng } from '../../../src/core/rng.ts'
import { draw, KOLMOGOROV_MAX, kolmogorov, momentsOf, near } from './distributions.ts'

// biome-ignore format: as drawn
const GOLDEN = [
  5.473947391727199, -1.2039728043259361, 8.921404266525102e-305, 1.562965728691475, 1.004903972541574, 0.011450447008380918,
  2.458749848616707, 89.4498113090255, 0.1297378939138388, 0.8702621060861612, 0.8288110867149301,
]

const it = suite('netsim elementary')

/** Doubles between two of one sign. */
function ulps(a: number, b: number): number {
  const bits = (x: number): bigint => new BigInt64Array(Float64Array.of(x).buffer)[0] as bigint
  const apart = bits(a) - bits(b)
  return Number(apart < 0n ? -apart : apart)
}

it('exp is within 2 units in the last place of Math.exp over all doubles, subnormal results included', () => {
  fc.assert(
    fc.property(fc.double({ min: -745, max: 709.7, noNaN: true }), (x) =>
      assert.ok(ulps(exp(x), Math.exp(x)) <= 2, `${x}`),
    ),
    { numRuns: 20_000 },
  )
  fc.assert(
    fc.property(fc.double({ min: -3, max: 3, noNaN: true }), (x) => assert.ok(ulps(exp(x), Math.exp(x)) <= 2, `${x}`)),
    { numRuns: 20_000 },
  )
})

it('ln is within 2 units in the last place of Math.log over all positive doubles, and close to 1', () => {
  const check = (x: number): void => assert.ok(x === 1 ? ln(x) === 0 : ulps(ln(x), Math.log(x)) <= 2, `${x}`)
  fc.assert(fc.property(fc.double({ min: 5e-324, max: 1.7e308, noNaN: true }), check), { numRuns: 20_000 })
  fc.assert(fc.property(fc.double({ min: 0.4, max: 2.5, noNaN: true }), check), { numRuns: 20_000 })
  for (let n = -1074; n <= 1023; n++) check(2 ** n)
  for (const x of [1 + 2 ** -52, 1 - 2 ** -53, Math.SQRT2, Math.SQRT1_2]) check(x)
})

it('both end where doubles end', () => {
  assert.equal([exp(710), exp(-746), exp(Number.NaN), exp(0)], [Number.POSITIVE_INFINITY, 0, Number.NaN, 1])
  assert.equal([exp(Number.POSITIVE_INFINITY), exp(Number.NEGATIVE_INFINITY)], [Number.POSITIVE_INFINITY, 0])
  const ends = [ln(0), ln(-3), ln(Number.NaN), ln(Number.POSITIVE_INFINITY)]
  assert.equal(ends, [Number.NEGATIVE_INFINITY, Number.NaN, Number.NaN, Number.POSITIVE_INFINITY])
})

it('the normal distribution has its table values', () => {
  const table = [
    [0, 0.5],
    [1, 0.8413447460685429],
    [-2, 0.022750131948179195],
    [3.5, 0.9997673709209645],
    [9, 1],
    [-9, 0],
  ] as const
  for (const [x, share] of table)
    assert.ok(Math.abs(normalShareBelow(x) - share) < 1e-14, `${x}: ${normalShareBelow(x)}`)
  for (const [share, x] of [
    [0.975, 1.959963984540054],
    [0.5, 0],
    [0.01, -2.3263478740408408],
    [24 / 26, 1.4260768722728],
  ] as const)
    assert.ok(Math.abs(normalQuantile(share) - x) < 1e-10, `${share}: ${normalQuantile(share)}`)
})

it('normal draws are normal: Kolmogorov, mean, variance, and no tie between the two of a pair', () => {
  const rng = Rng.from('normal', 7)
  const draws = draw(50_000, () => normal(rng))
  assert.ok(kolmogorov(draws, normalShareBelow) < KOLMOGOROV_MAX)
  const filled = new Float64Array(50_001)
  normals(Rng.from('normals', 7), filled)
  assert.ok(kolmogorov([...filled], normalShareBelow) < KOLMOGOROV_MAX)
  const { mean, variance } = momentsOf([...filled])
  assert.ok(near(mean, 0, 1, 50_001) && near(variance, 1, Math.SQRT2, 50_001), `${mean} ${variance}`)
  const products = Array.from({ length: 25_000 }, (_, i) => (filled[2 * i] as number) * (filled[2 * i + 1] as number))
  assert.ok(near(momentsOf(products).mean, 0, 1, 25_000))
})

it('normals fill just the part that they are given', () => {
  const out = new Float32Array(7).fill(9)
  normals(Rng.from('part'), out, 2, 5)
  assert.equal(
    [...out].map((value) => value === 9),
    [true, true, false, false, false, true, true],
  )
})

it('exponential draws have their mean and their distribution', () => {
  const rng = Rng.from('exponential', 7)
  const draws = draw(50_000, () => exponential(rng, 7))
  assert.ok(kolmogorov(draws, (x) => 1 - Math.exp(-x / 7)) < KOLMOGOROV_MAX)
  assert.ok(near(momentsOf(draws).mean, 7, 7, 50_000))
})

it('log-normal draws have their median and the deviation of their logarithm', () => {
  const rng = Rng.from('log-normal', 7)
  const logs = draw(50_000, () => Math.log(logNormal(rng, 70, 0.5) / 70) / 0.5)
  assert.ok(kolmogorov(logs, normalShareBelow) < KOLMOGOROV_MAX)
})

for (const shape of [0.3, 1, 2, 7.5]) {
  it(`gamma draws of shape ${shape} have mean and variance ${shape}`, () => {
    const rng = Rng.from('gamma', shape)
    const draws = draw(100_000, () => gamma(rng, shape))
    const { mean, variance } = momentsOf(draws)
    assert.ok(near(mean, shape, Math.sqrt(shape), 100_000), `${mean}`)
    // the fourth central moment of a gamma is 3 k² + 6 k
    assert.ok(near(variance, shape, Math.sqrt(2 * shape * shape + 6 * shape), 100_000), `${variance}`)
  })
}

it('gamma draws of shapes 1, 2 and ½ follow their closed distributions', () => {
  const [one, two, half] = [1, 2, 0.5].map((shape) => {
    const rng = Rng.from('gamma shapes', shape)
    return draw(30_000, () => gamma(rng, shape))
  }) as [number[], number[], number[]]
  assert.ok(kolmogorov(one, (x) => 1 - Math.exp(-x)) < KOLMOGOROV_MAX)
  assert.ok(kolmogorov(two, (x) => 1 - (1 + x) * Math.exp(-x)) < KOLMOGOROV_MAX)
  // half the square of a normal draw
  assert.ok(kolmogorov(half, (x) => 2 * normalShareBelow(Math.sqrt(2 * x)) - 1) < KOLMOGOROV_MAX)
})

it('Dirichlet shares sum to 1 and have their means and variances', () => {
  const rng = Rng.from('dirichlet')
  const alphas = [0.5, 2, 4.5]
  const draws = Array.from({ length: 40_000 }, () => dirichlet(rng, alphas))
  for (const shares of draws) assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-12)
  for (const [i, alpha] of alphas.entries()) {
    const { mean, variance } = momentsOf(draws.map((shares) => shares[i] as number))
    const expected = alpha / 7
    const spread = (expected * (1 - expected)) / 8
    assert.ok(near(mean, expected, Math.sqrt(spread), 40_000), `${i}: ${mean}`)
    assert.ok(Math.abs(variance / spread - 1) < 0.05, `${i}: ${variance}`)
  }
})

it('Dirichlet shares of tiny parameters are still shares: one has nearly all', () => {
  const rng = Rng.from('tiny')
  for (let i = 0; i < 200; i++) {
    const shares = dirichlet(rng, [0.001, 0.001, 0.001])
    assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-12 && Math.max(...shares) > 0.3, `${shares}`)
  }
})

it('generators by number repeat themselves, and those of neighbours have nothing in common', () => {
  const keyed = new Keyed(Rng.from('keyed'))
  assert.is(keyed.rng(7, 3).u32(), keyed.rng(7, 3).u32())
  const firsts = Array.from({ length: 30_000 }, (_, i) => keyed.rng(i).float())
  assert.ok(kolmogorov(firsts, (x) => x) < KOLMOGOROV_MAX)
  const seconds = Array.from({ length: 30_000 }, (_, i) => keyed.rng(7, i + 1).float())
  assert.ok(kolmogorov(seconds, (x) => x) < KOLMOGOROV_MAX)
  const products = firsts.slice(1).map((x, i) => (x - 0.5) * ((firsts[i] as number) - 0.5))
  assert.ok(near(momentsOf(products).mean, 0, 1 / 12, products.length))
  assert.is(new Set(firsts.concat(seconds)).size, 60_000)
})

it('their bits are frozen: worlds of published results are made of them', () => {
  const rng = Rng.from('netsim', 7, 'golden')
  const values = [exp(1.7), ln(0.3), exp(-700.1), normal(rng), exponential(rng, 3), gamma(rng, 0.4), gamma(rng, 3)]
  values.push(logNormal(rng, 70, 0.5), ...dirichlet(rng, [0.3, 2]), new Keyed(rng).rng(3, 7).float())
  assert.equal(values, GOLDEN)
})

it.run()
