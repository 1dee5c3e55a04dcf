/**
 * Where Ed25519 libraries disagree: the twelve kinds of signature of Chalkias, Garillot and Nikolaenko 2020, "Taming the many EdDSAs",
 * table 5, made here by arithmetic. Each is first shown to be of its kind, then held against the rule of this house.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { checkPublicKey, signingKey, verify } from '../../src/core/ed25519.ts'
import { isTorsionFree } from '../../src/core/edwards.ts'
import { type MemberId, memberId } from '../../src/core/ids.ts'
import { keyOf } from '../ledger/fixtures.ts'
import {
  add,
  BASE,
  challenge,
  encode,
  fromLittleEndian,
  isSame,
  L,
  littleEndian,
  negative,
  P,
  type Point,
  pointAt,
  smallOrderPoints,
  times,
  withSign,
  ZERO,
} from './curve.ts'
import { refusal } from './refusal.ts'

const it = suite('ed25519 edge')

const TORSION = smallOrderPoints()
const torsion = (i: bigint | number): Point => TORSION[Number(((BigInt(i) % 8n) + 8n) % 8n)] as Point
const SECRET = fromLittleEndian(sha256(utf8('secret scalar'))) % L
const NONCE = fromLittleEndian(sha256(utf8('nonce'))) % L
const [A_PURE, R_PURE] = [times(SECRET, BASE), times(NONCE, BASE)]

interface Case {
  readonly what: string
  /** A as a point, and the bytes that it is given in. */
  readonly a: Point
  readonly key: Uint8Array
  readonly r: Point
  readonly rBytes: Uint8Array
  readonly s: bigint
  readonly message: Uint8Array
  /** Whether k is hashed over canonical bytes in place of those given. */
  readonly rehashed?: boolean
}

/** The first message whose challenge fits. */
function messageFor(
  rBytes: Uint8Array,
  key: Uint8Array,
  fits: (k: bigint) => boolean,
): { message: Uint8Array; k: bigint } {
  for (let i = 0; ; i++) {
    const message = utf8(`message ${i}`)
    const k = challenge(rBytes, key, message)
    if (fits(k)) return { message, k }
  }
}

/** A = secret·B + torsion(i), R = nonce·B + torsion(j), secret or nonce 0 where that point is to be small; k is made to fit. */
function made(
  what: string,
  {
    small,
    i,
    j,
    fits,
    key,
    rBytes,
    rehashed,
  }: {
    small?: 'A' | 'R' | 'both'
    i: number
    j: number
    fits: (k: bigint) => boolean
    key?: Uint8Array
    rBytes?: Uint8Array
    rehashed?: boolean
  },
): Case {
  const [noA, noR] = [small === 'A' || small === 'both', small === 'R' || small === 'both']
  const a = noA ? torsion(i) : add(A_PURE, torsion(i))
  const r = noR ? torsion(j) : add(R_PURE, torsion(j))
  const given = { key: key ?? encode(a), rBytes: rBytes ?? encode(r) }
  const hashed = rehashed ? [encode(r), encode(a)] : [given.rBytes, given.key]
  const { message, k } = messageFor(hashed[0] as Uint8Array, hashed[1] as Uint8Array, fits)
  const s = ((noR ? 0n : NONCE) + k * (noA ? 0n : SECRET)) % L
  return { what, a, r, ...given, s, message, rehashed }
}

const cancels = (i: number, j: number) => (k: bigint) => (k * BigInt(i) + BigInt(j)) % 8n === 0n
const IDENTITY_BEYOND_P = withSign(P + 1n, 0)
const ORDER_4_BEYOND_P = withSign(P, 0)
const PURE = made('an honest signature', { i: 0, j: 0, fits: () => true })

/** In the paper's order. `equations`: whether S·B = R + k·A holds without and with the cofactor. `ours`: the house's two verdicts. */
const CASES: readonly {
  readonly one: Case
  readonly equations: readonly [cofactorless: boolean, cofactored: boolean]
  readonly ours: { readonly verifies: boolean; readonly enrols: boolean }
}[] = [
  {
    one: made('0: A and R small, S = 0', { small: 'both', i: 3, j: 1, fits: cancels(3, 1) }),
    equations: [true, true],
    ours: { verifies: false, enrols: false },
  },
  {
    one: made('1: A small, R mixed', { small: 'A', i: 5, j: 3, fits: cancels(5, 3) }),
    equations: [true, true],
    ours: { verifies: false, enrols: false },
  },
  {
    one: made('2: A mixed, R small', { small: 'R', i: 7, j: 2, fits: cancels(7, 2) }),
    equations: [true, true],
    ours: { verifies: false, enrols: false },
  },
  {
    one: made('3: A and R mixed, both equations hold', { i: 1, j: 6, fits: cancels(1, 6) }),
    equations: [true, true],
    ours: { verifies: true, enrols: false }, // all libraries take it; that A is never a member's key is what enrolment is for
  },
  {
    one: made('4: A and R mixed, only the cofactored equation holds', { i: 1, j: 6, fits: (k) => !cancels(1, 6)(k) }),
    equations: [false, true],
    ours: { verifies: false, enrols: false },
  },
  {
    one: made('5: A mixed, R pure, and 8k mod L is no multiple of 8', {
      i: 3,
      j: 0,
      fits: (k) => !cancels(3, 0)(k) && ((8n * k) % L) % 8n !== 0n,
    }),
    equations: [false, true],
    ours: { verifies: false, enrols: false },
  },
  {
    one: { ...PURE, what: '6: S + L', s: PURE.s + L },
    equations: [true, true],
    ours: { verifies: false, enrols: true },
  },
  {
    one: { ...PURE, what: '7: S far above L, to the last bit', s: PURE.s + L * ((2n ** 256n - 1n - PURE.s) / L) },
    equations: [true, true],
    ours: { verifies: false, enrols: true },
  },
  {
    one: made('8: R small, beyond p, hashed as given', {
      small: 'R',
      i: 1,
      j: 0,
      fits: cancels(1, 0),
      rBytes: IDENTITY_BEYOND_P,
    }),
    equations: [true, true],
    ours: { verifies: false, enrols: false },
  },
  {
    one: made('9: R small, beyond p, hashed in canonical form', {
      small: 'R',
      i: 1,
      j: 0,
      fits: cancels(1, 0),
      rBytes: IDENTITY_BEYOND_P,
      rehashed: true,
    }),
    equations: [true, true],
    ours: { verifies: false, enrols: false },
  },
  ...[true, false].map((rehashed) => {
    const i = TORSION.findIndex(([x, y]) => y === 0n && x % 2n === 0n)
    const j = 8 - i
    const given = { small: 'A', i, j, fits: cancels(i, j), key: ORDER_4_BEYOND_P, rehashed } as const
    const what = rehashed ? '10: A small, beyond p, hashed in canonical form' : '11: A small, beyond p, hashed as given'
    return { one: made(what, given), equations: [true, true] as const, ours: { verifies: false, enrols: false } }
  }),
]

