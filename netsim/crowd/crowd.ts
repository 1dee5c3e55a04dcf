/**
 * A crowd: nodes without a ledger, up to a million. Each is the core's `Rounds` (when to train, publish, accept and merge) and nothing else;
 * entries, heads, cosignatures and permits are left out, and what is recorded is durable at once.
 */
import { utf8 } from '../../src/core/bytes.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import { invariant } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { Expectation, MergeInput } from '../../src/gossip/exchange.ts'
import { Rounds } from '../../src/gossip/rounds.ts'
import { TRAINING_DIVERGED, updateBytes } from '../../src/gossip/update.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import type { MergeRule } from '../../src/learn/merge/rule.ts'
import type { Clock } from '../clock.ts'
import type { FastTrace } from './fastTrace.ts'
import { Flights } from './flights.ts'
import { Inboxes } from './inboxes.ts'
import { Merger } from './merger.ts'
import { SCALING, type Slot, type Update } from './update.ts'

/** What a node publishes in place of its own update, if it does not keep to the rules: each held once if it is not the honest one. */
export type Publisher = (honest: Update, rounds: Rounds<number, Slot>) => readonly Update[]

/** What a crowd is made of. */
export interface CrowdParts {
  readonly clock: Clock
  readonly trace: FastTrace
  readonly nodes: number
  readonly fleet: Fleet
  readonly rounds: { readonly count: number; readonly periodMs: number }
  readonly merge: MergeRule & { readonly ageRoundsMax: number; readonly vetoNats: number | null }
  /** Whether the output bias is merged like all other weights. */
  readonly sharedHeads: boolean
  readonly heldMax: number
  /** How long one local update takes, whole milliseconds; asked anew for each. */
  readonly trainMs: (node: number) => number
  /** Puts an update on its way: calls `fly` for each copy that will arrive. */
  readonly spread: (update: Update, crowd: Crowd) => void
  /** Which of the updates held count in a merge at `node`; null: all that are not too old. */
  readonly mayMerge: ((node: number) => (input: MergeInput<number, Slot>) => boolean) | null
  /** Of those who do not play by the rules. */
  readonly publisher: (node: number) => Publisher | null
  /** Weights as the digest says them: `real` is SHA-256 over the float32 bytes, as in the daemon. */
  readonly digestOf: (slot: Slot) => number
  /** Whether everybody looks at what arrives at once, though nothing depends on it: for who is told of it as it happens. */
  readonly atOnce: boolean
  /** Called after each merge, before its inputs are let go. */
  readonly onMerge:
    | ((node: number, rounds: Rounds<number, Slot>, result: Slot, shares: ArrayLike<number>) => void)
    | null
  readonly onVerdict: ((node: number, update: Update, reason: string | null) => void) | null
}

/** What was done so far. */
export interface CrowdCounts {
  localUpdates: number
  merges: number
  inputs: number
  ageRounds: number
  others: number
  arrived: number
  ended: number
  readonly refused: Map<string, number>
}

const DOWN = 0
const GOING_ON = 1
const HEARS_AT_ONCE = 2 // for it will not merge again, and would never look

export class Crowd {
  readonly parts: CrowdParts
  readonly flights: Flights
  readonly expectation: Expectation<number>
  readonly counts: CrowdCounts = {
    localUpdates: 0,
    merges: 0,
    inputs: 0,
    ageRounds: 0,
    others: 0,
    arrived: 0,
    ended: 0,
    refused: new Map(),
  }
  readonly #rounds: (Rounds<number, Slot> | null)[]
  /**
   * Of each node: starts and stops, so that what was planned before a stop does not happen after it; merges; those of them that had an
   * update of somebody else; and nothing. Side by side, for they are used together.
   */
  readonly #tallies: Int32Array
  // of one merge; as many as `Exchange.inputs` gives at most
  readonly #slots = new Uint32Array(LIMITS.updateParentsMax)
  readonly #shares = new Float64Array(LIMITS.updateParentsMax)
  readonly #states: Uint8Array
  readonly #inboxes: Inboxes
  readonly #first: Slot
  readonly #merger: Merger
  readonly #trainedKind: number
  readonly #letGo: (slot: Slot) => void

