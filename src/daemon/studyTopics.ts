/** The topics of studies: one for each, or where its members meet in cells those of the node's own ones; followed as the machine says. */
import { ConsiliumError } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import type { CellName } from '../gossip/cells.ts'
import type { Transport } from '../net/transport.ts'
import type { Action } from '../node/actions.ts'

interface Followed {
  readonly publish: string
  /** Cell by topic; null: the whole study's. */
  readonly listen: ReadonlyMap<string, CellName | null>
}

/** One per daemon. Three topics of a study at most are subscribed at one time. */
export class StudyTopics {
  readonly #prefix: string
  readonly #transport: Pick<Transport, 'subscribe' | 'unsubscribe'>
  readonly #followed = new Map<StudyId, Followed>()

  /** `prefix`: what every topic of this consortium begins with. */
  constructor(prefix: string, transport: Pick<Transport, 'subscribe' | 'unsubscribe'>) {
    this.#prefix = prefix
    this.#transport = transport
  }

  /** Subscribes to what is new before it leaves what is over, and publishes where it is told from now on. */
  follow({ study, publish, listen }: Extract<Action, { type: 'topics' }>): void {
    const before = this.#followed.get(study)?.listen ?? new Map<string, CellName | null>()
    const topics = new Map(listen.map((cell) => [this.#name(study, cell), cell]))
    for (const topic of topics.keys()) if (!before.has(topic)) this.#transport.subscribe(topic)
    for (const topic of before.keys()) if (!topics.has(topic)) this.#transport.unsubscribe(topic)
    if (topics.size === 0) this.#followed.delete(study)
    else this.#followed.set(study, { publish: this.#name(study, publish), listen: topics })
  }

  /** Where the node's own updates go now. */
  publishing(study: StudyId): string {
    return this.#followed.get(study)?.publish ?? this.#name(study, null)
  }

  /**
   * The cell whose topic this is; null for the whole study's. Errors: `update-topic`, where it is another study's, and `cell-left`, which
   * blames nobody, where it is one that is not listened to any more.
   */
  cellOf(study: StudyId, topic: string): CellName | null {
    const cell = this.#followed.get(study)?.listen.get(topic)
    if (cell !== undefined) return cell
    const whole = this.#name(study, null)
    if (topic === whole || topic.startsWith(`${whole}/`))
      throw new ConsiliumError({
        code: 'cell-left',
        message: 'sent to a cell that this node has left',
        blame: 'ignore',
      })
    throw new ConsiliumError({ code: 'update-topic', message: 'sent to another study', blame: 'reject' })
  }

  #name(study: StudyId, cell: CellName | null): string {
    const whole = `${this.#prefix}/study/${study.slice(0, 32)}`
    return cell === null ? whole : `${whole}/${cell.epoch}/${cell.period}/${cell.cell}`
  }
}
