/** The second line behind a rule: merges judged on own rows. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type MemberId, memberId } from '../../src/core/ids.ts'
import { MEAN, type MergeInput, type MergeRule } from '../../src/learn/merge/rule.ts'
import { isWorse, type Judged, judgedMerge, VETO } from '../../src/learn/merge/veto.ts'

const it = suite('veto')

const author = (n: number): MemberId => memberId(n.toString(16).padStart(64, '0'))
const OWN = author(3)
const ROWS = 40
const RULE: MergeRule = { ...MEAN, weighting: 'uniform' }

/** Models of one weight; the loss of each row is how far that weight is from 1, more or less. */
function judged(weights: readonly number[], toleranceNats = 0.1, reference = 1): { judged: Judged; asked: number[] } {
  const inputs = weights.map((weight, m): MergeInput => {
    return { author: author(1 + m), examples: 50, ageRounds: 0, weights: Float32Array.of(weight) }
  })
  const given = { rule: RULE, inputs, own: OWN, reference: Float32Array.of(reference), toleranceNats }
  const asked: number[] = []
  const judging = judgedMerge(given)
  let step = judging.next()
  while (step.done !== true) {
    const weight = step.value[0] as number
    asked.push(Math.round(weight * 1000) / 1000)
    step = judging.next(Float64Array.from({ length: ROWS }, (_, row) => Math.abs(weight - 1) + (row % 4) * 0.01))
  }
  return { judged: step.value, asked }
}

it('a merge that is no worse on the own rows costs two evaluations, and leaves nobody out', () => {
  const found = judged([0.98, 1.03, 1, 1.04])
  assert.equal(found.asked, [1, 1.013])
  assert.equal(found.judged.left, [])
  assert.is(found.judged.merged.authors.length, 4)
})

it('who makes a merge worse is left out, with the reason, and the others are merged', () => {
  const found = judged([0.98, 7, 1, 1.04])
  assert.equal(found.judged.left, [{ author: author(2), reason: 'worsens' }])
  assert.equal(found.judged.merged.authors, [author(1), OWN, author(4)])
  assert.ok(Math.abs((found.judged.merged.weights[0] as number) - 1.00667) < 1e-4)
  assert.equal(found.asked.slice(0, 3), [1, 2.505, 7], 'who draws it the most is asked first')
})

it('where nobody alone is to blame the own update is taken, and all others are set aside together', () => {
  const found = judged([1.12, 1.12, 1, 1.12, 1.12, 1.12], 0.09, 1.011)
  // each alone is worse by .109 and the merge by .089: now each is judged innocent, and their merge is not
  const blamed = judged([1.1, 1.1, 1.1, 1.1, 1.1, 1.1], 0.09, 1)
  assert.equal(found.judged.left, [])
  assert.is(blamed.judged.merged.authors.length, 1)
  assert.equal(new Set(blamed.judged.left.map(({ reason }) => reason)), new Set(['worsens']))
})

it('however many updates there are, eight are judged one by one, and the rest goes with them', () => {
  const found = judged([5, 5, 1, ...Array.from({ length: 17 }, () => 5)])
  assert.ok(found.asked.length <= 3 + VETO.triedMax)
  assert.equal(found.judged.merged.authors, [OWN])
  const reasons = found.judged.left.map(({ reason }) => reason)
  assert.is(reasons.filter((reason) => reason === 'worsens').length, VETO.triedMax)
  assert.is(reasons.filter((reason) => reason === 'worsens-together').length, 19 - VETO.triedMax)
})

it('the own update alone is not judged', () => {
  const inputs = [{ author: OWN, examples: 50, ageRounds: 0, weights: Float32Array.of(9) }]
  const given = { rule: RULE, inputs, own: OWN, reference: Float32Array.of(1), toleranceNats: 0 }
  assert.is(judgedMerge(given).next().done, true)
})

it('chance makes no veto: the difference must exceed the tolerance by two standard errors', () => {
  const before = new Float64Array(25)
  const after = (mean: number, apart: number) =>
    before.map((_, row) => mean + (row % 2 === 0 ? apart : -apart) * (row < 24 ? 1 : 0))
  assert.is(isWorse(before, after(0.2, 0), 0.1), true)
  assert.is(isWorse(before, after(0.2, 0.2), 0.1), true) // standard error .04
  assert.is(isWorse(before, after(0.2, 0.3), 0.1), false) // .06
  assert.is(isWorse(before, after(0.09, 0), 0.1), false)
})

it('a model whose losses overflow is worse', () => {
  const before = new Float64Array(25)
  const after = before.slice().fill(0.01)
  after[7] = Number.POSITIVE_INFINITY
  assert.is(isWorse(before, after, 0.1), true)
  assert.is(isWorse(before, after.fill(Number.NaN), 0.1), true)
})

it.run()
