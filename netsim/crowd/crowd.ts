/**
 * A crowd: nodes without a ledger, up to a million. Each is the core's `Rounds` (when to train, publish, accept and merge) and nothing else;
 * entries, heads, cosignatures and permits are left out, and what is recorded is durable at once.
 */
import { utf8 } from '../../src/core/bytes.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import { invariant } from '../../src/core/errors.ts'
import type { Digest } from '../../src/core/ids.ts'
import type { Expectation, Offer } from '../../src/gossip/exchange.ts'
import { Rounds } from '../../src/gossip/rounds.ts'
import { type UpdateFacts, updateBytes } from '../../src/gossip/update.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import { coefficients, type MergeRule } from '../../src/learn/merge/rule.ts'
import type { Clock } from '../clock.ts'
import type { FastTrace } from './fastTrace.ts'

/** Weights in a slot, by identity: what `Digest` is to the machine. */
export class Model {
  readonly slot: number
  /** 53 bits of the shared weights' digest. */
  readonly digest: number
  constructor(slot: number, digest: number) {
    this.slot = slot
    this.digest = digest
  }
}

/** An update on its way to one or many. */
export class Update implements Offer<number, Model> {
  readonly author: number
  readonly round: number
  readonly examples: number
  readonly scaling: Digest
  readonly parameters: number
  readonly digest: Model
  readonly facts: UpdateFacts
  readonly bytes: number
  /** Who sends it, whatever it says of its author. */
  readonly sender: number
  /** Copies on their way, and the number under which they fly. */
  flying = 0
  number = 0
  /** Whether its weights are kept for who may ask for them. */
  kept = false
  constructor(
    author: number,
    round: number,
    examples: number,
    { scaling, parameters }: Expectation<number>,
    digest: Model,
    facts: UpdateFacts,
    bytes: number,
  ) {
    this.author = author
    this.round = round
    this.examples = examples
    this.scaling = scaling
    this.parameters = parameters
    this.digest = digest
    this.facts = facts
    this.bytes = bytes
    this.sender = author
  }
}

export const SOUND: UpdateFacts = { finite: true, rms: 1, digestMatches: true, signatureValid: true }

/** What a node publishes in place of its own update, if it does not keep to the rules: each held once if it is not the honest one. */
export type Publisher = (honest: Update, rounds: Rounds<number, Model>) => readonly Update[]

/** What a crowd is made of. */
export interface CrowdParts {
  readonly clock: Clock
  readonly trace: FastTrace
  readonly nodes: number
  readonly fleet: Fleet
  readonly rounds: { readonly count: number; readonly periodMs: number }
  readonly merge: MergeRule & { readonly ageRoundsMax: number }
  readonly heldMax: number
  /** How long one local update takes, whole milliseconds; asked anew for each. */
  readonly trainMs: (node: number) => number
  /** Puts an update on its way: calls `fly` for each copy that will arrive. */
  readonly spread: (update: Update, crowd: Crowd) => void
  /** Of those who do not play by the rules. */
  readonly publisher: (node: number) => Publisher | null
  /** Weights as the digest says them: `real` is SHA-256 over the float32 bytes, as in the daemon. */
  readonly digestOf: (slot: number) => number
  /** Called after each merge, before its inputs are let go. */
  readonly onMerge:
    | ((node: number, rounds: Rounds<number, Model>, result: Model, shares: readonly number[]) => void)
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
  diverged: number
  readonly refused: Map<string, number>
}

const SCALING = '00'.repeat(32) as Digest

export class Crowd {
  readonly parts: CrowdParts
  readonly expectation: Expectation<number>
  readonly counts: CrowdCounts = {
    localUpdates: 0,
    merges: 0,
    inputs: 0,
    ageRounds: 0,
    others: 0,
    arrived: 0,
    ended: 0,
    diverged: 0,
    refused: new Map(),
  }
  readonly #rounds: (Rounds<number, Model> | null)[]
  /** Counts the starts of each node, so that what was planned before a stop does not happen after it. */
  readonly #starts: Int32Array
  readonly #merges: Uint32Array
  readonly #first: Model
  #copies = 0
  readonly #flying: (Update | undefined)[] = []
  readonly #freeNumbers: number[] = []
  readonly #startKind: number
  readonly #trainedKind: number
  readonly #arriveKind: number
  readonly #letGo: (model: Model) => void

