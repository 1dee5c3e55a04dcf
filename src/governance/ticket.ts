/**
 * Invitation tickets: one line of text with which a hospital that is no member yet finds a member, and proves to it that it was invited.
 * The ticket's secret is the seed of a key for one purpose: Noise proves that the guest has it, to the holder of the inviter's key and to
 * nobody else, and the inviter needs to keep no more than its public half.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedHash, taggedMessage } from '../core/digest.ts'
import { publicKeyFromSeed } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { checkName } from '../ledger/founding.ts'

const TICKET_PREFIX = 'consilium-ticket-1:'
const TICKET_BYTES_MAX = 4_096 // two names and a handful of addresses
const ADDRESSES_MAX = 16 // of a machine with many networks

/** What a ticket says. Its inviter has signed it: every bit that is altered on the way shows. */
export interface JoinTicket {
  readonly consortium: string
  readonly founding: Digest
  /** The newest that the inviter knew. */
  readonly epoch: number
  readonly inviter: MemberId
  /** Multiaddrs where the inviter can be dialled, without /p2p/. */
  readonly addresses: readonly string[]
  /** The name of who is invited; null where anybody is who holds the ticket. */
  readonly name: string | null
  readonly observer: boolean
  readonly expiresMs: number
  /** 32 bytes; never sent, never logged, kept by nobody but the ticket. */
  readonly secret: Uint8Array
}

type Sign = (message: Uint8Array) => Uint8Array
type Verify = (author: MemberId, message: Uint8Array, signature: Uint8Array) => boolean

/** The ticket's line of text. */
export function writeTicket(ticket: JoinTicket, sign: Sign): string {
  const { consortium, founding, epoch, inviter, addresses, name, observer, expiresMs, secret } = ticket
  const of = [consortium, fromHex(founding), epoch, fromHex(inviter), addresses.slice(0, ADDRESSES_MAX)]
  const content = encodeCbor([1, ...of, name, observer, expiresMs, secret])
  const signature = sign(taggedMessage('ticket', content))
  return TICKET_PREFIX + Buffer.from(encodeCbor([content, signature])).toString('base64url')
}

/** Reads a ticket and checks its signature; whether it has expired is the caller's to say, who has a clock. Error: `ticket-malformed`. */
export function readTicket(text: string, source: string, verify: Verify): JoinTicket {
  const trimmed = text.trim()
  if (!trimmed.startsWith(TICKET_PREFIX))
    throw malformed(source, `a ticket begins with "${TICKET_PREFIX}"; ask for the line that "consilium invite" printed`)
  const encoded = trimmed.slice(TICKET_PREFIX.length)
  const bytes = new Uint8Array(Buffer.from(encoded, 'base64url'))
  const [content, signature, ...more] = listIn(bytes, source)
  const isWhole = Buffer.from(bytes).toString('base64url') === encoded && more.length === 0
  if (!isWhole || !(content instanceof Uint8Array) || !(signature instanceof Uint8Array)) throw altered(source)
  const ticket = ticketIn(listIn(content, source), source)
  if (!verify(ticket.inviter, taggedMessage('ticket', content), signature)) throw altered(source)
  return ticket
}

/** The seed of the key that its holder dials with: of this consortium, this inviter and this ticket alone. */
export function guestSeed({
  founding,
  inviter,
  secret,
}: Pick<JoinTicket, 'founding' | 'inviter' | 'secret'>): Uint8Array {
  return taggedHash('guest', fromHex(founding), fromHex(inviter), secret)
}

/** The public half of that key: all that the inviter keeps. */
export function guestOf(ticket: Pick<JoinTicket, 'founding' | 'inviter' | 'secret'>): MemberId {
  return publicKeyFromSeed(guestSeed(ticket))
}

/** What the key on a card signs when it is handed over: a card that somebody found says nothing, and to another inviter neither. */
export function joiningMessage(founding: Digest, inviter: MemberId, guest: MemberId, card: string): Uint8Array {
  return taggedMessage('joining', encodeCbor([fromHex(founding), fromHex(inviter), fromHex(guest), card]))
}

function ticketIn(fields: readonly Cbor[], source: string): JoinTicket {
  const [version, consortium, founding, epoch, inviter, addresses, name, observer, expiresMs, secret, ...more] = fields
  const isSound =
    version === 1 &&
    more.length === 0 &&
    [founding, inviter, secret].every((one) => one instanceof Uint8Array && one.length === 32) &&
    isCount(epoch) &&
    isCount(expiresMs) &&
    typeof observer === 'boolean' &&
    Array.isArray(addresses) &&
    addresses.length <= ADDRESSES_MAX &&
    (addresses as Cbor[]).every((one) => typeof one === 'string')
  if (!isSound) throw altered(source)
  return {
    consortium: checkName(consortium, `${source}: consortium`),
    founding: toHex(founding as Uint8Array) as Digest,
    epoch,
    inviter: toHex(inviter as Uint8Array) as MemberId,
    addresses: addresses as unknown as string[],
    name: name === null ? null : checkName(name, `${source}: name`),
    observer,
    expiresMs,
    secret: secret as Uint8Array,
  }
}

function listIn(bytes: Uint8Array, source: string): readonly Cbor[] {
  try {
    const value = decodeCbor(bytes, TICKET_BYTES_MAX)
    if (Array.isArray(value)) return value as Cbor[]
  } catch {
    // said below
  }
  throw altered(source)
}

function isCount(value: Cbor | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function altered(source: string): ConsiliumError {
  return malformed(source, 'the ticket is incomplete or altered; copy the whole line again, or ask for a new one')
}

function malformed(source: string, message: string): ConsiliumError {
  return new ConsiliumError({ code: 'ticket-malformed', message: `${source}: ${message}` })
}
