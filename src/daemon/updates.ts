/** Everything about updates that is neither decided by the machine nor carried by gossip: what is kept to be served, and what is fetched. */
import { verify } from '../core/ed25519.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { allows, CODING, decodePayload, isDelta, type WeightFormat } from '../gossip/coding/coding.ts'
import type { Parts } from '../gossip/partial.ts'
import { Shelf } from '../gossip/shelf.ts'
import { inspectWeights, type Update, type UpdateHeader, unread } from '../gossip/update.ts'
import type { Transport } from '../net/transport.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent, Ticket } from '../node/events.ts'
import { weightFormatOf } from '../node/expectation.ts'
import type { Machine } from '../node/machine.ts'
import { ChunkLoader } from './chunkLoader.ts'
import type { InputStore } from './inputStore.ts'
import type { Log } from './log.ts'
import { type Arrival, UpdateFetcher } from './updateFetcher.ts'
import { UpdateServer } from './updateServer.ts'

/** What they work with. `heard` feeds what `author` has signed under a new ticket, and keeps what comes with it until the verdict. */
export interface UpdatesParts {
  readonly self: MemberId
  readonly transport: Transport
  readonly inputs: Pick<InputStore, 'read'>
  /** Null where the study is not known. */
  readonly formatOf: (study: StudyId) => WeightFormat | null
  readonly heard: (author: MemberId, make: (ticket: Ticket) => Heard) => void
  readonly feed: (event: NodeEvent) => void
  readonly log: Log
}

/** How an update came here. */
type Way = Pick<Extract<NodeEvent, { type: 'update-heard' }>, 'ticket' | 'from' | 'cell'>

/** What the machine is told of an update, and what is kept if it accepts. */
export interface Heard {
  readonly event: Extract<NodeEvent, { type: 'update-heard' | 'update-announced' }>
  /** Null where there is nothing to keep, or the weights are yet to be fetched. */
  readonly arrival: Arrival | null
  readonly announced: { readonly update: Update; readonly message: Uint8Array } | null
}

/** One per daemon. */
export class Updates {
  readonly #parts: UpdatesParts
  readonly #shelf = new Shelf()
  readonly #server = new UpdateServer(this.#shelf)
  readonly #fetcher: UpdateFetcher

  constructor(parts: UpdatesParts) {
    this.#parts = parts
    const { transport, inputs, formatOf, feed, log, self } = parts
    const onFault = (peer: MemberId, code: string): void =>
      feed({ type: 'malformed-heard', ticket: null, from: peer, code, blame: 'reject' })
    const shared = { transport, shelf: this.#shelf, server: this.#server }
    this.#fetcher = new UpdateFetcher({
      ...{ ...shared, inputs, formatOf, verify, feed, log },
      loader: new ChunkLoader({ ...shared, seed: `${self} ${Date.now()}`, onFault }),
      arrived: (arrival) => {
        const { author } = arrival.update.header
        parts.heard(author, (ticket) => this.#complete({ ticket, from: author, cell: 'fetched' }, arrival))
      },
      take: (update, message, from) =>
        parts.heard(update.header.author, (ticket) =>
          this.hear({ ticket, from, cell: 'fetched' }, update, message, true),
        ),
    })
  }

  /** Answers what others ask. */
  serve(): Promise<void> {
    return this.#server.serve(this.#parts.transport)
  }

  /**
   * What a message tells. One whose header or signature is reason enough to refuse it is not read further. Errors, blaming the author:
   * those of `decodePayload`.
   */
  hear(way: Way, update: Update, message: Uint8Array, signatureValid: boolean): Heard {
    const { header, body } = update
    const format = this.#parts.formatOf(header.study)
    const announce = (payloadBytes: number): Heard => ({
      event: { type: 'update-announced', ...way, header, payloadBytes, signatureValid },
      arrival: null,
      announced: { update, message },
    })
    if (body.manifest !== null) return announce(body.manifest.payloadBytes)
    if (!signatureValid || format === null || !isReadable(header, format))
      return {
        event: { type: 'update-heard', ...way, header, facts: unread(signatureValid) },
        ...{ arrival: null, announced: null },
      }
    const { study, author, reference } = header
    const against = reference === null ? null : this.#shelf.keyframe(study, author, reference)
    if (reference !== null && against === null) return announce(body.payload.length)
    const weights = decodePayload(header.coding, body.payload, format, against)
    return this.#complete(way, { update, message, weights, payload: null })
  }

  /** Accepted: its weights are fetched next. */
  expect({ update, message }: NonNullable<Heard['announced']>): void {
    this.#fetcher.expect(update, message)
  }

  /** As `UpdateFetcher.partsOf`. */
  partsOf(study: StudyId, author: MemberId, digest: Digest): Parts | null {
    return this.#fetcher.partsOf(study, author, digest)
  }

  /** Keeps what was accepted, or is the own, to be served. */
  keep({ update, message, weights, payload }: Arrival): void {
    const { header } = update
    const isKeyframe = header.coding === CODING.float16 && this.#parts.formatOf(header.study)?.coding.kind === 'top-k'
    this.#shelf.put({ message, header, payload, keyframe: isKeyframe ? weights : null })
    if (payload !== null) this.#server.changed(payload.id)
  }

  /** Refused: what was fetched of it is served no more. */
  refuse({ payload }: Arrival): void {
    if (payload !== null) this.#shelf.end(payload.id)
  }

  /** Serves these no more, from the next chunk on. */
  withhold(action: Extract<Action, { type: 'withhold' }>): void {
    for (const id of this.#shelf.withhold(action)) this.#server.changed(id)
  }

  /** The machine merges these no more: others are not told of them either. */
  retire({ study, digests }: Extract<Action, { type: 'forget' }>): void {
    this.#shelf.retire(study, digests, this.#parts.self)
  }

  /** Carries out what the machine wants of updates. */
  carryOut(action: Extract<Action, { type: 'fetch-update' | 'ask-updates' }>, stopping: AbortSignal): Promise<void> {
    return action.type === 'fetch-update' ? this.#fetcher.fetch(action, stopping) : this.#fetcher.ask(action, stopping)
  }

  #complete(way: Way, arrival: Arrival): Heard {
    const { header } = arrival.update
    const facts = inspectWeights(header, arrival.weights, true)
    return { event: { type: 'update-heard', ...way, header, facts }, arrival, announced: null }
  }
}

/** Else the machine refuses it by its header. */
function isReadable({ coding, reference, parameters }: UpdateHeader, format: WeightFormat): boolean {
  return parameters === format.parameters && allows(format.coding, coding) && isDelta(coding) === (reference !== null)
}

/** How the updates of a study are written; null where the machine does not know it. */
export function formatIn(machine: Machine, id: StudyId): WeightFormat | null {
  const study = machine.study(id)
  return study === null ? null : weightFormatOf(study)
}
