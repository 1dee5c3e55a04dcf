/** Invitations at the node that gives them: tickets go out, guests come with cards, and what they are told. Nothing of this is in a log. */
import { randomBytes } from 'node:crypto'
import { utf8 } from '../core/bytes.ts'
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import { verify } from '../core/ed25519.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { type MemberId, memberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { readCard } from '../governance/founding.ts'
import { lintText } from '../governance/privacyLint.ts'
import { guestOf, type JoinTicket, joiningMessage, writeTicket } from '../governance/ticket.ts'
import { checkName, type Member } from '../ledger/founding.ts'
import { parseAddress } from '../net/addresses.ts'
import type { Transport } from '../net/transport.ts'
import { exists, readText, writeAtomically } from './files.ts'
import type { Home } from './home.ts'
import { type Invitation, InvitationBook } from './invitationBook.ts'
import type { Log } from './log.ts'
import { Turns } from './turns.ts'

export const JOIN = '/consilium/join/1'
export const JOIN_FRAME_BYTES = 65_536
const DAY_MS = 24 * 3_600_000
const DAYS_MAX = 90 // a ticket that lies about for longer is forgotten

/** What they work with. `propose` records the change that lets a member in, with this node's yes. */
export interface InvitationsParts {
  readonly home: Home
  readonly transport: Pick<Transport, 'addresses' | 'welcome'>
  readonly propose: (member: Member) => Promise<unknown>
  readonly log: Log
}

/** What is asked of a new invitation. */
export interface InvitationRequest {
  readonly name: string | null
  readonly days: number
  readonly observer: boolean
  /** The change is proposed as soon as the card is here; else this hospital's people look at it first. */
  readonly propose: boolean
}

/** One per daemon; `serve` when the network has started. */
export class Invitations {
  readonly #parts: InvitationsParts
  readonly #turns = new Turns<'book'>()
  #book = new InvitationBook()

  constructor(parts: InvitationsParts) {
    this.#parts = parts
  }

