/** Reading stored logs in slices: all of it in order, other work in between, and a hole is an error. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { catchUp, entriesOf, type SlicedLogs, slicesOf } from '../../src/daemon/logSlices.ts'
import { keyOf } from '../gossip/fixtures.ts'

const it = suite('log slices')
const [ADA, BEN] = ['ada', 'ben'].map((name) => keyOf(name).member) as [MemberId, MemberId]

/** Logs whose entries are their numbers, each as a byte array; those in `holes` are gone, and no call gives more than `most`. */
function logsOf(sizes: Readonly<Record<MemberId, number>>, holes: readonly number[] = [], most = 200) {
  return {
    authors: () => Object.keys(sizes) as MemberId[],
    sizeOf: (author) => ({ size: sizes[author] ?? 0 }) as ReturnType<SlicedLogs['sizeOf']>,
    entries: async (_, from, to) => {
      const there: Uint8Array[] = []
      for (let seq = from; seq < to && there.length < most && !holes.includes(seq); seq++) there.push(numbered(seq))
      return there
    },
  } satisfies SlicedLogs & { authors: () => MemberId[] }
}

const numbered = (seq: number): Uint8Array => new Uint8Array(new Uint32Array([seq]).buffer)
const numberOf = (raw: Uint8Array): number => new Uint32Array(raw.slice().buffer)[0] as number

it('gives each entry of a stretch once and in order, whatever a call of the store gives', () =>
  fc.assert(
    fc.asyncProperty(
      fc.nat(700),
      fc.nat(700),
      fc.nat(700),
      fc.integer({ min: 1, max: 300 }),
      async (size, from, to, most) => {
        const read: number[] = []
        for await (const slice of slicesOf(logsOf({ [ADA]: size }, [], most), ADA, { from, to })) {
          assert.is(slice.from, numberOf(slice.raws[0] as Uint8Array))
          read.push(...slice.raws.map(numberOf))
        }
        const count = Math.max(0, Math.min(size, to) - from)
        assert.equal(
          read,
          Array.from({ length: count }, (_, i) => from + i),
        )
      },
    ),
    { numRuns: 60 },
  ))

it('says at which entry there is a hole, after all that come before it', async () => {
  const read: number[] = []
  try {
    for await (const { raws } of slicesOf(logsOf({ [ADA]: 900 }, [431]), ADA)) read.push(...raws.map(numberOf))
    assert.unreachable()
  } catch (error) {
    assert.match(String(error), `${ADA} lacks entry 431`)
  }
  assert.is(read.length, 431)
  await failsAt(0, entriesOf(logsOf({ [ADA]: 900 }, [0]), ADA, null).next())
})

it('lets other work run between slices', async () => {
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  let slices = 0
  for await (const _ of slicesOf(logsOf({ [ADA]: 4_000 }), ADA)) {
    slices++
    const until = performance.now() + 2
    while (performance.now() < until);
  }
  clearInterval(timer)
  assert.is(slices, 20)
  assert.ok(turns >= 15, `${turns} turns`)
})

it('a book reads on where it stopped, as far as it is told to, and past no hole', async () => {
  const read = new Map<MemberId, number[]>()
  const book = {
    readOf: (author: MemberId) => read.get(author)?.length ?? 0,
    take: (author: MemberId, raws: readonly Uint8Array[]) =>
      void read.set(author, [...(read.get(author) ?? []), ...raws.map(numberOf)]),
  }
  await catchUp(logsOf({ [ADA]: 250, [BEN]: 10 }), book, (author) => (author === ADA ? 240 : 4))
  assert.equal([book.readOf(ADA), book.readOf(BEN)], [240, 4])
  await failsAt(300, catchUp(logsOf({ [ADA]: 500, [BEN]: 10 }, [300]), book))
  await catchUp(logsOf({ [ADA]: 500, [BEN]: 10 }), book)
  assert.equal(read.get(ADA), [...Array(500).keys()])
  assert.equal(read.get(BEN), [...Array(10).keys()])
})

async function failsAt(seq: number, promise: Promise<unknown>): Promise<void> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown as { code: string; message: string },
  )
  assert.equal([error?.code, error?.message.includes(`entry ${seq} here`)], ['database-corrupt', true])
}

it.run()
