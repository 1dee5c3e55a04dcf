/** Where a node meets the others of a study: topics joined ahead and left behind, and who may speak on them. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sharedParameters } from '../../src/config/study.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import type { CellName } from '../../src/gossip/cells.ts'
import { Rounds } from '../../src/gossip/rounds.ts'
import type { Permit } from '../../src/governance/permit.ts'
import { Studies, type StudyState } from '../../src/governance/studies.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import { CellTopics } from '../../src/node/cellTopics.ts'
import { Context } from '../../src/node/context.ts'
import { expectationOf } from '../../src/node/expectation.ts'
import { digestOf, headerOf, keyOf, SOUND } from '../gossip/fixtures.ts'
import { ID, STUDY } from './harness.ts'

const it = suite('cellTopics')
const MEMBERS = Array.from({ length: 24 }, (_, i) => keyOf(`member ${i}`).member)
const PERIOD_MS = 60_000
const START_MS = 29_166_667 * PERIOD_MS // a boundary
const SCALING = digestOf('scaling')
const CELLS = { above: 6, size: 6, periodSeconds: 60 }

/** One node that follows its cells, as the machine drives it. */
class Follower {
  readonly self: MemberId
  readonly context: Context
  readonly rounds: Rounds
  readonly topics = new CellTopics(ID)
  readonly state: StudyState
  permit: Permit
  round = 0
  told: { publish: CellName | null; listen: readonly (CellName | null)[] } | null = null

  constructor(self: MemberId, bound: readonly MemberId[] = MEMBERS, cells: typeof CELLS | null = CELLS) {
    this.self = self
    this.context = new Context(self, digestOf('founding'), rollOf(MEMBERS), new Studies())
    this.rounds = new Rounds(self)
    this.rounds.begin(7, digestOf('base'))
    const study = { ...STUDY, cells, rounds: { periodSeconds: 5, count: 1_000 } }
    this.state = { id: ID, study, accepted: new Set(MEMBERS), bound: new Set(bound) } as unknown as StudyState
    this.permit = { study: ID, dataset: digestOf('dataset'), scaling: SCALING } as Permit
  }

  at(ms: number): this {
    this.context.now = START_MS + ms
    this.context.out = []
    this.topics.follow(this.context, this.state, this.permit, this.rounds)
    return this.note()
  }

  note(): this {
    for (const action of this.context.out) if (action.type === 'topics') this.told = action
    return this
  }

  /** Publishes to where `to` hears it, or not; gives the verdict or its reason. */
  hears(author: MemberId, cell: CellName | null, round: number): string {
    const header = headerOf(new Float32Array(2), {
      ...{ study: ID, author, round, scaling: SCALING, digest: digestOf(`${author} ${round}`) as Digest },
      parameters: sharedParameters(STUDY),
    })
    const expected = expectationOf(this.state, this.permit, this.context)
    const judgement = this.topics.judge(header, SOUND, cell, expected, this.rounds)
    return judgement.verdict === 'accept' ? 'accept' : judgement.reason
  }

  get publish(): CellName | null {
    assert.ok(this.told !== null)
    return this.told.publish
  }

  get held(): { author: MemberId; round: number }[] {
    return this.rounds.exchange.held.map(({ author, round }) => ({ author, round }))
  }
}

const everybody = (ms: number): Follower[] => MEMBERS.map((member) => new Follower(member).at(ms))
const key = (cell: CellName | null): string => JSON.stringify(cell)
const matesOf = (one: Follower, all: readonly Follower[]): Follower[] =>
  all.filter((other) => other.self !== one.self && key(other.publish) === key(one.publish))
const first = <T>(list: readonly T[]): T => list[0] as T
const bitOn = (one: Follower, ms: number): CellName => one.at(ms).publish as CellName

it('all members compute the same cells, each of a bounded number, and hear their mates', () => {
  const all = everybody(1_000)
  for (const one of all) {
    const mates = matesOf(one, all)
    assert.ok(mates.length >= 2 && mates.length < CELLS.size, `${mates.length} mates`)
    for (const mate of mates) assert.is(one.hears(mate.self, mate.publish, 3), 'accept')
    assert.equal(one.topics.view(), { cell: one.publish?.cell, of: 4, members: 6 })
  }
})

