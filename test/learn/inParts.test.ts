/** Merges of models some of which are here in part: at every weight the rule over those that have it. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { weightsDigest } from '../../src/core/digest.ts'
import { type MemberId, memberId } from '../../src/core/ids.ts'
import { joined, type Range } from '../../src/core/ranges.ts'
import { Rng } from '../../src/core/rng.ts'
import { mergeInParts, type PartialInput } from '../../src/learn/merge/inParts.ts'
import { MEAN, type MergeInput, type MergeRule, mergeUpdates } from '../../src/learn/merge/rule.ts'
import { judgedMerge } from '../../src/learn/merge/veto.ts'

const it = suite('merges in parts')

const WEIGHTS = 9_001
const author = (n: number): MemberId => memberId(n.toString(16).padStart(64, '0'))
const OWN = author(3)
const ruleOf = (rule: MergeRule['rule'], more: Partial<MergeRule> = {}): MergeRule => ({
  ...MEAN,
  rule,
  faulty: 0.2,
  ...more,
})
const COORDINATE_WISE = ['mean', 'trimmed-mean', 'median'] as const
const BY_DISTANCE = ['clipped-mean', 'geometric-median', 'krum', 'multi-krum', 'centred-clipping'] as const

function inputOf(n: number, label = '', weights = WEIGHTS): MergeInput {
  const rng = Rng.from('in parts', n, label)
  const values = Float32Array.from({ length: weights }, () => 2 * rng.float() - 1 + n / 7)
  return { author: author(n), examples: 40 + 13 * n, ageRounds: label === '' ? 0 : 2, weights: values }
}

/** Outside of its ranges there is nothing that may be read. */
function partOf(input: MergeInput, ranges: readonly Range[]): PartialInput {
  const weights = new Float32Array(input.weights.length).fill(Number.NaN)
  for (const [from, to] of ranges) weights.set(input.weights.subarray(from, to), from)
  return { ...input, weights, ranges }
}
const slice = (input: MergeInput, [from, to]: Range): MergeInput => ({
  ...input,
  weights: input.weights.slice(from, to),
})
const nearest: Partial<MergeRule> = { nearest: true }

for (const name of [...COORDINATE_WISE, ...BY_DISTANCE, 'auto'] as const)
  for (const more of name === 'auto' ? [{}] : [{}, nearest])
    it(`${name}${more === nearest ? ' after mixing' : ''}: where all parts have come the bytes are those of the whole`, () => {
      const rule = ruleOf(name, more)
      const inputs = [1, 2, 3, 4, 5, 6, 7].map((n) => inputOf(n))
      const partial = [
        partOf(inputs[1] as MergeInput, [[0, WEIGHTS]]),
        partOf(inputs[5] as MergeInput, [
          [0, 4_096],
          [4_096, WEIGHTS],
        ]),
      ]
      const older = [inputOf(2, 'older')]
      const rest = inputs.filter((_, i) => i !== 1 && i !== 5)
      const whole = mergeUpdates(rule, inputs, OWN)
      const merged = mergeInParts(rule, [...rest, ...older], partial, OWN)
      assert.is(weightsDigest(merged.weights), weightsDigest(whole.weights))
      assert.equal(merged.outlying, whole.outlying)
      const shares = new Map(merged.authors.map((one, i) => [one, merged.coefficients[i] as number]))
      for (const { author, coefficient } of merged.partial) shares.set(author, coefficient)
      for (const [i, one] of whole.authors.entries())
        assert.ok(Math.abs((shares.get(one) as number) - (whole.coefficients[i] as number)) < 1e-12)
    })

const ranges = fc
  .uniqueArray(fc.integer({ min: 0, max: WEIGHTS }), { minLength: 2, maxLength: 6 })
  .map((ends) => ends.sort((a, b) => a - b))
  .map((ends) => joined(ends.flatMap((end, i): Range[] => (i % 2 === 1 ? [[ends[i - 1] as number, end]] : []))))

for (const name of [...COORDINATE_WISE, ...BY_DISTANCE, 'auto'] as const)
  it(`${name}: each stretch is what the rule gives of its weights alone, an older update where a newer has not come`, () =>
    fc.assert(
      fc.property(ranges, ranges, (two, nine) => {
        const rule = ruleOf(name, { nearest: name !== 'auto', clipRadius: null })
        const whole = [1, 2, 3, 4, 6, 7].map((n) => inputOf(n))
        const newer = inputOf(2, 'newer')
        const ninth = inputOf(9)
        const merged = mergeInParts(rule, whole, [partOf(ninth, nine), partOf(newer, two)], OWN)
        const has = (all: readonly Range[], i: number): boolean => all.some(([from, to]) => i >= from && i < to)
        const edges = [...new Set([0, WEIGHTS, ...two.flat(), ...nine.flat()])].sort((a, b) => a - b)
        const [seen, open] = [[] as Range[], { key: '', from: 0 }]
        for (const edge of edges) {
          const key = edge === WEIGHTS ? 'end' : `${has(two, edge)} ${has(nine, edge)}`
          if (edge > 0 && key !== open.key) seen.push([open.from, edge])
          if (edge === 0 || key !== open.key) Object.assign(open, { key, from: edge })
        }
        for (const range of seen) {
          const isIn = whole.map((input) => (input.author === newer.author && has(two, range[0]) ? newer : input))
          const inputs = has(nine, range[0]) ? [...isIn, ninth] : isIn
          const alone = mergeUpdates(
            rule,
            inputs.map((input) => slice(input, range)),
            OWN,
          )
          assert.is(weightsDigest(merged.weights.slice(...range)), weightsDigest(alone.weights), `${name} ${range}`)
        }
      }),
      { numRuns: 12 },
    ))

