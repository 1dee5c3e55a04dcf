/** What was refused is counted by member and reason, and written seldom enough that nobody can fill a log. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Studies } from '../../src/governance/studies.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import { Context } from '../../src/node/context.ts'
import { Rejections } from '../../src/node/rejections.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'

const it = suite('rejections')
const [SELF, ADA, BEN] = ['self', 'ada', 'ben'].map((name) => keyOf(name).member) as [MemberId, MemberId, MemberId]
const HOUR = 3_600_000

function parts() {
  const context = new Context(SELF, digestOf('founding'), rollOf([SELF, ADA, BEN]), new Studies())
  context.unseal([])
  const drafts = () => context.out.flatMap((action) => (action.type === 'record' ? action.drafts : []))
  return { context, rejections: new Rejections(), drafts }
}

it('a reason is written at its 1st, 10th, 100th … time, for each member by itself', () => {
  const { context, rejections, drafts } = parts()
  for (let i = 0; i < 1_000; i++) rejections.member(context, ADA, 'update-norm')
  for (let i = 0; i < 9; i++) rejections.member(context, ADA, 'truncated')
  for (let i = 0; i < 10; i++) rejections.member(context, BEN, 'update-norm')
  const written = drafts().map(({ kind, body }) => {
    const { member, reason } = body as { member: Uint8Array; reason: string }
    return [kind, toHex(member), reason]
  })
  assert.equal(written, [
    ...[1, 10, 100, 1_000].map(() => ['member.rejected', ADA, 'update-norm']),
    ['member.rejected', ADA, 'truncated'],
    ...[1, 10].map(() => ['member.rejected', BEN, 'update-norm']),
  ])
  assert.equal(rejections.view(), [
    { member: ADA, reason: 'update-norm', count: 1_000 },
    { member: ADA, reason: 'truncated', count: 9 },
    { member: BEN, reason: 'update-norm', count: 10 },
  ])
})

it('strangers are written once an hour, with their number', () => {
  const { context, rejections, drafts } = parts()
  const start = context.now
  for (let i = 0; i < 7_300; i++) {
    context.now = start + i * 1_000
    rejections.stranger(context)
  }
  assert.equal(
    drafts().map(({ kind, body }) => [kind, (body as { connections: number }).connections]),
    [1, HOUR / 1_000, HOUR / 1_000].map((connections) => ['stranger.rejected', connections]),
  )
})

it('before a stop the strangers since the last entry are written, and nothing where there were none', () => {
  const { context, rejections, drafts } = parts()
  rejections.settle(context)
  assert.equal(drafts(), [])
  for (let i = 0; i < 4; i++) rejections.stranger(context)
  rejections.settle(context)
  rejections.settle(context)
  assert.equal(
    drafts().map(({ body }) => (body as { connections: number }).connections),
    [1, 3],
  )
})

it('the number of reasons remembered is bounded, whatever a member makes up', () => {
  const { context, rejections } = parts()
  for (let i = 0; i < 5_000; i++) rejections.member(context, ADA, `reason-${i}`)
  assert.is(rejections.view().length, 4_096)
})

it('a reason that is remembered goes on being counted when no more can be', () => {
  const { context, rejections, drafts } = parts()
  for (let i = 0; i < 4_200; i++) rejections.member(context, ADA, `reason-${i}`)
  assert.is(drafts().length, 4_096, 'what is not remembered is not written either')
  for (let i = 0; i < 9; i++) rejections.member(context, ADA, 'reason-7')
  assert.is(drafts().length, 4_097)
  assert.is(rejections.view().find(({ reason }) => reason === 'reason-7')?.count, 10)
})

it('what is written is told too, as a warning with its number', () => {
  const { context, rejections } = parts()
  for (let i = 0; i < 11; i++) rejections.member(context, BEN, 'truncated')
  const told = context.out.flatMap((action) => (action.type === 'tell' ? [action] : []))
  assert.equal(
    told.map(({ level, event, facts }) => [level, event, facts.member, facts.reason, facts.count]),
    [1, 10].map((count) => ['warn', 'member-rejected', BEN, 'truncated', count]),
  )
})

it('counts that only look round are no powers of ten', () => {
  const { context, rejections, drafts } = parts()
  const written: number[] = []
  for (let count = 1; count <= 1_100; count++) {
    const before = drafts().length
    rejections.member(context, ADA, 'truncated')
    if (drafts().length > before) written.push(count)
    context.out = []
  }
  assert.equal(written, [1, 10, 100, 1_000])
})

it('the next entry on strangers comes after an hour to the millisecond, and counts from the last one', () => {
  const { context, rejections, drafts } = parts()
  const at = (ms: number) => {
    context.now = ms
    rejections.stranger(context)
  }
  for (const ms of [5_000, 6_000, HOUR + 4_999, HOUR + 5_000, HOUR + 5_001]) at(ms)
  assert.equal(
    drafts().map(({ timeMs, body }) => [timeMs, (body as { connections: number }).connections]),
    [
      [5_000, 1],
      [HOUR + 5_000, 3],
    ],
  )
})

it.run()
