/** Cosigned heads: one way to write them, nothing else is read, and no altered byte leaves every signature valid. */
import { createHash, createPublicKey, verify as nodeVerify } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, equalBytes, fromHex, fromUtf8, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { type Digest, digest, type MemberId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import {
  COSIGNED_BYTES_MAX,
  type Cosignature,
  cosignatureMessage,
  formatCosigned,
  headTextOf,
  parseCosigned,
  signCosignature,
  verifyCosignature,
} from '../../src/ledger/cosignature.ts'
import { openHead, signHead, verifyHead } from '../../src/ledger/head.ts'
import { refusal } from '../core/refusal.ts'
import { FOUNDING, keyOf } from './fixtures.ts'
import { golden } from './goldenFile.ts'
import { flipped } from './proofFaults.ts'

const it = suite('cosignature')

const ADA = keyOf('ada')
const WITNESSES = ['ben', 'cleo', 'dan', 'eve'].map(keyOf)
const HEAD = signHead(ADA, FOUNDING, 1_207, sha256(utf8('root')))
const TIME_S = 1_790_000_017
const COSIGNATURES = WITNESSES.map((key, i) => signCosignature(key, HEAD.text, TIME_S + i * 60))
const COSIGNED = formatCosigned(HEAD, COSIGNATURES)
const LINES = fromUtf8(COSIGNED).split('\n').slice(0, -1)
const SORTED = [...COSIGNATURES].sort((a, b) => (a.witness < b.witness ? -1 : 1))

const parse = (text: string | Uint8Array, founding: Digest | null = FOUNDING) =>
  refusal(() => parseCosigned(typeof text === 'string' ? utf8(text) : text, founding))
const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')

/** A signature line made here, from the published format: C2SP signed-note and tlog-cosignature. */
function lineOf({
  member,
  type = 4,
  timeS = BigInt(TIME_S),
  name = `consilium/${FOUNDING.slice(0, 16)}/${member}`,
}: {
  member: MemberId
  type?: number
  timeS?: bigint
  name?: string
}): string {
  const keyHash = createHash('sha256').update(`${name}\n`).update(Uint8Array.of(type)).update(fromHex(member)).digest()
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(timeS)
  return `\u2014 ${name} ${Buffer.concat([keyHash.subarray(0, 4), time, Buffer.alloc(64, 7)]).toString('base64')}`
}

/** The head with lines of `count` witnesses, in form but unsigned. */
function crowd(count: number): Uint8Array {
  const cosignatures = Array.from({ length: count }, (_, i) => {
    const witness = toHex(sha256(utf8(`member ${i}`))) as MemberId
    return { witness, timeS: 2 ** 53 - 1 - i, signature: new Uint8Array(64).fill(i) }
  })
  return formatCosigned(HEAD, cosignatures)
}

it('cosignature: what is written is read back, by witness, whatever the order that it was given in', () => {
  const back = parseCosigned(COSIGNED, FOUNDING)
  assert.equal(back.head, openHead(HEAD.note, FOUNDING))
  assert.equal(back.cosignatures, SORTED)
  assert.ok(back.cosignatures.every((one) => verifyCosignature(back.head.text, one)))
  assert.ok(equalBytes(formatCosigned(HEAD, COSIGNATURES.toReversed()), COSIGNED))
  assert.equal(parseCosigned(COSIGNED, null), back)
  assert.is(headTextOf(FOUNDING, ADA.member, 1_207, HEAD.root), HEAD.text)
})

it('cosignature: a head without any is its note, and each number of them is read', () => {
  assert.ok(equalBytes(formatCosigned(HEAD, []), HEAD.note))
  for (let count = 0; count <= 4; count++) {
    const bytes = formatCosigned(HEAD, COSIGNATURES.slice(0, count))
    assert.is(parseCosigned(bytes, FOUNDING).cosignatures.length, count)
  }
})

it('cosignature: the line and the signed message are those of C2SP: rebuilt here from the published format alone, they verify', () => {
  for (const [i, { witness, timeS }] of SORTED.entries()) {
    const [dash, name, blobText, ...rest] = (LINES[5 + i] as string).split(' ')
    assert.equal([dash, name, rest.length], ['\u2014', `consilium/${FOUNDING.slice(0, 16)}/${witness}`, 0])
    const blob = Buffer.from(blobText as string, 'base64')
    assert.is(blob.length, 4 + 8 + 64)
    const publicKey = Buffer.from(witness, 'hex')
    const keyHash = createHash('sha256').update(`${name}\n\x04`, 'latin1').update(publicKey).digest().subarray(0, 4)
    assert.is(blob.subarray(0, 4).toString('hex'), keyHash.toString('hex'))
    assert.is(blob.readBigUInt64BE(4), BigInt(timeS))
    const root = Buffer.from(HEAD.root).toString('base64')
    const message = `cosignature/v1\ntime ${timeS}\nconsilium/${FOUNDING.slice(0, 16)}/${ADA.member}\n1207\n${root}\n`
    assert.is(toHex(cosignatureMessage(HEAD.text, timeS)), Buffer.from(message).toString('hex'))
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') },
      format: 'jwk',
    })
    assert.ok(nodeVerify(null, Buffer.from(message), key, blob.subarray(12)))
  }
})

