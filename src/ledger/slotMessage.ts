/** What the voters of a decision slot send each other: proposals, votes, and certificates that stand for many votes. */
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { type Blame, ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import {
  decodeVote,
  encodeVote,
  PHASE,
  type Phase,
  type Quorum,
  ROUND_MAX,
  signaturesFromCbor,
  signaturesToCbor,
  type Vote,
  type VoterSignature,
  verifyVote,
} from './vote.ts'

/** A value that a slot may decide. */
export interface Value {
  readonly digest: Digest
  readonly content: Uint8Array
  /** Who prepares and commits this value. It may differ from value to value; any two quorums share more than the liars among them. */
  readonly quorum: Quorum
}

/** What one slot is about. All who take part hold the same. */
export interface SlotRules {
  readonly founding: Digest
  readonly number: number
  /** These propose in turn, and a quorum of them ends a round without a value. */
  readonly members: Quorum
  /** The value that `content` is; null where it can never be one of this slot. The same on every machine, at any time. */
  read(content: Uint8Array): Value | null
}

/** Votes of a quorum for one value in one phase of one round. */
export interface Certificate {
  readonly phase: 'prepare' | 'commit'
  readonly round: number
  readonly value: Value
  /** Sorted by voter, each once. */
  readonly signatures: readonly VoterSignature[]
}

/** A value for one round, with the proof that it was prepared in `vote.validRound` where there is one. */
export interface Proposal {
  readonly vote: Vote
  readonly value: Value
  readonly certificate: Certificate | null
}

export type SlotMessage =
  | { readonly type: 'proposal'; readonly proposal: Proposal }
  | { readonly type: 'vote'; readonly vote: Vote }
  | { readonly type: 'certificate'; readonly certificate: Certificate }

declare const opened: unique symbol
/** A message all of whose signatures have been checked; only `openMessage` makes one. */
export type OpenedMessage = SlotMessage & { readonly [opened]: true }

const KIND = { vote: 0, proposal: 1, certificate: 2 } as const

export const VALUE_BYTES_MAX = 524_288 // an epoch of LIMITS.membersMax members and four times as many pins is 470 kB
const SIGNATURE_ROW_BYTES = 101 // key and signature, with their CBOR heads
export const MESSAGE_BYTES_MAX = VALUE_BYTES_MAX + 2 * LIMITS.membersMax * SIGNATURE_ROW_BYTES + 1_024 // both member sets

/** Whose turn it is: the members by key, beginning with the slot's number. */
export function proposerOf({ number, members }: Pick<SlotRules, 'number' | 'members'>, round: number): MemberId {
  return members.voters[((number % members.voters.length) + round) % members.voters.length] as MemberId
}

/** CBOR of [0, vote], of [1, vote, content, signatures] or of [2, slot, phase, round, content, signatures]. */
export function encodeMessage(message: SlotMessage, slot: number): Uint8Array {
  if (message.type === 'vote') return encodeCbor([KIND.vote, encodeVote(message.vote)])
  if (message.type === 'proposal') {
    const { vote, value, certificate } = message.proposal
    return encodeCbor([KIND.proposal, encodeVote(vote), value.content, signaturesToCbor(certificate?.signatures ?? [])])
  }
  const { phase, round, value, signatures } = message.certificate
  return encodeCbor([KIND.certificate, slot, PHASE[phase], round, value.content, signaturesToCbor(signatures)])
}

/**
 * Reads a message; checks form and values, no signature and no quorum. Errors: `slot-malformed`, `slot-value`, those of
 * `decodeVote`, all of which blame the sender; `slot-other` for a message of another slot, which blames nobody.
 */
export function decodeMessage(bytes: Uint8Array, rules: Pick<SlotRules, 'number' | 'read'>): SlotMessage {
  const value = decodeCbor(bytes, MESSAGE_BYTES_MAX)
  const [kind, ...fields] = Array.isArray(value) ? (value as Cbor[]) : []
  if (kind === KIND.vote && fields.length === 1) return { type: 'vote', vote: plainVote(fields[0], rules.number) }
  if (kind === KIND.proposal && fields.length === 3) return { type: 'proposal', proposal: proposalFrom(fields, rules) }
  if (kind === KIND.certificate && fields.length === 5)
    return { type: 'certificate', certificate: certificateFrom(fields, rules) }
  throw refused('slot-malformed', 'neither a vote nor a proposal nor a certificate')
}

/**
 * Reads and verifies, cheapest first. Errors: those of `decodeMessage`, `slot-proposer`, `slot-voter`, `slot-quorum`,
 * `slot-signature`; all but `slot-other` blame the sender. Whether a vote's voter may vote is `Slot.isVoter`'s question.
 */
export function openMessage(bytes: Uint8Array, rules: SlotRules): OpenedMessage {
  const message = decodeMessage(bytes, rules)
  if (message.type === 'vote') openSignature(message.vote, rules.founding)
  else if (message.type === 'certificate') openCertificate(message.certificate, rules.founding, rules.number)
  else {
    const { vote, certificate } = message.proposal
    if (vote.voter !== proposerOf(rules, vote.round))
      throw refused('slot-proposer', `round ${vote.round} is not the turn of ${vote.voter.slice(0, 16)}…`)
    openSignature(vote, rules.founding)
    if (certificate !== null) openCertificate(certificate, rules.founding, rules.number)
  }
  return message as OpenedMessage
}

/** The votes that a certificate is made of. */
export function votesOf({ phase, round, value, signatures }: Certificate, slot: number): Vote[] {
  return signatures.map((signature) => ({ slot, phase, round, value: value.digest, validRound: null, ...signature }))
}

/** Checks that a certificate's voters may vote, are a quorum, and signed. Errors: `slot-voter`, `slot-quorum`, `slot-signature`. */
export function openCertificate(certificate: Certificate, founding: Digest, slot: number): void {
  const { quorum } = certificate.value
  const voters = new Set(quorum.voters)
  for (const { voter } of certificate.signatures)
    if (!voters.has(voter)) throw refused('slot-voter', `${voter.slice(0, 16)}… has no vote on this value`)
  if (!quorum.reached(new Set(certificate.signatures.map(({ voter }) => voter))))
    throw refused('slot-quorum', `${certificate.signatures.length} votes are no quorum for this value`)
  for (const vote of votesOf(certificate, slot)) openSignature(vote, founding)
}

function openSignature(vote: Vote, founding: Digest): void {
  if (!verifyVote(vote, founding))
    throw refused('slot-signature', `the signature of ${vote.voter.slice(0, 16)}… is invalid`)
}

function plainVote(bytes: Cbor | undefined, slot: number): Vote {
  const vote = voteFrom(bytes, slot)
  if (vote.phase === 'propose') throw refused('slot-malformed', 'a proposal comes with its value')
  return vote
}

function voteFrom(bytes: Cbor | undefined, slot: number): Vote {
  if (!(bytes instanceof Uint8Array)) throw refused('slot-malformed', 'a vote is a byte string')
  const vote = decodeVote(bytes)
  checkSlot(vote.slot, slot)
  return vote
}

function proposalFrom([bytes, content, rows]: Cbor[], rules: Pick<SlotRules, 'number' | 'read'>): Proposal {
  const vote = voteFrom(bytes, rules.number)
  const value = valueFrom(content, rules)
  const signatures = signaturesFrom(rows)
  const { validRound } = vote
  if (vote.phase !== 'propose' || vote.value !== value.digest)
    throw refused('slot-malformed', "the vote of a proposal is not the proposer's for its value")
  if ((validRound === null) !== (signatures.length === 0))
    throw refused('slot-malformed', 'a proposal has a valid round and the votes of that round, or neither')
  const certificate = validRound === null ? null : ({ phase: 'prepare', round: validRound, value, signatures } as const)
  return { vote, value, certificate }
}

function certificateFrom(fields: Cbor[], rules: Pick<SlotRules, 'number' | 'read'>): Certificate {
  const [slot, number, round, content, rows] = fields
  if (typeof round !== 'number' || !Number.isSafeInteger(round) || round < 0 || round > ROUND_MAX)
    throw refused('slot-malformed', `a round is a number from 0 to ${ROUND_MAX}`)
  const phase = (['prepare', 'commit'] as const).find((candidate: Phase) => PHASE[candidate] === number)
  if (phase === undefined) throw refused('slot-malformed', 'a certificate is of phase 1 or 2')
  checkSlot(slot, rules.number)
  return { phase, round, value: valueFrom(content, rules), signatures: signaturesFrom(rows) }
}

function valueFrom(content: Cbor | undefined, { read }: Pick<SlotRules, 'read'>): Value {
  if (!(content instanceof Uint8Array) || content.length > VALUE_BYTES_MAX)
    throw refused('slot-malformed', `a value is a byte string of at most ${VALUE_BYTES_MAX} bytes`)
  const value = read(content)
  if (value === null) throw refused('slot-value', 'the value is not one that this slot may decide')
  return value
}

function signaturesFrom(rows: Cbor | undefined): VoterSignature[] {
  const signatures = signaturesFromCbor(rows)
  if (signatures === null) throw refused('slot-malformed', 'signatures are not [voter, signature] sorted by voter')
  return signatures
}

function checkSlot(given: Cbor | undefined, expected: number): void {
  if (typeof given !== 'number') throw refused('slot-malformed', 'a slot is a number')
  if (given !== expected) throw refused('slot-other', `it is of slot ${given}, not ${expected}`, 'ignore')
}

function refused(code: string, what: string, blame: Blame = 'reject'): ConsiliumError {
  return new ConsiliumError({ code, message: `slot message refused: ${what}`, blame })
}