  constructor(parts: CrowdParts) {
    const { clock, nodes, fleet } = parts
    this.parts = parts
    this.expectation = {
      parameters: fleet.parameters,
      scaling: SCALING,
      rounds: parts.rounds.count,
      accepted: { has: (author) => author >= 0 && author < nodes },
    }
    this.#rounds = new Array<Rounds<number, Model> | null>(nodes).fill(null)
    this.#starts = new Int32Array(nodes)
    this.#merges = new Uint32Array(nodes)
    this.#first = this.#model(fleet.initial(taggedDigest('seed', utf8('netsim'))))
    this.#startKind = clock.handler((node, start) => this.#start(node, start))
    this.#trainedKind = clock.handler((node, start) => this.#trained(node, start))
    this.#arriveKind = clock.handler((to, number) => this.#arrive(to, number))
    this.#letGo = (model) => fleet.release(model.slot)
  }

  /** Whether the node is up. */
  isUp(node: number): boolean {
    return this.#rounds[node] !== null
  }

  /** Copies on their way. */
  get flying(): number {
    return this.#copies
  }

  mergesOf(node: number): number {
    return this.#merges[node] as number
  }

  roundsOf(node: number): Rounds<number, Model> | null {
    return this.#rounds[node] as Rounds<number, Model> | null
  }

