/** Canonical CBOR: one encoding for each value, nothing else is accepted, and no input costs more than its length. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes, fromHex, toHex } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { Rng } from '../../src/core/rng.ts'
import { cpuMsOf } from '../cpu.ts'
import { refusal } from './refusal.ts'

const it = suite('cbor')

const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.startsWith('\ufeff'))

/** Any value that may be encoded, −0 excepted, which CBOR's shortest form can't keep apart from 0. */
const value = fc.letrec<{ value: Cbor }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    text,
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(text, tie('value'), { maxKeys: 6 }),
  ),
})).value

it('what is encoded decodes to the same value, and that encodes to the same bytes', () => {
  fc.assert(
    fc.property(value, (given) => {
      const bytes = encodeCbor(given)
      const back = decodeCbor(bytes)
      assert.ok(equalBytes(encodeCbor(back), bytes))
      assert.equal(plainOf(back), plainOf(given))
    }),
    { numRuns: 500 },
  )
})

it('the order in which keys were set leaves no trace', () => {
  const keys = fc.uniqueArray(text, { minLength: 2, maxLength: 7 })
  fc.assert(
    fc.property(keys, (names) => {
      const there = Object.fromEntries(names.map((name) => [name, name.length]))
      const back = Object.fromEntries(names.toReversed().map((name) => [name, name.length]))
      assert.ok(equalBytes(encodeCbor(there), encodeCbor(back)))
    }),
  )
})

/** Each from RFC 8949, appendix A, or worked out from §4.2.1. */
for (const [hex, expected] of [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['190100', 256],
  ['1a000f4240', 1_000_000],
  ['1b001fffffffffffff', Number.MAX_SAFE_INTEGER],
  ['3903e7', -1000],
  ['3b001ffffffffffffe', -Number.MAX_SAFE_INTEGER],
  ['f93e00', 1.5],
  ['f90001', 2 ** -24],
  ['fa47c35040', 100_000.5],
  ['fb3ff199999999999a', 1.1],
  ['fb7e37e43c8800759c', 1e300],
  ['f4', false],
  ['f6', null],
  ['62c3bc', 'ü'],
  ['64f0908591', '\ud800\udd51'],
  ['80', []],
  ['a0', {}],
  ['83010203', [1, 2, 3]],
  ['a3616101616202626161f5', { aa: true, a: 1, b: 2 }],
] as const) {
  it(`${hex} is ${JSON.stringify(expected)}, and the other way round`, () => {
    assert.is(toHex(encodeCbor(expected as Cbor)), hex)
    assert.equal(decodeCbor(fromHex(hex)), expected)
  })
}

for (const [what, hex, code] of [
  ['nothing at all', '', 'cbor-malformed'],
  ['a second item after the first', '0101', 'cbor-malformed'],
  ['a byte after the end', '83010203f6', 'cbor-malformed'],
  ['an array cut short', '830102', 'cbor-malformed'],
  ['a map without its last value', 'a16161', 'cbor-malformed'],
  ['an integer in more bytes than it needs', '1817', 'cbor-malformed'],
  ['an integer in more bytes than it needs, within an array', '811900ff', 'cbor-malformed'],
  ['a length in more bytes than it needs', '580161', 'cbor-malformed'],
  ['an array header in more bytes than it needs', '9800', 'cbor-malformed'],
  ['2^53', '1b0020000000000000', 'cbor-malformed'],
  ['−2^53 − 1', '3b0020000000000000', 'cbor-malformed'],
  ['2^64 − 1', '1bffffffffffffffff', 'cbor-malformed'],
  ['a float that is a whole number', 'f93c00', 'cbor-not-canonical'],
  ['a float32 that a float16 would hold', 'fa3fc00000', 'cbor-not-canonical'],
  ['a float16 subnormal that is no power of two', 'f90003', 'cbor-not-canonical'],
  ['a float32 for a subnormal power of two', 'fa33800000', 'cbor-not-canonical'],
  ['a float64 that a float32 would hold', 'fb40f86a0800000000', 'cbor-not-canonical'],
  ['negative zero', 'f98000', 'cbor-not-canonical'],
  ['NaN', 'f97e00', 'cbor-malformed'],
  ['NaN with a payload', 'fb7ff8000000000001', 'cbor-malformed'],
  ['infinity', 'f97c00', 'cbor-malformed'],
  ['minus infinity', 'fbfff0000000000000', 'cbor-malformed'],
  ['undefined', 'f7', 'cbor-malformed'],
  ['undefined within an array', '81f7', 'cbor-malformed'],
  ['a simple value', 'e0', 'cbor-malformed'],
  ['a simple value in two bytes', 'f8ff', 'cbor-malformed'],
  ['a tag', 'c101', 'cbor-malformed'],
  ['a bignum', 'c249010000000000000000', 'cbor-malformed'],
  ['self-described CBOR', 'd9d9f700', 'cbor-malformed'],
  ['an array of indefinite length', '9f01ff', 'cbor-malformed'],
  ['a map of indefinite length', 'bf616101ff', 'cbor-malformed'],
  ['a text of indefinite length', '7f6161ff', 'cbor-malformed'],
  ['a byte string of indefinite length', '5f4101ff', 'cbor-malformed'],
  ['a lone break', 'ff', 'cbor-malformed'],
  ['a break within an array', '8201ff', 'cbor-malformed'],
  ['a reserved head', '1c', 'cbor-malformed'],
  ['unsorted keys', 'a2616201616102', 'cbor-not-canonical'],
  ['keys sorted by text where a shorter one follows', 'a262616101616202', 'cbor-not-canonical'],
  ['the same key twice', 'a2616101616102', 'cbor-malformed'],
  ['a number as a key', 'a10101', 'cbor-malformed'],
  ['bytes as a key', 'a1410101', 'cbor-malformed'],
  ['invalid UTF-8', '62c328', 'cbor-not-canonical'],
  ['half of a surrogate pair', '63eda080', 'cbor-not-canonical'],
  ['a text that starts with a byte order mark', '63efbbbf', 'cbor-not-canonical'],
] as const) {
  it(`refused: ${what}`, () => {
    assert.is(
      refusal(() => decodeCbor(fromHex(hex))),
      code,
    )
  })
}