it('cosignature: it holds for its witness, its time and its head alone', () => {
  const [one] = SORTED as [Cosignature]
  assert.ok(verifyCosignature(HEAD.text, one))
  const longer = signHead(ADA, FOUNDING, 1_208, HEAD.root)
  const rows: [string, string, Partial<Cosignature>][] = [
    ['another head', longer.text, {}],
    ['another witness', HEAD.text, { witness: SORTED[1]?.witness as MemberId }],
    ['a second later', HEAD.text, { timeS: one.timeS + 1 }],
    ['time 0', HEAD.text, { timeS: 0 }],
    ['a fraction of a second', HEAD.text, { timeS: one.timeS + 0.5 }],
    ['time 2^53', HEAD.text, { timeS: 2 ** 53 }],
    ['no time', HEAD.text, { timeS: Number.NaN }],
    ['a signature cut short', HEAD.text, { signature: one.signature.slice(0, 63) }],
    ["the author's signature", HEAD.text, { witness: ADA.member, signature: HEAD.signature }],
  ]
  for (const [name, text, change] of rows) assert.not(verifyCosignature(text, { ...one, ...change }), name)
  assert.throws(() => cosignatureMessage(HEAD.text, 0), /invariant/)
})

it('cosignature: the author, or one witness twice, is never written', () => {
  assert.throws(() => formatCosigned(HEAD, [signCosignature(ADA, HEAD.text, TIME_S)]), /invariant/)
  assert.throws(() => formatCosigned(HEAD, [...COSIGNATURES, ...COSIGNATURES.slice(2, 3)]), /invariant/)
})

it('cosignature: lines made from the published format alone are read, up to the last second below 2^53', () => {
  const line = lineOf({ member: SORTED[0]?.witness as MemberId, timeS: 2n ** 53n - 1n })
  const [read] = parseCosigned(utf8(joined([...LINES.slice(0, 5), line])), FOUNDING).cosignatures
  assert.equal(read, { witness: SORTED[0]?.witness, timeS: 2 ** 53 - 1, signature: new Uint8Array(64).fill(7) })
})

