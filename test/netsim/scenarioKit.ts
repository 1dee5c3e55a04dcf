/** Small scenarios for tests, as a person would write them, and runs of them. */
import * as v from 'valibot'
import type { SimulateOptions } from '../../netsim/options.ts'
import type { CheckResult, SimulationResult } from '../../netsim/result.ts'
import { complaintOf } from '../../netsim/scenario/check.ts'
import { type Scenario, type ScenarioInput, scenarioSchema } from '../../netsim/scenario/schema.ts'
import { simulate } from '../../netsim/simulate.ts'

/** Forty made-up hospitals without a ledger, thirty rounds; `more` replaces whole sections. */
export function scenarioOf(more: Partial<ScenarioInput> = {}): Scenario {
  const scenario = v.parse(scenarioSchema, {
    question: 'Does it work?',
    nodes: { count: 40 },
    data: { kind: 'synthetic', features: 7, rows: 50 },
    study: { rounds: { count: 30 } },
    gossip: { mode: 'flood' },
    ledger: 'off',
    digests: 'modelled',
    end: { seconds: 90 },
    ...more,
  })
  const complaint = complaintOf(scenario)
  if (complaint !== null) throw new Error(`${complaint.path.join('.')}: ${complaint.message}`)
  return scenario
}

export function runOf(
  more: Partial<ScenarioInput> = {},
  options: Partial<SimulateOptions> = {},
): Promise<SimulationResult> {
  return simulate({ scenario: scenarioOf(more), seed: 7, scenarioName: 'test', baseFolder: '.', ...options })
}

/** The first check that failed, as text; null where all held. */
export function brokenIn({ checks }: SimulationResult): string | null {
  const broken = checks.find(({ failure }) => failure !== null)
  return broken === undefined ? null : `${broken.name}: node ${broken.failure?.node}: ${broken.failure?.message}`
}

export function checkOf({ checks }: SimulationResult, name: RegExp): CheckResult {
  const found = checks.find((check) => name.test(check.name))
  if (found === undefined) throw new Error(`no check is called like ${name}`)
  return found
}
