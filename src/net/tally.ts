/** Counts what came, what went and what was refused, for status and metrics. */
import type { TransportStats } from './transport.ts'

/** Why something was refused; a closed list, so that the counters are bounded. */
export type Refusal =
  | 'stranger'
  | 'too-many-handshakes'
  | 'guest-too-often'
  | 'refused-for-a-while'
  | 'not-subscribed'
  | 'message-too-large'
  | 'author-unknown'
  | 'author-refused'
  | 'own-message'
  | 'bad-announcement'
  | 'verdict-ignore'
  | 'verdict-reject'
  | 'verdict-late'
  | 'verdicts-full'
  | 'handler-failed'
  | 'too-many-streams'
  | 'request-malformed'
  | 'request-failed'

/** Counts since the start; bytes are payloads, without framing and encryption. */
export class Tally {
  #messagesIn = 0
  #messagesOut = 0
  #bytesIn = 0
  #bytesOut = 0
  readonly #refused = new Map<Refusal, number>()

  messageIn(bytes: number): void {
    this.#messagesIn += 1
    this.#bytesIn += bytes
  }
  messageOut(bytes: number, recipients: number): void {
    this.#messagesOut += 1
    this.#bytesOut += bytes * recipients
  }
  frameIn(bytes: number): void {
    this.#bytesIn += bytes
  }
  frameOut(bytes: number): void {
    this.#bytesOut += bytes
  }
  refuse(reason: Refusal): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1)
  }

  stats(): TransportStats {
    return {
      messagesIn: this.#messagesIn,
      messagesOut: this.#messagesOut,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      refused: Object.fromEntries(this.#refused),
    }
  }
}
