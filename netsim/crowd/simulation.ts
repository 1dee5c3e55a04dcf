/** A scenario run by a crowd: without a ledger, up to a million nodes. */
import { weightsDigest } from '../../src/core/digest.ts'
import type { Rounds } from '../../src/gossip/rounds.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import { Attackers } from '../adversary/attackers.ts'
import { Clock } from '../clock.ts'
import type { SimulateOptions } from '../options.ts'
import { pictureOf } from '../picture.ts'
import { crashesOf, Presence } from '../presence.ts'
import type { NodeSummary, Outcome, Sample, SimulationResult } from '../result.ts'
import { consensusDistance, type Judged, judgedTogether, sampled } from '../sampling.ts'
import { Wires } from '../wires.ts'
import type { ScenarioFiles } from '../world/files.ts'
import { streamOf, type World } from '../world/make.ts'
import { CrowdCells } from './cells.ts'
import { CrowdChecks } from './checks.ts'
import { Crowd } from './crowd.ts'
import { FastTrace } from './fastTrace.ts'
import { fleetOf } from './fleets.ts'
import { liarsOf } from './liars.ts'
import { CrowdMesh } from './mesh.ts'
import { Narrator } from './narrator.ts'
import { PrivateFleet } from './privateFleet.ts'
import { type Spread, toAll, toSome } from './spread.ts'
import type { Slot } from './update.ts'

const TRACE_EVERY = 64 // events between two checkpoints of the trace: a replay says between which two it parted
const SUMMARIES_MAX = 10_000 // nodes in the result

/**
 * Whether the numbers of nodes say nothing about who is linked to whom. Then they start in that order, spread evenly over the first period:
 * what is used at about one time lies side by side in memory, which is a third of the time of a hundred thousand nodes.
 */
function isNumberingFree({ network: { topology } }: World['scenario']): boolean {
  return topology.kind === 'full' || topology.kind === 'k-regular' || topology.kind === 'erdos-renyi'
}

/** One run of one scenario. */
export class CrowdSimulation {
  readonly #world: World
  readonly #options: SimulateOptions
  readonly #clock = new Clock()
  readonly #trace = new FastTrace()
  readonly #wires: Wires
  readonly #fleet: Fleet
  readonly #attackers: Attackers
  /** Where gossipsub carries the updates. */
  #mesh: CrowdMesh | null = null
  readonly #crowd: Crowd
  readonly #checks: CrowdChecks
  readonly #presence: Presence
  /** What the disks of nodes that are down have kept. */
  readonly #kept = new Map<number, { readonly round: number; readonly base: Slot }>()
  readonly #samples: Sample[] = []
  readonly #sampled: readonly number[]
  #last = { merges: 0, inputs: 0, ageRounds: 0, others: 0 }
  #tracedAt = 0
  readonly #notBeforeMs: number
  readonly #narrator: Narrator | null
  #interrupted = false

  /** Errors: those of its learner. */
  static async of(world: World, options: SimulateOptions, files: ScenarioFiles): Promise<CrowdSimulation> {
    const attackers = new Attackers(world.scenario, world.seed)
    return new CrowdSimulation(world, options, attackers, await fleetOf(world, attackers, files))
  }

