/** Robust merge rules: what each promises under attackers, agreement with naive references, and bytes that never change. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floatBytes, weightsDigest } from '../../src/core/digest.ts'
import { type MemberId, memberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { type MergeArithmetic, PLAIN } from '../../src/learn/merge/arithmetic.ts'
import { squaredDistances } from '../../src/learn/merge/distances.ts'
import { KernelArithmetic } from '../../src/learn/merge/kernelArithmetic.ts'
import { nearestMixing } from '../../src/learn/merge/nearest.ts'
import { sortingNetwork } from '../../src/learn/merge/network.ts'
import {
  MEAN,
  type MergeInput,
  type MergeRule,
  mergeUpdates,
  type RuleName,
  resolve,
} from '../../src/learn/merge/rule.ts'

const it = suite('merge rules')

const KERNELS = new KernelArithmetic()
const author = (n: number): MemberId => memberId(n.toString(16).padStart(64, '0'))
const OWN = author(7)
const rule = (name: RuleName | 'auto', changed: Partial<MergeRule> = {}): MergeRule => {
  return { ...MEAN, rule: name, faulty: 0.3, weighting: 'uniform', ...changed }
}
const ROBUST = ['trimmed-mean', 'median', 'geometric-median', 'krum', 'multi-krum', 'centred-clipping'] as const
const ALL: readonly MergeRule[] = [
  rule('auto'),
  rule('clipped-mean', { weighting: 'sqrt' }),
  ...ROBUST.map((name) => rule(name)),
  ...(['mean', 'clipped-mean', ...ROBUST] as const).map((name) => rule(name, { nearest: true })),
]

/** `count` models around `centre`, authors from 5 up so that the own one is neither the first nor the last. */
function inputsOf(count: number, length: number, seed: number, spread = 0.5, centre = 1): MergeInput[] {
  const rng = Rng.from('merge-rules', seed, count)
  return Array.from({ length: count }, (_, m) => ({
    author: author(5 + m),
    examples: 20 + 31 * m,
    ageRounds: m === 2 ? 0 : m % 3,
    weights: Float32Array.from({ length }, () => centre + spread * (2 * rng.float() - 1)),
  }))
}

it('any order of arrival gives the same bytes, parts and outliers, by every rule', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 17 }), fc.nat(999), fc.constantFrom(...ALL), (count, seed, how) => {
      const inputs = inputsOf(count, 23, seed)
      const arrived = [...Rng.from('order', seed).shuffle(Uint32Array.from(inputs.keys()))]
      const other = mergeUpdates(
        how,
        arrived.map((i) => inputs[i] as MergeInput),
        OWN,
      )
      assert.equal(other, mergeUpdates(how, inputs, OWN))
    }),
    { numRuns: 60 },
  )
})

it('parts sum to one, and of linear rules they are the coefficients that give the result', () => {
  for (const how of ALL) {
    const inputs = inputsOf(11, 40, 3)
    const { coefficients, weights, applied } = mergeUpdates(how, inputs, OWN)
    assert.ok(Math.abs(coefficients.reduce((a, b) => a + b) - 1) < 1e-9, applied.rule)
    if (applied.rule === 'trimmed-mean' || applied.rule === 'median') continue
    if (applied.nearest && /clip/.test(applied.rule)) continue // the own model itself is the centre
    weights.forEach((value, i) => {
      const sum = inputs.reduce((all, input, m) => all + (coefficients[m] as number) * (input.weights[i] as number), 0)
      assert.ok(Math.abs(sum - value) < 1e-5, `${applied.rule} at ${i}: ${value}, by its parts ${sum}`)
    })
  }
})

it('f inputs of any size, alike or not, move no robust rule beyond what the honest ones span', () => {
  const evil = fc.constantFrom(1e3, -1e3, 1e9, 1e20, -1e30, 3e38, -3e38)
  fc.assert(
    fc.property(
      fc.constantFrom(...ALL),
      fc.nat(999),
      fc.array(evil, { minLength: 5, maxLength: 5 }),
      (how, seed, evils) => {
        if (how.rule === 'mean') return
        const inputs = inputsOf(13, 19, seed)
        const { faulty } = resolve(how, 13)
        for (let k = 0; k < faulty; k++) (inputs[k < 2 ? k : k + 1] as MergeInput).weights.fill(evils[k] as number)
        const { weights } = mergeUpdates(how, inputs, OWN)
        const far = /clip/.test(how.rule) ? 3 * Math.sqrt(19) : how.rule === 'geometric-median' ? 1.5 : 0.51
        for (const value of weights) assert.ok(Math.abs(value - 1) <= far, `${how.rule} ${how.nearest}: ${value}`)
      },
    ),
    { numRuns: 150 },
  )
})

