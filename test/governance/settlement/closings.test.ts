/** How a period is closed: by equal final votes of a quorum, once, whatever a liar says to whom. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import type { Digest, MemberId } from '../../../src/core/ids.ts'
import { Settlements, settlementStanding } from '../../../src/governance/settlement/closings.ts'
import { digestOf } from '../../gossip/fixtures.ts'
import { ADA, BEN, CLEO, SELF } from '../agreementFixtures.ts'
import { FOUR, Logs, settling, type Told } from './kit.ts'

const it = suite('settlement closings')
const { id } = settling('rule: by-rounds')
const WHO = { agreement: id, parties: FOUR, voters: FOUR }
const RESULT = digestOf('a result')
const ALL = (): number => Number.POSITIVE_INFINITY

interface Said {
  readonly period?: number
  readonly attempt?: number
  readonly previous?: Digest | null
  readonly result?: Digest
  readonly size?: number
}

function propose(logs: Logs, author: MemberId, said: Said = {}): Told {
  const { period = 0, attempt = 0, previous = null, result = RESULT, size = 7 } = said
  const cut = [...FOUR].sort().map((member) => [fromHex(member), size])
  const lines = FOUR.map((member) => [fromHex(member), 1, 1, 1, 1, 1])
  const body = {
    agreement: fromHex(id),
    period,
    attempt,
    previous: previous && fromHex(previous),
    until: 5,
    cut,
    lines,
  }
  return logs.tell(author, 'settlement.proposed', { ...body, result: fromHex(result) } as unknown as Cbor)
}

function confirm(logs: Logs, author: MemberId, proposal: Told | Digest, said: Said = {}): Told {
  const { period = 0, attempt = 0, result = RESULT } = said
  const hash = typeof proposal === 'string' ? proposal : proposal.hash
  const body = { agreement: fromHex(id), period, attempt, proposal: fromHex(hash), result: fromHex(result) }
  return logs.tell(author, 'settlement.confirmed', body)
}

function refuse(logs: Logs, author: MemberId, proposal: Told, attempt = 0): Told {
  const body = {
    agreement: fromHex(id),
    period: 0,
    attempt,
    proposal: fromHex(proposal.hash),
    reason: 'differs',
    lines: null,
  }
  return logs.tell(author, 'settlement.refused', body as unknown as Cbor)
}

function standing(entries: readonly Told[], final: (member: MemberId) => number = ALL) {
  const settlements = new Settlements()
  for (const entry of entries) settlements.fold(entry)
  return settlementStanding(settlements, WHO, final)
}

it('three of four equal confirmations close a period, and two do not', () => {
  const logs = new Logs()
  const proposal = propose(logs, SELF)
  for (const member of [SELF, ADA]) confirm(logs, member, proposal)
  assert.is(standing(logs.all).closed.length, 0)
  confirm(logs, BEN, proposal)
  const { closed, open, needed } = standing(logs.all)
  assert.equal([closed.length, closed[0]?.proposal.place.hash, open.period, needed], [1, proposal.hash, 1, 3])
})

it('a confirmation counts when it is final, and a proposal too', () => {
  const logs = new Logs()
  const proposal = propose(logs, SELF)
  for (const member of [ADA, BEN, CLEO]) confirm(logs, member, proposal)
  const short = (who: MemberId) => (member: MemberId) => (member === who ? 0 : 99)
  assert.is(standing(logs.all, short(BEN)).closed.length, 0)
  assert.is(standing(logs.all, short(SELF)).closed.length, 0, 'the proposal is not final')
  assert.is(standing(logs.all, () => 99).closed.length, 1)
})

it('a confirmation of another result, another period or another attempt is none', () => {
  for (const said of [{ result: digestOf('another') }, { period: 1 }, { attempt: 1 }]) {
    const logs = new Logs()
    const proposal = propose(logs, SELF)
    for (const member of [SELF, ADA]) confirm(logs, member, proposal)
    confirm(logs, BEN, proposal, said)
    assert.is(standing(logs.all).closed.length, 0)
  }
})

it('who votes twice is named with both entries, and its first vote counts', () => {
  const logs = new Logs()
  const [one, other] = [propose(logs, SELF), propose(logs, ADA, { result: digestOf('another') })]
  for (const member of [SELF, BEN]) confirm(logs, member, one)
  const first = confirm(logs, CLEO, other, { result: digestOf('another') })
  const second = confirm(logs, CLEO, one)
  confirm(logs, ADA, other, { result: digestOf('another') })
  const { closed, twice } = standing(logs.all)
  assert.is(closed.length, 0, 'two against two')
  assert.equal(
    twice.map(([a, b]) => [a.place.author, a.place.seq, b.place.seq]),
    [[CLEO, first.seq, second.seq]],
  )
})

it('an attempt that can find no quorum any more gives way to the next, and not before', () => {
  const logs = new Logs()
  const one = propose(logs, SELF)
  confirm(logs, SELF, one)
  refuse(logs, ADA, one)
  assert.equal(
    standing(logs.all).open.attempts.map(({ attempt }) => attempt),
    [0],
    'three may still agree',
  )
  refuse(logs, BEN, one)
  assert.equal(
    standing(logs.all).open.attempts.map(({ attempt }) => attempt),
    [0, 1],
  )
  const again = propose(logs, ADA, { attempt: 1 })
  for (const member of [ADA, BEN, CLEO]) confirm(logs, member, again, { attempt: 1 })
  assert.is(standing(logs.all).closed[0]?.proposal.place.hash, again.hash)
})

it('a period goes on from the close before it, takes nothing of it back, and is closed once', () => {
  const logs = new Logs()
  const first = propose(logs, SELF)
  for (const member of FOUR) confirm(logs, member, first)
  const rows: readonly (readonly [claim: string, said: Said, closes: boolean])[] = [
    ['the same period again', { period: 0, size: 9 }, false],
    ['after another close', { period: 1, previous: digestOf('another') }, false],
    ['with a cut that is shorter', { period: 1, previous: first.hash, size: 6 }, false],
    ['after this one', { period: 1, previous: first.hash, size: 9 }, true],
  ]
  for (const [claim, said, closes] of rows) {
    const more = new Logs()
    const next = propose(more, ADA, said)
    for (const member of [SELF, ADA, BEN]) confirm(more, member, next, said)
    const moved = more.all.map((entry) => ({ ...entry, seq: entry.seq + 10, lamport: entry.lamport + 100 }))
    assert.is(standing([...logs.all, ...moved]).closed.length, closes ? 2 : 1, claim)
  }
})

it('words of who is no party are not heard', () => {
  const logs = new Logs()
  const stranger = 'e'.repeat(64) as MemberId
  const proposal = propose(logs, stranger)
  for (const member of [SELF, ADA, BEN]) confirm(logs, member, proposal)
  assert.is(standing(logs.all).closed.length, 0)
  const own = propose(logs, CLEO)
  confirm(logs, stranger, own)
  assert.is(standing(logs.all).closed.length, 0)
})

/** What each of four says of two proposals in two attempts, in its own order: liars among them, all of them where need be. */
const words = fc.array(
  fc.record({
    who: fc.nat({ max: 3 }),
    which: fc.nat({ max: 2 }),
    attempt: fc.nat({ max: 2 }),
  }),
  { minLength: 4, maxLength: 24 },
)