  constructor(parts: CrowdParts) {
    const { clock, nodes, fleet } = parts
    this.parts = parts
    this.expectation = {
      parameters: fleet.parameters,
      scaling: SCALING,
      rounds: parts.rounds.count,
      accepted: { has: (author) => author >= 0 && author < nodes },
    }
    this.#rounds = new Array<Rounds<number, Slot> | null>(nodes).fill(null)
    this.#tallies = new Int32Array(4 * nodes)
    this.#states = new Uint8Array(nodes)
    this.#inboxes = new Inboxes(nodes)
    this.#merger = new Merger({
      fleet,
      rule: parts.merge,
      sharedHeads: parts.sharedHeads,
    })
    this.#first = fleet.initial(taggedDigest('seed', utf8('netsim')))
    this.#trainedKind = clock.handler((node, start) => this.#trained(node, start))
    this.flights = new Flights(clock, fleet, (to, number) => this.#arrive(to, number))
    this.#letGo = (slot) => fleet.release(slot)
  }

  /** Whether the node is up. */
  isUp(node: number): boolean {
    return this.#states[node] !== DOWN
  }

  mergesOf(node: number): number {
    return this.#tallies[4 * node + 1] as number
  }

  /** Merges of `node` that had somebody else's update. */
  togetherOf(node: number): number {
    return this.#tallies[4 * node + 2] as number
  }

  /** Of the merges of others that knew of an update of `node`, the share that set it aside; null where there is none. */
  asideOf(node: number): number | null {
    return this.#merger.asideOf(node)
  }

  roundsOf(node: number): Rounds<number, Slot> | null {
    return this.#rounds[node] as Rounds<number, Slot> | null
  }

  startsOf(node: number): number {
    return ((this.#tallies[4 * node] as number) + 1) >> 1
  }

  /** A node comes up, for the first time or with what its disk kept: the round that comes next and its base. */
  up(node: number, kept: { readonly round: number; readonly base: Slot } | null): void {
    invariant(!this.isUp(node), 'a node that is down comes up')
    const rounds = new Rounds<number, Slot>(node, this.parts.heldMax)
    this.#rounds[node] = rounds
    this.#states[node] = this.parts.atOnce ? HEARS_AT_ONCE : GOING_ON
    const start = (this.#tallies[4 * node] as number) + 1
    this.#tallies[4 * node] = start
    if (kept === null) this.parts.fleet.retain(this.#first)
    if (kept !== null && kept.round >= this.parts.rounds.count) {
      rounds.recall(kept.round, kept.base)
      this.#states[node] = HEARS_AT_ONCE
    } else {
      rounds.begin(kept?.round ?? 0, kept?.base ?? this.#first)
      this.#plan(node, start, 0)
    }
  }

  /** A node comes up with an empty disk: it begins again with the first weights, in the round that the others know it was in. */
  upAfresh(node: number, round: number): void {
    this.parts.fleet.retain(this.#first)
    this.up(node, { round: Math.min(round, this.parts.rounds.count - 1), base: this.#first })
  }

  /** The power goes: what a disk would have kept is returned, and is the caller's to keep or to release. */
  down(node: number): { readonly round: number; readonly base: Slot } {
    const rounds = this.#rounds[node]
    invariant(rounds !== null && rounds !== undefined, 'a node that is up goes down')
    this.#lookAtAll(node)
    this.#rounds[node] = null
    this.#states[node] = DOWN
    this.#tallies[4 * node] = (this.#tallies[4 * node] as number) + 1
    for (const slot of rounds.exchange.clear()) this.#letGo(slot)
    const { round, base, phase } = rounds
    invariant(base !== null, 'a node that is up has a base')
    return { round: phase === 'ended' ? this.parts.rounds.count : round, base }
  }

  /** What a node hears, and what it says of it: null where it is accepted. */
  hear(to: number, update: Update): string | null {
    const rounds = this.#rounds[to]
    if (rounds === null || rounds === undefined) return 'node-down'
    const judgement = rounds.judge(update, update.facts, this.expectation)
    if (judgement.verdict !== 'accept') return judgement.reason
    this.parts.fleet.retain(update.digest)
    if (judgement.displaced !== null) this.#letGo(judgement.displaced)
    return null
  }

  /** Hears a message that came, and notes it. */
  receive(to: number, update: Update): string | null {
    const { clock, trace, onVerdict } = this.parts
    const reason = this.hear(to, update)
    this.counts.arrived++
    if (reason !== null) this.#refuse(reason)
    trace.number(clock.elapsedMs)
    trace.word(to)
    trace.word(update.author)
    trace.word(reason === null ? update.round : ~update.round)
    onVerdict?.(to, update, reason)
    return reason
  }

  #refuse(reason: string): void {
    this.counts.refused.set(reason, (this.counts.refused.get(reason) ?? 0) + 1)
  }

  /**
   * A round starts in `waitMs` and ends when its training does: its start touches nobody else, and so is no event of its own. What it starts from
   * changes by a merge alone, and so is known now.
   */
  #plan(node: number, start: number, waitMs: number): void {
    const { clock, trainMs, fleet } = this.parts
    const { base, round } = this.#rounds[node] as Rounds<number, Slot>
    fleet.announce?.(node, base as Slot, node, round)
    const wait = Math.max(0, Math.ceil(waitMs))
    ;(this.#rounds[node] as Rounds<number, Slot>).start(clock.elapsedMs + wait)
    clock.plan(wait + trainMs(node), this.#trainedKind, node, start)
  }

  /** Trained: recorded, published, merged and completed at one instant. */
  #trained(node: number, start: number): void {
    if (this.#tallies[4 * node] !== start) return
    const { fleet, clock, trace, merge, mayMerge, rounds: study, onMerge } = this.parts
    const rounds = this.#rounds[node] as Rounds<number, Slot>
    this.#lookAtAll(node)
    const { round, base } = rounds
    const slot = fleet.take()
    const loss = fleet.train(node, base as Slot, slot, node, round)
    this.counts.localUpdates++
    if (!Number.isFinite(loss)) return this.#diverged(node, start, slot)
    rounds.record({ update: slot, examples: fleet.trainRows(node) })
    const { parents } = rounds.publish(merge.ageRoundsMax, this.#letGo, mayMerge?.(node))
    this.#publish(node, rounds, slot, parents.length)
    const { inputs } = rounds
    const count = inputs.length
    for (const [i, { digest, ageRounds }] of inputs.entries()) {
      this.#slots[i] = digest
      this.counts.ageRounds += ageRounds
    }
    const result = fleet.take()
    this.#merger.merge(node, rounds, result, this.#slots, this.#shares)
    this.counts.merges++
    this.#tallies[4 * node + 1] = (this.#tallies[4 * node + 1] as number) + 1
    if (count > 1) this.#tallies[4 * node + 2] = (this.#tallies[4 * node + 2] as number) + 1
    this.counts.inputs += count
    this.counts.others += count - 1
    trace.number(clock.elapsedMs)
    trace.word(node)
    trace.word(round)
    trace.number(this.parts.digestOf(slot))
    trace.word(count)
    trace.number(this.parts.digestOf(result))
    onMerge?.(node, rounds, result, this.#shares)
    rounds.evaluated(round, result)
    const { ended } = rounds.complete(study.count)
    fleet.release(slot)
    fleet.release(base as Slot)
    if (ended) {
      this.counts.ended++
      this.#states[node] = HEARS_AT_ONCE
    } else this.#plan(node, start, rounds.dueMs(study.periodMs) - clock.elapsedMs)
  }

  #publish(node: number, rounds: Rounds<number, Slot>, trained: Slot, parents: number): void {
    const { fleet, publisher, spread } = this.parts
    const honest = this.draft(
      node,
      rounds.round,
      trained,
      updateBytes(Float32Array.BYTES_PER_ELEMENT * fleet.parameters, parents),
    )
    const lies = publisher(node)
    if (lies === null) {
      spread(honest, this)
      this.flights.settle(honest)
      return
    }
    for (const update of lies(honest, rounds)) {
      spread(update, this)
      if (update.digest !== trained) fleet.release(update.digest)
    }
  }

  /** An update by `node`, sound in all it says. */
  draft(node: number, round: number, digest: Slot, bytes: number): Update {
    const update = this.flights.take()
    update.author = node
    update.sender = node
    update.round = round
    update.examples = this.parts.fleet.trainRows(node)
    update.parameters = this.expectation.parameters
    update.digest = digest
    update.bytes = bytes
    return update
  }

  #arrive(to: number, number: number): void {
    if (this.#states[to] !== GOING_ON) this.#look(to, number)
    else if (!this.#inboxes.add(to, number)) this.#lookAtAll(to)
  }

  #lookAtAll(node: number): void {
    for (let number = this.#inboxes.next(node); number >= 0; number = this.#inboxes.next(node)) this.#look(node, number)
  }

  /** One copy of an update is heard, and is on its way no more. */
  #look(to: number, number: number): void {
    const update = this.flights.at(number)
    this.receive(to, update)
    this.flights.land(update)
  }

  /** What was merged makes training diverge: it begins anew after a while, and meets the others in the next merge. */
  #diverged(node: number, start: number, slot: number): void {
    const { fleet, clock } = this.parts
    const rounds = this.#rounds[node] as Rounds<number, Slot>
    const { round, base } = rounds
    rounds.failed(clock.elapsedMs, round)
    const atMs = rounds.retryAtMs ?? clock.elapsedMs
    fleet.release(slot)
    fleet.release(base as Slot)
    fleet.retain(this.#first)
    fleet.resetOptimiser(node)
    rounds.begin(round, this.#first)
    this.#refuse(TRAINING_DIVERGED)
    this.#plan(node, start, atMs - clock.elapsedMs)
  }
}