  /** Reads which invitations are open, and lets their guests come. Error: `invitations-malformed`. */
  async serve(): Promise<void> {
    const { home, transport } = this.#parts
    const { invitations: path } = home.paths
    if (await exists(path)) this.#book = InvitationBook.read(await readText(path, 'invitations', ''), path)
    const isGuest = (key: MemberId): boolean => this.#book.of(key, Date.now()) !== undefined
    await transport.welcome(JOIN, isGuest, (guest, request) => this.#answer(guest, request))
  }

  /** The newest first. */
  all(): readonly Invitation[] {
    return this.#book.all()
  }

  /** A new one, with its ticket, which is shown once. Errors: `invite-…`, `bad-name`, `invitations-full`. */
  async invite(request: InvitationRequest): Promise<{ ticket: string; invitation: Invitation }> {
    const { home } = this.#parts
    const ticket = this.#ticketFor(request, Date.now())
    const { name, observer, expiresMs } = ticket
    const guest = guestOf(ticket)
    const { propose } = request
    const invitation = { guest, name, observer, propose, madeMs: Date.now(), expiresMs, revoked: false, card: null }
    await this.#change((book) => book.add(invitation, Date.now()))
    return { ticket: writeTicket(ticket, home.key.signing.sign), invitation }
  }

  /** Nobody may come with it any more. Error: `invitation-unknown`. */
  revoke(given: string): Promise<Invitation> {
    return this.#change((book) => book.revoke(given))
  }

  /** Proposes who came with it. Errors: `invitation-unknown`, `invitation-unused`, those of `propose`. */
  async propose(given: string): Promise<Invitation> {
    const invitation = this.#book.find(given)
    if (invitation.card === null)
      throw refused('invitation-unused', 'nobody has come with this ticket yet, so there is no card to propose')
    await this.#parts.propose(memberOf(invitation, invitation.card))
    return invitation
  }

  #ticketFor({ name, days, observer }: InvitationRequest, now: number): JoinTicket {
    const { home, transport } = this.#parts
    const { current, roll } = home.membership
    if (!roll.isMember(home.key.id)) throw refused('not-a-member', 'members alone invite')
    if (!Number.isFinite(days) || days <= 0 || days > DAYS_MAX)
      throw refused('invite-days', `--days: ${days} given; more than 0 and at most ${DAYS_MAX} are allowed`)
    if (name !== null) requireName(checkName(name, '--name'))
    const addresses = transport.addresses().map((text) => parseAddress('own address', text).address)
    if (addresses.length === 0)
      throw refused(
        'invite-unreachable',
        'this node is dialled by nobody (it only dials out): let a member with an open port invite, or set "announce" in config.yaml',
      )
    const elsewhere = addresses.filter((address) => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address))
    return {
      ...{ consortium: home.consortium.name, founding: current.founding, epoch: current.number, inviter: home.key.id },
      ...{ name, observer, expiresMs: Math.floor(now + days * DAY_MS) },
      addresses: elsewhere.length > 0 ? elsewhere : addresses,
      secret: new Uint8Array(randomBytes(32)),
    }
  }

  /** The first frame says what came of it, the others are the consortium file. A refusal is an answer too. */
  async *#answer(guest: MemberId, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const { home, log } = this.#parts
    let outcome: string
    try {
      outcome = await this.#take(guest, request)
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      log('warn', 'join-refused', { code: error.code })
      yield encodeCbor([1, 'refused', error.code, messageOf(error)])
      return
    }
    yield encodeCbor([1, outcome, '', ''])
    const file = utf8(await readText(home.paths.consortium, 'consortium file', ''))
    for (let at = 0; at < file.length; at += JOIN_FRAME_BYTES) yield file.subarray(at, at + JOIN_FRAME_BYTES)
  }

  /** `proposed`, `held` for this hospital's people, or `member` where it is one by now. */
  async #take(guest: MemberId, request: Uint8Array): Promise<string> {
    const { home, propose, log } = this.#parts
    const card = cardIn(request, guest, home)
    const invitation = await this.#change((book) => {
      const open = book.of(guest, Date.now())
      if (open === undefined)
        throw refused('ticket-closed', 'this ticket was revoked or has expired: ask for a new one')
      return book.handOver(open, { ...card, cameMs: Date.now() })
    })
    log('info', 'invited-came', { invitation: guest.slice(0, 12), member: card.key })
    const { roll } = home.membership
    if (roll.isMember(card.key)) return 'member'
    if (roll.isAuthor(card.key))
      throw refused('ticket-former', "this key was a member's, and none comes back: make a new one")
    if (!invitation.propose) return 'held'
    await propose(memberOf(invitation, card))
    return 'proposed'
  }

  /** Written before anybody is told. */
  #change<T>(change: (book: InvitationBook) => T): Promise<T> {
    return this.#turns.run('book', async () => {
      const changed = new InvitationBook(this.#book.all())
      const result = change(changed)
      await writeAtomically(this.#parts.home.paths.invitations, changed.text(), 0o600)
      this.#book = changed
      return result
    })
  }
}

function memberOf({ observer }: Invitation, { name, key }: NonNullable<Invitation['card']> | CardIn): Member {
  return { name, key: memberId(key), ...(observer ? { observer: true } : {}) }
}

interface CardIn {
  readonly name: string
  readonly key: MemberId
  readonly text: string
}

/** CBOR of [1, card, signature]. Errors: `join-malformed`, those of `readCard`, `member-personal-data`. */
function cardIn(request: Uint8Array, guest: MemberId, { key, membership }: Home): CardIn {
  const value = decodeCbor(request, LIMITS.requestBytesMax)
  const [version, text, signature, ...more] = Array.isArray(value) ? value : []
  if (version !== 1 || typeof text !== 'string' || !(signature instanceof Uint8Array) || more.length > 0)
    throw refused('join-malformed', 'the request is of another version of Consilium')
  const card = readCard(text, 'card', verify)
  const message = joiningMessage(membership.current.founding, key.id, guest, text)
  if (!verify(card.key, message, signature)) throw refused('join-forged', 'the card is not of who hands it over')
  requireName(card.name)
  return { name: card.name, key: card.key, text }
}

/** Names are copied to every member for good. */
function requireName(name: string): void {
  const found = lintText(name)
  if (found !== null)
    throw refused(
      'member-personal-data',
      `the name "${name}" holds what looks like ${found.what}; give the hospital's name`,
    )
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
