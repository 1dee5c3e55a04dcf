/** What the control API answers: the shapes that the CLI, the demo and the dashboard read. */

import type { Metrics } from '../core/metrics.ts'
import type { DatasetSummary } from '../data/summary.ts'
import type { PeerStatus, TransportStats } from '../net/transport.ts'

/** `GET /v1/status`. Keys, digests and roots are hex; `process` is the daemon's process id, `memoryBytes` its resident memory. */
export interface StatusReport {
  readonly name: string
  readonly member: string
  readonly software: string
  readonly home: string
  readonly process: number
  readonly uptimeSeconds: number
  readonly memoryBytes: number
  readonly addresses: readonly string[]
  readonly consortium: {
    readonly name: string
    readonly founding: string
    readonly fingerprint: string
    readonly members: number
    /** Members whose signature under the founding is here. */
    readonly accepted: number
  }
  /** All members but this one. */
  readonly peers: readonly (PeerStatus & { readonly name: string })[]
  readonly ledger: readonly {
    readonly name: string
    readonly member: string
    readonly size: number
    readonly root: string
    readonly forked: boolean
  }[]
  readonly studies: readonly StudyReport[]
  readonly network: TransportStats
  readonly rejections: readonly { readonly name: string; readonly reason: string; readonly count: number }[]
}

/** One study as this node sees it. Members by name, `phase` as in `node/phase.ts`, `proposedAtMs` by the proposer's clock, `model` a digest. */
export interface StudyReport {
  readonly id: string
  readonly name: string
  readonly purpose: string
  readonly proposedBy: string
  readonly proposedAtMs: number
  readonly accepted: readonly string[]
  readonly bound: readonly string[]
  readonly phase: string
  readonly paused: boolean
  /** Rounds that lie behind, of `rounds`. */
  readonly round: number
  readonly rounds: number
  /** Rows of this hospital's table; null where none is bound. */
  readonly rows: number | null
  /** Why the next round may not start. */
  readonly refusal: string | null
  /** Why the learner failed last; null since it succeeded. */
  readonly failure: string | null
  /** On this hospital's own held-out patients, after the newest merge. */
  readonly metrics: Metrics | null
  readonly model: string | null
  /** Members whose updates went into the newest merge, with the age of each in rounds. */
  readonly merged: readonly { readonly name: string; readonly ageRounds: number }[]
}

/** The newest complete model of a study, with this hospital's private head: for its own people only. */
export interface ModelReport {
  readonly study: string
  /** Rounds that went into it. */
  readonly round: number
  readonly digest: string
  readonly shared: readonly number[]
  readonly head: readonly number[]
  readonly scaling: { readonly digest: string; readonly mean: readonly number[]; readonly deviation: readonly number[] }
}

/** `POST /v1/studies/:/bind`. The summary holds single patients' extremes: for the hospital's own terminal. */
export interface BindReport {
  readonly study: string
  readonly summary: DatasetSummary
  /** Another table was bound before: the next round trains on this one instead. */
  readonly replaces: boolean
  /** Its counts and sums go to the others, for scaling; those of a later table do not. */
  readonly contributes: boolean
}

/** One entry for people: digests as hex, times in milliseconds since 1970, bytes in bodies as hex. */
export interface EntryReport {
  readonly ref: string
  readonly member: string
  readonly name: string
  readonly seq: number
  readonly hash: string
  readonly timeMs: number
  readonly kind: string
  readonly study: string | null
  readonly refs: readonly string[]
  readonly state: 'local' | 'replicated' | 'disputed'
  readonly body: unknown
}

/** `GET /v1/log/entry`. `prev` is hex, zeros for a first entry; `bytes` is the size of the whole entry. */
export interface EntryDetails extends EntryReport {
  readonly prev: string
  readonly lamport: number
  readonly bytes: number
  /** Entries known here that cite this one. */
  readonly citedBy: readonly string[]
}

/** `GET /v1/log/verify`, one for each log. `entries` counts those that are good; `root` is null where nothing is stored. */
export interface VerifyReport {
  readonly member: string
  readonly name: string
  readonly entries: number
  readonly root: string | null
  readonly ok: boolean
  /** The first thing that is wrong. */
  readonly fault: string | null
  readonly milliseconds: number
}

/** `GET /v1/doctor`, one for each thing that was looked at. */
export interface Finding {
  readonly check: string
  readonly ok: boolean
  /** What was found; where not ok, also what to do. */
  readonly text: string
}

/** What a failed call answers: status 400, or 500 and code `internal` for a bug of ours. Once a stream has begun, its last line. */
export interface ErrorReport {
  readonly error: { readonly code: string; readonly message: string }
}

/** `POST /v1/log/prune`: which bodies went, or would with `dryRun`; `before` in milliseconds since 1970. */
export interface PruneReport {
  readonly dryRun: boolean
  /** True, or the digests of the studies on hold. */
  readonly legalHold: boolean | readonly string[]
  readonly keepDays: readonly { readonly class: string; readonly days: number | 'unlimited' }[]
  /** Names of the members whose logs are in dispute, and are left as they are. */
  readonly disputed: readonly string[]
  readonly logs: readonly {
    readonly name: string
    readonly member: string
    readonly class: string
    readonly before: number
    readonly entries: number
  }[]
}

/** `POST /v1/log/redact`: the entry whose body is gone. */
export interface RedactReport {
  readonly member: string
  readonly seq: number
  readonly kind: string
  readonly hash: string
  readonly reason: string
}
