/** Retention: which bodies may go, when, and which never. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { PRUNABLE, PRUNABLE_CLASSES, RETENTION_DEFAULTS, type Retention } from '../../src/config/retention.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { factsOf } from '../../src/governance/facts.ts'
import { KINDS, type Kind } from '../../src/governance/kinds.ts'
import {
  classOf,
  isHeld,
  prunableClassOf,
  prunedAs,
  pruningTimes,
  REDACTION_REASONS,
  type RedactionRequest,
  redactionRefusal,
} from '../../src/governance/retention.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { decodeEntry, dropBody, type Entry } from '../../src/ledger/entry.ts'
import { commitOf, draftOf, keyOf, STUDY } from '../ledger/fixtures.ts'
import { SOUND } from './sound.ts'

const it = suite('retention')
const ADA = keyOf('ada')
const BEN = keyOf('ben')
const ALL = Object.keys(KINDS) as Kind[]
const DAY_MS = 86_400_000
const OTHER = 'cd'.repeat(32) as StudyId

function entryOf(kind: string, fields: { timeMs?: number; study?: StudyId | null; body?: Cbor } = {}): Entry {
  const {
    timeMs = 1_790_000_000_000,
    study = STUDY,
    body = (SOUND[kind as Kind] ?? { x: 1 }) as unknown as Cbor,
  } = fields
  const draft = { ...draftOf(0), kind, timeMs, study, body }
  return commitOf(ADA, emptyTip(ADA.member), 1, 'main', [draft]).entries[0] as Entry
}

it('what decides is exactly what is read of the logs, so no bookmark and no fold misses a body', () => {
  for (const kind of ALL) {
    const read = factsOf([entryOf(kind)], ADA.member).length > 0
    assert.is(classOf(kind) === 'decides', read, kind)
  }
  assert.ok(ALL.some((kind) => classOf(kind) !== 'decides'))
})

it('kinds of other versions may decide there, so their bodies stay', () => {
  for (const kind of ['future.some-kind', 'round.dreamt', 'toString', 'constructor']) {
    assert.is(classOf(kind), 'decides')
    assert.is(prunableClassOf(kind), null)
  }
})

it('every class has its shortest time before its longest', () => {
  for (const name of PRUNABLE_CLASSES)
    assert.ok(PRUNABLE[name].daysMin < PRUNABLE[name].daysMax && PRUNABLE[name].daysMin > 365)
})

it('by default nothing goes', () => {
  const times = pruningTimes(RETENTION_DEFAULTS, Number.MAX_SAFE_INTEGER)
  for (const kind of ALL) assert.is(prunedAs(entryOf(kind), RETENTION_DEFAULTS, times), null, kind)
})

const KEEP: Retention = { training: { keepDays: 3_000 }, operation: { keepDays: 1_200 }, legalHold: false }

it('a body goes when it is older than its class is kept, to the millisecond, and what decides stays', () => {
  const nowMs = 1_790_000_000_000
  const times = pruningTimes(KEEP, nowMs)
  for (const kind of ALL) {
    const name = prunableClassOf(kind)
    const keepDays = name === null ? 0 : (KEEP[name].keepDays as number)
    const at = (ageMs: number) => prunedAs(entryOf(kind, { timeMs: nowMs - ageMs }), KEEP, times)
    assert.is(at(keepDays * DAY_MS + 1), name, kind)
    assert.is(at(keepDays * DAY_MS), null, kind)
    assert.is(at(nowMs), name, `${kind} of 1970`)
  }
  assert.is(
    prunedAs(decodeEntry(dropBody(entryOf('round.merged', { timeMs: 5 }).raw)), KEEP, times),
    null,
    'it is gone already',
  )
  assert.equal([...pruningTimes({ ...KEEP, training: { keepDays: 'unlimited' } }, nowMs).keys()], ['operation'])
})

it('a hold of everything holds everything; a hold of studies holds their entries alone', () => {
  const times = pruningTimes(KEEP, 1_790_000_000_000)
  const old = (study: StudyId | null) => entryOf('round.merged', { timeMs: 7, study })
  for (const [legalHold, study, held] of [
    [true, STUDY, true],
    [true, null, true],
    [false, STUDY, false],
    [[STUDY, OTHER], STUDY, true],
    [[OTHER], STUDY, false],
    [[OTHER], null, false],
    [[], STUDY, false],
  ] as const) {
    assert.is(isHeld({ ...KEEP, legalHold }, study), held)
    assert.is(prunedAs(old(study), { ...KEEP, legalHold }, times), held ? null : 'training')
  }
})

it('an own entry past its shortest time may be redacted, and each reason why not has its code', () => {
  const nowMs = 1_790_000_000_000
  const sound: RedactionRequest = {
    entry: entryOf('round.merged', { timeMs: nowMs - PRUNABLE.training.daysMin * DAY_MS }),
    self: ADA.member,
    reason: 'personal-data',
    redacted: false,
    retention: { ...KEEP, legalHold: [OTHER] },
    nowMs,
  }
  const codeOf = (change: Partial<RedactionRequest>) => redactionRefusal({ ...sound, ...change })?.code ?? 'allowed'
  const young = entryOf('round.merged', { timeMs: nowMs - PRUNABLE.training.daysMin * DAY_MS + 1 })
  for (const reason of REDACTION_REASONS) assert.is(codeOf({ reason }), 'allowed')
  assert.is(codeOf({ reason: 'because' }), 'redaction-reason')
  assert.is(codeOf({ self: BEN.member }), 'redaction-foreign')
  assert.is(codeOf({ redacted: true }), 'redaction-twice')
  assert.is(codeOf({ entry: young }), 'redaction-early')
  assert.is(codeOf({ entry: young, reason: 'erasure-order' }), 'allowed')
  for (const reason of REDACTION_REASONS) {
    assert.is(codeOf({ reason, retention: { ...KEEP, legalHold: true } }), 'redaction-held')
    assert.is(codeOf({ reason, retention: { ...KEEP, legalHold: [STUDY] } }), 'redaction-held')
    for (const kind of [...ALL.filter((one) => prunableClassOf(one) === null), 'future.some-kind'])
      assert.is(codeOf({ reason, entry: entryOf(kind, { timeMs: 7 }) }), 'redaction-decides', kind)
  }
  for (const kind of ['study.paused', 'operator.pruned', 'future.some-kind'])
    assert.match(redactionRefusal({ ...sound, entry: entryOf(kind) })?.message ?? '', kind)
})

it.run()
