/** The codings of weights: lossless within their stated bounds, the same float32 for everybody, and strict about what is read. */
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../../../src/core/bytes.ts'
import { weightsDigest } from '../../../src/core/digest.ts'
import { ConsiliumError } from '../../../src/core/errors.ts'
import { Rng } from '../../../src/core/rng.ts'
import { type CoderState, codeUpdate, NOTHING_SENT } from '../../../src/gossip/coding/coder.ts'
import {
  allows,
  CODING,
  type CodingNumber,
  decodePayload,
  payloadBytes,
  type WeightFormat,
} from '../../../src/gossip/coding/coding.ts'
import { encodeFloat16, fromFloat16, toFloat16 } from '../../../src/gossip/coding/float16.ts'

const it = suite('codings')
const GOLDEN = JSON.parse(readFileSync(new URL('../../golden/codings-v1.json', import.meta.url), 'utf8'))
const TENSORS = [5, 2, 3]
const WHOLE = ['float32', 'float16', 'int8'] as const
const SPARSE = { kind: 'top-k', share: 0.3, keyframeRounds: 3 } as const
const formatOf = (coding: WeightFormat['coding'], tensors: readonly number[] = TENSORS): WeightFormat => ({
  coding,
  tensors,
  parameters: tensors.reduce((sum, length) => sum + length, 0),
})
const weightsOf = (parameters: number) =>
  fc.float32Array({ minLength: parameters, maxLength: parameters, noNaN: true, min: -60_000, max: 60_000 })
const rng = () => Rng.from('a test', 7)
const bits = (values: Float32Array): string => toHex(new Uint8Array(values.slice().buffer))

