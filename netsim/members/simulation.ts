/** A scenario run by nodes with a ledger: entries, heads, cosignatures and replication at every one, as in the daemon. */
import { modelOf, type Study } from '../../src/config/study.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { Scaling } from '../../src/core/statistics.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { designMatrix } from '../../src/data/design.ts'
import { scalingHere } from '../../src/data/ownScaling.ts'
import type { Learner, Weights } from '../../src/learn/learner.ts'
import { predict } from '../../src/learn/model.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { fenceNeeds } from '../../src/node/fence.ts'
import type { Report } from '../../src/report/report.ts'
import { Attackers } from '../adversary/attackers.ts'
import type { SimulateOptions } from '../options.ts'
import { pictureOf } from '../picture.ts'
import { crashesOf, Presence } from '../presence.ts'
import type { NodeSummary, Outcome, Sample, SimulationResult } from '../result.ts'
import { consensusDistance, type Judged, judgedTogether, sampled } from '../sampling.ts'
import { datasetOf } from '../world/deal.ts'
import { streamOf, type World } from '../world/make.ts'
import { Asides } from './asides.ts'
import { LedgerChecks } from './checks.ts'
import { learnersOf } from './learners.ts'
import type { Publisher } from './liar.ts'
import { StepNarrator } from './narrator.ts'
import { protocolStudy, protocolTable } from './protocolOnly.ts'
import { spreadingOf } from './pubsub.ts'
import { StudySimulation } from './run.ts'
import { studyReportAt } from './studyReport.ts'
import type { Step } from './trace.ts'

const START_SPACING_MS = 1 // nodes never start at one instant

/** One run of one scenario. */
export class LedgerSimulation {
  readonly #world: World
  readonly #options: SimulateOptions
  readonly #study: Study
  readonly #tables: readonly Dataset[]
  readonly #learners: readonly Learner[]
  readonly #attackers: Attackers
  readonly #simulation: StudySimulation
  readonly #checks: LedgerChecks
  readonly #sampled: readonly number[]
  readonly #samples: Sample[] = []
  readonly #refusals = new Map<string, number>()
  readonly #mergesOf: Uint32Array
  readonly #asides: Asides
  #counts = { localUpdates: 0, merges: 0, inputs: 0, others: 0, ages: 0 }
  #last = { merges: 0, inputs: 0, others: 0, ages: 0 }
  readonly #narrator: StepNarrator | null
  readonly #demands = new Set<() => void>()
  /** The event of the newest checkpoint of the trace: one each, for a replay to say at which it parted. */
  #traced = -1