it('up to the bound there is one topic, nothing wakes, and nothing changes in a year', () => {
  for (const few of [new Follower(first(MEMBERS), MEMBERS.slice(0, 6)), new Follower(first(MEMBERS), MEMBERS, null)]) {
    few.at(0)
    assert.equal(few.told, { type: 'topics', study: ID, publish: null, listen: [null] })
    assert.is(few.topics.wakeAtMs(), null)
    assert.equal(few.at(365 * 86_400_000).context.out, [])
    assert.is(few.hears(MEMBERS[5] as MemberId, null, 3), 'accept')
  }
})

it('the next topic is joined a whole period ahead, the last one left a period later, and there are never more than three', () => {
  fc.assert(
    fc.property(fc.nat(23), fc.array(fc.nat(150_000), { minLength: 5, maxLength: 30 }), (who, steps) => {
      const one = new Follower(MEMBERS[who] as MemberId)
      let ms = 0
      let before = new Set<string>()
      for (const step of steps) {
        one.at(ms)
        const listen = new Set(one.told?.listen.map(key))
        const period = Math.floor(one.context.now / PERIOD_MS)
        assert.ok(listen.size <= 3 && listen.has(key(one.publish)))
        assert.equal(
          one.told?.listen.map((cell) => cell?.period),
          [period - 1, period, period + 1],
        )
        if (step < PERIOD_MS && before.size > 0) assert.ok(before.has(key(one.publish)), 'joined before it begins')
        before = step < PERIOD_MS - (one.context.now % PERIOD_MS) ? new Set() : listen
        if (step > PERIOD_MS) before = new Set()
        assert.is(one.topics.wakeAtMs(), (period + 1) * PERIOD_MS)
        ms += step
      }
    }),
  )
})

it('clocks that differ by nearly a period: what is said is heard, and counts when its cell begins', () => {
  for (const skewMs of [-50_000, -7_000, 9_000, 55_000]) {
    const [all, skewed] = [everybody(30_000), everybody(30_000 + skewMs)]
    for (const [i, one] of skewed.entries()) {
      if (key(one.publish) === key(all[i]?.publish ?? null)) continue
      const hearing = all.filter(
        ({ told, self }) => self !== one.self && told?.listen.map(key).includes(key(one.publish)),
      )
      assert.ok(hearing.length >= 5, `${hearing.length} hear it`)
      for (const other of hearing) {
        assert.is(other.hears(one.self, one.publish, 3), 'accept')
        const counts = (): boolean => other.held.some(({ author }) => author === one.self)
        assert.is(counts(), skewMs < 0)
        if (skewMs > 0) assert.ok(other.at(PERIOD_MS + 1) && counts())
        other.at(30_000)
      }
    }
  }
})

it('who is not dealt to a cell is not heard there, whichever of its topics it is', () => {
  const all = everybody(10_000)
  const [one] = all as [Follower]
  const apart = all.filter((other) => key(other.publish) !== key(one.publish))
  const refused = apart.filter(({ self }) => one.hears(self, one.publish, 3) === 'author-in-another-cell')
  assert.ok(refused.length >= apart.length - 4, `${apart.length - refused.length} of ${apart.length} are believed`)
  const elsewhere = { ...(one.publish as CellName), cell: 99 }
  assert.is(one.hears(first(apart).self, elsewhere, 3), 'cell-left')
  assert.is(one.hears(first(apart).self, null, 3), 'cell-left')
})

it('what is said in the last cell after it was left is as old as what was heard there: all of it fades out together', () => {
  const all = everybody(0)
  const one = first(all)
  const mates = matesOf(one, all)
  const [mate, slow] = mates as [Follower, Follower]
  const last = bitOn(one, 0)
  assert.is(one.hears(mate.self, last, 3), 'accept')
  one.at(PERIOD_MS)
  for (let round = 7; round < 10; round++) complete(one.rounds)
  assert.is(one.hears(slow.self, last, 9), 'accept')
  const ages = new Map(complete(one.rounds).map(({ author, ageRounds }) => [author, ageRounds]))
  assert.equal(
    [mate, slow].map(({ self }) => ages.get(self)),
    [3, 3],
  )
  for (let round = 11; round < 17; round++) complete(one.rounds)
  assert.is(one.rounds.exchange.size, 0, 'no update keeps the last cell alive')
})

