/** What a simulation gives: samples over virtual time, what each node came to, counts, checks, and the hash of its trace. */
import type { Report } from '../src/report/report.ts'
import type { Scenario } from './scenario/schema.ts'

/** The network and the models at one time; a row of `metrics.csv`. Null: not measured (no data, ledger off). */
export interface Sample {
  /** Virtual, since the start. */
  readonly seconds: number
  readonly live: number
  readonly roundMin: number
  readonly roundMean: number
  readonly roundMax: number
  /** Of the sampled nodes that are honest, each with its own model on its own held-out rows, all rows together. */
  readonly auc: number | null
  readonly accuracy: number | null
  readonly logLoss: number | null
  readonly calibrationError: number | null
  /** Root mean square distance of the sampled nodes' shared weights from their mean, over √parameters. */
  readonly consensusDistance: number | null
  /** Mean age of the inputs of merges since the last sample, in rounds; own updates not counted. */
  readonly stalenessMean: number | null
  /** Mean number of inputs of those merges, the own one included. */
  readonly inputsMean: number | null
  /** Since the start. */
  readonly bytesSent: number
  readonly messagesSent: number
  readonly messagesLost: number
  readonly duplicates: number
  readonly refused: number
  readonly localUpdates: number
  readonly merges: number
  readonly events: number
  /** Entries in all logs, as their authors hold them; and how many of them are final at their authors. */
  readonly entries: number | null
  readonly entriesFinal: number | null
  /** Age of the oldest own entry that is not final, mean over live nodes, virtual seconds. */
  readonly finalityLagSeconds: number | null
}

export const SAMPLE_COLUMNS = [
  'seconds',
  'live',
  'roundMin',
  'roundMean',
  'roundMax',
  'auc',
  'accuracy',
  'logLoss',
  'calibrationError',
  'consensusDistance',
  'stalenessMean',
  'inputsMean',
  'bytesSent',
  'messagesSent',
  'messagesLost',
  'duplicates',
  'refused',
  'localUpdates',
  'merges',
  'events',
  'entries',
  'entriesFinal',
  'finalityLagSeconds',
] as const satisfies readonly (keyof Sample)[]

/** One node at the end; a row of `nodes.csv`. */
export interface NodeSummary {
  readonly node: number
  /** Its site in the table, its region, or its number. */
  readonly name: string
  readonly rows: number
  readonly round: number
  readonly up: boolean
  readonly starts: number
  readonly adversary: string | null
  readonly auc: number | null
  readonly accuracy: number | null
  readonly logLoss: number | null
  readonly bytesSent: number
  readonly merges: number
  /** Of a private study: what its training has spent. */
  readonly epsilon: number | null
  /** Of the merges of others that knew of an update of it, the share that set it aside; null where none knew, or the plain mean takes all. */
  readonly asideShare: number | null
}

/** What a checker says; `failure` is null where it held. */
export interface CheckResult {
  readonly name: string
  readonly checked: number
  readonly failure: {
    readonly event: number
    readonly seconds: number
    readonly node: number | null
    readonly message: string
  } | null
}

export type Outcome = 'done' | 'time' | 'interrupted' | 'check-failed'

/** The whole result, as `result.json` has it. */
export interface SimulationResult {
  readonly format: 1
  readonly scenarioName: string
  readonly scenario: Scenario
  readonly seed: number
  /** What was run, on what; absent where the library was called without them. */
  readonly provenance: Provenance | null
  readonly outcome: Outcome
  readonly virtualSeconds: number
  readonly realSeconds: number
  readonly events: number
  readonly localUpdates: number
  readonly merges: number
  readonly parameters: number
  /** Rows, models and optimisers in the learners' one memory, bytes; null with a ledger, where each node has a learner of its own. */
  readonly fleetBytes: number | null
  readonly samples: readonly Sample[]
  /** At most 10,000 nodes; the first ones. */
  readonly nodes: readonly NodeSummary[]
  /** Links between the first nodes, for the picture: at most 2,000 pairs among at most 200 nodes. */
  readonly topology: { readonly nodes: number; readonly links: readonly (readonly [number, number])[] }
  readonly refusals: Readonly<Record<string, number>>
  readonly checks: readonly CheckResult[]
  /** Equal options and seed give equal hashes, everywhere. */
  readonly traceHash: string
  /** SHA-256 of the data as dealt; null without data. */
  readonly dataDigest: string | null
  /** With a ledger and data: what the logs say of the study, as a daemon would report it. */
  readonly studyReport: Report | null
}

export interface Provenance {
  readonly commit: string | null
  readonly consilium: string
  readonly node: string
  readonly machine: string
  readonly startedAt: string
  readonly command: string
}
