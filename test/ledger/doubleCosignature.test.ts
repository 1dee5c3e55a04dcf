/** Evidence that one key cosigned conflicting heads: its bytes, and that each of its parts is needed. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { signCosignature } from '../../src/ledger/cosignature.ts'
import { encodeDoubleCosignature, openDoubleCosignature, openEvidence } from '../../src/ledger/doubleCosignature.ts'
import { encodeFork, openFork } from '../../src/ledger/fork.ts'
import type { VerifiedHead } from '../../src/ledger/head.ts'
import type { Statement } from '../../src/ledger/witnessWire.ts'
import { type Commit, FOUNDING, keyOf, logOf } from './fixtures.ts'
import { golden } from './goldenFile.ts'

const it = suite('double cosignature')

const [ADA, DAN, EVE] = ['ada', 'dan', 'eve'].map(keyOf) as [SigningKey, SigningKey, SigningKey]
const headOf = (label: string, size: number): VerifiedHead => (logOf(ADA, [size], label)[0] as Commit).head
const [MAIN, OTHER, LONGER] = [headOf('main', 7), headOf('other', 7), headOf('main', 8)]

function stated(key: SigningKey, { author, size, root, text }: VerifiedHead, timeS = 1_790_000_000): Statement {
  return { author, size, root, cosignature: signCosignature(key, text, timeS) }
}

const GOOD = encodeDoubleCosignature(stated(DAN, MAIN), stated(DAN, OTHER, 1_790_000_777))

function codeOf(evidence: Uint8Array): string | null {
  try {
    openDoubleCosignature(evidence, FOUNDING)
    return null
  } catch (error) {
    if (!(error instanceof ConsiliumError)) throw error
    assert.is(error.blame, 'reject')
    return error.code
  }
}

it('it is ledger-v1-double-cosignature.cbor, byte for byte, whichever of the two was met first', () => {
  const kept = golden('ledger-v1-double-cosignature.cbor', GOOD)
  assert.is(toHex(GOOD), toHex(kept))
  const turned = encodeDoubleCosignature(stated(DAN, OTHER, 1_790_000_777), stated(DAN, MAIN))
  assert.is(toHex(turned), toHex(kept))
  const { witness, author, size, statements } = openDoubleCosignature(kept, FOUNDING)
  assert.equal([witness, author, size], [DAN.member, ADA.member, 7])
  assert.equal(
    new Set(statements.map(({ root }) => toHex(root))),
    new Set([MAIN, OTHER].map(({ root }) => toHex(root))),
  )
})

it('either kind of evidence is told from the other, and neither reader takes the other’s', () => {
  const fork = encodeFork(MAIN.note, OTHER.note)
  assert.ok('heads' in openEvidence(fork, FOUNDING))
  assert.ok('statements' in openEvidence(GOOD, FOUNDING))
  assert.is(codeOf(fork), 'cosigned-twice-malformed')
  assert.throws(
    () => openFork(GOOD, FOUNDING),
    (error: ConsiliumError) => error.code === 'fork-malformed',
  )
})

it('what proves nothing is refused', () => {
  const unproven: Record<string, Uint8Array> = {
    'one root twice': encodeDoubleCosignature(stated(DAN, MAIN), stated(DAN, MAIN, 1_790_000_777)),
    'two sizes': encodeDoubleCosignature(stated(DAN, MAIN), stated(DAN, LONGER)),
    'two witnesses': encodeDoubleCosignature(stated(DAN, MAIN), stated(EVE, OTHER)),
    'an author over its own log': encodeDoubleCosignature(stated(ADA, MAIN), stated(ADA, OTHER)),
    'a time that was not signed': encodeDoubleCosignature(stated(DAN, MAIN), {
      ...stated(DAN, OTHER),
      cosignature: { ...stated(DAN, OTHER).cosignature, timeS: 5 },
    }),
  }
  for (const [name, evidence] of Object.entries(unproven)) assert.is(codeOf(evidence), 'cosigned-twice-unproven', name)
  assert.throws(() => openDoubleCosignature(GOOD, 'ab'.repeat(32) as typeof FOUNDING), /no two roots/)
})

it('each item has one form', () => {
  const [witness, author, size, one, other] = decodeCbor(GOOD, 1_000) as [Cbor, Cbor, Cbor, Cbor[], Cbor[]]
  const bad: Record<string, Cbor> = {
    'four items': [witness, author, size, one],
    'six items': [witness, author, size, one, other, other],
    'a short witness': [(witness as Uint8Array).subarray(1), author, size, one, other],
    'an author as text': [witness, toHex(author as Uint8Array), size, one, other],
    'size 0': [witness, author, 0, one, other],
    'half a size': [witness, author, 7.5, one, other],
    'a fourth field': [witness, author, size, [...one, 1], other],
    'no signature': [witness, author, size, one, other.slice(0, 2)],
    'a short root': [witness, author, size, [(one[0] as Uint8Array).subarray(1), ...one.slice(1)], other],
    'a map': { witness, author },
  }
  for (const [name, value] of Object.entries(bad))
    assert.is(codeOf(encodeCbor(value)), 'cosigned-twice-malformed', name)
  assert.is(
    codeOf(encodeCbor([witness, author, size, other, one])),
    'cosigned-twice-unproven',
    'the greater root first',
  )
  for (const at of [40, 80, 120, 200, GOOD.length - 1]) {
    const spoilt = GOOD.with(at, (GOOD[at] as number) ^ 1)
    assert.ok(codeOf(spoilt) !== null, `byte ${at}`)
  }
})

it.run()
