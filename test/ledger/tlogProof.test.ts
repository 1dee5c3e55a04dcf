/** An entry's proof as a file: the text of C2SP tlog-proof, one spelling of it, and no altered byte that still proves. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, equalBytes, fromUtf8, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { COSIGNED_BYTES_MAX, parseCosigned, verifyCosignature } from '../../src/ledger/cosignature.ts'
import { decodeEntry, dropBody, headerOf } from '../../src/ledger/entry.ts'
import { verifyHead } from '../../src/ledger/head.ts'
import { leafHash } from '../../src/ledger/merkle.ts'
import { answer, inclusionProof, PROOF_HASHES_MAX, verifyInclusion } from '../../src/ledger/proof.ts'
import { formatTlogProof, parseTlogProof, TLOG_PROOF_BYTES_MAX, type TlogProof } from '../../src/ledger/tlogProof.ts'
import { decodeFrame } from '../../src/ledger/wire.ts'
import { refusal } from '../core/refusal.ts'
import { FOUNDING, keyOf, logOf } from './fixtures.ts'
import { golden } from './goldenFile.ts'
import { flipped } from './proofFaults.ts'
import { hash, ReferenceTree } from './proofReference.ts'

const it = suite('tlog proof')

const NONE = new Uint8Array(0)
const NOTE = golden('ledger-v1-cosigned.txt', NONE)
const RAWS = decodeFrame(golden('ledger-v1-frame.cbor', NONE)).raws
const MERGED = RAWS[1] as Uint8Array
const TREE = new ReferenceTree((i) => headerOf(RAWS[i] as Uint8Array))
const PROOF: TlogProof = { index: 1, hashes: TREE.path(1, 0, 3), note: NOTE }
const BYTES = formatTlogProof(PROOF)
const TEXT = fromUtf8(BYTES)

const parse = (text: string | Uint8Array) => refusal(() => parseTlogProof(typeof text === 'string' ? utf8(text) : text))
const same = (a: TlogProof, b: TlogProof): boolean =>
  a.index === b.index &&
  equalBytes(a.note, b.note) &&
  equalBytes(a.extra ?? NONE, b.extra ?? NONE) &&
  a.hashes.map(toHex).join() === b.hashes.map(toHex).join()

/** What a verifier does who holds an entry's header: the head with all five signatures, then the path. */
function proves(bytes: Uint8Array, header: Uint8Array): boolean {
  try {
    const { index, hashes, note } = parseTlogProof(bytes)
    const { head, cosignatures } = parseCosigned(note, FOUNDING)
    if (!verifyInclusion(leafHash(header), index, head.size, hashes, head.root)) return false
    if (cosignatures.length !== 4 || !cosignatures.every((one) => verifyCosignature(head.text, one))) return false
    return verifyHead(head)
  } catch (error) {
    assert.instance(error, ConsiliumError)
    return false
  }
}

it('tlog proof: the text is that of C2SP, line by line', () => {
  const lines = [
    'c2sp.org/tlog-proof@v1',
    'index 1',
    ...PROOF.hashes.map((one) => Buffer.from(one).toString('base64')),
    '',
  ]
  assert.is(TEXT, `${lines.join('\n')}\n${fromUtf8(NOTE)}`)
  const extra = fromUtf8(formatTlogProof({ ...PROOF, extra: utf8('more') }))
  assert.is(extra, TEXT.replace('\n', '\nextra bW9yZQ==\n'))
  assert.is(
    fromUtf8(formatTlogProof({ index: 0, hashes: [], note: NOTE })),
    `c2sp.org/tlog-proof@v1\nindex 0\n\n${fromUtf8(NOTE)}`,
  )
})