it('the plain mean has no such bound', () => {
  const inputs = inputsOf(13, 19, 1)
  ;(inputs[0] as MergeInput).weights.fill(1e9)
  assert.ok((mergeUpdates(rule('mean'), inputs, OWN).weights[0] as number) > 1e7)
})

/** Gathers, sorts and adds, as anybody would. */
function naiveTrimmed(models: readonly Float32Array[], trimmed: number): Float32Array {
  return Float32Array.from({ length: models[0]?.length ?? 0 }, (_, i) => {
    const kept = models.map((model) => model[i] as number).sort((a, b) => a - b)
    const within = kept.slice(trimmed, models.length - trimmed)
    return within.reduce((a, b) => a + b, 0) / within.length
  })
}

/** By its definition: for each model the mean of itself and those nearest to it. */
function naiveNearest(models: readonly Float32Array[], faulty: number): Float32Array[] {
  const apart = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + (x - (b[i] as number)) ** 2, 0)
  return models.map((model) => {
    const order = models
      .map((_, m) => m)
      .sort((a, b) => apart(models[a] as Float32Array, model) - apart(models[b] as Float32Array, model))
    const near = order.slice(0, models.length - faulty).sort((a, b) => a - b)
    return model.map((_, i) => near.reduce((sum, m) => sum + (models[m]?.[i] as number), 0) / near.length)
  })
}

const BOTH: readonly [string, MergeArithmetic][] = [
  ['plain', PLAIN],
  ['kernels', KERNELS],
]

it('the trimmed mean, with and without mixing, gives the bytes of its definition', () => {
  for (const [name, arithmetic] of BOTH) {
    for (const [count, trimmed] of [
      [1, 0],
      [2, 0],
      [5, 1],
      [8, 3],
      [13, 4],
      [32, 9],
      [64, 31],
    ] as const) {
      const models = inputsOf(count, 131, 5).map(({ weights }) => weights)
      const found = arithmetic.trimmedMean(models, null, trimmed)
      assert.equal(floatBytes(found), floatBytes(naiveTrimmed(models, trimmed)), `${name}, ${count} models`)
      const mixing = nearestMixing(squaredDistances(models), count, trimmed)
      const mixed = arithmetic.trimmedMean(models, mixing, trimmed)
      assert.equal(floatBytes(mixed), floatBytes(naiveTrimmed(naiveNearest(models, trimmed), trimmed)), name)
    }
  }
})

it('kernels and plain TypeScript give the same bytes, whatever the length, also of values that are huge, tiny, equal or −0', () => {
  const value = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, -0, 1e-42, Math.fround(3e38), Math.fround(-3e38), 0.5),
  )
  const models = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 150 })).chain(([count, length]) =>
    fc.array(
      fc.array(value, { minLength: length, maxLength: length }).map((list) => Float32Array.from(list)),
      {
        minLength: count,
        maxLength: count,
      },
    ),
  )
  fc.assert(
    fc.property(models, (given) => {
      const f = Math.floor((given.length - 1) / 2)
      const squared = PLAIN.squaredDistances(given)
      assert.equal(new Uint8Array(KERNELS.squaredDistances(given).buffer), new Uint8Array(squared.buffer))
      for (const mixing of [null, nearestMixing(squared, given.length, f)]) {
        const [a, b] = BOTH.map(([, arithmetic]) => floatBytes(arithmetic.trimmedMean(given, mixing, f)))
        assert.equal(a, b)
      }
    }),
  )
})

