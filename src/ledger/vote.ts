/** Votes of a decision slot: what a voter signs, how one vote travels, when enough have voted, and proof that one voted twice. */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedMessage } from '../core/digest.ts'
import { type SigningKey, verify } from '../core/ed25519.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { quorum } from './founding.ts'

/** The phases of a round, with their numbers in what is signed. */
export const PHASE = { propose: 0, prepare: 1, commit: 2 } as const
export type Phase = keyof typeof PHASE
const PHASES = Object.keys(PHASE) as Phase[]

export const ROUND_MAX = 1_000_000 // two years of the shortest rounds
const VOTE_BYTES_MAX = 256 // three byte strings of 32, 32 and 64 bytes, and small numbers
const VERSION = 1

/** What a voter says in one phase of one round. */
export interface Statement {
  readonly slot: number
  readonly phase: Phase
  readonly round: number
  /** Digest of a value; null is a vote for no value in this round. A proposal names one. */
  readonly value: Digest | null
  /** Of a proposal: the earlier round in which its value was prepared, null where there is none. Null in other phases. */
  readonly validRound: number | null
}

/** A statement with its signature of 64 bytes. */
export interface Vote extends Statement {
  readonly voter: MemberId
  readonly signature: Uint8Array
}

/** One signature of a certificate. */
export interface VoterSignature {
  readonly voter: MemberId
  readonly signature: Uint8Array
}

/** CBOR of [1, founding digest, slot, phase, round, digest or null]; a proposal's has its valid round, or null, as a seventh item. */
export function voteMessage(founding: Digest, { slot, phase, round, value, validRound }: Statement): Uint8Array {
  const items: Cbor[] = [VERSION, fromHex(founding), slot, PHASE[phase], round, value === null ? null : fromHex(value)]
  return taggedMessage('vote', encodeCbor(phase === 'propose' ? [...items, validRound] : items))
}

/** Signs; only `slot.ts` decides whether to, after what it decides on is durable. */
export function signVote(key: SigningKey, founding: Digest, statement: Statement): Vote {
  return { ...statement, voter: key.member, signature: key.sign(voteMessage(founding, statement)) }
}

/** Checks the signature, about 75 µs. Whether the voter may vote is the caller's question. */
export function verifyVote(vote: Vote, founding: Digest): boolean {
  return verify(vote.voter, voteMessage(founding, vote), vote.signature)
}

/** CBOR of [1, slot, phase, round, digest or null, valid round or null, voter, signature]. */
export function encodeVote({ slot, phase, round, value, validRound, voter, signature }: Vote): Uint8Array {
  const digest = value === null ? null : fromHex(value)
  return encodeCbor([VERSION, slot, PHASE[phase], round, digest, validRound, fromHex(voter), signature])
}

/** Reads what `encodeVote` wrote, without its signature. Errors: `vote-malformed`, those of `decodeCbor`; all blame the sender. */
export function decodeVote(bytes: Uint8Array): Vote {
  const value = decodeCbor(bytes, VOTE_BYTES_MAX)
  const [version, slot, phase, round, digest, validRound, voter, signature, ...rest] = items(value)
  if (version !== VERSION || rest.length > 0 || !isNumber(slot, Number.MAX_SAFE_INTEGER) || !isNumber(round, ROUND_MAX))
    throw refused('vote-malformed', 'not [1, slot, phase, round, digest, valid round, voter, signature]')
  const name = PHASES.find((candidate) => PHASE[candidate] === phase)
  if (name === undefined || !isBytes(voter, 32) || !isBytes(signature, 64) || (digest !== null && !isBytes(digest, 32)))
    throw refused(
      'vote-malformed',
      'a phase of 0 to 2, keys and digests of 32 bytes and a signature of 64 are expected',
    )
  if (name === 'propose' ? digest === null : validRound !== null)
    throw refused('vote-malformed', 'a proposal names a value, and only a proposal has a valid round')
  if (validRound !== null && (!isNumber(validRound, ROUND_MAX) || validRound >= round))
    throw refused('vote-malformed', 'the valid round is not before the round')
  const read = digest === null ? null : (toHex(digest) as Digest)
  return { slot, phase: name, round, value: read, validRound, voter: toHex(voter) as MemberId, signature }
}

/** Reads and verifies. Errors: those of `decodeVote`, `vote-signature`; all blame the sender. */
export function openVote(bytes: Uint8Array, founding: Digest): Vote {
  const vote = decodeVote(bytes)
  if (!verifyVote(vote, founding))
    throw refused('vote-signature', `the signature of ${vote.voter.slice(0, 16)}… is invalid`)
  return vote
}

