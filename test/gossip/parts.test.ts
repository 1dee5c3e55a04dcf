/** Parts of models: what each chunk of a payload says by itself, for every coding. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LIMITS } from '../../src/core/limits.ts'
import { Rng } from '../../src/core/rng.ts'
import { Bitfield } from '../../src/gossip/bitfield.ts'
import { codeUpdate, NOTHING_SENT } from '../../src/gossip/coding/coder.ts'
import { CODING, type WeightFormat, wholeCoding } from '../../src/gossip/coding/coding.ts'
import { partitionOf, rangesNamed } from '../../src/gossip/coding/parts.ts'
import { HeldPayload } from '../../src/gossip/heldPayload.ts'
import { type Manifest, manifestOf } from '../../src/gossip/manifest.ts'
import { readParts } from '../../src/gossip/partial.ts'
import type { UpdateHeader } from '../../src/gossip/update.ts'

const it = suite('parts')

const TENSORS = [300, 20_001, 7, 60_003]
const PARAMETERS = TENSORS.reduce((sum, length) => sum + length, 0)
const WHOLE = ['float32', 'float16', 'int8'] as const
const formatOf = (coding: WeightFormat['coding']): WeightFormat => ({
  coding,
  tensors: TENSORS,
  parameters: PARAMETERS,
})
const headerOf = (format: WeightFormat, more: Partial<UpdateHeader> = {}): UpdateHeader =>
  ({ coding: wholeCoding(format.coding), reference: null, parameters: PARAMETERS, ...more }) as UpdateHeader
const rng = Rng.from('parts')
const WEIGHTS = Float32Array.from({ length: PARAMETERS }, () => 4 * rng.float() - 2)

const coded = (format: WeightFormat) => codeUpdate(format, WEIGHTS, 0, NOTHING_SENT, Rng.from('coding', 1))

/** What is here when these chunks have come, in this order. */
function arrived(
  payload: Uint8Array,
  chunks: readonly number[],
  manifest: Manifest = manifestOf(payload),
): HeldPayload {
  const held = HeldPayload.awaited(manifest)
  for (const i of chunks) held.put(i, payload.subarray(i * manifest.chunkBytes, (i + 1) * manifest.chunkBytes))
  return held
}

for (const kind of WHOLE) {
  const format = formatOf({ kind })
  const { payload, weights } = coded(format)
  const { ranges, heads } = partitionOf(format)

  it(`${kind}: the parts of all chunks are the whole model, each weight in one`, () => {
    assert.is(ranges.length, manifestOf(payload).chunks.length)
    assert.equal([ranges[0]?.[0], ranges.at(-1)?.[1]], [0, PARAMETERS])
    for (const [i, [from]] of ranges.entries()) if (i > 0) assert.is(from, ranges[i - 1]?.[1])
    assert.is(heads, kind === 'int8' ? 1 : 0)
  })

  it(`${kind}: any chunks give exactly the weights that the whole will have there, and name them`, () =>
    fc.assert(
      fc.property(fc.subarray([...ranges.keys()], { minLength: 1 }), (chunks) => {
        const parts = readParts(headerOf(format), arrived(payload, chunks), format)
        if (heads > 0 && !chunks.includes(0)) return void assert.is(parts, null)
        assert.ok(parts !== null)
        assert.equal(rangesNamed(format, parts.chunks), parts.ranges)
        const covered = chunks.reduce(
          (sum, i) => sum + (ranges[i] as [number, number])[1] - (ranges[i] as [number, number])[0],
          0,
        )
        assert.is(
          parts.ranges.reduce((sum, [from, to]) => sum + to - from, 0),
          covered,
        )
        for (const [from, to] of parts.ranges) assert.equal(parts.weights.slice(from, to), weights.slice(from, to))
      }),
      { numRuns: 25 },
    ))
}

it('what comes later is no part of what was read before', () => {
  const format = formatOf({ kind: 'float16' })
  const { payload } = coded(format)
  const held = arrived(payload, [2])
  const before = readParts(headerOf(format), held, format)
  const named = before?.chunks.slice()
  held.put(1, payload.subarray(16_384, 32_768))
  assert.equal(before?.chunks, named)
})

it('nothing is read of a chunk that is not the one its author signed for', () => {
  const format = formatOf({ kind: 'float32' })
  const { payload } = coded(format)
  const held = HeldPayload.awaited(manifestOf(payload))
  const wrong = payload.slice(0, 16_384)
  wrong[9] = (wrong[9] as number) ^ 1
  assert.is(held.put(0, wrong), 'wrong')
  assert.is(readParts(headerOf(format), held, format), null)
})

it('deltas have no parts, keyframes of the same study do', () => {
  const format = formatOf({ kind: 'top-k', share: 0.5, keyframeRounds: 3 })
  const { payload } = coded(format)
  const held = arrived(payload, [1, 2])
  const delta = headerOf(format, { coding: CODING.topK, reference: 'aa'.repeat(32) as never })
  assert.is(readParts(delta, held, format), null)
  assert.is(readParts(headerOf(format), held, format)?.ranges[0]?.[0], 8_192)
})

it('who cuts its payload otherwise than the partition says waits for all of its chunks', () => {
  const format = formatOf({ kind: 'float32' })
  const { payload } = coded(format)
  const { chunks, ...manifest } = manifestOf(payload)
  const wider = { ...manifest, chunkBytes: 32_768, chunks: chunks.slice(0, Math.ceil(payload.length / 32_768)) }
  const held = HeldPayload.awaited(wider)
  held.have.set(0)
  assert.is(readParts(headerOf(format), held, format), null)
})

const BAD: readonly (readonly [string, WeightFormat['coding'], (payload: Uint8Array) => void])[] = [
  ['float32 that is not a number', { kind: 'float32' }, (payload) => payload.set([0, 0, 0xc0, 0x7f], 16_384)],
  ['float16 that is infinite', { kind: 'float16' }, (payload) => payload.set([0, 0x7c], 16_384)],
  ['an int8 scale below 0', { kind: 'int8' }, (payload) => payload.set([0, 0, 0x80, 0xbf], 4)],
  ['weights longer than any model may be', { kind: 'float32' }, (payload) => payload.fill(0x5f, 16_384, 16_500)],
]
for (const [what, coding, spoil] of BAD)
  it(`no part is taken of an update with ${what}, for its author will be refused when all of it is here`, () => {
    const format = formatOf(coding)
    const payload = coded(format).payload.slice()
    assert.ok(readParts(headerOf(format), arrived(payload, [0, 1]), format) !== null)
    spoil(payload)
    assert.is(readParts(headerOf(format), arrived(payload, [0, 1]), format), null)
  })

it('the chunks that a log names are a bit for each, none beyond the last, and give something', () => {
  const format = formatOf({ kind: 'int8' })
  const { length } = partitionOf(format).ranges
  assert.ok(length < 8 && length <= LIMITS.chunksMax)
  const bits = new Bitfield(length)
  assert.is(rangesNamed(format, bits.bytes), null)
  bits.set(3)
  assert.is(rangesNamed(format, bits.bytes), null, 'without its scales')
  bits.set(0)
  assert.is(rangesNamed(format, bits.bytes)?.length, 2)
  assert.is(rangesNamed(format, Uint8Array.of(0xff)), null)
  assert.is(rangesNamed(format, Uint8Array.of(0x90, 0)), null)
})

it.run()
