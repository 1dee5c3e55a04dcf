/** D-PSGD against Algorithm 1, with W written out. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  dpsgd,
  lian2017,
  metropolis,
  type Neighbours,
  psgdTrial,
  ringOf,
} from '../../../netsim/experiments/lian2017.ts'
import { alike, combined, type Plain, stepped, tiny, tinyOptions, Watched } from './plain.ts'

const it = suite('experiment lian2017')

const LINE: Neighbours = [[1], [0, 2], [1]]
/** Of the line of three: 1 / (1 + 2) for both links. */
const W = [
  [2 / 3, 1 / 3, 0],
  [1 / 3, 1 / 3, 1 / 3],
  [0, 1 / 3, 2 / 3],
]

it('x(k+1) = W x(k) − γ ∇F(x(k)), the gradient taken before mixing', () => {
  const trial = new Watched('D-PSGD', tinyOptions({ rounds: 4 }))
  const { messages } = dpsgd(trial, LINE)
  let models: Plain[] = [0, 1, 2].map(() => [0, 0, 0])
  for (let round = 1; round <= 4; round++) {
    const gradients = models.map((model, node) => combined([stepped(node, model), model], [1, -1])) // −γ ∇F
    models = models.map((_, i) => combined([combined(models, W[i] as number[]), gradients[i] as Plain], [1, 1]))
    assert.ok(alike(trial.seen[round] as Plain[], models), `round ${round}`)
  }
  assert.is(messages, 4 * 4, 'one for each end of a link and step')
})

it('private heads take their own gradients and are not mixed', () => {
  const trial = new Watched('D-PSGD', tinyOptions({ rounds: 2, head: 'private' }))
  dpsgd(trial, LINE)
  let models: Plain[] = [0, 1, 2].map(() => [0, 0, 0])
  for (let round = 1; round <= 2; round++) {
    const after = models.map((model, node) => stepped(node, model))
    models = models.map((model, i) => {
      const mixed = combined([combined(models, W[i] as number[]), after[i] as Plain, model], [1, 1, -1])
      return [mixed[0] as number, mixed[1] as number, after[i]?.[2] as number]
    })
    assert.ok(alike(trial.seen[round] as Plain[], models), `round ${round}`)
  }
})

it('what does not arrive counts as the own model: with all lost everybody trains alone', () => {
  const trial = new Watched('D-PSGD', tinyOptions({ loss: 1 }))
  dpsgd(trial, LINE)
  const alone = [0, 1, 2].map((node) => stepped(node, [0, 0, 0], 3))
  assert.ok(alike(trial.seen[3] as Plain[], alone))
})

it('who is off stays as it is', () => {
  const trial = new Watched('D-PSGD', tinyOptions({ rounds: 12, offlineShare: 0.5 }))
  dpsgd(trial, LINE)
  let stays = 0
  for (let round = 1; round <= 12; round++)
    for (const node of [0, 1, 2])
      if (alike([trial.seen[round]?.[node] as Plain], [trial.seen[round - 1]?.[node] as Plain])) stays++
  assert.ok(stays > 6 && stays < 30, `${stays} of 36`)
})

it('W is symmetric and doubly stochastic, thirds on a ring, for any graph', () => {
  const star: Neighbours = [[1, 2, 3, 4], [0], [0, 3], [0, 2], [0]]
  for (const graph of [LINE, ringOf(5), star]) {
    const weights = metropolis(graph)
    const n = graph.length
    for (let i = 0; i < n; i++) {
      let [row, column] = [0, 0]
      for (let j = 0; j < n; j++) {
        row += weights[i * n + j] as number
        column += weights[j * n + i] as number
        assert.is(weights[i * n + j], weights[j * n + i])
        assert.ok((weights[i * n + j] as number) >= 0)
      }
      assert.ok(Math.abs(row - 1) < 1e-12 && Math.abs(column - 1) < 1e-12)
    }
  }
  assert.equal(
    metropolis(LINE).map((x) => Math.round(x * 3)),
    Float64Array.from(W.flat(), (x) => Math.round(x * 3)),
  )
  assert.equal(ringOf(5)[0], [1, 4])
  assert.equal(ringOf(2), [[1], [0]])
})

it('a local update is one step on all rows, whatever the study says', () => {
  const federation = tiny()
  const training = { ...federation.training, localEpochs: 5, batchRows: 1, optimiser: 'adam' } as const
  const trial = psgdTrial('', tinyOptions({ federation: { ...federation, training } }))
  const [slot] = trial.start() as [number]
  trial.train(2, slot, slot, 1)
  const { shared, head } = trial.fleet.read(slot)
  assert.ok(alike([[...shared, ...head]], [stepped(2, [0, 0, 0])]))
})

it('on a ring it follows the server step by step', async () => {
  const { arms } = await lian2017({ rounds: 60 })
  const [server, ring] = arms.map(({ curve }) => curve)
  for (const round of [5, 20, 60]) {
    const gap = (ring?.[round]?.logLossEverywhere as number) - (server?.[round]?.logLossEverywhere as number)
    assert.ok(Math.abs(gap) < 0.01, `round ${round}: ${gap}`)
  }
})

it.run()
