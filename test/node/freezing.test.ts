/** When a scaling is proposed: by a deadline that restarts do not put off. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { Studies, type StudyState } from '../../src/governance/studies.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import { Context } from '../../src/node/context.ts'
import { Freezing } from '../../src/node/freezing.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { DOCUMENT, ID, STUDY } from './harness.ts'

const it = suite('freezing')
const HOUR_MS = 3_600_000
const START_MS = 1_750_000_000_000
const [SELF, ADA] = ['self', 'ada'].map((name) => keyOf(name).member) as [MemberId, MemberId]

/** A study with a deadline of `deadlineSeconds`, to which SELF contributed at `contributedMs`. */
function stateOf(contributedMs: number, deadlineSeconds: number, more: readonly MemberId[] = []): StudyState {
  const studies = new Studies()
  studies.fold({
    ...{ author: SELF, seq: 0, hash: digestOf('proposed'), timeMs: START_MS, lamport: 0, refs: [] },
    ...{ kind: 'study.proposed', study: ID, body: { document: DOCUMENT } },
  })
  const state = studies.get(ID) as StudyState
  const statistics = { count: [45, 45], sum: [45 * 60, 45 * 300], sumOfSquares: [45 * 3_650, 45 * 91_000] }
  for (const member of [SELF, ...more])
    state.statistics.set(member, { hash: digestOf(member), seq: 1, timeMs: contributedMs, statistics })
  return { ...state, study: { ...STUDY, statistics: { deadlineSeconds } } }
}

/** When a node that starts at `startMs` proposes: null where it does at once, else when it wants to be woken, having proposed then. */
function proposesAt(startMs: number, state: StudyState): number | null {
  const context = new Context(SELF, digestOf('founding'), rollOf([SELF, ADA]), new Studies())
  context.unseal([])
  context.out = []
  const freezing = new Freezing()
  const proposed = (now: number): boolean => {
    context.now = now
    freezing.propose(context, state)
    return context.out.some((action) => action.type === 'record')
  }
  if (proposed(startMs)) return null
  const at = freezing.wakeAtMs() as number
  assert.not.ok(proposed(at - 1))
  assert.ok(proposed(at))
  assert.is(freezing.wakeAtMs(), null)
  return at
}

it('the deadline counts from the own contribution, and a restart does not put it off', () => {
  const state = stateOf(START_MS, HOUR_MS / 1000)
  assert.is(proposesAt(START_MS, state), START_MS + HOUR_MS)
  assert.is(proposesAt(START_MS + HOUR_MS / 2, state), START_MS + HOUR_MS)
})

it('a start leaves 10 s to hear what the others froze, or the deadline where that is shorter', () => {
  const late = START_MS + 2 * HOUR_MS
  assert.is(proposesAt(late, stateOf(START_MS, HOUR_MS / 1000)), late + 10_000)
  assert.is(proposesAt(late, stateOf(START_MS, 6)), late + 6_000)
})

it('a clock that was set back does not put it off', () => {
  assert.is(proposesAt(START_MS, stateOf(START_MS + 24 * HOUR_MS, 60)), START_MS + 60_000)
})

it('nobody waits for a deadline once all have contributed', () => {
  assert.is(proposesAt(START_MS, stateOf(START_MS, HOUR_MS / 1000, [ADA])), null)
})

it('the contribution of a member that has left stands for nobody who stays', () => {
  const former = keyOf('former').member
  assert.is(proposesAt(START_MS, stateOf(START_MS, HOUR_MS / 1000, [former])), START_MS + HOUR_MS)
  assert.is(proposesAt(START_MS, stateOf(START_MS, HOUR_MS / 1000, [former, ADA])), null)
})

it.run()