it('so do they where models go through the kernels in blocks', () => {
  for (const length of [511, 513, 4_095, 4_096, 4_097, 9_001]) {
    const models = inputsOf(7, length, 8, 3).map(({ weights }) => weights)
    const shares = models.map((_, m) => (m + 1) / 28)
    assert.equal(KERNELS.squaredDistances(models), PLAIN.squaredDistances(models), `distances of ${length}`)
    assert.equal(floatBytes(KERNELS.weightedMean(models, shares)), floatBytes(PLAIN.weightedMean(models, shares)))
    assert.equal(floatBytes(KERNELS.trimmedMean(models, null, 2)), floatBytes(PLAIN.trimmedMean(models, null, 2)))
  }
})

it('every rule gives the same bytes by kernels and in plain TypeScript', () => {
  for (const how of ALL) {
    const inputs = inputsOf(12, 1_300, 4)
    const [a, b] = BOTH.map(([, arithmetic]) => mergeUpdates(how, inputs, OWN, arithmetic))
    assert.equal(a, b, `${how.rule} ${how.nearest}`)
  }
})

it('sorting networks sort whatever comes, of 1 to 64 rows', () => {
  for (let n = 1; n <= 64; n++) {
    const rng = Rng.from('network', n)
    for (let run = 0; run < 20; run++) {
      const values = Array.from({ length: n }, () => rng.below(9))
      const sorted = [...values].sort((a, b) => a - b)
      const network = sortingNetwork(n)
      for (let c = 0; c < network.length; c += 2) {
        const [low, high] = [network[c] as number, network[c + 1] as number]
        const [a, b] = [values[low] as number, values[high] as number]
        values[low] = Math.min(a, b)
        values[high] = Math.max(a, b)
      }
      assert.equal(values, sorted, `${n} rows`)
    }
  }
})

it('Krum takes the model with the smallest score, multi-Krum the n − f with the smallest', () => {
  const at = (...places: number[]): MergeInput[] =>
    places.map((place, m) => ({ author: author(5 + m), examples: 9, ageRounds: 0, weights: Float32Array.of(place, 0) }))
  const inputs = at(0, 1, 2.5, 3, 100, -70, 4)
  const found = mergeUpdates(rule('krum', { faulty: 2 }), inputs, OWN)
  assert.equal([...found.weights], [2.5, 0]) // n − f − 2 = 3 nearest: .5², 1.5² and 1.5² are less than of any other
  assert.equal(found.outlying, [author(9), author(10)])
  const several = mergeUpdates(rule('multi-krum', { faulty: 2 }), inputs, OWN)
  assert.equal([...several.weights], [Math.fround((0 + 1 + 2.5 + 3 + 4) / 5), 0])
})

it('the geometric median is the point with the least sum of distances', () => {
  const inputs = inputsOf(9, 3, 6)
  const { weights } = mergeUpdates(rule('geometric-median'), inputs, OWN)
  const sum = (point: Float32Array) =>
    inputs.reduce((all, input) => all + Math.hypot(...input.weights.map((w, i) => w - (point[i] as number))), 0)
  const rng = Rng.from('directions')
  for (let k = 0; k < 200; k++) {
    const near = weights.map((w) => w + 0.02 * (2 * rng.float() - 1))
    assert.ok(sum(weights) <= sum(near) + 1e-5, 'a point near by is better')
  }
})

it('clipping draws the own model by no more than share × radius for each other', () => {
  const inputs = inputsOf(4, 2, 1).map((input, m) => ({
    ...input,
    ageRounds: 0,
    examples: 50,
    weights: Float32Array.of(m === 2 ? 0 : 30 * (m + 1), 0),
  }))
  const { weights, applied, coefficients, outlying } = mergeUpdates(rule('clipped-mean'), inputs, OWN)
  // distances to the own one at 0: 30, 60 and 120; the lower median of three is 60
  assert.is(applied.radius, 60)
  assert.ok(Math.abs((weights[0] as number) - (30 + 60 + 60) / 4) < 1e-5, String(weights[0]))
  assert.equal(coefficients, [0.25, 0.25, 0.375, 0.125])
  assert.equal(outlying, [])
  const tight = mergeUpdates(rule('clipped-mean', { clipRadius: 12 }), inputs, OWN)
  assert.is(Math.round((tight.weights[0] as number) * 1e4), 90_000)
  assert.equal(tight.outlying, [author(5), author(6), author(8)], 'all were shortened to less than half')
})

