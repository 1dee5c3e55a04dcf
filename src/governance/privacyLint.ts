/**
 * Looks for personal data in text that would be copied to every member for good: patterns, with check digits where there are any. A
 * fence, not a guarantee: a name, a rare disease or a record number in a form of its own passes.
 */
import type { Cbor } from '../core/cbor.ts'
import { type Kind, readBody } from './kinds.ts'
import { NATIONAL_IDS, type Pattern } from './nationalIds.ts'

/** Where something was found, and what it looks like. The text itself is not repeated: it would end up in a log. */
export interface Finding {
  /** `features[3].name`; empty where the text stands alone. */
  readonly path: string
  readonly what: string
}

/** The first thing in any text of a plain value that looks like personal data, or null. Keys and byte strings are not looked at. */
export function lintText(value: unknown, path = ''): Finding | null {
  if (typeof value === 'string') {
    if (!NAMES_SOMETHING.test(value)) return null
    const pattern = PATTERNS.find((one) => occursIn(one, value))
    return pattern === undefined ? null : { path, what: pattern.what }
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return null
  const isList = Array.isArray(value)
  for (const [key, each] of Object.entries(value)) {
    const found = lintText(each, isList ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`)
    if (found !== null) return found
  }
  return null
}

/** Why no entry of ours may have this body, or null: it must fit its kind's schema, and no text of it may look like personal data. */
export function bodyFault(kind: Kind, body: Cbor): string | null {
  if (readBody(kind, body) === null) return 'its body does not fit the schema of its kind'
  const found = lintText(body)
  return found === null ? null : `${found.path}: it holds what looks like ${found.what}`
}

function occursIn({ matches, holds }: Pattern, text: string): boolean {
  for (const [found] of text.matchAll(matches)) if (holds === undefined || holds(found)) return true
  return false
}

const NAMES_SOMETHING = /[\d@:]/ // every pattern asks for one of these, and most texts are words without
const MONTH = '(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*\\.?'
const YEAR = '(?:19|20)\\d\\d'
const DATE = 'a date, as of birth'
const IP = 'an IP address'
const PHONE = 'a phone number'
const RECORD = 'a medical record number'

/** National ids first, so that a finding with a check digit has the right name. */
const PATTERNS: readonly Pattern[] = [
  { what: 'an e-mail address', matches: /[\p{L}\d._%+-]{1,64}@[\p{L}\d-]{1,63}\.[\p{L}\d-]/gu },
  ...NATIONAL_IDS,
  {
    what: DATE,
    matches: new RegExp(`(?<!\\d)${YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\\d|3[01])(?!\\d)`, 'g'),
  },
  {
    what: DATE,
    matches: /(?<![\d/-])(?:0?[1-9]|[12]\d|3[01])[/-](?:0?[1-9]|[12]\d|3[01])[/-](?:(?:19|20)\d\d|\d\d)(?![\d/-])/g,
  },
  { what: DATE, matches: /(?<![\d.])(?:0?[1-9]|[12]\d|3[01])\. ?(?:0?[1-9]|1[0-2])\. ?(?:19|20)\d\d(?!\d)/g },
  // 1.2.15 is a version: before a short year, day and month have two digits
  { what: DATE, matches: /(?<![\d.])(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.\d\d(?![\d.]\d)/g },
  { what: DATE, matches: new RegExp(`(?<!\\d)\\d{1,2}(?:st|nd|rd|th|\\.)? ?${MONTH},? ?${YEAR}(?!\\d)`, 'gi') },
  { what: DATE, matches: new RegExp(`(?<!\\p{L})${MONTH} ?\\d{1,2}(?:st|nd|rd|th)?,? ${YEAR}(?!\\d)`, 'giu') },
  { what: IP, matches: /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g, holds: isIp4 },
  { what: IP, matches: /(?<![\p{L}\d:])(?:[\da-f]{1,4}:){7}[\da-f]{1,4}(?![\p{L}\d:])/giu },
  {
    what: IP,
    matches:
      /(?<![\p{L}\d:])(?:[\da-f]{1,4}:){0,6}(?:[\da-f]{1,4})?::(?:[\da-f]{1,4}:){0,6}[\da-f]{1,4}(?![\p{L}\d:])/giu,
  },
  { what: PHONE, matches: /(?<![\d.])\+\d(?:[ ()/.-]{0,2}\d){7,14}(?!\d)/g },
  { what: PHONE, matches: /(?<!\d)\(?[2-9]\d\d\)?[ .-]\d{3}[ .-]\d{4}(?!\d)/g },
  { what: PHONE, matches: /(?<![\d.,-])\(?0[1-9]\d{0,4}\)?[ /-](?:\d[ -]?){4,9}\d(?!\d)/g },
  { what: RECORD, matches: /(?<!\p{L})MRN[.:#\s-]*[A-Z]{0,3}-?\d{4}/giu },
  // with a word or a sign for "number" after it: "case 2020" is a year
  {
    what: RECORD,
    matches:
      /(?<!\p{L})(?:record|patient(?:en)?|hospital|chart|case|fall|akte)(?:[\s-]*(?:id|no|nr|number|nummer)|\s*[:#])[.:#\s-]*[A-Z]{0,3}-?\d{4}/giu,
  },
  { what: `${RECORD}, or any other long number`, matches: /(?<![\p{L}\d.])\d{7,}(?![\p{L}\d.])/gu },
]

function isIp4(found: string): boolean {
  return found.split('.').every((part) => Number(part) <= 255)
}
