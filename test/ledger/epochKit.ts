/** Epochs for tests: people with keys, and records signed by whoever is given, as the rules want it or not. */
import { fromHex } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds, type Digest } from '../../src/core/ids.ts'
import type { Epoch } from '../../src/ledger/epoch.ts'
import type { Member } from '../../src/ledger/founding.ts'
import { type Phase, signVote } from '../../src/ledger/vote.ts'
import { keyOf } from './fixtures.ts'

export interface Person {
  readonly name: string
  readonly key: SigningKey
}
export const person = (name: string, key = name): Person => ({ name, key: keyOf(key) })
export const rowsOf = (people: readonly Person[]): Member[] =>
  people.map(({ name, key }) => ({ name, key: key.member })).sort((a, b) => compareIds(a.key, b.key))

/** How a vote may differ from what it should be. */
interface Twist {
  readonly slot?: number
  readonly phase?: Phase
  readonly founding?: Digest
  /** The round that is signed; that which the record says where none is given. */
  readonly round?: number
  /** The round that the record says; 2 where none is given. */
  readonly says?: number
}

/** A record of `content`, whatever it is, signed by `signers`. */
export function signed(content: Uint8Array, before: Epoch, signers: readonly Person[], twist: Twist = {}): Uint8Array {
  const { says = 2, founding = before.founding, ...statement } = twist
  const value = taggedDigest('epoch', content)
  const vote = { slot: before.number + 1, phase: 'commit', round: says, value, validRound: null, ...statement } as const
  const rows = signers
    .map(({ key }) => signVote(key, founding, vote))
    .sort((a, b) => compareIds(a.voter, b.voter))
    .map(({ voter, signature }) => [fromHex(voter), signature])
  return encodeCbor([content, says, rows])
}
