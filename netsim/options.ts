/** What a simulation is told and what it tells while it runs: the contract between the engine and all that surrounds it. */
import type { SimulationResult } from './result.ts'
import type { Scenario } from './scenario/schema.ts'

/** Where a simulation stands. */
export interface Progress {
  /** Virtual, since the start. */
  readonly virtualSeconds: number
  readonly endSeconds: number
  readonly events: number
  readonly roundMean: number
  /** How many rounds each node is to do. */
  readonly rounds: number
}

/** The trace's hash after an event; equal scenarios and seeds give equal checkpoints. */
export interface TraceCheckpoint {
  readonly event: number
  readonly hash: string
}

/** One thing that happened to one node, for a person. */
export interface ExplainLine {
  /** Virtual, since the start. */
  readonly seconds: number
  readonly event: number
  readonly text: string
}

/** One simulation; the same scenario and seed give the same trace. */
export interface SimulateOptions {
  readonly scenario: Scenario
  readonly seed: number
  readonly scenarioName: string
  /** What relative files in the scenario are relative to. */
  readonly baseFolder: string
  /** Ends it early, with the outcome `interrupted` and all that is known by then. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** Called in ascending order of events, always at the same events; as often as the engine likes. */
  readonly onTrace?: (checkpoint: TraceCheckpoint) => void
  /** Awaited every so often, so that signals and progress bars have their turn. */
  readonly breathe?: () => Promise<void>
  /** The node whose life is told to `onExplain`. */
  readonly explainNode?: number
  readonly onExplain?: (line: ExplainLine) => void
}

/**
 * Runs a scenario. `provenance` and `realSeconds` are the caller's to fill in: the engine has no clock. Errors: those of reading its files,
 * as `ConsiliumError`.
 */
export type Simulate = (options: SimulateOptions) => Promise<SimulationResult>
