/** What a period comes to: the same whatever came first, nothing twice, and what no single hospital can make of it. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import { SettlementBook } from '../../../src/governance/settlement/book.ts'
import { measurersNeeded, mergersNeeded } from '../../../src/governance/settlement/contributions.ts'
import { firstDifference, linesBody, type Statement } from '../../../src/governance/settlement/statement.ts'
import { STUDY } from '../../gossip/fixtures.ts'
import { ADA, BEN, CLEO, SELF } from '../agreementFixtures.ts'
import { amounts, FOUR, Logs, NOTHING, read, settling, stated, type Told } from './kit.ts'

const it = suite('settlement statement')
const ROUNDS = settling('rule: by-rounds, pool: { amount: 1000, unit: credits }')
const VALUE = settling('rule: by-marginal-value, pool: { amount: 1000, unit: credits }')

const lineOf = ({ lines }: Statement, member: MemberId) => lines.find((line) => line.member === member)

/** Four hospitals, five rounds; the last hospital misses two. */
function fiveRounds(under = ROUNDS): Logs {
  const logs = new Logs()
  logs.agreed(under)
  for (let round = 0; round < 5; round++) logs.round(round, [under.id], round < 3 ? FOUR : [SELF, ADA, BEN])
  for (const [i, member] of FOUR.entries())
    logs.measures(
      member,
      1,
      FOUR.filter((one) => one !== member).map((one) => [one, 700 + 100 * i]),
    )
  return logs
}

/** Another order in which they may arrive: each author's own kept. */
function delivered(all: readonly Told[], rng: Rng): Told[] {
  const logs = new Map<MemberId, Told[]>()
  for (const entry of all) logs.set(entry.author, [...(logs.get(entry.author) ?? []), entry])
  const out: Told[] = []
  while (out.length < all.length) {
    const waiting = [...logs.values()].filter((log) => log.length > 0)
    out.push((waiting[rng.below(waiting.length)] as Told[]).shift() as Told)
  }
  return out
}

it('10,000 orders of delivery give one digest', () => {
  const logs = new Logs()
  logs.agreed(ROUNDS)
  logs.round(0, [ROUNDS.id])
  logs.round(1, [ROUNDS.id], [SELF, ADA, BEN])
  logs.measures(SELF, 0, [[BEN, 700]])
  const { book, agreements } = read(logs.all)
  const expected = stated({ book, agreements }, ROUNDS.id, logs.cut)
  assert.equal(Object.values(amounts(expected)).sort(), [143, 285, 286, 286], '2, 2, 2 and 1 of 7 rounds')
  const counted = logs.all.filter(({ study }) => study !== null)
  const rng = Rng.from('settlement orders')
  for (let i = 0; i < 10_000; i++) {
    const other = new SettlementBook()
    for (const entry of delivered(counted, rng)) other.take(entry as never)
    const { result } = stated({ book: other, agreements }, ROUNDS.id, logs.cut)
    if (result !== expected.result) assert.is(result, expected.result, `order ${i}`)
  }
})

it('a round counts when enough others merged it, of an update that was trained under the agreement and published', () => {
  const logs = new Logs()
  logs.agreed(ROUNDS)
  logs.round(0, [ROUNDS.id])
  logs.trains(SELF, 1, [ROUNDS.id]) // merged by nobody
  logs.trains(ADA, 1, [ROUNDS.id])
  logs.merges(ADA, 1, [[SELF, 1]]) // by one of the two that are needed
  logs.trains(BEN, 1, []) // under no agreement
  logs.trains(CLEO, 1, [ROUNDS.id], 100, false) // not published
  for (const member of [SELF, ADA]) {
    logs.trains(member, 2, [ROUNDS.id])
    logs.merges(member, 2, [
      [BEN, 1],
      [CLEO, 1],
    ])
  }
  const found = stated(read(logs.all), ROUNDS.id, logs.cut)
  assert.equal(
    found.lines.map(({ rounds }) => rounds),
    [1, 1, 1, 1],
  )
  assert.equal([lineOf(found, SELF)?.waiting, lineOf(found, ADA)?.waiting], [2, 2])
  assert.equal([lineOf(found, BEN)?.waiting, lineOf(found, CLEO)?.waiting], [0, 0])
  assert.is(mergersNeeded(4), 2)
})

it('what its author tells twice, and what it merges itself, counts once or not at all', () => {
  const logs = new Logs()
  logs.agreed(ROUNDS)
  logs.round(0, [ROUNDS.id])
  const before = stated(read(logs.all), ROUNDS.id, logs.cut).lines.map(({ member, rounds, merged }) => [
    member,
    rounds,
    merged,
  ])
  logs.trains(CLEO, 0, [ROUNDS.id], 9_999)
  logs.merges(CLEO, 0, [[BEN, 0, 0.9]])
  logs.merges(CLEO, 0, [[BEN, 0, 0.9]])
  logs.merges(CLEO, 7, [[BEN, 0, 0.9]]) // of a round that it never trained
  const found = stated(read(logs.all), ROUNDS.id, logs.cut)
  assert.equal(
    found.lines.map(({ member, rounds, merged }) => [member, rounds, merged]),
    before,
  )
  assert.is(lineOf(found, CLEO)?.examples, 103)
})

