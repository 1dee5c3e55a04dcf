/** A study description: read strictly from YAML, written as the canonical document that is hashed and accepted by the members. */
import { equalBytes } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { StatisticsRules } from '../core/statistics.ts'
import { cellsComplaint, type StudyCells } from './cells.ts'
import { consentComplaint, type StudyConsent } from './consent.ts'
import { studySchema } from './studySchema.ts'
import { type Subgroup, subgroupsComplaint } from './subgroups.ts'
import { type Complaint, oneLine, parseYaml, readValue } from './yaml.ts'

/** A column of numbers: one column of the design matrix, standardised. */
export interface NumberFeature {
  readonly name: string
  readonly kind: 'number'
  /** Unit as the hospitals write it; '1' where there is none. */
  readonly unit: string
  /** Lowest and highest value that is believed, in `unit`; null where any number is. */
  readonly range: readonly [low: number, high: number] | null
  /** What a missing value becomes: the frozen mean, or an error when the table is bound. */
  readonly missing: 'mean' | 'refuse'
}

/** A column of words from a closed list: one column of the design matrix per level, 1 where it is that level. */
export interface CategoryFeature {
  readonly name: string
  readonly kind: 'category'
  readonly levels: readonly string[]
  /** What a missing value becomes: a level of its own (all zeros), or an error when the table is bound. */
  readonly missing: 'level' | 'refuse'
}

export type Feature = NumberFeature | CategoryFeature

/** Differential privacy of what leaves a hospital as updates: DP-SGD, accounted at each hospital for itself. */
export interface StudyPrivacy {
  /** σ: the noise's deviation over `clipNorm`. */
  readonly noiseMultiplier: number
  /** The longest gradient that one patient's row may give. */
  readonly clipNorm: number
  /** A hospital whose next round would spend more trains no further. */
  readonly epsilonMax: number
  /** `auto`: rows^−1.1, each hospital's own. */
  readonly delta: number | 'auto'
}

/** One model trained together, as all members accepted it. Same shapes as the learner's ModelSpec and TrainingSpec. */
export interface Study {
  readonly name: string
  readonly purpose: string
  readonly model: { readonly kind: 'logistic' } | { readonly kind: 'mlp'; readonly hidden: readonly number[] }
  readonly label: { readonly name: string; readonly positive: string; readonly negative: string }
  readonly features: readonly Feature[]
  readonly training: {
    readonly localEpochs: number
    readonly batchRows: number
    readonly learningRate: number
    readonly l2: number
    readonly optimiser: 'adam' | 'sgd'
    /** FedProx's μ (Li et al. 2020); 0: none. */
    readonly proximal: number
    /** β of quasi-global momentum (Lin et al. 2021), and how much of the correction of gradient tracking lasts a round; 0: none (`learn/steering.ts`). */
    readonly momentum: number
    readonly tracking: number
    /** A node publishes what it has after so long; null: its rounds take what they take. */
    readonly secondsMax: number | null
  }
  readonly merge: {
    /** `auto`: nearest-neighbour mixing and the trimmed mean from six inputs up, the clipped mean below. */
    readonly rule:
      | 'auto'
      | 'mean'
      | 'clipped-mean'
      | 'trimmed-mean'
      | 'median'
      | 'geometric-median'
      | 'krum'
      | 'multi-krum'
      | 'centred-clipping'
    /** Nearest-neighbour mixing before a rule that is named. */
    readonly nearest: boolean
    /** How many inputs of a merge may be anything: a share of them below 0.5, or a whole number. */
    readonly faulty: number
    /** Of rules that clip, l2; null: the median of the distances to the own update. */
    readonly clipRadius: number | null
    /** A merge whose log-loss on the own rows is so much above the own update's is not taken as it is; null: no veto. */
    readonly vetoNats: number | null
    readonly weighting: 'sqrt' | 'uniform' | 'examples'
    readonly examplesCap: number
    readonly ageRoundsMax: number
  }
  /**
   * What stays at each hospital: the output bias, or nothing; and whether inputs are standardised with the statistics of all, or with those of
   * the hospital's own training rows.
   */
  readonly local: { readonly head: 'bias' | 'none'; readonly normalisation: 'consortium' | 'own' }
  /** A model of each hospital's own beside the shared one, drawn to it by `proximal` (Ditto's λ, Li et al. 2021); null: none. */
  readonly personal: { readonly proximal: number } | null
  /** How updates are written: whole weights, or the `share` of changes that are largest since a keyframe, which is sent so often. */
  readonly coding:
    | { readonly kind: 'float32' | 'float16' | 'int8' }
    | { readonly kind: 'top-k'; readonly share: number; readonly keyframeRounds: number }
  /** Scaling is frozen this long after the study starts, with whoever contributed by then. */
  readonly statistics: { readonly deadlineSeconds: number }
  /** Shortest time between rounds, and after how many the study ends. */
  readonly rounds: { readonly periodSeconds: number; readonly count: number }
  /** Null: there is one topic, however many members take part. */
  readonly cells: StudyCells | null
  /**
   * What ends the study before its last round: so long after it was proposed; or a majority of the members that bound a table saying that it is
   * enough, which a node says where its validation loss has not fallen by `delta` nats in so many rounds, and an operator whenever he likes.
   */
  readonly end: {
    readonly afterSeconds: number | null
    readonly plateau: { readonly rounds: number; readonly delta: number } | null
  }
  readonly testShare: number
  /** Of the rows that are not held out, for choices made at the hospital itself; where it would be too few, the training rows serve. */
  readonly validationShare: number
  readonly minimumCohort: number
  /** Null: updates carry no noise. */
  readonly privacy: StudyPrivacy | null
  /** What each hospital measures of its finished model, on its own held-out patients. */
  readonly report: {
    readonly subgroups: readonly Subgroup[]
    /** Probability above which a patient is called positive, for the rates of true and false positives. */
    readonly threshold: number
    /** Whether each trains a model alone, too, to say what joining was worth: as much work again as the study. */
    readonly localOnly: boolean
    /** Whether each tests the others' newest updates on its own patients. */
    readonly crossSite: boolean
  }
  /** Null: no patient's word is asked for, or kept. */
  readonly consent: StudyConsent | null
}

