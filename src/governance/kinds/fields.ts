/** What bodies of entries are made of. */
import * as v from 'valibot'
import { STUDY_BOUNDS } from '../../config/studySchema.ts'
import { LIMITS } from '../../core/limits.ts'
import { NAME_LENGTH_MAX } from '../../ledger/founding.ts'

/** A byte string of a length that is accepted. */
export const bytes = (accepts: (length: number) => boolean) =>
  v.custom<Uint8Array>((given) => given instanceof Uint8Array && accepts(given.length))
/** A patient's tag. */
export const bytes16 = bytes((length) => length === 16)
/** A digest, a key or a commitment. */
export const bytes32 = bytes((length) => length === 32)
/** An Ed25519 signature. */
export const bytes64 = bytes((length) => length === 64)
/** A bit for each chunk of an update. */
export const chunkBits = bytes((length) => length > 0 && length <= LIMITS.chunksMax / 8)
/** A whole number from 0. */
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
/** A finite number. */
export const real = v.pipe(v.number(), v.finite())
/** A number from 0 to 1. */
export const share = v.pipe(real, v.minValue(0), v.maxValue(1))
/** Of one round: every row a batch. */
export const STEPS_MAX = STUDY_BOUNDS.localEpochsMax * LIMITS.datasetRowsMax
/** Within what a study may ask for: the accountant computes with these wherever somebody looks at a log. */
export const sampleRate = v.pipe(real, v.minValue(1 / LIMITS.datasetRowsMax), v.maxValue(1))
export const noiseMultiplier = v.pipe(
  real,
  v.minValue(STUDY_BOUNDS.noiseMultiplierMin),
  v.maxValue(STUDY_BOUNDS.noiseMultiplierMax),
)
/** What an update says of its privacy. */
export const claim = v.strictObject({
  epsilon: v.pipe(real, v.minValue(0)),
  delta: v.pipe(real, v.minValue(STUDY_BOUNDS.deltaMin), v.ltValue(1)),
  sampleRate,
  noiseMultiplier,
})
/** A share with the ends of its interval: value, low, high. */
export const interval = v.strictTuple([share, share, share])
/** A word from a closed vocabulary of ours, never free text. */
export const code = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9.-]{0,63}$/))
/** A hospital's name, as on its card. */
export const hospital = v.pipe(v.string(), v.minLength(1), v.maxBytes(NAME_LENGTH_MAX))
/** A figure with the ends of its interval. */
export const estimate = (value: v.GenericSchema<number>) => v.strictTuple([value, v.nullable(value), v.nullable(value)])
/** How good a model is, each with its interval where one can be given. */
export const measures = v.strictObject({
  auc: v.nullable(estimate(share)),
  accuracy: estimate(share),
  logLoss: estimate(real),
  brier: estimate(share),
  calibrationError: estimate(share),
  calibrationSlope: v.nullable(estimate(real)),
  calibrationIntercept: v.nullable(estimate(real)),
})
/** A version of the software. */
export const version = v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+-]{1,32}$/))
