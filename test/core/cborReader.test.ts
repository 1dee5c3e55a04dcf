import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes, fromHex, toHex } from '../../src/core/bytes.ts'
import { type Cbor, decodeSlowly, encodeCbor } from '../../src/core/cbor.ts'
import { readCanonical } from '../../src/core/cborReader.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { Rng } from '../../src/core/rng.ts'
import { refusal } from './refusal.ts'

const it = suite('core/cborReader')

/** The claim of the file; true where the bytes were taken. */
function takesOnlyWhatTheDefinitionTakes(bytes: Uint8Array, what = ''): boolean {
  const read = readCanonical(bytes)
  if (read === undefined) return false
  const hex = `${what} ${toHex(bytes).slice(0, 400)}`
  assert.is(
    refusal(() => decodeSlowly(bytes)),
    null,
    hex,
  )
  assert.equal(read, decodeSlowly(bytes), hex)
  assert.ok(equalBytes(encodeCbor(read), bytes), hex)
  return true
}

it('of all inputs of up to two bytes it takes what the definition takes, but for a few letters', () => {
  let taken = 0
  for (let first = 0; first < 256; first++) {
    if (takesOnlyWhatTheDefinitionTakes(Uint8Array.of(first))) taken++
    for (let second = 0; second < 256; second++)
      if (takesOnlyWhatTheDefinitionTakes(Uint8Array.of(first, second))) taken++
  }
  assert.ok(taken > 900, `${taken}`)
})

it('of all half floats it takes only canonical ones, and halves and quarters among them', () => {
  for (let bits = 0; bits < 65_536; bits++) takesOnlyWhatTheDefinitionTakes(Uint8Array.of(0xf9, bits >> 8, bits & 255))
  assert.is(readCanonical(encodeCbor(0.5)), 0.5)
  assert.is(readCanonical(encodeCbor(-1.25)), -1.25)
})

it('of floats of 64 bits at every edge of the shorter ones it takes only canonical ones', () => {
  const edges = [0, 1, 2 ** 53, 2 ** 60, 2 ** -24, 2 ** -25, 2 ** -126, 2 ** -149, 2 ** -1074, 65_504, 3.4e38, 1.7e308]
  const view = new DataView(new ArrayBuffer(9))
  view.setUint8(0, 0xfb)
  for (const edge of [...edges, Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const value of [edge, -edge, edge * (1 + 2 ** -52), edge * (1 - 2 ** -20), edge + 0.1, edge / 3]) {
      view.setFloat64(1, value)
      takesOnlyWhatTheDefinitionTakes(new Uint8Array(view.buffer.slice(0)), `${value}`)
    }
  }
  assert.is(readCanonical(encodeCbor(0.1)), 0.1)
})

it('of integers at the edges of every width it takes the shortest forms alone', () => {
  for (const edge of [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53]) {
    for (const [info, width] of [
      [24, 1],
      [25, 2],
      [26, 4],
      [27, 8],
    ] as const) {
      const argument = edge.toString(16).padStart(width * 2, '0')
      if (argument.length !== width * 2) continue
      for (const major of [0, 1, 2, 3, 4, 5])
        takesOnlyWhatTheDefinitionTakes(fromHex(((major << 5) | info).toString(16).padStart(2, '0') + argument))
    }
  }
  for (const value of [23, 24, 256, 65_536, 2 ** 32, 2 ** 53 - 1]) {
    assert.is(readCanonical(encodeCbor(value)), value)
    assert.is(readCanonical(encodeCbor(-value)), -value)
  }
})

it('it is as deep as the definition, and no deeper', () => {
  for (const level of ['81', 'a16161']) {
    const nested = (depth: number) => fromHex(`${level.repeat(depth)}00`)
    assert.ok(takesOnlyWhatTheDefinitionTakes(nested(LIMITS.cborDepthMax)))
    assert.not(takesOnlyWhatTheDefinitionTakes(nested(LIMITS.cborDepthMax + 1)))
    assert.not(takesOnlyWhatTheDefinitionTakes(nested(100_000)))
    takesOnlyWhatTheDefinitionTakes(fromHex(`${level.repeat(LIMITS.cborDepthMax)}80`))
  }
})

