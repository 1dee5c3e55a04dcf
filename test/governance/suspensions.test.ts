/** Members whose keys are not to be trusted: who binds whom, at which thresholds, and how it ends; the same in whatever order logs arrive. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import { compareIds, type MemberId } from '../../src/core/ids.ts'
import type { Fact } from '../../src/governance/studies.ts'
import { type Scales, Suspensions, suspendingQuorum } from '../../src/governance/suspensions.ts'
import { quorum } from '../../src/ledger/founding.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'

const it = suite('suspensions')
const people = (count: number): MemberId[] =>
  Array.from({ length: count }, (_, i) => keyOf(`member ${i}`).member).sort(compareIds)

interface Said {
  readonly by: MemberId
  readonly of: MemberId
  readonly seq: number
  readonly size?: number
  readonly back?: boolean
}
const factOf = ({ by: author, of, seq, size = 50, back = false }: Said): Fact => {
  const member = fromHex(of)
  return {
    ...{ author, seq, hash: digestOf(`${author} ${seq}`), timeMs: 1_000 + seq, lamport: seq, study: null, refs: [] },
    kind: back ? 'member.reinstated' : 'member.suspended',
    body: back ? { member, size } : { member, reason: 'compromised', size },
  }
}
const FINAL = (): number => Number.POSITIVE_INFINITY
const scales = (members: readonly MemberId[], self: MemberId, finalSize: Scales['finalSize'] = FINAL): Scales => {
  return { self, members, finalSize }
}
function folded(...said: readonly Said[]): Suspensions {
  const suspensions = new Suspensions()
  for (const one of said) suspensions.fold(factOf(one))
  return suspensions
}

for (const [n, needed] of [
  [4, 2],
  [7, 3],
  [10, 4],
] as const)
  it(`of ${n} members ${needed} others bind everybody, one fewer only those who say so, in every order`, () => {
    const members = people(n)
    const [target, bystander, ...rest] = members as [MemberId, MemberId, ...MemberId[]]
    assert.is(suspendingQuorum(n), needed)
    fc.assert(
      fc.property(fc.shuffledSubarray(rest, { minLength: 1, maxLength: rest.length }), (sayers) => {
        const suspensions = new Suspensions()
        for (const [i, by] of sayers.entries()) {
          suspensions.fold(factOf({ by, of: target, seq: 3 }))
          const enough = i + 1 >= needed
          assert.is(suspensions.of(target, scales(members, bystander))?.binds, enough ? 'members' : null)
          assert.is(suspensions.of(target, scales(members, by))?.binds, enough ? 'members' : 'here')
          assert.is(suspensions.of(bystander, scales(members, by)), null)
        }
      }),
      { numRuns: 50 },
    )
  })

const FOUR = people(4)
const [A, B, C, D] = FOUR as [MemberId, MemberId, MemberId, MemberId]

it('a member’s own word binds everybody, and itself', () => {
  const suspensions = folded({ by: A, of: A, seq: 9, size: 50 })
  for (const self of FOUR) assert.is(suspensions.of(A, scales(FOUR, self))?.binds, 'own')
  assert.is(suspensions.of(A, scales(FOUR, B))?.size, 9, 'what it wrote before its word counts, whatever size it says')
})

it('a way back counts when its entry is final, and where it was one’s own word alone at once', () => {
  const suspensions = folded({ by: B, of: A, seq: 3 }, { by: C, of: A, seq: 4 }, { by: C, of: A, seq: 8, back: true })
  const at = (self: MemberId, final: number) =>
    suspensions.of(
      A,
      scales(FOUR, self, () => final),
    )?.binds
  assert.equal([at(D, 8), at(D, 9)], ['members', null])
  assert.equal([at(B, 9), at(C, 9)], ['here', null])
  const alone = folded({ by: C, of: A, seq: 4 }, { by: C, of: A, seq: 8, back: true })
  assert.is(
    alone.of(
      A,
      scales(FOUR, C, () => 0),
    )?.binds,
    null,
    'its own people have said so',
  )
  const again = folded({ by: C, of: A, seq: 4 }, { by: C, of: A, seq: 8, back: true }, { by: C, of: A, seq: 9 })
  assert.is(again.of(A, scales(FOUR, C))?.binds, 'here')
})

it('what a key says of itself it cannot take back: a thief would; the others lift it, and a new word of it stands again', () => {
  const own = { by: A, of: A, seq: 9 }
  const lifts = (...by: MemberId[]): Said[] => by.map((one) => ({ by: one, of: A, seq: 20, size: 10, back: true }))
  const binds = (...said: readonly Said[]) => folded(...said).of(A, scales(FOUR, D))?.binds ?? null
  assert.is(binds(own, { by: A, of: A, seq: 12, size: 99, back: true }), 'own')
  assert.is(binds(own, ...lifts(B)), 'own', `with its own voice ${quorum(4)} are needed`)
  assert.is(binds(own, ...lifts(B, C)), null)
  assert.is(binds(...lifts(B, C), own), null, 'the other order')
  assert.is(binds(own, ...lifts(B, C), { by: A, of: A, seq: 11 }), 'own', 'a word after those that were lifted')
  const early = lifts(B, C).map((one) => ({ ...one, size: 9 }))
  assert.is(binds(own, ...early), 'own', 'who had not seen the word lifts nothing')
  const pending = folded(own, ...lifts(B, C)).of(
    A,
    scales(FOUR, D, (by) => (by === B ? 20 : 99)),
  )
  assert.is(pending?.binds, 'own', 'one of them is not final')
})

it('how much of its log counts no third of the members can choose', () => {
  const sizes = (...given: readonly (readonly [MemberId, number])[]) =>
    folded(...given.map(([by, size]) => ({ by, of: A, seq: 3, size }))).of(A, scales(FOUR, D))?.size
  assert.is(sizes([B, 0], [C, 40]), 40, 'one of them says that nothing counts')
  assert.is(sizes([B, 60], [C, 40]), 60)
  assert.is(
    folded({ by: B, of: A, seq: 3, size: 40 }, { by: B, of: A, seq: 4, size: 70 }).of(A, scales(FOUR, B))?.size,
    40,
  )
})

it('words of who is no member, and of members that are gone, bind nobody', () => {
  const stranger = keyOf('stranger').member
  const suspensions = folded(
    { by: stranger, of: A, seq: 1 },
    { by: B, of: A, seq: 1 },
    { by: stranger, of: stranger, seq: 2 },
  )
  assert.is(suspensions.of(A, scales(FOUR, D))?.binds, null)
  assert.is(suspensions.of(stranger, scales(FOUR, D)), null, 'a key that was replaced needs no suspension')
  assert.is(suspensions.of(A, scales([B, C, D], D)), null)
})

it('the state is the same in whatever order logs arrive, each in its own order', () => {
  const said = fc.record({ of: fc.constantFrom(...FOUR), back: fc.boolean(), size: fc.integer({ min: 0, max: 30 }) })
  const logs = fc.tuple(...FOUR.map(() => fc.array(said, { maxLength: 6 })))
  const order = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 24, maxLength: 24 })
  const final = fc.integer({ min: 0, max: 6 })
  fc.assert(
    fc.property(logs, order, order, final, (given, one, other, final) => {
      const facts = given.map((log, i) => log.map((each, seq) => factOf({ ...each, by: FOUR[i] as MemberId, seq })))
      const fold = (turns: readonly number[]): unknown => {
        const queues = facts.map((log) => [...log])
        const suspensions = new Suspensions()
        for (const turn of [...turns, 0, 1, 2, 3].flatMap((turn, i) =>
          i < turns.length ? [turn] : new Array(6).fill(turn),
        )) {
          const fact = queues[turn as 0]?.shift()
          if (fact !== undefined) suspensions.fold(fact)
        }
        return FOUR.map((self) => suspensions.all(scales(FOUR, self, () => final)))
      }
      assert.equal(fold(one), fold(other))
    }),
    { numRuns: 500 },
  )
})

it('what one author says is bounded, and of its own key it is always heard', () => {
  const suspensions = new Suspensions()
  for (let i = 0; i < 1_100; i++) suspensions.fold(factOf({ by: A, of: keyOf(`stranger ${i}`).member, seq: i }))
  const last = keyOf('stranger 1099').member
  assert.is(suspensions.of(last, scales([A, last], A)), null)
  suspensions.fold(factOf({ by: A, of: A, seq: 2_000 }))
  assert.is(suspensions.of(A, scales(FOUR, B))?.binds, 'own')
})

it('bodies that do not fit are passed over', () => {
  const suspensions = new Suspensions()
  const fact = factOf({ by: A, of: B, seq: 1 })
  assert.ok(suspensions.fold({ ...fact, body: { member: fromHex(B), reason: 'a feud', size: 1 } }))
  assert.ok(suspensions.isEmpty)
  assert.not.ok(suspensions.fold({ ...fact, kind: 'member.seen' }))
})

it.run()
