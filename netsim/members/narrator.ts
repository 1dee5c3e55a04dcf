/** What one node with a ledger saw and decided, told line by line. */
import type { MemberId } from '../../src/core/ids.ts'
import type { CellName } from '../../src/gossip/cells.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Clock } from '../clock.ts'
import type { ExplainLine, SimulateOptions } from '../options.ts'
import type { Identities } from './identity.ts'
import type { Step } from './trace.ts'

export class StepNarrator {
  readonly #clock: Clock
  readonly #node: number
  readonly #say: (line: ExplainLine) => void
  readonly #members: readonly MemberId[]

  constructor(clock: Clock, node: number, identities: Identities, say: (line: ExplainLine) => void) {
    this.#clock = clock
    this.#node = node
    this.#say = say
    this.#members = identities.members
  }

  /** Null where nobody wants to hear it. */
  static of(clock: Clock, identities: Identities, { explainNode, onExplain }: SimulateOptions): StepNarrator | null {
    return explainNode === undefined || onExplain === undefined
      ? null
      : new StepNarrator(clock, explainNode, identities, onExplain)
  }

  step({ node, event, actions }: Step): void {
    if (node !== this.#node) return
    const verdict = actions.find((action) => action.type === 'verdict')
    const seen = this.#seen(event, verdict?.type === 'verdict' ? (verdict.reason ?? verdict.verdict) : null)
    if (seen !== null) this.#tell(seen)
    for (const action of actions) {
      const done = this.#done(action)
      if (done !== null) this.#tell(`→ ${done}`)
    }
  }

  /** Null for what happens all the time and says little. */
  #seen(event: NodeEvent, verdict: string | null): string | null {
    switch (event.type) {
      case 'booted':
        return `starts, with ${event.logs.reduce((sum, { size }) => sum + size, 0)} entries on its disk`
      case 'peer-connected':
        return `is connected to ${this.#name(event.member)}`
      case 'peer-disconnected':
        return `has lost ${this.#name(event.member)}`
      case 'update-heard':
        return `hears the update of ${this.#name(event.header.author)}, round ${event.header.round}, by way of ${this.#name(event.from)}: ${verdict}`
      case 'update-announced':
        return `hears of an update of ${this.#name(event.header.author)}, round ${event.header.round}, ${event.payloadBytes} bytes: ${verdict}`
      case 'fetch-failed':
        return `does not get the update of ${this.#name(event.author)}, round ${event.round}: ${event.code}`
      case 'head-heard':
        return event.asks ? `is asked to cosign ${event.log.size} entries of ${this.#name(event.log.author)}` : null
      case 'malformed-heard':
        return `hears something malformed from ${this.#name(event.from)}: ${event.code}`
      case 'fork-proven':
        return `has proof that ${this.#name(event.author)} signed two histories`
      case 'replicated':
        return `has the first ${event.log.size} entries of ${this.#name(event.log.author)}, from ${this.#name(event.from)}`
      case 'replication-failed':
        return `could not fetch the log of ${this.#name(event.author)} from ${this.#name(event.from)}: ${event.code}`
      case 'committed':
        return `its own log is durable up to ${event.log.size} entries (${event.tags.map((tag) => tag.split(':')[0]).join(', ')})`
      case 'trained':
        return `has trained round ${event.round} on ${event.examples} rows, loss ${event.loss.toFixed(4)}`
      case 'merged':
        return `has merged round ${event.round}: model ${event.result.slice(0, 14)}`
      case 'evaluated':
        return `its model of round ${event.round} has AUC ${event.metrics.auc?.toFixed(3) ?? '–'}, log-loss ${event.metrics.logLoss.toFixed(3)}`
      case 'learner-failed':
        return `its learner failed in round ${event.round}: ${event.code}`
      case 'study-add':
      case 'study-accept':
      case 'study-bind':
      case 'study-pause':
        return `its operator: ${event.type}`
      default:
        return null
    }
  }

  #done(action: Action): string | null {
    switch (action.type) {
      case 'train':
        return `trains round ${action.round}`
      case 'publish-update':
        return `publishes its update of round ${action.claims.round}`
      case 'topics':
        return `listens to ${action.listen.map(wordOf).join(', ') || 'no topic of the study'}, and publishes to ${wordOf(action.publish)}`
      case 'merge': {
        const own = this.#members[this.#node]
        const others = action.inputs.filter(({ author }) => author !== own)
        const list = others.map(
          ({ author, round, ageRounds }) => `${this.#name(author)} (round ${round}, age ${ageRounds})`,
        )
        const parts = (action.partial ?? []).map(({ author, round }) => `${this.#name(author)} (round ${round})`)
        const more = parts.length === 0 ? '' : `, and what is here of those of ${parts.join(', ')}`
        return `merges its own update with ${others.length === 0 ? 'nobody else’s' : `those of ${list.join(', ')}`}${more}`
      }
      case 'fetch-update':
        return `fetches the weights of ${this.#name(action.author)}, round ${action.round}`
      case 'replicate':
        return `fetches entries ${action.from} to ${action.to} of ${this.#name(action.author)} from ${this.#name(action.peer)}`
      case 'cosign':
        return `cosigns ${action.log.size} entries of ${this.#name(action.log.author)}`
      case 'keep-final':
        return `${action.log.size} entries of ${this.#name(action.log.author)} are final`
      case 'tell':
        return `says: ${action.event}${factsOf(action.facts)}`
      case 'halt':
        return `halts: ${action.code}`
      default:
        return null
    }
  }

  #name(member: MemberId): string {
    const node = this.#members.indexOf(member)
    return node < 0 ? `a stranger (${member.slice(0, 8)})` : node === this.#node ? 'itself' : `node ${node}`
  }

  #tell(text: string): void {
    this.#say({ seconds: this.#clock.elapsedMs / 1000, event: this.#clock.events, text })
  }
}

const wordOf = (cell: CellName | null): string =>
  cell === null ? 'the topic of the study' : `cell ${cell.cell} of period ${cell.period}`

function factsOf(facts: Readonly<Record<string, string | number | boolean | null>>): string {
  const listed = Object.entries(facts).map(([key, value]) => {
    return `${key} ${typeof value === 'string' ? value.slice(0, 14) : value}`
  })
  return listed.length === 0 ? '' : ` (${listed.join(', ')})`
}
