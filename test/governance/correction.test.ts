/** Corrections: who may say what of which entry, and how it is read. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { type CorrectionRequest, correctionRefusal, remarkOn } from '../../src/governance/correction.ts'
import { B32, SOUND } from './sound.ts'

const it = suite('corrections')
const [SELF, OTHER] = ['a', 'b'].map((digit) => digit.repeat(64)) as [MemberId, MemberId]

const sound: CorrectionRequest = {
  entry: { author: SELF, seq: 7, kind: 'dataset.bound' },
  by: { author: SELF, seq: 9, kind: 'dataset.bound' },
  self: SELF,
  reason: 'wrong-value',
}

it('an own entry is corrected by a later one of its kind; anything else is refused with its reason', () => {
  assert.is(correctionRefusal(sound), null)
  const rows: readonly (readonly [string, Partial<CorrectionRequest>])[] = [
    ['correction-reason', { reason: 'because' }],
    ['correction-foreign', { entry: { ...sound.entry, author: OTHER } }],
    ['correction-foreign', { by: { ...sound.by, author: OTHER } }],
    ['correction-earlier', { by: { ...sound.by, seq: 7 } }],
    ['correction-earlier', { by: { ...sound.by, seq: 3 } }],
    ['correction-kind', { by: { ...sound.by, kind: 'node.started' } }],
  ]
  for (const [code, change] of rows) assert.is(correctionRefusal({ ...sound, ...change })?.code, code)
})

it('what says so of another entry is read as a remark, and nothing else is', () => {
  const read = (kind: 'operator.redacted' | 'operator.corrected') => remarkOn({ kind, body: SOUND[kind] })
  assert.equal(read('operator.redacted'), { kind: 'redacted', reason: 'personal-data' })
  assert.equal(read('operator.corrected'), { kind: 'corrected', reason: 'wrong-value' })
  assert.is(remarkOn({ kind: 'operator.corrected', body: { seq: 1, hash: B32, reason: 'Mrs. Smith' } }), null)
  assert.is(remarkOn({ kind: 'node.stopped', body: { reason: 'sigterm' } }), null)
})

it.run()