  private constructor(world: World, options: SimulateOptions, attackers: Attackers, fleet: Fleet) {
    const { scenario, seed, nodes } = world
    const { network, gossip, study, report, liveness } = scenario
    this.#world = world
    this.#options = options
    this.#attackers = attackers
    this.#fleet = fleet
    this.#notBeforeMs = liveness.fromSeconds === null ? -1 : liveness.fromSeconds * 1000
    this.#narrator = Narrator.of(this.#clock, options)
    this.#wires = new Wires(world.topology, world.nat, streamOf(seed, 'network'), network)
    const merge = { ...study.merge }
    this.#checks = new CrowdChecks(this.#clock, fleet, merge, study.local.head === 'none')
    const speeds = streamOf(seed, 'training time')
    const cells = CrowdCells.of(world, this.#clock)
    this.#crowd = new Crowd({
      clock: this.#clock,
      trace: this.#trace,
      nodes,
      fleet,
      rounds: { count: study.rounds.count, periodMs: study.rounds.periodSeconds * 1000 },
      merge,
      sharedHeads: study.local.head === 'none',
      heldMax: gossip.heldMax,
      trainMs: (node) => world.speeds.trainMs(node, speeds),
      spread: this.#spread(cells),
      mayMerge: cells && ((node) => cells.mayMergeAt(node)),
      publisher: liarsOf(this.#attackers, this.#clock, fleet),
      digestOf: scenario.digests === 'real' ? (slot) => this.#realDigest(slot) : (slot) => fleet.digest(slot),
      atOnce: this.#narrator !== null,
      onMerge: (node, rounds, result, shares) => {
        this.#checks.merged(node, rounds, result)
        this.#narrator?.merged(node, rounds, fleet.digest(result), shares)
      },
      onVerdict: (to, update, reason) => {
        if (reason === null) this.#checks.accepted(to, update, nodes)
        this.#narrator?.heard(to, update, reason)
      },
    })
    const first = streamOf(seed, 'starts')
    const periodMs = Math.max(1, Math.ceil(study.rounds.periodSeconds * 1000))
    this.#presence = new Presence(
      this.#clock,
      {
        nodes,
        availability: world.availability,
        crashes: crashesOf(scenario),
        lost: scenario.nodes.disk === 'lost',
        calmMs: liveness.fromSeconds === null ? null : liveness.fromSeconds * 1000,
        firstMs: isNumberingFree(scenario)
          ? (node) => Math.floor((node * periodMs) / nodes)
          : () => first.below(periodMs),
      },
      { up: (node, lost) => this.#up(node, lost), down: (node) => this.#down(node) },
    )
    this.#sampled = sampled(nodes, report.sampleNodes, seed).filter((node) => this.#attackers.attackOf(node) === null)
  }

  /** Once; then the learner is closed. */
  async run(): Promise<Omit<SimulationResult, 'provenance' | 'realSeconds'>> {
    try {
      return await this.#run()
    } finally {
      this.#fleet.close?.()
    }
  }

