/** Partitioned token gossip: the accounts' bounds and chances, merges of parts by hand, and the shape of the paper's curves. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  hegedus2021,
  PartitionedModels,
  partitionedGossip,
  partLength,
} from '../../../netsim/experiments/hegedus2021.ts'
import { proactive, TokenAccount } from '../../../netsim/experiments/tokenAccount.ts'
import { Rng } from '../../../src/core/rng.ts'
import { alike, combined, type Plain, SOME, stepped, tiny, tinyOptions, Watched } from './plain.ts'

const it = suite('experiment hegedus2021')

it('a balance stays between 0 and C, and nobody sends more than a message a period', () => {
  const accounts = fc.record({ reactivity: fc.integer({ min: 1, max: 12 }), more: fc.integer({ min: 0, max: 12 }) })
  fc.assert(
    fc.property(
      accounts,
      fc.array(fc.boolean(), { maxLength: 300 }),
      fc.nat(),
      ({ reactivity, more }, events, seed) => {
        const capacity = reactivity + more
        const account = new TokenAccount({ reactivity, capacity }, Rng.from('test', seed))
        let [periods, sent] = [0, 0]
        for (const period of events) {
          if (period) periods++
          sent += period ? (account.onPeriod() ? 1 : 0) : account.onMessage()
          assert.ok(Number.isInteger(account.balance) && account.balance >= 0 && account.balance <= capacity)
          assert.is(account.balance, periods - sent, 'each period gives one token, each message costs one')
        }
      },
    ),
  )
})

it('the chance to send without cause rises from 0 at A − 1 to 1 at C', () => {
  const options = { reactivity: 3, capacity: 7 }
  const chances = [0, 1, 2, 3, 4, 5, 6, 7].map((balance) => proactive(balance, options))
  assert.equal(chances, [0, 0, 0, 1 / 5, 2 / 5, 3 / 5, 4 / 5, 1])
  assert.is(proactive(1, { reactivity: 1, capacity: 1 }), 1)
  assert.throws(() => new TokenAccount({ reactivity: 5, capacity: 4 }, Rng.from('test')), /A = 5 and C = 4/)
})

it('an answer is a / A messages, rounded by chance', () => {
  let sent = 0
  const runs = 4_000
  for (let seed = 0; seed < runs; seed++) {
    const account = new TokenAccount({ reactivity: 6, capacity: 40 }, Rng.from('test', 'answer', seed))
    for (let period = 0; period < 5; period++) assert.not(account.onPeriod()) // a balance of 5: below A, none is sent
    const answer = account.onMessage()
    assert.ok(answer === 0 || answer === 1)
    sent += answer
  }
  const deviation = Math.sqrt((5 / 6) * (1 / 6) * runs)
  assert.ok(Math.abs(sent - (5 / 6) * runs) < 4 * deviation, `${sent} of ${runs}`)
})

it('a part is merged by age, all of the model is updated, and ages are those of the older plus the update', () => {
  const trial = new Watched('', tinyOptions())
  const { fleet } = trial
  const models = new PartitionedModels(trial, 2) // w1 and b are part 0, w2 is part 1
  const weightsOf = (model: Plain) => ({
    shared: Float32Array.from(model.slice(0, 2)),
    head: Float32Array.from(model.slice(2)),
  })
  const [own, first, second] = SOME as [Plain, Plain, Plain]
  fleet.write(models.slots[1] as number, weightsOf(own))
  const expect = (model: Plain, ages: readonly [number, number]): void => {
    const { shared, head } = fleet.read(models.slots[1] as number)
    assert.ok(alike([[...shared, ...head]], [model]), `${[...shared, ...head]} and not ${model}`)
    assert.equal([models.ageOf(1, 0), models.ageOf(1, 1)], ages)
  }
  const used = fleet.slotsUsed
  models.hear(1, 1, 3, weightsOf(first)) // against age 0: the other's w2 as it is
  const one = stepped(1, [own[0] as number, first[1] as number, own[2] as number])
  expect(one, [1, 4])
  models.hear(1, 0, 3, weightsOf(second)) // against age 1: three quarters of the other's w1 and b
  const mixed = combined([second, one], [3 / 4, 1 / 4])
  expect(stepped(1, [mixed[0] as number, one[1] as number, mixed[2] as number]), [4, 5])
  assert.is(fleet.slotsUsed, used)
  assert.equal([models.ageOf(0, 0), models.ageOf(2, 1)], [0, 0], 'the others are as they were')
})

it('with private heads b stays with its node', () => {
  const trial = new Watched('', tinyOptions({ head: 'private' }))
  const models = new PartitionedModels(trial, 2)
  models.hear(0, 0, 3, { shared: Float32Array.of(2, 9), head: Float32Array.of(7) })
  const { shared, head } = trial.fleet.read(models.slots[0] as number)
  assert.ok(alike([[...shared, ...head]], [stepped(0, [2, 0, 0])]))
})

it('the parts of a model together are as long as the model', () => {
  for (const [parameters, parts] of [
    [29, 4],
    [3, 4],
    [11, 1],
  ] as const) {
    let sum = 0
    for (let part = 0; part < parts; part++) sum += partLength(parameters, parts, part)
    assert.is(sum, parameters)
  }
})

it('without tokens every node sends one message a cycle; with them never more bytes than that', async () => {
  const options = tinyOptions({ federation: tiny(12), rounds: 40 })
  const plain = await partitionedGossip(new Watched('', options), { parts: 1, tokens: null })
  assert.is(plain.messages, 12 * 40)
  for (const parts of [1, 3]) {
    const trial = new Watched('', { ...options, loss: 0.1 })
    const tokens = await partitionedGossip(trial, { parts, tokens: { reactivity: 4, capacity: 8 } })
    assert.ok(tokens.bytes <= plain.bytes && tokens.bytes > plain.bytes / 2, `${tokens.bytes} of ${plain.bytes}`)
    assert.ok(trial.fleet.slotsUsed <= 3 * 12, 'models on their way are let go')
  }
})

it('for the same bytes token accounts learn faster than one message a cycle, partitioned faster still', async () => {
  const { arms } = await hegedus2021({ rounds: 50 })
  const [gossip, tokens, partitioned, server] = arms.map(({ curve }) => curve.at(-1)?.logLossEverywhere as number)
  assert.ok((tokens as number) < (gossip as number) - 0.02, `${tokens} against ${gossip}`)
  assert.ok((partitioned as number) < (tokens as number) - 0.02, `${partitioned} against ${tokens}`)
  assert.ok((partitioned as number) < (server as number))
  for (const { bytes } of arms) assert.ok(bytes <= (arms[0]?.bytes as number))
})

it.run()
