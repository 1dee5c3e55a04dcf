/** The layout of weights, the first weights, and the plain forward pass. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { weightsDigest } from '../../src/core/digest.ts'
import { digest } from '../../src/core/ids.ts'
import { initialWeights, layout, parameterCount, predict } from '../../src/learn/model.ts'
import { LOGISTIC, MLP } from './fixtures.ts'

const it = suite('model')
const SEED = digest('5eed'.padEnd(64, '3'))

it('every parameter but the output bias is shared', () => {
  assert.equal(parameterCount(LOGISTIC, 135), { shared: 135, head: 1 })
  assert.equal(parameterCount(MLP, 5), { shared: 5 * 6 + 6 + 6 * 3 + 3 + 3, head: 1 })
})

it('the layout leaves no gap: each kernel, then its bias', () => {
  assert.equal(layout(MLP, 5), [
    { inputs: 5, outputs: 6, kernelAt: 0, biasAt: 30 },
    { inputs: 6, outputs: 3, kernelAt: 36, biasAt: 54 },
    { inputs: 3, outputs: 1, kernelAt: 57, biasAt: null },
  ])
})

it('an MLP of 2-2-1 worked out by hand: kernels are [inputs × outputs], row-major', () => {
  const weights = { shared: [1, -2, 3, 4, 0.5, -7, 2, 10], head: [0.25] }
  // first row: relu(1·2 + 3·3 + .5, −2·2 + 4·3 − 7) = (11.5, 1); second: relu(−1 + .5, 2 − 7) = (0, 0)
  const x = Float32Array.of(2, 3, -1, 0)
  assert.equal(
    predict({ kind: 'mlp', hidden: [2] }, 2, weights, { rows: 2, columns: 2, x }),
    Float64Array.of(33.25, 0.25),
  )
})

it('logistic regression starts from zeros, an MLP within its Glorot limits with biases of zero', () => {
  assert.equal(initialWeights(LOGISTIC, 7, SEED).shared, new Float32Array(7))
  const { shared, head } = initialWeights({ kind: 'mlp', hidden: [40] }, 20, SEED)
  const kernel = shared.subarray(0, 800)
  const limit = Math.sqrt(6 / 60)
  assert.ok(kernel.every((value) => Math.abs(value) <= limit))
  assert.ok(Math.max(...kernel) > 0.98 * limit && Math.min(...kernel) < -0.98 * limit)
  const variance = kernel.reduce((sum, value) => sum + value * value, 0) / 800
  assert.ok(Math.abs(variance - limit ** 2 / 3) < 0.004, `variance ${variance}`) // four deviations of 800 draws
  assert.equal(shared.subarray(800, 840), new Float32Array(40))
  assert.equal(head, new Float32Array(1))
})

it('golden: one seed gives the same first weights on every machine, another seed others', () => {
  assert.is(
    weightsDigest(initialWeights(MLP, 9, SEED).shared),
    'c82f19567375e6dbd7b39e3035fc2abb30e15cd96f8424c1d6a6f8c1abe33e66',
  )
  assert.is.not(
    weightsDigest(initialWeights(MLP, 9, digest('5eee'.padEnd(64, '3'))).shared),
    'c82f19567375e6dbd7b39e3035fc2abb30e15cd96f8424c1d6a6f8c1abe33e66',
  )
})

it('weights of another model are refused as our own bug', () => {
  const matrix = { rows: 1, columns: 5, x: new Float32Array(5) }
  assert.throws(() => predict(MLP, 5, initialWeights(LOGISTIC, 5, SEED), matrix), /another model/)
})

it.run()
