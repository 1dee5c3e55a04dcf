/** Every entry kind that this version interprets: one row each, with its body's strict schema. */
import * as v from 'valibot'
import type { Cbor } from '../core/cbor.ts'
import { LIMITS } from '../core/limits.ts'
import { ACCESS_KINDS } from './kinds/access.ts'
import { AGREEMENT_KINDS } from './kinds/agreements.ts'
import { DATASET_KINDS } from './kinds/datasets.ts'
import { bytes, bytes16, bytes32, bytes64, code, count, hospital, real, version } from './kinds/fields.ts'
import { KEEPING_KINDS } from './kinds/keeping.ts'
import { MEMBER_KINDS } from './kinds/members.ts'
import { PEOPLE_KINDS } from './kinds/people.ts'
import { ASIDE_REASONS, ROUND_KINDS } from './kinds/rounds.ts'
import { SETTLEMENT_KINDS } from './kinds/settlement.ts'
import { SUPPLY_KINDS } from './kinds/supply.ts'
import { USE_KINDS } from './kinds/uses.ts'

/** Why an operator excludes a member's updates, or takes them back in. */
export const EXCLUSION_REASONS = ['outlying', 'data-quality', 'attack-suspected', 'agreed-with-member'] as const
export const READMISSION_REASONS = ['explained', 'repaired', 'agreed-with-member', 'entered-by-mistake'] as const

/** Why a hospital forgets a patient. */
export const ERASURE_REASONS = ['patient-request', 'erasure-order', 'retention-ended', 'entered-by-mistake'] as const
export const CONSENT_ITEMS_MAX = 500 // of one entry: 27 kB

const studyDocument = bytes((length) => length <= LIMITS.studyBytesMax)

/**
 * Bodies hold digests, counts, measures and words of closed vocabularies. Free text appears in `study.proposed` and `agreement.proposed`
 * (descriptions, written to be read by all), as the hospitals' names of `epoch.proposed` and as names of columns that a hospital publishes.
 * No names of people, no record numbers, no addresses.
 */
