/** What the control API answers: the shapes that the CLI, the demo and the dashboard read. */

import type { Metrics } from '../core/metrics.ts'
import type { PrivacyClaim } from '../core/privacy.ts'
import type { DatasetSummary } from '../data/summary.ts'
import type { BundleFilter } from '../ledger/bundle.ts'
import type { PeerStatus, TransportStats } from '../net/transport.ts'
import type { FenceView } from '../node/fence.ts'
import type { ViewName } from '../report/exports/views.ts'
import type { ChangeReport, Role, SuspensionReport } from './membersApi.ts'
import type { StandingReport } from './modelReport.ts'
import type { SignedForReport } from './peopleApi.ts'

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
  /** Why nothing is signed yet after a start; null where it is. */
  readonly fence: FenceView | null
  readonly consortium: {
    readonly name: string
    readonly founding: string
    readonly fingerprint: string
    readonly epoch: number
    readonly members: number
    /** Members whose signature under the founding is here. */
    readonly accepted: number
  }
  /** All members but this one. */
  readonly peers: readonly (PeerStatus & { readonly name: string; readonly role: Role })[]
  readonly ledger: readonly {
    readonly name: string
    readonly member: string
    readonly size: number
    readonly root: string
    readonly forked: boolean
  }[]
  /** Proposed changes of the members on which this hospital has not said yes or no. */
  readonly changes: readonly ChangeReport[]
  /** Members of whom somebody says that their key is not to be trusted. */
  readonly suspensions: readonly SuspensionReport[]
  readonly studies: readonly StudyReport[]
  readonly network: TransportStats
  readonly rejections: readonly { readonly name: string; readonly reason: string; readonly count: number }[]
}

/** One study as this node sees it. Members by name, `phase` as in `gossip/phase.ts`, `proposedAtMs` by the proposer's clock, `model` a digest. */
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
  /** Ended, and its evaluation is not recorded yet. */
  readonly evaluating: boolean
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
  /** Of a private study: what this hospital's training has spent so far, and how many rounds its budget still allows; null before the first. */
  readonly privacy: PrivacyClaim | null
  readonly roundsLeft: number | null
  /** What trains it here, and why; null until it is opened after a start. */
  readonly learner: { readonly backend: string; readonly why: string } | null
  /** Null before the first merge. */
  readonly standing: StandingReport | null
  readonly model: string | null
  /** Where it meets others: its cell, from 0, of so many, and how many members that has; null where all meet in one topic. */
  readonly cell: { readonly cell: number; readonly of: number; readonly members: number } | null
  /** Members whose updates went into the newest merge, with the age of each in rounds. */
  readonly merged: readonly { readonly name: string; readonly ageRounds: number }[]
  /** Members whose updates the last ten merges of this node or more set aside, since its start. */
  readonly outliers: readonly { readonly name: string; readonly merges: number; readonly reason: string }[]
  /** Names of members whose updates are not merged here. */
  readonly excluded: readonly string[]
}

/** `POST /v1/studies/:/bind`. The summary holds single patients' extremes: for the hospital's own terminal. */
export interface BindReport {
  readonly study: string
  readonly summary: DatasetSummary
  /** Another table was bound before: the next round trains on this one instead. */
  readonly replaces: boolean
  /** Its counts and sums go to the others, for scaling; those of a later table do not. */
  readonly contributes: boolean
  /** The registered version that it is, or null. */
  readonly version: { readonly name: string; readonly number: number } | null
}

/**
 * How far an entry has come: durable at its author alone, at others too, under a quorum's signatures, or in a log whose key signed
 * conflicting heads.
 */
export type EntryState = 'local' | 'replicated' | 'final' | 'disputed'

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
  readonly state: EntryState
  readonly body: unknown
}

/** `GET /v1/log/entry`. `prev` is hex, zeros for a first entry; `bytes` is the size of the whole entry. */
export interface EntryDetails extends EntryReport {
  readonly prev: string
  readonly lamport: number
  readonly bytes: number
  /** Entries known here that cite this one. */
  readonly citedBy: readonly string[]
  /** Who signed for it, or which sign-off it is; null where nobody did. */
  readonly signedFor: SignedForReport | null
  /** What its author says of it since: it was redacted, or corrected by another entry. */
  readonly remarks: readonly {
    readonly ref: string
    readonly kind: 'redacted' | 'corrected'
    readonly timeMs: number
    readonly reason: string
    readonly by: string | null
  }[]
  /** When a quorum had seen it: the median of their clocks; null while it is not final. */
  readonly witnessedAtMs: number | null
  /** Names of those who signed the final head that is shown for it, its author apart. */
  readonly witnesses: readonly string[]
}

/** `GET /v1/log/verify`, one for each log. `entries` counts those that are good; `root` is null where nothing is stored. */
export interface VerifyReport {
  readonly member: string
  readonly name: string
  readonly entries: number
  /** Entries whose own hashes were recomputed. */
  readonly recomputed: number
  /** Entries that are final; their quorum of signatures was checked. */
  readonly final: number
  readonly root: string | null
  readonly ok: boolean
  /** The first thing that is wrong. */
  readonly fault: string | null
  readonly milliseconds: number
}

