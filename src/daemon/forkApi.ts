/** What the calls about histories that contradict each other answer: the shapes that the CLI and other programs read. */
import type { EntryReport } from './api.ts'

/** `GET /v1/log/forks`: every key that is known to contradict itself, and final heads of which it is not known yet whose key did. */
export interface ForksReport {
  readonly forks: readonly ForkReport[]
  readonly cosigners: readonly CosignerReport[]
  readonly contradictions: readonly ContradictionReport[]
}

/** One log whose key signed conflicting heads. */
export interface ForkReport {
  readonly type: 'signed'
  readonly member: string
  readonly name: string
  /** The two histories differ within the first so many entries. */
  readonly differWithin: number
  readonly finalSize: number
  /** No final entry is contradicted: as when a node went on from an old copy of its folder. */
  readonly possibleRestore: boolean
  readonly heads: readonly ForkHeadReport[]
  /** What an auditor checks, base64. */
  readonly evidence: string
}

/** One of the two signed heads. */
export interface ForkHeadReport {
  readonly size: number
  readonly root: string
  readonly note: string
  /** `log`: its history is the one stored here as the log; `branch`: kept beside it; null: no member has served it yet. */
  readonly kept: 'log' | 'branch' | null
  /** First entry that is kept of this history and is not in the other one that is stored; null where that is not known. */
  readonly from: number | null
  /** Entries kept from there on; of a branch there may be more than up to its head, or fewer. */
  readonly entries: number
}

/** One witness whose key cosigned conflicting heads of one log. */
export interface CosignerReport {
  readonly type: 'cosigned'
  readonly member: string
  readonly name: string
  /** Whose log it was asked about; its name. */
  readonly author: string
  readonly authorName: string
  readonly size: number
  readonly roots: readonly { readonly root: string; readonly timeMs: number }[]
  readonly evidence: string
}

/** A head that a quorum signed and that contradicts what is stored here. */
export interface ContradictionReport {
  readonly type: 'final'
  readonly member: string
  readonly name: string
  readonly size: number
  readonly root: string
  /** With its cosignatures. */
  readonly note: string
  /** Evidence of the two histories is kept. */
  readonly proven: boolean
}

/** `GET /v1/log/branch`: what is kept of one history that is not the log here. */
export interface BranchReport {
  readonly member: string
  readonly name: string
  /** Of the signed head that it is proven under. */
  readonly size: number
  readonly root: string
  readonly from: number
  readonly complete: boolean
  readonly entries: readonly EntryReport[]
}
