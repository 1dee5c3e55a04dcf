/**
 * What one patient has said, and what follows for one study at one time. The words themselves stay in the hospital's vault; the ledger
 * has salted commitments to them.
 */
import type { StudyConsent } from '../config/consent.ts'
import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { hmacSha256, taggedHash } from '../core/digest.ts'
import { covers, type DuoCode, touches } from '../core/duo.ts'
import type { MemberId, StudyId } from '../core/ids.ts'

/** Who spoke: the patient, somebody with power of attorney, the guardian of a minor, a court, or a physician when nobody could be asked. */
export const SPEAKERS = ['subject', 'proxy', 'guardian', 'court', 'emergency'] as const
export type Speaker = (typeof SPEAKERS)[number]

/** One word of one patient. Times in milliseconds since 1970; received and effective are both kept. */
export interface ConsentDecision {
  readonly decision: 'permit' | 'deny'
  readonly purposes: readonly DuoCode[] | 'all'
  readonly study: StudyId | 'all'
  /** The period in which it holds: from `fromMs`, before `toMs`; null where that end is open. */
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly by: Speaker
  readonly receivedAtMs: number
  readonly effectiveAtMs: number
  /** What it was given on: a word of the hospital's own list. */
  readonly form: string
}

/** A study as decisions are held against it. */
export interface ConsentQuestion {
  readonly id: StudyId
  readonly consent: Pick<StudyConsent, 'basis' | 'purposes'>
}

/** What holds now. `rule` is the place of the decision that it rests on, or the study's basis where none applies. */
export interface ConsentVerdict {
  readonly permitted: boolean
  readonly rule: number | 'basis'
  /** When it may change although nobody says anything; null where it does not. */
  readonly changesAtMs: number | null
}

/**
 * The newest effective decision that is in force and concerns the study; of several from one moment a denial. A permission concerns a study
 * all of whose purposes it covers, a denial one that it has a purpose in common with. Where there is none, the study's basis.
 */
export function consentOf(
  decisions: readonly ConsentDecision[],
  question: ConsentQuestion,
  atMs: number,
): ConsentVerdict {
  let rule: number | 'basis' = 'basis'
  let best: ConsentDecision | null = null
  let changesAtMs: number | null = null
  for (let i = 0; i < decisions.length; i++) {
    const one = decisions[i] as ConsentDecision
    if (!concerns(one, question)) continue
    changesAtMs = earliest(changesAtMs, nextChange(one, atMs))
    if (!isInForce(one, atMs) || (best !== null && !outweighs(one, best))) continue
    best = one
    rule = i
  }
  const permitted = best === null ? question.consent.basis === 'opt-out' : best.decision === 'permit'
  return { permitted, rule, changesAtMs }
}

function concerns({ study, purposes, decision }: ConsentDecision, { id, consent }: ConsentQuestion): boolean {
  if (study !== 'all' && study !== id) return false
  if (purposes === 'all') return true
  return decision === 'permit' ? covers(purposes, consent.purposes) : touches(purposes, consent.purposes)
}

function isInForce({ effectiveAtMs, fromMs, toMs }: ConsentDecision, atMs: number): boolean {
  return effectiveAtMs <= atMs && (fromMs === null || fromMs <= atMs) && (toMs === null || atMs < toMs)
}

/** Whether the later one goes before `best`; at one moment a denial does, and of two that say the same the one received last. */
function outweighs(one: ConsentDecision, best: ConsentDecision): boolean {
  if (one.effectiveAtMs !== best.effectiveAtMs) return one.effectiveAtMs > best.effectiveAtMs
  if (one.decision !== best.decision) return one.decision === 'deny'
  return one.receivedAtMs >= best.receivedAtMs
}

function nextChange({ effectiveAtMs, fromMs, toMs }: ConsentDecision, atMs: number): number | null {
  let next: number | null = null
  for (const time of [effectiveAtMs, fromMs, toMs]) if (time !== null && time > atMs) next = earliest(next, time)
  return next
}

const earliest = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b)

const VERSION = 1

/** The canonical bytes of a decision: what is committed to, and what the vault keeps. */
export function decisionBytes(one: ConsentDecision): Uint8Array {
  const purposes = one.purposes === 'all' ? null : [...one.purposes]
  const study = one.study === 'all' ? null : fromHex(one.study)
  const period = [one.fromMs, one.toMs]
  return encodeCbor([
    ...[VERSION, one.decision, purposes, study, period, one.by],
    ...[one.receivedAtMs, one.effectiveAtMs, one.form],
  ] as Cbor)
}

/** Reads what `decisionBytes` wrote. Errors: those of `decodeCbor`. */
export function readDecision(bytes: Uint8Array): ConsentDecision {
  const [, decision, purposes, study, period, by, receivedAtMs, effectiveAtMs, form] = decodeCbor(bytes) as [
    ...[number, 'permit' | 'deny', DuoCode[] | null, Uint8Array | null, [number | null, number | null], Speaker],
    ...[number, number, string],
  ]
  return {
    ...{ decision, purposes: purposes ?? 'all', study: study === null ? 'all' : (toHex(study) as StudyId) },
    ...{ fromMs: period[0], toMs: period[1], by, receivedAtMs, effectiveAtMs, form },
  }
}

/** What the ledger has of a decision: SHA-256 over a salt of 32 bytes, which stays in the vault, and its canonical bytes. */
export function decisionCommitment(salt: Uint8Array, bytes: Uint8Array): Uint8Array {
  return taggedHash('consentDecision', salt, bytes)
}

export const TAG_BYTES = 16

/**
 * What a patient is called in the ledger in one month: HMAC-SHA-256(key, "v1" | hospital | yyyymm)[0..16]. Without the patient's key
 * nobody links it to another month's, to another hospital's, or to a person.
 */
export function subjectTag(key: Uint8Array, hospital: MemberId, atMs: number): Uint8Array {
  return hmacSha256(key, utf8('v1'), fromHex(hospital), utf8(monthOf(atMs))).slice(0, TAG_BYTES)
}

/** `202611`, by UTC. */
export function monthOf(atMs: number): string {
  const days = Math.floor(atMs / DAY_MS)
  // civil from days (Hinnant 2021): the year begins in March, so that the leap day is its last
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return `${year}${String(month).padStart(2, '0')}`
}

const DAY_MS = 86_400_000
