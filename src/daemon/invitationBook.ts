/** The invitations of one node as they stand: who may come with which ticket, who came, and until when. No clock and no files of its own. */
import * as v from 'valibot'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'

const OPEN_MAX = 32 // each lets a key connect that is no member's
const KEPT_MAX = 64 // closed ones, for whoever asks who was invited

const digits = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))
const row = v.strictObject({
  guest: digits,
  name: v.nullable(v.string()),
  observer: v.boolean(),
  propose: v.boolean(),
  madeMs: v.number(),
  expiresMs: v.number(),
  revoked: v.boolean(),
  /** The card that was handed over first; no other is taken after it. */
  card: v.nullable(v.strictObject({ name: v.string(), key: digits, text: v.string(), cameMs: v.number() })),
})
const file = v.strictObject({ version: v.literal(1), invitations: v.array(row) })

/** One invitation. Its id are the first digits of the key that its ticket gives; the secret is with the ticket alone. */
export type Invitation = v.InferOutput<typeof row>

/** Whether a guest may still come with it. Who has handed over a card may ask again for the answer. */
export function isOpen({ revoked, expiresMs }: Invitation, now: number): boolean {
  return !revoked && now < expiresMs
}

/** One per node. */
export class InvitationBook {
  #rows: readonly Invitation[]

  constructor(rows: readonly Invitation[] = []) {
    this.#rows = rows
  }

  /** Reads what `text` gave. Error: `invitations-malformed`. */
  static read(text: string, path: string): InvitationBook {
    const result = v.safeParse(file, parsed(text))
    if (result.success) return new InvitationBook(result.output.invitations)
    throw new ConsiliumError({
      code: 'invitations-malformed',
      message: `${path}: this is not what a node wrote; delete the file (the tickets that it knows are void then) and invite again`,
    })
  }

  text(): string {
    return `${JSON.stringify({ version: 1, invitations: this.#rows }, null, 2)}\n`
  }

  /** The newest first. */
  all(): readonly Invitation[] {
    return this.#rows
  }

  /** Error: `invitations-full`. */
  add(invitation: Invitation, now: number): void {
    const open = this.#rows.filter((one) => isOpen(one, now))
    if (open.length >= OPEN_MAX)
      throw refused('invitations-full', `${open.length} invitations are open: revoke one ("consilium invite ls")`)
    const closed = this.#rows.filter((one) => !isOpen(one, now)).slice(0, KEPT_MAX)
    this.#rows = [invitation, ...this.#rows.filter((one) => open.includes(one) || closed.includes(one))]
  }

  /** The one whose id begins with these digits. Error: `invitation-unknown`. */
  find(given: string): Invitation {
    const found = given.length < 6 ? [] : this.#rows.filter(({ guest }) => guest.startsWith(given))
    if (found.length === 1) return found[0] as Invitation
    throw refused(
      'invitation-unknown',
      `"${given.slice(0, 80)}" is ${found.length > 1 ? 'more than one invitation' : 'no invitation of this node'}; at least 6 digits are expected, see "consilium invite ls"`,
    )
  }

  /** The open one of a guest's key. */
  of(guest: MemberId, now: number): Invitation | undefined {
    return this.#rows.find((one) => one.guest === guest && isOpen(one, now))
  }

  revoke(given: string): Invitation {
    const found = this.find(given)
    return this.#replace(found, { ...found, revoked: true })
  }

  /** The card that a guest hands over. Errors: `ticket-used`, `ticket-name`. */
  handOver(invitation: Invitation, card: NonNullable<Invitation['card']>): Invitation {
    if (invitation.card !== null && invitation.card.key !== card.key)
      throw refused(
        'ticket-used',
        `another hospital came with this ticket ("${invitation.card.name}"): ask for a new one`,
      )
    if (invitation.name !== null && invitation.name !== card.name)
      throw refused('ticket-name', `this ticket is for "${invitation.name}", and the card says "${card.name}"`)
    return invitation.card !== null ? invitation : this.#replace(invitation, { ...invitation, card })
  }

  #replace(before: Invitation, after: Invitation): Invitation {
    this.#rows = this.#rows.map((one) => (one === before ? after : one))
    return after
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
