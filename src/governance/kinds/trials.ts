/**
 * Kinds about clinical trials: versions of a protocol, who approved them and in what meaning, lists of randomisation by commitment, participants
 * under pseudonyms, what happened to them, and data that is locked. A participant's tag is keyed with what the hospital's vault alone has.
 */
import * as v from 'valibot'
import { DUO_CODES, DUO_NUMBERS } from '../../core/duo.ts'
import { TIME_MS_MAX } from '../../ledger/entry.ts'
import { bytes, bytes16, bytes32, bytes64, count } from './fields.ts'

/** Of one trial. */
export const TRIAL_BOUNDS = {
  versionsMax: 100, // four amendments a year for twenty-five years
  armsMax: 8, // a platform trial; an arm is one byte of what is sealed
  ratioMax: 8, // of one arm to another
  sitesMax: 200, // each is named by 32 bytes, and a protocol must fit one entry
  strataMax: 64, // a list for each at each site
  approvalsMax: 32,
  positionsMax: 10_000, // of one list: its path has 14 hashes
  blockMax: 64, // positions; a longer block balances nothing
  blocksMax: 8, // different sizes of blocks
  pathMax: 14, // 2^14 positions
} as const

const B = TRIAL_BOUNDS

/** What a signature under a protocol means (21 CFR 11.50 (a)(3)). */
export const APPROVAL_MEANINGS = [
  'ethics-approval',
  'authority-approval',
  'sponsor-approval',
  'site-approval',
  'investigator-agreement',
  'monitoring-approval',
] as const
export type ApprovalMeaning = (typeof APPROVAL_MEANINGS)[number]

/** What happens to a participant. */
export const TRIAL_EVENTS = [
  ...(['visit', 'dispensed', 'dose', 'adverse-event', 'serious-adverse-event', 'deviation'] as const),
  ...(['re-consented', 'arm-read', 'withdrawn', 'lost-to-follow-up', 'completed'] as const),
] as const
export type TrialEvent = (typeof TRIAL_EVENTS)[number]

/** Why an approval is withdrawn, or a version halted. */
export const HALT_REASONS = [
  ...(['safety', 'ethics', 'futility', 'efficacy', 'authority-order', 'sponsor-decision'] as const),
  ...(['staff', 'data-quality', 'entered-by-mistake'] as const),
] as const

/** Why one participant's arm is made known. */
export const OPENING_REASONS = ['emergency', 'safety-report', 'authority-order', 'end-of-trial'] as const
/** Why a whole list is. */
export const UNSEALING_REASONS = ['end-of-trial', 'interim-analysis', 'authority-order', 'list-unused'] as const
/** Why locked data is opened again. */
export const UNLOCK_REASONS = ['correction', 'late-data', 'audit', 'entered-by-mistake'] as const

const ARM = /^[a-z][a-z0-9-]{0,15}$/
/** The code of an arm or a stratum. */
export const isTrialCode = (given: string): boolean => ARM.test(given)

const word = v.pipe(v.string(), v.regex(ARM))
const list = <S extends v.GenericSchema>(schema: S, min: number, max: number) =>
  v.pipe(v.array(schema), v.minLength(min), v.maxLength(max))
const within = (min: number, max: number) => v.pipe(count, v.minValue(min), v.maxValue(max))
const version = within(1, B.versionsMax)
const position = v.pipe(count, v.maxValue(B.positionsMax - 1))
const path = list(bytes32, 0, B.pathMax)
const stratum = v.nullable(word)

const purpose = v.picklist(DUO_NUMBERS)

/** Who signed, when, and the signature over all else in the body (`governance/trials/signature.ts`). */
const signed = { person: bytes32, signedAtMs: v.pipe(count, v.maxValue(TIME_MS_MAX)), signature: bytes64 } as const

