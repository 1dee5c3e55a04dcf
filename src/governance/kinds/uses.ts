/** Kinds of entries about the use of models: what was predicted, explained and taken along. */
import * as v from 'valibot'
import { TIME_MS_MAX } from '../../ledger/entry.ts'
import { bytes32, code, count } from './fields.ts'

/** Null where it would tell of fewer rows than the minimum cohort. */
const told = v.nullable(count)
/** Later ones have no date, and would break every list and export that shows one. */
const time = v.pipe(count, v.maxValue(TIME_MS_MAX))
const RUNS = v.pipe(count, v.minValue(1))

export const USE_KINDS = {
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
  /**
   * Predictions of one run, recorded when they were made: rows, those with a warning, those without a prediction. `run`: a salted commitment
   * to the run, to the table that it read and to what it wrote (`governance/uses.ts`).
   */
  'model.used': v.strictObject({
    round: count,
    model: bytes32,
    rows: told,
    warned: told,
    withoutPrediction: told,
    run: v.optional(bytes32),
  }),
  /**
   * Predictions of several runs of one model between two moments, in milliseconds: what they came to together, and the Merkle root over the
   * commitments of the runs. Where rows are not told, neither is how many runs there were, and the moments are whole hours.
   */
  'model.served': v.strictObject({
    round: count,
    model: bytes32,
    runs: v.nullable(RUNS),
    rows: told,
    warned: told,
    withoutPrediction: told,
    fromMs: time,
    toMs: time,
    root: bytes32,
  }),
  /** Which features matter was measured on this hospital's own held-out rows. */
  'model.explained': v.strictObject({ round: count, model: bytes32, rows: count, repeats: count }),
} as const
