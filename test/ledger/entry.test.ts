import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, equalBytes, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { sha256, taggedDigest } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { decodeEntry, dropBody, type EntryFields, encodeEntry } from '../../src/ledger/entry.ts'
import { keyOf, STUDY, saltOf } from './fixtures.ts'

const it = suite('entry')

const AUTHOR = keyOf('ada').member
const SALT = saltOf('entry')
const FIELDS: EntryFields = {
  author: AUTHOR,
  seq: 7,
  prev: sha256(utf8('before')),
  timeMs: 1_790_000_000_123,
  kind: 'round.merged',
  study: STUDY,
  refs: [[keyOf('ben').member, 3, taggedDigest('update', utf8('cited'))]],
  lamport: 19,
}
const BODY = { round: 7, result: sha256(utf8('result')) }
const RAW = encodeEntry(FIELDS, SALT, BODY)

/** The ten header fields with some replaced. */
function header(change: Record<number, Cbor> = {}): Cbor[] {
  const bodyHash = fromHex(taggedDigest('entryBody', SALT, encodeCbor(BODY)))
  const refs = FIELDS.refs.map(([author, seq, hash]) => [fromHex(author), seq, fromHex(hash)])
  const fields: Cbor[] = [
    1,
    fromHex(AUTHOR),
    7,
    FIELDS.prev,
    FIELDS.timeMs,
    FIELDS.kind,
    fromHex(STUDY),
    refs,
    19,
    bodyHash,
  ]
  for (const [at, value] of Object.entries(change)) fields[Number(at)] = value
  return fields
}

const rawOf = (head: Cbor, salt: Cbor = SALT, body: Cbor = encodeCbor(BODY)): Uint8Array =>
  encodeCbor([encodeCbor(head), salt, body])

const refusal = (raw: Uint8Array): string => {
  try {
    decodeEntry(raw)
    return 'accepted'
  } catch (error) {
    assert.instance(error, ConsiliumError)
    assert.is((error as ConsiliumError).blame, 'reject')
    return (error as ConsiliumError).code
  }
}

it('entry: what is written is read back, and its hash is SHA-256 of a zero byte and the header', () => {
  const entry = decodeEntry(RAW)
  for (const key of Object.keys(FIELDS) as (keyof EntryFields)[]) assert.equal(entry[key], FIELDS[key], key)
  assert.equal(entry.body, BODY)
  assert.is(entry.hash, toHex(sha256(Uint8Array.of(0), encodeCbor(header()))))
  assert.ok(equalBytes(rawOf(header()), RAW))
})

it('entry: dropping the body keeps the hash, and shows', () => {
  const dropped = decodeEntry(dropBody(RAW))
  assert.is(dropped.hash, decodeEntry(RAW).hash)
  assert.is(dropped.body, null)
  assert.is(dropped.kind, 'round.merged')
  assert.not(toHex(dropped.raw).includes(toHex(SALT)))
})

it('entry: every header field out of its bounds is refused', () => {
  const rows: [string, Record<number, Cbor>][] = [
    ['version 2', { 0: 2 }],
    ['short author', { 1: new Uint8Array(31) }],
    ['seq as text', { 2: '7' }],
    ['negative seq', { 2: -1 }],
    ['seq as float', { 2: 7.5 }],
    ['short prev', { 3: new Uint8Array(31) }],
    ['zero prev in a later entry', { 3: new Uint8Array(32) }],
    ['first entry with a prev', { 2: 0 }],
    ['negative time', { 4: -5 }],
    ['time without a date', { 4: 9e15 }],
    ['kind of one word', { 5: 'round' }],
    ['kind in capitals', { 5: 'Round.merged' }],
    ['kind with a newline', { 5: 'round.merged\n' }],
    ['kind of 65 letters', { 5: `round.${'x'.repeat(59)}` }],
    ['kind as bytes', { 5: utf8('round.merged') }],
    ['short study', { 6: new Uint8Array(16) }],
    ['refs as null', { 7: null }],
    ['65 refs', { 7: Array.from({ length: 65 }, () => [new Uint8Array(32), 0, new Uint8Array(32)]) }],
    ['ref of two', { 7: [[new Uint8Array(32), 0]] }],
    ['ref with a short hash', { 7: [[new Uint8Array(32), 0, new Uint8Array(20)]] }],
    ['ref with a negative seq', { 7: [[new Uint8Array(32), -3, new Uint8Array(32)]] }],
    ['lamport 0', { 8: 0 }],
    ['short body hash', { 9: new Uint8Array(31) }],
    ['eleven fields', { 10: 0 }],
  ]
  for (const [name, change] of rows) assert.is(refusal(rawOf(header(change))), 'entry-malformed', name)
  assert.is(refusal(rawOf(header().slice(0, 9))), 'entry-malformed', 'nine fields')
  assert.is(refusal(rawOf({ author: 1 })), 'entry-malformed', 'a map')
  assert.is(refusal(rawOf(header({ 5: `round.${'x'.repeat(58)}` }))), 'accepted', 'kind of 64 letters')
})

