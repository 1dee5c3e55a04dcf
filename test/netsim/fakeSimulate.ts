/** An engine that makes up learning curves: deterministic, fast, and able to fail, for tests of all that surrounds the engine. */
import { setImmediate } from 'node:timers/promises'
import type { SimulateOptions } from '../../netsim/options.ts'
import type { NodeSummary, Outcome, Sample, SimulationResult } from '../../netsim/result.ts'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { Rng } from '../../src/core/rng.ts'

const EVENTS_PER_SECOND = 100
const NODES_MAX = 10_000

/** Fails a check where `liveness.convergeSeconds` is 0; parts from itself after `partAt` events, as a broken engine would. */
export function fakeSimulate(
  options: SimulateOptions,
  partAt = Number.POSITIVE_INFINITY,
  wait: () => Promise<unknown> = setImmediate,
): Promise<SimulationResult> {
  return new Fake(options, partAt, wait).run()
}

class Fake {
  readonly #o: SimulateOptions
  readonly #partAt: number
  readonly #wait: () => Promise<unknown>
  readonly #rng: Rng
  readonly #samples: Sample[] = []
  #hash: Uint8Array = new Uint8Array(32)
  #events = 0

  constructor(options: SimulateOptions, partAt: number, wait: () => Promise<unknown>) {
    this.#o = options
    this.#wait = wait
    this.#partAt = partAt
    this.#rng = Rng.from('fake', options.seed, JSON.stringify(options.scenario.gossip))
  }

  async run(): Promise<SimulationResult> {
    const { scenario, signal } = this.#o
    const end = scenario.end.seconds
    let outcome: Outcome = 'time'
    for (let seconds = 0; seconds <= end; seconds += scenario.report.everySeconds) {
      if (signal?.aborted) {
        outcome = 'interrupted'
        break
      }
      this.#step(seconds)
      await this.#wait()
      if (scenario.liveness.convergeSeconds === 0 && seconds >= end / 2) {
        outcome = 'check-failed'
        break
      }
    }
    return this.#result(outcome)
  }