it('with too few inputs as many attackers are borne as the rule can bear, and that is told', () => {
  const faulty = (name: RuleName | 'auto', n: number, f: number) => resolve(rule(name, { faulty: f }), n).faulty
  assert.equal(
    [1, 2, 3, 4, 7, 8].map((n) => faulty('trimmed-mean', n, 3)),
    [0, 0, 1, 1, 3, 3],
  )
  assert.equal(
    [2, 3, 4, 5, 8, 9].map((n) => faulty('krum', n, 3)),
    [0, 0, 0, 1, 2, 3],
  )
  assert.equal(
    [5, 6, 7, 10, 64].map((n) => faulty('auto', n, 0.3)),
    [1, 1, 2, 3, 19],
  )
  assert.equal(
    [5, 6].map((n) => resolve(rule('auto'), n)),
    [
      { rule: 'clipped-mean', nearest: false, faulty: 1 },
      { rule: 'trimmed-mean', nearest: true, faulty: 1 },
    ],
  )
})

it('who turns its update around is set aside by the default, and who is a little off is not', () => {
  const inputs = inputsOf(10, 300, 2, 0.3)
  const liar = inputs[4] as MergeInput
  liar.weights.forEach((w, i) => {
    liar.weights[i] = -w
  })
  const { outlying } = mergeUpdates(rule('auto', { faulty: 1 }), inputs, OWN)
  assert.equal(outlying, [liar.author])
})

it('the parts of a linear rule give its result, also where the models were mixed', () => {
  const linear = ['mean', 'clipped-mean', 'geometric-median', 'krum', 'multi-krum', 'centred-clipping'] as const
  fc.assert(
    fc.property(
      fc.constantFrom(...linear),
      fc.boolean(),
      fc.integer({ min: 6, max: 13 }),
      fc.nat(999),
      (name, nearest, count, seed) => {
        const inputs = inputsOf(count, 19, seed, 3)
        const { weights, coefficients, authors } = mergeUpdates(rule(name, { nearest }), inputs, OWN)
        for (let i = 0; i < weights.length; i++) {
          const sum = authors.reduce((all, author, m) => {
            const of = inputs.find((input) => input.author === author) as MergeInput
            return all + (coefficients[m] as number) * (of.weights[i] as number)
          }, 0)
          assert.ok(Math.abs(sum - (weights[i] as number)) < 1e-5, `${sum} against ${weights[i]}`)
        }
      },
    ),
  )
})

it('golden: the bytes of fixed merges never change', () => {
  const found = ALL.map((how) => {
    const { weights, applied, coefficients } = mergeUpdates(how, inputsOf(12, 700, 9), OWN)
    const parts = weightsDigest(Float32Array.from(coefficients)).slice(0, 8)
    return `${applied.rule}${applied.nearest ? ' nnm' : ''} ${weightsDigest(weights).slice(0, 16)} ${parts}`
  })
  assert.equal(found, GOLDEN)
})

const GOLDEN: readonly string[] = [
  'trimmed-mean nnm d7ffdece18ee992a 7850e489',
  'clipped-mean e3439d7d0d4b045e 0099d7cf',
  'trimmed-mean 0792bc5b9ffd44c0 d0b2f98b',
  'median ffc12f6439f16b1d 207ff538',
  'geometric-median ba8d089c1c0c9afa 85534f60',
  'krum 63f4e6be3ab567ce ac032db6',
  'multi-krum 943d82c080f9dfdf 902ad470',
  'centred-clipping fc74902a600b4f5f 125ecb8a',
  'mean nnm af19492352a94c26 ee65402f',
  'clipped-mean nnm 6d0d5de77e8f24ab 3613e11e',
  'trimmed-mean nnm d7ffdece18ee992a 7850e489',
  'median nnm d07fad6992574aa9 a37567b6',
  'geometric-median nnm 7adc42e8d80e0e4b 42b83f03',
  'krum nnm 70fc9b5953c795de 902ad470',
  'multi-krum nnm 5b80fc54973985df 10d70b54',
  'centred-clipping nnm e7654a7c237f4ef9 b4304f80',
]

it.run()
