import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { PrivacySteps } from '../../../src/core/privacy.ts'
import { epsilonOf, roundsWithin } from '../../../src/learn/privacy/accountant.ts'
import { transform } from '../../../src/learn/privacy/fft.ts'
import { logErfc, upperTail } from '../../../src/learn/privacy/normal.ts'
import { epsilonByPld } from '../../../src/learn/privacy/pld.ts'
import { divergence, epsilonByRdp } from '../../../src/learn/privacy/rdp.ts'
import { cpuMsOf } from '../../cpu.ts'

const it = suite('accountant')

const spent = (sampleRate: number, noiseMultiplier: number, steps: number): PrivacySteps[] => [
  { sampleRate, noiseMultiplier, steps },
]

/**
 * q, σ, steps, δ; ε by RDP, and by PLD on dp_accounting's usual grid of 1e-4 (both from DECISIONS); ε by PLD with dp_accounting 0.6 on a
 * grid of 2e-5, which shows what the coarser one adds where q is small.
 */
const REFERENCES = [
  [0.04, 1.5, 2250, 1e-5, 7.329111, 6.768787, 6.7687807],
  [0.0025, 1.3, 6000, 1e-5, 0.724223, 0.640111, 0.640008],
  [0.001, 1, 30000, 1e-7, 1.415499, 1.098199, 1.0976965],
  [256 / 60000, 1.1, 14062, 1e-5, 2.596556, 2.381686, 2.3816005],
  [256 / 60000, 1.3, 3516, 1e-5, 0.954564, 0.864589, 0.8645421],
  [0.01, 4, 10000, 1e-5, 1.03549, 0.946999, 0.9468721],
  [1, 0.7, 2, 1e-5, 10.860204, 10.122495, 10.1224946],
  [1, 10, 100, 1e-5, 4.728507, 4.377178, 4.3771781],
] as const

it('RDP gives the published values to six digits', () => {
  for (const [q, sigma, steps, delta, rdp] of REFERENCES) near(epsilonByRdp(spent(q, sigma, steps), delta), rdp, 1e-6)
})

it('PLD gives the reference values to four digits, and is nearer to those of a finer grid', () => {
  for (const [q, sigma, steps, delta, , coarse, fine] of REFERENCES) {
    const epsilon = epsilonByPld(spent(q, sigma, steps), delta)
    near(epsilon, coarse, 5e-4)
    near(epsilon, fine, 2.5e-5)
    assert.ok(epsilon < epsilonByRdp(spent(q, sigma, steps), delta), 'PLD is the tighter one')
  }
})

it('PLD errs upwards only: what it gives for whole batches keeps the closed form of Balle and Wang 2018', () => {
  for (const [sigma, steps, delta] of [
    [0.7, 2, 1e-5],
    [8, 300, 1e-3],
    [3, 7, 1e-6],
    [20, 4000, 1e-9],
  ] as const) {
    const epsilon = epsilonByPld(spent(1, sigma, steps), delta)
    const mu = Math.sqrt(steps) / sigma
    const exact = upperTail(epsilon / mu - mu / 2) - Math.exp(epsilon) * upperTail(epsilon / mu + mu / 2)
    assert.ok(exact <= delta, `δ ${exact} of ${delta}`)
    assert.ok(exact > 0.99 * delta, `δ ${exact} of ${delta}`)
  }
})

it('one step is known in closed form too: the profile of PLD lies on it or above, whichever row is missing where', () => {
  const [q, sigma, delta] = [0.2, 1.5, 1e-3]
  const epsilon = epsilonByPld(spent(q, sigma, 1), delta)
  const at = sigma * sigma * Math.log((Math.exp(epsilon) - 1 + q) / q) + 0.5
  const exact =
    (1 - q) * upperTail(at / sigma) + q * upperTail((at - 1) / sigma) - Math.exp(epsilon) * upperTail(at / sigma)
  assert.ok(exact <= delta && exact > 0.99 * delta, `δ ${exact} of ${delta}`)
})

it('steps with different tables compose: in parts or at once, in any order', () => {
  const parts = [...spent(0.2, 6, 30), ...spent(0.2, 6, 50)]
  near(epsilonByPld(parts, 1e-4), epsilonByPld(spent(0.2, 6, 80), 1e-4), 1e-6)
  const mixed = [...spent(0.2, 6, 80), ...spent(0.5, 6, 20)]
  near(epsilonByPld([...mixed].reverse(), 1e-4), epsilonByPld(mixed, 1e-4), 1e-9)
  near(epsilonByRdp([...mixed].reverse(), 1e-4), epsilonByRdp(mixed, 1e-4), 1e-9)
  const [a, b] = mixed.map((one) => epsilonByPld([one], 1e-4)) as [number, number]
  const both = epsilonByPld(mixed, 1e-4)
  assert.ok(both > Math.max(a, b) && both < a + b, `${both} of ${a} and ${b}`)
})