  #step(seconds: number): void {
    const { scenario, onTrace, onProgress, onExplain, explainNode } = this.#o
    for (let i = 0; i < EVENTS_PER_SECOND * scenario.report.everySeconds; i += 10) {
      this.#events += 10
      const salt = this.#events >= this.#partAt ? 'x' : ''
      this.#hash = sha256(this.#hash, utf8(`${this.#o.seed} ${this.#events} ${JSON.stringify(scenario.gossip)}${salt}`))
      onTrace?.({ event: this.#events, hash: toHex(this.#hash) })
    }
    this.#samples.push(this.#sample(seconds))
    const round = Math.floor(seconds)
    onProgress?.({
      virtualSeconds: seconds,
      endSeconds: scenario.end.seconds,
      events: this.#events,
      roundMean: round,
      rounds: scenario.study.rounds.count,
    })
    if (explainNode !== undefined)
      onExplain?.({
        seconds,
        event: this.#events,
        text: `node ${explainNode} merged ${1 + (round % 5)} updates into round ${round}`,
      })
  }

  #sample(seconds: number): Sample {
    const { scenario } = this.#o
    const count = scenario.nodes.count
    const learns = scenario.data.kind !== 'none'
    const ledger = scenario.ledger === 'on'
    const speed = 0.02 * (1 + Math.log2(scenario.gossip.fanout + 1))
    const wobble = (this.#rng.float() - 0.5) * 0.01
    const done = 1 - Math.exp(-speed * seconds)
    const sent = Math.round(count * seconds * scenario.gossip.fanout * (1 + 0.1 * this.#rng.float()))
    const lost = Math.round(sent * scenario.network.loss)
    return {
      seconds,
      live: count - Math.floor(this.#rng.float() * count * 0.1),
      roundMin: Math.floor(seconds * 0.8),
      roundMean: seconds * 0.95,
      roundMax: Math.ceil(seconds * 1.05),
      auc: learns ? 0.5 + 0.4 * done + wobble : null,
      accuracy: learns ? 0.5 + 0.32 * done + wobble : null,
      logLoss: learns ? 0.7 - 0.35 * done - wobble : null,
      calibrationError: learns ? 0.12 - 0.08 * done + wobble : null,
      consensusDistance: learns ? 0.8 * Math.exp(-speed * 2 * seconds) + 0.004 : null,
      stalenessMean: seconds === 0 ? null : 1.2 + 20 * wobble,
      inputsMean: seconds === 0 ? null : 3.1 + 30 * wobble,
      bytesSent: sent * 1_432,
      messagesSent: sent,
      messagesLost: lost,
      duplicates: Math.round(sent * 0.2),
      refused: 0,
      localUpdates: Math.round(count * seconds),
      merges: Math.round(count * seconds * 0.97),
      events: this.#events,
      entries: ledger ? Math.round(count * seconds * 3) : null,
      entriesFinal: ledger ? Math.max(0, Math.round(count * (seconds - 2) * 3)) : null,
      finalityLagSeconds: ledger ? 1.9 + 40 * wobble : null,
    }
  }

  #node(node: number): NodeSummary {
    const rng = Rng.from('fake node', this.#o.seed, node)
    const last = this.#samples.at(-1)
    const moved = (value: number | null | undefined): number | null =>
      value === null || value === undefined ? null : value + (rng.float() - 0.5) * 0.12
    const attack = this.#o.scenario.adversaries[0]
    return {
      node,
      name: `site ${node + 1}`,
      rows: 40 + rng.below(400),
      round: Math.floor(last?.roundMean ?? 0),
      up: rng.below(12) > 0,
      starts: 1 + rng.below(3),
      adversary: attack && node % 10 === 3 ? attack.attack : null,
      auc: moved(last?.auc),
      accuracy: moved(last?.accuracy),
      logLoss: moved(last?.logLoss),
      bytesSent: 100_000 + rng.below(50_000),
      merges: Math.floor(last?.roundMean ?? 0),
      epsilon: null,
      asideShare: null,
    }
  }

  #result(outcome: Outcome): SimulationResult {
    const { scenario, seed, scenarioName } = this.#o
    const last = this.#samples.at(-1)
    const seconds = last?.seconds ?? 0
    const failed = { event: this.#events, seconds, node: 3, message: 'two nodes still differ after 0 s' }
    return {
      format: 1,
      scenarioName,
      scenario,
      seed,
      provenance: null,
      outcome,
      virtualSeconds: seconds,
      realSeconds: 1.25,
      events: this.#events,
      localUpdates: last?.localUpdates ?? 0,
      merges: last?.merges ?? 0,
      parameters: 131,
      fleetBytes: 1_000,
      samples: this.#samples,
      nodes: Array.from({ length: Math.min(scenario.nodes.count, NODES_MAX) }, (_, node) => this.#node(node)),
      topology: this.#topology(),
      refusals: scenario.adversaries.length > 0 ? { norm: 41, digest: 7 } : {},
      checks: [
        { name: 'logs only grow', checked: this.#events, failure: null },
        { name: 'nodes converge', checked: 12, failure: outcome === 'check-failed' ? failed : null },
      ],
      traceHash: toHex(this.#hash),
      dataDigest: scenario.data.kind === 'none' ? null : 'd1'.repeat(32),
      studyReport: null,
    }
  }

  #topology(): SimulationResult['topology'] {
    const nodes = Math.min(200, this.#o.scenario.nodes.count)
    const rng = Rng.from('fake links', this.#o.seed)
    const links: [number, number][] = []
    const full = this.#o.scenario.network.topology.kind === 'full'
    for (let a = 0; a < nodes; a++) {
      for (let b = a + 1; b < nodes && links.length < 2_000; b++)
        if (full || b === a + 1 || rng.float() < 2 / nodes) links.push([a, b])
    }
    return { nodes, links }
  }
}