it('entry: a body that is not the one named, not a map, or half dropped is refused', () => {
  const notMap = encodeCbor([1, 2])
  const named = (content: Uint8Array) => header({ 9: fromHex(taggedDigest('entryBody', SALT, content)) })
  assert.is(refusal(rawOf(header(), SALT, encodeCbor({ round: 8 }))), 'entry-body')
  assert.is(refusal(rawOf(header(), saltOf('other'))), 'entry-body')
  assert.is(refusal(rawOf(named(notMap), SALT, notMap)), 'entry-malformed')
  assert.is(refusal(rawOf(header(), null)), 'entry-malformed')
  assert.is(refusal(rawOf(header(), SALT, null)), 'entry-malformed')
  assert.is(refusal(rawOf(header(), new Uint8Array(31))), 'entry-malformed')
})

it('entry: encodings that mean the same but are not the canonical one are refused, wherever they stand', () => {
  const bad: [string, string][] = [
    ['unsorted keys', 'a2616201616101'],
    ['a long integer', 'a16161181' + '7'],
    ['a 64-bit integer for 1', 'a161611b0000000000000001'],
    ['float64 for 1.5', 'a16161fb3ff8000000000000'],
    ['float16 for 1', 'a16161f93c00'],
    ['NaN', 'a16161f97e00'],
    ['indefinite map', 'bf616101ff'],
    ['indefinite text', 'a161617f6161ff'],
    ['undefined', 'a16161f7'],
    ['a tag', 'a16161c101'],
    ['a repeated key', 'a2616101616102'],
    ['invalid UTF-8', 'a1616161ff'],
    ['an integer of 2^53', 'a161611b0020000000000000'],
    ['trailing bytes', 'a16161' + '0100'],
    ['a number as key', 'a10101'],
  ]
  for (const [name, hex] of bad) {
    const content = fromHex(hex)
    const raw = rawOf(header({ 9: fromHex(taggedDigest('entryBody', SALT, content)) }), SALT, content)
    assert.not.equal(refusal(raw), 'accepted', name)
  }
  const longArray = concat([fromHex('9803'), RAW.subarray(1)]) // the outer array's length in two bytes
  assert.not.equal(refusal(longArray), 'accepted', 'outer array')
  const canonical = encodeCbor(header())
  const longHeader = concat([fromHex('980a'), canonical.subarray(1)])
  assert.not.equal(refusal(encodeCbor([longHeader, SALT, encodeCbor(BODY)])), 'accepted', 'header array')
  assert.not.equal(refusal(concat([RAW, Uint8Array.of(0)])), 'accepted', 'a byte after the end')
})

it('entry: deep nesting and huge lengths are refused without being followed', () => {
  const deep = new Uint8Array(60_000).fill(0x81)
  for (const raw of [
    deep,
    fromHex('9bffffffffffffffff'),
    fromHex('835bffffffffffffffff'),
    fromHex('5affffffff'),
    new Uint8Array(70_000),
  ]) {
    assert.not.equal(refusal(raw), 'accepted')
  }
})

it('entry: whatever bytes are accepted mean one thing: writing that again gives the same bytes', () => {
  fc.assert(
    fc.property(fc.nat(RAW.length - 1), fc.uint8Array({ minLength: 1, maxLength: 3 }), (at, patch) => {
      const mutant = RAW.slice()
      mutant.set(patch.subarray(0, mutant.length - at), at)
      if (refusal(mutant) !== 'accepted') return
      const { body, bodyHash: _, hash: __, leaf: ___, raw: ____, ...fields } = decodeEntry(mutant)
      const salt = mutant.slice(-encodeCbor(BODY).length - 34, -encodeCbor(BODY).length - 2)
      assert.ok(body !== null && equalBytes(encodeEntry(fields, salt, body), mutant))
    }),
    { numRuns: 4_000 },
  )
})

it('entry: an entry beyond the limit is refused at its author, with what to do', () => {
  assert.throws(
    () => encodeEntry(FIELDS, SALT, { document: new Uint8Array(65_536) }),
    (error: ConsiliumError) => error.code === 'entry-too-large' && /record less/.test(error.message),
  )
})

it.run()