it('tlog proof: what is written is read back, and proves the entry by its header, with or without its body', () => {
  assert.ok(same(parseTlogProof(BYTES), PROOF))
  for (const raw of [MERGED, dropBody(MERGED)]) assert.ok(proves(BYTES, headerOf(raw)))
  for (const raw of [RAWS[0], RAWS[2]]) assert.not(proves(BYTES, headerOf(raw as Uint8Array)))
  const part = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const proof = fc.record({
    index: fc.maxSafeNat(),
    hashes: fc.array(part, { maxLength: PROOF_HASHES_MAX }),
    note: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    extra: fc.option(fc.uint8Array({ minLength: 1, maxLength: 90 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(proof, (one) => same(parseTlogProof(Buffer.from(formatTlogProof(one))), one)),
    { numRuns: 300 },
  )
})

it('tlog proof: the largest index, path, note and extra data are written and read; anything beyond is not', () => {
  const most = {
    index: Number.MAX_SAFE_INTEGER,
    hashes: Array.from({ length: PROOF_HASHES_MAX }, (_, i) => sha256(utf8(`hash ${i}`))),
    note: new Uint8Array(COSIGNED_BYTES_MAX).fill(0x61),
    extra: new Uint8Array(49_000).fill(7),
  }
  const bytes = formatTlogProof(most)
  assert.ok(bytes.length <= TLOG_PROOF_BYTES_MAX)
  assert.ok(same(parseTlogProof(bytes), most))
  const over: [string, Partial<TlogProof>][] = [
    ['index 2^53', { index: 2 ** 53 }],
    ['index −1', { index: -1 }],
    ['index ½', { index: 0.5 }],
    ['64 hashes', { hashes: [...most.hashes, sha256()] }],
    ['a short hash', { hashes: [new Uint8Array(31)] }],
    ['no note', { note: NONE }],
    ['a long note', { note: new Uint8Array(COSIGNED_BYTES_MAX + 1) }],
    ['empty extra data', { extra: NONE }],
    ['long extra data', { extra: new Uint8Array(49_001) }],
  ]
  for (const [name, change] of over) assert.throws(() => formatTlogProof({ ...PROOF, ...change }), /invariant/, name)
})

it('tlog proof: every other spelling is refused', () => {
  const [first, index, one, two] = TEXT.split('\n') as [string, string, string, string]
  const note = fromUtf8(NOTE)
  const made = (lines: readonly string[], after = note) => `${lines.join('\n')}\n\n${after}`
  const zeros = Buffer.alloc(32).toString('base64')
  const rows: [string, string][] = [
    ['nothing', ''],
    ['the note alone', note],
    ['another version', made(['c2sp.org/tlog-proof@v2', index, one, two])],
    ['a capital', made(['C2sp.org/tlog-proof@v1', index, one, two])],
    ['a line before', made(['', first, index, one, two])],
    ['no first line', made([index, one, two])],
    ['no index', made([first, one, two])],
    ['index twice', made([first, index, index, one, two])],
    ['a leading zero', made([first, 'index 01', one, two])],
    ['a plus', made([first, 'index +1', one, two])],
    ['a minus', made([first, 'index -1', one, two])],
    ['hexadecimal', made([first, 'index 0x1', one, two])],
    ['two spaces', made([first, 'index  1', one, two])],
    ['a space after', made([first, 'index 1 ', one, two])],
    ['no digits', made([first, 'index ', one, two])],
    ['index 2^53', made([first, 'index 9007199254740992', one, two])],
    ['index 2^64', made([first, 'index 18446744073709551616', one, two])],
    ['an extra line after the index', made([first, index, 'extra bW9yZQ==', one, two])],
    ['two extra lines', made([first, 'extra bW9yZQ==', 'extra bW9yZQ==', index, one, two])],
    ['an empty extra line', made([first, 'extra ', index, one, two])],
    ['extra without a space', made([first, 'extra', index, one, two])],
    ['extra with stray bits', made([first, 'extra bW9yZR==', index, one, two])],
    ['extra without padding', made([first, 'extra bW9yZQ', index, one, two])],
    ['extra of padding', made([first, 'extra ====', index, one, two])],
    ['extra for addresses', made([first, 'extra -_-_', index, one, two])],
    ['extra of 49,001 bytes', made([first, `extra ${Buffer.alloc(49_001).toString('base64')}`, index, one, two])],
    [
      'a hash with stray bits',
      made([first, index, one, two.replace(/(.)=$/, (_, c: string) => `${String.fromCharCode(c.charCodeAt(0) + 1)}=`)]),
    ],
    ['a hash of 31 bytes', made([first, index, one, Buffer.alloc(31).toString('base64')])],
    ['a hash of 33 bytes', made([first, index, one, Buffer.alloc(33).toString('base64')])],
    ['a hash in hexadecimal', made([first, index, toHex(PROOF.hashes[0] as Uint8Array)])],
    ['64 hashes', made([first, index, ...Array.from({ length: 64 }, () => zeros)])],
    ['5,000 hashes', made([first, index, ...Array.from({ length: 5_000 }, () => zeros)])],
    ['a space after a hash', made([first, index, `${one} `, two])],
    ['carriage returns', TEXT.replaceAll('\n', '\r\n')],
    ['no empty line', `${[first, index, one, two].join('\n')}\n${note}`],
    ['no note', made([first, index, one, two], '')],
    ['a note of 257,025 bytes', made([first, index, one, two], 'a'.repeat(COSIGNED_BYTES_MAX + 1))],
    ['more bytes than any proof', `${TEXT}${'a'.repeat(TLOG_PROOF_BYTES_MAX)}`],
    ['a byte order mark', `\ufeff${TEXT}`],
    ['letters of two bytes', made([first, index, one.replace(/./, 'Å'), two])],
  ]
  for (const [name, bad] of rows) {
    assert.not.equal(bad, TEXT, name)
    assert.is(parse(bad), 'proof-malformed', name)
  }
  assert.is(parse(TEXT), null)
})

it('tlog proof: no bit of path or head can change, no byte be missing or added, with the entry still proved', () => {
  const header = headerOf(MERGED)
  assert.ok(proves(BYTES, header))
  const cosigned = utf8(TEXT.slice(0, TEXT.indexOf('\n', TEXT.indexOf('\u2014')))).length // the lines after it: cosignature.test.ts flips every bit of those
  for (let bit = 0; bit < cosigned * 8; bit++) if (proves(flipped(BYTES, bit), header)) assert.unreachable(`bit ${bit}`)
  for (let length = 0; length < BYTES.length; length++)
    if (proves(BYTES.subarray(0, length), header)) assert.unreachable(`length ${length}`)
  for (const byte of [0, 0x0a, 0x20, 0x61]) assert.not(proves(concat([BYTES, Uint8Array.of(byte)]), header))
  for (let bit = 0; bit < header.length * 8; bit++)
    if (proves(BYTES, flipped(header, bit))) assert.unreachable(`header, bit ${bit}`)
})

it('tlog proof: of a flipped bit, only one in the extra line is not noticed: nothing vouches for that', () => {
  const extra = Uint8Array.from({ length: 9 }, (_, i) => i * 28)
  const bytes = formatTlogProof({ ...PROOF, extra })
  const from = 'c2sp.org/tlog-proof@v1\nextra '.length
  const unnoticed = new Set<number>()
  for (let bit = 0; bit < (from + 80) * 8; bit++)
    if (proves(flipped(bytes, bit), headerOf(MERGED))) unnoticed.add(bit >> 3)
  assert.ok(unnoticed.size > 0)
  for (const at of unnoticed) assert.ok(at >= from && at < from + 12, `byte ${at}`)
})

it('tlog proof: each entry of a log is proved by its own file, and by no other’s', () => {
  const [commit] = logOf(keyOf('ada'), [13]) as [ReturnType<typeof logOf>[number]]
  const headers = commit.raws.map(headerOf)
  const tree = new ReferenceTree((i) => headers[i] as Uint8Array)
  const root = tree.head(0, 13)
  assert.ok(equalBytes(root, commit.head.root))
  const files = headers.map((_, index) => {
    const hashes = answer(inclusionProof(index, 13), ({ from, to }) => tree.head(from, to))
    return formatTlogProof({ index, hashes, note: commit.head.note })
  })
  for (const [i, file] of files.entries()) {
    const { index, hashes, note } = parseTlogProof(file)
    const { head } = parseCosigned(note, FOUNDING)
    const proved = headers.flatMap((header, j) =>
      verifyInclusion(leafHash(header), index, head.size, hashes, head.root) ? j : [],
    )
    assert.equal(proved, [i])
  }
})

it('tlog proof: the header that is a leaf is that of the entry, and comes only from what is an entry’s outer form', () => {
  for (const raw of RAWS) {
    const header = headerOf(raw)
    assert.is(toHex(hash(Uint8Array.of(0), header)), decodeEntry(raw).hash)
    assert.equal(headerOf(dropBody(raw)), header)
  }
  for (const bad of [NONE, MERGED.subarray(0, -1), concat([MERGED, Uint8Array.of(0)]), MERGED.subarray(1)])
    assert.is(
      refusal(() => headerOf(bad)),
      'entry-malformed',
    )
})

const GOLDEN: Readonly<Record<string, TlogProof>> = {
  'ledger-v1-entry-merged.tlog-proof': PROOF,
  'ledger-v1-entry-merged-extra.tlog-proof': { ...PROOF, extra: MERGED },
}
for (const [name, proof] of Object.entries(GOLDEN)) {
  it(`tlog proof: what is written today is ${name}, byte for byte, and proves what it proved`, () => {
    const made = formatTlogProof(proof)
    const kept = golden(name, made)
    assert.is(fromUtf8(kept), fromUtf8(made))
    assert.ok(proves(kept, headerOf(MERGED)))
    assert.ok(same(parseTlogProof(kept), proof))
  })
}

it.run()
