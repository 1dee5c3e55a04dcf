/** Joining by ticket, at a hospital whose node does not run yet: hands its card to the inviter, and brings the consortium file home. */
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { verify } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import { guestOf, guestSeed, type JoinTicket, joiningMessage, readTicket } from '../governance/ticket.ts'
import { fingerprint } from '../ledger/founding.ts'
import { askAsGuest } from '../net/guests.ts'
import { type Consortium, parseConsortium, writeConsortium } from './consortiumFile.ts'
import { exists, readText } from './files.ts'
import { acceptText, ownKey } from './home.ts'
import { homePaths } from './homePaths.ts'
import { JOIN, JOIN_FRAME_BYTES } from './invitations.ts'

const FILE_BYTES_MAX = 67_108_864 // a hundred epochs of 1,000 members
const JOIN_MS = 60_000

/** What the inviter did with the card: proposed it, holds it for its people, or its hospital is a member by now. */
export type JoinOutcome = 'proposed' | 'held' | 'member'

/** Reads a ticket, and refuses one that is of no use any more. Errors: `ticket-malformed`, `ticket-expired`, `consortium-differs`. */
export async function openTicket(folder: string, text: string, source: string): Promise<JoinTicket> {
  const ticket = readTicket(text, source, verify)
  if (Date.now() >= ticket.expiresMs)
    throw refused(
      'ticket-expired',
      `${source}: the ticket was good until ${new Date(ticket.expiresMs).toISOString().slice(0, 16)} UTC (this machine's clock says ${new Date().toISOString().slice(0, 16)}); ask for a new one`,
    )
  const { consortium: path } = homePaths(folder)
  const kept = (await exists(path)) ? parseConsortium(await readText(path, 'consortium file', ''), path) : null
  if (kept !== null && kept.founding !== ticket.founding)
    throw refused(
      'consortium-differs',
      `${source}: the ticket is of "${ticket.consortium}" (${fingerprint(ticket.founding)}), and this folder has accepted "${kept.name}" (${fingerprint(kept.founding)}); one data folder belongs to one consortium, use another --home`,
    )
  return ticket
}

/**
 * Hands over the card in `folder`, and keeps the consortium file that comes back, checked from the founding that the ticket names. May be
 * done again. Errors: `join-…`, `ticket-…`, those of `acceptText`.
 */
export async function joinByTicket(
  folder: string,
  ticket: JoinTicket,
): Promise<{ outcome: JoinOutcome; consortium: Consortium }> {
  const paths = homePaths(folder)
  const key = await ownKey(paths)
  const card = (await readText(paths.card, 'member card', 'run "consilium init" in a new folder')).trim()
  const { founding, inviter, addresses } = ticket
  const signature = key.signing.sign(joiningMessage(founding, inviter, guestOf(ticket), card))
  const request = encodeCbor([1, card, signature])
  const signal = AbortSignal.timeout(JOIN_MS)
  const frames = askAsGuest({
    ...{ seed: guestSeed(ticket), member: inviter, addresses, protocol: JOIN, request, signal },
    frameBytesMax: JOIN_FRAME_BYTES,
  })
  const { outcome, text } = await answerIn(frames).catch((error: unknown) => {
    throw explained(error, ticket)
  })
  const source = `the file that ${fingerprint(inviter).slice(0, 9)}… sent`
  const sent = parseConsortium(text, source)
  if (sent.founding !== founding || sent.name !== ticket.consortium)
    throw refused(
      'join-other',
      `${source}: it is of another consortium than the ticket: ask whoever gave you the ticket`,
    )
  const listed = new Map(sent.members.map((one) => [one.key, one.addresses]))
  if ((listed.get(inviter) ?? []).length === 0) listed.set(inviter, addresses) // where it was reached just now
  const file = writeConsortium(sent.name, sent.membership, listed)
  return { outcome, consortium: await acceptText(folder, file, source, true) }
}

async function answerIn(frames: AsyncIterable<Uint8Array>): Promise<{ outcome: JoinOutcome; text: string }> {
  let outcome: JoinOutcome | null = null
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const frame of frames) {
    if (outcome === null) outcome = outcomeIn(frame)
    else parts.push(frame)
    bytes += frame.length
    if (bytes > FILE_BYTES_MAX) throw refused('join-too-large', 'the inviter sent more than a consortium file can be')
  }
  if (outcome === null) throw refused('join-malformed', 'the inviter answered nothing')
  return { outcome, text: Buffer.concat(parts).toString('utf8') }
}

function outcomeIn(frame: Uint8Array): JoinOutcome {
  const value = decodeCbor(frame, JOIN_FRAME_BYTES)
  const [version, outcome, code, message] = Array.isArray(value) ? (value as Cbor[]) : []
  if (version !== 1 || typeof code !== 'string' || typeof message !== 'string')
    throw refused('join-malformed', 'the inviter answered what this version cannot read')
  if (outcome === 'proposed' || outcome === 'held' || outcome === 'member') return outcome
  throw refused(code.slice(0, 64) || 'join-refused', `the inviter says: ${printable(message)}`)
}

/** What a stranger wrote is shown on one line. */
function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, 300)
}

function explained(error: unknown, { addresses }: JoinTicket): unknown {
  if (!(error instanceof ConsiliumError)) return error
  if (error.code === 'guest-unreachable')
    return refused(
      'join-unreachable',
      `the inviter was not reached (${error.message}): is its node running, and its port open to this machine?`,
    )
  if (error.code === 'guest-refused')
    return refused(
      'join-refused',
      `the inviter at ${addresses.join(' or ')} does not take this ticket: it was revoked or has expired there, or was tried again too soon; ask for a new one`,
    )
  return error
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
