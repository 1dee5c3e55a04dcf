/** Whether a study asks patients for their word, and what holds of those who said nothing. */
import * as v from 'valibot'
import { DUO_CODES, type DuoCode, duoLabel, isUse } from '../core/duo.ts'
import { toldPlaces } from '../core/told.ts'
import { type Complaint, choice, given, list, section } from './yaml.ts'

/** The basis on which patients' records are used in a study. */
export interface StudyConsent {
  /** `opt-in`: no word means no. `opt-out`: no word means yes, and a no is obeyed (Reg. (EU) 2025/327 Art. 71). */
  readonly basis: 'opt-in' | 'opt-out'
  /** Whose law the basis rests on: an ISO 3166-1 code of two letters, or EU. */
  readonly jurisdiction: string
  /** What the records are used for, and under which conditions. */
  readonly purposes: readonly DuoCode[]
}

const PURPOSES_MAX = DUO_CODES.length

const jurisdiction = v.custom<string>(
  (value) => typeof value === 'string' && /^[A-Z]{2}$/.test(value),
  (issue) => `${given(issue.input)}, a country's two capital letters (ISO 3166-1), or EU, are allowed`,
)

/** The section's schema. */
export const STUDY_CONSENT = section({
  basis: choice(['opt-in', 'opt-out']),
  jurisdiction,
  purposes: list(choice(DUO_CODES), 1, PURPOSES_MAX),
})

/** A purpose is named once, and a condition alone is none. */
export function consentComplaint({ consent }: { readonly consent: StudyConsent | null }): Complaint | null {
  if (consent === null) return null
  const { purposes } = consent
  const twice = purposes.find((code, i) => purposes.indexOf(code) !== i)
  if (twice !== undefined)
    return { path: ['consent', 'purposes'], message: `${twice} was given twice: name each purpose once` }
  if (purposes.some(isUse)) return null
  const message = `${purposes.join(', ')} was given, which are conditions: name a use, such as DUO:0000006 (${duoLabel('DUO:0000006')})`
  return { path: ['consent', 'purposes'], message }
}

/** What a study says of how rows are told of. */
export interface Telling {
  readonly consent: StudyConsent | null
  readonly minimumCohort: number
}

/** A number of rows as it may be told: where patients are asked, down to a multiple of the minimum cohort, for one less would say who spoke. */
export function toldCount({ consent, minimumCohort }: Telling, rows: number): number {
  return consent === null ? rows : rows - (rows % minimumCohort)
}

/** The rows of which figures may be told: where patients are asked, so many of them as may be told (`core/told.ts`); then none where they are fewer than the minimum cohort. */
export function toldRows({ consent, minimumCohort }: Telling, rows: Uint32Array): Uint32Array {
  if (consent === null) return rows
  const places = Uint32Array.from(rows.keys())
  return toldPlaces(rows, places, minimumCohort).map((place) => rows[place] as number)
}

/** One line for who accepts the study. */
export function describeConsent(consent: StudyConsent | null): string {
  if (consent === null) return 'their word is not asked for: the law or the hospital has decided'
  const { basis, jurisdiction, purposes } = consent
  const rule = basis === 'opt-in' ? 'only those who agreed (opt-in)' : 'all but those who refused (opt-out)'
  const uses = purposes.map((code) => `${duoLabel(code)} (${code})`)
  return `${rule}, by the law of ${jurisdiction}, asked anew before each round; used for: ${uses.join('; ')}`
}