it('a refusal blames the sender', () => {
  for (const hex of ['f7', 'f93c00', '81'.repeat(60_000)]) {
    try {
      decodeCbor(fromHex(hex))
      assert.unreachable()
    } catch (error) {
      assert.is((error as ConsiliumError).blame, 'reject')
    }
  }
})

it('a key that names a prototype is data and changes no object', () => {
  const decoded = decodeCbor(fromHex('a1695f5f70726f746f5f5fa1657374756479f5')) as Record<string, Cbor>
  assert.equal(Object.keys(decoded), ['__proto__'])
  assert.is(decoded.study, undefined)
  assert.is(({} as Record<string, unknown>).study, undefined)
})

it('byte strings are plain copies: changing the input or the output changes no other', () => {
  for (const length of [3, 300, 30_000]) {
    const bytes = encodeCbor([new Uint8Array(length).fill(7)])
    const received = Buffer.from(bytes)
    const [decoded] = decodeCbor(received) as [Uint8Array]
    received.fill(0)
    assert.ok(decoded.every((byte) => byte === 7))
    assert.is(Object.getPrototypeOf(decoded), Uint8Array.prototype)
    assert.is(Object.getPrototypeOf(bytes), Uint8Array.prototype)
    const copy = bytes.slice() // a Buffer's slice would be a view
    bytes.fill(0)
    assert.is(copy.at(-1), 7)
  }
})

const HEADS = { array: '9a', map: 'ba', bytes: '5a', text: '7a' }
for (const [kind, head] of Object.entries(HEADS)) {
  it(`a header that claims 4 GB of ${kind} costs nothing`, () => {
    const before = process.memoryUsage()
    for (const hex of [`${head}ffffffff`, `83${head}ffffffff`, `${head}ffffffff${'00'.repeat(1000)}`]) {
      assert.is(
        refusal(() => decodeCbor(fromHex(hex))),
        'cbor-malformed',
      )
    }
    const after = process.memoryUsage()
    assert.ok(after.arrayBuffers - before.arrayBuffers < 10_000_000 && after.rss - before.rss < 200_000_000)
  })
}

it('a header that claims 2^53 items is refused at once', () => {
  for (const hex of [
    '9b001fffffffffffff',
    'bb001fffffffffffff',
    '5b001fffffffffffff',
    '9bffffffffffffffff',
    'bbffffffffffffffff',
  ]) {
    assert.is(
      refusal(() => decodeCbor(fromHex(hex))),
      'cbor-malformed',
    )
  }
})

it('the deepest nesting that is allowed decodes, one more is refused', () => {
  const nested = (depth: number): Uint8Array => fromHex(`${'81'.repeat(depth)}00`)
  assert.ok(Array.isArray(decodeCbor(nested(LIMITS.cborDepthMax))))
  assert.is(
    refusal(() => decodeCbor(nested(LIMITS.cborDepthMax + 1))),
    'cbor-too-deep',
  )
})

it('in maps, every value counts, the last one too', () => {
  const level = 'a26161006162'
  const nested = (depth: number): Uint8Array => fromHex(`${level.repeat(depth)}00`)
  assert.is(
    refusal(() => decodeCbor(nested(LIMITS.cborDepthMax))),
    null,
  )
  assert.is(
    refusal(() => decodeCbor(nested(LIMITS.cborDepthMax + 1))),
    'cbor-too-deep',
  )
})

it('as deep as the decoder allows, and no deeper, may be encoded', () => {
  const nested = (depth: number): Cbor => (depth === 0 ? 7 : [nested(depth - 1)])
  assert.is(toHex(encodeCbor(nested(LIMITS.cborDepthMax))), `${'81'.repeat(LIMITS.cborDepthMax)}07`)
  assert.throws(() => encodeCbor(nested(LIMITS.cborDepthMax + 1)), /invariant/)
})

it('width is not depth: a thousand small arrays side by side are as deep as one', () => {
  const flat = Array.from({ length: 1000 }, (_, i) => [i, [i, {}], []])
  assert.equal(decodeCbor(encodeCbor(flat)), flat)
})