const FORMAT = 2 // first item of the document: a later format is refused by name instead of being misread

/**
 * Reads a study from YAML text; `fileName` is named in errors.
 * Errors, one line each: `study-yaml`, `study-invalid`, `study-model-too-large`, `study-too-large`.
 */
export function parseStudy(text: string, fileName: string): Study {
  return parseYaml(text, { kind: 'study', fileName, schema: studySchema, check: complaintOf })
}

/** The canonical document of `study`: deterministic CBOR of [format, study]. It is what is hashed, signed and accepted. */
export function studyDocument(study: Study): Uint8Array {
  return encodeCbor([FORMAT, study as unknown as Cbor])
}

/**
 * Reads a document that another member wrote; anything that `studyDocument` would not have written is refused.
 * Errors: `cbor-…`, `study-format`, `study-invalid`, `study-model-too-large`; all blame the sender.
 */
export function studyFromDocument(bytes: Uint8Array): Study {
  const document = decodeCbor(bytes, LIMITS.studyBytesMax)
  if (!Array.isArray(document) || document.length !== 2 || document[0] !== FORMAT) {
    throw refused(
      'study-format',
      `a study document of format ${FORMAT} is expected: update this node, or ask for the study again`,
    )
  }
  const { value: study, complaint } = readValue(studySchema, document[1])
  if (complaint) throw refused('study-invalid', `the study document is not valid: ${oneLine(complaint)}`)
  const fault = complaintOf(study)
  if (fault) throw refused(fault.code ?? 'study-invalid', `the study document is not valid: ${oneLine(fault)}`)
  if (!equalBytes(studyDocument(study), bytes)) {
    throw refused(
      'study-invalid',
      'the study document leaves out defaults or is written in another form than the canonical one',
    )
  }
  return study
}

/** A study's name among machines: the digest of its document. */
export function studyIdOf(document: Uint8Array): StudyId {
  return taggedDigest('study', document) as StudyId
}

/** Columns of the design matrix: one per numeric feature, one per level of a category. */
export function designColumns(study: Study): number {
  return study.features.reduce((sum, feature) => sum + (feature.kind === 'number' ? 1 : feature.levels.length), 0)
}

/** The learner's ModelSpec of `study`. */
export function modelOf(study: Study): Study['model'] & { readonly head?: 'none' } {
  return study.local.head === 'none' ? { ...study.model, head: 'none' } : study.model
}

/** Lengths of the shared tensors, in the order of the weights: kernel and bias of each hidden layer, then the kernel of the output. */
export function sharedTensors(study: Study): number[] {
  let inputs = designColumns(study)
  const lengths: number[] = []
  for (const units of study.model.kind === 'mlp' ? study.model.hidden : []) {
    lengths.push(inputs * units, units)
    inputs = units
  }
  if (study.local.head === 'none') lengths.push(inputs, 1)
  else lengths.push(inputs)
  return lengths
}

/** Number of shared parameters: all but a private output bias. */
export function sharedParameters(study: Study): number {
  return sharedTensors(study).reduce((sum, length) => sum + length, 0)
}

/** In the study's order, which is also the order of statistics and scaling. */
export function numberFeatures(study: Study): NumberFeature[] {
  return study.features.filter((feature) => feature.kind === 'number')
}

/** What `checkStatistics` holds a member's statistics against. */
export function statisticsRules(study: Study): StatisticsRules {
  return { minimumCohort: study.minimumCohort, ranges: numberFeatures(study).map((feature) => feature.range) }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message, blame: 'reject' })
}

