/**
 * How a simulated node fetches updates: the real swarm decides whom to ask for which chunks, in virtual time over the modelled streams. The
 * bytes themselves are shared by all nodes, so that only what each has is kept.
 */
import type { Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import type { Rng } from '../../src/core/rng.ts'
import { Bitfield } from '../../src/gossip/bitfield.ts'
import { isDelta, type WeightFormat } from '../../src/gossip/coding/coding.ts'
import { type Manifest, payloadId } from '../../src/gossip/manifest.ts'
import { isBounded, type Parts, partsHere } from '../../src/gossip/partial.ts'
import { Ration } from '../../src/gossip/ration.ts'
import { type ChunkRequest, Swarm } from '../../src/gossip/swarm.ts'
import type { UpdateHeader } from '../../src/gossip/update.ts'
import { Waiters } from '../../src/gossip/waiters.ts'
import { Withheld, type Withholding } from '../../src/gossip/withheld.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Clock } from '../clock.ts'
import type { Identities } from './identity.ts'
import type { Network, Port } from './network.ts'
import type { Sent } from './updateMessage.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

const HELD_BYTES = 40 // which payload, and a bit for each of some chunks

/** Another node, as far as it answers. */
export interface Sharing extends Port {
  readonly updates: UpdateFetching<Sharing>
}

/** What it works with; `hear` takes an update as if it were heard. */
export interface UpdateFetchingParts {
  readonly node: number
  readonly network: Network<Sharing>
  readonly identities: Identities
  readonly clock: Clock
  readonly rng: Rng
  readonly feed: (event: NodeEvent) => void
  /** How the updates of a study that runs are written. */
  readonly formatOf: (study: StudyId) => WeightFormat
  readonly hear: (sent: Sent, from: MemberId) => void
  readonly arrived: (sent: Sent) => void
  readonly isDead: () => boolean
}

/** What is here of one payload. */
interface Holding {
  readonly chunkBytes: number
  readonly have: Bitfield
  readonly ration: Ration
  /** The updates here that name it. */
  readonly named: UpdateHeader[]
}

/** One per start of a node. */
export class UpdateFetching<P extends Sharing = Sharing> {
  readonly #parts: UpdateFetchingParts
  readonly #swarm: Swarm
  /** The newest accepted update of each author of a study. */
  readonly #newest = new Map<string, Sent>()
  /** Which of them are too old to be merged here. */
  readonly #retired = new Set<Digest>()
  /** The newest update of each author that is no delta. */
  readonly #keyframes = new Map<string, Digest>()
  readonly #holdings = new Map<Digest, Holding>()
  /** Accepted announcements, until they are fetched or a newer one takes their place. */
  readonly #expected = new Map<string, Sent>()
  /** What was wanted last of each author of a study. */
  readonly #running = new Map<string, Sent>()
  readonly #waiters = new Waiters<Sent>()
  readonly #withheld = new Withheld()
  #wakes = 0

  constructor(parts: UpdateFetchingParts) {
    this.#parts = parts
    this.#swarm = new Swarm(parts.rng)
  }

  /** Whether its weights can be read as it comes. */
  isWhole({ update }: Sent): boolean {
    const { header, body } = update
    return body.manifest === null && this.#isReadable(header)
  }

  expect(sent: Sent): void {
    const { study, author } = sent.update.header
    this.#expected.set(keyOf(study, author), sent)
    const before = this.#running.get(keyOf(study, author))?.update.body.manifest
    if (before != null) this.#swarm.hurry(payloadId(before))
  }

  /** Accepted, or its own. */
  keep(sent: Sent): void {
    const { header, body } = sent.update
    const key = keyOf(header.study, header.author)
    this.#retired.delete(this.#newest.get(key)?.update.header.digest as Digest)
    this.#newest.set(key, sent)
    if (!isDelta(header.coding)) this.#keyframes.set(key, header.digest)
    if (body.manifest !== null) this.#hold(body.manifest, true).named.push(header)
  }

  /** Nobody is told of these any more. */
  retire({ digests }: Of<'forget'>): void {
    const self = this.#parts.identities.memberOf(this.#parts.node)
    for (const { update } of this.#newest.values()) {
      const { author, digest } = update.header
      if (author !== self && digests.includes(digest)) this.#retired.add(digest)
    }
  }

  fetch({ study, author, digest }: Of<'fetch-update'>): void {
    const sent = this.#expected.get(keyOf(study, author))
    if (sent?.update.header.digest !== digest) return
    const { header, body } = sent.update
    this.#leave(keyOf(study, author))
    this.#running.set(keyOf(study, author), sent)
    const { manifest } = body
    if (manifest === null) return this.#fetchKeyframe(sent)
    const id = payloadId(manifest)
    const { have } = this.#hold(manifest, false)
    if (have.isFull) return this.#fetchKeyframe(sent)
    const isFirst = this.#waiters.join(id, sent)
    this.#swarm.want(id, header.author, have, this.#now)
    if (isFirst) for (const peer of this.#parts.network.peersOf(this.#parts.node)) this.#listen(peer, id)
    this.#advance()
  }

  /** Those who listen are told. */
  withhold(withholding: Withholding): void {
    this.#withheld.set(withholding)
    for (const [id, { named }] of this.#holdings)
      if (named.some(({ study }) => study === withholding.study)) this.#tell(id)
  }

  /** What is fetched there is not wanted any more. */
  #leave(key: string): void {
    const sent = this.#running.get(key)
    this.#running.delete(key)
    const manifest = sent?.update.body.manifest
    if (sent === undefined || manifest == null) return
    const id = payloadId(manifest)
    if (this.#waiters.leave(id, sent)) this.#end(id)
  }

  /** Each message that is newer than what is here comes as if heard. */
  ask({ study, peer }: Of<'ask-updates'>): void {
    const { network, node, identities, hear, feed, isDead } = this.#parts
    const known = new Map([...this.#newest].map(([key, { update }]) => [key, update.header.round]))
    const newer = (port: P): Sent[] =>
      [...port.updates.#newest].flatMap(([key, sent]) =>
        port.updates.#isNewer(sent, study, known.get(key) ?? -1) ? [sent] : [],
      )
    const bytesOf = (sents: readonly Sent[]): number => sents.reduce((sum, { bytes }) => sum + bytes, 0)
    network.request(node, identities.members.indexOf(peer), newer as (port: Sharing) => Sent[], bytesOf, (sents) => {
      if (isDead()) return
      for (const sent of sents ?? []) hear(sent, peer)
      feed({ type: 'updates-told', study, from: peer })
    })
  }

  /** What can be read now of an update that is being fetched; null where nothing can. */
  partsOf(study: StudyId, author: MemberId, digest: Digest): Parts | null {
    const sent = this.#running.get(keyOf(study, author))
    const { manifest } = sent?.update.body ?? { manifest: null }
    if (sent?.update.header.digest !== digest || manifest === null) return null
    const holding = this.#holdings.get(payloadId(manifest))
    const format = this.#parts.formatOf(study)
    const here = holding === undefined ? null : partsHere(sent.update.header, manifest, holding.have, format)
    if (here === null) return null
    const parts = { ...here, weights: sent.weights }
    return isBounded(parts) ? parts : null
  }

  #isNewer({ update: { header } }: Sent, study: StudyId, round: number): boolean {
    const isTold = !this.#withheld.has(header) && !this.#retired.has(header.digest)
    return header.study === study && header.round > round && isTold
  }

  #isReadable({ study, author, reference }: UpdateHeader): boolean {
    return reference === null || this.#keyframes.get(keyOf(study, author)) === reference
  }

  get #now(): number {
    return this.#parts.clock.elapsedMs
  }

  #hold(manifest: Manifest, whole: boolean): Holding {
    const id = payloadId(manifest)
    const { length } = manifest.chunks
    const before = this.#holdings.get(id)
    if (before !== undefined && (!whole || before.have.isFull)) return before
    const have = whole ? Bitfield.full(length) : new Bitfield(length)
    const [ration, named] = [before?.ration ?? new Ration(length), before?.named ?? []]
    const holding = { chunkBytes: manifest.chunkBytes, have, ration, named }
    this.#holdings.set(id, holding)
    return holding
  }

  /** Asks what a peer has, and is told of what comes later. */
  #listen(peer: number, id: Digest): void {
    const { network, node } = this.#parts
    const held = (port: Sharing): Uint8Array | null => port.updates.#shown(id)
    network.request(
      node,
      peer,
      held,
      (bits) => (bits === null ? 0 : HELD_BYTES),
      (bits) => this.#hear(peer, id, bits),
    )
  }

  #hear(peer: number, id: Digest, bits: Uint8Array | null): void {
    if (bits === null || this.#parts.isDead()) return
    this.#swarm.heard(this.#parts.identities.memberOf(peer), id, bits)
    this.#advance()
  }

  #advance(): void {
    const now = this.#now
    for (const id of this.#swarm.overdue(now)) this.#fail(id, 'update-unserved')
    for (const request of this.#swarm.next(now)) this.#ask(request)
    const atMs = this.#swarm.wakeAtMs(now)
    if (atMs === null) return
    const wish = ++this.#wakes
    this.#parts.clock.after(Math.max(1, Math.ceil(atMs - now)), () => {
      if (wish === this.#wakes && !this.#parts.isDead()) this.#advance()
    })
  }

  #ask(request: ChunkRequest): void {
    const { network, node, identities } = this.#parts
    const { peer, id, wanted, count, first } = request
    const number = identities.members.indexOf(peer)
    const give = (port: Sharing): number[] => port.updates.#give(id, wanted, count, first)
    const bytesOf = (chunks: readonly number[]): number => this.#bytesOf(id, chunks)
    network.request(node, number, give, bytesOf, (chunks) => {
      if (this.#parts.isDead()) return
      for (const index of chunks ?? []) this.#take(id, index)
      this.#swarm.ended(request, chunks === null ? 'failed' : chunks.length, this.#now)
      if (chunks === null) this.#swarm.gone(peer)
      if (chunks === null && network.peersOf(node).includes(number)) this.#listen(number, id)
      this.#finish(id)
      this.#advance()
    })
  }

  #give(id: Digest, wanted: Bitfield, count: number, first: boolean): number[] {
    const holding = this.#holdings.get(id)
    const chunks: number[] = []
    const isServed = holding !== undefined && !this.#withheld.hasAll(holding.named)
    for (let given = 0; isServed && given < count; given++) {
      const index = holding.ration.give(holding.have, wanted, first)
      if (index === null) break
      wanted.clear(index)
      chunks.push(index)
    }
    return chunks
  }

  #take(id: Digest, index: number): void {
    const holding = this.#holdings.get(id)
    if (holding === undefined || holding.have.has(index)) return
    holding.have.set(index)
    this.#swarm.received(id, index, this.#now)
    this.#tell(id)
  }

  /** What others may be given of it now, as bits; null where it is not here. */
  #shown(id: Digest): Uint8Array | null {
    const holding = this.#holdings.get(id)
    if (holding === undefined) return null
    return this.#withheld.hasAll(holding.named) ? new Bitfield(holding.have.length).bytes : holding.have.bytes.slice()
  }

  #tell(id: Digest): void {
    const { network, node } = this.#parts
    for (const peer of network.peersOf(node)) {
      const tell = (port: Sharing): void => port.updates.#hear(node, id, this.#shown(id))
      network.request(
        node,
        peer,
        tell,
        () => 0,
        () => undefined,
      )
    }
  }

  #finish(id: Digest): void {
    if (!this.#holdings.get(id)?.have.isFull) return
    this.#swarm.drop(id)
    for (const sent of this.#waiters.settle(id)) this.#fetchKeyframe(sent)
  }

  /** A delta is read against its author's keyframe, which whoever has it sends. */
  #fetchKeyframe(sent: Sent, tried = 0): void {
    const { network, node, arrived, isDead } = this.#parts
    const { header } = sent.update
    const { reference, parameters } = header
    if (reference === null || this.#isReadable(header)) return arrived(sent)
    const peer = network.peersOf(node)[tried]
    if (peer === undefined) return this.#failed(sent, 'keyframe-unserved')
    const keyframe = { ...header, digest: reference }
    const has = ({ updates }: Sharing): boolean => updates.#isReadable(header) && !updates.#withheld.has(keyframe)
    network.request(
      node,
      peer,
      has,
      (found) => (found ? 2 * parameters : 0),
      (found) => {
        if (isDead()) return
        if (found === true) this.#keyframes.set(keyOf(header.study, header.author), reference)
        this.#fetchKeyframe(sent, tried + 1)
      },
    )
  }

  #fail(id: Digest, code: string): void {
    this.#end(id)
    for (const sent of this.#waiters.settle(id)) this.#failed(sent, code)
  }

  #failed({ update }: Sent, code: string): void {
    const { study, author, round, digest } = update.header
    this.#parts.feed({ type: 'fetch-failed', study, author, round, digest, code, blame: false })
  }

  #end(id: Digest): void {
    this.#swarm.drop(id)
    this.#holdings.delete(id)
  }

  #bytesOf(id: Digest, chunks: readonly number[]): number {
    return chunks.length * (this.#holdings.get(id)?.chunkBytes ?? 0)
  }
}

const keyOf = (study: StudyId, author: MemberId): string => `${study} ${author}`
