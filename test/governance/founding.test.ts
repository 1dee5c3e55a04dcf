/** Cards, the founding and its digest. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { taggedMessage } from '../../src/core/digest.ts'
import { verify } from '../../src/core/ed25519.ts'
import { memberId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { acceptanceMessage, type Card, foundingOf, readCard, writeCard } from '../../src/governance/founding.ts'
import { checkName, fingerprint, foundingDigest, quorum } from '../../src/ledger/founding.ts'
import {
  add,
  BASE,
  challenge,
  encode,
  isSame,
  L,
  littleEndian,
  type Point,
  smallOrderPoints,
  times,
  ZERO,
} from '../core/curve.ts'
import { refusal } from '../core/refusal.ts'
import { keyOf } from '../gossip/fixtures.ts'

const it = suite('founding')
const cardOf = (name: string, addresses: readonly string[] = []): Card => ({ name, key: keyOf(name).member, addresses })
const CARDS = ['St. Mary', 'Riverside', 'Lakeview', 'Käthe-Hospital'].map((name) => cardOf(name))
const lineOf = (card: Card): string => writeCard(card, keyOf(card.name).sign)

/** A signed card whose content is anything. */
function lineWith(content: Cbor, signer = 'St. Mary'): string {
  const bytes = encodeCbor(content)
  const outer = encodeCbor([bytes, keyOf(signer).sign(taggedMessage('card', bytes))])
  return `consilium-card-1:${Buffer.from(outer).toString('base64url')}`
}

it('a card comes back as it was written, with spaces and line ends around it', () => {
  for (const card of [...CARDS, cardOf('St. Mary', ['/dns4/ml.stmary.example/tcp/4801', '/ip4/192.0.2.7/tcp/4801'])]) {
    assert.equal(readCard(lineOf(card), 'card.txt', verify), card)
    assert.equal(readCard(`\r\n  ${lineOf(card)} \n`, 'card.txt', verify), card)
  }
})

it('no character of a card can be changed, added or lost', () => {
  const line = lineOf(cardOf('St. Mary', ['/ip4/192.0.2.7/tcp/4801']))
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const edits = fc.record({ at: fc.nat(line.length - 2), letter: fc.constantFrom(...alphabet), how: fc.nat(2) })
  fc.assert(
    fc.property(edits, ({ at, letter, how }) => {
      const rest = line.slice(how === 0 ? at : at + 1)
      const edited = line.slice(0, at) + (how === 2 ? '' : letter) + rest
      if (edited === line) return
      assert.match(
        String(refusal(() => readCard(edited, 'card.txt', verify))),
        /^(card-malformed|card-forged|bad-name)$/,
      )
    }),
    { numRuns: 500 },
  )
})

it('a card of wrong fields is malformed although it is signed, and says where it came from', () => {
  const key = new Uint8Array(Buffer.from(keyOf('St. Mary').member, 'hex'))
  const wrong: Cbor[] = [
    [2, 'St. Mary', key, []],
    [1, 'St. Mary', key.subarray(1), []],
    [1, 'St. Mary', key, 'address'],
    [1, 'St. Mary', key, [7]],
    [1, 'St. Mary', key],
    'card',
  ]
  for (const content of wrong)
    assert.is(
      refusal(() => readCard(lineWith(content), 'x', verify)),
      'card-malformed',
      JSON.stringify(content),
    )
  assert.is(
    refusal(() => readCard(lineWith([1, ' St. Mary', key, []]), 'x', verify)),
    'bad-name',
  )
  assert.is(
    refusal(() => readCard(lineWith([1, 'St. Mary', key, []], 'Riverside'), 'x', verify)),
    'card-forged',
  )
  assert.is(
    refusal(() => readCard('St. Mary', 'x', verify)),
    'card-malformed',
  )
  assert.throws(() => readCard('', 'stmary.txt', verify), /stmary\.txt/)
})

