/** `node liar.mjs start --home …`: a daemon that publishes what it learned the other way round (sign flip, Karimireddy et al. 2022). */
import { WorkerLearner } from '../../../dist/src/learn/workerLearner.js'

const { train } = WorkerLearner.prototype
WorkerLearner.prototype.train = async function flipped(request) {
  const trained = await train.call(this, request)
  const { shared } = request.base
  const lie = trained.weights.shared.map((weight, i) => 2 * shared[i] - weight)
  return { ...trained, weights: { ...trained.weights, shared: lie } }
}

await import('../../../dist/src/main.js')
