/** Cards and the founding of a consortium: who is a member at epoch 0, and each founder's signature under it. */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedMessage } from '../core/digest.ts'
import { checkPublicKey } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId, memberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { checkName, type Founding, type Member } from '../ledger/founding.ts'

const CARD_PREFIX = 'consilium-card-1:'
const CARD_BYTES_MAX = 2_048 // a name and a handful of addresses

/** What one hospital hands to the others: its name, key and where it can be dialled. Signed, so that it can be forwarded. */
export interface Card {
  readonly name: string
  readonly key: MemberId
  /** Multiaddrs; may be empty for a node that only dials out. */
  readonly addresses: readonly string[]
}

type Sign = (message: Uint8Array) => Uint8Array
type Verify = (author: MemberId, message: Uint8Array, signature: Uint8Array) => boolean

/** One line of text that carries a card. */
export function writeCard(card: Card, sign: Sign): string {
  const content = encodeCbor([1, card.name, fromHex(card.key), card.addresses])
  const signature = sign(taggedMessage('card', content))
  return CARD_PREFIX + Buffer.from(encodeCbor([content, signature])).toString('base64url')
}

/** Reads a card and checks its signature. Errors: `card-malformed`, `card-forged`, `bad-name`, `key-unsound`. */
export function readCard(text: string, source: string, verify: Verify): Card {
  const trimmed = text.trim()
  if (!trimmed.startsWith(CARD_PREFIX)) {
    throw cardError(
      'card-malformed',
      source,
      `a card begins with "${CARD_PREFIX}"; ask its hospital for the line that "consilium init" printed`,
    )
  }
  const { content, signature } = openCard(trimmed.slice(CARD_PREFIX.length), source)
  const card = cardOf(content, source)
  if (!verify(card.key, taggedMessage('card', content), signature)) {
    throw cardError('card-forged', source, 'its signature does not match its key; ask its hospital for the card again')
  }
  checkPublicKey(card.key) // last: of a key that was altered on the way it is the signature that tells
  return card
}

/** The signed parts of a card; only the one text that `writeCard` makes of them is a card. */
function openCard(text: string, source: string): { content: Uint8Array; signature: Uint8Array } {
  const bytes = new Uint8Array(Buffer.from(text, 'base64url'))
  const outer = decoded(bytes, source)
  const [content, signature] = Array.isArray(outer) ? (outer as Cbor[]) : []
  const sound =
    Buffer.from(bytes).toString('base64url') === text &&
    (outer as Cbor[]).length === 2 &&
    content instanceof Uint8Array &&
    signature instanceof Uint8Array
  if (!sound) throw altered(source)
  return { content, signature }
}

function cardOf(content: Uint8Array, source: string): Card {
  const fields = decoded(content, source)
  const [version, name, key, addresses] = Array.isArray(fields) ? (fields as Cbor[]) : []
  const sound =
    (fields as Cbor[]).length === 4 &&
    version === 1 &&
    key instanceof Uint8Array &&
    key.length === 32 &&
    Array.isArray(addresses) &&
    (addresses as Cbor[]).every((address) => typeof address === 'string')
  if (!sound) throw altered(source)
  const member = memberId(toHex(key))
  return { name: checkName(name, `${source}: name`), key: member, addresses: addresses as unknown as string[] }
}

function decoded(bytes: Uint8Array, source: string): Cbor {
  try {
    return decodeCbor(bytes, CARD_BYTES_MAX)
  } catch {
    throw altered(source)
  }
}

function altered(source: string): ConsiliumError {
  return cardError('card-malformed', source, 'the card is incomplete or altered; copy the whole line again')
}

/** A hospital's card, or an observer's: the card says nothing of it, for it is the others who give a role. */
export type RoledCard = Card & Pick<Member, 'observer'>

/** The founding made of these cards. Errors: `founding-too-small`, `founding-duplicate`, `founding-too-large`. */
export function foundingOf(name: string, cards: readonly RoledCard[]): Founding {
  const hospitals = cards.filter(({ observer }) => !observer).length
  if (hospitals < 2) {
    const beside = hospitals === cards.length ? '' : `, and ${cards.length - hospitals} of observers`
    throw new ConsiliumError({
      code: 'founding-too-small',
      message: `a consortium needs at least 2 cards of hospitals, ${hospitals} given${beside}`,
    })
  }
  if (cards.length > LIMITS.membersMax) {
    throw new ConsiliumError({
      code: 'founding-too-large',
      message: `${cards.length} cards given, at most ${LIMITS.membersMax} are allowed`,
    })
  }
  const members = cards
    .map(({ name, key, observer }): Member => ({ name, key, ...(observer ? { observer } : {}) }))
    .sort((a, b) => compareIds(a.key, b.key))
  for (const field of ['key', 'name'] as const) {
    const seen = new Map<string, string>()
    for (const member of members) {
      if (seen.has(member[field])) {
        throw new ConsiliumError({
          code: 'founding-duplicate',
          message: `"${member.name}" and "${seen.get(member[field])}" have the same ${field}; each founder gives one card of its own`,
        })
      }
      seen.set(member[field], member.name)
    }
  }
  return { name: checkName(name, 'consortium name'), members }
}

/** What a founder signs with `consilium accept`. */
export function acceptanceMessage(founding: Digest): Uint8Array {
  return taggedMessage('foundingAcceptance', fromHex(founding))
}

function cardError(code: string, source: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message: `${source}: ${message}` })
}
