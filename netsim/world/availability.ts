/** When each node is up: always, by chance, by the time of day, or as a file says. */
import type { Rng } from '../../src/core/rng.ts'
import type { Scenario } from '../scenario/schema.ts'
import { exponential } from './draws.ts'
import type { ScenarioFiles } from './files.ts'
import { Keyed } from './keyed.ts'
import { traced } from './trace.ts'
import type { Availability } from './world.ts'

export type AvailabilitySpec = Scenario['nodes']['availability']

/**
 * The availability of `nodes` nodes; 12 bytes a node at most, and 8 more for each change that a trace has. The schedule of a node is
 * fixed by `rng` alone, whatever else happens. Errors: `scenario-availability`, `scenario-file`.
 */
export function availabilityOf(spec: AvailabilitySpec, nodes: number, rng: Rng, files: ScenarioFiles): Availability {
  switch (spec.kind) {
    case 'always':
      return { initially: () => true, nextChangeMs: () => null }
    case 'churn':
      return new Churn(spec.meanUpSeconds * 1000, spec.meanDownSeconds * 1000, nodes, rng)
    case 'diurnal':
      return diurnal(spec, nodes, rng)
    case 'trace':
      return traced(spec.file, nodes, files)
  }
}

/**
 * Times up and down are exponential: a node's past says nothing about its future. It starts in the stationary distribution: up with a
 * share of mean up ÷ (mean up + mean down), and the time that is left of its first state is like any other.
 */
class Churn implements Availability {
  readonly #meanMs: { readonly up: number; readonly down: number }
  readonly #upShare: number
  readonly #keyed: Keyed
  /** Of each node: how often it has changed by the time before `#next`, and when it changes next; 0: not drawn yet. */
  readonly #changes: Uint32Array
  readonly #next: Float64Array

  constructor(upMs: number, downMs: number, nodes: number, rng: Rng) {
    this.#meanMs = { up: upMs, down: downMs }
    this.#upShare = upMs / (upMs + downMs)
    this.#keyed = new Keyed(rng)
    this.#changes = new Uint32Array(nodes)
    this.#next = new Float64Array(nodes)
  }

  initially(node: number): boolean {
    return this.#keyed.rng(node).float() < this.#upShare
  }

  nextChangeMs(node: number, nowMs: number, up: boolean): number {
    const first = this.initially(node)
    const isUp = (changes: number): boolean => (changes % 2 === 0) === first
    let changes = this.#changes[node] as number
    let next = this.#next[node] as number
    if (next === 0) next = this.#lasts(node, 0, isUp(0))
    while (next <= nowMs) next += this.#lasts(node, ++changes, isUp(changes))
    this.#changes[node] = changes
    this.#next[node] = next
    return isUp(changes) === up ? next : next + this.#lasts(node, changes + 1, up)
  }

  /** How long the state after so many changes lasts, whole milliseconds, at least 1. */
  #lasts(node: number, changes: number, up: boolean): number {
    const drawn = exponential(this.#keyed.rng(node, changes + 1), up ? this.#meanMs.up : this.#meanMs.down)
    return Math.max(Math.round(drawn), 1)
  }
}

const JITTER_SHARE = 1 / 24 // an hour of a day: not everybody arrives at the stroke of eight

/**
 * Up for the same part of every period. Time zones lie evenly around the period and have the same chance each; within its zone a node
 * begins up to a 24th of the period later than the first.
 */
function diurnal(spec: Extract<AvailabilitySpec, { kind: 'diurnal' }>, nodes: number, rng: Rng): Availability {
  const periodMs = Math.max(Math.round(spec.periodHours * 3_600_000), 2)
  const upMs = Math.min(Math.max(Math.round(periodMs * spec.upShare), 1), periodMs)
  if (upMs === periodMs) return { initially: () => true, nextChangeMs: () => null }
  const beginsMs = Float64Array.from({ length: nodes }, () => {
    const zone = rng.below(spec.zones)
    return Math.floor((periodMs * zone) / spec.zones + rng.float() * periodMs * JITTER_SHARE)
  })
  /** Since it last came up; it is up while this is below `upMs`. */
  const phase = (node: number, nowMs: number): number => {
    const since = (nowMs - (beginsMs[node] as number)) % periodMs
    return since < 0 ? since + periodMs : since
  }
  return {
    initially: (node) => phase(node, 0) < upMs,
    nextChangeMs: (node, nowMs, up) => {
      const now = Math.floor(nowMs)
      const since = phase(node, now)
      if (up) return now + (since < upMs ? upMs : periodMs + upMs) - since
      return now + periodMs - since
    },
  }
}
