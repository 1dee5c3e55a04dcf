/** What a log tells of words when a round begins: what was lost before it began anew counts no more, and what is not there is counted. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { ToldWords } from '../../src/governance/consentDeclared.ts'
import { digestOf } from '../gossip/fixtures.ts'

const it = suite('consent declared')

const STUDY = digestOf('study') as unknown as StudyId
const OTHER = digestOf('other study') as unknown as StudyId
const commitment = (number: number): Uint8Array => new Uint8Array(32).fill(number)
const recorded = (from: number, count: number) => ({
  ...{ kind: 'consent.recorded', study: null },
  body: { from, items: Array.from({ length: count }, (_, i) => [new Uint8Array(16), commitment(from + i)]) },
})
const merged = { kind: 'round.merged', study: STUDY, body: null } // pruned: that it was is enough
const bound = { kind: 'dataset.bound', study: STUDY, body: null }
const restarted = (words: number) => ({
  ...{ kind: 'consent.restarted', study: null },
  body: { words, reason: 'vault-lost' },
})
const erased = { kind: 'subject.erased', study: null, body: { subjects: 2, reason: 'erasure-order' } }

type Told = Pick<Parameters<ToldWords['take']>[0], 'kind' | 'study' | 'body'>

/** Entry `seq` is of second `100 + seq`. */
function read(entries: readonly Told[], round = entries.length): ToldWords {
  const told = new ToldWords(STUDY, round)
  for (const [seq, entry] of entries.entries()) told.take({ ...entry, seq, timeMs: (100 + seq) * 1_000 })
  return told
}

it('words that were lost are not asked for after it began anew, and are before; erasures of any time count', () => {
  const entries = [recorded(0, 3), merged, erased, restarted(3), recorded(3, 1), merged, erased]
  const found = entries.map((_, i) => {
    const { before, anew, forgotten } = read(entries, i + 1)
    return [before.length, anew, forgotten]
  })
  assert.equal(found, [
    [0, false, 4],
    [3, false, 4],
    [3, false, 4],
    [0, true, 4],
    [0, true, 4],
    [1, true, 4],
    [1, true, 4],
  ])
  const { before, missing } = read(entries)
  assert.equal([before, missing], [[toHex(commitment(3))], 0])
})

it('words count up to the newest merge before the round, up to the first table where there is none, and of other studies neither does', () => {
  const other = (entry: Told): Told => ({ ...entry, study: OTHER })
  const of = (...entries: Told[]) => {
    const { before, sinceMs } = read([...entries, recorded(7, 1), other(merged), other(bound)])
    return [before.length, sinceMs]
  }
  assert.equal(of(recorded(0, 3), merged, recorded(3, 2), merged), [5, 103_000])
  assert.equal(of(recorded(0, 3), bound, recorded(3, 2), bound), [3, 101_000], 'another table comes while it trains')
  assert.equal(of(recorded(0, 3), merged, recorded(3, 2), bound), [3, 101_000])
  assert.equal(of(recorded(0, 3)), [0, null])
  const { before, sinceMs, all } = read([recorded(0, 3), merged, recorded(3, 1), merged], 2)
  assert.equal([before.length, sinceMs, all.size], [3, 101_000, 4], 'what comes after the round is told all the same')
})

it('words in entries that are not there are counted, and so are entries that are there without their bodies', () => {
  const counts = (entries: readonly Told[]) => {
    const { missing, unread } = read(entries)
    return [missing, unread]
  }
  const emptied = (entry: Told): Told => ({ ...entry, body: null })
  assert.equal(counts([recorded(0, 2), recorded(5, 1), recorded(7, 1)]), [4, 0])
  assert.equal(counts([emptied(recorded(0, 2)), recorded(2, 1), emptied(erased)]), [2, 2])
  assert.equal(counts([emptied(recorded(0, 2))]), [0, 1], 'how many it told of is not known')
  assert.equal(counts([recorded(0, 4), recorded(0, 2), recorded(4, 1)]), [0, 0], 'told once more')
  assert.equal(counts([restarted(4), recorded(4, 2)]), [0, 0], 'the log of another key, of a vault that began anew')
})

it.run()
