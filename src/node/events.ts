/** Everything that can happen to a node, as plain data: what a shell feeds to the machine, and what `--record` writes. */
import type { CrossSite, Evaluation } from '../core/evaluation.ts'
import type { LocalFigures } from '../core/figures.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { Metrics } from '../core/metrics.ts'
import type { PrivacySpent } from '../core/privacy.ts'
import type { FeatureStatistics } from '../core/statistics.ts'
import type { UpdateTopic } from '../gossip/cells.ts'
import type { UpdateFacts, UpdateHeader } from '../gossip/update.ts'
import type { Change } from '../governance/changes.ts'
import type { AsideReason } from '../governance/kinds/rounds.ts'
import type { Standing } from '../governance/lineage.ts'
import type { Consulted } from '../governance/permit.ts'
import type { PublishedRound } from '../governance/published.ts'
import type { Fact } from '../governance/studies.ts'
import type { Made } from '../governance/withdrawals.ts'
import type { Ref } from '../ledger/entry.ts'
import type { RollCall } from '../ledger/membership.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { FenceNeeds } from './fence.ts'

/** What is known of one log: entries stored and the signed root over them. */
export interface LogSize {
  readonly author: MemberId
  readonly size: number
  /** RFC 6962 root, hex; of the empty tree where size is 0. */
  readonly root: Digest
}

/** A table that this hospital bound to a study: facts about it, never its rows. */
export interface BoundDataset {
  readonly study: StudyId
  readonly commitment: Digest
  readonly rows: number
  readonly trainRows: number
  readonly statistics: FeatureStatistics
  /** The registered version that it is, and the entry that registered it; absent where it is none. */
  readonly registered?: {
    readonly version: Digest
    readonly entry: Ref
    /** Absent in what an older version bound. */
    readonly dataset?: Digest
  }
}

/** What a merge went by: `learn/merge/rule.ts` has the rules, `RoundEntries` what is recorded of it. */
export interface MergedBy {
  readonly rule: string
  readonly nearest: boolean
  readonly faulty: number
  /** Null for rules that do not clip. */
  readonly radius: number | null
}

/** An update that a merge did not take, or hardly. */
export interface SetAside {
  readonly author: MemberId
  readonly reason: AsideReason
}

/** Of a merge into which parts of updates went. */
export interface MergedParts {
  /** Ascending by author; `chunks` is the bitfield of those that were here, of which there is one at least. */
  readonly updates: readonly {
    readonly author: MemberId
    readonly coefficient: number
    readonly chunks: Uint8Array
  }[]
  /** By number of inputs, ascending: what so many weights of the model were merged by. */
  readonly rules: readonly (Omit<MergedBy, 'radius'> & { readonly inputs: number; readonly weights: number })[]
}

/** A number that a shell chose to match an answer to its question. */
export type Ticket = number

