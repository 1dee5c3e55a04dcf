/** FedAvg against Algorithm 1 in plain JavaScript. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fedAvg, fedAvgTrial } from '../../../netsim/experiments/mcmahan2017.ts'
import { alike, combined, type Plain, rowsOf, stepped, tinyOptions, Watched } from './plain.ts'

const it = suite('experiment mcmahan2017')

const NODES = [0, 1, 2]
const ZERO: Plain = [0, 0, 0]
const ROWS = NODES.map(rowsOf)
const SHARES = ROWS.map((rows) => rows / 9)

it('the server takes the mean of the trained models, weighted by rows', () => {
  const trial = new Watched('FedAvg', tinyOptions())
  const { messages, bytes } = fedAvg(trial, 1)
  let global = ZERO
  for (let round = 1; round <= 3; round++) {
    global = combined(
      NODES.map((node) => stepped(node, global)),
      SHARES,
    )
    assert.ok(alike(trial.seen[round] as Plain[], [global, global, global]), `round ${round}`)
  }
  assert.is(messages, 3 * 3 * 2, 'there and back, for each client')
  assert.is(bytes, messages * 3 * 4)
})

it('private heads stay at their clients: only the weights are averaged', () => {
  const trial = new Watched('FedAvg', tinyOptions({ head: 'private' }))
  const { bytes } = fedAvg(trial, 1)
  let clients = [ZERO, ZERO, ZERO]
  for (let round = 1; round <= 3; round++) {
    const trained = clients.map((model, node) => stepped(node, model))
    const mean = combined(trained, SHARES)
    clients = trained.map(([, , head]) => [mean[0] as number, mean[1] as number, head as number])
    assert.ok(alike(trial.seen[round] as Plain[], clients), `round ${round}`)
  }
  assert.is(bytes, 18 * 2 * 4)
})

it('a share C of the clients is asked, at least one', () => {
  for (const [share, asked] of [
    [0.67, 2],
    [0.01, 1],
  ] as const) {
    const trial = new Watched('FedAvg', tinyOptions({ rounds: 8 }))
    const { messages } = fedAvg(trial, share)
    assert.is(messages, 8 * 2 * asked)
    const pairs = NODES.flatMap((a) =>
      NODES.filter((b) => (asked === 2 ? a < b : a === b)).map((b) => [...new Set([a, b])]),
    )
    const first = trial.seen[1] as Plain[]
    const means = pairs.map((nodes) => {
      const rows = nodes.reduce((sum, node) => sum + rowsOf(node), 0)
      return combined(
        nodes.map((node) => stepped(node, ZERO)),
        nodes.map((node) => rowsOf(node) / rows),
      )
    })
    assert.is(means.filter((mean) => alike([first[0] as Plain], [mean])).length, 1, 'the mean is over those asked')
  }
})

it('whose message is lost, there or back, has no part in the mean; with nobody heard the model stays', () => {
  const trial = new Watched('FedAvg', tinyOptions({ rounds: 12, loss: 0.4 }))
  const { messages } = fedAvg(trial, 1)
  const luck = trial.chance('loss') // the same draws again, one a message
  const arrives = (): boolean => luck.float() >= 0.4
  let [global, sent] = [ZERO, 0]
  for (let round = 1; round <= 12; round++) {
    const heard = NODES.filter(() => {
      sent++
      if (!arrives()) return false
      sent++
      return arrives()
    })
    const rows = heard.reduce((sum, node) => sum + rowsOf(node), 0)
    const trained = heard.map((node) => stepped(node, global))
    if (rows > 0)
      global = combined(
        trained,
        heard.map((node) => rowsOf(node) / rows),
      )
    assert.ok(alike(trial.seen[round] as Plain[], [global, global, global]), `round ${round}`)
  }
  assert.is(messages, sent)
  const deaf = new Watched('FedAvg', tinyOptions({ loss: 1 }))
  fedAvg(deaf, 1)
  assert.ok(alike(deaf.seen[3] as Plain[], [ZERO, ZERO, ZERO]))
  const off = new Watched('FedAvg', tinyOptions({ offlineShare: 1 }))
  assert.is(fedAvg(off, 1).messages, 0)
})

it('E epochs are E steps of each client between two means', () => {
  const given = tinyOptions({ rounds: 1 })
  const trial = new Watched('FedAvg', given, fedAvgTrial('', given, { localEpochs: 4, batchRows: null }).training)
  fedAvg(trial, 1)
  const mean = combined(
    NODES.map((node) => stepped(node, ZERO, 4)),
    SHARES,
  )
  assert.ok(alike(trial.seen[1] as Plain[], [mean, mean, mean]))
})

it.run()
