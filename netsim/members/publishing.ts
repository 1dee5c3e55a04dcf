/** What a simulated node says on the gossip topics: heads, cosignatures and updates, which are an attacker's lies where it is one. */
import { ConsiliumError, invariant } from '../../src/core/errors.ts'
import type { MemberId } from '../../src/core/ids.ts'
import type { CellName, UpdateTopic } from '../../src/gossip/cells.ts'
import type { UpdateClaims } from '../../src/gossip/update.ts'
import type { Action } from '../../src/node/actions.ts'
import type { LogSize } from '../../src/node/events.ts'
import { weightFormatOf } from '../../src/node/expectation.ts'
import type { Machine } from '../../src/node/machine.ts'
import type { Trainer } from '../../src/training/trainer.ts'
import type { WeightStore } from '../../src/training/weightStore.ts'
import type { Publisher } from './liar.ts'
import type { Port, Settle } from './network.ts'
import type { ShellParts } from './shellParts.ts'
import { TOPICS, updatesTopic } from './topics.ts'
import { type Sent, sentInstead } from './updateMessage.ts'

const COSIGNED_BYTES = 120 // a key, a size, a time and a signature

/** Another node, as far as it listens. */
export interface Listening extends Port {
  readonly member: MemberId
  hearHead(note: Uint8Array | null, from: MemberId, asks: boolean, settle: Settle): void
  hearCosigned(logs: readonly LogSize[], from: MemberId, settle: Settle): void
  hearUpdate(sent: Sent, cell: UpdateTopic, from: MemberId, settle: Settle): void
  hearMalformed(from: MemberId, error: ConsiliumError, settle: Settle): void
}

/** The node that speaks. */
export interface Speaker {
  readonly self: MemberId
  readonly machine: Machine
  readonly weights: WeightStore
  readonly trainer: Trainer
  /** Keeps an update for who asks for it. */
  readonly keep: (sent: Sent) => void
}

/** One per start of a node. */
export class Publishing<P extends Listening> {
  readonly #parts: ShellParts<P>
  readonly #speaker: Speaker
  /** Where its updates go, and the topics of updates that it has joined. */
  #cell: CellName | null = null
  #joined: readonly string[] = []
  #published = 0

  constructor(parts: ShellParts<P>, speaker: Speaker) {
    this.#parts = parts
    this.#speaker = speaker
  }

  /** Joins and leaves topics of updates, as the cells are dealt. */
  follow({ publish, listen }: Extract<Action, { type: 'topics' }>): void {
    const { network, node } = this.#parts
    const topics = listen.map(updatesTopic)
    for (const topic of topics) if (!this.#joined.includes(topic)) network.join(node, topic)
    for (const topic of this.#joined) if (!topics.includes(topic)) network.leave(node, topic)
    this.#joined = topics
    this.#cell = publish
  }

  /** Its own head; who signs two histories tells some of the other one. `asks`: to have it cosigned. */
  head(asks: boolean): void {
    const { network, node, disk, second } = this.#parts
    const [note, other] = [disk, second?.disk ?? disk].map((one) => one.note(this.#speaker.self))
    const noteFor = (member: MemberId) => (second?.fools(member) ? other : note)
    const bytes = note?.length ?? 0
    network.publish(node, TOPICS.heads, bytes, (port, via, settle) =>
      port.hearHead(noteFor(port.member) ?? null, this.#memberOf(via), asks, settle),
    )
  }

  /** Its witness signs what it says, so that who passes it on does not matter. */
  cosigned(logs: readonly LogSize[]): void {
    const { network, node } = this.#parts
    const { self } = this.#speaker
    const bytes = logs.length * COSIGNED_BYTES
    network.publish(node, TOPICS.cosigned, bytes, (port, _, settle) => port.hearCosigned(logs, self, settle))
  }

  /** What it trained, or what it sends in its place. */
  update(claims: UpdateClaims): void {
    const { network, node, identities, lies, publisher } = this.#parts
    const { machine, weights: store, trainer, keep } = this.#speaker
    const { study, digest } = claims
    const weights = store.get(study, digest)
    const { coding, reference, payload } = trainer.written(study, digest)
    const honest = { header: { ...claims, coding, reference }, weights, payload }
    const described = machine.study(study)
    invariant(described !== null, 'a study that is published in is known')
    const situation = () => this.#situation(claims, weights)
    const how = { identities, node, lies, publisher, format: weightFormatOf(described) }
    const sent = sentInstead(how, honest, situation, this.#published++)
    if (sent === null) return
    const cell = this.#cell
    const isSaid = !(sent instanceof ConsiliumError)
    if (isSaid) keep(sent)
    network.publish(node, updatesTopic(cell), isSaid ? sent.bytes : payload.length, (port, via, settle) => {
      if (sent instanceof ConsiliumError) port.hearMalformed(this.#memberOf(via), sent, settle)
      else port.hearUpdate(sent, cell, this.#memberOf(via), settle)
    })
  }

  /** What an attacker knows. */
  #situation({ study, round, base }: UpdateClaims, honest: Float32Array): Parameters<Publisher>[0] {
    const { machine, weights } = this.#speaker
    const seen = (): Float32Array[] => {
      const run = machine.view().studies.find(({ state }) => state.id === study)?.run
      const held = (run?.inputs ?? []).filter(({ digest }) => weights.has(study, digest))
      return held.map(({ digest }) => weights.get(study, digest))
    }
    return { round, base: weights.get(study, base), honest, seen }
  }

  #memberOf(node: number): MemberId {
    return this.#parts.identities.memberOf(node)
  }
}
