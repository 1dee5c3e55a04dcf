/** A whole simulated study, machine, ledger and all, whose nodes train with the kernels. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runStudy } from '../../netsim/members/run.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { Kernels } from '../../src/learn/kernels/kernels.ts'
import type { Learner } from '../../src/learn/learner.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { runOf } from '../node/clinics.ts'

const it = suite('kernel run')

const run = (learner: () => Learner) => runStudy(runOf(4, 'kernels', { learner }))

it('four nodes with learners over one memory settle on a study, again to the same trace, and as with TensorFlow.js', async () => {
  const kernels = new Kernels()
  const first = await run(() => new KernelLearner(kernels))
  assert.ok(first.settled)
  assert.is((await run(() => new KernelLearner())).trace, first.trace)
  const learners: TfjsLearner[] = []
  const other = await run(() => {
    const learner = new TfjsLearner({ backend: 'cpu' })
    learners.push(learner)
    return learner
  })
  for (const learner of learners) await learner.close()
  first.nodes.forEach(({ model, metrics }, node) => {
    const theirs = other.nodes[node]
    assert.ok(model && metrics && theirs?.model && theirs.metrics)
    assert.is(model.round, theirs.model.round)
    const { shared } = theirs.model.weights
    assert.ok(model.weights.shared.every((value, i) => Math.abs(value - (shared[i] as number)) < 1e-3))
    assert.ok(Math.abs(metrics.logLoss - theirs.metrics.logLoss) < 1e-3)
  })
})

it.run()
