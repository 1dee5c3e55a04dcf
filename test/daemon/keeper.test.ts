/** Pruning and redaction at a node: what goes, what stays, and that what went is recorded whatever fails in between. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { RETENTION_DEFAULTS } from '../../src/config/retention.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Entry } from '../../src/ledger/entry.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import type { WriteHooks } from '../../src/store/writes.ts'
import { STUDY } from '../ledger/fixtures.ts'
import { ADA, accepted, BEN, CLEO, DAY_MS, KEEP, KeptNode, NOW_MS, round, stop } from './keepingKit.ts'

const it = suite('keeper')

const OLD = [round(2_600), accepted(2_600), stop(1_300), round(2_501), round(2_499), stop(1_199), accepted(1), round(1)]
const GOES = [0, 2, 3]
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof ConsiliumError ? error.code : String(error)),
  )
const pruned = async (node: KeptNode) =>
  (await node.entries())
    .filter(({ kind }) => kind === 'operator.pruned')
    .map(({ body }) => body as { member: Uint8Array; class: string; before: number; entries: number })

it('old bodies go from all logs, once; what decides or is young stays; each log’s classes are recorded', async () => {
  const ada = await KeptNode.start(ADA)
  const ben = await KeptNode.start(BEN)
  await ada.write(...OLD)
  await ben.write(...OLD.slice(0, 3))
  await ben.fetch(ada)
  const planned = await ben.keeper.prune(true)
  assert.equal([await ben.gone(), await ben.gone(ADA), await pruned(ben)], [[], [], []], 'a dry run only says')
  const done = await ben.keeper.prune(false)
  assert.equal(done, { ...planned, dryRun: false })
  assert.equal(await ben.gone(ADA), GOES)
  assert.equal(await ben.gone(), [0, 2])
  const accounts = await pruned(ben)
  assert.equal(
    accounts.map((one) => [Buffer.from(one.member).toString('hex'), one.class, one.before, one.entries]).sort(),
    [
      [ADA.member, 'training', NOW_MS - 2_500 * DAY_MS, 2],
      [ADA.member, 'operation', NOW_MS - 1_200 * DAY_MS, 1],
      [BEN.member, 'training', NOW_MS - 2_500 * DAY_MS, 1],
      [BEN.member, 'operation', NOW_MS - 1_200 * DAY_MS, 1],
    ].sort(),
  )
  assert.equal((await ben.keeper.prune(false)).logs, [])
  assert.is((await pruned(ben)).length, 4, 'nothing went, nothing is recorded')
  for (const key of [ADA, BEN]) assert.is((await ben.logs.verify(key.member)).fault, null)
  const cleo = await KeptNode.start(CLEO)
  await cleo.fetch(ben, ADA)
  assert.equal(await cleo.gone(ADA), GOES, 'who fetches it here gets no body, and verifies it')
  assert.equal((await KeptNode.start(BEN, ben.store.reopen())).logs.sizes(), ben.logs.sizes())
})

it('the daily run does the same by itself; by default nothing goes', async () => {
  const ada = await KeptNode.start(ADA)
  await ada.write(...OLD)
  await ada.runUntil(async () => (await pruned(ada)).length === 2)
  assert.equal(await ada.gone(), GOES)
  const ben = await KeptNode.start(BEN, new MemoryStore(), RETENTION_DEFAULTS)
  await ben.write(...OLD)
  assert.equal((await ben.keeperAt(NOW_MS * 100).prune(false)).logs, [])
  assert.equal(await ben.gone(), [])
})

it('a log of many slices is pruned up to the first one that is young, whatever clocks leap within one', async () => {
  const ada = await KeptNode.start(ADA)
  const drafts = Array.from({ length: 800 }, (_, i) => round(i < 450 ? (i % 90 === 0 ? 1 : 3_000) : 1))
  for (let i = 0; i < 800; i += 200) await ada.write(...drafts.slice(i, i + 200))
  await ada.write(round(3_000))
  const { logs } = await ada.keeper.prune(false)
  assert.equal(
    logs.map(({ entries }) => entries),
    [445],
  )
  assert.is((await ada.gone()).length, 445, 'the old one after a slice of young ones waits for those to age')
  await ada.keeperAt(NOW_MS + 2_600 * DAY_MS).prune(false)
  assert.is((await ada.gone()).length, 801)
})

it('logs in dispute, studies on hold and everything under a full hold stay as they are', async () => {
  const ada = await KeptNode.start(ADA)
  await ada.write(...OLD)
  for (const [legalHold, gone] of [
    [true, []],
    [[STUDY], [2]],
    [['ab'.repeat(32)], GOES],
  ] as const) {
    const ben = await KeptNode.start(BEN, new MemoryStore(), { ...KEEP, legalHold })
    await ben.fetch(ada)
    assert.equal((await ben.keeper.prune(false)).legalHold, legalHold)
    assert.equal(await ben.gone(ADA), gone)
  }
  const cleo = await KeptNode.start(CLEO)
  await cleo.fetch(ada)
  await cleo.store.putForkEvidence(ADA.member, utf8('two heads'))
  const again = await KeptNode.start(CLEO, cleo.store.reopen())
  assert.equal((await again.keeper.prune(false)).disputed, [ADA.member.slice(0, 6)])
  assert.equal(await again.gone(ADA), [])
})

/** Fails the write number `at`, before or after it is done. */
function failingAt(at: number, moment: 'before' | 'after'): WriteHooks {
  let writes = 0
  const fault = () => {
    if (++writes === at) throw new Error('injected')
  }
  return { [moment]: fault }
}

