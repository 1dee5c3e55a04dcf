/** What members say of heads: read back as it was written, nothing else is read, and the bytes of version 1 stay. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { COSIGNED_BYTES_MAX, formatCosigned, signCosignature } from '../../src/ledger/cosignature.ts'
import { EVIDENCE_BYTES_MAX, encodeFork } from '../../src/ledger/fork.ts'
import { signHead } from '../../src/ledger/head.ts'
import {
  decodeFinal,
  decodeFinalsRequest,
  decodeWitnessMessage,
  encodeEvidence,
  encodeFinal,
  encodeFinalsRequest,
  encodeRequest,
  encodeStatements,
  STATEMENTS_MAX,
  type Statement,
} from '../../src/ledger/witnessWire.ts'
import { refusal } from '../core/refusal.ts'
import { FOUNDING, keyOf } from './fixtures.ts'
import { golden } from './goldenFile.ts'

const it = suite('witness wire')

const [ADA, BEN, CLEO] = ['ada', 'ben', 'cleo'].map(keyOf) as [
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
]
const headOf = (key: typeof ADA, size: number, label = 'main') =>
  signHead(key, FOUNDING, size, sha256(utf8(`root ${size} ${label}`)))
const TIME_S = 1_790_000_017

function statementOf(author: typeof ADA, size: number, witness = BEN): Statement {
  const head = headOf(author, size)
  return { author: author.member, size, root: head.root, cosignature: signCosignature(witness, head.text, TIME_S) }
}

const STATEMENTS = [statementOf(ADA, 1_207), statementOf(CLEO, 3)]
const EVIDENCE = encodeFork(headOf(ADA, 7).note, headOf(ADA, 7, 'other').note)
const FINAL = formatCosigned(headOf(ADA, 1_207), [STATEMENTS[0]?.cosignature as Statement['cosignature']])
const HELD = [
  { author: ADA.member, size: 1_207 },
  { author: CLEO.member, size: 3 },
]
const FORMATS: Record<string, Uint8Array> = {
  'ledger-v1-witness-request.cbor': encodeRequest(headOf(ADA, 1_207).note),
  'ledger-v1-witness-statements.cbor': encodeStatements(STATEMENTS),
  'ledger-v1-witness-evidence.cbor': encodeEvidence(EVIDENCE),
  'ledger-v1-witness-finals-request.cbor': encodeFinalsRequest(HELD),
  'ledger-v1-witness-final.cbor': encodeFinal(FINAL),
}

for (const [name, bytes] of Object.entries(FORMATS))
  it(`what is written today is ${name}, byte for byte`, () => assert.is(toHex(bytes), toHex(golden(name, bytes))))

it('the old files are read and mean what they meant', () => {
  const read = (name: string) => decodeWitnessMessage(golden(name, FORMATS[name] as Uint8Array), BEN.member)
  assert.equal(read('ledger-v1-witness-request.cbor'), { type: 'request', note: headOf(ADA, 1_207).note })
  assert.equal(read('ledger-v1-witness-statements.cbor'), { type: 'statements', statements: STATEMENTS })
  assert.equal(read('ledger-v1-witness-evidence.cbor'), { type: 'evidence', evidence: EVIDENCE })
  const bytesOf = (name: string) => golden(name, FORMATS[name] as Uint8Array)
  assert.equal(
    [...decodeFinalsRequest(bytesOf('ledger-v1-witness-finals-request.cbor'))],
    HELD.map(({ author, size }) => [author, size]),
  )
  assert.equal(decodeFinal(bytesOf('ledger-v1-witness-final.cbor')), FINAL)
})

it('the witness is who signed the message, whoever is meant', () => {
  const message = decodeWitnessMessage(encodeStatements(STATEMENTS), 'ee'.repeat(32) as MemberId)
  assert.ok(
    message.type === 'statements' && message.statements.every((one) => one.cosignature.witness.startsWith('ee')),
  )
})

const row = (more: Partial<Record<number, Cbor>> = {}): Cbor[] => {
  const { size, root, cosignature } = STATEMENTS[0] as Statement
  const plain: Cbor[] = [fromHex(ADA.member), size, root, cosignature.timeS, cosignature.signature]
  for (const [at, value] of Object.entries(more)) plain[Number(at)] = value as Cbor
  return plain
}
const crowd = (count: number): Cbor[] =>
  Array.from({ length: count }, (_, i) => row({ 0: sha256(utf8(`author ${i}`)) }))
const refused = (value: Cbor): string | null => refusal(() => decodeWitnessMessage(encodeCbor(value), BEN.member))

for (const [name, value] of Object.entries<Cbor>({
  'no list': { 0: 'a' } as unknown as Cbor,
  nothing: [],
  'one item': [0],
  'three items': [0, new Uint8Array(3), 1],
  'an unknown kind': [3, new Uint8Array(3)],
  'a kind that is text': ['0', new Uint8Array(3)],
  'a request that is no note': [0, 'note'],
  'a request beyond a note': [0, new Uint8Array(LIMITS.headBytesMax + 1)],
  'evidence beyond its size': [2, new Uint8Array(EVIDENCE_BYTES_MAX + 1)],
  'evidence that is a list': [2, []],
  'no statements': [1, []],
  'statements that are no list': [1, new Uint8Array(2)],
  'too many statements': [1, crowd(STATEMENTS_MAX + 1)],
  'a statement that is no list': [1, [7]],
  'a short statement': [1, [row().slice(0, 4)]],
  'a long statement': [1, [[...row(), 0]]],
  'a short author': [1, [row({ 0: new Uint8Array(31) })]],
  'size 0': [1, [row({ 1: 0 })]],
  'a broken size': [1, [row({ 1: 2.5 })]],
  'a negative size': [1, [row({ 1: -4 })]],
  'a long root': [1, [row({ 2: new Uint8Array(33) })]],
  'time 0': [1, [row({ 3: 0 })]],
  'a broken time': [1, [row({ 3: 17.25 })]],
  'a short signature': [1, [row({ 4: new Uint8Array(63) })]],
  'two statements about one log': [1, [row(), row({ 1: 8 })]],
  'a statement of a witness about its own log': [1, [row({ 0: fromHex(BEN.member) })]],
}))
  it(`refused: ${name}`, () => assert.is(refused(value), 'witness-malformed'))

it('as many statements as allowed are read, and more bytes than a message has are not', () => {
  assert.is(refused([1, crowd(STATEMENTS_MAX)]), null)
  assert.ok(refused([0, new Uint8Array(65_536)]) !== null)
})

it('one altered byte of a message is refused or another message; each truncation is refused', () => {
  const bytes = FORMATS['ledger-v1-witness-statements.cbor'] as Uint8Array
  for (let at = 0; at < bytes.length; at++) {
    assert.ok(refusal(() => decodeWitnessMessage(bytes.slice(0, at), BEN.member)) !== null, `cut at ${at}`)
    const other = bytes.slice()
    other[at] = (other[at] as number) ^ 0x21
    if (refusal(() => decodeWitnessMessage(other, BEN.member)) !== null) continue
    const read = decodeWitnessMessage(other, BEN.member)
    const again = read.type === 'statements' ? encodeStatements(read.statements) : other
    assert.equal(again, other, `byte ${at}: what is read is written so`)
  }
})

for (const [name, value] of Object.entries<Cbor>({
  'no list': 4,
  'too many logs': Array.from({ length: LIMITS.membersMax + 1 }, (_, i) => [sha256(utf8(`${i}`)), 1]),
  'a log that is no list': [4],
  'a log with more': [[sha256(), 1, 1]],
  'a short author': [[new Uint8Array(31), 1]],
  'a size of 0': [[sha256(), 0]],
  'a broken size': [[sha256(), 1.5]],
  'a log named twice': [
    [sha256(), 1],
    [sha256(), 2],
  ],
}))
  it(`a request for final heads is refused: ${name}`, () =>
    assert.is(
      refusal(() => decodeFinalsRequest(encodeCbor(value))),
      'finals-malformed',
    ))

it('a final head of every member fits its frame, and nothing but a byte string is one', () => {
  const full = new Uint8Array(COSIGNED_BYTES_MAX)
  assert.equal(decodeFinal(encodeFinal(full)), full)
  assert.is(
    refusal(() => decodeFinal(encodeCbor('note'))),
    'finals-malformed',
  )
  assert.ok(refusal(() => decodeFinal(encodeFinal(new Uint8Array(COSIGNED_BYTES_MAX + 1)))) !== null)
  assert.equal(decodeCbor(encodeFinalsRequest([]), 64), [])
})

it.run()