const LEVELS = 100_000
for (const [what, bytes] of [
  ['arrays of one item', Buffer.concat([Buffer.alloc(LEVELS, 0x81), Buffer.of(0)])],
  ['maps of one item', Buffer.concat([Buffer.alloc(LEVELS * 3, Buffer.of(0xa1, 0x61, 0x61)), Buffer.of(0)])],
  ['arrays in the last place', Buffer.concat([Buffer.alloc(LEVELS * 2, Buffer.of(0x82, 0x00)), Buffer.of(0)])],
  ['arrays in the first place', Buffer.concat([Buffer.alloc(LEVELS, 0x82), Buffer.alloc(LEVELS + 1, 0)])],
  ['arrays behind tags', Buffer.concat([Buffer.alloc(LEVELS * 2, Buffer.of(0xc0, 0x81)), Buffer.of(0)])],
  ['tags alone', Buffer.concat([Buffer.alloc(LEVELS, 0xc0), Buffer.of(0)])],
  ['arrays of indefinite length', Buffer.alloc(LEVELS, 0x9f)],
] as const) {
  it(`${LEVELS} levels of ${what} are refused at once, without a stack overflow`, () => {
    let code: string | null = null
    const ms = cpuMsOf(() => (code = refusal(() => decodeCbor(new Uint8Array(bytes), 1_000_000))))
    assert.ok(code === 'cbor-too-deep' || code === 'cbor-malformed', `${code}`)
    assert.ok(ms < 500, `${ms} ms`)
  })
}

it('more bytes than allowed are refused unread', () => {
  assert.is(
    refusal(() => decodeCbor(new Uint8Array(LIMITS.entryBytesMax + 1))),
    'cbor-too-large',
  )
  assert.is(
    refusal(() => decodeCbor(fromHex('83010203'), 3)),
    'cbor-too-large',
  )
  assert.equal(decodeCbor(fromHex('83010203'), 4), [1, 2, 3])
})

it('of 100,000 mutations none crashes, and what is accepted encodes to the same bytes', () => {
  const seed = Number(process.env.CONSILIUM_TEST_SEED ?? 20_261)
  const rng = Rng.from('cbor mutations', seed)
  const corpus = [
    [1, -7, 1.5, 'ü', Uint8Array.of(1, 2, 3)],
    { a: [null, true], bb: { c: 'text', d: 70_000 } },
    [[[[2 ** 40]]], {}, []],
  ]
  const originals = corpus.map((item) => encodeCbor(item as Cbor))
  let accepted = 0
  for (let i = 0; i < 100_000; i++) {
    const bytes = mutate(rng, originals[i % originals.length] as Uint8Array)
    let decoded: Cbor
    try {
      decoded = decodeCbor(bytes)
    } catch (error) {
      if (error instanceof ConsiliumError && error.blame === 'reject') continue
      throw new Error(`CONSILIUM_TEST_SEED=${seed}, mutation ${i}: ${toHex(bytes)}`, { cause: error })
    }
    accepted++
    assert.ok(equalBytes(encodeCbor(decoded), bytes), `CONSILIUM_TEST_SEED=${seed}, mutation ${i}: ${toHex(bytes)}`)
  }
  assert.ok(accepted > 1000, `only ${accepted} mutations were accepted: the test looks at nothing`)
})

for (const [what, given] of [
  ['NaN', Number.NaN],
  ['infinity', [1, -Infinity]],
  ['undefined', { a: undefined }],
  ['a hole in an array', new Array(2)],
  ['a bigint', [10n]],
  ['a function', [() => 7]],
] as const) {
  it(`encoding ${what}, which no peer could decode, is our own bug`, () => {
    assert.throws(() => encodeCbor(given as unknown as Cbor), /invariant/)
  })
}

for (const given of ['\ufeffStroke', ['\ud800'], { '\udc00x': 1 }] as const) {
  it(`encoding ${JSON.stringify(given)}, which no peer could decode, is refused in one line`, () => {
    assert.is(
      refusal(() => encodeCbor(given as Cbor)),
      'cbor-unencodable',
    )
  })
}

it.run()

function mutate(rng: Rng, original: Uint8Array): Uint8Array {
  const bytes = [...original]
  for (let changes = 1 + rng.below(2); changes > 0; changes--) {
    const at = rng.below(bytes.length)
    const kind = rng.below(4)
    if (kind === 0) bytes[at] = (bytes[at] as number) ^ (1 << rng.below(8))
    else if (kind === 1) bytes[at] = rng.below(256)
    else if (kind === 2) bytes.splice(at, 1)
    else bytes.splice(at, 0, rng.below(256))
    if (bytes.length === 0) bytes.push(rng.below(256))
  }
  return Uint8Array.from(bytes)
}

/** The value with every object's keys in one order, for maps have none. */
function plainOf(given: Cbor): unknown {
  if (Array.isArray(given)) return given.map(plainOf)
  if (given === null || typeof given !== 'object' || given instanceof Uint8Array) return given
  const sorted = Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([key, item]) => [key, plainOf(item)])
}
