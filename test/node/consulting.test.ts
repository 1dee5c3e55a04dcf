/** When a node asks for its patients' words, and what it makes of the answer: no network is needed, and nothing spins. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { RETRY_MS } from '../../src/gossip/rounds.ts'
import type { Permit } from '../../src/governance/permit.ts'
import { Studies, type StudyState } from '../../src/governance/studies.ts'
import type { Roll } from '../../src/ledger/membership.ts'
import { Consulting, wordsTold } from '../../src/node/consulting.ts'
import { Context } from '../../src/node/context.ts'
import { digestOf, keyOf, STUDY } from '../gossip/fixtures.ts'
import { SOUND } from '../governance/sound.ts'

const it = suite('consulting')

const TABLE = digestOf('a table')
const PERMIT = { study: STUDY, dataset: TABLE, scaling: digestOf('a scaling'), consent: null } as unknown as Permit
const ASKING = { study: { consent: { basis: 'opt-in' } } } as unknown as StudyState
const SILENT = { study: { consent: null } } as unknown as StudyState

function consulting() {
  const context = new Context(keyOf('self').member as MemberId, digestOf('founding'), {} as Roll, new Studies())
  context.now = 5_000
  context.words = 7
  const asked = new Consulting(context, STUDY)
  const answer = (changesAtMs: number | null = null, dataset = TABLE) => {
    const consulted = { root: digestOf('a root'), patients: 12, testRows: 3 }
    asked.consulted({ type: 'consulted', study: STUDY, dataset, consulted, changesAtMs })
  }
  const asks = (): number => context.out.filter(({ type }) => type === 'consult-consent').length
  return { context, asked, answer, asks }
}

it('a study that asks nobody never waits and never asks', () => {
  const { asked, asks } = consulting()
  assert.is(asked.isFresh(SILENT, PERMIT), true)
  assert.equal([asks(), asked.waitsUntilMs], [0, null])
})

it('each act asks once, with what the log tells of, and goes on when it is answered', () => {
  const { context, asked, answer, asks } = consulting()
  for (let i = 0; i < 3; i++) assert.is(asked.isFresh(ASKING, PERMIT), false)
  assert.equal(context.out, [{ type: 'consult-consent', permit: PERMIT, atMs: 5_000, words: 7 }])
  assert.is(asked.waitsUntilMs, Number.POSITIVE_INFINITY)
  answer()
  assert.is(asked.isFresh(ASKING, PERMIT), true)
  asked.use()
  assert.is(asked.isFresh(ASKING, PERMIT), false, 'the next act asks anew')
  assert.is(asks(), 2)
  assert.is(asked.known(TABLE)?.patients, 12, 'meanwhile what was found is what the round under way rests on')
})

it('a word while it is asked for makes the answer stale', () => {
  const { asked, answer, asks } = consulting()
  asked.isFresh(ASKING, PERMIT)
  asked.changed()
  answer()
  assert.is(asked.known(TABLE), null)
  assert.is(asked.isFresh(ASKING, PERMIT), false)
  assert.is(asks(), 2)
})

it('what holds until a moment is not known after it, and of another table not at all', () => {
  const { context, asked, answer } = consulting()
  asked.isFresh(ASKING, PERMIT)
  answer(5_600)
  assert.is(asked.changesAtMs, 5_600)
  context.now = 5_599
  assert.is(asked.isFresh(ASKING, PERMIT), true)
  assert.is(asked.known(digestOf('another table')), null)
  context.now = 5_600
  assert.is(asked.known(TABLE), null)
  assert.is(asked.isFresh(ASKING, PERMIT), false)
})

it('after a failure it waits before it asks again, unless somebody speaks', () => {
  const { context, asked, asks } = consulting()
  assert.is(asked.failed('vault-key-missing'), false, 'another failure is not of this')
  asked.isFresh(ASKING, PERMIT)
  assert.is(asked.failed('vault-key-missing'), true)
  assert.is(asked.waitsUntilMs, 5_000 + RETRY_MS)
  assert.is(asked.isFresh(ASKING, PERMIT), false)
  assert.is(asks(), 1)
  context.now += RETRY_MS
  asked.isFresh(ASKING, PERMIT)
  assert.is(asks(), 2)
  asked.failed('vault-key-missing')
  asked.changed()
  asked.isFresh(ASKING, PERMIT)
  assert.is(asks(), 3)
})

it('an entry tells of all words before it and its own', () => {
  const fact = { author: keyOf('self').member, seq: 3, hash: TABLE, timeMs: 1, lamport: 0, study: null, refs: [] }
  const body = SOUND['consent.recorded'] as never
  assert.is(wordsTold({ ...fact, kind: 'consent.recorded', body }), 42)
  assert.is(wordsTold({ ...fact, kind: 'node.stopped', body: { reason: 'x' } }), 0)
})

it.run()