it('who was dealt elsewhere counts in one more merge, and a mate until its update is too old', () => {
  const all = everybody(0)
  const one = first(all)
  const mates = matesOf(one, all)
  for (const mate of mates) one.hears(mate.self, one.publish, 3)
  for (let round = 7; round < 10; round++) assert.is(counting(one).size, 6, 'mates, however old')
  for (const mate of mates) one.hears(mate.self, one.publish, 8)
  one.at(PERIOD_MS)
  const still = mates.map(({ self }) => self).filter((mate) => isBeside(one, mate))
  assert.ok(still.length < mates.length)
  assert.equal(counting(one), new Set([one.self, ...mates.map(({ self }) => self)]), 'heard since the last merge')
  assert.equal(counting(one), new Set([one.self, ...still]))
  const fresh = first(all.filter((other) => !mates.includes(other) && other !== one && isBeside(one, other.self)))
  one.hears(fresh.self, one.publish, 9)
  for (let round = 12; round < 15; round++) assert.ok(counting(one).has(fresh.self), 'a mate of now')
})

it('where all meet, and of what a withdrawal leaves out, cells change nothing', () => {
  const [apart, whole] = [new Follower(first(MEMBERS)).at(0), new Follower(first(MEMBERS), MEMBERS, null).at(0)]
  const mate = first(matesOf(apart, everybody(0)))
  const input = { author: mate.self, round: 3, digest: digestOf('update'), examples: 9, ageRounds: 2 }
  const never = (): boolean => false
  assert.is(whole.topics.mayMerge(null), null)
  assert.is(whole.topics.mayMerge(never), never)
  assert.is(apart.topics.mayMerge(null)?.(input), true)
  assert.is(apart.topics.mayMerge(never)?.(input), false)
})

it('rounds that are skipped do not make the last cell younger', () => {
  const one = new Follower(first(MEMBERS))
  const last = bitOn(one, 0)
  const mate = first(matesOf(one, everybody(0)))
  one.at(PERIOD_MS)
  one.rounds.begin(107, digestOf('base'))
  one.topics.shift(100)
  assert.is(one.hears(mate.self, last, 9), 'accept')
  assert.is(one.rounds.exchange.inputs(ownOf(one.rounds), 8).find(({ author }) => author === mate.self)?.ageRounds, 0)
})

it('a binding that comes moves hardly anybody; who it moves listens to the old cell for the rest of the period', () => {
  let all = 0
  for (const count of [19, 20, 21, 22]) {
    const followers = MEMBERS.slice(0, count).map((member) => new Follower(member, MEMBERS.slice(0, count)).at(1_000))
    const before = followers.map(({ publish }) => key(publish))
    let moved = 0
    for (const [i, one] of followers.entries()) {
      one.state.bound.add(MEMBERS[count] as MemberId)
      one.at(2_000)
      if (key(one.publish) === before[i]) continue
      moved++
      assert.ok(one.told?.listen.map(key).includes(before[i] as string), 'what it left is still heard')
      assert.is(one.told?.listen.length, 3)
    }
    assert.ok(moved <= 3, `${moved} of ${count} moved`)
    all += moved
  }
  assert.ok(all > 0, 'somebody moved')
})

it('the first member beyond the bound: the topic of all is listened to until the period ends', () => {
  const one = new Follower(first(MEMBERS), MEMBERS.slice(0, 6)).at(0)
  one.state.bound.add(MEMBERS[6] as MemberId)
  one.at(1_000)
  assert.is(one.publish?.period, START_MS / PERIOD_MS)
  assert.ok(one.told?.listen.includes(null))
  assert.is(one.hears(MEMBERS[3] as MemberId, null, 3), 'accept', 'who has not heard of it yet')
  one.at(PERIOD_MS)
  assert.not.ok(one.told?.listen.includes(null))
})

