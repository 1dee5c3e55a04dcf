/** What a program that simulates may rely on: reading scenarios, running them, and the shapes of what comes out. */
export type { ExplainLine, Progress, Simulate, SimulateOptions, TraceCheckpoint } from './options.ts'
export type { CheckResult, NodeSummary, Outcome, Provenance, Sample, SimulationResult } from './result.ts'
export { parseScenario, readScenario, scenarioText } from './scenario/read.ts'
export type { Scenario, ScenarioInput } from './scenario/schema.ts'
export { simulate } from './simulate.ts'
