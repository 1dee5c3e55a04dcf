/** `log ls`: what it lists by a filter is what a scan of all entries finds. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Daemon } from '../../src/daemon/daemon.ts'
import { LogReader } from '../../src/daemon/logReader.ts'
import { emptyTip, extend } from '../../src/ledger/chain.ts'
import { decodeEntry, dropBody, glanceAt } from '../../src/ledger/entry.ts'
import { draftOf, keyOf, STUDY, saltOf } from '../ledger/fixtures.ts'

const it = suite('log reader')

const ADA = keyOf('ada')
const KINDS = ['round.trained', 'round.merged', 'roundabout.way', 'study.paused', 'node.started'] as const
const COUNT = 1_203 // some slices, and not whole ones
const FINAL = 700

/** Entries of kinds, studies and times in no order, some without their body. */
function logOf(): Uint8Array[] {
  const raws: Uint8Array[] = []
  for (let tip = emptyTip(ADA.member); tip.size < COUNT; ) {
    const numbers = Array.from({ length: Math.min(200, COUNT - tip.size) }, (_, i) => tip.size + i)
    const drafts = numbers.map((i) => ({
      ...draftOf(i, { i }),
      kind: KINDS[(i * 7 + Math.floor(i / 11)) % KINDS.length] as string,
      timeMs: 1_790_000_000_000 + ((i * 37) % 500),
    }))
    const made = extend(
      tip,
      drafts,
      numbers.map((i) => saltOf(`${i}`)),
    )
    raws.push(...made.raws)
    tip = made.tip
  }
  return raws.map((raw, i) => (i % 5 === 0 ? dropBody(raw) : raw))
}

const RAWS = logOf()
const ENTRIES = RAWS.map(decodeEntry)

/** A node that holds the log and knows its first entries to be final. */
const daemon = {
  logs: {
    self: keyOf('ben').member,
    authors: () => [ADA.member],
    sizeOf: () => ({ author: ADA.member, size: COUNT }),
    entries: async (_: string, from: number, to: number) => RAWS.slice(from, to),
    isForked: () => false,
  },
  machine: { finality: { final: () => ({ size: FINAL }) }, view: () => ({ studies: [] }) },
  home: { consortium: { members: [{ key: ADA.member, name: 'Ada' }] } },
  nameOf: () => 'Ada',
} as unknown as Daemon

const query = fc.record(
  {
    kind: fc.constantFrom('round', 'round.trained', 'study', 'node.started', 'node.stopped'),
    study: fc.constantFrom(STUDY, '0'.repeat(64)),
    since: fc.integer({ min: 1_790_000_000_000, max: 1_790_000_000_600 }),
    state: fc.constantFrom('final', 'pending'),
    limit: fc.integer({ min: 0, max: 900 }),
  },
  { requiredKeys: [] },
)

it('what is listed by kind, study, time and state is what a scan finds, the newest of it, by time', () =>
  fc.assert(
    fc.asyncProperty(query, async (asked) => {
      const { kind, study, since, state, limit = 40 } = asked
      const found = ENTRIES.filter(
        (entry) =>
          (kind === undefined || entry.kind === kind || entry.kind.startsWith(`${kind}.`)) &&
          (study === undefined || entry.study === study) &&
          (since === undefined || entry.timeMs >= since) &&
          (state === undefined || entry.seq < FINAL === (state === 'final')),
      )
      const newest = found.slice(found.length - Math.min(limit, found.length))
      const expected = newest.sort((a, b) => a.timeMs - b.timeMs || a.seq - b.seq).map(({ seq }) => seq)
      const text = Object.entries(asked).map(([name, value]): [string, string] => [name, `${value}`])
      const { entries } = await new LogReader(daemon).list(new URLSearchParams(text))
      assert.equal(
        entries.map(({ seq }) => seq),
        expected,
      )
      for (const { seq, kind, body } of entries) {
        assert.is(kind, ENTRIES[seq]?.kind)
        assert.is(body === null, seq % 5 === 0)
      }
    }),
    { numRuns: 60 },
  ))

it('a glance gives what reading the whole entry gives, and refuses what is no entry', () => {
  for (const [i, raw] of RAWS.entries()) {
    const { timeMs, kind, study } = ENTRIES[i] as (typeof ENTRIES)[0]
    const glance = glanceAt(raw)
    assert.equal([glance.timeMs, glance.kind, glance.study], [timeMs, kind, study])
  }
  assert.throws(() => glanceAt((RAWS[0] as Uint8Array).subarray(0, 100)), /entry refused/)
})

it.run()