/** Rules between fields, the first broken one; the size comes last, since the document of a wrong study means nothing. */
function complaintOf(study: Study): Complaint | null {
  return (
    namesComplaint(study) ??
    rangesComplaint(study) ??
    trainingComplaint(study) ??
    mergeComplaint(study) ??
    cellsComplaint(study) ??
    privacyComplaint(study) ??
    consentComplaint(study) ??
    subgroupsComplaint(study.features, study.report.subgroups) ??
    sizeComplaint(study)
  )
}

/** Cells with these texts are missing values, so that no level or label may be called so. */
export const MISSING_CELLS: readonly string[] = ['', 'NA', 'NULL']

function namesComplaint({ features, label }: Study): Complaint | null {
  const seen = new Set([label.name])
  for (const [i, feature] of features.entries()) {
    if (seen.has(feature.name)) {
      const other = feature.name === label.name ? 'the label' : 'another feature'
      return {
        path: ['features', i, 'name'],
        message: `"${feature.name}" is also ${other}: each name may be used once`,
      }
    }
    seen.add(feature.name)
    if (feature.kind === 'category') {
      const fault = wordsFault(feature.levels)
      if (fault) return { path: ['features', i, 'levels'], message: fault }
    }
  }
  const fault = wordsFault([label.positive, label.negative])
  return fault ? { path: ['label'], message: fault } : null
}

function wordsFault(words: readonly string[]): string | null {
  const twice = words.find((word, i) => words.indexOf(word) !== i)
  if (twice !== undefined) return `"${twice}" was given twice: each value may be listed once`
  const missing = words.find((word) => MISSING_CELLS.includes(word))
  return missing === undefined ? null : `"${missing}" stands for a missing value in tables: choose another word`
}

function mergeComplaint({ merge }: Study): Complaint | null {
  if (merge.rule !== 'auto' || !merge.nearest) return null
  return { path: ['merge', 'nearest'], message: 'true was given with rule: auto, which mixes by itself: name a rule' }
}

function rangesComplaint({ features }: Study): Complaint | null {
  for (const [i, feature] of features.entries()) {
    if (feature.kind !== 'number' || feature.range === null) continue
    const [low, high] = feature.range
    if (low >= high) {
      return {
        path: ['features', i, 'range'],
        message: `${low} to ${high} was given, the lower end must come first and be smaller`,
      }
    }
  }
  return null
}

/**
 * Options that ε would not cover. A δ of one in the smallest cohort, or more, may give each of its patients away now and then, and keep its word.
 */
export function privacyComplaint(
  study: Pick<Study, 'privacy' | 'minimumCohort' | 'training' | 'personal' | 'local'>,
): Complaint | null {
  const { privacy, minimumCohort, training, personal, local } = study
  if (privacy === null) return null
  for (const key of ['proximal', 'momentum', 'tracking', 'secondsMax'] as const) {
    if (training[key] === 0 || training[key] === null) continue
    const message = `${training[key]} was given in a private study, whose steps are counted and noised as they are: leave it out`
    return { path: ['training', key], message }
  }
  if (personal !== null) {
    const message =
      'a personal model was asked for in a private study, whose ε would not cover its measures: leave it out'
    return { path: ['personal'], message }
  }
  if (local.normalisation === 'own') {
    const message =
      'own was given in a private study: one row moves its own hospital’s means, and by them the gradient of every other row, which clipping one row does not bound: say consortium'
    return { path: ['local', 'normalisation'], message }
  }
  if (privacy.delta === 'auto' || privacy.delta * minimumCohort < 1) return null
  const message = `${privacy.delta} was given, less than 1 in minimumCohort (${minimumCohort}) is allowed: say auto`
  return { path: ['privacy', 'delta'], message }
}

/** Options of training that do not go together. */
export function trainingComplaint({ training }: Pick<Study, 'training'>): Complaint | null {
  if (training.optimiser === 'sgd') return null
  for (const key of ['momentum', 'tracking'] as const) {
    if (training[key] === 0) continue
    const message = `${training[key]} was given with optimiser: adam, which rescales every step: say optimiser: sgd, or ${key}: 0`
    return { path: ['training', key], message }
  }
  return null
}

function sizeComplaint(study: Study): Complaint | null {
  const parameters = sharedParameters(study)
  const fit = Math.floor(LIMITS.modelBytesMax / Float32Array.BYTES_PER_ELEMENT)
  if (parameters > fit) {
    const message = `this model has ${parameters} shared parameters, at most ${fit} are allowed: use fewer hidden units, features or levels`
    return { path: ['model'], message, code: 'study-model-too-large' }
  }
  const bytes = studyDocument(study).length
  if (bytes <= LIMITS.studyBytesMax) return null
  const message = `the description takes ${bytes} bytes, at most ${LIMITS.studyBytesMax} fit one log entry: use fewer features or shorter names`
  return { path: ['features'], message, code: 'study-too-large' }
}
