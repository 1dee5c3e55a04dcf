/** Loaded with `node --import` into a test's daemon: what its learner trains comes out the other way round, three times as far. */
import { WorkerLearner } from '../../dist/src/learn/workerLearner.js'

const { train } = WorkerLearner.prototype

WorkerLearner.prototype.train = async function (request) {
  const trained = await train.call(this, request)
  const base = request.base.shared
  const shared = trained.weights.shared.map((weight, i) => base[i] - 3 * (weight - base[i]))
  return { ...trained, weights: { ...trained.weights, shared } }
}