it('the one text of a card is a card: no other spelling of its bytes, and nothing unsigned added', () => {
  const line = lineOf(CARDS[0] as Card)
  const inside = line.length - 20
  const spellings = [...'! ."\n\t='].map((extra) => line.slice(0, inside) + extra + line.slice(inside))
  spellings.push(`${line}=`, `${line}==`, `${line}=tail`)
  const key = new Uint8Array(Buffer.from(keyOf('St. Mary').member, 'hex'))
  const content = encodeCbor([1, 'St. Mary', key, []])
  const signature = keyOf('St. Mary').sign(taggedMessage('card', content))
  const outers: Cbor[] = [
    [content, signature, null],
    [content],
    [content, null],
    [content, 'x'.repeat(64)],
    [content, Array.from({ length: 64 }, () => 1)],
    [null, signature],
    { content, signature },
  ]
  for (const outer of outers) spellings.push(`consilium-card-1:${Buffer.from(encodeCbor(outer)).toString('base64url')}`)
  for (const text of spellings)
    assert.is(
      refusal(() => readCard(text, 'x', verify)),
      'card-malformed',
      text,
    )
  const weak = new Uint8Array(32)
  weak[0] = 1
  assert.is(
    refusal(() => readCard(lineWith([1, 'St. Mary', weak, []]), 'x', verify)),
    'card-forged',
  )
})

it('a card whose key has a part of small order is refused, although its signature is valid', () => {
  const [part] = smallOrderPoints().filter((point) => !isSame(point, ZERO)) as [Point]
  const [a, r] = [add(times(7n, BASE), part), times(11n, BASE)]
  for (let i = 0; ; i++) {
    const content = encodeCbor([1, `St. Mary ${i}`, encode(a), []])
    const k = challenge(encode(r), encode(a), taggedMessage('card', content))
    if (k % 8n !== 0n) continue // only then does the small part vanish from the equation
    const signature = concat([encode(r), littleEndian((11n + k * 7n) % L)])
    assert.ok(verify(memberId(toHex(encode(a))), taggedMessage('card', content), signature))
    const text = `consilium-card-1:${Buffer.from(encodeCbor([content, signature])).toString('base64url')}`
    assert.is(
      refusal(() => readCard(text, 'x', verify)),
      'key-unsound',
    )
    return
  }
})

it('the founding does not depend on the order of the cards, and on nothing but names and keys', () => {
  const digest = foundingDigest(foundingOf('Clinics', CARDS))
  const orders = fc.shuffledSubarray(CARDS, { minLength: CARDS.length, maxLength: CARDS.length })
  fc.assert(fc.property(orders, (cards) => assert.is(foundingDigest(foundingOf('Clinics', cards)), digest)))
  const moved = CARDS.map((card) => ({ ...card, addresses: ['/ip4/192.0.2.7/tcp/1'] }))
  assert.is(foundingDigest(foundingOf('Clinics', moved)), digest, 'a hospital may move')
  assert.is.not(foundingDigest(foundingOf('Clinic', CARDS)), digest)
  assert.is.not(foundingDigest(foundingOf('Clinics', CARDS.slice(1))), digest)
  const renamed = CARDS.map((card, i) => (i === 0 ? { ...card, name: 'St. Marx' } : card))
  assert.is.not(foundingDigest(foundingOf('Clinics', renamed)), digest)
  const swapped = CARDS.map((card, i) => ({ ...card, key: CARDS[(i + 1) % CARDS.length]?.key as Card['key'] }))
  assert.is.not(foundingDigest(foundingOf('Clinics', swapped)), digest, 'whose key is whose')
})

it('too few, too many, and twice the same are refused', () => {
  const [one] = CARDS as [Card]
  assert.is(
    refusal(() => foundingOf('C', [])),
    'founding-too-small',
  )
  assert.is(
    refusal(() => foundingOf('C', [one])),
    'founding-too-small',
  )
  assert.is(
    refusal(() => foundingOf('C', [one, { ...one, name: 'Other' }])),
    'founding-duplicate',
  )
  assert.is(
    refusal(() => foundingOf('C', [one, { ...cardOf('Other'), name: one.name }])),
    'founding-duplicate',
  )
  assert.is(
    refusal(() => foundingOf('C\n', CARDS)),
    'bad-name',
  )
  const many = Array.from({ length: LIMITS.membersMax + 1 }, (_, i) => ({ ...one, name: `${i}` }))
  assert.is(
    refusal(() => foundingOf('C', many)),
    'founding-too-large',
  )
})

