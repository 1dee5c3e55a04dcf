/**
 * Kinds about datasets that members announce, who asks for them, who may, and what was counted. Nothing of a row: bands, names of columns and
 * texts that many rows share, questions, and noised counts.
 */
import * as v from 'valibot'
import { COUNT_COLUMN_BOUNDS, COUNT_COLUMN_KINDS, columnBytes } from '../../config/countColumns.ts'
import { QUERY_BOUNDS } from '../../config/countQuery.ts'
import { DUO_NUMBERS, duoCode, isUse } from '../../core/duo.ts'
import { MICRO_EPSILON } from '../../core/geometric.ts'
import { TIME_MS_MAX } from '../../ledger/entry.ts'
import { DATASET_SOURCES } from './datasets.ts'
import { bytes, bytes32, count } from './fields.ts'

export const ACCESS_BOUNDS = {
  titleCodesMax: 8,
  countedMax: 64, // datasets that one question is put to: an answer from each fits a screen
} as const

/** What a dataset is about, beside categories of ICD-10 (`I63`, `G30.1`). */
export const THEMES = [
  ...(['demographics', 'diagnoses', 'procedures', 'medication', 'laboratory', 'vital-signs'] as const),
  ...(['imaging', 'pathology', 'genomics', 'devices', 'questionnaires', 'outcomes', 'claims'] as const),
] as const
const ICD10 = /^[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?$/

/** Whether that is a theme, or has the form of a category of ICD-10. */
export function isTitleCode(given: string): boolean {
  return (THEMES as readonly string[]).includes(given) || ICD10.test(given)
}

/** Why a dataset is announced no longer. */
export const WITHDRAWAL_REASONS = [
  'kept-no-longer',
  'replaced',
  'purpose-ended',
  'law-changed',
  'entered-by-mistake',
] as const

/** Why access is refused or taken back, each with what it says to who asked. */
export const ACCESS_REASONS = {
  'purpose-not-covered': 'the dataset may not be used for that purpose',
  'no-legal-basis': 'no law or consent that this hospital knows of allows that use',
  'ethics-missing': 'an ethics committee has to approve it first: ask again with its approval',
  'agreement-missing': 'an agreement between the hospitals has to be signed first: consilium agreement propose',
  'too-broad': 'less would do: ask for a narrower purpose or a shorter time',
  'data-unfit': 'the dataset does not hold what this use needs',
  breach: 'what was agreed was not kept to',
  'study-ended': 'what it was granted for has ended',
  'patients-object': 'too many of the patients said no',
  'law-changed': 'the law allows it no longer',
  'entered-by-mistake': 'it was a mistake: ask again if need be',
} as const
export type AccessReason = keyof typeof ACCESS_REASONS
export const ACCESS_REASON_CODES = Object.keys(ACCESS_REASONS) as readonly AccessReason[]

/** What a grant lacks where a table is not used: codes of refusals, without `access-`. */
const DENIAL_REASONS = [
  ...(['not-announced', 'missing', 'asked', 'pending', 'refused', 'revoked', 'withdrawn', 'expired'] as const),
] as const
export type DenialReason = (typeof DENIAL_REASONS)[number]

/** Who is answered: whom the hospital granted access, any member, or nobody. */
export const COUNT_POLICIES = ['granted', 'any-member', 'never'] as const

/** What came of a question, each with what it says to who asked. */
export const COUNT_CODES = {
  counted: 'counted, with noise',
  repeated: 'the answer that was given to this question before',
  cohort: 'with its noise the count is below the smallest that is told here',
  never: 'this hospital answers no counts',
  'not-granted': 'this hospital has granted no access for that purpose: consilium access ask',
  'not-a-member': 'who asked is no member now, or its key is suspended',
  'dataset-unknown': 'no such dataset is announced here, or it was withdrawn',
  question: 'the question does not fit the columns that were announced',
  purpose:
    'the dataset is not announced for that purpose, or one has to be named for the patients are asked: --purpose CODE',
  'budget-asker': 'what this hospital tells one member about the dataset is used up',
  'budget-all': 'what this hospital tells all members about the dataset is used up',
  'table-changed': 'the table is not the one that was announced: its hospital has to register and announce it again',
  'table-unreadable': 'the table cannot be read at its hospital now',
  consent: 'what patients said cannot be looked up at this hospital now',
} as const
export type CountCode = keyof typeof COUNT_CODES
const COUNT_CODE_NAMES = Object.keys(COUNT_CODES) as [CountCode, ...CountCode[]]

const list = <S extends v.GenericSchema>(schema: S, min: number, max: number) =>
  v.pipe(v.array(schema), v.minLength(min), v.maxLength(max))
const isSorted = (numbers: readonly number[]): boolean =>
  numbers.every((one, i) => i === 0 || (numbers[i - 1] as number) < one)
/** Numbers of the ontology, sorted, each once; a condition alone is no purpose. */
const purposes = v.pipe(
  list(v.picklist(DUO_NUMBERS), 1, DUO_NUMBERS.length),
  v.check((numbers) => isSorted(numbers) && numbers.map(duoCode).some(isUse)),
)
const time = v.pipe(count, v.maxValue(TIME_MS_MAX))
const name = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/))
const text = (bytesMax: number) => v.pipe(v.string(), v.minLength(1), v.maxBytes(bytesMax))
const { columnsMax, nameBytesMax, unitBytesMax, valuesMax, valueBytesMax, textBytesMax } = COUNT_COLUMN_BOUNDS
const columns = v.pipe(
  list(
    v.strictTuple([
      text(nameBytesMax),
      text(unitBytesMax),
      v.picklist(COUNT_COLUMN_KINDS),
      v.nullable(list(text(valueBytesMax), 1, valuesMax)),
    ]),
    1,
    columnsMax,
  ),
  v.check((given) => columnBytes(given) <= textBytesMax),
)
const cohort = v.pipe(count, v.minValue(1))
const microEpsilon = v.pipe(count, v.maxValue(MICRO_EPSILON.max))

