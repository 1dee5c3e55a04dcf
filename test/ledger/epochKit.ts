/** Epochs for tests: people with keys, and records signed by whoever is given, as the rules want it or not. */
import { fromHex } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds, type Digest } from '../../src/core/ids.ts'
import { type Epoch, epochSlot, type Member } from '../../src/ledger/epoch.ts'
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
export interface Twist {
  readonly slot?: number
  readonly phase?: Phase
  readonly round?: number
  readonly founding?: Digest
}

/** A record of `content`, signed by `signers`; says round 2 outside. */
export function signed(content: Uint8Array, before: Epoch, signers: readonly Person[], twist: Twist = {}): Uint8Array {
  const { digest } = epochSlot(before).read(content) ?? { digest: before.digest }
  const statement = {
    slot: before.number + 1,
    phase: 'commit',
    round: 2,
    value: digest,
    validRound: null,
    ...twist,
  } as const
  const rows = signers
    .map(({ key }) => signVote(key, twist.founding ?? before.founding, statement))
    .sort((a, b) => compareIds(a.voter, b.voter))
    .map(({ voter, signature }) => [fromHex(voter), signature])
  return encodeCbor([content, 2, rows])
}