export const KINDS = {
  'member.accepted': v.strictObject({ epoch: count, founding: bytes32, signature: bytes64 }),
  'member.seen': v.strictObject({ member: bytes32 }),
  'member.rejected': v.strictObject({ member: bytes32, reason: code }),
  'stranger.rejected': v.strictObject({ connections: count }),
  ...MEMBER_KINDS,
  /**
   * A change of the members that would begin `epoch`: who comes, by name and key, and keys that go; those of `observers` come as such. Its
   * id is `changeOf`'s.
   */
  'epoch.proposed': v.strictObject({
    epoch: count,
    add: v.array(v.strictTuple([hospital, bytes32])),
    remove: v.array(bytes32),
    observers: v.optional(v.array(bytes32)),
  }),
  /** Its author's people say yes, or no, to the change of that id; the newest word counts. */
  'epoch.approved': v.strictObject({ epoch: count, change: bytes32 }),
  'epoch.rejected': v.strictObject({ epoch: count, change: bytes32 }),
  /** Its author's node votes in the decision slot of `epoch` from here on: with its state lost, it must not vote again. */
  'epoch.voting': v.strictObject({ epoch: count }),
  /** `epoch` is decided, and its author goes by it. */
  'epoch.begun': v.strictObject({ epoch: count, digest: bytes32 }),
  'node.started': v.strictObject({ software: version }),
  'node.stopped': v.strictObject({ reason: code }),
  'study.proposed': v.strictObject({ document: studyDocument }),
  'study.accepted': v.strictObject({}),
  'study.paused': v.strictObject({}),
  'study.resumed': v.strictObject({}),
  'study.statistics': v.strictObject({
    rows: count,
    count: v.array(count),
    sum: v.array(real),
    sumOfSquares: v.array(real),
  }),
  /** `refs` of the entry name the statistics that were summed; `digest` is that of the scaling they give. */
  'study.scaling': v.strictObject({ digest: bytes32 }),
  'study.ended': v.strictObject({ rounds: count, model: bytes32 }),
  /** Its author says that the study has run long enough: its node, whose validation loss stands still, or its operator. */
  'study.enough': v.strictObject({ reason: code }),
  ...DATASET_KINDS,
  ...ROUND_KINDS,
  ...AGREEMENT_KINDS,
  ...PEOPLE_KINDS,
  /** The model of that digest, as `author` made it, is not to be used, and nothing is to be trained on from it; `refs` cite the entry that made it. */
  'model.withdrawn': v.strictObject({ author: bytes32, model: bytes32, reason: code }),
  /** Its author takes its own word back, or says against another's withdrawal that the model may be used. */
  'model.restored': v.strictObject({ author: bytes32, model: bytes32 }),
  ...USE_KINDS,
  /** From here on its author's node merges no update of `member` in this study, or merges them again. */
  'study.excluded': v.strictObject({ member: bytes32, reason: v.picklist(EXCLUSION_REASONS) }),
  'study.readmitted': v.strictObject({ member: bytes32, reason: v.picklist(READMISSION_REASONS) }),
  /** So many merges in a row of its author's node set updates of `member` aside: for a person to look at. */
  'alarm.outlier': v.strictObject({ member: bytes32, reason: v.picklist(ASIDE_REASONS), merges: count }),
  /** `member` signed conflicting heads of its log, which differ within the first `size` entries. */
  'alarm.fork': v.strictObject({ member: bytes32, size: count }),
  /** `member` cosigned two roots of `size` entries of `author`'s log. */
  'alarm.witness': v.strictObject({ author: bytes32, member: bytes32, size: count }),
  /** Bodies of one class that its author's node dropped from its copy of `member`'s log: of entries older than `before`, in milliseconds. */
  'operator.pruned': v.strictObject({ member: bytes32, class: code, before: count, entries: count }),
  /** Its author's node read all logs through: so many entries, of which so many were put back, nodes of the trees among them. */
  'operator.scrubbed': v.strictObject({ entries: count, repaired: count }),
  /**
   * What patients of its author said, whatever it was: for each word the patient's tag of that month, and a salted commitment to the decision.
   * `from`: so many words were recorded before. Tags and commitments mean nothing to who has neither the patient's key nor the vault.
   */
  'consent.recorded': v.strictObject({
    from: count,
    items: v.pipe(v.array(v.strictTuple([bytes16, bytes32])), v.maxLength(CONSENT_ITEMS_MAX)),
  }),
  /** The keys and words of so many patients were destroyed; their tags and commitments can be linked and opened by nobody who has no copy. */
  'subject.erased': v.strictObject({ subjects: count, reason: v.picklist(ERASURE_REASONS) }),
  /**
   * The author takes back the body of its own entry `seq`, everywhere; `hash` and `refs` name the entry. `instead`: of a proposal the same
   * study with another name or purpose, for nodes to go by, and when it was proposed.
   */
  'operator.redacted': v.strictObject({
    seq: count,
    hash: bytes32,
    reason: code,
    instead: v.optional(v.strictObject({ document: studyDocument, proposed: count })),
  }),
  ...KEEPING_KINDS,
  ...SUPPLY_KINDS,
  ...ACCESS_KINDS,
  ...SETTLEMENT_KINDS,
} as const

export type Kind = keyof typeof KINDS
export type Body<K extends Kind> = v.InferOutput<(typeof KINDS)[K]>

/** The body of an entry of a known kind, or null where it does not fit its schema (then the entry is kept but not interpreted). */
export function readBody<K extends Kind>(kind: K, body: Cbor | null): Body<K> | null {
  if (Array.isArray(body) || body instanceof Uint8Array) return null // an empty schema would take them for empty maps
  const result = v.safeParse(KINDS[kind] as v.GenericSchema<unknown, Body<K>>, body)
  return result.success ? result.output : null
}

/** False for kinds of other versions: their entries are stored and replicated, but not read. */
export function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind)
}