it('no two nodes ever close a period otherwise, however far each has come and whoever lies', () => {
  const cuts = fc.array(fc.tuple(...FOUR.map(() => fc.nat({ max: 12 }))), { minLength: 2, maxLength: 4 })
  fc.assert(
    fc.property(words, cuts, (said, sizes) => {
      const logs = new Logs()
      const proposals = [0, 1, 2].map((attempt) => [propose(logs, SELF, { attempt }), propose(logs, ADA, { attempt })])
      for (const { who, which, attempt } of said) {
        const about = (proposals[attempt] as Told[])[which % 2] as Told
        if (which === 2) refuse(logs, FOUR[who] as MemberId, about, attempt)
        else confirm(logs, FOUR[who] as MemberId, about, { attempt })
      }
      const found = sizes.map((row) => {
        const final = (member: MemberId): number => (row[FOUR.indexOf(member as never)] ?? 0) + 3
        return standing(logs.all, final).closed[0]?.proposal.place.hash
      })
      const closes = new Set(found.filter((hash) => hash !== undefined))
      assert.ok(closes.size <= 1, `${[...closes]}`)
      const whole = standing(logs.all).closed[0]?.proposal.place.hash
      for (const hash of closes) assert.is(hash, whole, 'what is closed stays closed')
    }),
    { numRuns: 2_000 },
  )
})

it('what does not fit, and what is more than anybody needs to say, is passed over', () => {
  const settlements = new Settlements()
  const logs = new Logs()
  for (let i = 0; i < 1_005; i++) propose(logs, SELF, { period: i })
  logs.tell(ADA, 'settlement.proposed', { agreement: fromHex(id) })
  logs.tell(ADA, 'settlement.confirmed', null)
  for (const entry of logs.all) assert.ok(settlements.fold(entry))
  assert.is(settlements.of(SELF, id)?.proposals.length, 1_000)
  assert.not.ok(settlements.mayPropose(SELF))
  assert.is(settlements.of(ADA, id), null)
  assert.not.ok(settlements.fold({ ...(logs.all[0] as Told), kind: 'study.proposed' }))
})

it.run()
