/** Who may take a model back from whom, and the way back. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId } from '../../src/core/ids.ts'
import type { Fact } from '../../src/governance/studies.ts'
import { type Made, Withdrawals } from '../../src/governance/withdrawals.ts'
import { digestOf, keyOf, STUDY } from '../gossip/fixtures.ts'

const it = suite('withdrawals')
const NAMES = ['ada', 'bob', 'cleo', 'dan', 'eve'] as const
const [ADA, BOB, CLEO, DAN, EVE] = NAMES.map((name) => keyOf(name).member) as [
  MemberId,
  MemberId,
  MemberId,
  MemberId,
  MemberId,
]
const FIVE = [ADA, BOB, CLEO, DAN, EVE] // a quorum is four
const ADAS: Made = { author: ADA, model: digestOf('what ada merged') }

let lamport = 0
function said(by: MemberId, seq: number, made: Made, reason: string | null): Fact {
  const body = { author: fromHex(made.author), model: fromHex(made.model) }
  return {
    author: by,
    seq,
    hash: digestOf(`${by} ${seq}`),
    timeMs: 1_790_000_000_000 + lamport,
    lamport: lamport++,
    kind: reason === null ? 'model.restored' : 'model.withdrawn',
    study: STUDY,
    refs: [],
    body: (reason === null ? body : { ...body, reason }) as unknown as Cbor,
  }
}

/** Whose word binds at `self`, after these facts. */
function binds(facts: readonly Fact[], self: MemberId): MemberId | null {
  const fold = new Withdrawals()
  for (const fact of facts) assert.ok(fold.fold(fact))
  return fold.binding(STUDY, self, FIVE)[0]?.by ?? null
}

it('who made a model takes it back from all', () => {
  const facts = [said(ADA, 7, ADAS, 'data-error')]
  for (const self of FIVE) assert.is(binds(facts, self), ADA)
})

it('another’s model is taken back for the own node alone, until a quorum says the same', () => {
  const facts = [BOB, CLEO, DAN].map((by) => said(by, 3, ADAS, 'poisoned'))
  assert.is(binds(facts, BOB), BOB)
  assert.is(binds(facts, EVE), null)
  assert.is(binds(facts, ADA), null, 'ada’s own node goes by its own people')
  const four = [...facts, said(EVE, 9, ADAS, 'poisoned')]
  assert.is(binds(four, ADA), [BOB, CLEO, DAN, EVE].sort()[0])
})

it('a member’s newest word counts, in whatever order a log is folded again', () => {
  const facts = [said(ADA, 7, ADAS, 'data-error'), said(ADA, 9, ADAS, null)]
  assert.is(binds(facts, EVE), null)
  assert.is(binds([...facts, ...facts], EVE), null)
  assert.is(binds([...facts, said(ADA, 11, ADAS, 'safety')], EVE), ADA)
})

it('a quorum that says it may be used lifts its maker’s word, but not that of a node’s own people', () => {
  const facts = [said(ADA, 7, ADAS, 'data-error'), ...[BOB, CLEO, DAN].map((by) => said(by, 4, ADAS, null))]
  assert.is(binds(facts, BOB), ADA, 'three of five are none')
  const four = [...facts, said(EVE, 5, ADAS, null)]
  for (const self of [BOB, CLEO, DAN, EVE]) assert.is(binds(four, self), null)
  assert.is(binds(four, ADA), ADA, 'at ada it stays withdrawn')
})

it('weights that two members made are two models: who withdraws as its own what another made, withdraws nothing', () => {
  const stolen: Made = { author: EVE, model: ADAS.model }
  const fold = new Withdrawals()
  fold.fold(said(EVE, 2, stolen, 'data-error'))
  assert.equal(
    fold.binding(STUDY, BOB, FIVE).map(({ author }) => author),
    [EVE],
  )
})

it('a word about no study, or one whose body does not fit, is no word', () => {
  const fact = said(ADA, 7, ADAS, 'data-error')
  assert.is(binds([{ ...fact, study: null }], BOB), null)
  assert.is(binds([{ ...fact, body: { author: 1 } as unknown as Cbor }], BOB), null)
})

it('the order in which logs arrive does not matter', () => {
  const models = ['one', 'two'].map((name): Made => ({ author: ADA, model: digestOf(name) }))
  const words = fc.array(fc.tuple(fc.nat(4), fc.nat(1), fc.boolean()), { maxLength: 24 })
  fc.assert(
    fc.property(words, fc.infiniteStream(fc.nat()), (given, chance) => {
      const logs = FIVE.map((by, i) =>
        given
          .filter(([who]) => who === i)
          .map(([, model, away], seq) => said(by, seq, models[model] as Made, away ? 'safety' : null)),
      )
      const inTurn = new Withdrawals()
      for (const fact of logs.flat()) inTurn.fold(fact)
      const mixed = new Withdrawals()
      const rest = logs.map((log) => [...log])
      for (let left = logs.flat().length; left > 0; left--) {
        const open = rest.filter((log) => log.length > 0)
        mixed.fold(open[(chance.next().value as number) % open.length]?.shift() as Fact)
      }
      for (const self of FIVE) assert.equal(mixed.binding(STUDY, self, FIVE), inTurn.binding(STUDY, self, FIVE))
    }),
    { numRuns: 200 },
  )
})

it('one member’s words are read of so many models and no more, the first in its log', () => {
  const fold = new Withdrawals()
  for (let i = 0; i < 1_030; i++) fold.fold(said(EVE, i, { author: EVE, model: digestOf(`model ${i}`) }, 'data-error'))
  assert.is(fold.spoken(STUDY).length, 1_024)
})

it.run()
