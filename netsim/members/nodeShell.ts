/** One start of one simulated node: the machine with virtual time, the modelled network and a disk around it. */

import { type ConsiliumError, exhaustive, invariant } from '../../src/core/errors.ts'
import type { Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import type { UpdateTopic } from '../../src/gossip/cells.ts'
import type { WeightFormat } from '../../src/gossip/coding/coding.ts'
import { rootOf } from '../../src/ledger/head.ts'
import type { Action } from '../../src/node/actions.ts'
import type { LogSize, NodeEvent, Ticket } from '../../src/node/events.ts'
import { weightFormatOf } from '../../src/node/expectation.ts'
import { Machine } from '../../src/node/machine.ts'
import { WeightStore } from '../../src/training/weightStore.ts'
import { bootedEvent } from './booted.ts'
import type { Disk } from './disk.ts'
import { EVIDENCE_BYTES, Fetching } from './fetching.ts'
import { keepFinal } from './forks.ts'
import { Learning } from './learning.ts'
import type { Port, Settle } from './network.ts'
import { Publishing } from './publishing.ts'
import type { ShellParts } from './shellParts.ts'
import { TOPICS } from './topics.ts'
import { traced } from './traced.ts'
import { UpdateFetching } from './updateFetching.ts'
import type { Sent } from './updateMessage.ts'
import { cosign } from './witness.ts'
import { Writer } from './writer.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

/** A message that waits for its verdict; `isAnnounced`: its weights are yet to be fetched. */
type Pending = { readonly sent: Sent | null; readonly isAnnounced: boolean; readonly settle: Settle }

export class NodeShell implements Port {
  readonly #parts: ShellParts<NodeShell>
  readonly #machine = new Machine()
  readonly #weights = new WeightStore()
  readonly #learning: Learning
  readonly #publishing: Publishing<NodeShell>
  readonly #writer: Writer
  readonly #fetching: Fetching<NodeShell>
  readonly updates: UpdateFetching
  readonly member: MemberId
  readonly #queue: NodeEvent[] = []
  readonly #pending = new Map<Ticket, Pending>()
  readonly #answers: { readonly ticket: Ticket; readonly code: string | null }[] = []
  #stepping = false
  #wakeAtMs = Number.POSITIVE_INFINITY
  #wakes = 0
  #tickets = 0
  #weightsMost = 0
  #dead = false

  constructor(parts: ShellParts<NodeShell>) {
    this.#parts = parts
    this.member = parts.identities.memberOf(parts.node)
    const { node, network, identities, disk } = parts
    this.#learning = new Learning(parts, this.#weights, {
      study: (id) => this.#studyOf(id),
      partsOf: (...update) => this.updates.partsOf(...update),
      later: (delayMs, task) => this.#later(delayMs, task),
      feed: (event) => this.feed(event),
    })
    this.#publishing = new Publishing<NodeShell>(parts, {
      self: this.member,
      machine: this.#machine,
      weights: this.#weights,
      trainer: this.#learning.trainer,
      keep: (sent) => this.updates.keep(sent),
    })
    this.#fetching = new Fetching<NodeShell>({
      self: this.member,
      node,
      network,
      identities,
      disk,
      feed: (event) => this.feed(event),
      hearHead: (note, from) => this.#hearHead(note, from, null, false),
      hearFork: (author, size) => this.hearFork(author, size),
      isDead: () => this.#dead,
    })
    this.updates = new UpdateFetching({
      ...{ node, network, identities, clock: parts.clock },
      rng: Rng.from('netsim', parts.seed, 'swarm', node, parts.start),
      formatOf: (study) => this.formatOf(study),
      feed: (event) => this.feed(event),
      hear: (sent, from) => this.hearUpdate(sent, 'fetched', from, () => undefined),
      arrived: (sent) => this.#heard(sent, 'fetched', sent.update.header.author, () => undefined),
      isDead: () => this.#dead,
    })
    this.#writer = new Writer(parts, this.member, {
      stored: (checkpoint) => this.#learning.trainer.stored(checkpoint),
      later: (delayMs, task) => this.#later(delayMs, task),
      feed: (event) => this.feed(event),
      isDead: () => this.#dead,
    })
  }

  get machine(): Machine {
    return this.#machine
  }

  get disk(): Disk {
    return this.#parts.disk
  }

  /** What it shows to another. */
  diskFor(member: MemberId): Disk {
    const { second, disk } = this.#parts
    return second?.fools(member) ? second.disk : disk
  }

  get weightsMost(): number {
    return this.#weightsMost
  }

  /** To the operator's commands, in order. */
  get answers(): readonly { readonly ticket: Ticket; readonly code: string | null }[] {
    return this.#answers
  }

  boot(): void {
    this.feed(bootedEvent(this.#parts, this.member))
    const { network, node } = this.#parts
    network.attach(node, this)
    network.join(node, TOPICS.heads)
    network.join(node, TOPICS.cosigned)
  }

  /** The power goes: nothing that was planned happens, and what was not durable is gone. */
  crash(): void {
    this.#dead = true
    this.#parts.network.detach(this.#parts.node)
  }

  /** Takes an event; what its actions feed at once waits its turn, and what an order holds back the rest of that. */
  feed(event: NodeEvent): void {
    if (this.#dead) return
    this.#queue.push(...(this.#parts.order?.take(event) ?? [event]))
    if (this.#stepping) return
    this.#stepping = true
    for (let next = this.#queue.shift(); next !== undefined && !this.#dead; next = this.#queue.shift()) this.#step(next)
    this.#stepping = false
  }

  /** Feeds an operator's command. */
  command(make: (ticket: Ticket) => NodeEvent): void {
    this.feed(make(this.#tickets++))
  }

  connected(peer: number): void {
    this.feed({ type: 'peer-connected', member: this.#parts.identities.memberOf(peer) })
  }

  disconnected(peer: number): void {
    this.feed({ type: 'peer-disconnected', member: this.#parts.identities.memberOf(peer) })
  }

  /** A head on the gossip topic, or one that its author asks to have cosigned. */
  hearHead(note: Uint8Array | null, from: MemberId, asks: boolean, settle: Settle): void {
    if (note !== null) this.#hearHead(note, from, this.#ticket(null, settle), asks)
  }

  /** Evidence of two histories; it is kept, told to the machine, and passed on once. */
  hearFork(author: MemberId, size: number): void {
    const { disk, network, node } = this.#parts
    if (author === this.member || disk.forks.has(author)) return
    disk.forks.add(author)
    this.feed({ type: 'fork-proven', author, size })
    network.broadcast(node, EVIDENCE_BYTES, (port) => port.hearFork(author, size))
  }

  /** What a witness cosigned. */
  hearCosigned(logs: readonly LogSize[], from: MemberId, settle: Settle): void {
    this.feed({ type: 'cosigned-heard', ticket: this.#ticket(null, settle), from, logs, valid: true })
  }

  /** An update on the study's topic, or on that of a cell, or told of by a peer. */
  hearUpdate(sent: Sent, cell: UpdateTopic, from: MemberId, settle: Settle): void {
    const { update, payloadBytes, facts } = sent
    if (this.updates.isWhole(sent)) return this.#heard(sent, cell, from, settle)
    const ticket = this.#ticket(sent, settle, true)
    const { signatureValid } = facts
    this.feed({ type: 'update-announced', ticket, from, header: update.header, payloadBytes, signatureValid, cell })
  }

  /** With its weights. */
  #heard(sent: Sent, cell: UpdateTopic, from: MemberId, settle: Settle): void {
    const { update, facts } = sent
    const ticket = this.#ticket(facts.digestMatches ? sent : null, settle)
    this.feed({ type: 'update-heard', ticket, from, header: update.header, facts, cell })
  }

  /** A message that no codec could read. */
  hearMalformed(from: MemberId, error: ConsiliumError, settle: Settle): void {
    const blame = error.blame ?? 'reject'
    this.feed({ type: 'malformed-heard', ticket: this.#ticket(null, settle), from, code: error.code, blame })
  }

  #ticket(sent: Sent | null, settle: Settle, isAnnounced = false): Ticket {
    const ticket = this.#tickets++
    this.#pending.set(ticket, { sent, isAnnounced, settle })
    return ticket
  }

  #step(event: NodeEvent): void {
    const { clock, node, start, onStep, skewMs } = this.#parts
    const actions = this.#machine.step(event, clock.now + skewMs)
    onStep({ now: clock.now + skewMs, node, start, event, actions })
    let wakeAtMs = Number.POSITIVE_INFINITY
    for (const action of actions) {
      if (this.#dead) return
      this.#weightsMost = Math.max(this.#weightsMost, this.#weights.size)
      if (action.type === 'wake') wakeAtMs = action.atMs - skewMs
      else this.#carryOut(action)
    }
    this.#schedule(wakeAtMs)
  }

  /** Only the newest wish counts, as with the daemon's one timer. */
  #schedule(atMs: number): void {
    if (atMs === this.#wakeAtMs) return
    this.#wakeAtMs = atMs
    const wish = ++this.#wakes
    if (!Number.isFinite(atMs)) return
    this.#later(atMs - this.#parts.clock.now, () => {
      if (wish !== this.#wakes) return
      this.#wakeAtMs = Number.POSITIVE_INFINITY
      this.feed({ type: 'woken' })
    })
  }

  #carryOut(action: Exclude<Action, { type: 'wake' }>): void {
    const { timing, disk } = this.#parts
    switch (action.type) {
      case 'record':
        return this.#writer.record(action)
      case 'announce-head':
      case 'ask-cosign':
        return this.#publishing.head(action.type === 'ask-cosign')
      case 'cosign':
        return this.#cosign(action.log)
      case 'announce-cosigned':
        return this.#publishing.cosigned(action.logs)
      case 'keep-final':
        keepFinal(disk, action.log, (event) => this.feed(event))
        return
      case 'ask-heads':
        return this.#fetching.askHeads(action.peer)
      case 'replicate':
        return this.#fetching.replicate(action)
      case 'keep-fork':
        return this.hearFork(action.author, action.size)
      case 'verdict':
        return this.#settle(action)
      case 'topics':
        return this.#publishing.follow(action)
      case 'trace':
        return this.#later(timing.commitMs, () => this.feed(traced(disk, action)))
      case 'consult-consent':
      case 'open-study':
      case 'train':
      case 'merge':
      case 'evaluate':
      case 'measure':
      case 'cross':
        return this.#learning.work(action)
      case 'publish-update':
        return this.#publishing.update(action.claims)
      case 'withhold':
        return this.updates.withhold(action)
      case 'fetch-update':
        return this.updates.fetch(action)
      case 'ask-updates':
        return this.updates.ask(action)
      case 'forget':
        this.updates.retire(action)
        return this.#weights.forget(action.study, action.digests)
      case 'answer':
        this.#answers.push({ ticket: action.ticket, code: action.error?.code ?? null })
        return
      case 'halt':
        return this.#parts.onEnd(action.code)
      case 'stopped':
        return this.#parts.onEnd('stopped')
      case 'examine-fork':
        return this.#fetching.examine(action)
      case 'forget-signed': // a simulated disk has no pin
      case 'admit': // nobody in a simulation proposes an epoch yet
      case 'open-slot':
      case 'vote':
      case 'disconnect': // the daemon's door closes for a while; here the peer stays, and its messages are refused one by one
      case 'tell':
        return
      default:
        exhaustive(action)
    }
  }

  #studyOf(id: StudyId) {
    const state = this.#machine.view().studies.find((one) => one.state.id === id)?.state
    invariant(state?.scaling, 'a permit names a study whose scaling is frozen')
    return { study: state.study, scaling: state.scaling.scaling }
  }

  #cosign(log: LogSize): void {
    this.#later(this.#parts.timing.commitMs, () => {
      const code = cosign(this.#parts.disk, log)
      this.feed(code === null ? { type: 'cosigned', log } : { type: 'cosign-refused', author: log.author, code })
    })
  }

  #hearHead(note: Uint8Array, from: MemberId, ticket: Ticket | null, asks: boolean): void {
    const { head, signatureValid } = this.#parts.identities.readHead(note)
    if (this.#parts.second !== null && head.author === this.member) return // it knows that it lies
    const log = { author: head.author, size: head.size, root: rootOf(head) }
    this.feed({ type: 'head-heard', ticket, from, log, signatureValid, asks })
  }

  #settle({ ticket, verdict }: Of<'verdict'>): void {
    const pending = this.#pending.get(ticket)
    invariant(pending !== undefined, `ticket ${ticket} gets one verdict`)
    const { sent, isAnnounced, settle } = pending
    this.#pending.delete(ticket)
    if (verdict === 'accept' && sent !== null) {
      if (isAnnounced) this.updates.expect(sent)
      else {
        this.#weights.put(sent.update.header.study, sent.weights)
        this.#parts.disk.keepUpdate(sent)
        this.updates.keep(sent)
      }
    }
    settle(verdict)
  }

  #later(delayMs: number, task: () => void | Promise<void>): void {
    this.#parts.clock.after(delayMs, () => (this.#dead ? undefined : task()))
  }

  /** How the updates of a study that runs here are written. */
  formatOf(study: StudyId): WeightFormat {
    return weightFormatOf(this.#studyOf(study).study)
  }

  /** Weights that it holds; null where it does not. */
  weightsOf(study: StudyId, digest: Digest): Float32Array | null {
    return this.#weights.has(study, digest) ? this.#weights.get(study, digest) : null
  }
}