it('one hospital that makes up rounds and merges gains nothing by them', () => {
  const logs = fiveRounds()
  const honest = stated(read(logs.all), ROUNDS.id, logs.cut)
  for (let round = 100; round < 150; round++) {
    logs.trains(CLEO, round, [ROUNDS.id], 1_000_000)
    logs.merges(CLEO, round, [
      [BEN, 0, 0.5],
      [BEN, round, 0.4],
    ])
  }
  const found = stated(read(logs.all), ROUNDS.id, logs.cut)
  assert.equal(amounts(found), amounts(honest))
  assert.equal(
    found.lines.map(({ merged }) => merged),
    honest.lines.map(({ merged }) => merged),
  )
})

it('entries of others than the parties, and of other studies, change nothing', () => {
  const logs = fiveRounds()
  const { result } = stated(read(logs.all), ROUNDS.id, logs.cut)
  const cut = logs.cut
  const stranger = 'f'.repeat(64) as MemberId
  logs.trains(stranger, 0, [ROUNDS.id])
  logs.merges(
    stranger,
    0,
    FOUR.map((member) => [member, 3]),
  )
  logs.tell(ADA, 'round.trained', { round: 9 }, STUDY) // fits no schema
  logs.tell(ADA, 'node.started', { software: '1' })
  const more = new Map([...cut, [stranger, 100]])
  assert.equal(amounts(stated(read(logs.all), ROUNDS.id, more)), amounts(stated(read(logs.all), ROUNDS.id, cut)))
  assert.is(stated(read(logs.all), ROUNDS.id, cut).result, result)
})

it('what comes after the cut does not count, whoever has it', () => {
  const logs = fiveRounds()
  const { cut } = logs
  const { result } = stated(read(logs.all), ROUNDS.id, cut)
  logs.round(5, [ROUNDS.id])
  logs.measures(SELF, 5, [[ADA, 5_000]])
  assert.is(stated(read(logs.all), ROUNDS.id, cut).result, result)
  assert.is.not(stated(read(logs.all), ROUNDS.id, logs.cut).result, result)
})

it('periods one after another come to what one period over both does, whatever the cut between them: nothing twice, nothing lost', () => {
  const logs = fiveRounds()
  const folded = read(logs.all)
  const whole = stated(folded, ROUNDS.id, logs.cut)
  const somewhere = fc.tuple(...FOUR.map((member) => fc.integer({ min: 0, max: logs.cut.get(member) as number })))
  fc.assert(
    fc.property(somewhere, (sizes) => {
      const middle = new Map(FOUR.map((member, i) => [member, sizes[i] as number]))
      const first = stated(folded, ROUNDS.id, middle, NOTHING, 0)
      const second = stated(folded, ROUNDS.id, logs.cut, middle, 1)
      for (const [i, line] of whole.lines.entries())
        for (const figure of ['rounds', 'examples', 'merged'] as const)
          assert.is((first.lines[i]?.[figure] ?? 0) + (second.lines[i]?.[figure] ?? 0), line[figure], figure)
    }),
  )
})

it('a longer cut never takes anything away', () => {
  const logs = fiveRounds()
  const folded = read(logs.all)
  const size = (member: MemberId) => fc.integer({ min: 0, max: logs.cut.get(member) as number })
  const pair = fc.tuple(...FOUR.map((member) => fc.tuple(size(member), size(member))))
  fc.assert(
    fc.property(pair, (sizes) => {
      const at = (pick: (a: number, b: number) => number) =>
        stated(folded, ROUNDS.id, new Map(FOUR.map((member, i) => [member, pick(...(sizes[i] as [number, number]))])))
      const [short, long] = [at(Math.min), at(Math.max)]
      for (const [i, line] of short.lines.entries())
        for (const figure of ['rounds', 'examples', 'merged'] as const)
          assert.ok(line[figure] <= (long.lines[i]?.[figure] as number))
    }),
  )
})

it('who has not signed by the cut gets nothing, and its rounds are shown', () => {
  const logs = new Logs()
  logs.agreed(ROUNDS, [SELF, ADA, BEN])
  logs.round(0, [ROUNDS.id])
  const found = stated(read(logs.all), ROUNDS.id, logs.cut)
  assert.equal(Object.values(amounts(found)).sort(), [0, 333, 333, 334])
  assert.equal([lineOf(found, CLEO)?.rounds, lineOf(found, CLEO)?.signed, found.isSigned], [1, false, false])
})