  async #run(): Promise<Omit<SimulationResult, 'provenance' | 'realSeconds'>> {
    const { scenario } = this.#world
    this.#presence.begin()
    this.#planPartitions()
    this.#planSamples()
    this.#planFlips()
    this.#planCalm()
    await this.#clock.run(
      scenario.end.seconds * 1000,
      () => this.#isDone(),
      () => this.#pause(),
    )
    if (this.#samples.at(-1)?.seconds !== this.#clock.elapsedMs / 1000) this.#sample()
    if (scenario.liveness.convergeSeconds !== null && this.#outcome() === 'done') this.#checkConverged()
    this.#checkMemory()
    this.#narrator?.end(this.#crowd)
    return this.#result()
  }

  #spread(cells: CrowdCells | null): Spread {
    const { gossip } = this.#world.scenario
    if (gossip.mode === 'fanout')
      return toSome(this.#wires, gossip.fanout, streamOf(this.#world.seed, 'receivers'), cells)
    if (gossip.mode === 'flood') return toAll(this.#wires, cells)
    const rng = streamOf(this.#world.seed, 'receivers')
    const mesh = new CrowdMesh(this.#clock, this.#wires, gossip.mesh, rng, () => this.#crowd, cells)
    this.#mesh = mesh
    return (update) => mesh.publish(update)
  }

  #up(node: number, lost: boolean): void {
    const kept = this.#kept.get(node)
    this.#kept.delete(node)
    this.#narrator?.up(node, kept, lost)
    this.#begin(node, kept, lost)
    this.#mesh?.up(node)
  }

  #begin(node: number, kept: { readonly round: number; readonly base: Slot } | undefined, lost: boolean): void {
    if (kept === undefined) return this.#crowd.up(node, null)
    if (!lost) return this.#crowd.up(node, kept)
    this.#fleet.release(kept.base)
    this.#crowd.upAfresh(node, kept.round) // its log comes back from the others, and says how far it had come
  }

  #down(node: number): void {
    this.#narrator?.down(node)
    this.#mesh?.down(node)
    this.#kept.set(node, this.#crowd.down(node))
  }

  #planPartitions(): void {
    const { scenario, sides } = this.#world
    scenario.network.partitions.forEach(({ fromSeconds, toSeconds }, i) => {
      this.#clock.after(fromSeconds * 1000, () => this.#divide(sides[i] ?? null))
      this.#clock.after(toSeconds * 1000, () => this.#divide(null))
    })
  }

  #checkConverged(): void {
    if (this.#checks.converged.result.checked === 0) this.#checks.converge(this.#crowd, this.#world.nodes)
  }

  #divide(sides: Uint8Array | null): void {
    const before = this.#wires.sides
    this.#wires.divide(sides)
    this.#mesh?.relink((a, b) => (before === null || before[a] === before[b]) && !this.#wires.closed(a, b))
  }

  #planFlips(): void {
    for (const node of this.#attackers.nodes) {
      if (this.#attackers.flipsLater(node))
        this.#clock.after(this.#attackers.fromMs(node), () => this.#fleet.flipLabels(node))
    }
  }

  #planCalm(): void {
    const { fromSeconds, convergeSeconds } = this.#world.scenario.liveness
    if (fromSeconds === null) return
    this.#clock.after(fromSeconds * 1000, () => {
      this.#divide(null)
      this.#wires.calm()
      this.#checks.calm(this.#crowd, this.#world.nodes)
    })
    if (convergeSeconds === null) return
    this.#clock.after((fromSeconds + convergeSeconds) * 1000, () => this.#checkConverged())
  }

  #planSamples(): void {
    const everyMs = this.#world.scenario.report.everySeconds * 1000
    const next = (): void => {
      this.#sample()
      this.#clock.after(everyMs, next)
    }
    this.#clock.after(0, next)
  }

  #isDone(): boolean {
    if (this.#clock.events - this.#tracedAt >= TRACE_EVERY) {
      this.#tracedAt = this.#clock.events
      this.#options.onTrace?.({ event: this.#tracedAt, hash: this.#trace.hash })
    }
    return this.#interrupted || (this.#allEnded && this.#clock.elapsedMs > this.#notBeforeMs)
  }

  get #allEnded(): boolean {
    return this.#crowd.counts.ended >= this.#world.nodes
  }

  async #pause(): Promise<void> {
    const { scenario } = this.#world
    const { rounds } = scenario.study
    await this.#options.breathe?.()
    this.#options.onProgress?.({
      virtualSeconds: this.#clock.elapsedMs / 1000,
      endSeconds: Math.min(scenario.end.seconds, rounds.count * Math.max(rounds.periodSeconds, 0.001)),
      events: this.#clock.events,
      roundMean: this.#samples.at(-1)?.roundMean ?? 0,
      rounds: rounds.count,
    })
    if (this.#options.signal?.aborted === true) this.#interrupted = true
  }

  #realDigest(slot: number): number {
    return Number.parseInt(weightsDigest(this.#fleet.read(slot).shared).slice(0, 13), 16)
  }

  #sample(): void {
    const { counts } = this.#crowd
    const { sent, lost, dropped, bytes } = this.#wires.counts
    const judged = []
    const models: Float32Array[] = []
    let [live, sum, min, max] = [0, 0, Number.POSITIVE_INFINITY, 0]
    for (let node = 0; node < this.#world.nodes; node++) {
      const rounds = this.#crowd.roundsOf(node)
      if (rounds === null) continue
      live++
      const done = this.#roundOf(rounds)
      sum += done
      min = Math.min(min, done)
      max = Math.max(max, done)
    }
    for (const node of this.#sampled) {
      const base = this.#crowd.roundsOf(node)?.base
      if (base === null || base === undefined) continue
      judged.push(this.#judge(node, base))
      if (this.#fleet.parameters > 0) models.push(this.#fleet.read(base).shared)
    }
    const metrics = judgedTogether(judged)
    const [merges, others, ages] = [
      counts.merges - this.#last.merges,
      counts.others - this.#last.others,
      counts.ageRounds - this.#last.ageRounds,
    ]
    this.#samples.push({
      seconds: this.#clock.elapsedMs / 1000,
      live,
      roundMin: live === 0 ? 0 : min,
      roundMean: live === 0 ? 0 : sum / live,
      roundMax: max,
      auc: metrics?.auc ?? null,
      accuracy: metrics?.accuracy ?? null,
      logLoss: metrics?.logLoss ?? null,
      calibrationError: metrics?.calibrationError ?? null,
      consensusDistance: consensusDistance(models),
      stalenessMean: others > 0 ? ages / others : null,
      inputsMean: merges > 0 ? (counts.inputs - this.#last.inputs) / merges : null,
      bytesSent: bytes,
      messagesSent: sent,
      messagesLost: lost + dropped,
      duplicates: this.#crowd.counts.refused.get('update-known') ?? 0,
      refused: [...counts.refused.values()].reduce((all, count) => all + count, 0),
      localUpdates: counts.localUpdates,
      merges: counts.merges,
      events: this.#clock.events,
      entries: null,
      entriesFinal: null,
      finalityLagSeconds: null,
    })
    this.#last = { merges: counts.merges, inputs: counts.inputs, ageRounds: counts.ageRounds, others: counts.others }
  }

  /** Bases, what is held, what is on its way, what disks keep, and the first model. */
  #checkMemory(): void {
    let needed = 1 + this.#kept.size + this.#crowd.flights.copies
    for (let node = 0; node < this.#world.nodes; node++) {
      const rounds = this.#crowd.roundsOf(node)
      if (rounds !== null) needed += 1 + rounds.exchange.size
    }
    this.#checks.memoryFlat(needed)
  }

  #outcome(): Outcome {
    if (this.#checks.all.some((check) => check.failed)) return 'check-failed'
    if (this.#interrupted) return 'interrupted'
    return this.#allEnded ? 'done' : 'time'
  }

  #result(): Omit<SimulationResult, 'provenance' | 'realSeconds'> {
    const { counts } = this.#crowd
    const { nodes, scenario, seed, rows } = this.#world
    return {
      format: 1,
      scenarioName: this.#options.scenarioName,
      scenario,
      seed,
      outcome: this.#outcome(),
      virtualSeconds: this.#clock.elapsedMs / 1000,
      events: this.#clock.events,
      localUpdates: counts.localUpdates,
      merges: counts.merges,
      parameters: this.#fleet.parameters,
      fleetBytes: this.#fleet.memoryBytes,
      samples: this.#samples,
      nodes: Array.from({ length: Math.min(nodes, SUMMARIES_MAX) }, (_, node) => this.#summary(node)),
      topology: pictureOf(this.#world.topology),
      refusals: Object.fromEntries([...counts.refused].sort(([a], [b]) => (a < b ? -1 : 1))),
      checks: this.#checks.all
        .filter((check) => check !== this.#checks.converged || scenario.liveness.convergeSeconds !== null)
        .map((check) => check.result),
      traceHash: this.#trace.hash,
      dataDigest: rows?.deal.digest ?? null,
      studyReport: null,
    }
  }

  /** Rounds that are done. */
  #roundOf({ phase, round }: Rounds<number, Slot>): number {
    return phase === 'ended' ? this.#world.scenario.study.rounds.count : round
  }

  #judge(node: number, base: Slot): Judged {
    const logits = new Float32Array(this.#fleet.testRows(node))
    this.#fleet.logits(node, base, logits)
    return { logits, labels: this.#fleet.testLabels(node) }
  }

  #summary(node: number): NodeSummary {
    const rounds = this.#crowd.roundsOf(node)
    const base = rounds?.base ?? this.#kept.get(node)?.base ?? null
    const metrics = base === null ? null : judgedTogether([this.#judge(node, base)])
    return {
      node,
      name: this.#world.rows?.deal.nameOf(node) ?? this.#world.topology.regionOf(node) ?? String(node),
      rows: this.#fleet.trainRows(node),
      round: rounds === null ? (this.#kept.get(node)?.round ?? 0) : this.#roundOf(rounds),
      up: rounds !== null,
      starts: this.#crowd.startsOf(node),
      adversary: this.#attackers.attackOf(node),
      auc: metrics?.auc ?? null,
      accuracy: metrics?.accuracy ?? null,
      logLoss: metrics?.logLoss ?? null,
      bytesSent: this.#wires.bytesOf(node),
      merges: this.#crowd.mergesOf(node),
      epsilon: this.#fleet instanceof PrivateFleet ? this.#fleet.epsilonOf(node) : null,
      asideShare: this.#crowd.asideOf(node),
    }
  }
}
