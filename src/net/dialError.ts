/** Why a member could not be reached, in one line for a person who has to repair it. Pure. */
import { messageOf } from '../core/errors.ts'

export const DENIED =
  'it closed the connection right after the handshake: its member list may not name us, or it refuses us for a while'

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'connection refused at'],
  [/EHOSTUNREACH|ENETUNREACH/, 'no route to'],
  [/ENOTFOUND|EAI_AGAIN/, 'the name does not resolve:'],
  [/expected remote identity key|UnexpectedPeer/, 'another identity answers at'],
  [/dial self/i, 'this node itself answers at'],
  [/blocked by gater/, 'not a member, or refused for a while:'],
  [/ended pipe|unexpected end|ECONNRESET|stream.*reset|EPIPE/i, 'the other side closed the connection at'],
  [/ETIMEDOUT|abort|timed? ?out/i, 'no answer within the time limit from'],
]

/** One line: what went wrong, and where. */
export function dialError(error: unknown, address: string): string {
  const text = [error, ...inner(error)].map((each) => `${nameOf(each)} ${messageOf(each)}`).join(' ')
  if (/Remote closed connection during opening/.test(text)) return DENIED
  const reason = REASONS.find(([pattern]) => pattern.test(text))?.[1]
  return reason === undefined ? `${messageOf(error).slice(0, 200)} (${address})` : `${reason} ${address}`
}

const inner = (error: unknown): unknown[] => (error instanceof AggregateError ? error.errors : [])
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '')
