/** The merge: the same bytes whatever the order of arrival, the weights that the rule says, and bytes that never change. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { floatBytes, weightsDigest } from '../../src/core/digest.ts'
import { type MemberId, memberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { weightedMean } from '../../src/learn/merge/mean.ts'
import { MEAN, type MergeInput, type MergeRule, mergeUpdates } from '../../src/learn/merge/rule.ts'
import { coefficients } from '../../src/learn/merge/weighting.ts'

const it = suite('merge')

const author = (n: number): MemberId => memberId(n.toString(16).padStart(64, '0'))

const ownOf = (inputs: readonly MergeInput[]): MemberId => inputs[0]?.author as MemberId

const input = fc.record({
  author: fc.integer({ min: 0, max: 4_000 }).map(author),
  examples: fc.integer({ min: 1, max: 90_000 }),
  ageRounds: fc.integer({ min: 0, max: 40 }),
  weights: fc.float32Array({ minLength: 37, maxLength: 37, noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }),
})
const inputs = fc.uniqueArray(input, { minLength: 1, maxLength: 20, selector: ({ author }) => author })
const rule: fc.Arbitrary<MergeRule> = fc.record({
  rule: fc.constant('mean' as const),
  nearest: fc.constant(false),
  faulty: fc.constant(0.3),
  clipRadius: fc.constant(null),
  weighting: fc.constantFrom('uniform' as const, 'sqrt' as const, 'examples' as const),
  examplesCap: fc.integer({ min: 1, max: 20_000 }),
})

it('any order of arrival gives the same bytes', () => {
  const shuffled = inputs.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
  )
  fc.assert(
    fc.property(shuffled, rule, ([sent, arrived], how) => {
      assert.equal(
        floatBytes(mergeUpdates(how, arrived, ownOf(sent)).weights),
        floatBytes(mergeUpdates(how, sent, ownOf(sent)).weights),
      )
      assert.equal(
        mergeUpdates(how, arrived, ownOf(sent)).coefficients,
        mergeUpdates(how, sent, ownOf(sent)).coefficients,
      )
    }),
  )
})

it('coefficients are positive, sum to one, and are listed in the order of the authors', () => {
  fc.assert(
    fc.property(inputs, rule, (all, how) => {
      const merged = mergeUpdates(how, all, ownOf(all))
      assert.ok(merged.coefficients.every((share) => share > 0))
      assert.ok(Math.abs(merged.coefficients.reduce((a, b) => a + b) - 1) < 1e-12)
      assert.equal(merged.authors, all.map(({ author }) => author).sort())
    }),
  )
})

it('each parameter stays between the smallest and the largest given', () => {
  fc.assert(
    fc.property(inputs, rule, (all, how) => {
      const { weights } = mergeUpdates(how, all, ownOf(all))
      weights.forEach((value, i) => {
        const given = all.map((one) => one.weights[i] as number)
        assert.ok(value >= Math.min(...given) - 1e-4 && value <= Math.max(...given) + 1e-4)
      })
    }),
  )
})

const facts = (n: number, examples: number, ageRounds = 0) => ({ author: author(n), examples, ageRounds })

it('the default counts √examples and an update seven rounds old an eighth', () => {
  const shares = coefficients([facts(1, 49), facts(2, 100), facts(3, 144, 7)], MEAN)
  assert.equal(shares, [7 / 18.5, 10 / 18.5, 1.5 / 18.5])
})

it('examples above the cap count no more, under both weightings that count them', () => {
  const capped = [facts(1, 400), facts(2, 1_000_000)]
  assert.equal(coefficients(capped, { weighting: 'examples', examplesCap: 1_200 }), [0.25, 0.75])
  assert.equal(coefficients(capped, { weighting: 'sqrt', examplesCap: 900 }), [0.4, 0.6])
})

it('uniform ignores examples but not age, and ageHalfRounds moves the age that counts half', () => {
  const aged = [facts(1, 5), facts(2, 5_000, 3)]
  assert.equal(coefficients(aged, { weighting: 'uniform', examplesCap: 100 }), [0.8, 0.2])
  const slow: MergeRule = { ...MEAN, weighting: 'uniform', examplesCap: 100, ageHalfRounds: 3 }
  assert.equal(coefficients(aged, slow), [1 / 1.5, 0.5 / 1.5])
})

it('two updates of one author, no update and a claim of no examples are refused as our own bugs', () => {
  const one: MergeInput = { ...facts(1, 9), weights: Float32Array.of(1) }
  assert.throws(() => mergeUpdates(MEAN, [one, one], author(1)), /sorted by author, one each/)
  assert.throws(() => mergeUpdates(MEAN, [], author(1)), /at least one update/)
  assert.throws(() => mergeUpdates(MEAN, [one], author(2)), /the own update is one of the inputs/)
  assert.throws(() => mergeUpdates(MEAN, [{ ...one, examples: 0 }], author(1)), /0 examples/)
  assert.throws(
    () => mergeUpdates(MEAN, [one, { ...facts(2, 9), weights: Float32Array.of(1, 2) }], author(1)),
    /one length/,
  )
})

function models(count: number, length: number): Float32Array[] {
  const rng = Rng.from('merge-models', count)
  return Array.from({ length: count }, () => Float32Array.from({ length }, () => 8 * rng.float() - 4))
}

it('the blocked mean gives the bytes of the plain loop that its docstring describes, at every count and length', () => {
  for (const count of [1, 3, 7, 8, 9, 16, 21]) {
    for (const length of [0, 1, 2_047, 2_048, 2_049, 5_000]) {
      const given = models(count, length)
      const weights = given.map((_, m) => (m + 2) / 31)
      const plain = Float32Array.from({ length }, (_, i) =>
        given.reduce((sum, model, m) => sum + (weights[m] as number) * (model[i] as number), 0),
      )
      assert.equal(weightsDigest(weightedMean(given, weights)), weightsDigest(plain), `${count} models of ${length}`)
    }
  }
})

it('one model merged alone comes out as it went in, and the inputs are left as they were', () => {
  const [model] = models(1, 300) as [Float32Array]
  const before = model.slice()
  const merged = mergeUpdates(MEAN, [{ ...facts(4, 77, 5), weights: model }], author(4))
  assert.equal(merged.weights, before)
  assert.equal(model, before)
  assert.is.not(merged.weights, model)
})

it('the output may be given, but not one of the inputs', () => {
  const given = models(3, 40)
  const out = new Float32Array(40).fill(9)
  assert.is(weightedMean(given, [0.5, 0.3, 0.2], out), out)
  assert.equal(out, weightedMean(given, [0.5, 0.3, 0.2]))
  assert.throws(() => weightedMean(given, [0.5, 0.3, 0.2], given[1]), /apart/)
})

it('golden: the bytes of a fixed merge never change', () => {
  const golden = models(11, 3_000).map((weights, m) => ({ ...facts(97 - 5 * m, 13 + 41 * m, m % 4), weights }))
  assert.is(
    weightsDigest(mergeUpdates(MEAN, golden, author(97)).weights),
    '97cac3824ab4df33daefa506e9cb5a0a9a4e0efc4ff74860aac9f3b010135e15',
  )
})

it.run()