export type NodeEvent =
  | {
      readonly type: 'booted'
      readonly self: MemberId
      readonly founding: Digest
      /** From the founding to the newest that is known. */
      readonly epochs: readonly RollCall[]
      /** Of the newest of them. */
      readonly epochDigest: Digest
      readonly software: string
      readonly logs: readonly LogSize[]
      /** Every stored entry that governance interprets, author by author. */
      readonly facts: readonly Fact[]
      readonly checkpoints: readonly Checkpoint[]
      readonly datasets: readonly BoundDataset[]
      /** Own signature under the founding, 64 bytes. */
      readonly acceptance: Uint8Array
      /** The newest final head that is kept of each log. */
      readonly finals: readonly LogSize[]
      /** Members of whom fork evidence is kept, and within how many entries their histories differ. */
      readonly forks: readonly { readonly author: MemberId; readonly size: number }[]
      /** Members of whom there is evidence that they cosigned two roots of `size` entries of `author`'s log. */
      readonly cosigners: readonly { readonly witness: MemberId; readonly author: MemberId; readonly size: number }[]
      /** How many others must say what they hold of the own log before anything is signed. */
      readonly fence: FenceNeeds
      /** Own entries that this key has signed, by the head pin: more than are stored where the database is older. */
      readonly signed: number
      /** By this hospital's config: no study trains here without an agreement. */
      readonly agreementsRequired?: boolean
      /** By this hospital's config: no table is used in another member's study without a grant. */
      readonly grantsRequired?: boolean
    }
  | { readonly type: 'woken' }
  | { readonly type: 'peer-connected'; readonly member: MemberId }
  | { readonly type: 'peer-disconnected'; readonly member: MemberId }
  | { readonly type: 'stranger-refused' }
  | { readonly type: 'peer-misbehaved'; readonly member: MemberId }
  /** A message that no codec could read. */
  | {
      readonly type: 'malformed-heard'
      /** Absent where it was the answer to a request. */
      readonly ticket: Ticket | null
      readonly from: MemberId
      readonly code: string
      readonly blame: 'ignore' | 'reject'
    }
  | {
      readonly type: 'head-heard'
      /** Absent where the head was asked for over a stream. */
      readonly ticket: Ticket | null
      readonly from: MemberId
      readonly log: LogSize
      readonly signatureValid: boolean
      /** Its author wants it cosigned. */
      readonly asks: boolean
    }
  /** `from` has told of every head that it holds. */
  | { readonly type: 'heads-told'; readonly from: MemberId }
  /** `from` says that it cosigned these heads; `valid` where every signature is its own. */
  | {
      readonly type: 'cosigned-heard'
      /** Absent where the statement had waited for the head that it is under. */
      readonly ticket: Ticket | null
      readonly from: MemberId
      readonly logs: readonly LogSize[]
      readonly valid: boolean
    }
  /** Carried out: what was signed is stored before, and the signature is held for `announce-cosigned`. */
  | { readonly type: 'cosigned'; readonly log: LogSize }
  | { readonly type: 'cosign-refused'; readonly author: MemberId; readonly code: string }
  /** The state of the decision slot is durable, so that this node may vote in it. */
  | { readonly type: 'slot-opened'; readonly epoch: number }
  /** A decided epoch was checked against the one before, and is kept. */
  | { readonly type: 'epoch-begun'; readonly call: RollCall; readonly digest: Digest }
  /** Evidence that one key signed conflicting heads is kept; they differ within the first `size` entries. */
  | { readonly type: 'fork-proven'; readonly author: MemberId; readonly size: number }
  /** Evidence that `witness` cosigned two roots of `size` entries of `author`'s log is kept. */
  | {
      readonly type: 'witness-proven'
      readonly witness: MemberId
      readonly author: MemberId
      readonly size: number
    }
  /** What has a quorum contradicts what is stored here: final here is, of that log, `kept` and no more. */
  | { readonly type: 'final-refused'; readonly log: LogSize; readonly kept: LogSize | null }
  /** A final head came from a peer; its signatures were checked, and it is kept. */
  | { readonly type: 'final-kept'; readonly log: LogSize }
  | {
      readonly type: 'update-heard'
      readonly ticket: Ticket
      /** Who relayed it. That `header.author` signed the message that carries it is for the shell to check, before this. */
      readonly from: MemberId
      readonly header: UpdateHeader
      readonly facts: UpdateFacts
      readonly cell: UpdateTopic
    }
  /** The same of an update whose weights are not here yet: they are too long for a message, or a delta against some that are not here. */
  | {
      readonly type: 'update-announced'
      readonly ticket: Ticket
      readonly from: MemberId
      readonly header: UpdateHeader
      readonly payloadBytes: number
      readonly signatureValid: boolean
      readonly cell: UpdateTopic
    }
  /** What `fetch-update` asked for will not come; `blame` where its author signed what cannot be read. Its success is an `update-heard`. */
  | {
      readonly type: 'fetch-failed'
      readonly study: StudyId
      readonly author: MemberId
      readonly round: number
      readonly digest: Digest
      readonly code: string
      readonly blame: boolean
    }
  /** `from` has told of its newest updates of a study, or could not. */
  | { readonly type: 'updates-told'; readonly study: StudyId; readonly from: MemberId }
  /** A range of another's log was verified and is durable here. */
  | {
      readonly type: 'replicated'
      readonly log: LogSize
      readonly from: MemberId
      readonly facts: readonly Fact[]
      /** Of the own log: the newest round published in each study that these entries tell of. */
      readonly published: readonly PublishedRound[]
    }
  | {
      readonly type: 'replication-failed'
      readonly author: MemberId
      readonly from: MemberId
      readonly code: string
      readonly blame: boolean
    }
  /** Own entries are durable under a signed head. `tags` are those of the `record` actions that it covers. */
  | {
      readonly type: 'committed'
      readonly log: LogSize
      readonly tags: readonly string[]
      readonly facts: readonly Fact[]
    }
  /** The learner is ready; `base` are the shared weights that the next round starts from (or U_r, after a stop between train and merge). */
  | {
      readonly type: 'opened'
      readonly study: StudyId
      readonly scaling: Digest
      readonly base: Digest
      readonly parameters: number
      /** Of a private study: how many rounds the budget still allows. */
      readonly roundsWithin?: number
    }
  | {
      readonly type: 'trained'
      readonly study: StudyId
      readonly round: number
      readonly update: Digest
      readonly head: Digest
      readonly examples: number
      readonly loss: number
      /** Of a private study: what the round has spent, and where that leads. */
      readonly privacy?: PrivacySpent
    }
  | {
      readonly type: 'merged'
      readonly study: StudyId
      readonly round: number
      readonly result: Digest
      /** Of the inputs that were merged: in their order, without those that were left out. */
      readonly coefficients: readonly number[]
      readonly by: MergedBy
      /** Those left out, and those of the inputs that the rule sets aside. */
      readonly aside: readonly SetAside[]
      /** Absent where all inputs were whole. */
      readonly parts?: MergedParts
    }
  | {
      readonly type: 'evaluated'
      readonly study: StudyId
      readonly round: number
      readonly model: Digest
      readonly metrics: Metrics
      readonly local: LocalFigures
    }
  /** What `consult-consent` asked, of the table with that commitment. */
  | {
      readonly type: 'consulted'
      readonly study: StudyId
      readonly dataset: Digest
      readonly consulted: Consulted
      /** When it changes although nobody says anything; null where it does not. */
      readonly changesAtMs: number | null
      /** Of a private study, where other rows were opened: how many rounds its budget still allows with them. */
      readonly roundsWithin?: number
    }
  /** Patients said something, or were forgotten: what was found before may hold no more. */
  | { readonly type: 'consent-changed' }
  /** What `trace` asked: where each of its subjects stands to its models. `trace` is its number. */
  | {
      readonly type: 'traced'
      readonly study: StudyId
      readonly trace: number
      readonly standings: readonly Standing[]
    }
  /** Of the newest complete model, of round `round`; `evaluation` is null where there are too few held-out rows to tell anything. */
  | {
      readonly type: 'measured'
      readonly study: StudyId
      readonly round: number
      readonly model: Digest
      readonly evaluation: Evaluation | null
    }
  /** The same of the others' updates; `examples` is null then. */
  | {
      readonly type: 'crossed'
      readonly study: StudyId
      readonly round: number
      readonly model: Digest
      readonly examples: number | null
      readonly sites: readonly CrossSite[]
    }
  | {
      readonly type: 'measuring-failed'
      readonly study: StudyId
      readonly what: 'measure' | 'cross'
      readonly code: string
    }
  | { readonly type: 'learner-failed'; readonly study: StudyId; readonly round: number; readonly code: string }
  /** What the operator asked for; each is answered with one `answer`. */
  | { readonly type: 'study-add'; readonly ticket: Ticket; readonly study: StudyId; readonly document: Uint8Array }
  | { readonly type: 'study-accept'; readonly ticket: Ticket; readonly study: StudyId }
  | { readonly type: 'study-bind'; readonly ticket: Ticket; readonly dataset: BoundDataset }
  | { readonly type: 'study-end'; readonly ticket: Ticket; readonly study: StudyId }
  | { readonly type: 'study-pause'; readonly ticket: Ticket; readonly study: StudyId; readonly paused: boolean }
  /** The operator takes a model back, or says that it may be used; `entry` made it. */
  | {
      readonly type: 'study-withdraw'
      readonly ticket: Ticket
      readonly study: StudyId
      readonly made: Made
      readonly entry: readonly [MemberId, number, Digest]
      /** Null: it may be used. */
      readonly reason: string | null
    }
  | {
      readonly type: 'study-exclude'
      readonly ticket: Ticket
      readonly study: StudyId
      readonly member: MemberId
      readonly excluded: boolean
      readonly reason: string
    }
  | { readonly type: 'study-evaluate'; readonly ticket: Ticket; readonly study: StudyId }
  | { readonly type: 'epoch-propose'; readonly ticket: Ticket; readonly change: Change }
  | { readonly type: 'epoch-approve' | 'epoch-reject'; readonly ticket: Ticket; readonly change: Digest }
  /** `size` entries of the member's log are known to who asks. */
  | {
      readonly type: 'member-suspend'
      readonly ticket: Ticket
      readonly member: MemberId
      readonly reason: string
      readonly size: number
    }
  | { readonly type: 'member-reinstate'; readonly ticket: Ticket; readonly member: MemberId; readonly size: number }
  | { readonly type: 'stop'; readonly reason: string }
