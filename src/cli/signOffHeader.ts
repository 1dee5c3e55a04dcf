/** How a person signs for a call to the daemon; loaded where somebody does. */
import { randomBytes } from 'node:crypto'
import { utf8 } from '../core/bytes.ts'
import { sha256 } from '../core/digest.ts'
import type { SigningKey } from '../core/ed25519.ts'
import { digest, memberId } from '../core/ids.ts'
import type { PeopleReport } from '../daemon/peopleApi.ts'
import { actAt } from '../governance/roles.ts'
import { requestOf, SALT_BYTES, SIGN_OFF_HEADER, signOffMessage, writeSignOff } from '../governance/signOff.ts'

/** The header, made with the key that `person` opens; none where the call is no act that is signed for, and then no key is asked for. */
export async function signOffHeader(
  { method, path, body }: { readonly method: string; readonly path: string; readonly body: string },
  person: () => Promise<SigningKey>,
  people: () => Promise<PeopleReport>,
): Promise<Record<string, string>> {
  const act = actAt(method, path)
  if (act === null) return {}
  const key = await person()
  const { founding, member } = await people()
  const salt = new Uint8Array(randomBytes(SALT_BYTES))
  const timeMs = Date.now()
  const where = { founding: digest(founding), member: memberId(member) }
  const request = requestOf({ method, path, bodyHash: sha256(utf8(body)) }, salt)
  const signature = key.sign(signOffMessage({ ...where, action: act.action, request, timeMs }))
  return { [SIGN_OFF_HEADER]: writeSignOff({ key: key.member, salt, timeMs, signature }) }
}
