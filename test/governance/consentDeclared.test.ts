/** What a log had told of words when a round began: what was lost before it began anew counts no more. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { ToldWords } from '../../src/governance/consentDeclared.ts'
import { digestOf } from '../gossip/fixtures.ts'

const it = suite('consent declared')

const STUDY = digestOf('study') as unknown as StudyId
const commitment = (number: number): Uint8Array => new Uint8Array(32).fill(number)
const recorded = (from: number, count: number) => ({
  ...{ kind: 'consent.recorded', study: null },
  body: { from, items: Array.from({ length: count }, (_, i) => [new Uint8Array(16), commitment(from + i)]) },
})
const merged = {
  ...{ kind: 'round.merged', study: STUDY },
  body: { round: 1, rule: 'mean', inputs: [], result: commitment(9) },
}
const restarted = { kind: 'consent.restarted', study: null, body: { words: 3, reason: 'vault-lost' } }
const erased = { kind: 'subject.erased', study: null, body: { subjects: 2, reason: 'erasure-order' } }

it('words that were lost are not asked for after it began anew, and are before; erasures of any time count', () => {
  const told = new ToldWords(STUDY)
  const found = [recorded(0, 3), merged, erased, restarted, recorded(3, 1), merged, erased].map((entry) => {
    told.take(entry)
    return [told.before.length, told.anew, told.forgotten]
  })
  assert.equal(found, [
    [0, false, 0],
    [3, false, 0],
    [3, false, 2],
    [0, true, 2],
    [0, true, 2],
    [1, true, 2],
    [1, true, 4],
  ])
  assert.equal([told.before, told.missing], [[toHex(commitment(3))], 0])
})

it.run()