for (const moment of ['before', 'after'] as const) {
  it(`whatever write of a pruning fails ${moment} it is done, after the next run every body that went is recorded once`, async () => {
    const writes = 5 // two slices that drop and the record, of one log; then one slice and the record of the other
    for (let at = 1; at <= writes; at++) {
      const first = await KeptNode.start(ADA)
      const ben = await KeptNode.start(BEN)
      await ben.write(...OLD)
      await first.write(...Array.from({ length: 199 }, () => round(3_000)), stop(2_000))
      await first.fetch(ben)
      const failing = await KeptNode.start(ADA, first.store.reopen(failingAt(at, moment)))
      assert.match(await codeOf(failing.keeper.prune(false)), /injected/, `write ${at}`)
      const again = await KeptNode.start(ADA, first.store.reopen())
      await again.keeper.prune(false)
      const accounts = await pruned(again)
      const count = (key: typeof ADA, name: string) =>
        accounts
          .filter((one) => Buffer.from(one.member).toString('hex') === key.member && one.class === name)
          .reduce((sum, one) => sum + one.entries, 0)
      assert.equal([count(ADA, 'training'), count(ADA, 'operation')], [199, 1], `write ${at}`)
      assert.equal([count(BEN, 'training'), count(BEN, 'operation')], [2, 1], `write ${at}`)
      assert.is((await again.gone()).length, 200)
      assert.equal(await again.store.listState('pruning/'), [])
    }
  })
}

it('a redaction is recorded, drops the body here, and at every member as it arrives, early or late', async () => {
  const ada = await KeptNode.start(ADA)
  const early = await KeptNode.start(BEN)
  await ada.write(...OLD)
  await early.fetch(ada)
  const entry = (await ada.entries())[3] as Entry
  const report = await ada.keeper.redact(entry, 'personal-data')
  assert.equal(report, {
    member: ADA.member,
    seq: 3,
    kind: 'round.published',
    hash: entry.hash,
    reason: 'personal-data',
  })
  const record = (await ada.entries()).at(-1)
  assert.equal(record?.body, { seq: 3, hash: entry.leaf, reason: 'personal-data' })
  assert.equal([record?.kind, record?.study, record?.refs], ['operator.redacted', STUDY, [[ADA.member, 3, entry.hash]]])
  const late = await KeptNode.start(CLEO)
  await early.fetch(ada)
  await late.fetch(ada)
  for (const node of [ada, early, late]) {
    assert.equal(await node.gone(ADA), [3])
    assert.is((await node.logs.verify(ADA.member)).fault, null)
    assert.is((await node.entries(ADA))[3]?.hash, entry.hash)
  }
  assert.is(await codeOf(ada.keeper.redact(entry, 'erasure-order')), 'redaction-twice')
  const again = await KeptNode.start(ADA, ada.store.reopen())
  assert.is(await codeOf(again.keeper.redact(entry, 'erasure-order')), 'redaction-twice', 'after a restart too')
  assert.is((await ada.entries()).length, OLD.length + 1)
})

it('two calls at once redact once', async () => {
  const ada = await KeptNode.start(ADA)
  await ada.write(...OLD)
  const [entry] = await ada.entries()
  const both = [1, 2].map(() => codeOf(ada.keeper.redact(entry as Entry, 'personal-data')))
  assert.equal((await Promise.all(both)).sort(), ['done', 'redaction-twice'])
})

it('what may not be redacted is refused, and nothing is recorded', async () => {
  const ada = await KeptNode.start(ADA)
  const ben = await KeptNode.start(BEN, new MemoryStore(), { ...KEEP, legalHold: [STUDY] })
  await ada.write(...OLD)
  await ben.write(...OLD)
  await ada.fetch(ben)
  const [old, decides] = await ada.entries()
  const young = (await ada.entries())[7]
  const [foreign] = await ada.entries(BEN)
  for (const [node, entry, reason, code] of [
    [ada, decides, 'erasure-order', 'redaction-decides'],
    [ada, young, 'personal-data', 'redaction-early'],
    [ada, foreign, 'erasure-order', 'redaction-foreign'],
    [ada, old, 'boredom', 'redaction-reason'],
    [ben, foreign, 'erasure-order', 'redaction-held'],
  ] as const) {
    assert.is(await codeOf(node.keeper.redact(entry as Entry, reason)), code)
    assert.is((await node.entries()).length, OLD.length)
    assert.equal(await node.gone(), [])
  }
  assert.is(await codeOf(ada.keeper.redact(young as Entry, 'erasure-order')), 'done')
})