/** Two votes of one voter in one phase of one round that say different things: nobody who follows the protocol signs both. */
export type Equivocation = readonly [Vote, Vote]

/** Whether two votes, both of valid signatures, prove that their voter equivocated. */
export function isEquivocation(one: Vote, other: Vote): boolean {
  const same = one.voter === other.voter && one.slot === other.slot && one.phase === other.phase
  return same && one.round === other.round && (one.value !== other.value || one.validRound !== other.validRound)
}

/** The evidence as it is kept and sent, CBOR of [vote, vote]; the same for both orders. */
export function encodeEquivocation([one, other]: Equivocation): Uint8Array {
  return encodeCbor([encodeVote(one), encodeVote(other)].sort(Buffer.compare))
}

/** Reads evidence and checks that it is one. Errors: `equivocation-unproven`, those of `openVote`; all blame the sender. */
export function openEquivocation(evidence: Uint8Array, founding: Digest): Equivocation {
  const [one, other, ...rest] = items(decodeCbor(evidence, 2 * VOTE_BYTES_MAX + 8))
  if (!(one instanceof Uint8Array) || !(other instanceof Uint8Array) || rest.length > 0)
    throw refused('equivocation-unproven', 'not two votes')
  const votes = [openVote(one, founding), openVote(other, founding)] as const
  if (!isEquivocation(...votes) || Buffer.compare(one, other) >= 0)
    throw refused(
      'equivocation-unproven',
      'not two statements of one voter, phase and round, in the order of their bytes',
    )
  return votes
}

/** Which sets of voters are enough. */
export interface Quorum {
  /** Everybody whose vote counts, sorted by key. */
  readonly voters: readonly MemberId[]
  /** Whether those who voted are enough. One voter more never makes them fewer; who is not a voter counts for nothing. */
  reached(voted: ReadonlySet<MemberId>): boolean
}

/** ⌊2n/3⌋ + 1 of `members`. */
export function memberQuorum(members: readonly MemberId[]): Quorum {
  const voters = [...new Set(members)].sort(compareIds)
  const needed = quorum(voters.length)
  return {
    voters,
    reached: (voted) => voters.reduce((count, voter) => count + (voted.has(voter) ? 1 : 0), 0) >= needed,
  }
}

/** A quorum of each of two sets; who is in both counts in both. */
export function jointQuorum(before: readonly MemberId[], after: readonly MemberId[]): Quorum {
  const [one, other] = [memberQuorum(before), memberQuorum(after)]
  const voters = [...new Set([...one.voters, ...other.voters])].sort(compareIds)
  return { voters, reached: (voted) => one.reached(voted) && other.reached(voted) }
}

/** The signatures of a certificate as CBOR: [[voter, signature], …]; `signatures` are sorted by voter. */
export function signaturesToCbor(signatures: readonly VoterSignature[]): Cbor {
  return signatures.map(({ voter, signature }, i) => {
    invariant(
      i === 0 || compareIds((signatures[i - 1] as VoterSignature).voter, voter) < 0,
      'signatures sorted by voter',
    )
    return [fromHex(voter), signature]
  })
}

/** Reads what `signaturesToCbor` made; null where it is not of that form, sorted, with each voter once. */
export function signaturesFromCbor(value: Cbor | undefined): VoterSignature[] | null {
  if (!Array.isArray(value)) return null
  const signatures: VoterSignature[] = []
  for (const row of value as Cbor[]) {
    const [voter, signature, ...rest] = items(row)
    if (rest.length > 0 || !isBytes(voter, 32) || !isBytes(signature, 64)) return null
    signatures.push({ voter: toHex(voter) as MemberId, signature })
  }
  const sorted = signatures.every(
    ({ voter }, i) => i === 0 || compareIds((signatures[i - 1] as VoterSignature).voter, voter) < 0,
  )
  return sorted ? signatures : null
}

function items(value: Cbor | undefined): readonly (Cbor | undefined)[] {
  return Array.isArray(value) ? (value as Cbor[]) : []
}

function isNumber(value: Cbor | undefined, max: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max
}

function isBytes(value: Cbor | undefined, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

function refused(code: string, what: string): ConsiliumError {
  return new ConsiliumError({ code, message: `vote refused: ${what}`, blame: 'reject' })
}