  constructor(world: World, options: SimulateOptions) {
    const { scenario, seed, nodes, rows } = world
    checkLinks(world)
    this.#world = world
    this.#options = options
    this.#study = rows?.study ?? protocolStudy(scenario)
    this.#attackers = new Attackers(scenario, seed)
    this.#learners = learnersOf(world, this.#attackers, () => this.#simulation.clock.elapsedMs)
    const empty = protocolTable()
    this.#tables = Array.from({ length: nodes }, (_, node) => (rows === null ? empty : datasetOf(rows.deal, node)))
    this.#mergesOf = new Uint32Array(nodes)
    this.#asides = new Asides(nodes)
    const training = streamOf(seed, 'training time')
    this.#simulation = new StudySimulation({
      study: this.#study,
      tables: this.#tables.map((table) => [table]),
      seed,
      learner: (node) => this.#learners[node] as Learner,
      network: { ...scenario.network, topology: world.topology, nat: world.nat },
      pubsub: spreadingOf(world),
      equivocators: this.#attackers.nodes
        .filter((node) => this.#attackers.attackOf(node) === 'equivocate')
        .map((node) => ({ node, fools: everySecond(nodes, node) })),
      publisher: (node) => this.#publisher(node),
      signatures: scenario.signatures,
      untilFinal: scenario.liveness.finalSeconds !== null,
      notBeforeMs: (scenario.liveness.fromSeconds ?? 0) * 1000 + 1,
      untilMs: scenario.end.seconds * 1000,
      startsElsewhere: true,
      trainMs: (node) => world.speeds.trainMs(node, training),
      onStep: (step) => this.#step(step),
    })
    const honest = (node: number): boolean => this.#attackers.attackOf(node) !== 'equivocate'
    this.#checks = new LedgerChecks(this.#simulation, this.#study.merge, honest)
    this.#sampled = sampled(nodes, scenario.report.sampleNodes, seed).filter(
      (node) => this.#attackers.attackOf(node) === null,
    )
    this.#narrator = StepNarrator.of(this.#simulation.clock, this.#simulation.identities, options)
  }

  async run(): Promise<Omit<SimulationResult, 'provenance' | 'realSeconds'>> {
    const { nodes } = this.#world
    try {
      this.#plan()
      await this.#simulation.run(() => this.#pause())
      if (this.#samples.at(-1)?.seconds !== this.#seconds) this.#sample()
      for (const look of this.#demands) look()
      this.#checks.end(nodes)
      return this.#result()
    } finally {
      for (const learner of this.#learners) await learner.close()
    }
  }

  get #seconds(): number {
    return this.#simulation.clock.elapsedMs / 1000
  }

  #plan(): void {
    const { scenario, nodes, availability, sides } = this.#world
    const { clock, network } = this.#simulation
    const { liveness, report } = scenario
    const presence = new Presence(
      clock,
      {
        nodes,
        availability,
        crashes: crashesOf(scenario),
        lost: scenario.nodes.disk === 'lost',
        calmMs: liveness.fromSeconds === null ? null : liveness.fromSeconds * 1000,
        firstMs: (node) => node * START_SPACING_MS,
      },
      {
        up: (node, lost) => {
          if (lost) this.#checks.lost(node)
          this.#simulation.start(node, lost)
        },
        down: (node) => this.#simulation.crash(node),
      },
    )
    presence.begin()
    const whole = new Array<number>(nodes).fill(0)
    scenario.network.partitions.forEach(({ fromSeconds, toSeconds }, i) => {
      clock.after(fromSeconds * 1000, () => network.divide([...(sides[i] ?? whole)]))
      clock.after(toSeconds * 1000, () => network.divide(whole))
    })
    if (liveness.fromSeconds !== null) this.#planCalm(liveness.fromSeconds * 1000, whole)
    const everyMs = report.everySeconds * 1000
    const sample = (): void => {
      this.#sample()
      clock.after(everyMs, sample)
    }
    clock.after(0, sample)
  }

  #planCalm(fromMs: number, whole: number[]): void {
    const { convergeSeconds, finalSeconds } = this.#world.scenario.liveness
    const { clock, network } = this.#simulation
    clock.after(fromMs, () => {
      network.divide(whole)
      network.wires.calm()
      const lengths = this.#checks.lengths()
      const { nodes } = this.#world
      if (convergeSeconds !== null) this.#demand(convergeSeconds, () => this.#checks.spread(lengths, nodes))
      if (finalSeconds !== null) this.#demand(finalSeconds, () => this.#checks.final(lengths, nodes))
    })
  }

  /** Looks then, or at the end where that comes before. */
  #demand(afterSeconds: number, look: () => void): void {
    this.#demands.add(look)
    this.#simulation.clock.after(afterSeconds * 1000, () => {
      if (this.#demands.delete(look)) look()
    })
  }

  #publisher(node: number): Publisher | null {
    const attack = this.#attackers.attackOf(node)
    if (attack === null || attack === 'label-flip' || attack === 'equivocate') return null
    return (situation) => {
      const published = this.#attackers.publish(node, this.#simulation.clock.elapsedMs, situation)
      return published !== null && typeof published === 'object' && 'twice' in published ? published.twice : published
    }
  }

  #step(step: Step): void {
    this.#checks.step(step)
    const { event, actions, node } = step
    this.#asides.step(step, this.#simulation.identities.members)
    if (event.type === 'trained') this.#counts.localUpdates++
    if (event.type === 'merged') {
      this.#counts.merges++
      this.#mergesOf[node] = (this.#mergesOf[node] as number) + 1
    }
    for (const action of actions) {
      if (action.type === 'merge') {
        this.#counts.inputs += action.inputs.length
        this.#counts.others += action.inputs.length - 1
        for (const { ageRounds } of action.inputs) this.#counts.ages += ageRounds
      } else if (action.type === 'verdict' && event.type === 'update-heard' && action.reason !== null) {
        this.#refusals.set(action.reason, (this.#refusals.get(action.reason) ?? 0) + 1)
      }
    }
    const { trace, clock } = this.#simulation
    if (this.#options.onTrace !== undefined && clock.events > this.#traced) {
      this.#traced = clock.events
      this.#options.onTrace({ event: clock.events, hash: trace.hash })
    }
    this.#narrator?.step(step)
  }

  async #pause(): Promise<void> {
    const { scenario } = this.#world
    await this.#options.breathe?.()
    this.#options.onProgress?.({
      virtualSeconds: this.#seconds,
      endSeconds: scenario.end.seconds,
      events: this.#simulation.clock.events,
      roundMean: this.#samples.at(-1)?.roundMean ?? 0,
      rounds: scenario.study.rounds.count,
    })
    if (this.#options.signal?.aborted === true) this.#simulation.clock.stop()
  }

  #runOf(node: number) {
    const view = this.#simulation.shellOf(node)?.machine
    if (view === undefined || !view.booted) return null
    return view.view().studies.find(({ state }) => state.id === this.#simulation.study) ?? null
  }

  #roundOf(node: number): number {
    const run = this.#runOf(node)?.run
    return run === null || run === undefined ? 0 : run.phase === 'ended' ? this.#study.rounds.count : run.round
  }

  #modelOf(node: number): { readonly weights: Weights; readonly scaling: Scaling | null } | null {
    const stored = this.#simulation.diskOf(node).complete.get(this.#simulation.study)
    if (stored === undefined) return null
    const scaling = this.#runOf(node)?.state.scaling?.scaling ?? null
    return { weights: { shared: stored.shared, head: stored.head }, scaling }
  }

  #judge(node: number): Judged | null {
    const model = this.#modelOf(node)
    const { rows } = this.#world
    if (model === null || rows === null) return null
    const table = this.#tables[node] as Dataset
    const scaling = scalingHere(this.#study, table, model.scaling ?? rows.scaling)
    const matrix = designMatrix(this.#study, table, table.testRows, scaling)
    return { logits: predict(modelOf(this.#study), matrix.columns, model.weights, matrix), labels: matrix.y }
  }

  #sample(): void {
    const { nodes } = this.#world
    const { wires } = this.#simulation.network
    const { sent, lost, dropped, bytes } = wires.counts
    const up = Array.from({ length: nodes }, (_, node) => node).filter(
      (node) => this.#simulation.shellOf(node) !== null,
    )
    const rounds = up.map((node) => this.#roundOf(node))
    const shown = this.#sampled.filter((node) => this.#simulation.shellOf(node) !== null)
    const metrics = judgedTogether(shown.flatMap((node) => this.#judge(node) ?? []))
    const models = shown.flatMap((node) => this.#modelOf(node)?.weights.shared ?? [])
    const counts = this.#counts
    const [merges, others] = [counts.merges - this.#last.merges, counts.others - this.#last.others]
    this.#samples.push({
      seconds: this.#seconds,
      live: up.length,
      roundMin: rounds.length === 0 ? 0 : Math.min(...rounds),
      roundMean: rounds.reduce((sum, round) => sum + round, 0) / Math.max(1, rounds.length),
      roundMax: Math.max(0, ...rounds),
      auc: metrics?.auc ?? null,
      accuracy: metrics?.accuracy ?? null,
      logLoss: metrics?.logLoss ?? null,
      calibrationError: metrics?.calibrationError ?? null,
      consensusDistance: consensusDistance(models),
      stalenessMean: others > 0 ? (counts.ages - this.#last.ages) / others : null,
      inputsMean: merges > 0 ? (counts.inputs - this.#last.inputs) / merges : null,
      bytesSent: bytes,
      messagesSent: sent,
      messagesLost: lost + dropped,
      duplicates: this.#refusals.get('update-known') ?? 0,
      refused: [...this.#refusals.values()].reduce((sum, count) => sum + count, 0),
      localUpdates: counts.localUpdates,
      merges: counts.merges,
      events: this.#simulation.clock.events,
      ...this.#finality(),
    })
    this.#last = { merges: counts.merges, inputs: counts.inputs, others: counts.others, ages: counts.ages }
  }

  #finality(): Pick<Sample, 'entries' | 'entriesFinal' | 'finalityLagSeconds'> {
    const { nodes } = this.#world
    const now = this.#simulation.clock.now
    let [entries, final, lag, live] = [0, 0, 0, 0]
    for (let node = 0; node < nodes; node++) {
      const disk = this.#simulation.diskOf(node)
      const author = this.#simulation.identities.memberOf(node)
      const { raws } = disk.log(author)
      const size = Math.min(disk.finals.get(author)?.size ?? 0, raws.length)
      entries += raws.length
      final += size
      if (this.#simulation.shellOf(node) === null) continue
      live++
      const oldest = raws[size]
      if (oldest !== undefined) lag += Math.max(0, now - decodeEntry(oldest).timeMs) / 1000
    }
    return { entries, entriesFinal: final, finalityLagSeconds: live === 0 ? null : lag / live }
  }

  #outcome(): Outcome {
    if (this.#checks.all.some((check) => check.failed)) return 'check-failed'
    if (this.#options.signal?.aborted === true) return 'interrupted'
    return this.#simulation.settled ? 'done' : 'time'
  }

  #result(): Omit<SimulationResult, 'provenance' | 'realSeconds'> {
    const { scenario, seed, nodes, rows, topology } = this.#world
    const { clock, trace } = this.#simulation
    return {
      format: 1,
      scenarioName: this.#options.scenarioName,
      scenario,
      seed,
      outcome: this.#outcome(),
      virtualSeconds: this.#seconds,
      events: clock.events,
      localUpdates: this.#counts.localUpdates,
      merges: this.#counts.merges,
      parameters: this.#modelOf(0)?.weights.shared.length ?? 0,
      fleetBytes: null,
      samples: this.#samples,
      nodes: Array.from({ length: nodes }, (_, node) => this.#summary(node)),
      topology: pictureOf(topology),
      refusals: Object.fromEntries([...this.#refusals].sort(([a], [b]) => (a < b ? -1 : 1))),
      checks: this.#checks.demanded(scenario.liveness).map((check) => check.result),
      traceHash: trace.hash,
      dataDigest: rows?.deal.digest ?? null,
      studyReport: rows === null ? null : this.#studyReport(),
    }
  }

  /** As the first honest node that is up would give it. */
  #studyReport(): Report | null {
    const nodes = Array.from({ length: this.#world.nodes }, (_, node) => node)
    const node = nodes.find((one) => this.#attackers.attackOf(one) === null && this.#simulation.shellOf(one) !== null)
    return node === undefined ? null : studyReportAt(this.#simulation, node, (one) => this.#nameOf(one))
  }

  #nameOf(node: number): string {
    const { rows, topology } = this.#world
    return rows?.deal.nameOf(node) ?? topology.regionOf(node) ?? String(node)
  }

  #summary(node: number): NodeSummary {
    const judged = this.#judge(node)
    const metrics = judged === null ? null : judgedTogether([judged])
    return {
      node,
      name: this.#nameOf(node),
      rows: (this.#tables[node] as Dataset).trainRows.length,
      round: this.#roundOf(node),
      up: this.#simulation.shellOf(node) !== null,
      starts: this.#simulation.startsOf(node),
      adversary: this.#attackers.attackOf(node),
      auc: metrics?.auc ?? null,
      accuracy: metrics?.accuracy ?? null,
      logLoss: metrics?.logLoss ?? null,
      bytesSent: this.#simulation.network.wires.bytesOf(node),
      merges: this.#mergesOf[node] as number,
      epsilon: this.#runOf(node)?.run?.privacy?.epsilon ?? null,
      asideShare: this.#asides.shareOf(node),
    }
  }
}

/** Who is linked to too few would never pass the boot fence, and nothing would happen. Error: `scenario-topology`. */
function checkLinks({ nodes, topology, nat }: World): void {
  const { needed } = fenceNeeds(nodes)
  for (let node = 0; node < nodes; node++) {
    const links = topology.full
      ? nodes - 1 - (nat?.[node] === 1 ? nat.reduce((sum, closed) => sum + closed, -1) : 0)
      : topology.neighbours(node).length
    if (links >= needed) continue
    throw new ConsiliumError({
      code: 'scenario-topology',
      message: `network: node ${node} has ${links} links, and with a ledger of ${nodes} members each needs ${needed} or more: before a node signs, so many others have to say what they hold of its log; choose a topology with more links, a smaller natShare, or ledger: off`,
    })
  }
}

const everySecond = (nodes: number, not: number): number[] =>
  Array.from({ length: nodes }, (_, node) => node).filter((node) => node !== not && node % 2 === 0)