it('every float16 is read and written as itself', () => {
  for (let half = 0; half < 0x10000; half++) {
    if ((half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0) continue // not a number
    assert.is(toFloat16(fromFloat16(half)), half)
  }
})

it('float16 is the nearest of both neighbours, of two equally near the even one', () => {
  const near = fc.oneof(
    fc.float({ noNaN: true, min: -65_504, max: 65_504 }),
    fc.float({ noNaN: true, min: Math.fround(-1e-4), max: Math.fround(1e-4) }),
  )
  fc.assert(
    fc.property(near, (value) => {
      const half = toFloat16(value)
      const off = Math.abs(fromFloat16(half) - value)
      for (const other of [half - 1, half + 1]) {
        const distance = Math.abs(fromFloat16(other & 0xffff) - value)
        if ((other & 0x7c00) === 0x7c00 || (other & 0x8000) !== (half & 0x8000)) continue
        assert.ok(off < distance || (off === distance && (half & 1) === 0), `${value}`)
      }
      assert.ok(off <= Math.max(Math.abs(value) * 2 ** -11, 2 ** -25), `${value} is off by ${off}`)
    }),
    { numRuns: 2_000 },
  )
  assert.equal([65_519.99, 65_520, -1e30].map(toFloat16), [0x7bff, 0x7c00, 0xfc00])
})

for (const kind of WHOLE) {
  it(`${kind}: everybody reads what the author has read, and its length is what the study says`, () => {
    const format = formatOf({ kind })
    fc.assert(
      fc.property(weightsOf(format.parameters), (weights) => {
        const coded = codeUpdate(format, weights, 3, NOTHING_SENT, rng())
        assert.is(bits(decodePayload(coded.coding, coded.payload.slice(), format, null)), bits(coded.weights))
        assert.ok(allows(format.coding, coded.coding))
        const [min, max] = payloadBytes(coded.coding, format)
        assert.ok(min <= coded.payload.length && coded.payload.length <= max)
      }),
    )
  })
}

it('int8 is off by less than one scale, the 127th part of its tensor’s largest weight', () => {
  const format = formatOf({ kind: 'int8' })
  fc.assert(
    fc.property(weightsOf(format.parameters), fc.nat(), (weights, seed) => {
      const { weights: read } = codeUpdate(format, weights, 0, NOTHING_SENT, Rng.from(seed))
      let at = 0
      for (const length of TENSORS) {
        const tensor = weights.subarray(at, at + length)
        const scale = Math.max(...tensor.map(Math.abs)) / 127
        for (let i = at; i < at + length; i++) {
          const off = Math.abs((read[i] as number) - (weights[i] as number))
          assert.ok(off <= scale * (1 + 1e-5) + 2e-43, `off by ${off}, with scale ${scale}`)
        }
        at += length
      }
    }),
  )
})

it('int8 is right in the mean: rounding is up with the chance of the fraction', () => {
  const format = formatOf({ kind: 'int8' }, [3])
  const weights = Float32Array.of(127, 3.2, -41.75)
  const draws = 4_000
  const sums = [0, 0, 0]
  for (let draw = 0; draw < draws; draw++) {
    const { weights: read } = codeUpdate(format, weights, 0, NOTHING_SENT, Rng.from('draw', draw))
    for (let i = 0; i < 3; i++) sums[i] = (sums[i] as number) + (read[i] as number)
  }
  const means = sums.map((sum) => sum / draws)
  assert.is(means[0], 127)
  for (const [i, deviation] of [
    [1, 0.4],
    [2, 0.433],
  ] as const)
    assert.ok(Math.abs((means[i] as number) - (weights[i] as number)) < (4 * deviation) / Math.sqrt(draws), `${means}`)
})

it('top-k sends a keyframe, then the largest changes since; what is not sent is kept, and comes with the next keyframe', () => {
  const format = formatOf(SPARSE)
  fc.assert(
    fc.property(fc.array(weightsOf(format.parameters), { minLength: 4, maxLength: 4 }), (rounds) => {
      let state: CoderState = NOTHING_SENT
      for (const [round, trained] of rounds.map((weights) => weights.map((w) => w / 60_000)).entries()) {
        const before = state.residual
        const coded = codeUpdate(format, trained, round, state, rng())
        state = coded.next
        assert.is(coded.coding, round % 3 === 0 ? CODING.float16 : CODING.topK)
        const keyframe = state.keyframe?.weights as Float32Array
        const read = decodePayload(coded.coding, coded.payload, format, round % 3 === 0 ? null : keyframe)
        assert.is(bits(read), bits(coded.weights))
        assert.is(coded.reference, round % 3 === 0 ? null : weightsDigest(keyframe))
        for (const [i, weight] of trained.entries()) {
          const wanted = weight + (before?.[i] ?? 0)
          const left = wanted - (coded.weights[i] as number)
          assert.ok(Math.abs(left - (state.residual?.[i] as number)) < 1e-6, 'nothing is lost')
          if (round % 3 === 0) assert.ok(Math.abs(left) <= Math.max(Math.abs(wanted) * 2 ** -10, 2 ** -24))
        }
        if (round % 3 === 0) continue
        const changes = trained.map((weight, i) => Math.abs(weight + (before?.[i] ?? 0) - (keyframe[i] as number)))
        const sent = [...changes].filter((_, i) => coded.weights[i] !== keyframe[i])
        const unsent = [...changes].filter((_, i) => coded.weights[i] === keyframe[i])
        assert.ok(sent.length <= 3, 'a share of 0.3 of 10')
        if (sent.length === 3) assert.ok(Math.min(...sent) >= Math.max(...unsent) - 1e-6, `${sent} | ${unsent}`)
      }
    }),
  )
})

it('a gap of many places takes more bytes, and the longest payload is what the study says', () => {
  const parameters = 300_000
  const format = formatOf({ kind: 'top-k', share: 1e-5, keyframeRounds: 9 }, [parameters])
  const zeros = codeUpdate(format, new Float32Array(parameters), 0, NOTHING_SENT, rng())
  const changed = new Float32Array(parameters)
  for (const [i, value] of [
    [127, 1],
    [20_000, -2],
    [299_999, 4],
  ] as const)
    changed[i] = value
  const coded = codeUpdate(format, changed, 1, zeros.next, rng())
  assert.is(bits(coded.weights), bits(changed))
  assert.is(coded.payload.length, 4 + (1 + 3 + 3) + 3 * 2)
  assert.ok(coded.payload.length <= payloadBytes(CODING.topK, format)[1])
})

it('what a change is beyond the range of float16 comes later', () => {
  const format = formatOf({ kind: 'top-k', share: 0.5, keyframeRounds: 9 }, [2])
  const first = codeUpdate(format, Float32Array.of(-40_000, 0), 0, NOTHING_SENT, rng())
  const second = codeUpdate(format, Float32Array.of(40_000, 0), 1, first.next, rng())
  assert.equal([...second.weights], [25_504, 0])
  assert.is(second.next.residual?.[0], 40_000 - 25_504)
})

it('the golden payloads are written and read by every version', () => {
  const weights = Float32Array.of(0.5, -1.25, 0, 3e-8, 1234.5, -0.1, 0.7, 2, 65_000, -3e-5)
  const moved = weights.map((weight, i) => (i === 3 || i === 7 ? weight + 0.75 : weight))
  const codedAs = (coding: WeightFormat['coding']) => codeUpdate(formatOf(coding), weights, 0, NOTHING_SENT, rng())
  for (const kind of WHOLE) {
    const { payload, weights: read } = codedAs({ kind })
    assert.equal([toHex(payload), bits(read)], GOLDEN[kind], kind)
    assert.is(bits(decodePayload(CODING[kind], fromHex(GOLDEN[kind][0]), formatOf({ kind }), null)), GOLDEN[kind][1])
  }
  const { next } = codedAs(SPARSE)
  const delta = codeUpdate(formatOf(SPARSE), moved, 1, next, rng())
  assert.equal([toHex(delta.payload), bits(delta.weights)], GOLDEN['top-k'])
})

const REFERENCE = new Float32Array(10)
const halves = (...values: number[]): number[] => [...encodeFloat16(Float32Array.from(values))]
const FAULTS: readonly (readonly [what: string, coding: CodingNumber, payload: readonly number[], code: string])[] = [
  ['float32 of another length', CODING.float32, new Array(39).fill(0), 'payload-length'],
  ['float16 of another length', CODING.float16, new Array(21).fill(0), 'payload-length'],
  ['an infinite float16', CODING.float16, [0, 0x7c, ...new Array(18).fill(0)], 'payload-range'],
  ['a float16 that is no number', CODING.float16, [...new Array(18).fill(0), 1, 0xfe], 'payload-range'],
  ['int8 of another length', CODING.int8, new Array(23).fill(0), 'payload-length'],
  ['an infinite scale', CODING.int8, [0, 0, 0x80, 0x7f, ...new Array(18).fill(0)], 'payload-range'],
  ['a negative scale', CODING.int8, [0, 0, 0x80, 0xbf, ...new Array(18).fill(0)], 'payload-range'],
  ['a scale of −0', CODING.int8, [0, 0, 0, 0x80, ...new Array(18).fill(0)], 'payload-range'],
  ['a level without a scale', CODING.int8, [...new Array(21).fill(0), 1], 'payload-range'],
  [
    'a level of −128',
    CODING.int8,
    [0, 0, 0x80, 0x3f, ...new Array(8).fill(0), 128, ...new Array(9).fill(0)],
    'payload-range',
  ],
  ['changes without a count', CODING.topK, [0, 0, 1], 'truncated'],
  [
    'more changes than the study allows',
    CODING.topK,
    [0, 0, 0, 4, 0, 0, 0, 0, ...halves(1, 1, 1, 1)],
    'payload-length',
  ],
  ['a change beyond the last weight', CODING.topK, [0, 0, 0, 2, 4, 5, ...halves(1, 1)], 'payload-order'],
  ['a gap in more bytes than it needs', CODING.topK, [0, 0, 0, 1, 0x84, 0, ...halves(1)], 'payload-order'],
  ['a gap without an end', CODING.topK, [0, 0, 0, 1, 0x84, 0x80, 0x80, 0x80, 1, ...halves(1)], 'payload-length'],
  ['fewer values than places', CODING.topK, [0, 0, 0, 2, 4, 0, ...halves(1)], 'payload-length'],
  ['a byte after the last value', CODING.topK, [0, 0, 0, 1, 4, ...halves(1), 0], 'payload-length'],
  ['a change of 0', CODING.topK, [0, 0, 0, 1, 4, ...halves(0)], 'payload-range'],
  ['an infinite change', CODING.topK, [0, 0, 0, 1, 4, 0, 0x7c], 'payload-range'],
]
for (const [what, coding, payload, code] of FAULTS) {
  it(`${what} is refused, of its author: ${code}`, () => {
    const [kind] = Object.entries(CODING).find(([, number]) => number === coding) as [keyof typeof CODING, number]
    const format = formatOf(kind === 'topK' ? SPARSE : { kind })
    try {
      decodePayload(coding, Uint8Array.from(payload), format, coding === CODING.topK ? REFERENCE : null)
      assert.unreachable()
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      assert.equal([error.code, error.blame], [code, 'reject'])
    }
  })
}

it('whatever bytes come, they are refused with blame or read as finite weights', () => {
  const any = fc.tuple(fc.constantFrom(...Object.values(CODING)), fc.uint8Array({ maxLength: 44 }))
  fc.assert(
    fc.property(any, ([coding, payload]) => {
      const [kind] = Object.entries(CODING).find(([, number]) => number === coding) as [keyof typeof CODING, number]
      const format = formatOf(kind === 'topK' ? SPARSE : { kind })
      try {
        const read = decodePayload(coding, payload, format, coding === CODING.topK ? REFERENCE : null)
        assert.is(read.length, format.parameters)
        if (coding !== CODING.float32) assert.ok(read.every(Number.isFinite))
      } catch (error) {
        assert.ok(error instanceof ConsiliumError && error.blame === 'reject', String(error))
      }
    }),
    { numRuns: 2_000 },
  )
})

it.run()
