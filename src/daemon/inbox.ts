/** Gossip messages on their way to the machine: decoded and measured, then kept until their verdict. */
import { verify } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { decodeUpdate, isSigned } from '../gossip/update.ts'
import { decodeWitnessMessage, type WitnessMessage } from '../ledger/witnessWire.ts'
import type { Verdict } from '../net/transport.ts'
import type { NodeEvent, Ticket } from '../node/events.ts'
import type { WeightStore } from '../training/weightStore.ts'
import type { Forks } from './forks.ts'
import type { InputStore } from './inputStore.ts'
import type { Logs } from './logs.ts'
import type { Topics } from './publisher.ts'
import type { Reconfiguration } from './reconfiguration.ts'
import type { Heard, Updates } from './updates.ts'
import type { Witness } from './witness.ts'

interface Pending {
  readonly verdict: (verdict: Verdict) => void
  /** What comes with an update that waits for its verdict. */
  readonly heard: Heard | null
}

/** What an inbox works with; `feed` may settle the message before it returns. */
export interface InboxParts {
  readonly topics: Omit<Topics, 'study'>
  readonly logs: Logs
  readonly witness: Witness
  readonly forks: Pick<Forks, 'hear'>
  readonly epochs: Pick<Reconfiguration, 'hear'>
  readonly weights: WeightStore
  readonly inputs: Pick<InputStore, 'keep'>
  readonly updates: () => Pick<Updates, 'hear' | 'expect' | 'keep' | 'refuse'>
  readonly feed: (event: NodeEvent) => void
}

/** One per daemon. How many messages wait here is bounded by the transport (`LIMITS.messagesAwaitingVerdictMax`). */
export class Inbox {
  readonly #parts: InboxParts
  readonly #pending = new Map<Ticket, Pending>()

  constructor(parts: InboxParts) {
    this.#parts = parts
  }

  /** Feeds a message to the machine; resolves with its verdict. `ticket` must be new. */
  take(ticket: Ticket, topic: string, author: MemberId, from: MemberId, data: Uint8Array): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>()
    let event: NodeEvent
    let heard: Heard | null = null
    try {
      if (topic === this.#parts.topics.epochs) return this.#heard(ticket, author, this.#parts.epochs.hear(data, author))
      if (topic === this.#parts.topics.heads) {
        const { log, signatureValid } = this.#parts.logs.readHead(data, author)
        event = { type: 'head-heard', ticket, from, log, signatureValid, asks: false }
      } else if (topic === this.#parts.topics.witness) {
        const message = decodeWitnessMessage(data, author)
        if (message.type === 'evidence') return this.#heard(ticket, author, this.#parts.forks.hear(message.evidence))
        event = this.#witnessEvent(ticket, author, from, message)
      } else {
        const update = decodeUpdate(data)
        const { header } = update
        if (header.author !== author)
          throw new ConsiliumError({ code: 'update-author', message: 'signed by another member', blame: 'reject' })
        const cell = this.#parts.topics.cellOf(header.study, topic)
        heard = this.#parts.updates().hear({ ticket, from, cell }, update, data, isSigned(update, verify))
        event = heard.event
      }
    } catch (error) {
      event = malformed(ticket, author, error)
    }
    this.#pending.set(ticket, { verdict: resolve, heard })
    this.#parts.feed(event)
    return promise
  }

  /** Feeds an update that `author` has signed and that did not come by gossip; nobody waits for its verdict. */
  hear(ticket: Ticket, author: MemberId, make: (ticket: Ticket) => Heard): void {
    let heard: Heard
    try {
      heard = make(ticket)
    } catch (error) {
      return this.#parts.feed(malformed(null, author, error))
    }
    this.#pending.set(ticket, { verdict: () => undefined, heard })
    this.#parts.feed(heard.event)
  }

  /** What proves nothing counts against who signed the message, as any malformed one; what could not be kept does not. */
  async #heard(ticket: Ticket, author: MemberId, verdict: Promise<Verdict>): Promise<Verdict> {
    try {
      return await verdict
    } catch (error) {
      if (!(error instanceof ConsiliumError) || error.blame === undefined) throw error
      const { promise, resolve } = Promise.withResolvers<Verdict>()
      this.#pending.set(ticket, { verdict: resolve, heard: null })
      this.#parts.feed(malformed(ticket, author, error))
      return promise
    }
  }

  #witnessEvent(ticket: Ticket, author: MemberId, from: MemberId, message: WitnessMessage): NodeEvent {
    const { logs, witness } = this.#parts
    if (message.type === 'statements')
      return { type: 'cosigned-heard', ticket, from: author, ...witness.hear(message.statements) }
    if (message.type !== 'request') throw new Error('evidence is heard elsewhere')
    const { log, signatureValid } = logs.readHead(message.note, author)
    if (signatureValid) {
      witness.asked(log, message.note)
      for (const early of witness.release(log.author))
        this.#parts.feed({ type: 'cosigned-heard', ticket: null, from: early.witness, logs: [early.log], valid: true })
    }
    return { type: 'head-heard', ticket, from, log, signatureValid, asks: true }
  }

  /** The machine has decided; the weights of an accepted update are kept from here on. */
  settle(ticket: Ticket, verdict: Verdict): void {
    const pending = this.#pending.get(ticket)
    this.#pending.delete(ticket)
    if (pending === undefined) return
    if (pending.heard !== null) this.#keep(pending.heard, verdict)
    pending.verdict(verdict)
  }

  #keep({ arrival, announced }: Heard, verdict: Verdict): void {
    const { inputs, weights } = this.#parts
    const updates = this.#parts.updates()
    if (verdict !== 'accept') return arrival === null ? undefined : updates.refuse(arrival)
    if (announced !== null) return updates.expect(announced)
    if (arrival === null) return
    const { study } = arrival.update.header
    inputs.keep(study, weights.put(study, arrival.weights), arrival.weights)
    updates.keep(arrival)
  }

  /** Ends everything that still waits: nobody is to blame. */
  close(): void {
    for (const { verdict } of this.#pending.values()) verdict('ignore')
    this.#pending.clear()
  }
}

/** What is no fault of the message is thrown on. */
function malformed(ticket: Ticket | null, from: MemberId, error: unknown): NodeEvent {
  if (!(error instanceof ConsiliumError)) throw error
  return { type: 'malformed-heard', ticket, from, code: error.code, blame: error.blame ?? 'reject' }
}
