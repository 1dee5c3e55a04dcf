/** The update codec: what goes in comes out, and no change to the bytes goes unnoticed. */
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { weightsDigest } from '../../src/core/digest.ts'
import { verify } from '../../src/core/ed25519.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { digest, memberId, studyId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { CODING, decodePayload } from '../../src/gossip/coding/coding.ts'
import { manifestOf } from '../../src/gossip/manifest.ts'
import {
  bodyOf,
  checkTrained,
  decodeUpdate,
  encodeUpdate,
  inspectWeights,
  isSigned,
  TRAINING_DIVERGED,
  type Update,
  type UpdateFacts,
  updateBytes,
} from '../../src/gossip/update.ts'
import { refusal } from '../core/refusal.ts'
import { ADA, BEN, digestOf, headerOf, inline, signedBody, signedUpdate } from './fixtures.ts'

const it = suite('update')
const WEIGHTS = Float32Array.of(0.5, -1.25, 0, 3e-8, 1234.5)
const GOLDEN = new URL('../golden/update-v2.hex', import.meta.url)
const GOLDEN_MANIFEST = new URL('../golden/update-v2-manifest.hex', import.meta.url)
const BEFORE = new URL('../golden/update-v1.hex', import.meta.url)
const PRIVACY = { epsilon: 1.25, delta: 1e-5, sampleRate: 0.04, noiseMultiplier: 8 }

const weightsIn = ({ header, body }: Update): Float32Array => {
  const format = { coding: { kind: 'float32' }, tensors: [header.parameters], parameters: header.parameters } as const
  return decodePayload(CODING.float32, body.payload ?? new Uint8Array(0), format, null)
}
const factsOf = (bytes: Uint8Array): UpdateFacts => {
  const update = decodeUpdate(bytes)
  return inspectWeights(update.header, weightsIn(update), isSigned(update, verify))
}
const faultOf = (bytes: Uint8Array): string => {
  try {
    decodeUpdate(bytes)
    return 'none'
  } catch (error) {
    if (!(error instanceof ConsiliumError)) throw error
    return `${error.code} ${error.blame}`
  }
}

const hex32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex)
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const updates = fc.record({
  weights: fc.float32Array({ maxLength: 40 }),
  signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  header: fc.record({
    study: hex32.map(studyId),
    author: hex32.map(memberId),
    round: u32,
    examples: u32,
    scaling: hex32.map(digest),
    base: hex32.map(digest),
    parents: fc.array(hex32.map(digest), { maxLength: LIMITS.updateParentsMax }),
    coding: fc.constantFrom(...Object.values(CODING)),
    reference: fc.option(hex32.map(digest)),
    privacy: fc.option(
      fc
        .record({
          epsilon: fc.double({ min: 0, max: 1e6, noNaN: true }).map((x) => x + 0),
          delta: fc.double({ min: 1e-12, max: 0.5, noNaN: true }),
          sampleRate: fc.double({ min: 1e-9, max: 1, noNaN: true }),
          noiseMultiplier: fc.double({ min: 0.1, max: 100, noNaN: true }),
        })
        .map((spent) => ({ ...spent })),
    ),
  }),
})

it('decoding gives back what was encoded, NaN payloads and negative zero included', () => {
  fc.assert(
    fc.property(updates, ({ weights, signature, header: fields }) => {
      const header = { ...fields, digest: weightsDigest(weights), parameters: weights.length }
      const bytes = encodeUpdate(header, inline(weights), signature)
      const again = decodeUpdate(bytes)
      assert.equal(again.header, header)
      assert.equal(again.body.payload, new Uint8Array(weights.slice().buffer))
      assert.equal(again.signature, signature)
      assert.equal(encodeUpdate(again.header, again.body, again.signature), bytes)
    }),
  )
})

const goldenAt = (file: URL): Uint8Array => fromHex(readFileSync(file, 'utf8').replace(/\s/g, ''))

it('the golden bytes are read and written by every version', () => {
  const header = headerOf(WEIGHTS, { privacy: PRIVACY })
  const golden = goldenAt(GOLDEN)
  assert.is(toHex(signedUpdate(header, WEIGHTS)), toHex(golden))
  assert.equal(decodeUpdate(golden).header, header)
  assert.equal(factsOf(golden), {
    finite: true,
    rms: Math.sqrt(WEIGHTS.reduce((sum, w) => sum + w * w, 0) / WEIGHTS.length),
    digestMatches: true,
    signatureValid: true,
  })
})

