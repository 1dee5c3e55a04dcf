/** The order in which a node heard updates and did its own work in one study: read from one run, in either shell, and kept to in another. */
import { ConsiliumError } from '../../src/core/errors.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Step } from './trace.ts'

/** An own event of a node, and what it had heard before it. */
export interface Stage {
  /** As `trained 3`: what the node had done, and in which round. */
  readonly own: string
  /** Updates that were accepted since the stage before, in the order in which they came. */
  readonly heard: readonly HeardUpdate[]
}

/** Which update was heard. */
export interface HeardUpdate {
  readonly author: MemberId
  readonly round: number
}

/** The stages of `study` in the steps of one start of one node, up to its last own event. What it did not accept is left out. */
export function orderOf(steps: Iterable<Pick<Step, 'event' | 'actions'>>, study: StudyId): Stage[] {
  const stages: Stage[] = []
  let heard: HeardUpdate[] = []
  for (const { event, actions } of steps) {
    if (event.type === 'update-heard' && event.header.study === study) {
      const accepted = actions.some(
        (action) => action.type === 'verdict' && action.ticket === event.ticket && action.verdict === 'accept',
      )
      if (accepted) heard.push({ author: event.header.author, round: event.header.round })
    }
    const own = stageName(event, study)
    if (own === null) continue
    stages.push({ own, heard })
    heard = []
  }
  return stages
}

/**
 * Stands before one machine: an own event waits until all that its stage had heard has come, which goes before it; an update waits for its
 * stage, and for ever where there is none. Every other event passes. Error: `order-differs`, where the node does something else than in that run.
 */
export class InOrder {
  readonly #study: StudyId
  readonly #stages: readonly Stage[]
  #at = 0
  /** By author and round. */
  readonly #heard = new Map<string, NodeEvent>()
  /** An own event that waits, and the commits behind it: they tell of a log that grows. */
  readonly #waiting: NodeEvent[] = []

  private constructor(study: StudyId, stages: readonly Stage[]) {
    this.#study = study
    this.#stages = stages
  }

  /** Null where there is no order to keep to. */
  static of(study: StudyId, stages: readonly Stage[] | undefined): InOrder | null {
    return stages === undefined ? null : new InOrder(study, stages)
  }

  /** Takes what comes next; returns what the machine is to hear now, in order. */
  take(event: NodeEvent): NodeEvent[] {
    if (event.type === 'update-heard' && event.header.study === this.#study) this.#heard.set(keyOf(event.header), event)
    else if (stageName(event, this.#study) !== null) this.#waiting.push(event)
    else if (event.type === 'committed' && this.#waiting.length > 0) this.#waiting.push(event)
    else return [event]
    return this.#due()
  }

  #due(): NodeEvent[] {
    const due: NodeEvent[] = []
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const own = stageName(next, this.#study)
      if (own !== null) {
        const before = this.#heardBefore(own)
        if (before === null) break
        due.push(...before)
        this.#at++
      }
      due.push(next)
      this.#waiting.shift()
    }
    return due
  }

  /** Null where something has not come yet. */
  #heardBefore(own: string): NodeEvent[] | null {
    const stage = this.#stages[this.#at]
    if (stage?.own !== own) {
      throw new ConsiliumError({
        code: 'order-differs',
        message: `the node came to "${own}", in the order that it keeps to "${stage?.own ?? 'nothing'}" is next`,
      })
    }
    const heard = stage.heard.flatMap((update) => this.#heard.get(keyOf(update)) ?? [])
    return heard.length === stage.heard.length ? heard : null
  }
}

const keyOf = ({ author, round }: HeardUpdate): string => `${author} ${round}`

/** What a node has done by itself in the study, where this event tells of it. */
function stageName(event: NodeEvent, study: StudyId): string | null {
  switch (event.type) {
    case 'opened':
      return event.study === study ? 'opened' : null
    case 'trained':
    case 'merged':
    case 'evaluated':
      return event.study === study ? `${event.type} ${event.round}` : null
    case 'committed':
      if (event.tags.includes(`trained:${study}`)) return 'recorded the training'
      return event.tags.includes(`merged:${study}`) ? 'recorded the merge' : null
    default:
      return null
  }
}
