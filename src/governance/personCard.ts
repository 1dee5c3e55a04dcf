/** The card of somebody who acts for a hospital: name and key, signed with that key, so that nobody is enrolled under another's. */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedMessage } from '../core/digest.ts'
import { checkPublicKey, type SigningKey, verify } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import { type MemberId, memberId } from '../core/ids.ts'
import { checkName } from '../ledger/founding.ts'

export const PERSON_CARD_PREFIX = 'consilium-person-1:'
const CARD_BYTES_MAX = 512 // a name and a key

/** Who somebody is: stays at the hospital. */
export interface PersonCard {
  readonly name: string
  readonly key: MemberId
}

/** One line of text that carries the card of who holds `key`. Error: `bad-name`. */
export function writePersonCard(name: string, key: SigningKey): string {
  const content = encodeCbor([1, checkName(name, 'name'), fromHex(key.member)])
  const signature = key.sign(taggedMessage('personCard', content))
  return PERSON_CARD_PREFIX + Buffer.from(encodeCbor([content, signature])).toString('base64url')
}

/** Reads a card and checks its signature. Errors: `person-card`, `bad-name`. */
export function readPersonCard(text: string, source: string): PersonCard {
  const line = text.trim()
  if (!line.startsWith(PERSON_CARD_PREFIX))
    throw unfit(source, `a card begins with "${PERSON_CARD_PREFIX}"; give the line that "consilium person new" printed`)
  const bytes = new Uint8Array(Buffer.from(line.slice(PERSON_CARD_PREFIX.length), 'base64url'))
  const [content, signature] = listIn(bytes, source)
  if (!(content instanceof Uint8Array) || !(signature instanceof Uint8Array)) throw altered(source)
  const [version, name, key, ...more] = listIn(content, source)
  if (version !== 1 || more.length > 0 || !(key instanceof Uint8Array) || key.length !== 32) throw altered(source)
  const card = { name: checkName(name, `${source}: name`), key: memberId(toHex(key)) }
  if (!verify(card.key, taggedMessage('personCard', content), signature)) throw altered(source)
  requireSound(card.key, source)
  return card
}

function requireSound(key: MemberId, source: string): void {
  try {
    checkPublicKey(key)
  } catch {
    throw unfit(source, 'its key is not a usable Ed25519 key; make a new one with "consilium person new"')
  }
}

function listIn(bytes: Uint8Array, source: string): Cbor[] {
  try {
    const value = decodeCbor(bytes, CARD_BYTES_MAX)
    if (Array.isArray(value)) return value as Cbor[]
  } catch {
    // said below, as for anything else that is no list
  }
  throw altered(source)
}

const altered = (source: string): ConsiliumError =>
  unfit(source, 'the card is incomplete or altered, or signed with another key; copy the whole line again')

function unfit(source: string, message: string): ConsiliumError {
  return new ConsiliumError({ code: 'person-card', message: `${source}: ${message}` })
}
