/** One start of one simulated node: the machine with virtual time, the modelled network and a disk around it. */

import { toHex } from '../src/core/bytes.ts'
import { ConsiliumError, exhaustive, invariant } from '../src/core/errors.ts'
import type { MemberId, StudyId } from '../src/core/ids.ts'
import { Rng } from '../src/core/rng.ts'
import type { Dataset } from '../src/data/dataset.ts'
import type { Update } from '../src/gossip/update.ts'
import { factsOf } from '../src/governance/facts.ts'
import { acceptanceMessage } from '../src/governance/founding.ts'
import type { Learner } from '../src/learn/learner.ts'
import { advance, extend, rootAt } from '../src/ledger/chain.ts'
import { rootOf } from '../src/ledger/head.ts'
import type { Action, Draft } from '../src/node/actions.ts'
import type { NodeEvent, Ticket } from '../src/node/events.ts'
import { Machine } from '../src/node/machine.ts'
import type { StoredCheckpoint } from '../src/training/storedCheckpoint.ts'
import { type Job, Trainer } from '../src/training/trainer.ts'
import { WeightStore } from '../src/training/weightStore.ts'
import type { Clock } from './clock.ts'
import type { Disk, Frame } from './disk.ts'
import type { Identities } from './identity.ts'
import type { Lie } from './liar.ts'
import type { Network, Port } from './network.ts'
import type { Timing } from './timing.ts'
import type { Step } from './trace.ts'
import { prepare, type Sent } from './updateMessage.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

/** What one start of a node is made of. */
export interface ShellParts {
  readonly node: number
  /** 0 the first time. */
  readonly start: number
  readonly seed: string
  readonly identities: Identities
  readonly clock: Clock
  readonly network: Network<NodeShell>
  readonly disk: Disk
  readonly learner: Learner
  /** The node's tables: the first one, and what is bound in its place later. */
  readonly tables: readonly Dataset[]
  readonly timing: Timing
  readonly lies: readonly Lie[]
  readonly onStep: (step: Step) => void
  /** Called around each durable write of own entries; may crash the node. */
  readonly onCommit: (side: 'before' | 'after') => void
  /** The machine asked for an end. */
  readonly onEnd: (why: string) => void
}

interface Waiting {
  readonly tag: string
  readonly drafts: readonly Draft[]
  readonly stored: StoredCheckpoint | null
}

export class NodeShell implements Port {
  readonly #parts: ShellParts
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

  constructor(parts: ShellParts) {
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

  /** The most weights that were in memory at one time. */
  get weightsMost(): number {
    return this.#weightsMost
  }

  /** Answers to the operator's commands, in order. */
  get answers(): readonly { readonly ticket: Ticket; readonly code: string | null }[] {
    return this.#answers
  }

  boot(): void {
    const { identities, disk, node } = this.#parts
    this.feed({
      type: 'booted',
      self: this.member,
      founding: identities.founding,
      members: identities.members,
      software: '0.0.0-netsim',
      logs: disk.sizes(),
      facts: disk.facts(this.member),
      checkpoints: [...disk.checkpoints.values()].map(({ checkpoint }) => checkpoint),
      datasets: [...disk.bindings.values()].map(({ bound }) => bound),
      acceptance: identities.sign(node, acceptanceMessage(identities.founding)),
    })
    this.#parts.network.attach(node, this)
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

  /** A head on the gossip topic. */
  hearHead(note: Uint8Array, from: MemberId): void {
    this.#hearHead(note, from, this.#tickets++)
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
    const { clock, node, start, onStep } = this.#parts
    const actions = this.#machine.step(event, clock.now)
    onStep({ now: clock.now, node, start, event, actions })
    let wakeAtMs = Number.POSITIVE_INFINITY
    for (const action of actions) {
      if (this.#dead) return
      this.#weightsMost = Math.max(this.#weightsMost, this.#weights.size)
      if (action.type === 'wake') wakeAtMs = action.atMs
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
        return this.#announce()
      case 'ask-heads':
        return this.#askHeads(action.peer)
      case 'replicate':
        return this.#replicate(action)
      case 'keep-fork':
        disk.forks.add(action.author)
        return
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
    for (const { stored } of taken) if (stored !== null) disk.keep(stored)
    onCommit('after')
    const tags = taken.map(({ tag }) => tag)
    this.feed({ type: 'committed', log: disk.sizeOf(this.member), tags, facts: factsOf(written, this.member) })
  }

  #announce(): void {
    const note = this.#parts.disk.note(this.member)
    if (note !== null) this.#parts.network.broadcast(this.#parts.node, (port) => port.hearHead(note, this.member))
  }

  #askHeads(peer: MemberId): void {
    const { network, node } = this.#parts
    const ask = (port: NodeShell) => [...port.disk.logs().values()].flatMap(({ heads }) => heads.at(-1)?.note ?? [])
    network.request(node, this.#numberOf(peer), ask, (notes) => {
      for (const note of notes ?? []) this.#hearHead(note, peer, null)
    })
  }

  #hearHead(note: Uint8Array, from: MemberId, ticket: Ticket | null): void {
    const { head, signatureValid } = this.#parts.identities.readHead(note)
    const log = { author: head.author, size: head.size, root: rootOf(head) }
    if (ticket !== null) this.#pending.set(ticket, null)
    this.feed({ type: 'head-heard', ticket, from, log, signatureValid })
  }

  /** Each frame is verified and stored by itself; a fetch ends at what was wanted, or fails. */
  #replicate({ author, peer, to }: Of<'replicate'>): void {
    const { network, node, disk } = this.#parts
    const from = disk.log(author).tip.size
    network.request(
      node,
      this.#numberOf(peer),
      (port) => port.disk.frames(author, from),
      (frames) => {
        if (this.#dead) return
        const fault = frames === null ? 'stream-failed' : this.#take(author, peer, frames)
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

  #take(author: MemberId, peer: MemberId, frames: readonly Frame[]): string | null {
    const { disk, identities } = this.#parts
    for (const { from, raws, note } of frames) {
      const { tip } = disk.log(author)
      if (from !== tip.size) return 'stream-failed' // another fetch was quicker
      const { head, signatureValid } = identities.readHead(note)
      const result = advance(tip, raws)
      if (!result.ok) return result.code
      const fits = signatureValid && head.author === author && head.size === result.tip.size
      if (!fits || toHex(rootAt(result.tip)) !== rootOf(head)) return 'range-root'
      disk.append(result.tip, result.entries, note)
      this.feed({
        type: 'replicated',
        log: disk.sizeOf(author),
        from: peer,
        facts: factsOf(result.entries, this.member),
      })
    }
    return null
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

function saltOf(seed: string, node: number, seq: number): Uint8Array {
  const rng = Rng.from('netsim salt', seed, node, seq)
  return Uint8Array.from({ length: 32 }, () => rng.below(256))
}
