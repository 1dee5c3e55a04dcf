import { createHash, createPublicKey, verify as nodeVerify } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { equalBytes, fromHex, fromUtf8, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { type Digest, digest } from '../../src/core/ids.ts'
import { encodeFork, openFork } from '../../src/ledger/fork.ts'
import { formatNote, headText, openHead, originOf, parseHead, signHead, verifyHead } from '../../src/ledger/head.ts'
import { FOUNDING, keyOf } from './fixtures.ts'

const it = suite('head')

const KEY = keyOf('ada')
const ROOT = sha256(utf8('root'))
const HEAD = signHead(KEY, FOUNDING, 1_207, ROOT)
const TEXT = fromUtf8(HEAD.note)

const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'accepted'
  } catch (error) {
    assert.instance(error, ConsiliumError)
    return (error as ConsiliumError).code
  }
}
const parse = (text: string, founding: Digest = FOUNDING) => codeOf(() => parseHead(utf8(text), founding))

it('head: a note is a C2SP signed note: rebuilt here from the published format alone, it verifies', () => {
  const [origin, size, root, empty, line, end] = TEXT.split('\n')
  assert.is(origin, `consilium/${FOUNDING.slice(0, 16)}/${KEY.member}`)
  assert.is(size, '1207')
  assert.is(root, Buffer.from(ROOT).toString('base64'))
  assert.is(empty, '')
  assert.is(end, '')
  const [dash, name, blobText] = (line as string).split(' ')
  assert.is(dash, '—')
  assert.is(name, origin)
  const blob = Buffer.from(blobText as string, 'base64')
  const publicKey = Buffer.from(KEY.member, 'hex')
  const keyHash = createHash('sha256').update(`${name}\n\x01`, 'latin1').update(publicKey).digest().subarray(0, 4)
  assert.is(blob.subarray(0, 4).toString('hex'), keyHash.toString('hex'))
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') },
    format: 'jwk',
  })
  assert.ok(nodeVerify(null, Buffer.from(`${origin}\n${size}\n${root}\n`), key, blob.subarray(4)))
})

it('head: what is signed is read back', () => {
  const head = openHead(HEAD.note, FOUNDING)
  assert.is(head.author, KEY.member)
  assert.is(head.size, 1_207)
  assert.ok(equalBytes(head.root, ROOT))
  assert.is(head.origin, originOf(FOUNDING, KEY.member))
  assert.ok(equalBytes(head.signature, HEAD.signature))
})

it('head: no bit of a note can change and no byte can be missing or added', () => {
  for (let bit = 0; bit < HEAD.note.length * 8; bit++) {
    const mutant = HEAD.note.slice()
    mutant[bit >> 3] = (mutant[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.not.equal(
      codeOf(() => openHead(mutant, FOUNDING)),
      'accepted',
      `bit ${bit}`,
    )
  }
  for (let length = 0; length < HEAD.note.length; length++) {
    assert.not.equal(
      codeOf(() => openHead(HEAD.note.subarray(0, length), FOUNDING)),
      'accepted',
      `length ${length}`,
    )
  }
  assert.is(parse(`${TEXT}\n`), 'head-malformed')
  assert.is(parse(`${TEXT}${' '.repeat(1_024)}`), 'head-malformed')
})

it('head: other spellings of the same head are refused', () => {
  const line = TEXT.split('\n')[4] as string
  const rows: [string, string][] = [
    ['leading zero', TEXT.replace('\n1207\n', '\n01207\n')],
    ['plus sign', TEXT.replace('\n1207\n', '\n+1207\n')],
    ['size zero', TEXT.replace('\n1207\n', '\n0\n')],
    ['size 2^53', TEXT.replace('\n1207\n', '\n9007199254740992\n')],
    ['carriage returns', TEXT.replaceAll('\n', '\r\n')],
    ['hyphen for dash', TEXT.replace('—', '-')],
    ['capital key', TEXT.replaceAll(KEY.member, KEY.member.toUpperCase())],
    ['two signature lines', `${TEXT}${line}\n`],
    ['extension line', TEXT.replace('\n\n', '\nmore\n\n')],
    ['a byte-order mark', `\ufeff${TEXT}`],
    [
      'base64 with stray bits',
      TEXT.replace(/(.)=\n\n/, (_, last: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}=\n\n`),
    ],
    ['unpadded base64', TEXT.replace('=\n\n', '\n\n')],
  ]
  for (const [name, text] of rows) {
    assert.not.equal(text, TEXT, name)
    assert.is(parse(text), 'head-malformed', name)
  }
})

it('head: a note of another consortium, under another name or another key hash is refused', () => {
  const foreign = digest(toHex(sha256(utf8('another founding'))))
  assert.is(parse(TEXT, foreign), 'head-foreign')
  assert.is(
    codeOf(() => parseHead(HEAD.note, null)),
    'accepted',
  )
  const ben = keyOf('ben')
  const text = headText(originOf(FOUNDING, KEY.member), 1_207, ROOT)
  const byBen = formatNote(text, originOf(FOUNDING, KEY.member), ben.member, ben.sign(utf8(text)))
  assert.is(
    codeOf(() => openHead(byBen, FOUNDING)),
    'head-malformed',
  )
  const renamed = formatNote(text, originOf(FOUNDING, ben.member), ben.member, ben.sign(utf8(text)))
  assert.is(
    codeOf(() => openHead(renamed, FOUNDING)),
    'head-malformed',
  )
  const lent = formatNote(text, originOf(FOUNDING, KEY.member), KEY.member, ben.sign(utf8(text)))
  assert.is(
    codeOf(() => openHead(lent, FOUNDING)),
    'head-signature',
  )
  assert.not(verifyHead(parseHead(lent, FOUNDING)))
})

it('fork: two heads of one size are a proof, in one order of bytes; anything less is not', () => {
  const other = signHead(KEY, FOUNDING, 1_207, sha256(utf8('other root')))
  const evidence = encodeFork(HEAD.note, other.note)
  assert.ok(equalBytes(evidence, encodeFork(other.note, HEAD.note)))
  const fork = openFork(evidence, FOUNDING)
  assert.is(fork.author, KEY.member)
  assert.is(fork.differWithin, 1_207)
  const longer = signHead(KEY, FOUNDING, 1_208, sha256(utf8('other root')))
  const bens = signHead(keyOf('ben'), FOUNDING, 1_207, sha256(utf8('other root')))
  for (const [name, note] of [
    ['same', HEAD.note],
    ['longer', longer.note],
    ['another author', bens.note],
  ] as const) {
    assert.is(
      codeOf(() => openFork(encodeFork(HEAD.note, note), FOUNDING)),
      'fork-unproven',
      name,
    )
  }
  const forged = other.note.slice()
  forged[forged.length - 20] = (forged[forged.length - 20] as number) ^ 1
  assert.not.equal(
    codeOf(() => openFork(encodeFork(HEAD.note, forged), FOUNDING)),
    'accepted',
  )
  assert.is(
    codeOf(() => openFork(fromHex('80'), FOUNDING)),
    'fork-malformed',
  )
})

it.run()
