/** What a bundle lacks although its filter takes it: an honest exporter leaves nothing out, whatever its filter; who takes an entry away is seen. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LeftOut } from '../../src/cli/leftOut.ts'
import type { BundleFilter } from '../../src/ledger/bundle.ts'
import type { BundledLog } from '../../src/ledger/bundleVerdict.ts'
import type { Entry } from '../../src/ledger/entry.ts'
import { consortiumOf, NO_FILTER } from '../ledger/bundleKit.ts'

const it = suite('left out')

const AUTHOR = (consortiumOf(1).founding.members[0] as { key: Entry['author'] }).key
const BEGAN = 1_790_000_000_000
const HOUR = 3_600_000

interface Log {
  readonly times: readonly number[]
  readonly finalSize: number
  readonly forkSize: number | null
}

/** What an exporter takes of a log, as `Exporter` does. */
function taken({ times, finalSize, forkSize }: Log, { state, sinceMs, untilMs }: BundleFilter): number[] {
  const last = forkSize === null || state === null ? times.length : forkSize - 1
  const [from, to] = state === 'final' ? [0, Math.min(finalSize, last)] : [state === null ? 0 : finalSize, last]
  return times.flatMap((timeMs, seq) => {
    const inTime = (sinceMs === null || timeMs >= sinceMs) && (untilMs === null || timeMs < untilMs)
    return inTime && seq >= from && seq < to ? [seq] : []
  })
}

/** Places that are told of as left out, where a bundle has entries `seqs` of the log. */
function found({ times, finalSize, forkSize }: Log, filter: BundleFilter, seqs: readonly number[]): number[] {
  const leftOut = new LeftOut()
  for (const seq of seqs)
    leftOut.take({ author: AUTHOR, seq, timeMs: times[seq] as number } as unknown as Entry, filter, 'Ada')
  const size = filter.state === 'final' ? finalSize : times.length
  const log = { name: 'Ada', member: AUTHOR, size, finalSize, forkSize } as unknown as BundledLog
  leftOut.ended(filter, seqs.length === 0 ? [] : [log]) // no exporter gives a head of which it has no entry
  const places = leftOut.gaps.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))
  assert.is(places.length, leftOut.entries)
  return places
}

/** Ten minutes between entries, each a few seconds earlier or later than that. */
const LOGS: fc.Arbitrary<Log> = fc
  .record({ shifts: fc.array(fc.nat(20_000), { minLength: 1, maxLength: 30 }), final: fc.nat(30), fork: fc.nat(60) })
  .map(({ shifts, final, fork }) => ({
    times: shifts.map((shift, i) => BEGAN + (i % 3 === 0 ? 0 : 1_000) + Math.floor(i / 4) * 600_000 + shift),
    finalSize: Math.min(final, shifts.length),
    forkSize: fork === 0 || fork > shifts.length ? null : fork,
  }))
const MOMENT = fc.option(fc.nat(2 * HOUR).map((after) => BEGAN + after))
const FILTERS: fc.Arbitrary<BundleFilter> = fc
  .record({
    members: fc.constantFrom(null, [AUTHOR]),
    state: fc.constantFrom(null, 'final', 'pending'),
    sinceMs: MOMENT,
    untilMs: MOMENT,
  })
  .map((filter) => ({ ...NO_FILTER, ...filter }) as BundleFilter)

it('property: what an honest exporter gives lacks nothing, though clocks go to and fro by seconds', () => {
  fc.assert(
    fc.property(LOGS, FILTERS, (log, filter) => {
      assert.equal(found(log, filter, taken(log, filter)), [])
    }),
    { numRuns: 3_000 },
  )
})

it('property: of a filter that takes everything, or all that is final, whatever is taken away is told, and nothing else', () => {
  fc.assert(
    fc.property(LOGS, fc.constantFrom(null, 'final' as const), fc.infiniteStream(fc.boolean()), (log, state, stays) => {
      const filter = { ...NO_FILTER, state }
      const all = taken(log, filter)
      const kept = all.filter(() => stays.next().value)
      fc.pre(kept.length > 0)
      const lacking = all.filter((seq) => !kept.includes(seq))
      assert.equal(
        found(log, filter, kept).sort((a, b) => a - b),
        lacking,
      )
    }),
    { numRuns: 1_000, verbose: 0 },
  )
})

it('of a time, and of what is pending, what is missing in the middle is told; of a kind or a study nothing can be', () => {
  const log = { times: Array.from({ length: 9 }, (_, i) => BEGAN + i * HOUR), finalSize: 2, forkSize: null }
  const rows: readonly (readonly [Partial<BundleFilter>, seqs: number[], lacking: number[]])[] = [
    [{ sinceMs: BEGAN + 2 * HOUR - 1 }, [3, 5, 6, 7, 8], [4]],
    [{ sinceMs: BEGAN + 2 * HOUR - 1 }, [3, 4, 5, 6, 7], [8]],
    [{ untilMs: BEGAN + 7 * HOUR }, [1, 2, 3, 5], [0, 4]],
    [{ sinceMs: BEGAN + HOUR - 90_000, untilMs: BEGAN + 7 * HOUR }, [1, 6], [2, 3, 4, 5]],
    [{ sinceMs: BEGAN + HOUR - 30_000 }, [1, 3, 4, 5, 6, 7, 8], []],
    [{ state: 'pending' }, [3, 5, 6, 7, 8], [4]],
    [{ state: 'pending' }, [3, 4, 5, 6, 7], [8]],
    [{ kind: 'round' }, [1, 8], []],
    [{ study: '5d'.repeat(32) as never }, [1, 8], []],
  ]
  for (const [filter, seqs, lacking] of rows)
    assert.equal(
      found(log, { ...NO_FILTER, ...filter }, seqs).sort((a, b) => a - b),
      lacking,
      JSON.stringify(filter),
    )
})

it('a log of which there is a head and no entry lacks all that the head covers, where the filter takes that log', () => {
  const log = { name: 'Ada', member: AUTHOR, size: 4, finalSize: 3, forkSize: null } as unknown as BundledLog
  const rows: readonly (readonly [Partial<BundleFilter>, number])[] = [
    [{}, 4],
    [{ state: 'final' }, 3],
    [{ members: ['00'.repeat(32) as Entry['author']] }, 0],
    [{ sinceMs: BEGAN }, 0],
    [{ kind: 'round' }, 0],
  ]
  for (const [filter, entries] of rows) {
    const leftOut = new LeftOut()
    leftOut.ended({ ...NO_FILTER, ...filter }, [log])
    assert.is(leftOut.entries, entries, JSON.stringify(filter))
  }
})

it('places are told up to a bound, entries are all counted', () => {
  const leftOut = new LeftOut()
  for (let i = 0; i < 50; i++)
    leftOut.take({ author: AUTHOR, seq: 2 * i, timeMs: BEGAN } as unknown as Entry, NO_FILTER, 'Ada')
  assert.equal([leftOut.gaps.length, leftOut.entries], [20, 49])
})

it.run()
