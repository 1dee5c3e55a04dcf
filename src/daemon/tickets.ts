/** Numbers for what the machine is asked, so that each of its answers finds whoever waits for it. */
import { ConsiliumError } from '../core/errors.ts'
import type { Action } from '../node/actions.ts'
import type { Ticket } from '../node/events.ts'

type Refusal = Extract<Action, { type: 'answer' }>['error']

/** One per daemon: commands of the operator and messages of the network are numbered together. */
export class Tickets {
  #next = 0
  readonly #waiting = new Map<Ticket, (error: Refusal) => void>()

  next(): Ticket {
    return this.#next++
  }

  /** Asks under a new ticket and waits for the answer. Errors: those of the machine. */
  async asked(ask: (ticket: Ticket) => void): Promise<void> {
    const ticket = this.next()
    const { promise, resolve } = Promise.withResolvers<Refusal>()
    this.#waiting.set(ticket, resolve)
    ask(ticket)
    const error = await promise
    if (error !== null) throw new ConsiliumError(error)
  }

  /** The machine's answer to a command; `null` where it was carried out. */
  answer(ticket: Ticket, error: Refusal): void {
    this.#waiting.get(ticket)?.(error)
    this.#waiting.delete(ticket)
  }
}