it('the golden manifest is read and written by every version: a delta in three chunks', () => {
  const payload = Uint8Array.from({ length: 2 * LIMITS.chunkBytesMin + 7 }, (_, i) => (i * 31) >> 3)
  const header = headerOf(WEIGHTS, { coding: CODING.topK, reference: digestOf('a keyframe') })
  const body = { payload: null, manifest: manifestOf(payload) }
  const golden = goldenAt(GOLDEN_MANIFEST)
  assert.is(toHex(signedBody(header, body)), toHex(golden))
  assert.equal(decodeUpdate(golden).header, header)
  assert.equal(decodeUpdate(golden).body, body)
  assert.is(isSigned(decodeUpdate(golden), verify), true)
})

it('version 1, which no release wrote, is refused by name', () => {
  assert.is(faultOf(goldenAt(BEFORE)), 'update-version ignore')
})

it('what fits the message travels in it, one byte more by manifest', () => {
  const header = headerOf(WEIGHTS)
  const room = LIMITS.updateBytesMax - signedBody(header, { payload: new Uint8Array(0), manifest: null }).length
  const [fits, over] = [bodyOf(header, new Uint8Array(room)), bodyOf(header, new Uint8Array(room + 1))]
  assert.is(fits.payload?.length, room)
  assert.is(signedBody(header, fits).length, LIMITS.updateBytesMax)
  assert.is(over.manifest?.payloadBytes, room + 1)
  assert.is(updateBytes(room, header.parents.length), LIMITS.updateBytesMax, 'and simulations count the same')
})

it('no flipped bit goes unnoticed: the codec refuses it, or the signature does not fit', () => {
  const bytes = signedUpdate(headerOf(WEIGHTS), WEIGHTS)
  const codes = new Set<string>()
  let noticed = 0
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const altered = bytes.slice()
    altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7))
    try {
      const signatureValid = isSigned(decodeUpdate(altered), verify)
      assert.is(signatureValid, false, `bit ${bit}`)
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      codes.add(`${error.code} ${error.blame}`)
    }
    noticed++
  }
  assert.is(noticed, bytes.length * 8)
  for (const code of ['update-version ignore', 'update-coding ignore', 'update-flag reject', 'truncated reject'])
    assert.ok(codes.has(code), `${code} among ${[...codes].join(', ')}`)
})

it('every cut and every addition is refused', () => {
  const bytes = signedUpdate(headerOf(WEIGHTS), WEIGHTS)
  for (let length = 0; length < bytes.length; length++)
    assert.is(
      refusal(() => decodeUpdate(bytes.subarray(0, length))),
      'truncated',
      `${length} bytes`,
    )
  assert.is(
    refusal(() => decodeUpdate(Uint8Array.of(...bytes, 0))),
    'trailing-bytes',
  )
})

it('what is too large is refused before it is read', () => {
  assert.is(
    refusal(() => decodeUpdate(new Uint8Array(LIMITS.updateBytesMax + 1))),
    'update-too-large',
  )
  const header = headerOf(WEIGHTS)
  const bytes = signedUpdate(header, WEIGHTS)
  const lengthAt = bytes.length - 64 - WEIGHTS.length * 4 - 4
  const claims = bytes.slice()
  new DataView(claims.buffer).setUint32(lengthAt, 0x4000_0000)
  assert.is(
    refusal(() => decodeUpdate(claims)),
    'truncated',
    'a claim of a billion weights allocates nothing',
  )
})

it('a Buffer from a socket is copied: what is written to it later changes nothing', () => {
  const socket = Buffer.concat([Buffer.alloc(3), signedUpdate(headerOf(WEIGHTS), WEIGHTS)]).subarray(3)
  const update = decodeUpdate(socket)
  socket.fill(0xff)
  assert.equal(weightsIn(update), WEIGHTS)
  assert.is(isSigned(update, verify), true)
})

it('what is measured: finite, size, digest, signature', () => {
  const measure = (weights: Float32Array, more = {}, key = ADA) =>
    factsOf(signedUpdate(headerOf(weights, more), weights, key))
  assert.is(measure(Float32Array.of(3, 4)).rms, Math.sqrt(12.5))
  assert.is(measure(Float32Array.of(1, Number.NaN)).finite, false)
  assert.is(measure(Float32Array.of(1, Number.NEGATIVE_INFINITY)).finite, false)
  assert.equal(measure(new Float32Array(0)), { finite: true, rms: 0, digestMatches: true, signatureValid: true })
  assert.is(measure(WEIGHTS, { digest: weightsDigest(Float32Array.of(1)) }).digestMatches, false)
  assert.is(measure(WEIGHTS, {}, BEN).signatureValid, false, 'signed by another member')
})

