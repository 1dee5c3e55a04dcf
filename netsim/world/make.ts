/** The whole world of a scenario: made once from its seed, before virtual time begins. */
import type { Study } from '../../src/config/study.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Scaling } from '../../src/core/statistics.ts'
import type { Scenario } from '../scenario/schema.ts'
import { availabilityOf } from './availability.ts'
import { dealOf } from './deal.ts'
import type { ScenarioFiles } from './files.ts'
import { type Speeds, speedsOf } from './speed.ts'
import { Designer, frozenScaling, studyOf } from './study.ts'
import { natOf, topologyOf } from './topology.ts'
import type { Availability, Deal, Topology } from './world.ts'

/** Rows, and what the nodes make of them together. */
export interface Rows {
  readonly deal: Deal
  readonly study: Study
  readonly scaling: Scaling
  readonly designer: Designer
}

/** Everything but the nodes themselves. */
export interface World {
  readonly scenario: Scenario
  readonly seed: number
  readonly nodes: number
  readonly topology: Topology
  readonly nat: Uint8Array | null
  readonly availability: Availability
  readonly speeds: Speeds
  /** Null without data. */
  readonly rows: Rows | null
  /** The side of each partition that every node is on. */
  readonly sides: readonly Uint8Array[]
}

/** A stream of chance of its own for each purpose, so that one more draw changes nothing elsewhere. */
export const streamOf = (seed: number, purpose: string): Rng => Rng.from('netsim', seed, purpose)

/** Errors: `scenario-…` and `data-…`, for what the scenario's words or files do not give. */
export async function makeWorld(scenario: Scenario, seed: number, files: ScenarioFiles): Promise<World> {
  const { count, availability, speed } = scenario.nodes
  const { topology, natShare, partitions } = scenario.network
  const nat = natShare > 0 ? natOf(count, natShare, streamOf(seed, 'nat')) : null
  const deal = await dealOf(scenario, seed, files)
  return {
    scenario,
    seed,
    nodes: count,
    topology: topologyOf(topology, count, streamOf(seed, 'topology'), files, nat),
    nat,
    availability: availabilityOf(availability, count, streamOf(seed, 'availability'), files),
    speeds: speedsOf(speed, count, streamOf(seed, 'speed')),
    rows: deal === null ? null : rowsOf(scenario, deal),
    sides: partitions.map(({ shares }, i) => sidesOf(count, shares, streamOf(seed, `partition ${i}`))),
  }
}

function rowsOf(scenario: Scenario, deal: Deal): Rows {
  const study = studyOf(scenario, deal)
  const scaling = frozenScaling(study, deal)
  return { deal, study, scaling, designer: new Designer(study, deal, scaling) }
}

/** Each node on a side, by the shares, drawn without order. */
function sidesOf(nodes: number, shares: readonly number[], rng: Rng): Uint8Array {
  const total = shares.reduce((sum, share) => sum + share, 0)
  const order = rng.shuffle(Uint32Array.from({ length: nodes }, (_, node) => node))
  const sides = new Uint8Array(nodes)
  let [from, upTo] = [0, 0]
  shares.forEach((share, side) => {
    upTo += share / total
    const end = side === shares.length - 1 ? nodes : Math.round(upTo * nodes)
    for (let i = from; i < end; i++) sides[order[i] as number] = side
    from = end
  })
  return sides
}
