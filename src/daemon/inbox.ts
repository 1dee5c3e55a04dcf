/** Gossip messages on their way to the machine: decoded and measured, then kept until their verdict. */
import { verify } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { decodeUpdate, inspectUpdate } from '../gossip/update.ts'
import { decodeWitnessMessage, type WitnessMessage } from '../ledger/witnessWire.ts'
import type { Verdict } from '../net/transport.ts'
import type { NodeEvent, Ticket } from '../node/events.ts'
import type { WeightStore } from '../training/weightStore.ts'
import type { Forks } from './forks.ts'
import type { InputStore } from './inputStore.ts'
import type { Logs } from './logs.ts'
import type { Topics } from './publisher.ts'
import type { Reconfiguration } from './reconfiguration.ts'
import type { Witness } from './witness.ts'

interface Pending {
  readonly verdict: (verdict: Verdict) => void
  /** Weights of an update that waits for its verdict. */
  readonly weights: { readonly study: StudyId; readonly values: Float32Array } | null
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
    let weights: Pending['weights'] = null
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
        const facts = inspectUpdate(update, verify)
        if (facts.digestMatches) weights = { study: header.study, values: update.weights }
        event = { type: 'update-heard', ticket, from, header, facts, cell }
      }
    } catch (error) {
      event = malformed(ticket, author, error)
    }
    this.#pending.set(ticket, { verdict: resolve, weights })
    this.#parts.feed(event)
    return promise
  }

  /** What proves nothing counts against who signed the message, as any malformed one; what could not be kept does not. */
  async #heard(ticket: Ticket, author: MemberId, verdict: Promise<Verdict>): Promise<Verdict> {
    try {
      return await verdict
    } catch (error) {
      if (!(error instanceof ConsiliumError) || error.blame === undefined) throw error
      const { promise, resolve } = Promise.withResolvers<Verdict>()
      this.#pending.set(ticket, { verdict: resolve, weights: null })
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
    if (verdict === 'accept' && pending.weights !== null) {
      const { study, values } = pending.weights
      this.#parts.inputs.keep(study, this.#parts.weights.put(study, values), values)
    }
    pending.verdict(verdict)
  }

  /** Ends everything that still waits: nobody is to blame. */
  close(): void {
    for (const { verdict } of this.#pending.values()) verdict('ignore')
    this.#pending.clear()
  }
}

/** What is no fault of the message is thrown on. */
function malformed(ticket: Ticket, from: MemberId, error: unknown): NodeEvent {
  if (!(error instanceof ConsiliumError)) throw error
  return { type: 'malformed-heard', ticket, from, code: error.code, blame: error.blame ?? 'reject' }
}