export const TRIAL_KINDS = {
  /**
   * A version of a protocol. The first has neither `trial` nor `previous`, and the trial is named by its entry's hash; its author, the sponsor,
   * alone amends, and keeps the name. `document`: SHA-256 of the text, or a keyed commitment to it. `approvals`: meaning and member, null for each site its own.
   */
  'trial.protocol': v.strictObject({
    trial: v.nullable(bytes32),
    name: word,
    version,
    previous: v.nullable(bytes32),
    document: bytes32,
    disclosure: v.picklist(['public', 'private']),
    arms: list(v.strictTuple([word, within(1, B.ratioMax)]), 2, B.armsMax),
    sites: list(bytes32, 1, B.sitesMax),
    strata: list(word, 0, B.strataMax),
    lists: bytes32,
    approvals: list(v.strictTuple([v.picklist(APPROVAL_MEANINGS), v.nullable(bytes32)]), 1, B.approvalsMax),
    consent: v.picklist(['required', 'waived']),
    purposes: list(purpose, 0, DUO_CODES.length),
  }),
  /** A person of its author's approves the version of that entry, in that meaning. */
  'trial.approved': v.strictObject({
    trial: bytes32,
    protocol: bytes32,
    meaning: v.picklist(APPROVAL_MEANINGS),
    ...signed,
  }),
  /** Its author takes approvals of that meaning back, or halts, up to that version. Binds as soon as it is known. */
  'trial.withdrawn': v.strictObject({
    trial: bytes32,
    what: v.picklist(['approval', 'halt']),
    version,
    meaning: v.nullable(v.picklist(APPROVAL_MEANINGS)),
    reason: v.picklist(HALT_REASONS),
  }),
  /** A list of `size` allocations at a site, by the root over them; `design` commits to how it was drawn. */
  'trial.list': v.strictObject({
    trial: bytes32,
    version,
    site: bytes32,
    stratum,
    size: within(1, B.positionsMax),
    root: bytes32,
    design: bytes32,
  }),
  /** A participant of its author's takes a position of a list. `refs` cite the protocol, the list and the approvals; `key` is for who allocates. */
  'trial.enrolled': v.strictObject({
    trial: bytes32,
    protocol: bytes32,
    tag: bytes16,
    stratum,
    list: bytes32,
    position,
    key: bytes32,
  }),
  /** What stands at that participant's position: the leaf, its path to the list's root, and arm and salt sealed for the site. */
  'trial.allocated': v.strictObject({
    trial: bytes32,
    enrolled: bytes32,
    leaf: bytes32,
    path,
    sealed: bytes((length) => length === 93),
  }),
  /** The arm of one position is made known. */
  'trial.opened': v.strictObject({
    trial: bytes32,
    list: bytes32,
    position,
    arm: word,
    salt: bytes32,
    path,
    reason: v.picklist(OPENING_REASONS),
  }),
  /** All of a list is: whoever has the seed draws it again. */
  'trial.unsealed': v.strictObject({
    trial: bytes32,
    list: bytes32,
    seed: bytes32,
    blocks: list(within(2, B.blockMax), 1, B.blocksMax),
    reason: v.picklist(UNSEALING_REASONS),
  }),
  /** Something happened to a participant of its author's, who takes part under that version of the protocol. */
  'trial.event': v.strictObject({
    trial: bytes32,
    tag: bytes16,
    event: v.picklist(TRIAL_EVENTS),
    version,
  }),
  /** Data is locked, by a keyed commitment to its file; `previous` is the author's lock before. The sponsor's is of the whole trial, a site's of the site. */
  'trial.locked': v.strictObject({
    trial: bytes32,
    data: bytes32,
    rows: count,
    previous: v.nullable(bytes32),
    ...signed,
  }),
  /** The lock of that entry is lifted; counts when it is final. */
  'trial.unlocked': v.strictObject({ trial: bytes32, lock: bytes32, reason: v.picklist(UNLOCK_REASONS), ...signed }),
} as const

export type TrialKind = keyof typeof TRIAL_KINDS
