/** One start of one simulated node: the machine with virtual time, the modelled network and a disk around it. */

import { ConsiliumError, exhaustive, invariant } from '../src/core/errors.ts'
import type { MemberId, StudyId } from '../src/core/ids.ts'
import { Rng } from '../src/core/rng.ts'
import type { Dataset } from '../src/data/dataset.ts'
import type { Update } from '../src/gossip/update.ts'
import { factsOf } from '../src/governance/facts.ts'
import { extend, rootAt } from '../src/ledger/chain.ts'
import { rootOf } from '../src/ledger/head.ts'
import type { Action, Draft } from '../src/node/actions.ts'
import type { LogSize, NodeEvent, Ticket } from '../src/node/events.ts'
import { Machine } from '../src/node/machine.ts'
import type { StoredCheckpoint } from '../src/training/storedCheckpoint.ts'
import { type Job, Trainer } from '../src/training/trainer.ts'
import { WeightStore } from '../src/training/weightStore.ts'
import { bootedEvent } from './booted.ts'
import type { Disk } from './disk.ts'
import { saltOf } from './identity.ts'
import type { Port } from './network.ts'
import { takeFrames } from './replication.ts'
import type { ShellParts } from './shellParts.ts'
import { prepare, type Sent } from './updateMessage.ts'
import { cosign, finalsBeyond } from './witness.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

interface Waiting {
  readonly tag: string
  readonly drafts: readonly Draft[]
  readonly stored: StoredCheckpoint | null
}

export class NodeShell implements Port {
  readonly #parts: ShellParts<NodeShell>
  readonly #machine = new Machine()
  readonly #weights = new WeightStore()
  readonly #trainer: Trainer
  readonly #rng: Rng
  readonly member: MemberId
  readonly #queue: NodeEvent[] = []
  readonly #pending = new Map<Ticket, Update | null>()
  readonly #answers: { readonly ticket: Ticket; readonly code: string | null }[] = []
  #stepping = false
  #waiting: Waiting[] = []
  #busyUntilMs = 0
  #wakeAtMs = Number.POSITIVE_INFINITY
  #wakes = 0
  #tickets = 0
  #published = 0
  #weightsMost = 0
  #dead = false

  constructor(parts: ShellParts<NodeShell>) {
    this.#parts = parts
    this.member = parts.identities.memberOf(parts.node)
    this.#rng = Rng.from('netsim', parts.seed, 'node', parts.node, parts.start)
    const trainer = {
      learner: parts.learner,
      weights: this.#weights,
      loadDataset: async (study: StudyId) => parts.tables[parts.disk.bindings.get(study)?.version ?? 0] as Dataset,
      study: (id: StudyId) => {
        const state = this.#machine.view().studies.find((one) => one.state.id === id)?.state
        invariant(state?.scaling, 'a permit names a study whose scaling is frozen')
        return { study: state.study, scaling: state.scaling.scaling }
      },
      headSalt: new Uint8Array(0), // heads here are nobody's secret, and runs must not differ
      tell: () => undefined,
    }
    this.#trainer = new Trainer(trainer, [...parts.disk.checkpoints.values()])
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
    this.#parts.network.attach(this.#parts.node, this)
  }

  /** The power goes: nothing that was planned happens, and what was not durable is gone. */
  crash(): void {
    this.#dead = true
    this.#parts.network.detach(this.#parts.node)
  }