for (const [what, hex] of [
  ['unsorted keys', 'a2616201616102'],
  ['a longer key first', 'a262616101616202'],
  ['the same key twice', 'a2616101616102'],
  ['a key that is the beginning of the one before', 'a2626161016161f6'],
  ['a key that names a prototype', 'a1695f5f70726f746f5f5fa1657374756479f5'],
  ['a number as a key', 'a10101'],
  ['text that is not ASCII', '62c3bc'],
  ['a byte after the end', '0101'],
  ['an array that claims 4 GB', '9affffffff'],
  ['a text that claims 4 GB', '7affffffff00'],
] as const) {
  it(`it leaves alone: ${what}`, () => assert.is(readCanonical(fromHex(hex)), undefined))
}

it('what the ledger writes is read the short way: bodies, frames, head vectors, requests', () => {
  const golden = (name: string) => new Uint8Array(readFileSync(new URL(`../golden/${name}`, import.meta.url)))
  for (const name of ['entry-started', 'entry-merged', 'entry-unknown-kind', 'frame', 'heads', 'request', 'fork']) {
    const bytes = golden(`ledger-v1-${name}.cbor`)
    assert.ok(takesOnlyWhatTheDefinitionTakes(bytes), name)
    if (name !== 'entry-started' && name !== 'entry-merged') continue // the body of the third has text that is not ASCII
    const [, , body] = readCanonical(bytes) as [Uint8Array, Uint8Array, Uint8Array]
    assert.ok(takesOnlyWhatTheDefinitionTakes(body), `the body of ${name}`)
  }
})

it('of 60,000 mutations it takes only what the definition takes', () => {
  const seed = Number(process.env.CONSILIUM_TEST_SEED ?? 20_263)
  const rng = Rng.from('cbor reader mutations', seed)
  const corpus: Cbor[] = [
    [1, -7, 1.5, 'text', 0.1, Uint8Array.of(1, 2, 3), 70_000, -(2 ** 40)],
    { a: [null, true], bb: { c: 'text', d: 70_000 }, bc: false, ccc: [] },
    { round: 41, base: new Uint8Array(32).fill(7), loss: 0.7011, examples: 300 },
    [[[[2 ** 40]]], {}, [], '', new Uint8Array(0)],
  ]
  const originals = corpus.map((item) => encodeCbor(item))
  let taken = 0
  for (let i = 0; i < 60_000; i++) {
    const bytes = mutate(rng, originals[i % originals.length] as Uint8Array)
    if (takesOnlyWhatTheDefinitionTakes(bytes, `CONSILIUM_TEST_SEED=${seed}, mutation ${i}:`)) taken++
    else if (refusal(() => decodeSlowly(bytes)) === null) assert.ok(isRare(bytes), `mutation ${i}: ${toHex(bytes)}`)
  }
  assert.ok(taken > 3_000, `only ${taken} mutations were taken: the test looks at nothing`)
})

it('byte strings are copies, of a Buffer too', () => {
  const received = Buffer.from(encodeCbor([new Uint8Array(40).fill(7)]))
  const [read] = readCanonical(new Uint8Array(received.buffer, received.byteOffset, received.length)) as [Uint8Array]
  received.fill(0)
  assert.ok(read.every((byte) => byte === 7))
})

it.run()

/** What the definition takes and the reader leaves to it: text beyond ASCII, floats of 32 bits, the smallest of 16. */
function isRare(bytes: Uint8Array): boolean {
  return bytes.some((byte) => byte === 0xfa || byte === 0xf9 || (byte >= 0xc2 && byte <= 0xf4))
}

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
