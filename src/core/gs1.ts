/**
 * GS1 keys, as EPCIS events name goods, places and parties: read from EPC URNs, GS1 Digital Links and the text of a label, with check digits
 * and lengths (GS1 General Specifications; EPC Tag Data Standard 2.0 §6.3; GS1 Digital Link URI Syntax 1.2). Kept as one canonical text:
 * the path of the Digital Link, unescaped: `01/09506000134352/21/A7`.
 */
import { ConsiliumError } from './errors.ts'

/** `sgtin`: one pack · `lgtin`: a lot of a product · `gtin`: a product · `sscc`: a shipping unit · `grai` `giai`: boxes, devices · `sgln`: a place · `pgln`: a party. */
export type Gs1Kind = 'sgtin' | 'lgtin' | 'gtin' | 'sscc' | 'grai' | 'giai' | 'sgln' | 'pgln'

/** A key in its canonical text. */
export type Gs1Key = string & { readonly __gs1: true }

const X = '[!"%&\'()*+,\\-./0-9:;<=>?A-Z_a-z]' // GS1 AI encodable character set 82, GenSpecs figure 7.11-1
const CANONICAL: readonly (readonly [kind: Gs1Kind, shape: RegExp])[] = [
  ['sgtin', new RegExp(`^01/(\\d{14})/21/${X}{1,20}$`)],
  ['lgtin', new RegExp(`^01/(\\d{14})/10/${X}{1,20}$`)],
  ['gtin', /^01\/(\d{14})$/],
  ['sscc', /^00\/(\d{18})$/],
  ['sgln', new RegExp(`^414/(\\d{13})(?:/254/${X}{1,20})?$`)],
  ['pgln', /^417\/(\d{13})$/],
  ['grai', new RegExp(`^8003/0(\\d{13})${X}{1,16}$`)],
  ['giai', new RegExp(`^8004/\\d{6}${X}{1,24}$`)],
]
const GIVEN_MAX = 200 // characters: three times the longest key, escaped

/** The check digit that stands after `digits`: weights 3 and 1 from the right, to the next ten (GS1 General Specifications §7.9). */
export function checkDigit(digits: string): number {
  let sum = 0
  for (let i = 0; i < digits.length; i++) sum += Number(digits[digits.length - 1 - i]) * (i % 2 === 0 ? 3 : 1)
  return (10 - (sum % 10)) % 10
}

/** What a canonical text names, or null where it is none, or its check digit is wrong. */
export function gs1KindOf(text: string): Gs1Kind | null {
  for (const [kind, shape] of CANONICAL) {
    const found = shape.exec(text)
    if (found !== null) return kind === 'giai' || isChecked(found[1] as string) ? kind : null
  }
  return null
}

function isChecked(digits: string): boolean {
  return checkDigit(digits.slice(0, -1)) === Number(digits.at(-1))
}

