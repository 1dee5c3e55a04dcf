/** Every entry kind that this version interprets: one row each, with its body's strict schema. */
import * as v from 'valibot'
import { STUDY_BOUNDS } from '../config/studySchema.ts'
import type { Cbor } from '../core/cbor.ts'
import { LIMITS } from '../core/limits.ts'
import { NAME_LENGTH_MAX } from '../ledger/founding.ts'

const bytes = (accepts: (length: number) => boolean) =>
  v.custom<Uint8Array>((given) => given instanceof Uint8Array && accepts(given.length))
const bytes16 = bytes((length) => length === 16)
const bytes32 = bytes((length) => length === 32)
const bytes64 = bytes((length) => length === 64)
const chunkBits = bytes((length) => length > 0 && length <= LIMITS.chunksMax / 8)
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const real = v.pipe(v.number(), v.finite())
const share = v.pipe(real, v.minValue(0), v.maxValue(1))
const STEPS_MAX = STUDY_BOUNDS.localEpochsMax * LIMITS.datasetRowsMax // of one round: every row a batch
/** Within what a study may ask for: the accountant computes with these wherever somebody looks at a log. */
const sampleRate = v.pipe(real, v.minValue(1 / LIMITS.datasetRowsMax), v.maxValue(1))
const noiseMultiplier = v.pipe(
  real,
  v.minValue(STUDY_BOUNDS.noiseMultiplierMin),
  v.maxValue(STUDY_BOUNDS.noiseMultiplierMax),
)
/** What an update says of its privacy. */
const claim = v.strictObject({
  epsilon: v.pipe(real, v.minValue(0)),
  delta: v.pipe(real, v.minValue(STUDY_BOUNDS.deltaMin), v.ltValue(1)),
  sampleRate,
  noiseMultiplier,
})
const interval = v.strictTuple([share, share, share])
/** A word from a closed vocabulary of ours, never free text. */
const code = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9.-]{0,63}$/))
/** A hospital's name, as on its card. */
const hospital = v.pipe(v.string(), v.minLength(1), v.maxBytes(NAME_LENGTH_MAX))
/** A figure with the ends of its interval. */
const estimate = (value: v.GenericSchema<number>) => v.strictTuple([value, v.nullable(value), v.nullable(value)])
const measures = v.strictObject({
  auc: v.nullable(estimate(share)),
  accuracy: estimate(share),
  logLoss: estimate(real),
  brier: estimate(share),
  calibrationError: estimate(share),
  calibrationSlope: v.nullable(estimate(real)),
  calibrationIntercept: v.nullable(estimate(real)),
})
const version = v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+-]{1,32}$/))

/** Why a merge did not take an update, or hardly: what stands in `round.merged` and where people read of it. */
export const ASIDE_REASONS = [
  'outlying', // the rule gives it less than half of the part that it would have in the mean
  'worsens', // on the own rows it is worse than what the round began with, by itself
  'worsens-together', // it is one of several whose merge is worse on the own rows
  'excluded', // the operator excluded its author
] as const
export type AsideReason = (typeof ASIDE_REASONS)[number]

/** Why an operator excludes a member's updates, or takes them back in. */
export const EXCLUSION_REASONS = ['outlying', 'data-quality', 'attack-suspected', 'agreed-with-member'] as const
export const READMISSION_REASONS = ['explained', 'repaired', 'agreed-with-member', 'entered-by-mistake'] as const