it('cosignature: every other spelling of a cosigned head is refused', () => {
  const [ben, cleo, dan, eve] = LINES.slice(5) as [string, string, string, string]
  const head = LINES.slice(0, 5)
  const first = SORTED[0]?.witness as MemberId
  const foreign = `consilium/${'0'.repeat(16)}/${first}`
  const text = fromUtf8(COSIGNED)
  const with1 = (line: string) => joined([...head, line])
  const blob = Buffer.from(ben.split(' ')[2] as string, 'base64')
  const blobbed = (bytes: Uint8Array) =>
    with1(`${ben.slice(0, ben.lastIndexOf(' '))} ${Buffer.from(bytes).toString('base64')}`)
  const later = fromUtf8(formatCosigned(HEAD, [{ ...(SORTED[0] as Cosignature), timeS: TIME_S + 999 }])).split(
    '\n',
  )[5] as string
  const rows: [string, string][] = [
    ['two lines in the other order', joined([...head, cleo, ben, dan, eve])],
    ['the last two in the other order', joined([...head, ben, cleo, eve, dan])],
    ['a line twice', joined([...head, ben, ben, cleo])],
    ['a line twice, apart', joined([...head, ben, cleo, ben])],
    ['one witness at two times', joined([...head, ben, later])],
    ["the author's own line", with1(lineOf({ member: ADA.member }))],
    ["the author's head line again", with1(head[4] as string)],
    ["a witness's head line", with1(lineOf({ member: first, type: 1 }))],
    ['a line of another consortium', with1(lineOf({ member: first, name: foreign }))],
    ['a line of a stranger', with1(lineOf({ member: first, name: 'witness.example/w1' }))],
    ['a longer name', with1(lineOf({ member: first, name: `consilium/${FOUNDING.slice(0, 16)}/${first}/1` }))],
    ['a name in capitals', with1(ben.replace(first, first.toUpperCase()))],
    ['another key hash', blobbed(flipped(blob, 3))],
    ['time 0', with1(lineOf({ member: first, timeS: 0n }))],
    ['time 2^53', with1(lineOf({ member: first, timeS: 2n ** 53n }))],
    ['time 2^53 + 1', with1(lineOf({ member: first, timeS: 2n ** 53n + 1n }))],
    ['time 2^63', with1(lineOf({ member: first, timeS: 2n ** 63n }))],
    ['time 2^64 − 1', with1(lineOf({ member: first, timeS: 2n ** 64n - 1n }))],
    ['a byte less', blobbed(blob.subarray(0, 75))],
    ['a byte more', blobbed(concat([blob, Uint8Array.of(0)]))],
    ['a key hash alone', blobbed(blob.subarray(0, 4))],
    ['no base64', with1(ben.slice(0, ben.lastIndexOf(' ')))],
    ['empty base64', with1(ben.slice(0, ben.lastIndexOf(' ') + 1))],
    [
      'base64 with stray bits',
      with1(ben.replace(/(.)==$/, (_, last: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}==`)),
    ],
    ['unpadded base64', with1(ben.replace(/==$/, ''))],
    ['base64 after padding', with1(`${ben}AAAA`)],
    [
      'base64 for addresses',
      with1(`${ben.slice(0, -104)}${ben.slice(-104).replaceAll('+', '-').replaceAll('/', '_')}`),
    ],
    ['a space more', with1(ben.replace(' ', '  '))],
    ['a space at the end', with1(`${ben} `)],
    ['a hyphen for the dash', with1(ben.replace('\u2014', '-'))],
    ['a tab', with1(ben.replace(' ', '\t'))],
    ['an empty line between', joined([...head, '', ben])],
    ['an empty line after', `${text}\n`],
    ['no last newline', text.slice(0, -1)],
    ['a space after the end', `${text} `],
    ['a letter after the end', `${text}x`],
    ['a zero after the end', `${text}\0`],
    ['carriage returns after cosignatures', `${joined(head)}${ben}\r\n`],
    ['cosignatures before the head line', joined([...head.slice(0, 4), ben, head[4] as string])],
    ['cosignatures alone', joined([...head.slice(0, 4), ben])],
    ['no signature line', joined(head.slice(0, 4))],
    ['text alone', HEAD.text],
    ['nothing', ''],
    ['a newline', '\n'],
    ['two notes', `${fromUtf8(HEAD.note)}${fromUtf8(HEAD.note)}`],
    ['a byte order mark', `\ufeff${text}`],
    ['an extension line', text.replace('\n\n', '\nmore\n\n')],
  ]
  for (const [name, bad] of rows) {
    assert.not.equal(bad, text, name)
    const code = parse(bad)
    if (code !== 'cosigned-malformed' && code !== 'head-malformed') assert.unreachable(`${name}: ${code}`)
  }
  assert.is(parse(text), null)
})

it('cosignature: a cosigned head of another consortium, of too many bytes or of no text is refused', () => {
  const other = digest(toHex(sha256(utf8('another founding'))))
  assert.is(parse(COSIGNED, other), 'head-foreign')
  assert.is(parse(crowd(1_300)), 'cosigned-malformed')
  assert.is(parse(concat([COSIGNED, Uint8Array.of(0xff, 0x0a)])), 'bad-utf8')
})

it('cosignature: a head cosigned by all members of the largest consortium is read', () => {
  const bytes = crowd(LIMITS.membersMax - 1)
  assert.ok(bytes.length <= COSIGNED_BYTES_MAX)
  assert.is(parseCosigned(bytes, FOUNDING).cosignatures.length, LIMITS.membersMax - 1)
})

/** How many of a head's five signatures hold; null where the bytes are refused. */
function validIn(bytes: Uint8Array): number | null {
  let valid = 0
  const code = refusal(() => {
    const { head, cosignatures } = parseCosigned(bytes, FOUNDING)
    valid = Number(verifyHead(head)) + cosignatures.filter((one) => verifyCosignature(head.text, one)).length
  })
  return code === null ? valid : null
}

it('cosignature: of a head with four, no bit can change with all five signatures valid', () => {
  assert.is(validIn(COSIGNED), 5)
  let read = 0
  for (let bit = 0; bit < COSIGNED.length * 8; bit++) {
    const valid = validIn(flipped(COSIGNED, bit))
    if (valid === null) continue
    read++
    if (valid > 4) assert.unreachable(`bit ${bit}`)
  }
  assert.ok(read > 1_000, `only ${read} flips were read: the test looks at nothing`)
})

it('cosignature: what is cut off after the head is a head with fewer cosignatures, or refused', () => {
  const ends: number[] = []
  for (let length = 0; length < COSIGNED.length; length++) {
    const valid = validIn(COSIGNED.subarray(0, length))
    if (valid !== null) ends.push(length, valid)
  }
  const line = (COSIGNED.length - HEAD.note.length) / 4
  assert.equal(
    ends,
    [0, 1, 2, 3].flatMap((count) => [HEAD.note.length + count * line, 1 + count]),
  )
})

it('cosignature: what is written today is ledger-v1-cosigned.txt, byte for byte, and means what it meant', () => {
  const head = openHead(golden('ledger-v1-head.txt', new Uint8Array(0)), FOUNDING)
  const made = formatCosigned(
    head,
    WITNESSES.map((key, i) => signCosignature(key, head.text, 1_790_000_010 + i * 7)),
  )
  const kept = golden('ledger-v1-cosigned.txt', made)
  assert.is(fromUtf8(kept), fromUtf8(made))
  const back = parseCosigned(kept, FOUNDING)
  assert.is(back.head.size, 3)
  assert.equal(
    back.cosignatures.map(({ timeS }) => timeS).sort(),
    [1_790_000_010, 1_790_000_017, 1_790_000_024, 1_790_000_031],
  )
  assert.is(validIn(kept), 5)
})

it.run()