it('a new epoch deals anew at once, and the cell of the old one is heard until the period ends', () => {
  const one = new Follower(first(MEMBERS))
  const old = bitOn(one, 5_000)
  const mate = first(matesOf(one, everybody(5_000)))
  one.context.roll.begin({ number: 1, members: [...one.context.roll.members].slice(1), pins: [] })
  one.context.epochDigest = digestOf('epoch 1')
  const now = bitOn(one, 6_000)
  assert.is(now.epoch, 1)
  assert.equal(
    one.told?.listen.map((cell) => cell?.epoch),
    [0, 1, 1],
  )
  assert.is(one.hears(mate.self, old, 3), 'accept')
  assert.equal(
    one.at(PERIOD_MS).told?.listen.map((cell) => cell?.epoch),
    [1, 1, 1],
  )
})

it('another scaling deals anew', () => {
  const one = new Follower(first(MEMBERS)).at(0)
  const deals = new Set(
    Array.from({ length: 12 }, (_, i) => {
      one.permit = { ...one.permit, scaling: digestOf(`scaling ${i}`) } as Permit
      return one.at(i).publish?.cell
    }),
  )
  assert.ok(deals.size > 1)
})

it('a node that comes back after hours is where the others are, and listens to where slow clocks still are', () => {
  const one = new Follower(first(MEMBERS)).at(0)
  const ms = 3 * 3_600_000 + 4_000
  const fresh = new Follower(first(MEMBERS)).at(ms)
  assert.equal(one.at(ms).told?.listen, fresh.told?.listen)
})

it('when the study has ended the topics are left with their period', () => {
  const one = new Follower(first(MEMBERS)).at(1_000)
  const end = (ms: number): number => {
    one.context.now = START_MS + ms
    one.context.out = []
    one.topics.end(one.context)
    return one.note().told?.listen.length ?? -1
  }
  assert.is(end(PERIOD_MS - 1), 3)
  assert.is(end(PERIOD_MS), 0)
  assert.is(one.topics.wakeAtMs(), null)
  assert.is(end(9 * PERIOD_MS), 0)
})

it('of members of the next cell the newest update is kept, its weights too, until it counts', () => {
  const one = new Follower(first(MEMBERS)).at(30_000)
  const ahead = everybody(30_000 + PERIOD_MS)
  const mate = first(matesOf(first(ahead), ahead))
  assert.is(one.hears(mate.self, mate.publish, 3), 'accept')
  assert.is(one.hears(mate.self, mate.publish, 5), 'accept')
  assert.is(one.hears(mate.self, mate.publish, 4), 'update-stale')
  assert.equal(one.topics.held, [digestOf(`${mate.self} 5`)])
  assert.equal(one.at(PERIOD_MS).held, [{ author: mate.self, round: 5 }])
  assert.equal(one.topics.held, [])
})

/** Whether others sit in the cell where a node is now, or on the two seats beside it. */
const isBeside = (one: Follower, other: MemberId): boolean => one.topics.refuses(other, one.publish) === null

/** One whole round of a node; gives whose updates counted in its merge. */
function counting(one: Follower): Set<MemberId> {
  return new Set(complete(one.rounds, one.topics.mayMerge(null)).map(({ author }) => author))
}

/** One whole round of a node; gives its inputs. */
function complete(
  rounds: Rounds,
  mayMerge: ReturnType<CellTopics['mayMerge']> = null,
): ReturnType<typeof rounds.exchange.inputs> {
  rounds.start(0)
  rounds.record(ownUpdate(rounds))
  rounds.publish(8, undefined, mayMerge)
  const inputs = [...rounds.inputs]
  rounds.mergedInto(rounds.round, digestOf('merged'))
  rounds.evaluated(rounds.round, digestOf('merged'))
  rounds.complete(1_000)
  return inputs
}

const ownUpdate = (rounds: Rounds) => ({ update: digestOf(`own ${rounds.round}`), examples: 30 })
const ownOf = (rounds: Rounds) => ({
  ...{ author: first(MEMBERS), round: rounds.round, digest: digestOf('own'), examples: 30, ageRounds: 0 },
})

it.run()
