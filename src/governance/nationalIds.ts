/** Numbers that stand for one person: patterns, with check digits where there are any. Those of other countries pass. */

/** What some text looks like. */
export interface Pattern {
  readonly what: string
  /** Global; what it matches is tried on `holds`. */
  readonly matches: RegExp
  readonly holds?: (found: string) => boolean
}

/** In an order in which the stricter comes first. */
export const NATIONAL_IDS: readonly Pattern[] = [
  { what: 'a German tax number', matches: /(?<!\d)[1-9]\d(?: ?\d{3}){3}(?!\d)/g, holds: isGermanTaxId },
  { what: 'a German health insurance number', matches: /(?<![A-Z\d])[A-Z]\d{9}(?!\d)/g, holds: isGermanHealthId },
  { what: 'a German pension number', matches: /(?<!\d)\d{2} ?\d{6} ?[A-Z] ?\d{3}(?!\d)/g, holds: isGermanPensionId },
  {
    what: 'a French social security number',
    matches: /(?<!\d)[12] ?\d\d ?\d\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d\d(?!\d)/g,
    holds: isFrench,
  },
  { what: 'a UK NHS number', matches: /(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)/g, holds: isNhs },
  {
    what: 'a UK national insurance number',
    matches: /(?<![A-Z])[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d\d){3} ?[A-D](?![A-Z])/g,
  },
  { what: 'a US social security number', matches: /(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\d-])/g },
  { what: 'a Swedish personal number', matches: /(?<!\d)(?:\d\d)?\d{6}[-+]\d{4}(?!\d)/g, holds: isSwedish },
  { what: 'a Polish PESEL', matches: /(?<!\d)\d{11}(?!\d)/g, holds: isPesel },
  { what: 'a Swiss AHV number', matches: /(?<!\d)756[. ]?\d{4}[. ]?\d{4}[. ]?\d\d(?!\d)/g, holds: isAhv },
  { what: 'a Dutch BSN', matches: /(?<!\d)\d{9}(?!\d)/g, holds: isBsn },
  { what: 'a Spanish DNI or NIE', matches: /(?<![A-Z\d])[XYZ\d]\d{7}-?[A-Z](?![A-Z])/g, holds: isSpanish },
  {
    what: 'an Italian fiscal code',
    matches: /(?<![A-Z])[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z](?![A-Z])/g,
    holds: isItalian,
  },
]

const digitsOf = (text: string): number[] => [...text.replace(/\D/g, '')].map(Number)
const weighted = (digits: readonly number[], weights: readonly number[]): number =>
  weights.reduce((sum, weight, i) => sum + weight * (digits[i] as number), 0)
const crossSum = (value: number): number => (value > 9 ? value - 9 : value)
/** The Luhn sum of digits of which the first counts double. */
const luhn = (digits: readonly number[]): number =>
  digits.reduce((sum, digit, i) => sum + (i % 2 === 0 ? crossSum(2 * digit) : digit), 0)
const luhnSingleFirst = (digits: readonly number[]): number => luhn([0, ...digits])

/** ISO 7064 Mod 11,10; of the first ten digits one or two come more than once. */
function isGermanTaxId(found: string): boolean {
  const digits = digitsOf(found)
  const different = new Set(digits.slice(0, 10)).size
  if (different !== 9 && different !== 8) return false
  let product = 10
  for (const digit of digits.slice(0, 10)) {
    const sum = (digit + product) % 10 || 10
    product = (2 * sum) % 11
  }
  return (11 - product) % 10 === digits[10]
}

/** The letter as its two digits, then weights 1 and 2 in turn, each product's digits summed. */
function isGermanHealthId(found: string): boolean {
  const digits = digitsOf(letterAsDigits(found))
  return luhnSingleFirst(digits.slice(0, 10)) % 10 === digits[10]
}

function isGermanPensionId(found: string): boolean {
  const digits = digitsOf(letterAsDigits(found))
  const weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]
  const sum = weights.reduce((total, weight, i) => {
    const product = weight * (digits[i] as number)
    return total + Math.floor(product / 10) + (product % 10)
  }, 0)
  return sum % 10 === digits[12]
}

const letterAsDigits = (found: string): string =>
  found.replace(/[A-Z]/, (letter) => String(letter.charCodeAt(0) - 64).padStart(2, '0'))

/** The key is 97 less the rest of the number by 97; Corsica's 2A and 2B count as 19 and 18. */
function isFrench(found: string): boolean {
  const digits = found.replaceAll(' ', '').replace('2A', '19').replace('2B', '18')
  return /^\d{15}$/.test(digits) && 97 - (Number(digits.slice(0, 13)) % 97) === Number(digits.slice(13))
}

function isNhs(found: string): boolean {
  const digits = digitsOf(found)
  const check = 11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)
  return check % 11 === digits[9]
}

function isSwedish(found: string): boolean {
  return luhn(digitsOf(found).slice(-10)) % 10 === 0
}

function isPesel(found: string): boolean {
  const digits = digitsOf(found)
  return (weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) + (digits[10] as number)) % 10 === 0
}

function isAhv(found: string): boolean {
  const digits = digitsOf(found)
  return (weighted(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) + (digits[12] as number)) % 10 === 0
}

function isBsn(found: string): boolean {
  return weighted(digitsOf(found), [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0
}

function isSpanish(found: string): boolean {
  const number = Number(found.replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter))).replace(/\D/g, ''))
  return 'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23] === found.at(-1)
}

/** Values of 0 to 9, and of A to Z, at the odd places; at the even ones each counts as itself. */
const ITALIAN_ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]

function isItalian(found: string): boolean {
  const sum = [...found.slice(0, 15)].reduce((total, character, i) => {
    const value = /\d/.test(character) ? Number(character) : character.charCodeAt(0) - 65
    return total + (i % 2 === 0 ? (ITALIAN_ODD[value] as number) : value)
  }, 0)
  return String.fromCharCode(65 + (sum % 26)) === found[15]
}