it('a signature under one founding fits no other', () => {
  const [here, there] = [foundingOf('A', CARDS), foundingOf('B', CARDS)].map(foundingDigest)
  const key = keyOf('St. Mary')
  const signature = key.sign(acceptanceMessage(here as never))
  assert.ok(verify(key.member, acceptanceMessage(here as never), signature))
  assert.not.ok(verify(key.member, acceptanceMessage(there as never), signature))
})

it('a name is one printable line', () => {
  for (const name of ['St. Mary', 'Ää', '聖母病院', 'a'.repeat(80)]) assert.is(checkName(name, 'name'), name)
  const wrong = [
    '',
    ' a',
    'a ',
    'a\nb',
    'a\u001b[31mb',
    'a\u202eb',
    'a\u2028b',
    'a\u3164b',
    'a\u0000',
    'a'.repeat(81),
    'ä'.repeat(41),
    7,
    null,
    undefined,
  ]
  for (const name of wrong)
    assert.is(
      refusal(() => checkName(name, 'name')),
      'bad-name',
      JSON.stringify(name),
    )
})

it('a fingerprint is 128 bits in groups of four', () => {
  assert.is(fingerprint('0123456789abcdef'.repeat(4)), '0123 4567 89ab cdef 0123 4567 89ab cdef')
  assert.ok(utf8(fingerprint('0'.repeat(64))).length < 40)
})

it('quorums are those of Sigsum’s table: 4→3, 5→4, 6→5, 7→5, 8→6, 10→7, 40→27, 100→67', () => {
  const table = { 1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5, 8: 6, 10: 7, 40: 27, 100: 67, 200: 134 }
  for (const [members, k] of Object.entries(table)) assert.is(quorum(Number(members)), k)
  for (let n = 1; n <= LIMITS.membersMax; n++) assert.ok(3 * quorum(n) > 2 * n && 3 * (quorum(n) - 1) <= 2 * n)
})

it('a card of wrong types or sizes is malformed, whatever an empty list of addresses is made of', () => {
  const key = fromHex(keyOf('St. Mary').member)
  for (const addresses of [new Uint8Array(0), {}, '', null, 7, ['a', null]] as Cbor[])
    assert.is(
      refusal(() => readCard(lineWith([1, 'St. Mary', key, addresses]), 'x', verify)),
      'card-malformed',
      JSON.stringify(addresses),
    )
  const long = Array.from({ length: 80 }, (_, i) => `/dns4/ml${i}.stmary.example/tcp/4801`)
  assert.is(
    refusal(() => readCard(lineWith([1, 'St. Mary', key, long]), 'x', verify)),
    'card-malformed',
    'more than a card needs',
  )
})

it('the founding keeps whose key is whose, with keys that sort alike', () => {
  const cards = ['10', '20', '30'].map((byte, i) => ({ ...cardOf(`Clinic ${i}`), key: memberId(byte.repeat(32)) }))
  const founding = foundingOf('Clinics', [...cards].reverse())
  assert.equal(
    founding.members.map(({ name }) => name),
    ['Clinic 0', 'Clinic 1', 'Clinic 2'],
  )
  const other = cards.map((card, i) => (i === 1 ? { ...card, key: memberId('21'.repeat(32)) } : card))
  assert.is.not(foundingDigest(foundingOf('Clinics', other)), foundingDigest(founding))
  assert.is(
    foundingDigest(founding),
    '6cca3250ba014ef73d56faea796e7a406b6421a2db8fc34fd834289b33a3793b',
    'the name of a consortium is the same in every version',
  )
})

it('as many as the bound may found', () => {
  const cards = Array.from({ length: LIMITS.membersMax }, (_, i) => ({
    ...cardOf(`Clinic ${i}`),
    key: memberId(i.toString(16).padStart(64, '0')),
  }))
  assert.is(foundingOf('Clinics', cards).members.length, LIMITS.membersMax)
})

it('what a founder signs is tagged as an acceptance and nothing else', () => {
  const digest = foundingDigest(foundingOf('Clinics', CARDS))
  const expected = concat([utf8('consilium/founding-acceptance/v1\0'), fromHex(digest)])
  assert.is(toHex(acceptanceMessage(digest)), toHex(expected))
})

it.run()