/** Why a hospital forgets a patient. */
export const ERASURE_REASONS = ['patient-request', 'erasure-order', 'retention-ended', 'entered-by-mistake'] as const
export const CONSENT_ITEMS_MAX = 500 // of one entry: 27 kB

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
    /** Null in a private study: what training saw there is not told. */
    loss: v.nullable(real),
    dataset: bytes32,
    /** Of a private study: what its update's header says. */
    privacy: v.optional(claim),
    /** Of a study that asks patients for their word: the root over how each of them stood. `examples` is rounded down to the minimum cohort then. */
    consent: v.optional(v.strictObject({ root: bytes32, basis: v.picklist(['opt-in', 'opt-out']) })),
  }),
  /** What training of this round took: steps of DP-SGD. The budget goes by these. */
  'privacy.spent': v.strictObject({
    round: count,
    steps: v.pipe(count, v.maxValue(STEPS_MAX)),
    sampleRate,
    noiseMultiplier,
  }),
  /**
   * An attack on its author's own model of that round: how well rows that were trained on are told from held-out ones. Each share with its
   * 95 % interval: value, low, high.
   */
  'privacy.audited': v.strictObject({
    round: count,
    model: bytes32,
    members: count,
    others: count,
    shadows: count,
    attacks: v.array(
      v.strictObject({
        attack: code,
        auc: interval,
        found10: interval,
        found1: interval,
        epsilonLow: v.pipe(real, v.minValue(0)),
      }),
    ),
  }),
  'round.published': v.strictObject({ round: count, update: bytes32 }),
  'round.merged': v.strictObject({
    round: count,
    rule: code,
    /** In the order of the merge, own update included: author, the author's round, update digest, coefficient. */
    inputs: v.array(v.strictTuple([bytes32, count, bytes32, share])),
    result: bytes32,
    /** Of a robust rule, as applied: attackers borne, mixing, what was clipped to around the update of digest `centre`, ages of the inputs. */
    parameters: v.optional(
      v.strictObject({
        faulty: count,
        nearest: v.boolean(),
        radius: v.nullable(v.pipe(real, v.minValue(0))),
        centre: v.nullable(bytes32),
        ages: v.array(count),
      }),
    ),
    /** Who was set aside: author, the author's round, update digest, reason. Those `outlying` are among the inputs, the others are not. */
    aside: v.optional(v.array(v.strictTuple([bytes32, count, bytes32, v.picklist(ASIDE_REASONS)]))),
    /**
     * Where parts were merged of updates that were still on their way, in place of the older ones of their authors: author, the author's round,
     * update digest, coefficient, age, and the chunks that were here, a bit each; and by what: inputs, weights of the model that so many
     * inputs had, rule, attackers borne, mixing.
     */
    partial: v.optional(
      v.strictObject({
        updates: v.array(v.strictTuple([bytes32, count, bytes32, share, count, chunkBits])),
        rules: v.array(v.strictTuple([count, count, code, count, v.boolean()])),
      }),
    ),
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
    brier: v.optional(v.nullable(share)),
  }),
  /**
   * Its author's newest complete model on its own held-out patients (`core/evaluation.ts`), declared by the author; `model` is the digest of
   * the shared weights. All else is null where the held-out patients are fewer than the study's minimum cohort.
   */
  'study.measured': v.strictObject({
    round: count,
    model: bytes32,
    evaluation: v.nullable(
      v.strictObject({
        examples: count,
        positives: v.nullable(count),
        shared: measures,
        alone: v.nullable(measures),
        aucGain: v.nullable(estimate(real)),
        lossGain: v.nullable(estimate(real)),
        truePositiveRate: v.nullable(estimate(share)),
        falsePositiveRate: v.nullable(estimate(share)),
        bins: v.array(v.strictTuple([count, share, share])),
        groups: v.array(
          v.strictObject({
            by: count,
            group: count,
            examples: v.nullable(count),
            accuracy: v.nullable(share),
            logLoss: v.nullable(real),
            brier: v.nullable(share),
            positives: v.nullable(count),
            auc: v.nullable(estimate(share)),
            predicted: v.nullable(share),
            truePositiveRate: v.nullable(share),
            falsePositiveRate: v.nullable(share),
          }),
        ),
      }),
    ),
  }),
  /**
   * Other members' newest updates that its author holds, each with the author's private head of `model`, on the author's held-out patients.
   * `examples` is null, and `sites` empty, where those are fewer than the study's minimum cohort.
   */
  'study.crossed': v.strictObject({
    round: count,
    model: bytes32,
    examples: v.nullable(count),
    sites: v.array(
      v.strictObject({
        author: bytes32,
        round: count,
        update: bytes32,
        auc: v.nullable(estimate(share)),
        accuracy: share,
        logLoss: real,
        brier: share,
        calibrationError: share,
      }),
    ),
  }),
  /** The model of that digest, as `author` made it, is not to be used, and nothing is to be trained on from it; `refs` cite the entry that made it. */
  'model.withdrawn': v.strictObject({ author: bytes32, model: bytes32, reason: code }),
  /** Its author takes its own word back, or says against another's withdrawal that the model may be used. */
  'model.restored': v.strictObject({ author: bytes32, model: bytes32 }),
  /**
   * A file was written that anybody may take along; `withHead`: the hospital's private output bias is in it; `withScaling`: so are means and
   * deviations of its own rows.
   */
  'model.exported': v.strictObject({
    round: count,
    model: bytes32,
    format: code,
    withHead: v.boolean(),
    withScaling: v.optional(v.boolean()),
  }),
  /** Predictions of one run: rows, those with a warning, those without a prediction; null where it would tell of fewer rows than the minimum cohort. */
  'model.used': v.strictObject({
    round: count,
    model: bytes32,
    rows: v.nullable(count),
    warned: v.nullable(count),
    withoutPrediction: v.nullable(count),
  }),
  /** Which features matter was measured on this hospital's own held-out rows. */
  'model.explained': v.strictObject({ round: count, model: bytes32, rows: count, repeats: count }),
  /** From here on its author's node merges no update of `member` in this study, or merges them again. */
  'study.excluded': v.strictObject({ member: bytes32, reason: v.picklist(EXCLUSION_REASONS) }),
  'study.readmitted': v.strictObject({ member: bytes32, reason: v.picklist(READMISSION_REASONS) }),
  /** So many merges in a row of its author's node set updates of `member` aside: for a person to look at. */
  'alarm.outlier': v.strictObject({ member: bytes32, reason: v.picklist(ASIDE_REASONS), merges: count }),
  /** The author's personal model after the merge of `round`, on the same patients; measures as in `round.evaluated`. */
  'round.personal': v.strictObject({
    round: count,
    examples: v.nullable(count),
    auc: v.nullable(share),
    accuracy: v.nullable(share),
    logLoss: v.nullable(real),
    calibrationError: v.nullable(share),
    brier: v.optional(v.nullable(share)),
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