it('an own update that others would refuse is refused before it is recorded', () => {
  const large = new Float32Array(4).fill(LIMITS.updateNormMax * 1.01)
  assert.is(
    refusal(() =>
      checkTrained(
        WEIGHTS.map((w) => w / 100),
        0.5,
      ),
    ),
    null,
  )
  assert.is(
    refusal(() => checkTrained(new Float32Array(4).fill(LIMITS.updateNormMax), 0.5)),
    null,
  )
  for (const [weights, loss] of [
    [large, 0.5],
    [Float32Array.of(Number.NaN), 0.5],
    [Float32Array.of(Number.POSITIVE_INFINITY), 0.5],
    [Float32Array.of(1), Number.NaN],
  ] as const)
    assert.is(
      refusal(() => checkTrained(weights, loss)),
      TRAINING_DIVERGED,
    )
})

/** The fields of an update with two parents, in order, and how many bytes each takes. */
const FIELDS: readonly (readonly [field: string, bytes: number])[] = [
  ['version', 1],
  ['study', 32],
  ['author', 32],
  ['round', 4],
  ['examples', 4],
  ['scaling', 32],
  ['base', 32],
  ['count of parents', 1],
  ['parents', 64],
  ['digest', 32],
  ['parameters', 4],
  ['flag of privacy', 1],
  ['coding', 1],
  ['flag of the reference', 1],
  ['what is carried', 1],
  ['length', 4],
  ['weights', WEIGHTS.byteLength],
  ['signature', 64],
]
const FIELD_AT = FIELDS.flatMap(([field, bytes]) => Array.from({ length: bytes }, () => field))
/** What tells how the rest is read. */
const FRAMING = ['version', 'count of parents', 'flag of privacy', 'flag of the reference', 'what is carried', 'length']
const flat = ({ header, body, signature }: Update): Record<string, unknown> => ({
  ...header,
  weights: toHex(body.payload ?? new Uint8Array(0)),
  signature: toHex(signature),
})

it('a flipped bit in the framing is refused; any other changes the field that it is in, and the facts tell', () => {
  const bytes = signedUpdate(headerOf(WEIGHTS), WEIGHTS)
  const before = flat(decodeUpdate(bytes))
  assert.is(FIELD_AT.length, bytes.length)
  for (const [at, field] of FIELD_AT.entries()) {
    const altered = bytes.slice()
    altered[at] = (altered[at] as number) ^ (1 << (at % 8))
    if (FRAMING.includes(field)) {
      assert.is.not(faultOf(altered), 'none', `${field}, byte ${at}`)
      continue
    }
    if (field === 'coding' && faultOf(altered) !== 'none') continue
    const update = decodeUpdate(altered)
    const after = flat(update)
    assert.equal(
      Object.keys(before).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name])),
      [field],
    )
    assert.is(isSigned(update, verify), false, `${field}, byte ${at}`)
    if (field === 'parameters') continue // then the weights cannot be read
    const { digestMatches } = inspectWeights(update.header, weightsIn(update), false)
    assert.is(digestMatches, field !== 'digest' && field !== 'weights', `${field}, byte ${at}`)
  }
})

it('whatever bytes come, they are refused with blame or are what their meaning is encoded as', () => {
  const sound = signedUpdate(headerOf(WEIGHTS), WEIGHTS)
  const edits = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 })
  const bytesOf = edits.map((list) => {
    const bytes = sound.slice()
    for (const [at, value] of list) bytes[at] = value
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(bytesOf, fc.uint8Array({ maxLength: 400 })), (bytes) => {
      const fault = faultOf(bytes)
      if (fault !== 'none') return assert.match(fault, / (?:ignore|reject)$/)
      const { header, body, signature } = decodeUpdate(bytes)
      assert.equal(encodeUpdate(header, body, signature), bytes)
    }),
    { numRuns: 500 },
  )
})

it('measuring throws nothing, whatever a peer sends as key, weights and signature', () => {
  fc.assert(
    fc.property(updates, ({ weights, signature, header: fields }) => {
      const header = { ...fields, digest: weightsDigest(weights), parameters: weights.length }
      const update = decodeUpdate(encodeUpdate(header, inline(weights), signature))
      const facts = inspectWeights(header, weights, isSigned(update, verify))
      assert.is(facts.finite, weights.every(Number.isFinite))
      assert.equal([facts.signatureValid, facts.digestMatches, Number.isFinite(facts.rms)], [false, true, true])
    }),
  )
})

