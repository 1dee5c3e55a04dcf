/** What this node says by gossip: its heads, its requests and answers as a witness, its votes on the next epoch, and its updates. */
import type { SigningKey } from '../core/ed25519.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import type { CellName } from '../gossip/cells.ts'
import { HeldPayload } from '../gossip/heldPayload.ts'
import { bodyOf, encodeUpdate, type UpdateClaims, updateMessage } from '../gossip/update.ts'
import type { Transport } from '../net/transport.ts'
import type { Written } from '../training/updateCoder.ts'
import type { WeightStore } from '../training/weightStore.ts'
import type { InputStore } from './inputStore.ts'
import type { Log } from './log.ts'
import { StudyTopics } from './studyTopics.ts'
import type { Tasks } from './tasks.ts'
import type { Updates } from './updates.ts'

/** The names under which members gossip. */
export interface Topics {
  readonly heads: string
  readonly witness: string
  readonly epochs: string
  /** Where own updates of a study go now. */
  readonly study: (id: StudyId) => string
  /** As `StudyTopics.cellOf`. */
  readonly cellOf: (id: StudyId, topic: string) => CellName | null
}

/** What a publisher works with. */
export interface PublisherParts {
  readonly founding: Digest
  readonly key: SigningKey
  readonly transport: Transport
  readonly weights: WeightStore
  readonly inputs: Pick<InputStore, 'keep'>
  readonly updates: () => Pick<Updates, 'keep'>
  /** How the own update with these weights was written. */
  readonly written: (study: StudyId, update: Digest) => Written
  readonly tasks: Tasks
  readonly log: Log
}

/** One per daemon; nothing waits for a message to be out. */
export class Publisher {
  readonly #parts: PublisherParts
  readonly topics: Topics
  readonly studies: StudyTopics

  constructor(parts: PublisherParts) {
    this.#parts = parts
    const prefix = `consilium/1/${parts.founding.slice(0, 16)}`
    this.studies = new StudyTopics(prefix, parts.transport)
    this.topics = {
      heads: `${prefix}/heads`,
      witness: `${prefix}/witness`,
      epochs: `${prefix}/epochs`,
      study: (id) => this.studies.publishing(id),
      cellOf: (id, topic) => this.studies.cellOf(id, topic),
    }
  }

  /** Listens where all members do. */
  subscribe(): void {
    const { heads, witness, epochs } = this.topics
    for (const topic of [heads, witness, epochs]) this.#parts.transport.subscribe(topic)
  }

  head(note: Uint8Array | null): void {
    if (note !== null) this.#publish(this.topics.heads, note)
  }

  witness = (message: Uint8Array): void => this.#publish(this.topics.witness, message)

  epochs = (message: Uint8Array): void => this.#publish(this.topics.epochs, message)

  /** Signs the update and sends it: with its weights, or where they are too long with what they are fetched by. */
  update(claims: UpdateClaims): void {
    const { weights: store, inputs, updates, key, written } = this.#parts
    const { study, digest } = claims
    const weights = store.get(study, digest)
    inputs.keep(study, digest, weights)
    const { coding, reference, payload } = written(study, digest)
    const header = { ...claims, coding, reference }
    const body = bodyOf(header, payload)
    const signature = key.sign(updateMessage(header, body))
    const message = encodeUpdate(header, body, signature)
    const held = body.manifest === null ? null : HeldPayload.whole(body.manifest, payload)
    updates().keep({ update: { header, body, signature }, message, weights, payload: held })
    this.#publish(this.topics.study(study), message)
  }

  #publish(topic: string, data: Uint8Array): void {
    const { tasks, transport, log } = this.#parts
    tasks.run('publish', async () => {
      const recipients = await transport.publish(topic, data)
      log('debug', 'published', { topic, bytes: data.length, recipients })
    })
  }
}
