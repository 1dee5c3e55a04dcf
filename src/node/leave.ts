/** Leave to act in one study, asked for anew before each act; a refusal is noted, and told once. */
import type { StudyId } from '../core/ids.ts'
import { type Permit, permit, type Request } from '../governance/permit.ts'
import type { Context } from './context.ts'

/** One per study run. */
export class Leave {
  readonly #context: Context
  readonly #id: StudyId
  #refusal: string | null = null

  constructor(context: Context, id: StudyId) {
    this.#context = context
    this.#id = id
  }

  /** Why the last leave was refused; null where it was given. */
  get refusal(): string | null {
    return this.#refusal
  }

  /** The permit, or null; what is refused is tried again when something changes. */
  ask(request: Omit<Request, 'self'>): Permit | null {
    const decision = permit({ self: this.#context.self, ...request })
    if ('permit' in decision) {
      this.#refusal = null
      return decision.permit
    }
    this.refuse(decision.refusal.code, decision.refusal.message)
    return null
  }

  refuse(code: string, message: string): void {
    if (this.#refusal !== code) this.#context.tell('info', 'round-refused', { study: this.#id, code, message })
    this.#refusal = code
  }
}