  /** Takes an event; what its actions feed at once waits its turn. */
  feed(event: NodeEvent): void {
    if (this.#dead) return
    this.#queue.push(event)
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
  hearHead(note: Uint8Array | null, from: MemberId, asks: boolean): void {
    if (note !== null) this.#hearHead(note, from, this.#tickets++, asks)
  }

  /** Evidence of two histories; it is kept, told to the machine, and passed on once. */
  hearFork(author: MemberId, size: number): void {
    const { disk, network, node } = this.#parts
    if (author === this.member || disk.forks.has(author)) return
    disk.forks.add(author)
    this.feed({ type: 'fork-proven', author, size })
    network.broadcast(node, (port) => port.hearFork(author, size))
  }

  /** What a witness cosigned. */
  hearCosigned(logs: readonly LogSize[], from: MemberId): void {
    const ticket = this.#tickets++
    this.#pending.set(ticket, null)
    this.feed({ type: 'cosigned-heard', ticket, from, logs, valid: true })
  }

  /** An update on the study's topic. */
  hearUpdate({ update, facts }: Sent, from: MemberId): void {
    const ticket = this.#tickets++
    this.#pending.set(ticket, facts.digestMatches ? update : null)
    this.feed({ type: 'update-heard', ticket, from, header: update.header, facts })
  }

  /** A message that no codec could read. */
  hearMalformed(from: MemberId, error: ConsiliumError): void {
    const ticket = this.#tickets++
    this.#pending.set(ticket, null)
    this.feed({ type: 'malformed-heard', ticket, from, code: error.code, blame: error.blame ?? 'reject' })
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
        return this.#record(action)
      case 'announce-head':
      case 'ask-cosign':
        return this.#tellHead(action.type === 'ask-cosign')
      case 'cosign':
        return this.#cosign(action.log)
      case 'announce-cosigned':
        return this.#parts.network.broadcast(this.#parts.node, (port) => port.hearCosigned(action.logs, this.member))
      case 'keep-final':
        return disk.keepFinal(action.log)
      case 'ask-heads':
        return this.#askHeads(action.peer)
      case 'replicate':
        return this.#replicate(action)
      case 'keep-fork':
        return this.hearFork(action.author, action.size)
      case 'verdict':
        return this.#settle(action)
      case 'open-study':
        return this.#learn(action.permit.study, 0, this.#between(timing.openMs), this.#trainer.open(action))
      case 'train':
        return this.#learn(
          action.permit.study,
          action.round,
          this.#between(timing.trainMs),
          this.#trainer.train(action),
        )
      case 'merge':
        return this.#learn(action.permit.study, action.round, timing.mergeMs, this.#trainer.merge(action))
      case 'evaluate':
        return this.#learn(action.permit.study, action.round, timing.evaluateMs, this.#trainer.evaluate(action))
      case 'publish-update':
        return this.#publish(action)
      case 'forget':
        return this.#weights.forget(action.study, action.digests)
      case 'answer':
        this.#answers.push({ ticket: action.ticket, code: action.error?.code ?? null })
        return
      case 'halt':
        return this.#parts.onEnd(action.code)
      case 'stopped':
        return this.#parts.onEnd('stopped')
      case 'examine-fork':
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

  #record({ tag, drafts, checkpoint }: Of<'record'>): void {
    const stored = checkpoint === null ? null : this.#trainer.stored(checkpoint)
    if (this.#waiting.length === 0) this.#later(this.#parts.timing.commitMs, () => this.#commit())
    this.#waiting.push({ tag, drafts, stored })
  }

  /** Group commit: all that waits, with its state, is durable at once, then reported. */
  #commit(): void {
    const { disk, node, seed, identities, onCommit } = this.#parts
    const taken = this.#waiting
    this.#waiting = []
    onCommit('before')
    if (this.#dead) return
    const drafts = taken.flatMap((waiting) => waiting.drafts)
    const written = []
    while (written.length < drafts.length) {
      const rest = drafts.slice(written.length)
      const { tip: before } = disk.log(this.member)
      const salts = rest.map((_, i) => saltOf(seed, node, before.size + i))
      const { entries, tip } = extend(before, rest, salts, disk.lamport)
      disk.append(tip, entries, identities.signHead(node, tip.size, rootAt(tip)))
      written.push(...entries)
    }
    this.#parts.second?.commit(drafts)
    for (const { stored } of taken) if (stored !== null) disk.keep(stored)
    onCommit('after')
    const tags = taken.map(({ tag }) => tag)
    this.feed({ type: 'committed', log: disk.sizeOf(this.member), tags, facts: factsOf(written, this.member) })
  }

  #tellHead(asks: boolean): void {
    const { network, node, disk, second } = this.#parts
    const [note, other] = [disk, second?.disk ?? disk].map((one) => one.note(this.member))
    const noteFor = (member: MemberId) => (second?.fools(member) ? other : note)
    network.broadcast(node, (port) => port.hearHead(noteFor(port.member) ?? null, this.member, asks))
  }

  #cosign(log: LogSize): void {
    this.#later(this.#parts.timing.commitMs, () => {
      const code = cosign(this.#parts.disk, log)
      this.feed(code === null ? { type: 'cosigned', log } : { type: 'cosign-refused', author: log.author, code })
    })
  }

  #askHeads(peer: MemberId): void {
    const { network, node, disk } = this.#parts
    const ask = (port: NodeShell) => ({
      notes: port.diskFor(this.member).notes(),
      finals: finalsBeyond(port.disk, disk.finals),
    })
    network.request(node, this.#numberOf(peer), ask, (told) => {
      if (told === null) return
      for (const note of told.notes) this.#hearHead(note, peer, null, false)
      this.feed({ type: 'heads-told', from: peer })
      for (const log of told.finals) {
        disk.keepFinal(log)
        this.feed({ type: 'final-kept', log })
      }
    })
  }

  #hearHead(note: Uint8Array, from: MemberId, ticket: Ticket | null, asks: boolean): void {
    const { head, signatureValid } = this.#parts.identities.readHead(note)
    if (this.#parts.second !== null && head.author === this.member) return // it knows that it lies
    const log = { author: head.author, size: head.size, root: rootOf(head) }
    if (ticket !== null) this.#pending.set(ticket, null)
    this.feed({ type: 'head-heard', ticket, from, log, signatureValid, asks })
  }

  /** Each frame is verified and stored by itself; a fetch ends at what was wanted, or fails. */
  #replicate({ author, peer, to }: Of<'replicate'>): void {
    const { network, node, disk } = this.#parts
    const from = disk.log(author).tip.size
    network.request(
      node,
      this.#numberOf(peer),
      (port) => port.diskFor(this.member).frames(author, from),
      (frames) => {
        if (this.#dead) return
        const fault =
          frames === null
            ? 'stream-failed'
            : takeFrames(this.#parts, { self: this.member, author, peer, frames, feed: (event) => this.feed(event) })
        const short = disk.log(author).tip.size < to ? 'range-short' : null
        const code = fault ?? short
        if (code === null) return
        this.feed({
          type: 'replication-failed',
          author,
          from: peer,
          code,
          blame: code.startsWith('range-') && code !== 'range-short',
        })
      },
    )
  }

  #settle({ ticket, verdict }: Of<'verdict'>): void {
    invariant(this.#pending.has(ticket), `ticket ${ticket} gets one verdict`)
    const update = this.#pending.get(ticket) ?? null
    this.#pending.delete(ticket)
    if (verdict === 'accept' && update !== null) this.#weights.put(update.header.study, update.weights)
  }

  #publish({ header }: Of<'publish-update'>): void {
    const { network, node, identities, lies } = this.#parts
    const weights = this.#weights.get(header.study, header.digest)
    const lie = lies[this.#published++ % Math.max(1, lies.length)] ?? null
    const sent = prepare(identities, node, { header, weights }, lie)
    if (sent instanceof ConsiliumError) network.broadcast(node, (port) => port.hearMalformed(this.member, sent))
    else network.broadcast(node, (port) => port.hearUpdate(sent, this.member))
  }

  /** The learner does one thing after the other. */
  #learn(study: StudyId, round: number, durationMs: number, job: Job): void {
    const { clock } = this.#parts
    this.#busyUntilMs = Math.max(this.#busyUntilMs, clock.now) + durationMs
    this.#later(this.#busyUntilMs - clock.now, async () => {
      let event: NodeEvent
      try {
        event = await job()
      } catch (error) {
        if (!(error instanceof ConsiliumError)) throw error
        event = { type: 'learner-failed', study, round, code: error.code }
      }
      this.feed(event)
    })
  }

  #later(delayMs: number, task: () => void | Promise<void>): void {
    this.#parts.clock.after(delayMs, () => (this.#dead ? undefined : task()))
  }

  #between([min, max]: readonly [number, number]): number {
    return min + this.#rng.below(Math.floor(max - min) + 1)
  }

  #numberOf(member: MemberId): number {
    return this.#parts.identities.members.indexOf(member)
  }
}
