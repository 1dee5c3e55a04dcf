/**
 * What a person signs of a trial: all of the entry's content but the signature, where it will stand, and by what it means there. So the
 * signature cannot be put under another record (21 CFR 11.70), and whoever holds the log can verify it.
 */
import { fromHex } from '../../core/bytes.ts'
import { type Cbor, encodeCbor } from '../../core/cbor.ts'
import { taggedMessage } from '../../core/digest.ts'
import { verify } from '../../core/ed25519.ts'
import type { Digest, MemberId } from '../../core/ids.ts'
import type { Body } from '../kinds.ts'
import type { Person } from '../people.ts'

/** Kinds that a person signs directly. */
export type SignedTrialKind = 'trial.approved' | 'trial.locked' | 'trial.unlocked'

/** What is signed of such an entry. */
export type TrialContent<K extends SignedTrialKind> = Omit<Body<K>, 'signature'>

/** Whose log it will stand in. */
export interface SignedWhere {
  readonly founding: Digest
  readonly member: MemberId
}

const VERSION = 1
const RECORDED_WITHIN_MS = 86_400_000 // as of sign-offs: an old signature is not for later

/** The bytes that are signed. */
export function trialStatement<K extends SignedTrialKind>(
  { founding, member }: SignedWhere,
  kind: K,
  content: TrialContent<K>,
): Uint8Array {
  const { signature: _, ...rest } = content as TrialContent<K> & { readonly signature?: Uint8Array }
  const parts = [VERSION, fromHex(founding), fromHex(member), kind, rest as unknown as Cbor]
  return taggedMessage('trialSignature', encodeCbor(parts))
}

/** Why a signature does not count, or null; `person` is who was enrolled under the body's commitment when the entry was written. */
export function trialSignatureFault<K extends SignedTrialKind>(
  where: SignedWhere,
  kind: K,
  body: Body<K>,
  timeMs: number,
  person: Person | undefined,
): string | null {
  if (person === undefined) return 'nobody is enrolled there under this commitment'
  if (person.ended !== null) return `that person acts there no longer, since entry ${person.ended.seq}`
  if (!person.roles.includes('approver'))
    return `that person is ${person.roles.join(', ')} there, and an approver signs`
  if (!verify(person.key, trialStatement(where, kind, body), body.signature))
    return 'it is not by the key that is enrolled, or not over this record'
  return Math.abs(timeMs - body.signedAtMs) > RECORDED_WITHIN_MS
    ? 'it was signed more than a day from when it was recorded'
    : null
}
