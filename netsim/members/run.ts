/** Runs one study among simulated nodes: the one machine of `src/node` in virtual time. The same options give the same trace. */
import { type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { invariant } from '../../src/core/errors.ts'
import type { Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Scaling } from '../../src/core/statistics.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import type { Learner, Weights } from '../../src/learn/learner.ts'
import type { LogSize } from '../../src/node/events.ts'
import type { Machine } from '../../src/node/machine.ts'
import { Clock } from '../clock.ts'
import { Wires } from '../wires.ts'
import { Disk, type StoredLog } from './disk.ts'
import { Equivocation, type Equivocator } from './equivocator.ts'
import type { Fault } from './fault.ts'
import { type Founders, Identities, type Signatures, seededFounders } from './identity.ts'
import { InOrder, type Stage } from './inOrder.ts'
import type { Liar, Lie, Publisher } from './liar.ts'
import { fullTopology, Network, type NetworkOptions, ORDINARY_NETWORK, type Pubsub } from './network.ts'
import { NodeShell } from './nodeShell.ts'
import { attend, bind, type Duty, withdraw } from './operator.ts'
import { ORDINARY_TIMING, type Timing } from './timing.ts'
import { type Step, Trace } from './trace.ts'

/** One simulated study; the same options, learners included, give the same result. */
export interface StudyOptions {
  readonly study: Study
  /** Per node, its tables: the first is bound at the start. A node without a table takes no part in the study. */
  readonly tables: readonly (readonly Dataset[])[]
  readonly seed: string | number
  /** A learner for each node; it is not closed here. */
  readonly learner: (node: number) => Learner
  readonly network?: Partial<NetworkOptions>
  /** How gossip spreads; to every linked node where absent. */
  readonly pubsub?: (clock: Clock) => (network: Network<NodeShell>) => Pubsub<NodeShell>
  readonly timing?: Partial<Timing>
  readonly faults?: readonly Fault[]
  readonly liars?: readonly Liar[]
  readonly equivocators?: readonly Equivocator[]
  /** What a node publishes in place of its honest updates; null: it is honest. Asked once. */
  readonly publisher?: (node: number) => Publisher | null
  /** Whether it goes on until every log is final at every node that is present, as far as it is there. */
  readonly untilFinal?: boolean
  /** Modelled where absent. */
  readonly signatures?: Signatures
  /** Virtual milliseconds before which it does not end, whatever is done by then. */
  readonly notBeforeMs?: number
  /** Virtual milliseconds after which it stops in any case. */
  readonly untilMs: number
  /** Called with every step of every machine. */
  readonly onStep?: (step: Step) => void
  /** Whether steps are hashed into the trace, which takes a third of the time of a study of weeks; they are where absent. */
  readonly traced?: boolean
  /** Whether somebody else starts the nodes. */
  readonly startsElsewhere?: boolean
  /** How long one local update takes; drawn from `timing` where absent. */
  readonly trainMs?: (node: number) => number
  /** As many as there are tables; made up from the seed where absent. */
  readonly founders?: Founders
  /** Per node, of its tables; they seed the training. Made up where absent. */
  readonly commitments?: readonly (readonly Digest[])[]
  /** Per node, the order of another run that it keeps to; its nodes start once, and gossip goes to every linked node. */
  readonly orders?: readonly (readonly Stage[])[]
}

/** One node at the end. */
export interface NodeResult {
  readonly member: MemberId
  /** The newest complete model; null where no round was completed. */
  readonly model: { readonly round: number; readonly digest: Digest; readonly weights: Weights } | null
  readonly scaling: Scaling | null
  /** Of the newest complete round. */
  readonly metrics: Metrics | null
  /** All members' logs as this node holds them. */
  readonly logs: ReadonlyMap<MemberId, StoredLog>
  /** The newest final head of each log that it keeps. */
  readonly finals: ReadonlyMap<MemberId, LogSize>
  /** Authors of whom it keeps evidence of two histories. */
  readonly forks: ReadonlySet<MemberId>
  /** Null while the node is down. */
  readonly view: ReturnType<Machine['view']> | null
  readonly starts: number
  /** Why it ended, where it did so by itself. */
  readonly ended: string | null
  /** The most weights that it held in memory at one time. */
  readonly weightsMost: number
  /** Codes of the answers to its operator's commands; null for done. */
  readonly answers: readonly (string | null)[]
}

export interface StudyResult {
  readonly study: StudyId
  readonly founding: Digest
  readonly nodes: readonly NodeResult[]
  /** Whether all who take part ended the study and hold the same logs. */
  readonly settled: boolean
  readonly virtualMs: number
  readonly steps: number
  readonly trace: Digest
  readonly messages: { readonly sent: number; readonly lost: number }
}

const LOOK_MS = 500 // how often it is looked whether all is done

/** Runs until all who take part have ended the study and all logs are everywhere, or until `untilMs`. */
export async function runStudy(options: StudyOptions): Promise<StudyResult> {
  return new StudySimulation(options).run()
}

interface Node {
  disk: Disk
  readonly learner: Learner
  readonly tables: readonly Dataset[]
  readonly lies: readonly Lie[]
  readonly second: Equivocation | null
  readonly publisher: Publisher | null
  shell: NodeShell | null
  starts: number
  commits: number
  ended: string | null
  weightsMost: number
  readonly answers: (string | null)[]
}

/** One simulated study that can be looked at, and meddled with, while it runs. */
export class StudySimulation {
  readonly #options: StudyOptions
  readonly #seed: string
  readonly #clock = new Clock()
  readonly #trace = new Trace()
  readonly #identities: Identities
  readonly #network: Network<NodeShell>
  readonly #nodes: Node[]
  readonly #faults: readonly Fault[]
  readonly #document: Uint8Array
  readonly #id: StudyId
  #settled = false

  constructor(options: StudyOptions) {
    const { tables, learner, liars = [], faults = [], equivocators = [], publisher } = options
    invariant(tables.length >= 2, 'a consortium has at least two members')
    this.#options = options
    this.#seed = String(options.seed)
    this.#faults = faults
    this.#document = studyDocument(options.study)
    this.#id = studyIdOf(this.#document)
    const founders = options.founders ?? seededFounders(this.#seed, tables.length)
    invariant(founders.keys.length === tables.length, 'every member is a node')
    this.#identities = new Identities(founders, options.signatures ?? 'modelled')
    const network = { ...ORDINARY_NETWORK, ...options.network }
    const topology = network.topology ?? fullTopology(tables.length)
    const wires = new Wires(topology, network.nat, Rng.from('netsim', this.#seed, 'network'), network)
    this.#network = new Network(this.#clock, wires, network.detectMs)
    if (options.pubsub !== undefined) this.#network.spreadBy(options.pubsub(this.#clock))
    this.#nodes = tables.map((own, node) => ({
      disk: new Disk(this.#identities.members),
      learner: learner(node),
      tables: own,
      lies: liars.find((liar) => liar.node === node)?.lies ?? [],
      second: secondOf(equivocators, node, this.#identities, this.#seed),
      publisher: publisher?.(node) ?? null,
      shell: null,
      starts: 0,
      commits: 0,
      ended: null,
      weightsMost: 0,
      answers: [],
    }))
  }

  get clock(): Clock {
    return this.#clock
  }
  get network(): Network<NodeShell> {
    return this.#network
  }
  get identities(): Identities {
    return this.#identities
  }
  get study(): StudyId {
    return this.#id
  }
  get trace(): Trace {
    return this.#trace
  }
  get settled(): boolean {
    return this.#settled
  }

  shellOf(node: number): NodeShell | null {
    return this.#node(node).shell
  }

  diskOf(node: number): Disk {
    return this.#node(node).disk
  }

  startsOf(node: number): number {
    return this.#node(node).starts
  }

  /** `pause` is awaited every so often. */
  async run(pause?: () => Promise<void>): Promise<StudyResult> {
    const proposer = this.#nodes.findIndex(({ tables }) => tables.length > 0)
    for (const [node, { tables }] of this.#nodes.entries()) {
      const late = this.#faults.find((fault) => fault.type === 'late' && fault.node === node)
      if (this.#options.startsElsewhere !== true)
        this.#clock.after(late?.type === 'late' ? late.atMs : node, () => this.start(node)) // nodes never start at one instant
      if (tables.length > 0) this.#attend(node, node === proposer)
    }
    for (const fault of this.#faults) this.#plan(fault)
    this.#look()
    await this.#clock.run(this.#options.untilMs, () => this.#settled, pause)
    return this.#result()
  }

  #attend(node: number, proposes: boolean): void {
    attend(this.#clock, () => this.#node(node).shell, this.#duty(node, proposes))
  }

  /** The power comes. A node whose disk was lost finds an empty one. */
  start(node: number, lost = false): void {
    const own = this.#node(node)
    if (own.shell !== null || own.ended !== null) return
    if (lost) {
      own.disk = new Disk(this.#identities.members)
      this.#attend(node, false) // what the hospital had bound is lost too: somebody has to bind it again
    }
    const shell = new NodeShell({
      node,
      start: own.starts++,
      seed: this.#seed,
      identities: this.#identities,
      clock: this.#clock,
      network: this.#network,
      disk: own.disk,
      learner: own.learner,
      tables: own.tables,
      timing: { ...ORDINARY_TIMING, ...this.#options.timing },
      lies: own.lies,
      publisher: own.publisher,
      trainMs: this.#options.trainMs ?? null,
      second: own.second,
      order: InOrder.of(this.#id, this.#options.orders?.[node]),
      skewMs: this.#faults.reduce((ms, one) => (one.type === 'skew' && one.node === node ? one.byMs : ms), 0),
      onStep: (step) => {
        if (this.#options.traced !== false) this.#trace.add(step)
        this.#options.onStep?.(step)
      },
      onCommit: (side) => this.#committing(node, side),
      onEnd: (why) => {
        own.ended = why
        this.crash(node)
      },
    })
    own.shell = shell
    shell.boot()
  }

  /** The power goes. */
  crash(node: number, downMs: number | null = null): void {
    const own = this.#node(node)
    if (own.shell === null) return
    own.weightsMost = Math.max(own.weightsMost, own.shell.weightsMost)
    own.answers.push(...own.shell.answers.map(({ code }) => code))
    own.shell.crash()
    own.shell = null
    if (downMs !== null) this.#clock.after(downMs, () => this.start(node))
  }

  #committing(node: number, side: 'before' | 'after'): void {
    const own = this.#node(node)
    if (side === 'before') own.commits++
    for (const fault of this.#faults) {
      if (fault.type !== 'crash-at-commit' || fault.node !== node || fault.side !== side) continue
      if (fault.commit === own.commits) this.crash(node, fault.downMs)
    }
  }

  #plan(fault: Fault): void {
    switch (fault.type) {
      case 'crash':
        return this.#clock.after(fault.atMs, () => this.crash(fault.node, fault.downMs))
      case 'partition':
        this.#clock.after(fault.fromMs, () => this.#network.divide(fault.sides))
        return this.#clock.after(fault.toMs, () => this.#network.divide(fault.sides.map(() => 0)))
      case 'pause':
        this.#clock.after(fault.fromMs, () => this.#pause(fault.node, true))
        return this.#clock.after(fault.toMs, () => this.#pause(fault.node, false))
      case 'rebind':
        return this.#clock.after(fault.atMs, () => {
          const { shell } = this.#node(fault.node)
          if (shell !== null) bind(shell, this.#duty(fault.node, false), fault.version)
        })
      case 'withdraw':
        return this.#clock.after(fault.atMs, () => withdraw(this.#node(fault.node).shell, this.#id))
      case 'crash-at-commit':
      case 'late':
      case 'skew':
        return // kept by #committing and by run
    }
  }

  #pause(node: number, paused: boolean): void {
    this.#node(node).shell?.command((ticket) => ({ type: 'study-pause', ticket, study: this.#id, paused }))
  }

  #duty(node: number, proposes: boolean): Duty {
    const { study } = this.#options
    return {
      id: this.#id,
      study,
      document: this.#document,
      proposes,
      tables: this.#node(node).tables,
      commitments: this.#options.commitments?.[node] ?? null,
      seed: this.#seed,
    }
  }

  #look(): void {
    const beforeMs = (this.#options.notBeforeMs ?? 0) - this.#clock.elapsedMs
    this.#settled = beforeMs <= 0 && this.#isSettled()
    if (!this.#settled) this.#clock.after(Math.max(LOOK_MS, beforeMs), () => this.#look())
  }

  /** All take part, have ended, and hold the same logs; nodes that ended by themselves are not waited for. */
  #isSettled(): boolean {
    const present = this.#nodes.filter(({ ended }) => ended === null)
    const [first] = present
    if (first === undefined) return true
    return present.every((own) => {
      if (own.shell === null) return false
      const run = own.shell.machine.view().studies.find(({ state }) => state.id === this.#id)?.run
      if (own.tables.length > 0 && (run?.phase !== 'ended' || run.evaluating)) return false
      return this.#identities.members.every((author) => this.#isSame(own.disk, first.disk, author))
    })
  }

  #isSame(one: Disk, other: Disk, author: MemberId): boolean {
    const { size } = one.sizeOf(author)
    if (this.#options.untilFinal === true && (one.finals.get(author)?.size ?? 0) < size) return false
    return size === other.sizeOf(author).size
  }

  #result(): StudyResult {
    return {
      study: this.#id,
      founding: this.#identities.founding,
      nodes: this.#nodes.map((own, node) => this.#nodeResult(own, node)),
      settled: this.#settled,
      virtualMs: this.#clock.elapsedMs,
      steps: this.#trace.steps,
      trace: this.#trace.hash,
      messages: this.#network.wires.counts,
    }
  }

  #nodeResult(own: Node, node: number): NodeResult {
    const view = own.shell?.machine.view() ?? null
    const seen = view?.studies.find(({ state }) => state.id === this.#id)
    const stored = own.disk.complete.get(this.#id)
    const model = stored && {
      round: stored.checkpoint.round,
      digest: stored.checkpoint.shared,
      weights: { shared: stored.shared, head: stored.head },
    }
    return {
      member: this.#identities.memberOf(node),
      model: model ?? null,
      scaling: seen?.state.scaling?.scaling ?? null,
      metrics: seen?.run?.metrics ?? null,
      logs: own.disk.logs(),
      finals: own.disk.finals,
      forks: own.disk.forks,
      view,
      starts: own.starts,
      ended: own.ended,
      weightsMost: Math.max(own.weightsMost, own.shell?.weightsMost ?? 0),
      answers: [...own.answers, ...(own.shell?.answers.map(({ code }) => code) ?? [])],
    }
  }

  #node(node: number): Node {
    const found = this.#nodes[node]
    invariant(found !== undefined, `there is a node ${node}`)
    return found
  }
}

function secondOf(
  equivocators: readonly Equivocator[],
  node: number,
  identities: Identities,
  seed: string,
): Equivocation | null {
  const own = equivocators.find((one) => one.node === node)
  return own === undefined ? null : new Equivocation(identities, seed, own)
}