const signatureOf = ({ rBytes, s }: Case): Uint8Array => concat([rBytes, littleEndian(s)])
const memberOf = ({ key }: Case): MemberId => memberId(toHex(key))

it('ed25519 edge: the base point has order L, and the signatures made here are those of the library', () => {
  assert.ok(isSame(times(L, BASE), ZERO))
  assert.ok(verify(memberOf(PURE), PURE.message, signatureOf(PURE)))
  checkPublicKey(memberOf(PURE))
})

for (const { one, equations, ours } of CASES) {
  it(`ed25519 edge: ${one.what}: ${ours.verifies ? 'verifies' : 'refused'}, key ${ours.enrols ? 'enrolled' : 'refused'}`, () => {
    const k = one.rehashed
      ? challenge(encode(one.r), encode(one.a), one.message)
      : challenge(one.rBytes, one.key, one.message)
    const [left, right] = [times(one.s % L, BASE), add(one.r, times(k, one.a))]
    assert.equal([isSame(left, right), isSame(times(8n, left), times(8n, right))], equations, 'of its kind')
    assert.is(verify(memberOf(one), one.message, signatureOf(one)), ours.verifies)
    assert.is(
      refusal(() => checkPublicKey(memberOf(one))),
      ours.enrols ? null : 'key-unsound',
    )
  })
}

it('ed25519 edge: S is below L: every S + n·L that fits 32 bytes is refused', () => {
  const message = utf8('vote')
  const signature = keyOf('ada').sign(message)
  const s = fromLittleEndian(signature.subarray(32))
  let n = 1n
  for (; s + n * L < 2n ** 256n; n++)
    assert.not(
      verify(keyOf('ada').member, message, concat([signature.subarray(0, 32), littleEndian(s + n * L)])),
      `n = ${n}`,
    )
  assert.ok(n >= 15n)
  for (const bad of [L, L + 1n, 2n ** 253n, 2n ** 255n, 2n ** 256n - 1n])
    assert.not(verify(keyOf('ada').member, message, concat([signature.subarray(0, 32), littleEndian(bad)])))
})

it('ed25519 edge: a key is enrolled without a part of small order, and refused with any of the seven', () => {
  for (const [i, point] of TORSION.entries()) {
    const mixed = encode(add(A_PURE, point))
    assert.is(isTorsionFree(mixed), i === 0, `part ${i}`)
    assert.is(
      refusal(() => checkPublicKey(memberId(toHex(mixed)))),
      i === 0 ? null : 'key-unsound',
      `part ${i}`,
    )
    assert.is(isTorsionFree(encode(point)), i === 0, `part ${i} alone`)
    assert.is(
      refusal(() => checkPublicKey(memberId(toHex(encode(point))))),
      'key-unsound',
      `part ${i} alone`,
    )
  }
  assert.ok(isTorsionFree(encode(negative(A_PURE))))
})

it('ed25519 edge: of the points with small y, those are free of torsion whose multiple by L is zero; the rest are no points', () => {
  const seen = { free: 0, mixed: 0, none: 0 }
  for (let y = 2n; y < 40n; y++) {
    const point = pointAt(y)
    const free = point !== null && isSame(times(L, point), ZERO)
    for (const sign of [0, 1]) {
      const key = withSign(y, sign)
      assert.is(isTorsionFree(key), free, `y = ${y}`)
      const code = refusal(() => checkPublicKey(memberId(toHex(key)))) // node:crypto takes what is no point for a key
      assert.is(code, free ? null : 'key-unsound', `y = ${y}`)
    }
    seen[point === null ? 'none' : free ? 'free' : 'mixed']++
  }
  assert.ok(seen.free > 0 && seen.mixed > 0 && seen.none > 0)
})

it('ed25519 edge: every key that is made from a seed can be enrolled', () => {
  for (let i = 0; i < 50; i++) checkPublicKey(signingKey(sha256(utf8(`seed ${i}`))).member)
  checkPublicKey(memberId('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')) // RFC 8032 §7.1
  assert.not(isTorsionFree(fromHex('00'.repeat(32))))
})

it.run()