export const ACCESS_KINDS = {
  /**
   * Its author holds this table, and may be asked for it. `count` of its patients, or of its rows where no column tells patients apart, rounded
   * down to a multiple of `cohort`; `columns` where the hospital wants them known: name, unit, kind, and of a text its common values.
   */
  'catalogue.announced': v.strictObject({
    dataset: bytes32,
    version: bytes32,
    name,
    title: list(v.pipe(v.string(), v.check(isTitleCode)), 0, ACCESS_BOUNDS.titleCodesMax),
    source: v.picklist(DATASET_SOURCES),
    purposes,
    counted: v.picklist(['patients', 'rows']),
    count: cohort,
    cohort,
    counts: v.picklist(COUNT_POLICIES),
    columns: v.optional(columns),
  }),
  /** It is announced no longer, and what was granted of it is over. Binds as soon as it is known. */
  'catalogue.withdrawn': v.strictObject({ dataset: bytes32, reason: v.picklist(WITHDRAWAL_REASONS) }),
  /** Its author asks `member` for leave to use a dataset of its; for the study of its header, where it has one. */
  'access.asked': v.strictObject({ member: bytes32, dataset: bytes32, purposes, until: time }),
  /** Its author, whose dataset it is, allows what the entry of the hash `request` asks for; counts when it is final. */
  'access.granted': v.strictObject({ request: bytes32, until: time }),
  'access.refused': v.strictObject({ request: bytes32, reason: v.picklist(ACCESS_REASON_CODES) }),
  /** A grant is taken back, for good. Binds as soon as it is known. */
  'access.revoked': v.strictObject({ request: bytes32, reason: v.picklist(ACCESS_REASON_CODES) }),
  /** At its author's node its table was not used in the study of the header, for want of a grant; `refs` cite the entry that it rests on. */
  'access.denied': v.strictObject({
    dataset: v.nullable(bytes32),
    reason: v.picklist(DENIAL_REASONS),
    action: v.picklist(['bind', 'round']),
  }),
  /** Its author asks how many match at these datasets, each as member and dataset. `document` is the canonical question. */
  'count.asked': v.strictObject({
    datasets: list(v.strictTuple([bytes32, bytes32]), 1, ACCESS_BOUNDS.countedMax),
    document: bytes((length) => length > 0 && length <= QUERY_BOUNDS.documentBytesMax),
  }),
  /**
   * What its author tells of its dataset to the question of the hash `request` by `asker`. `question` is the digest of what is counted among
   * whom. `epsilon`, in millionths, is that of the noise in `count`, which is rounded to a multiple of `step`, and not told below `cohort`;
   * `spent` is what this answer cost the asker, and `left` what remains for it.
   */
  'count.answered': v.strictObject({
    asker: bytes32,
    request: bytes32,
    dataset: bytes32,
    version: v.nullable(bytes32),
    question: bytes32,
    code: v.picklist(COUNT_CODE_NAMES),
    count: v.nullable(count),
    epsilon: microEpsilon,
    step: count,
    cohort: count,
    spent: microEpsilon,
    left: count,
  }),
} as const
