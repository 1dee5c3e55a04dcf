/** A member that was away for longer than updates are merged: what it makes of itself when it is back, and what is told of it meanwhile. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rounds } from '../../src/gossip/rounds.ts'
import { Shelf } from '../../src/gossip/shelf.ts'
import { ADA, BEN, digestOf, headerOf, keyOf, SCALING, SOUND, STUDY } from './fixtures.ts'

const it = suite('absence')

const [CLEO, DAN] = [keyOf('cleo').member, keyOf('dan').member]
const AGE_MAX = 6
const PERIOD_MS = 3_600_000
const EXPECTED = { parameters: 3, scaling: SCALING, rounds: 1_000, accepted: { has: () => true } }

/** Ada trains round 24 at the hour 5 and publishes it, having heard these rounds of the others. */
function backWith(heard: Readonly<Record<string, number>>) {
  const rounds = new Rounds(ADA.member)
  rounds.begin(24, digestOf('a week ago'))
  for (const [author, round] of Object.entries(heard)) {
    const offer = { author: author as typeof CLEO, round, examples: 50, scaling: SCALING, parameters: 3 }
    assert.is(rounds.judge({ ...offer, digest: digestOf(author) }, SOUND, EXPECTED).verdict, 'accept')
  }
  rounds.start(5 * PERIOD_MS)
  rounds.record({ update: digestOf('own'), examples: 50 })
  rounds.publish(AGE_MAX)
  return rounds
}

/** As if the merge were of all inputs but these. */
function completed(rounds: Rounds, without: readonly (typeof CLEO)[] = []) {
  const result = digestOf('merged')
  assert.ok(rounds.mergedInto(24, result, new Set(without)))
  assert.ok(rounds.evaluated(24, result))
  return rounds.complete(1_000)
}

const ownAge = (rounds: Rounds) => rounds.inputs.find(({ author }) => author === ADA.member)?.ageRounds

it('who comes back behind most others counts as old to itself, and its next round, from what it has merged, begins at once', () => {
  const rounds = backWith({ [BEN.member]: 190, [CLEO]: 192 })
  assert.is(ownAge(rounds), AGE_MAX)
  assert.equal(
    rounds.inputs.map(({ author, ageRounds }) => [author, ageRounds]),
    [ADA.member, BEN.member, CLEO].sort().map((author) => [author, author === ADA.member ? AGE_MAX : 0]),
  )
  assert.equal(completed(rounds), { ended: false, caughtUpTo: 191 })
  assert.is(rounds.dueMs(PERIOD_MS), 5 * PERIOD_MS)
  rounds.start(5 * PERIOD_MS + 20)
  assert.is(rounds.dueMs(PERIOD_MS), 6 * PERIOD_MS + 20)
})

it('a node that is as far as most, or hardly behind them, counts as new, and waits for the next hour', () => {
  for (const heard of [
    { [BEN.member]: 24, [CLEO]: 25 },
    { [BEN.member]: 24 + AGE_MAX, [CLEO]: 24 + AGE_MAX },
    { [BEN.member]: 900, [CLEO]: 23, [DAN]: 24 }, // one alone pushes nobody
    { [BEN.member]: 900 },
    {},
  ]) {
    const rounds = backWith(heard)
    assert.is(ownAge(rounds), 0, JSON.stringify(heard))
    completed(rounds)
    assert.is(rounds.dueMs(PERIOD_MS), 6 * PERIOD_MS)
  }
})

it('where what the others have is not taken after all, the next hour is waited for', () => {
  const rounds = backWith({ [BEN.member]: 190, [CLEO]: 192 })
  assert.equal(completed(rounds, [BEN.member, CLEO]), { ended: false, caughtUpTo: null })
  assert.is(rounds.dueMs(PERIOD_MS), 6 * PERIOD_MS)
})

it('a round that came to nothing, for it was not allowed any more or the learner failed, is tried again without an hour’s wait', () => {
  for (const end of ['drop', 'fail'] as const) {
    const rounds = new Rounds(ADA.member)
    rounds.begin(24, digestOf('a base'))
    rounds.start(5 * PERIOD_MS)
    assert.is(rounds.dueMs(PERIOD_MS), 6 * PERIOD_MS)
    if (end === 'drop') rounds.drop()
    else {
      assert.ok(rounds.failed(5 * PERIOD_MS + 300, 24))
      rounds.begin(24, digestOf('a base'))
    }
    assert.is(rounds.dueMs(PERIOD_MS), 5 * PERIOD_MS, end)
  }
})

it('after a restart the round after the one that was trained already begins at once', () => {
  const rounds = new Rounds(ADA.member)
  rounds.recall(24, null)
  rounds.resume(digestOf('a base'), [], { update: digestOf('own'), examples: 50 })
  assert.is(rounds.dueMs(PERIOD_MS), PERIOD_MS, 'of 1970')
})

it('others are not told of an update that is merged no more, until its author is back; own ones always are', () => {
  const shelf = new Shelf()
  const put = (author: typeof CLEO, round: number, w: number) => {
    const weights = Float32Array.of(w, 2, 3)
    const header = headerOf(weights, { author, round })
    shelf.put({ message: Uint8Array.of(w), header, payload: null, keyframe: null })
    return header.digest
  }
  const [own, ben, cleo] = [put(ADA.member, 8, 11), put(BEN.member, 7, 12), put(CLEO, 9, 13)]
  shelf.retire(STUDY, [own, ben], ADA.member)
  const told = () => shelf.current(STUDY).map(({ header }) => header.author)
  assert.equal(told().sort(), [ADA.member, CLEO].sort())
  assert.is(shelf.newest(STUDY).length, 3, 'it is known of, so that nobody tells of it here')
  assert.is(shelf.find(STUDY, BEN.member, ben)?.header.round, 7, 'and found by who asks for it')
  shelf.retire(STUDY, [cleo, digestOf('another')], ADA.member)
  put(BEN.member, 8, 14)
  assert.equal(told().sort(), [ADA.member, BEN.member].sort())
  put(CLEO, 8, 15) // older: what was retired is still the newest
  assert.is(told().includes(CLEO), false)
})

it.run()
