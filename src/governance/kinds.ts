/** Every entry kind that this version interprets: one row each, with its body's strict schema. */
import * as v from 'valibot'
import type { Cbor } from '../core/cbor.ts'
import { LIMITS } from '../core/limits.ts'
import { NAME_LENGTH_MAX } from '../ledger/founding.ts'

const bytes = (accepts: (length: number) => boolean) =>
  v.custom<Uint8Array>((given) => given instanceof Uint8Array && accepts(given.length))
const bytes32 = bytes((length) => length === 32)
const bytes64 = bytes((length) => length === 64)
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const real = v.pipe(v.number(), v.finite())
const share = v.pipe(real, v.minValue(0), v.maxValue(1))
/** A word from a closed vocabulary of ours, never free text. */
const code = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9.-]{0,63}$/))
/** A hospital's name, as on its card. */
const hospital = v.pipe(v.string(), v.minLength(1), v.maxBytes(NAME_LENGTH_MAX))
const version = v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+-]{1,32}$/))

/**
 * Bodies hold digests, counts, measures and words of closed vocabularies. Free text appears in `study.proposed` (the study's
 * description, written to be read by all) and as the hospitals' names of `epoch.proposed`. No names of people, no record numbers, no addresses.
 */
export const KINDS = {
  'member.accepted': v.strictObject({ epoch: count, founding: bytes32, signature: bytes64 }),
  'member.seen': v.strictObject({ member: bytes32 }),
  'member.rejected': v.strictObject({ member: bytes32, reason: code }),
  'stranger.rejected': v.strictObject({ connections: count }),
  /** A change of the members that would begin `epoch`: hospitals that come, by name and key, and keys that go. Its id is `changeOf`'s. */
  'epoch.proposed': v.strictObject({
    epoch: count,
    add: v.array(v.strictTuple([hospital, bytes32])),
    remove: v.array(bytes32),
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
  'study.proposed': v.strictObject({ document: bytes((length) => length <= LIMITS.studyBytesMax) }),
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
  /** `commitment` is a salted digest of the table; the salt stays at the hospital. */
  'dataset.bound': v.strictObject({ rows: count, trainRows: count, commitment: bytes32 }),
  'round.trained': v.strictObject({
    round: count,
    base: bytes32,
    update: bytes32,
    head: bytes32,
    examples: count,
    loss: real,
    dataset: bytes32,
  }),
  'round.published': v.strictObject({ round: count, update: bytes32 }),
  'round.merged': v.strictObject({
    round: count,
    rule: code,
    /** In the order of the merge, own update included: author, the author's round, update digest, coefficient. */
    inputs: v.array(v.strictTuple([bytes32, count, bytes32, share])),
    result: bytes32,
  }),
  /** Measures are null where the held-out patients are fewer than the study's minimum cohort. */
  'round.evaluated': v.strictObject({
    round: count,
    model: bytes32,
    examples: v.nullable(count),
    auc: v.nullable(share),
    accuracy: v.nullable(share),
    logLoss: v.nullable(real),
    calibrationError: v.nullable(share),
  }),
  /** The author's personal model after the merge of `round`, on the same patients; measures as in `round.evaluated`. */
  'round.personal': v.strictObject({
    round: count,
    examples: v.nullable(count),
    auc: v.nullable(share),
    accuracy: v.nullable(share),
    logLoss: v.nullable(real),
    calibrationError: v.nullable(share),
  }),
  /**
   * What its author keeps of a study that ended: the merged model of `round`, the best on its own validation patients, with its calibration
   * (logit ← slope · logit + intercept, fitted on `rows` of them; 1 and 0 on 0 where they are too few), and what that does to held-out patients.
   */
  'study.calibrated': v.strictObject({
    round: count,
    model: bytes32,
    slope: v.pipe(real, v.minValue(0)),
    intercept: real,
    rows: v.nullable(count),
    logLoss: v.nullable(v.strictTuple([real, real])),
    calibrationError: v.nullable(v.strictTuple([share, share])),
  }),
  /** `member` signed conflicting heads of its log, which differ within the first `size` entries. */
  'alarm.fork': v.strictObject({ member: bytes32, size: count }),
  /** `member` cosigned two roots of `size` entries of `author`'s log. */
  'alarm.witness': v.strictObject({ author: bytes32, member: bytes32, size: count }),
  /** Bodies of one class that its author's node dropped from its copy of `member`'s log: of entries older than `before`, in milliseconds. */
  'operator.pruned': v.strictObject({ member: bytes32, class: code, before: count, entries: count }),
  /** Its author's node read all logs through: so many entries, of which so many were put back, nodes of the trees among them. */
  'operator.scrubbed': v.strictObject({ entries: count, repaired: count }),
  /** The author takes back the body of its own entry `seq`, everywhere; `hash` and `refs` name the entry. */
  'operator.redacted': v.strictObject({ seq: count, hash: bytes32, reason: code }),
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