it('rules that go weight by weight give each weight the bytes of a whole merge of those that have it', () => {
  for (const name of COORDINATE_WISE) {
    const [whole, ninth] = [[1, 2, 3, 4, 6, 7].map((n) => inputOf(n)), inputOf(9)]
    const parts = mergeInParts(ruleOf(name), whole, [partOf(ninth, [[100, 3_000]])], OWN).weights
    const [without, with_] = [whole, [...whole, ninth]].map((inputs) => mergeUpdates(ruleOf(name), inputs, OWN).weights)
    for (const [i, weight] of parts.entries())
      assert.is(weight, (i >= 100 && i < 3_000 ? with_ : without)?.[i], `${name} at ${i}`)
  }
})

it('with fewer inputs in a stretch the rule bears fewer attackers there, as the whole merge of so few does', () => {
  const whole = [1, 2, 3, 4, 5].map((n) => inputOf(n))
  const merged = mergeInParts(ruleOf('auto'), whole, [partOf(inputOf(9), [[0, 4_000]])], OWN)
  assert.equal(merged.rules, [
    { inputs: 5, weights: 5_001, rule: 'clipped-mean', nearest: false, faulty: 1 },
    { inputs: 6, weights: 4_000, rule: 'trimmed-mean', nearest: true, faulty: 1 },
  ])
  assert.is(merged.applied.rule, 'clipped-mean')
})

it('a radius that the study sets holds for all stretches together, however an attacker cuts its parts', () => {
  const far = inputOf(9)
  const shifted = { ...far, weights: far.weights.map((weight) => weight + 1e6) }
  const comb = Array.from({ length: 90 }, (_, i): Range => [100 * i, 100 * i + 50])
  const rule = ruleOf('clipped-mean', { clipRadius: 2, weighting: 'uniform' })
  const own = inputOf(3)
  const { weights, applied } = mergeInParts(rule, [own], [partOf(shifted, comb)], OWN)
  const moved = Math.sqrt(weights.reduce((sum, weight, i) => sum + (weight - (own.weights[i] as number)) ** 2, 0))
  assert.ok(moved <= 1.0001, `drawn by ${moved}: half of the radius, for one of two`)
  assert.ok((applied.radius as number) <= 2.0001, `${applied.radius}`)
})

it('one author has one voice at each weight, whatever it sends: half of its parts sign-flipped and huge draw no more than a whole', () => {
  const rule = ruleOf('trimmed-mean', { faulty: 1 })
  const whole = [1, 2, 3, 4, 5, 6, 7].map((n) => ({ ...inputOf(n), weights: inputOf(1, `near ${n}`).weights }))
  const evil = { ...inputOf(2, 'evil'), weights: inputOf(2).weights.map((weight) => -1e9 * weight) }
  const { weights } = mergeInParts(rule, whole, [partOf(evil, [[0, 5_000]])], OWN)
  for (const [i, weight] of weights.entries()) {
    const honest = whole.filter(({ author: one }) => one !== evil.author).map((input) => input.weights[i] as number)
    assert.ok(weight >= Math.min(...honest) && weight <= Math.max(...honest), `${weight} at ${i}`)
  }
})

it('a veto judges who came in part by its parts over the older update, and leaves out all of it', () => {
  const weights = (...values: number[]) => Float32Array.from(values)
  const input = (n: number, values: Float32Array): MergeInput => ({
    author: author(n),
    examples: 50,
    ageRounds: 0,
    weights: values,
  })
  const inputs = [input(1, weights(1, 1)), input(2, weights(1, 1)), input(3, weights(1, 1))]
  const partial = [
    { ...input(2, weights(9, 0)), ranges: [[0, 1]] as Range[] },
    { ...input(5, weights(0, 1.2)), ranges: [[1, 2]] as Range[] },
  ]
  const asked: number[][] = []
  const given = {
    rule: { ...MEAN, weighting: 'uniform' as const },
    inputs,
    partial,
    own: OWN,
    reference: weights(1, 1),
    toleranceNats: 0.1,
  }
  const judging = judgedMerge(given)
  let step = judging.next()
  while (step.done !== true) {
    const model = [...step.value]
    asked.push(model.map((weight) => Math.round(weight * 1000) / 1000))
    step = judging.next(new Float64Array(30).fill(model.reduce((sum, weight) => sum + Math.abs(weight - 1), 0)))
  }
  assert.equal(asked.slice(0, 3), [
    [1, 1],
    [3.667, 1.05],
    [9, 1],
  ])
  assert.equal(step.value.left, [
    { author: author(2), reason: 'worsens' },
    { author: author(5), reason: 'worsens' },
  ])
})

it.run()