  startsOf(node: number): number {
    return ((this.#starts[node] as number) + 1) >> 1
  }

  /** A node comes up, for the first time or with what its disk kept: the round that comes next and its base. */
  up(node: number, kept: { readonly round: number; readonly base: Model } | null): void {
    invariant(!this.isUp(node), 'a node that is down comes up')
    const rounds = new Rounds<number, Model>(node, this.parts.heldMax)
    this.#rounds[node] = rounds
    const start = (this.#starts[node] as number) + 1
    this.#starts[node] = start
    if (kept === null) this.parts.fleet.retain(this.#first.slot)
    if (kept !== null && kept.round >= this.parts.rounds.count) rounds.recall(kept.round, kept.base)
    else {
      rounds.begin(kept?.round ?? 0, kept?.base ?? this.#first)
      this.parts.clock.plan(0, this.#startKind, node, start)
    }
  }

  /** A node comes up with an empty disk: it begins again with the first weights, in the round that the others know it was in. */
  upAfresh(node: number, round: number): void {
    this.parts.fleet.retain(this.#first.slot)
    this.up(node, { round: Math.min(round, this.parts.rounds.count - 1), base: this.#first })
  }

  /** The power goes: what a disk would have kept is returned, and is the caller's to keep or to release. */
  down(node: number): { readonly round: number; readonly base: Model } {
    const rounds = this.#rounds[node]
    invariant(rounds !== null && rounds !== undefined, 'a node that is up goes down')
    this.#rounds[node] = null
    this.#starts[node] = (this.#starts[node] as number) + 1
    for (const model of rounds.exchange.clear()) this.#letGo(model)
    const { round, base, phase } = rounds
    invariant(base !== null, 'a node that is up has a base')
    return { round: phase === 'ended' ? this.parts.rounds.count : round, base }
  }

  /** One copy of `update` arrives at `to` after `delayMs`. */
  fly(update: Update, to: number, delayMs: number): void {
    if (update.flying === 0) {
      update.number = this.#freeNumbers.pop() ?? this.#flying.length
      this.#flying[update.number] = update
    }
    update.flying++
    this.#copies++
    this.parts.fleet.retain(update.digest.slot)
    this.parts.clock.plan(delayMs, this.#arriveKind, to, update.number)
  }

  /** What a node hears, and what it says of it: null where it is accepted. */
  hear(to: number, update: Update): string | null {
    const rounds = this.#rounds[to]
    if (rounds === null || rounds === undefined) return 'node-down'
    const judgement = rounds.judge(update, update.facts, this.expectation)
    if (judgement.verdict !== 'accept') return judgement.reason
    this.parts.fleet.retain(update.digest.slot)
    if (judgement.displaced !== null) this.#letGo(judgement.displaced)
    return null
  }

  /** Hears a message that came, and notes it. */
  receive(to: number, update: Update): string | null {
    const { clock, trace, onVerdict } = this.parts
    const reason = this.hear(to, update)
    this.counts.arrived++
    if (reason !== null) this.counts.refused.set(reason, (this.counts.refused.get(reason) ?? 0) + 1)
    trace.number(clock.elapsedMs)
    trace.word(to)
    trace.word(update.author)
    trace.word(reason === null ? update.round : ~update.round)
    onVerdict?.(to, update, reason)
    return reason
  }

  /** Keeps the weights of an update for a while, wherever its copies are. */
  keep(update: Update, forMs: number): void {
    update.kept = true
    this.#copies++
    this.parts.fleet.retain(update.digest.slot)
    this.parts.clock.after(forMs, () => {
      update.kept = false
      this.#copies--
      this.parts.fleet.release(update.digest.slot)
    })
  }

  #start(node: number, start: number): void {
    if (this.#starts[node] !== start) return
    const rounds = this.#rounds[node] as Rounds<number, Model>
    rounds.start(this.parts.clock.now)
    this.parts.clock.plan(this.parts.trainMs(node), this.#trainedKind, node, start)
  }

  /** Trained: recorded, published, merged and completed at one instant. */
  #trained(node: number, start: number): void {
    if (this.#starts[node] !== start) return
    const { fleet, clock, trace, merge, rounds: study, onMerge } = this.parts
    const rounds = this.#rounds[node] as Rounds<number, Model>
    const { round, base } = rounds
    const slot = fleet.take()
    const loss = fleet.train(node, (base as Model).slot, slot, node, round)
    this.counts.localUpdates++
    if (!Number.isFinite(loss)) return this.#diverged(node, start, slot)
    const trained = this.#model(slot)
    rounds.record({ update: trained, examples: fleet.trainRows(node) })
    const { parents } = rounds.publish(merge.ageRoundsMax, this.#letGo)
    this.#publish(node, rounds, trained, parents.length)
    const { inputs } = rounds
    const shares = coefficients(inputs, merge)
    const slots: number[] = []
    for (let i = 0; i < inputs.length; i++) {
      const { digest, ageRounds } = inputs[i] as (typeof inputs)[number]
      slots.push(digest.slot)
      this.counts.ageRounds += ageRounds
    }
    const into = fleet.take()
    fleet.merge(into, trained.slot, slots, shares, slots.length)
    const result = this.#model(into)
    this.counts.merges++
    this.#merges[node] = (this.#merges[node] as number) + 1
    this.counts.inputs += inputs.length
    this.counts.others += inputs.length - 1
    trace.number(clock.elapsedMs)
    trace.word(node)
    trace.word(round)
    trace.number(trained.digest)
    trace.word(inputs.length)
    trace.number(result.digest)
    rounds.mergedInto(round, result)
    onMerge?.(node, rounds, result, shares)
    rounds.evaluated(round, result)
    const { ended } = rounds.complete(study.count)
    fleet.release(trained.slot)
    fleet.release((base as Model).slot)
    if (ended) this.counts.ended++
    else clock.plan(rounds.dueMs(study.periodMs) - clock.now, this.#startKind, node, start)
  }

  #publish(node: number, rounds: Rounds<number, Model>, trained: Model, parents: number): void {
    const { fleet, publisher, spread } = this.parts
    const bytes = updateBytes(fleet.parameters, parents)
    const honest = new Update(node, rounds.round, fleet.trainRows(node), this.expectation, trained, SOUND, bytes)
    const lies = publisher(node)
    if (lies === null) return spread(honest, this)
    for (const update of lies(honest, rounds)) {
      spread(update, this)
      if (update.digest !== trained) fleet.release(update.digest.slot)
    }
  }

  #arrive(to: number, number: number): void {
    const update = this.#flying[number] as Update
    this.receive(to, update)
    this.parts.fleet.release(update.digest.slot)
    this.#copies--
    if (--update.flying > 0) return
    this.#flying[number] = undefined
    this.#freeNumbers.push(number)
  }

  /** What was merged makes training diverge: it begins anew after a while, and meets the others in the next merge. */
  #diverged(node: number, start: number, slot: number): void {
    const { fleet, clock } = this.parts
    const rounds = this.#rounds[node] as Rounds<number, Model>
    const { round, base } = rounds
    rounds.failed(clock.now, round)
    const atMs = rounds.retryAtMs ?? clock.now
    fleet.release(slot)
    fleet.release((base as Model).slot)
    fleet.retain(this.#first.slot)
    fleet.resetOptimiser(node)
    rounds.begin(round, this.#first)
    this.counts.diverged++
    clock.plan(atMs - clock.now, this.#startKind, node, start)
  }

  #model(slot: number): Model {
    return new Model(slot, this.parts.digestOf(slot))
  }
}