it('a redaction that was recorded and not carried out, by a crash or a hold, is carried out at the next start without', async () => {
  for (const moment of ['before', 'after'] as const) {
    const ada = await KeptNode.start(ADA)
    await ada.write(...OLD)
    const [entry] = await ada.entries()
    const failing = await KeptNode.start(ADA, ada.store.reopen(failingAt(2, moment)))
    assert.match(await codeOf(failing.keeper.redact(entry as Entry, 'personal-data')), 'injected')
    const again = await KeptNode.start(ADA, ada.store.reopen(), RETENTION_DEFAULTS)
    await again.runUntil(async () => (await again.gone()).length > 0)
    assert.equal(await again.gone(), [0])
    const ben = await KeptNode.start(BEN, new MemoryStore(), { ...KEEP, legalHold: true })
    await ben.fetch(await KeptNode.start(ADA, ada.store.reopen()))
    assert.equal(await ben.gone(ADA), [0], 'served without')
  }
  const ada = await KeptNode.start(ADA)
  await ada.write(...OLD)
  const ben = await KeptNode.start(BEN, new MemoryStore(), { ...KEEP, legalHold: true })
  await ben.fetch(ada)
  await ada.keeper.redact((await ada.entries())[0] as Entry, 'personal-data')
  await ben.fetch(ada)
  assert.equal(await ben.gone(ADA), [], 'on hold')
  const free = await KeptNode.start(BEN, ben.store.reopen(), RETENTION_DEFAULTS)
  await free.runUntil(async () => (await free.gone(ADA)).length > 0)
  assert.equal(await free.gone(ADA), [0])
})

it('a redaction obliges nobody where its hash, its place or its entry’s class is wrong, or it is of another’s log', async () => {
  const ada = await KeptNode.start(ADA)
  const ben = await KeptNode.start(BEN)
  await ada.write(...OLD)
  const entries = await ada.entries()
  const redacted = (seq: number, hash: Uint8Array) => ({
    kind: 'operator.redacted' as const,
    study: null,
    timeMs: NOW_MS,
    refs: [],
    body: { seq, hash, reason: 'personal-data' },
  })
  const leaf = (seq: number) => entries[seq]?.leaf as Uint8Array
  await ada.write(redacted(0, leaf(2)), redacted(1, leaf(1)), redacted(9, leaf(0)), redacted(400, leaf(0)))
  await ben.write(redacted(0, leaf(0)), redacted(2, leaf(2)))
  const cleo = await KeptNode.start(CLEO)
  await cleo.fetch(ada)
  await cleo.fetch(ben)
  assert.equal([await cleo.gone(ADA), await cleo.gone(BEN)], [[], []])
  await ada.write(redacted(5, leaf(5)), redacted(0, leaf(0)), redacted(5, leaf(5)))
  await cleo.fetch(ada)
  assert.equal(await cleo.gone(ADA), [0, 5])
})

it('a member that hands on what decides without its body is blamed, and nothing of it is stored', async () => {
  const ada = await KeptNode.start(ADA)
  await ada.write(...OLD)
  const stripping = await KeptNode.start(BEN, new MemoryStore())
  await stripping.fetch(ada)
  await stripping.store.dropBodies(ADA.member, [0, 3])
  const cleo = await KeptNode.start(CLEO)
  await cleo.fetch(stripping, ADA)
  assert.equal(await cleo.gone(ADA), [0, 3], 'of what may go the bodies may lack')
  await stripping.store.dropBodies(ADA.member, [6])
  const again = await KeptNode.start(CLEO)
  const error = await again.fetch(stripping, ADA).catch((thrown: unknown) => thrown)
  assert.equal([(error as ConsiliumError).code, (error as ConsiliumError).blame], ['range-bodiless', 'reject'])
  assert.is((await again.entries(ADA)).length, 0)
})

it('after pruning and redacting, a start reads the same facts from its bookmarks', async () => {
  const ada = await KeptNode.start(ADA)
  await ada.write(...OLD)
  await ada.logs.facts.save()
  const before = await (await KeptNode.start(ADA, ada.store.reopen())).logs.readFacts()
  await ada.keeper.prune(false)
  await ada.keeper.redact((await ada.entries())[7] as Entry, 'erasure-order')
  const again = await KeptNode.start(ADA, ada.store.reopen())
  const facts = await again.logs.readFacts()
  assert.equal(
    facts.filter(({ kind }) => kind !== 'operator.redacted'),
    before,
  )
  assert.is(facts.length, before.length + 1)
})

it.run()