it('who sends what a newer version could mean is ignored, who sends what none could mean is blamed', () => {
  const sound = signedUpdate(headerOf(WEIGHTS), WEIGHTS)
  const withByte = (field: string, value: number) => sound.with(FIELD_AT.indexOf(field), value)
  for (const version of [0, 1, 3, 255]) assert.is(faultOf(withByte('version', version)), 'update-version ignore')
  for (const coding of [0, 5, 255]) assert.is(faultOf(withByte('coding', coding)), 'update-coding ignore')
  assert.is(faultOf(withByte('count of parents', 255)), 'update-parents reject')
  assert.is(faultOf(sound.slice(0, -1)), 'truncated reject')
  assert.is(faultOf(Uint8Array.of(...sound, 0)), 'trailing-bytes reject')
  assert.is(faultOf(new Uint8Array(LIMITS.updateBytesMax + 1)), 'update-too-large reject')
})

it('the bounds themselves are allowed: as many parents, and as many bytes', () => {
  const parents = (count: number) => Array.from({ length: count }, (_, i) => weightsDigest(Float32Array.of(i)))
  const named = headerOf(WEIGHTS, { parents: parents(LIMITS.updateParentsMax) })
  assert.equal(decodeUpdate(signedUpdate(named, WEIGHTS)).header, named)
  const more = headerOf(WEIGHTS, { parents: parents(LIMITS.updateParentsMax + 1) })
  assert.is(faultOf(signedUpdate(more, WEIGHTS)), 'update-parents reject')

  const filled = new Uint8Array(LIMITS.updateBytesMax)
  filled.set(signedUpdate(headerOf(WEIGHTS), WEIGHTS))
  assert.is(faultOf(filled), 'trailing-bytes reject', 'not too large')
})

const PRIVACY_FAULTS: readonly (readonly [what: string, more: Partial<typeof PRIVACY>])[] = [
  ['a negative ε', { epsilon: -0.5 }],
  ['an ε without bound', { epsilon: Number.POSITIVE_INFINITY }],
  ['a δ of 1', { delta: 1 }],
  ['a q of 0', { sampleRate: 0 }],
  ['a q above 1', { sampleRate: 1.5 }],
  ['no σ', { noiseMultiplier: Number.NaN }],
  ['two zeros', { noiseMultiplier: -0 }],
]
for (const [what, more] of PRIVACY_FAULTS) {
  it(`${what} in the privacy that was spent is refused`, () => {
    const header = headerOf(WEIGHTS, { privacy: { ...PRIVACY, ...more } })
    assert.is(faultOf(signedUpdate(header, WEIGHTS)), 'update-privacy reject')
  })
}

const MANIFEST_FAULTS: readonly (readonly [what: string, payloadBytes: number, chunkBytes: number])[] = [
  ['no payload', 0, LIMITS.chunkBytesMin],
  ['chunks too small', 100_000, LIMITS.chunkBytesMin - 1],
  ['chunks too large', 100_000, LIMITS.chunkBytesMax + 1],
  ['too many chunks', LIMITS.chunkBytesMin * LIMITS.chunksMax + 1, LIMITS.chunkBytesMin],
  ['a payload larger than any model', LIMITS.modelBytesMax + 1, LIMITS.chunkBytesMax],
]
for (const [what, payloadBytes, chunkBytes] of MANIFEST_FAULTS) {
  it(`a manifest with ${what} is refused`, () => {
    const manifest = { payloadBytes, chunkBytes, chunks: [digestOf('a chunk')] }
    assert.is(faultOf(signedBody(headerOf(WEIGHTS), { payload: null, manifest })), 'update-manifest reject')
  })
}

it('plain arrays are copied too: weights and signature lie in memory of their own, aligned', () => {
  const sound = signedUpdate(headerOf(WEIGHTS), WEIGHTS)
  for (const offset of [1, 2, 3]) {
    const around = new Uint8Array(sound.length + offset + 5)
    const bytes = around.subarray(offset, offset + sound.length)
    bytes.set(sound)
    const update = decodeUpdate(bytes)
    around.fill(0xff)
    const weights = weightsIn(update)
    assert.equal(weights, WEIGHTS)
    assert.equal([weights.byteOffset, weights.buffer.byteLength], [0, WEIGHTS.byteLength])
    assert.is(isSigned(update, verify), true)
  }
  const update = decodeUpdate(sound)
  const again = encodeUpdate(update.header, update.body, update.signature)
  update.body.payload?.fill(9)
  update.signature.fill(9)
  assert.equal(again, sound, 'nor does what was encoded change later')
})

it.run()