/** `GET /v1/log/replay`, one for each log. Counts are of its merges; those of `notChecked` add up to what was not recomputed. */
export interface ReplayReport {
  readonly member: string
  readonly name: string
  readonly merges: number
  /** Equal and differing. */
  readonly recomputed: number
  readonly equal: number
  /** Of the equal ones, how many fit only if inputs were younger or older than this log shows: so after a start, for one. */
  readonly otherAges: number
  readonly differing: number
  /** The first of them, by what differs first. */
  readonly differences: readonly { readonly ref: string; readonly round: number; readonly what: string }[]
  readonly notChecked: readonly { readonly reason: string; readonly merges: number }[]
  /** Whose updates are not here, and in how many merges. */
  readonly missing: readonly { readonly name: string; readonly merges: number }[]
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

/** `GET /v1/log/heads`, one for each log. `note` is the signed note, with cosignatures where the newest head is final. */
export interface HeadReport {
  readonly member: string
  readonly name: string
  readonly size: number
  readonly root: string
  /** Entries that are final. */
  readonly finalSize: number
  readonly witnessedAtMs: number | null
  /** Who signed the newest final head, its author apart. */
  readonly witnesses: readonly string[]
  /** It is final because a quorum signed it with an epoch of the membership. */
  readonly pinned: boolean
  /** Of the newest entry; null for an empty log. */
  readonly state: EntryState | null
  /** Other members known to hold the whole log. */
  readonly replicas: number
  readonly note: string
}

/** `GET /v1/log/stats`, one for each log; bytes are those of the entries, `dropped` counts entries without a body. */
export interface LogStats {
  readonly member: string
  readonly name: string
  readonly entries: number
  readonly bytes: number
  readonly dropped: number
  readonly firstAtMs: number | null
  readonly lastAtMs: number | null
  readonly perDay: number
  /** Most entries first. */
  readonly kinds: readonly { readonly kind: string; readonly entries: number; readonly bytes: number }[]
}

/** `GET /v1/log/timeline`: an entry, and when its witnesses saw it. */
export interface TimelineEntry extends EntryReport {
  readonly lamport: number
  /** A quorum had seen the log without it then. */
  readonly seenAfterMs: number | null
  /** A quorum had seen it by then; null while it is not final. */
  readonly seenByMs: number | null
  /** How far the author's clock lies outside of those, where by more than five minutes. */
  readonly skewMs: number | null
}

/** `GET /v1/log/diff`, one for each log: entries here and at the peer. */
export interface DiffReport {
  readonly member: string
  readonly name: string
  readonly here: number
  readonly there: number
  readonly common: number
  /** Whether both are the same as far as both go; null where the peer's is longer, and only it could tell. */
  readonly agrees: boolean | null
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

/** `POST /v1/backup`, and the same of a node that is stopped. `recorded`: the log tells of it now; else after the next start. */
export interface BackupReport {
  readonly path: string
  readonly entries: number
  readonly recorded: boolean
}

/** What `consilium restore` made. `keys`, `vault`: `opened` by the key file that is there, `none`, or why not. */
export interface RestoreReport {
  readonly home: string
  readonly member: string
  readonly madeAtMs: number
  readonly entries: number
  readonly keys: string
  readonly vault: string
}

/** `POST /v1/log/redact`: the entry whose body is gone. */
export interface RedactReport {
  readonly member: string
  readonly seq: number
  readonly kind: string
  readonly hash: string
  readonly reason: string
}

/** `POST /v1/log/correct`: the entry that is wrong, and the number of the one that holds. */
export interface CorrectReport {
  readonly member: string
  readonly seq: number
  readonly kind: string
  readonly by: number
  readonly reason: string
}

/** `GET /v1/log/redactions`, one each: what was taken back, by whom, when and why, and whether its body is gone here. */
export interface RedactionReport {
  readonly ref: string
  readonly name: string
  readonly timeMs: number
  readonly reason: string
  readonly of: string
  readonly kind: string
  readonly gone: boolean
  /** Whether something is told in its place. */
  readonly instead: boolean
}

/** `GET /v1/log/export`: the lines of a bundle, each with its newline, and last what is in it; without that it is not whole. */
export type ExportLine = { readonly line: string } | { readonly report: ExportReport }

/** What a bundle holds, and how the consortium is called that it is of. */
export interface ExportReport {
  readonly consortium: string
  readonly founding: string
  readonly fingerprint: string
  readonly filter: BundleFilter
  readonly entries: number
  /** Logs of which there is an entry. */
  readonly logs: number
  readonly heads: number
  readonly forks: number
}

/** `GET /v1/log/view`: entries in a form for tools of others; the report comes last, and only when all of it has come. */
export type ViewPart = { readonly text: string } | { readonly report: ViewReport }

/** What a view holds. */
export interface ViewReport {
  readonly view: ViewName
  readonly consortium: string
  readonly fingerprint: string
  readonly filter: BundleFilter
  /** Entries that the filter takes, lines that came of them, and logs of which there is one. */
  readonly entries: number
  readonly lines: number
  readonly logs: number
}

/** `GET /v1/log/proof`: an entry's place under a final head over `size` entries. */
export interface ProofReport {
  readonly member: string
  readonly name: string
  readonly seq: number
  readonly size: number
  /** Its author's key has signed another history that may have another entry in its place. */
  readonly disputed: boolean
  readonly fingerprint: string
  /** The C2SP tlog-proof, in base64. */
  readonly proof: string
  /** The entry's header, whose hash is the leaf that is proven, in base64. */
  readonly header: string
}
