/** Everything that the machine can ask of its shell, as plain data. */
import type { Cbor } from '../core/cbor.ts'
import type { Blame } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { PrivacySteps } from '../core/privacy.ts'
import type { CellName } from '../gossip/cells.ts'
import type { Held, MergeInput } from '../gossip/exchange.ts'
import type { UpdateClaims } from '../gossip/update.ts'
import type { Withholding } from '../gossip/withheld.ts'
import type { Kind } from '../governance/kinds.ts'
import type { Permit } from '../governance/permit.ts'
import type { Made } from '../governance/withdrawals.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { LogSize, Ticket } from './events.ts'

/** An entry to append; the shell's ledger writer gives it its number, link, salt and place under a signed head. */
export interface Draft {
  readonly kind: Kind
  readonly study: StudyId | null
  readonly timeMs: number
  readonly refs: readonly (readonly [MemberId, number, Digest])[]
  readonly body: Cbor
}

export type Action =
  /** Append, sign, write durably together with `checkpoint`; then report `committed` with `tag`. */
  | {
      readonly type: 'record'
      readonly tag: string
      readonly drafts: readonly Draft[]
      readonly checkpoint: Checkpoint | null
    }
  /** Publish the newest own signed head on the heads topic. */
  | { readonly type: 'announce-head' }
  /** Own entries beyond those stored are lost, and nobody has heard of them: the head pin says what is stored, before anything is recorded. */
  | { readonly type: 'forget-signed' }
  /** Publish the newest own signed head as one that the others are asked to cosign. */
  | { readonly type: 'ask-cosign' }
  /** Apply the rule of `ledger/witness.ts` in its order; report `cosigned` or `cosign-refused`. */
  | { readonly type: 'cosign'; readonly log: LogSize }
  /** Publish own cosignatures under these heads. */
  | { readonly type: 'announce-cosigned'; readonly logs: readonly LogSize[] }
  /** Keep this head with the signatures of a quorum, all of which were heard. */
  | { readonly type: 'keep-final'; readonly log: LogSize }
  /** Ask a member for its signed and its final heads; each comes back as `head-heard` or `final-kept`, then `heads-told`. */
  | { readonly type: 'ask-heads'; readonly peer: MemberId }
  /** Fetch entries `from` ≤ seq < `to` of `author`'s log from `peer`, verify under the signed head of size `to`, store. */
  | {
      readonly type: 'replicate'
      readonly author: MemberId
      readonly peer: MemberId
      readonly from: number
      readonly to: number
    }
  /** A head of `author` does not extend what is stored, or `peer` lies: find out which; report `fork-proven`. */
  | { readonly type: 'examine-fork'; readonly author: MemberId; readonly peer: MemberId }
  /** Keep both signed heads of an author that contradict each other at one size; report `fork-proven`. */
  | { readonly type: 'keep-fork'; readonly author: MemberId; readonly size: number }
  /** Let these connect, and nobody else: the other members, and those about to become one. */
  | { readonly type: 'admit'; readonly members: readonly MemberId[] }
  /**
   * Keep the state of the decision slot of `epoch` durably, and report `slot-opened`. `again`: the own log says that this node votes in it
   * already; where no state is there then, it is lost, and this node must not vote in that slot.
   */
  | { readonly type: 'open-slot'; readonly epoch: number; readonly again: boolean }
  /** Vote in that slot. What is decided comes back as `epoch-begun`. */
  | { readonly type: 'vote'; readonly epoch: number }
  /** Answers a gossip message; the weights of an accepted update are kept, of any other dropped. */
  | {
      readonly type: 'verdict'
      readonly ticket: Ticket
      readonly verdict: 'accept' | Blame
      readonly reason: string | null
    }
  | { readonly type: 'disconnect'; readonly member: MemberId; readonly reason: string }
  /**
   * Be subscribed to these topics of a study and to no others of it, and publish its updates to `publish`; null is the topic of the whole
   * study, a name that of a cell. None: the study is over here.
   */
  | {
      readonly type: 'topics'
      readonly study: StudyId
      readonly publish: CellName | null
      readonly listen: readonly (CellName | null)[]
    }
  /**
   * Find out whose rows of the bound table may be used at `atMs`, and open the learner on those where they are others than before; report
   * `consulted` or `learner-failed`. `words`: so many of the own patients' words the own log tells of at least.
   */
  | {
      readonly type: 'consult-consent'
      readonly permit: Permit
      readonly atMs: number
      readonly words: number
      readonly spent?: readonly PrivacySteps[]
    }
  /** Opens the learner on the bound table with this scaling. */
  | {
      readonly type: 'open-study'
      readonly permit: Permit
      readonly start: 'initial' | 'resume'
      /** Of a private study: what training has taken here so far. */
      readonly spent?: readonly PrivacySteps[]
    }
  | {
      readonly type: 'train'
      readonly permit: Permit
      readonly round: number
      readonly base: Digest | null
      readonly spent?: readonly PrivacySteps[]
    }
  /** The shell, which has the coded weights, adds how they are written. */
  | { readonly type: 'publish-update'; readonly permit: Permit; readonly claims: UpdateClaims }
  /** From now on serve nobody what this names of a study's updates, and all others again; in place of what was said of that study before. */
  | ({ readonly type: 'withhold' } & Withholding)
  /** Fetch the weights of an announced update from whoever has them, and report `update-heard` or `fetch-failed`; ends what else is fetched of its author. */
  | {
      readonly type: 'fetch-update'
      readonly study: StudyId
      readonly author: MemberId
      readonly round: number
      readonly digest: Digest
    }
  /** Ask a member for its newest updates of a study; each comes back as if heard, then `updates-told`. */
  | { readonly type: 'ask-updates'; readonly study: StudyId; readonly peer: MemberId }
  | {
      readonly type: 'merge'
      readonly permit: Permit
      readonly round: number
      readonly own: MemberId
      readonly base: Digest
      readonly inputs: readonly MergeInput[]
      /**
       * Of others, ascending by author, where there are any: updates that are being fetched. Those parts of them that are here are merged in
       * place of the older update of their author; absent where nothing is on its way.
       */
      readonly partial?: readonly MergeInput[]
    }
  | { readonly type: 'evaluate'; readonly permit: Permit; readonly round: number; readonly model: Digest }
  /** Look up in the logs that are stored here which of `subjects` descend from which of `models`; report `traced`. */
  | {
      readonly type: 'trace'
      readonly study: StudyId
      readonly trace: number
      readonly models: readonly Made[]
      readonly subjects: readonly Made[]
    }
  /** Evaluate the newest complete model on the held-out rows, with intervals; report `measured` or `measuring-failed`. */
  | { readonly type: 'measure'; readonly permit: Permit }
  /** Evaluate these updates of others, as far as their weights are here, with the own private head; report `crossed` or `measuring-failed`. */
  | { readonly type: 'cross'; readonly permit: Permit; readonly others: readonly Held[] }
  /** Weights that nothing refers to any more. */
  | { readonly type: 'forget'; readonly study: StudyId; readonly digests: readonly Digest[] }
  | {
      readonly type: 'answer'
      readonly ticket: Ticket
      readonly error: { readonly code: string; readonly message: string } | null
    }
  /** Feed `woken` at or after this time; replaces an earlier wish. */
  | { readonly type: 'wake'; readonly atMs: number }
  /** Something for the log: the event as a word, facts as fields. */
  | {
      readonly type: 'tell'
      readonly level: 'debug' | 'info' | 'warn'
      readonly event: string
      readonly facts: Readonly<Record<string, string | number | boolean | null>>
    }
  /** A valid signature of ours exists that we do not remember: stop at once and sign nothing more. */
  | { readonly type: 'halt'; readonly code: string }
  | { readonly type: 'stopped' }
