/**
 * What travels with a model that leaves the network: everything that is needed to give the same probabilities from raw values elsewhere. It
 * names how each value is prepared, in the order in which it has to be done.
 */
import type { Feature, Study } from '../../config/study.ts'
import { ConsiliumError } from '../../core/errors.ts'
import type { Digest, StudyId } from '../../core/ids.ts'
import type { Scaling } from '../../core/statistics.ts'
import { probability } from '../model.ts'

/** A final refit of a model's logits on a hospital's own validation rows: slope · logit + intercept. */
export interface LogitRefit {
  readonly slope: number
  readonly intercept: number
}

/** A column of numbers: (value − mean) ÷ deviation, kept within ± `clipDeviations`; a missing value gives 0. */
export interface NumberInput {
  readonly name: string
  readonly kind: 'number'
  readonly unit: string
  readonly range: readonly [low: number, high: number] | null
  readonly missing: 'mean' | 'refuse'
  readonly mean: number
  readonly deviation: number
}

/** One column for each level, 1 where the value is that level, else 0; a missing value gives 0 in all. */
export interface CategoryInput {
  readonly name: string
  readonly kind: 'category'
  readonly levels: readonly string[]
  readonly missing: 'level' | 'refuse'
}

export const DESCRIPTION_FORMAT = 'consilium-model/1'

/** Plain data: the file `consilium.json`, and the metadata of a safetensors file. */
export interface ModelDescription {
  readonly format: typeof DESCRIPTION_FORMAT
  readonly notice: string
  readonly study: { readonly id: StudyId; readonly name: string; readonly purpose: string }
  readonly label: Study['label']
  /** `digest` covers the shared weights; `rounds` went into them; `scaling` is the digest of the consortium's means and deviations, as the logs name it. */
  readonly model: {
    readonly digest: Digest
    readonly rounds: number
    readonly kind: string
    readonly hidden: readonly number[]
    readonly scaling: Digest
  }
  /** Columns of the input, in this order. */
  readonly inputs: {
    readonly columns: number
    /** Whose means and deviations those of the features are; absent where all hospitals have the consortium's. */
    readonly scaledBy?: Exclude<ScaledBy, 'consortium'>
    readonly clipDeviations: number
    readonly features: readonly (NumberInput | CategoryInput)[]
  }
  /** `own`: the private output bias of the hospital that exported it, for its own use. `none`: 0 stands in its place. `shared`: the bias is merged as all weights are. */
  readonly head: 'own' | 'none' | 'shared'
  readonly calibration: LogitRefit | null
  readonly output: string
  /** Why it must not be used, where it was exported all the same, to look into what went wrong; else null. */
  readonly withdrawn: string | null
}

/**
 * `own`: by the training rows of the hospital that exported the model, for its own use. `stand-in`: the consortium's, where each hospital that
 * trained the model had its own, as whoever uses it should.
 */
export type ScaledBy = 'consortium' | 'own' | 'stand-in'

/** What a description is made of. */
export interface Described {
  readonly id: StudyId
  readonly study: Study
  readonly scaling: { readonly digest: Digest; readonly scaling: Scaling; readonly by: ScaledBy }
  readonly clipDeviations: number
  readonly digest: Digest
  readonly rounds: number
  readonly head: 'own' | 'none' | 'shared'
  readonly calibration: LogitRefit | null
  readonly withdrawn: string | null
}

export const NOTICE =
  'Research use; not a medical device. It predicts as well as it was measured to in the study, on patients like those of the hospitals that trained it, and no better.'

/** The description of a model, with `columns` columns of input. */
export function describeModel(given: Described, columns: number): ModelDescription {
  const { id, study, scaling, clipDeviations, digest, rounds, head, calibration, withdrawn } = given
  const { name, purpose, label, model } = study
  let numeric = 0
  const inputOf = (feature: Feature): NumberInput | CategoryInput => {
    if (feature.kind === 'category') return feature
    const i = numeric++
    return { ...feature, mean: scaling.scaling.mean[i] as number, deviation: scaling.scaling.deviation[i] as number }
  }
  const hidden = model.kind === 'mlp' ? model.hidden : []
  return {
    format: DESCRIPTION_FORMAT,
    notice: NOTICE,
    study: { id, name, purpose },
    label,
    model: { digest, rounds, kind: model.kind, hidden, scaling: scaling.digest },
    inputs: {
      columns,
      ...(scaling.by === 'consortium' ? {} : { scaledBy: scaling.by }),
      clipDeviations,
      features: study.features.map(inputOf),
    },
    head,
    calibration,
    output: `logit; probability of "${label.positive}" = 1 / (1 + exp(−z)), z = ${calibration === null ? 'logit' : 'calibration.slope · logit + calibration.intercept'}`,
    withdrawn,
  }
}

/** The probability that a model's logit stands for: the one place where a final refit is applied. */
export function finalProbability(logit: number, calibration: LogitRefit | null): number {
  return probability(calibration === null ? logit : calibration.slope * logit + calibration.intercept)
}

/** Reads a description that came with a file. Error: `model-file-foreign`. */
export function parseDescription(text: string | undefined, name: string): ModelDescription {
  let value: unknown
  try {
    value = JSON.parse(text ?? '')
  } catch {
    value = null
  }
  const given = value as Partial<ModelDescription> | null
  const fits =
    given?.format === DESCRIPTION_FORMAT &&
    /^[0-9a-f]{64}$/.test(String(given.model?.digest)) &&
    /^[0-9a-f]{64}$/.test(String(given.study?.id)) &&
    Number.isSafeInteger(given.inputs?.columns) &&
    (given.inputs?.columns ?? 0) > 0 &&
    Array.isArray(given.model?.hidden) &&
    given.model.hidden.every((units) => Number.isSafeInteger(units) && units > 0)
  if (fits) return value as ModelDescription
  throw new ConsiliumError({
    code: 'model-file-foreign',
    message: `${name}: it holds no description of the form ${DESCRIPTION_FORMAT}, so it was not exported by this version of Consilium`,
  })
}