it('each rule shares by its own figure, times the agreed shares', () => {
  const rows: readonly (readonly [terms: string, amounts: number[], basis: string])[] = [
    ['rule: by-rounds', [278, 278, 278, 166], 'merged by others'],
    ['rule: by-examples', [274, 277, 280, 169], 'self-declared'],
    ['rule: by-shares, shares: [{ party: self, share: 3 }, { party: cleo, share: 1 }]', [750, 0, 0, 250], 'agreed'],
    [
      'rule: by-rounds, shares: [{ party: self, share: 3 }, { party: cleo, share: 5 }]',
      [500, 0, 0, 500],
      'merged by others',
    ],
    ['rule: by-rounds, minimum: 200', [334, 333, 333, 0], 'merged by others'],
  ]
  for (const [terms, expected, basis] of rows) {
    const agreed = settling(`${terms}, pool: { amount: 1000, unit: credits }`)
    const logs = fiveRounds(agreed)
    const found = stated(read(logs.all), agreed.id, logs.cut)
    assert.equal(Object.values(amounts(found)).sort(), [...expected].sort(), terms)
    assert.is(found.basis, basis)
  }
})

it('a value is the lower median of what enough others measured; harm counts nothing, and nobody speaks for itself', () => {
  const logs = new Logs()
  logs.agreed(VALUE)
  logs.round(0, [VALUE.id])
  logs.measures(SELF, 0, [
    [ADA, 300],
    [BEN, -50],
    [CLEO, 10],
  ])
  logs.measures(BEN, 0, [
    [ADA, 500],
    [BEN, 1_000_000],
    [CLEO, 30],
  ])
  logs.measures(CLEO, 0, [
    [ADA, 400],
    [BEN, -70],
  ])
  logs.measures(ADA, 0, [
    [BEN, 90],
    [CLEO, 20],
    [ADA, 1_000_000],
  ])
  logs.measures(ADA, 0, [[BEN, 1_000_000]]) // the first word of a round counts
  const found = stated(read(logs.all), VALUE.id, logs.cut)
  const values = Object.fromEntries(found.lines.map(({ member, value }) => [FOUR.indexOf(member as never), value]))
  assert.equal(values, { 0: 0, 1: 400, 2: 0, 3: 20 }, 'self was measured by nobody, ben is harmful to most')
  assert.is(measurersNeeded(4), 3)
})

it('as long as more honest hospitals than liars measured, a value stays between what two honest ones found', () => {
  const honest = fc.array(fc.integer({ min: -2_000, max: 2_000 }), { minLength: 3, maxLength: 3 })
  const lie = fc.integer({ min: -1_000_000, max: 1_000_000 })
  fc.assert(
    fc.property(honest, lie, fc.boolean(), (found, lied, both) => {
      const logs = new Logs()
      logs.agreed(VALUE)
      logs.round(0, [VALUE.id])
      const [a, b] = found as [number, number, number]
      logs.measures(SELF, 0, [[ADA, a]])
      logs.measures(BEN, 0, [[ADA, b]])
      logs.measures(CLEO, 0, [[ADA, both ? lied : a]])
      const value = lineOf(stated(read(logs.all), VALUE.id, logs.cut), ADA)?.value as number
      assert.ok(value >= Math.max(0, Math.min(a, b)) && value <= Math.max(0, a, b), `${a} ${b} ${lied}: ${value}`)
    }),
  )
})

it('what was settled of a round is not settled again by who measures it later', () => {
  const logs = new Logs()
  logs.agreed(VALUE)
  logs.round(0, [VALUE.id])
  for (const member of [SELF, BEN, CLEO]) logs.measures(member, 0, [[ADA, 400]])
  const middle = logs.cut
  logs.trains(ADA, 1, [VALUE.id])
  logs.merges(ADA, 1, [[SELF, 0]])
  logs.measures(ADA, 0, [[SELF, 100]])
  logs.measures(BEN, 1, [[ADA, 9_999]]) // it trained no such round
  const second = stated(read(logs.all), VALUE.id, logs.cut, middle, 1)
  assert.equal(
    second.lines.map(({ value }) => value),
    [0, 0, 0, 0],
  )
})

it('the first figure that differs is named, what was done before what it comes to', () => {
  const logs = fiveRounds()
  const { lines } = stated(read(logs.all), ROUNDS.id, logs.cut)
  const ours = linesBody(lines)
  const theirs = ours.map(([member, rounds, examples, ...rest], i) => [
    member,
    i === 2 ? rounds + 1 : rounds,
    i === 0 ? 7 : examples,
    ...rest,
  ])
  const found = firstDifference(ours, theirs as never)
  assert.equal([found?.figure, found?.member], ['rounds', lines[2]?.member])
  assert.is((found?.theirs ?? 0) - (found?.ours ?? 0), 1)
  assert.is(firstDifference(ours, ours), null)
  assert.is(firstDifference(ours, ours.slice(1))?.figure, 'party')
})

it('entries without a body are named, and the rest is computed', () => {
  const logs = fiveRounds()
  const at = logs.all.findIndex(({ author, kind }) => author === BEN && kind === 'round.trained')
  const dropped = logs.all.map((entry, i) => (i === at ? { ...entry, body: null } : entry))
  const folded = read(dropped)
  assert.equal(folded.book.missing(BEN, 1_000), [logs.all[at]?.seq])
  assert.is(lineOf(stated(folded, ROUNDS.id, logs.cut), BEN)?.rounds, 4)
})

it.run()
