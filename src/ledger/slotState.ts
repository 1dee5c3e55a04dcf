/** What a voter of a decision slot must never forget: its round, its votes in it, its lock; as it is kept on disk. */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'
import {
  type Certificate,
  decodeMessage,
  encodeMessage,
  MESSAGE_BYTES_MAX,
  type Proposal,
  type SlotMessage,
  type SlotRules,
} from './slotMessage.ts'
import { ROUND_MAX, type Vote } from './vote.ts'

/** Plain data, never changed in place. Which phase the round is in follows from the votes: the first that is null is to be cast. */
export interface SlotState {
  readonly round: number
  /** Own proposal and votes in this round. */
  readonly proposal: Proposal | null
  readonly prepare: Vote | null
  readonly commit: Vote | null
  /** The value of the newest own commit vote for one, and its round: no other is prepared without proof from that round or a later one. */
  readonly locked: { readonly round: number; readonly value: Digest } | null
  /** The newest value that is known to be prepared: what is proposed when it is this voter's turn. */
  readonly valid: Certificate | null
  readonly decided: Certificate | null
}

/** The state of a voter that has not voted yet. */
export const FRESH: SlotState = {
  round: 0,
  proposal: null,
  prepare: null,
  commit: null,
  locked: null,
  valid: null,
  decided: null,
}

const VERSION = 1
const STATE_BYTES_MAX = 4 * MESSAGE_BYTES_MAX // a proposal and two certificates, and small things

/** CBOR of [1, slot, round, proposal, prepare, commit, [round, digest] of the lock, valid, decided]; messages as byte strings, or null. */
export function encodeSlotState(state: SlotState, slot: number): Uint8Array {
  const { round, proposal, prepare, commit, locked, valid, decided } = state
  const bytes = (message: SlotMessage): Uint8Array => encodeMessage(message, slot)
  const vote = (vote: Vote | null): Cbor => vote && bytes({ type: 'vote', vote })
  const certificate = (certificate: Certificate | null): Cbor =>
    certificate && bytes({ type: 'certificate', certificate })
  return encodeCbor([
    VERSION,
    slot,
    round,
    proposal && bytes({ type: 'proposal', proposal }),
    vote(prepare),
    vote(commit),
    locked && [locked.round, fromHex(locked.value)],
    certificate(valid),
    certificate(decided),
  ])
}

/** Reads what `encodeSlotState` wrote for the same slot; own signatures are not checked again. Errors: `slot-state`, those of `decodeMessage`. */
export function decodeSlotState(bytes: Uint8Array, rules: Pick<SlotRules, 'number' | 'read'>): SlotState {
  const value = decodeCbor(bytes, STATE_BYTES_MAX)
  const fields = Array.isArray(value) ? (value as Cbor[]) : []
  const [version, slot, round, proposal, prepare, commit, lock, valid, decided] = fields
  if (fields.length !== 9 || version !== VERSION || slot !== rules.number || !isRound(round))
    throw damaged(`not of slot ${rules.number}`)
  const message = <T extends SlotMessage['type']>(
    kept: Cbor | undefined,
    type: T,
  ): (SlotMessage & { type: T }) | null => {
    if (kept === null) return null
    const read = kept instanceof Uint8Array ? decodeMessage(kept, rules) : null
    if (read?.type !== type) throw damaged(`no ${type} where one is expected`)
    return read as SlotMessage & { type: T }
  }
  const certificate = (kept: Cbor | undefined, phase: Certificate['phase']): Certificate | null => {
    const read = message(kept, 'certificate')?.certificate ?? null
    if (read !== null && read.phase !== phase) throw damaged(`a certificate is not of phase ${phase}`)
    return read
  }
  const vote = (kept: Cbor | undefined, phase: Vote['phase']): Vote | null => {
    const read = message(kept, 'vote')?.vote ?? null
    if (read !== null && (read.phase !== phase || read.round !== round))
      throw damaged(`a vote is not of phase ${phase}`)
    return read
  }
  const proposed = message(proposal, 'proposal')?.proposal ?? null
  if (proposed !== null && proposed.vote.round !== round) throw damaged('the proposal is of another round')
  return {
    round,
    proposal: proposed,
    prepare: vote(prepare, 'prepare'),
    commit: vote(commit, 'commit'),
    locked: lockFrom(lock),
    valid: certificate(valid, 'prepare'),
    decided: certificate(decided, 'commit'),
  }
}

function lockFrom(lock: Cbor | undefined): SlotState['locked'] {
  if (lock === null) return null
  const [round, value, ...rest] = Array.isArray(lock) ? (lock as Cbor[]) : []
  if (!isRound(round) || !(value instanceof Uint8Array) || value.length !== 32 || rest.length > 0)
    throw damaged('the lock is not [round, digest]')
  return { round, value: toHex(value) as Digest }
}

function isRound(value: Cbor | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= ROUND_MAX
}

function damaged(what: string): ConsiliumError {
  const message = `the stored state of a decision slot can't be read: ${what}; an older copy could vote twice, so leave this slot to the other members`
  return new ConsiliumError({ code: 'slot-state', message })
}
