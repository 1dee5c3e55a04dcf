import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { checkPublicKey, isSmallOrder, publicKeyFromSeed, signingKey, verify } from '../../src/core/ed25519.ts'
import { type MemberId, memberId } from '../../src/core/ids.ts'
import { keyOf } from '../ledger/fixtures.ts'
import { L, littleEndian, P, smallOrderPoints, withSign } from './curve.ts'

const it = suite('ed25519')

it('ed25519: every encoding of every point of small order, found by arithmetic, is recognised', () => {
  const points = smallOrderPoints()
  const ys = [...new Set(points.map(([, y]) => y))]
  const encodings = ys
    .flatMap((y) => (y + P < 2n ** 255n ? [y, y + P] : [y]))
    .flatMap((y) => [withSign(y, 0), withSign(y, 1)])
  assert.is(encodings.length, 14)
  for (const encoding of encodings) assert.ok(isSmallOrder(encoding), toHex(encoding))
  for (const name of ['ada', 'ben', 'cleo']) assert.not(isSmallOrder(fromHex(keyOf(name).member)))
})

it('ed25519: the first two signatures of RFC 8032 §7.1 come out', () => {
  const rows = [
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
  ] as const
  for (const [seed, member, message, signature] of rows) {
    const key = signingKey(fromHex(seed))
    assert.is(key.member, member)
    assert.is(publicKeyFromSeed(fromHex(seed)), member)
    assert.is(toHex(key.sign(fromHex(message))), signature)
    assert.ok(verify(key.member, fromHex(message), fromHex(signature)))
  }
})

it('ed25519: a key or an R of small order verifies nothing, even where the equation holds', () => {
  const message = utf8('vote')
  const identity = withSign(1n, 0)
  const trivial = new Uint8Array(64) // R = identity, S = 0 satisfies S·B = R + k·A for A = identity
  trivial.set(identity)
  assert.not(verify(toHex(identity) as MemberId, message, trivial))
  for (const [, y] of smallOrderPoints()) {
    const signature = keyOf('ada').sign(message)
    signature.set(withSign(y, 0))
    assert.not(verify(keyOf('ada').member, message, signature))
    assert.throws(() => checkPublicKey(toHex(withSign(y, 1)) as MemberId), /usable Ed25519 key/)
  }
})

it('ed25519: S beyond the group order, a foreign length or a key that is no point verifies nothing', () => {
  const key = keyOf('ada')
  const message = utf8('vote')
  const signature = key.sign(message)
  const s = BigInt(`0x${toHex(signature.slice(32).reverse())}`)
  const malleated = signature.slice()
  malleated.set(littleEndian(s + L), 32)
  assert.not(verify(key.member, message, malleated))
  for (const length of [0, 63, 65]) assert.not(verify(key.member, message, new Uint8Array(length)))
  const noPoint = memberId(toHex(withSign(2n, 0)))
  assert.not(verify(noPoint, message, signature))
  const nonCanonical = memberId(toHex(withSign(P + 3n, 0)))
  assert.not(verify(nonCanonical, message, signature))
  assert.throws(() => checkPublicKey(nonCanonical), /usable Ed25519 key/)
  checkPublicKey(key.member)
})

it('ed25519: no bit of message or signature can change', () => {
  const key = keyOf('ada')
  const message = utf8('vote 7')
  const signature = key.sign(message)
  for (const bytes of [message, signature]) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
      assert.not(verify(key.member, message, signature), `bit ${bit}`)
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
    }
  }
  assert.ok(verify(key.member, message, signature))
})

it.run()
