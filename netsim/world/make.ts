/** The whole world of a scenario, made once before virtual time begins: the same scenario and seed give the same bytes everywhere. */
import { Rng } from '../../src/core/rng.ts'
import type { Scenario } from '../scenario/schema.ts'
import { availabilityOf } from './availability.ts'
import { dealOf } from './deal.ts'
import type { ScenarioFiles } from './files.ts'
import { type Speeds, speedsOf } from './speed.ts'
import { natOf, topologyOf } from './topology.ts'
import type { Availability, Deal, Topology } from './world.ts'

/** Everything that a simulation takes as given. */
export interface World {
  readonly topology: Topology
  /** 1 for each node that can only dial out; null where all can be dialled. */
  readonly nat: Uint8Array | null
  readonly availability: Availability
  readonly speeds: Speeds
  /** Null where the scenario has no data. */
  readonly deal: Deal | null
}

/** Makes the world, each part from a stream of its own, so that a change of one leaves the others. Errors: `scenario-…`, `data-…`. */
export async function makeWorld(scenario: Scenario, seed: string | number, files: ScenarioFiles): Promise<World> {
  const { nodes, network } = scenario
  const rng = (purpose: string): Rng => Rng.from('netsim', seed, purpose)
  const nat = network.natShare > 0 ? natOf(nodes.count, network.natShare, rng('nat')) : null
  return {
    topology: topologyOf(network.topology, nodes.count, rng('topology'), files, nat),
    nat,
    availability: availabilityOf(nodes.availability, nodes.count, rng('availability'), files),
    speeds: speedsOf(nodes.speed, nodes.count, rng('speed')),
    deal: await dealOf(scenario, seed, files),
  }
}
