/** Records of a trial that a person signs: the signature came with the call, and is checked before anything is written. */
import { fromHex } from '../core/bytes.ts'
import type { MemberId } from '../core/ids.ts'
import { type Body, readBody } from '../governance/kinds.ts'
import type { Person } from '../governance/people.ts'
import { readSignOff } from '../governance/signOff.ts'
import { type SignedTrialKind, trialSignatureFault } from '../governance/trials/signature.ts'
import { text } from './bodyFields.ts'
import type { Signable } from './control.ts'
import type { TrialDaemon, TrialDesk } from './trialDesk.ts'
import { bytesOf, refused } from './trialFaults.ts'

type Fields = Record<string, unknown>

/** The body of a record that a person of this hospital's signed; `content` is all else of it. Errors: `trial-signer`, `trial-signature`, `trial-invalid`. */
export async function signedBy<K extends SignedTrialKind>(
  daemon: TrialDaemon,
  desk: TrialDesk,
  kind: K,
  fields: Fields,
  asked: Signable,
  content: Omit<Body<K>, 'person' | 'signedAtMs' | 'signature'>,
): Promise<Body<K>> {
  const key = text(fields, 'signer') as MemberId
  const person: Person | undefined = daemon.people.people.holding(key)
  if (person === undefined)
    throw refused(
      'trial-signer',
      `${kind} is signed by a person, and the key that signed belongs to nobody who is enrolled here: "consilium person enrol CARD --role approver" first, then --as FILE`,
    )
  const also = asked.signOff === null ? null : readSignOff(asked.signOff)
  if (also !== null && also.key !== key)
    throw refused('trial-signer', 'the record and the call are signed by two people: sign both with one key')
  const signature = bytesOf(fields, 'signature', 64)
  const { signedAtMs } = fields
  const body = { ...content, person: fromHex(person.person), signedAtMs, signature } as unknown as Body<K>
  if (readBody(kind, body as never) === null)
    throw refused('trial-invalid', 'signedAtMs: milliseconds since 1970 are expected')
  const where = { founding: daemon.home.consortium.founding, member: desk.self }
  const fault = trialSignatureFault(where, kind, body, Date.now(), person)
  if (fault !== null) throw refused('trial-signature', `the signature does not hold: ${fault}`)
  return body
}
