/** Who trains a study: measured, told, and then kept to. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ChosenLearner } from '../../src/learn/chosenLearner.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { LOGISTIC, MLP, opening, STUDY, someWeights, table } from './fixtures.ts'

const it = suite('chosen learner')
const NONE = new Uint8Array(0)

it('a small model goes to the kernels without a look at TensorFlow.js, and trains as they do', async () => {
  const learner = new ChosenLearner()
  const { backend, why } = await learner.open(opening({ model: MLP }))
  assert.is(backend, 'kernels')
  assert.match(why, /^a step takes 0\.\d{3} ms on kernels; TensorFlow.js needs 0.2 ms at least$/)
  const request = { study: STUDY, base: someWeights(MLP, 5), optimiser: NONE, seed: 's' }
  const kernels = new KernelLearner()
  await kernels.open(opening({ model: MLP }))
  assert.equal(await learner.train(request), await kernels.train(request))
  assert.equal(await learner.evaluate(STUDY, request.base), await kernels.evaluate(STUDY, request.base))
  assert.equal(await learner.logits(STUDY, request.base, 'train'), await kernels.logits(STUDY, request.base, 'train'))
  await learner.close()
  await kernels.close()
})

it('a larger one is measured on both, both times are told, and the faster trains it', async () => {
  const learner = new ChosenLearner()
  const [train, test] = [table('wide', 600, 40), table('wide test', 20, 40)]
  const { backend, why } = await learner.open(
    opening({ model: { kind: 'mlp', hidden: [128, 64] }, train, test, trainings: { batchRows: 512 } }),
  )
  const [, kernelsMs, theirsMs, other] = /^a step takes ([\d.]+) ms on kernels, ([\d.]+) ms on (\w+)/.exec(why) ?? []
  assert.ok(Number(kernelsMs) > 0.2, why)
  assert.is(backend, Number(kernelsMs) <= Number(theirsMs) ? 'kernels' : other, why)
  await learner.close()
})

it('what is asked for is taken; opened again a study stays where it is; what is not open is refused', async () => {
  for (const backend of ['kernels', 'wasm', 'cpu'] as const) {
    const learner = new ChosenLearner({ backend })
    assert.equal(await learner.open(opening()), { backend, why: 'asked for' })
    assert.is((await learner.open(opening({ train: table('other', 30, 5) }))).backend, backend)
    const request = { study: STUDY, base: someWeights(LOGISTIC, 5), optimiser: NONE, seed: 's' }
    assert.is((await learner.train(request)).examples, 30)
    await learner.close()
    try {
      await learner.train(request)
      assert.unreachable()
    } catch (error) {
      assert.is((error as { code?: string }).code, 'learner-study-not-open')
    }
  }
})

it.run()