/** Reads an EPC URN or a canonical GS1 Digital Link. Errors: `gs1-key`, `gs1-check-digit`, `gs1-person`. */
export function readGs1(given: string): Gs1Key {
  if (given.length > GIVEN_MAX) throw refused('gs1-key', given, 'no key of GS1 is so long')
  if (/^urn:epc:id(?:pat)?:gsrnp?:|\/801[78]\//.test(given))
    throw refused('gs1-person', given, 'a GSRN names a person, and events are copied to every member: leave it out')
  const text = given.startsWith('urn:epc:') ? fromUrn(given) : fromLink(given)
  if (gs1KindOf(text) !== null) return text as Gs1Key
  const digits = CANONICAL.map(([, shape]) => shape.exec(text)?.[1]).find((one) => one !== undefined)
  if (digits !== undefined) {
    const right = checkDigit(digits.slice(0, -1))
    throw refused('gs1-check-digit', given, `the check digit of ${digits} is ${right}, so a digit was mistaken`)
  }
  throw refused('gs1-key', given, EXPECTED)
}

/** As `readGs1`, and what is printed on a pack, `(01)09506000134352(21)A7`, the canonical text, or the bare digits of a GTIN or SSCC. */
export function readLabel(given: string): Gs1Key {
  const text = given.trim()
  if (gs1KindOf(text) !== null) return text as Gs1Key
  if (/^(?:\d{8}|\d{12,14})$/.test(text)) return readGs1(`${LINK}01/${text}`)
  if (/^\d{18}$/.test(text)) return readGs1(`${LINK}00/${text}`)
  if (/^\d{2,4}\//.test(text)) return readGs1(`${LINK}${text}`)
  if (/^(?:urn|https?):/.test(text)) return readGs1(text)
  if (!text.startsWith('(')) throw refused('gs1-key', given, LABEL_EXPECTED)
  const parts = new Map([...text.matchAll(/\((\d{2,4})\)((?:(?!\(\d{2,4}\)).)+)/g)].map((one) => [one[1], one[2]]))
  const of = (ai: string): string => encodeURIComponent(parts.get(ai) ?? '')
  if (parts.has('00')) return readGs1(`${LINK}00/${of('00')}`)
  if (parts.has('414')) return readGs1(`${LINK}414/${of('414')}${parts.has('254') ? `/254/${of('254')}` : ''}`)
  const more = parts.has('21') ? `/21/${of('21')}` : parts.has('10') ? `/10/${of('10')}` : ''
  if (parts.has('01')) return readGs1(`${LINK}01/${of('01')}${more}`)
  throw refused('gs1-key', given, LABEL_EXPECTED)
}

/** The canonical GS1 Digital Link of a key. */
export function gs1Link(key: Gs1Key): string {
  const named = /^(01\/\d{14}\/(?:21|10)\/|414\/\d{13}\/254\/|\d+\/)(.*)$/.exec(key)
  return `${LINK}${named?.[1] ?? ''}${encodeURIComponent(named?.[2] ?? '')}`
}

/** The product of a pack or lot, 14 digits; null of other keys. */
export function gtinOf(key: Gs1Key): string | null {
  return key.startsWith('01/') ? key.slice(3, 17) : null
}

/** A lot of a product. Error: `gs1-key`, where the lot has characters that no lot has, or is too long. */
export function lotKey(gtin: string, lot: string): Gs1Key {
  const text = `01/${gtin}/10/${lot}`
  if (gs1KindOf(text) === 'lgtin') return text as Gs1Key
  throw refused('gs1-key', lot, 'a lot is 1 to 20 characters of GS1’s set 82')
}

const LINK = 'https://id.gs1.org/'
const LABEL_EXPECTED =
  'what is on the label is expected, (01)09506000134352(21)A7 for a pack, (01)…(10)… for a lot, (00)… for a box; or an EPC URN, or a GS1 Digital Link'
const EXPECTED =
  'an EPC URN (urn:epc:id:sgtin:…, sscc, sgln, pgln, grai, giai, urn:epc:class:lgtin:…, urn:epc:idpat:sgtin:….*) or a GS1 Digital Link (https://id.gs1.org/01/…/21/…, 01/…/10/…, 01, 00, 414, 417, 8003, 8004) is expected'

/** URNs have the digits of a key without check digit, split after the company prefix: 6 to 12 digits, and the rest fills up. */
function fromUrn(given: string): string {
  const [, scheme = '', prefix = '', rest = '', tail] =
    /^urn:epc:(id:sgtin|class:lgtin|idpat:sgtin|id:sscc|id:sgln|id:pgln|id:grai|id:giai):(\d{6,12})\.([^.]*)(?:\.(.*))?$/.exec(
      given,
    ) ?? []
  const reference = (length: number): string => {
    if (/^\d*$/.test(rest) && prefix.length + rest.length === length) return prefix + rest
    throw refused('gs1-key', given, `company prefix and reference of ${scheme.slice(3)} are ${length} digits together`)
  }
  const moved = (length: number): string => {
    const all = reference(length)
    if (rest.length === 0) throw refused('gs1-key', given, 'the indicator or extension digit is missing')
    return checked(`${rest[0]}${all.slice(0, prefix.length)}${rest.slice(1)}`)
  }
  if (scheme === 'id:sgtin') return `01/${moved(13)}/21/${unescaped(given, tail)}`
  if (scheme === 'class:lgtin') return `01/${moved(13)}/10/${unescaped(given, tail)}`
  if (scheme === 'idpat:sgtin' && tail === '*') return `01/${moved(13)}`
  if (scheme === 'id:sscc' && tail === undefined) return `00/${moved(17)}`
  if (scheme === 'id:pgln' && tail === undefined) return `417/${checked(reference(12))}`
  if (scheme === 'id:grai') return `8003/0${checked(reference(12))}${unescaped(given, tail)}`
  if (scheme === 'id:giai') return `8004/${prefix}${unescaped(given, tail === undefined ? rest : `${rest}.${tail}`)}`
  if (scheme === 'id:sgln') {
    const extension = unescaped(given, tail)
    return `414/${checked(reference(12))}${extension === '0' ? '' : `/254/${extension}`}`
  }
  throw refused('gs1-key', given, EXPECTED)
}

const checked = (digits: string): string => `${digits}${checkDigit(digits)}`

/** GTINs of 8, 12 and 13 digits are 14 with zeros before them. */
function fromLink(given: string): string {
  if (!given.startsWith(LINK)) throw refused('gs1-key', given, EXPECTED)
  const [ai = '', key = '', qualifier, value, ...more] = given.slice(LINK.length).split('/')
  const isGtin = ai === '01' && /^(?:\d{8}|\d{12,14})$/.test(key)
  const first = isGtin ? key.padStart(14, '0') : unescaped(given, key)
  if (more.length > 0 || (qualifier !== undefined && value === undefined)) throw refused('gs1-key', given, EXPECTED)
  return qualifier === undefined ? `${ai}/${first}` : `${ai}/${first}/${qualifier}/${unescaped(given, value)}`
}

/** What has a meaning in URIs is escaped in serials and lots (TDS 2.0 table E-1). */
function unescaped(given: string, part: string | undefined): string {
  if (part === undefined || part === '') throw refused('gs1-key', given, EXPECTED)
  if (/["&/<>?#]/.test(part)) throw refused('gs1-key', given, 'the characters " & / < > ? and # are escaped as %XX')
  try {
    return decodeURIComponent(part)
  } catch {
    throw refused('gs1-key', given, 'a % is followed by two hexadecimal digits')
  }
}

function refused(code: string, given: string, why: string): ConsiliumError {
  return new ConsiliumError({ code, message: `${JSON.stringify(given.slice(0, 80))} was given: ${why}` })
}
