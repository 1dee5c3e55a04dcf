/** Whose updates are set aside again and again, and whom an operator excludes. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { readBody } from '../../src/governance/kinds.ts'
import { Studies } from '../../src/governance/studies.ts'
import type { Action } from '../../src/node/actions.ts'
import { Context } from '../../src/node/context.ts'
import { exclusionDraft, exclusionOf, exclusionRefusal } from '../../src/node/exclusion.ts'
import { Outliers } from '../../src/node/outliers.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { ID, OTHERS, SELF } from './harness.ts'

const it = suite('outliers')
const [ADA, BEN] = OTHERS as [MemberId, MemberId]

function contextOf(): Context {
  const context = new Context(SELF, digestOf('founding'), null as never, new Studies())
  context.unseal([])
  context.out = []
  return context
}

const alarms = (out: readonly Action[]) =>
  out
    .flatMap((action) => (action.type === 'record' ? action.drafts : []))
    .filter(({ kind }) => kind === 'alarm.outlier')

it('ten merges in a row that set a member aside are told once, and who is merged again is an outlier no more', () => {
  const context = contextOf()
  const outliers = new Outliers()
  for (let round = 3; round < 17; round++) {
    context.now = 1_000 * round
    outliers.note(context, ID, round, [SELF, ADA, BEN], [{ author: ADA, reason: 'outlying' }])
    assert.is(outliers.repeated().length, round < 12 ? 0 : 1, `round ${round}`)
  }
  assert.equal(outliers.repeated(), [{ member: ADA, merges: 14, reason: 'outlying', sinceRound: 3, sinceMs: 3_000 }])
  const [alarm, ...more] = alarms(context.out)
  assert.equal(more, [])
  const body = readBody('alarm.outlier', alarm?.body ?? null)
  assert.equal([toHex(body?.member as Uint8Array), body?.reason, body?.merges], [ADA, 'outlying', 10])
  outliers.note(context, ID, 17, [SELF, ADA], [])
  assert.equal(outliers.repeated(), [])
})

it('a merge that did not know of an update says nothing about its author', () => {
  const context = contextOf()
  const outliers = new Outliers()
  for (let round = 0; round < 20; round++) {
    const known = round % 2 === 0 ? [SELF, ADA] : [SELF]
    outliers.note(context, ID, round, known, round % 2 === 0 ? [{ author: ADA, reason: 'worsens' }] : [])
  }
  assert.equal(
    outliers.repeated().map(({ merges, sinceRound }) => [merges, sinceRound]),
    [[10, 0]],
  )
})

it("the operator's own exclusions raise no alarm", () => {
  const context = contextOf()
  const outliers = new Outliers()
  for (let round = 0; round < 12; round++)
    outliers.note(context, ID, round, [ADA], [{ author: ADA, reason: 'excluded' }])
  assert.equal(alarms(context.out), [])
})

const command = (member: MemberId, excluded: boolean, reason: string) => {
  return { type: 'study-exclude', ticket: 1, study: ID, member, excluded, reason } as const
}

it('a word is refused for a reason that is none, for oneself, for who takes no part, and where it changes nothing', () => {
  const state = { accepted: new Set([SELF, ADA]) } as unknown as Parameters<typeof exclusionRefusal>[1]
  const refused = (given: ReturnType<typeof command>, isExcluded: boolean) =>
    exclusionRefusal(given, state, contextOf(), isExcluded)?.code ?? null
  assert.is(refused(command(ADA, true, 'data-quality'), false), null)
  assert.is(refused(command(ADA, false, 'repaired'), true), null)
  assert.is(refused(command(ADA, true, 'repaired'), false), 'exclusion-reason')
  assert.is(refused(command(SELF, true, 'data-quality'), false), 'exclusion-self')
  assert.is(refused(command(BEN, true, 'data-quality'), false), 'exclusion-member')
  assert.is(refused(command(ADA, true, 'data-quality'), true), 'exclusion-twice')
  assert.is(refused(command(ADA, false, 'repaired'), false), 'exclusion-twice')
})

it('what is written is what is read back, whichever of the two it is', () => {
  for (const excluded of [true, false]) {
    const draft = exclusionDraft(command(BEN, excluded, excluded ? 'outlying' : 'explained'), contextOf())
    const fact = { ...draft, author: SELF, seq: 4, lamport: 0, hash: digestOf('entry') }
    assert.equal(exclusionOf(fact), { study: ID, member: BEN, excluded })
    assert.ok(readBody(draft.kind, draft.body))
  }
})

it.run()