it('nothing spent is ε 0, and ε grows with steps and sampling and falls with noise and δ', () => {
  assert.is(epsilonOf([], 1e-5), 0)
  assert.is(epsilonOf(spent(0.1, 2, 0), 1e-5), 0)
  const cases = fc.record({
    q: fc.double({ min: 0.01, max: 0.9, noNaN: true }),
    sigma: fc.double({ min: 1, max: 9, noNaN: true }),
    steps: fc.integer({ min: 1, max: 90 }),
  })
  fc.assert(
    fc.property(cases, ({ q, sigma, steps }) => {
      const of = (rate: number, noise: number, count: number, delta: number) =>
        epsilonOf(spent(rate, noise, count), delta)
      const here = of(q, sigma, steps, 1e-4) * (1 + 1e-4)
      return (
        of(q, sigma, steps + 5, 1e-4) >= here / (1 + 2e-4) &&
        of(q * 0.8, sigma, steps, 1e-4) <= here &&
        of(q, sigma * 1.3, steps, 1e-4) <= here &&
        of(q, sigma, steps, 1e-3) <= here
      )
    }),
    { numRuns: 25 },
  )
})

it('a budget allows as many rounds as stay below it, and no more', () => {
  const round = { sampleRate: 0.3, noiseMultiplier: 4, steps: 4 }
  const before = spent(0.5, 4, 10)
  const budget = { epsilonMax: 3, delta: 1e-3, spent: before, round, roundsMax: 500 }
  const rounds = roundsWithin(budget)
  const after = (count: number) => epsilonOf([...before, { ...round, steps: count * round.steps }], 1e-3)
  assert.ok(rounds > 3 && rounds < 500, `${rounds} rounds`)
  assert.ok(after(rounds) <= 3 && after(rounds + 1) > 3, `${after(rounds)}, then ${after(rounds + 1)}`)
  assert.is(roundsWithin({ ...budget, roundsMax: rounds - 2 }), rounds - 2, 'the study ends before')
  assert.is(roundsWithin({ ...budget, epsilonMax: 0.01 }), 0, 'all spent')
  assert.ok(roundsWithin({ ...budget, spent: [] }) > rounds)
})

it('RDP costs the same after a million rounds as after one', () => {
  const ms = (steps: number) =>
    cpuMsOf(() => {
      for (let i = 0; i < 200; i++) epsilonByRdp(spent(0.3, 4, steps + i), 1e-3)
    })
  ms(1)
  assert.ok(ms(1_000_000) < 10 * ms(1) + 200, 'it is linear in rounds nowhere')
})

it('divergences of whole orders and of those between lie on one curve', () => {
  for (const [q, sigma] of [
    [0.05, 1.1],
    [0.4, 5],
  ] as const) {
    for (const order of [2, 5, 9]) {
      const [below, at, above] = [order - 1e-6, order, order + 1e-6].map((one) => divergence(q, sigma, one)) as [
        number,
        number,
        number,
      ]
      assert.ok(below < at && at < above, `order ${order}: ${below}, ${at}, ${above}`)
      near((below + above) / 2, at, 1e-7)
    }
  }
})

it('normal tails have all their digits, near and far', () => {
  near(Math.exp(logErfc(0.5)), 0.4795001221869535, 1e-14)
  near(Math.exp(logErfc(-1)), 1.8427007929497148, 1e-14)
  near(Math.exp(logErfc(2)), 0.004677734981047266, 1e-13)
  near(Math.exp(logErfc(3.5)), 7.430983723414128e-7, 1e-13)
  near(Math.exp(logErfc(10)), 2.088487583762545e-45, 1e-12)
  near(logErfc(2 - 1e-12), logErfc(2 + 1e-12), 1e-11)
  near(upperTail(1.96), 0.024997895148220435, 1e-13)
  near(upperTail(-3), 1 - 0.0013498980316300946, 1e-14)
})

it('the transform equals its definition, and its inverse gives back what was put in', () => {
  const n = 16
  const re = Float64Array.from({ length: n }, (_, i) => Math.sin(3 * i * i))
  const im = Float64Array.from({ length: n }, (_, i) => Math.cos(i) / 2)
  const [a, b] = [re.slice(), im.slice()]
  transform(a, b)
  for (let j = 0; j < n; j++) {
    let [x, y] = [0, 0]
    for (let k = 0; k < n; k++) {
      const angle = (-2 * Math.PI * j * k) / n
      x += (re[k] as number) * Math.cos(angle) - (im[k] as number) * Math.sin(angle)
      y += (re[k] as number) * Math.sin(angle) + (im[k] as number) * Math.cos(angle)
    }
    near(a[j] as number, x, 1e-12)
    near(b[j] as number, y, 1e-12)
  }
  transform(b, a)
  for (let k = 0; k < n; k++) near((a[k] as number) / n, re[k] as number, 1e-12)
})

function near(value: number, expected: number, tolerance: number): void {
  const gap = Math.abs(value - expected) / Math.max(Math.abs(expected), tolerance)
  assert.ok(gap <= tolerance, `${value} is not ${expected} to ${tolerance}`)
}

it('steps that no grid can hold have no ε by PLD, and still one by RDP', () => {
  const rare = [{ sampleRate: 2e-7, noiseMultiplier: 0.5, steps: 1e12 }]
  assert.is(epsilonByPld(rare, 1e-10), Number.POSITIVE_INFINITY)
  assert.ok(epsilonOf(rare, 1e-10) < 100)
})

it.run()
