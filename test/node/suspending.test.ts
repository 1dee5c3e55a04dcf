/** Keys that are not to be trusted, and observers, at one machine: what of theirs counts, and what a node that is one may do. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { changeOf } from '../../src/governance/changes.ts'
import type { Member } from '../../src/ledger/founding.ts'
import type { Action } from '../../src/node/actions.ts'
import {
  ADA,
  approved,
  BEN,
  CLEO,
  EVE,
  FAY,
  FOUNDING_CALL,
  factOf,
  headOf,
  JOIN,
  Node,
  proposed,
  SELF,
} from './epochNode.ts'
import { DOCUMENT, Harness, ID, OTHERS, SELF as OWN } from './harness.ts'

const it = suite('suspending')
const [FIRST, SECOND, THIRD] = OTHERS as [MemberId, MemberId, MemberId]

const suspension = (member: MemberId, size = 100) => ({
  ...({ kind: 'member.suspended', study: null } as const),
  body: { member: fromHex(member), reason: 'compromised', size } as Cbor,
})
const verdictOf = (actions: readonly Action[]): readonly [string, string] => {
  const found = actions.find((action) => action.type === 'verdict')
  return [found?.verdict ?? '', found?.reason ?? '']
}

/** A study in which all take part, at rest before its first round. */
function resting(observers: readonly MemberId[] = []): Harness {
  const world = new Harness({}, observers)
  world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT }))
  world.commit(10)
  for (const who of OTHERS) world.hearEntry(who, { kind: 'study.accepted', study: ID, body: {} })
  world.bind('table')
  world.commit(10)
  world.waitAsWished()
  for (let i = 0; i < 20 && world.run?.phase !== 'training'; i++) {
    world.commit(10)
    if (world.run?.phase === 'opening') world.learn()
    else world.waitAsWished()
  }
  assert.is(world.run?.phase, 'training')
  return world
}

/** The next merge that is asked for. */
function nextMerge(world: Harness): Extract<Action, { type: 'merge' }> {
  for (let i = 0; i < 20; i++) {
    const before = world.steps.length
    world.learn()
    world.commit(10)
    const merge = world.steps
      .slice(before)
      .flatMap(({ actions }) => actions)
      .find((action) => action.type === 'merge')
    if (merge !== undefined) return merge
  }
  throw new Error('no merge came')
}
const authorsIn = ({ inputs }: Extract<Action, { type: 'merge' }>): MemberId[] => inputs.map(({ author }) => author)

it('an update of who is suspended is neither merged nor passed on, and one that is held already is left out', () => {
  const world = resting()
  assert.equal(verdictOf(world.hearUpdate(FIRST)), ['accept', ''])
  assert.equal(verdictOf(world.hearUpdate(SECOND)), ['accept', ''])
  world.hearEntry(SECOND, suspension(FIRST))
  world.hearEntry(THIRD, suspension(FIRST))
  assert.equal(verdictOf(world.hearUpdate(FIRST, { round: 1 })), ['ignore', 'author-not-in-study'])
  const merge = nextMerge(world)
  assert.equal(authorsIn(merge).sort(), [OWN, SECOND].sort())
  const withheld = world.steps.flatMap(({ actions }) => actions).filter((action) => action.type === 'withhold')
  assert.equal(withheld.at(-1)?.authors, [FIRST])
})

it('one other’s word is not enough, unless it is this hospital’s own', () => {
  const world = resting()
  world.hearEntry(SECOND, suspension(FIRST))
  assert.equal(verdictOf(world.hearUpdate(FIRST)), ['accept', ''])
  world.command((ticket) => ({ type: 'member-suspend', ticket, member: FIRST, reason: 'key-stolen', size: 7 }))
  world.commit(10)
  assert.equal(verdictOf(world.hearUpdate(FIRST, { round: 1 })), ['ignore', 'author-not-in-study'])
  assert.equal(authorsIn(nextMerge(world)), [OWN])
})

it('a member whose own key is suspended trains no further, proposes nothing, and may still pause', () => {
  const world = resting()
  world.hearEntry(OWN === FIRST ? SECOND : FIRST, suspension(OWN))
  world.hearEntry(SECOND, suspension(OWN))
  const merged = world.steps.length
  world.learn()
  world.commit(10)
  assert.is(world.run?.refusal, 'member-suspended')
  const kinds = world.steps.slice(merged).flatMap(({ actions }) => actions.map(({ type }) => type))
  assert.not.ok(kinds.includes('publish-update') || kinds.includes('merge'), kinds.join())
  const codeOf = (actions: readonly Action[]) => actions.find((action) => action.type === 'answer')?.error?.code ?? null
  const accept = world.command((ticket) => ({ type: 'study-accept', ticket, study: ID }))
  assert.is(codeOf(accept), 'member-suspended')
  assert.is(codeOf(world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused: true }))), null)
})

it('what an observer says of a study counts nowhere', () => {
  const world = resting([THIRD])
  assert.equal([...(world.state?.accepted ?? [])].sort(), [OWN, FIRST, SECOND].sort())
  assert.equal(verdictOf(world.hearUpdate(THIRD)), ['ignore', 'author-not-in-study'])
  for (const kind of ['study.accepted', 'study.paused', 'dataset.bound', 'study.ended', 'study.enough'] as const)
    world.hearEntry(THIRD, { kind, study: ID, body: BODIES[kind] as Cbor })
  const { bound, ended, enough, paused } = world.state as NonNullable<typeof world.state>
  for (const set of [bound, ended, enough, paused]) assert.not.ok(set.has(THIRD))
  const proposing = new Harness({}, [THIRD])
  proposing.hearEntry(THIRD, { kind: 'study.proposed', study: ID, body: { document: DOCUMENT } })
  assert.is(proposing.state, undefined)
})
const BODIES = {
  'study.accepted': {},
  'study.paused': {},
  'dataset.bound': { rows: 60, trainRows: 45, commitment: new Uint8Array(32) },
  'study.ended': { rounds: 4, model: new Uint8Array(32) },
  'study.enough': { reason: 'operator' },
}

