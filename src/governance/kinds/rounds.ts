/** Kinds of entries about rounds: what was trained, published, merged, and how good it was. */
import * as v from 'valibot'
import { LIMITS } from '../../core/limits.ts'
import {
  bytes32,
  chunkBits,
  claim,
  code,
  count,
  estimate,
  interval,
  measures,
  noiseMultiplier,
  real,
  STEPS_MAX,
  sampleRate,
  share,
} from './fields.ts'

/** Why a merge did not take an update, or hardly: what stands in `round.merged` and where people read of it. */
export const ASIDE_REASONS = [
  'outlying', // the rule gives it less than half of the part that it would have in the mean
  'worsens', // on the own rows it is worse than what the round began with, by itself
  'worsens-together', // it is one of several whose merge is worse on the own rows
  'excluded', // the operator excluded its author
  'suspended', // its author's key is not to be trusted
] as const
export type AsideReason = (typeof ASIDE_REASONS)[number]

export const ROUND_KINDS = {
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
    /** Of a study that asks patients for their word: the root over how each of them stood. All numbers of rows of such a study are multiples of the minimum cohort, and measures of held-out rows are of as many (`core/told.ts`). */
    consent: v.optional(v.strictObject({ root: bytes32, basis: v.picklist(['opt-in', 'opt-out']) })),
    /** Agreements that it was done under, by digest; absent where none bound. */
    agreements: v.optional(v.pipe(v.array(bytes32), v.maxLength(LIMITS.agreementsMentionedMax))),
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
   * the shared weights. All else is null where the held-out patients are fewer than the study's minimum cohort; `positives` are, and `bins`
   * empty, where patients are asked for their word.
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
} as const