const CALL = { ...FOUNDING_CALL, observers: [SELF.key] }

it('an observer’s own node refuses what is for hospitals, and takes part in all that is about members', () => {
  const node = new Node({ epochs: [CALL] })
  node.feed({ type: 'study-add', ticket: 90, study: ID, document: DOCUMENT })
  assert.is(node.asked('answer').find(({ ticket }) => ticket === 90)?.error?.code, 'observer')
  node.hear(proposed(ADA, JOIN), approved(ADA, JOIN), approved(BEN, JOIN))
  node.approves(JOIN)
  assert.is(node.asked('open-slot').length, 1, 'its node votes')
  assert.is(node.command({ type: 'member-suspend', ticket: 0, member: CLEO.key, reason: 'misconduct', size: 3 }), null)
})

it('a change needs a quorum of all members, and more than half of the hospitals', () => {
  const observers = [ADA.key, BEN.key, CLEO.key]
  const node = new Node({ epochs: [{ ...FOUNDING_CALL, members: FOUNDING_CALL.members, observers }] })
  node.hear(proposed(ADA, JOIN), approved(ADA, JOIN), approved(BEN, JOIN), approved(CLEO, JOIN))
  assert.equal(
    node.machine.changes.map((one) => one.approved),
    [false],
    'three observers of four members',
  )
  node.approves(JOIN)
  assert.equal(
    node.machine.changes.map((one) => one.approved),
    [true],
  )
})

const said = (by: Member, of: Member, seq: number, size = 50) =>
  factOf(by, 'member.suspended', { member: fromHex(of.key), reason: 'key-stolen', size }, seq)

it('approvals and proposals with a key that is not trusted count for its own going alone; what came before counts', () => {
  const replaced = changeOf(1, [FAY], [CLEO.key])
  const node = new Node()
  node.hear(proposed(ADA, JOIN), approved(BEN, JOIN), { ...approved(CLEO, JOIN), seq: 60 }, approved(ADA, JOIN))
  node.hear(proposed(CLEO, replaced), { ...approved(CLEO, replaced), seq: 61 })
  const byOf = (id: string) => node.machine.changes.find(({ change }) => change.id === id)?.approvedBy
  assert.ok(byOf(JOIN.id)?.includes(CLEO.key))
  node.hear(said(ADA, CLEO, 5), said(BEN, CLEO, 5))
  assert.not.ok(byOf(JOIN.id)?.includes(CLEO.key), 'said beyond what the two knew of')
  assert.ok(byOf(replaced.id)?.includes(CLEO.key))
  const known = new Node()
  known.hear(proposed(ADA, JOIN), { ...approved(CLEO, JOIN), seq: 40 }, said(ADA, CLEO, 5), said(BEN, CLEO, 5))
  assert.ok(known.machine.changes[0]?.approvedBy.includes(CLEO.key))
})

it('nothing new of a suspended log is cosigned, its entries are fetched all the same; taken back, it is cosigned again', () => {
  const node = new Node()
  node.hear(said(CLEO, CLEO, 9))
  node.feed({ type: 'replicated', log: headOf(CLEO, 30), from: ADA.key, facts: [], published: [] })
  node.feed({ type: 'head-heard', ticket: 1, from: CLEO.key, log: headOf(CLEO, 30), signatureValid: true, asks: true })
  node.wait(60_000)
  assert.equal(
    node.asked('cosign').filter(({ log }) => log.author === CLEO.key),
    [],
  )
  node.feed({ type: 'head-heard', ticket: 2, from: CLEO.key, log: headOf(CLEO, 40), signatureValid: true, asks: true })
  assert.ok(
    node.asked('replicate').some(({ author }) => author === CLEO.key),
    'for its evidence',
  )
  for (const [i, one] of [ADA, BEN].entries()) {
    node.hear(factOf(one, 'member.reinstated', { member: fromHex(CLEO.key), size: 10 }, 2))
    node.feed({ type: 'final-kept', log: headOf(one, 70 + i) })
  }
  node.wait(60_000)
  assert.ok(node.asked('cosign').some(({ log }) => log.author === CLEO.key))
})

it('a word is given once, with a reason that all know, of a member; one’s own is not taken back by oneself', () => {
  const node = new Node()
  const suspend = (member: MemberId, reason: string) =>
    node.command({ type: 'member-suspend', ticket: 0, member, reason, size: 3 })
  const reinstate = (member: MemberId) => node.command({ type: 'member-reinstate', ticket: 0, member, size: 3 })
  assert.is(suspend(EVE.key, 'misconduct'), 'member-unknown')
  assert.is(suspend(ADA.key, 'a feud'), 'suspension-reason')
  assert.is(reinstate(ADA.key), 'suspension-none')
  assert.is(suspend(ADA.key, 'misconduct'), null)
  const [record] = node.asked('record').filter(({ tag }) => tag === 'suspension')
  assert.equal(record?.drafts[0]?.body, { member: fromHex(ADA.key), reason: 'misconduct', size: 3 })
  node.commits('suspension', said(SELF, ADA, 4))
  assert.is(suspend(ADA.key, 'misconduct'), 'suspension-twice')
  assert.is(reinstate(ADA.key), null)
  assert.is(reinstate(SELF.key), 'reinstatement-own')
})

it.run()
