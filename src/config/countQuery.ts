/**
 * What a count asks of a table: comparisons of columns with literals, joined by and, or, not. One meaning has one form as far as order and
 * repetition go, and the form one text and one document, so that a question is known again wherever it is asked.
 */
import * as v from 'valibot'
import { equalBytes } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { DUO_CODES, type DuoCode } from '../core/duo.ts'
import { ConsiliumError } from '../core/errors.ts'
import { compareIds, type Digest } from '../core/ids.ts'

export const OPERATORS = ['=', '!=', '<', '<=', '>', '>='] as const
export type Operator = (typeof OPERATORS)[number]
export type Literal = number | string

/** A condition on one row. An empty cell meets no comparison; so `not` of one does hold for it. */
export type Condition =
  | { readonly is: 'compare'; readonly column: string; readonly operator: Operator; readonly literal: Literal }
  | { readonly is: 'in'; readonly column: string; readonly literals: readonly Literal[] }
  | { readonly is: 'not'; readonly part: Condition }
  | { readonly is: 'and' | 'or'; readonly parts: readonly Condition[] }

/** A whole question; `where` is null where all are counted. `purposes` are sorted. */
export interface CountQuestion {
  readonly where: Condition | null
  readonly purposes: readonly DuoCode[]
}

export const QUERY_BOUNDS = {
  charactersMax: 2_000, // a screen of text; a longer question describes a person
  conditionsMax: 64, // comparisons and what joins them
  depthMax: 5, // a document of CBOR is nested 16 deep at most, two for each of these
  literalsMax: 32, // of one `in`
  literalBytesMax: 64,
  columnBytesMax: 120, // as of a published column
  documentBytesMax: 8_192, // leaves its entry room for the datasets
} as const

const VERSION = 1
export const WORDS: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in'])
const BARE = /^[\p{L}_][\p{L}\p{N}_]*$/u

/** The form that all questions of one meaning have: parts flat, sorted and each once, no double denial. Error: `count-query`. */
export function canonical(condition: Condition): Condition {
  const found = normal(condition)
  const [count, depth] = [countOf(found), depthOf(found)]
  if (count > QUERY_BOUNDS.conditionsMax)
    throw refused(`${count} conditions, at most ${QUERY_BOUNDS.conditionsMax} are allowed: ask in parts`)
  if (depth > QUERY_BOUNDS.depthMax)
    throw refused(`it is nested ${depth} deep, at most ${QUERY_BOUNDS.depthMax} is allowed: write it flatter`)
  return found
}

function normal(condition: Condition): Condition {
  switch (condition.is) {
    case 'compare': {
      const { column, literal } = condition
      return { ...condition, column: column.normalize('NFC'), literal: plain(literal) }
    }
    case 'in': {
      const column = condition.column.normalize('NFC')
      const literals = unique(condition.literals.map(plain), literalText)
      if (literals.length > 1) return { is: 'in', column, literals }
      return { is: 'compare', column, operator: '=', literal: literals[0] as Literal }
    }
    case 'not': {
      const part = normal(condition.part)
      return part.is === 'not' ? part.part : { is: 'not', part }
    }
    default: {
      const { is } = condition
      const parts = condition.parts.map(normal).flatMap((part) => (part.is === is ? part.parts : [part]))
      const kept = unique(parts, conditionText)
      return kept.length === 1 ? (kept[0] as Condition) : { is, parts: kept }
    }
  }
}

/** −0 is 0, and composed text is one text. */
const plain = (literal: Literal): Literal =>
  typeof literal === 'string' ? literal.normalize('NFC') : literal === 0 ? 0 : literal

function unique<T>(items: readonly T[], text: (item: T) => string): T[] {
  const byText = new Map(items.map((item) => [text(item), item]))
  return [...byText].sort(([a], [b]) => compareIds(a, b)).map(([, item]) => item)
}

function countOf(condition: Condition): number {
  if (condition.is === 'not') return 1 + countOf(condition.part)
  if (condition.is === 'compare' || condition.is === 'in') return 1
  return condition.parts.reduce((sum, part) => sum + countOf(part), 1)
}

function depthOf(condition: Condition): number {
  if (condition.is === 'not') return 1 + depthOf(condition.part)
  if (condition.is === 'compare' || condition.is === 'in') return 1
  return 1 + condition.parts.reduce((most, part) => Math.max(most, depthOf(part)), 0)
}

/** Each comparison of a condition, from left to right. */
export function comparisons(condition: Condition): Exclude<Condition, { is: 'not' | 'and' | 'or' }>[] {
  if (condition.is === 'not') return comparisons(condition.part)
  return condition.is === 'compare' || condition.is === 'in' ? [condition] : condition.parts.flatMap(comparisons)
}

/** The text that `parseCondition` reads back; `all` where there is no condition. */
export function questionText(where: Condition | null): string {
  return where === null ? 'all' : conditionText(where)
}

function conditionText(condition: Condition): string {
  switch (condition.is) {
    case 'compare':
      return `${columnText(condition.column)} ${condition.operator} ${literalText(condition.literal)}`
    case 'in':
      return `${columnText(condition.column)} in (${condition.literals.map(literalText).join(', ')})`
    case 'not':
      return `not ${condition.part.is === 'and' || condition.part.is === 'or' ? `(${conditionText(condition.part)})` : conditionText(condition.part)}`
    default:
      return condition.parts
        .map((part) => (condition.is === 'and' && part.is === 'or' ? `(${conditionText(part)})` : conditionText(part)))
        .join(` ${condition.is} `)
  }
}

function columnText(column: string): string {
  return BARE.test(column) && !WORDS.has(column.toLowerCase()) ? column : `"${column.replaceAll('"', '""')}"`
}

function literalText(literal: Literal): string {
  return typeof literal === 'number' ? String(literal) : `'${literal.replaceAll("'", "''")}'`
}

const text = (bytesMax: number) => v.pipe(v.string(), v.minLength(1), v.maxBytes(bytesMax))
const literal = v.union([v.pipe(v.number(), v.finite()), v.pipe(v.string(), v.maxBytes(QUERY_BOUNDS.literalBytesMax))])
const column = text(QUERY_BOUNDS.columnBytesMax)
const condition: v.GenericSchema<unknown, Condition> = v.lazy(() =>
  v.variant('is', [
    v.strictObject({ is: v.literal('compare'), column, operator: v.picklist(OPERATORS), literal }),
    v.strictObject({
      is: v.literal('in'),
      column,
      literals: v.pipe(v.array(literal), v.minLength(1), v.maxLength(QUERY_BOUNDS.literalsMax)),
    }),
    v.strictObject({ is: v.literal('not'), part: condition }),
    v.strictObject({ is: v.picklist(['and', 'or']), parts: v.pipe(v.array(condition), v.minLength(2)) }),
  ]),
)
const question = v.strictObject({
  version: v.literal(VERSION),
  where: v.nullable(condition),
  purposes: v.pipe(v.array(v.picklist(DUO_CODES)), v.maxLength(DUO_CODES.length)),
})

/** The canonical bytes of a question. Error: `count-query`, where they are too many. */
export function questionDocument({ where, purposes }: CountQuestion): Uint8Array {
  const kept = [...new Set(purposes)].sort()
  const plainWhere = where === null ? null : (canonical(where) as unknown as Cbor)
  const document = encodeCbor({ version: VERSION, where: plainWhere, purposes: kept })
  if (document.length <= QUERY_BOUNDS.documentBytesMax) return document
  throw refused(`it takes ${document.length} bytes, at most ${QUERY_BOUNDS.documentBytesMax} are allowed: ask in parts`)
}

/** Reads what `questionDocument` wrote; null of bytes that are no question, or not in its one form. */
export function questionIn(document: Uint8Array): CountQuestion | null {
  try {
    const { success, output } = v.safeParse(question, decodeCbor(document, QUERY_BOUNDS.documentBytesMax))
    if (!success) return null
    const again = questionDocument(output)
    return equalBytes(again, document) ? { where: output.where, purposes: output.purposes } : null
  } catch {
    return null // too deep, too long, or nothing that CBOR is
  }
}

/** What an answer is known by: a condition, and the purposes for which patients allow that they are counted; none where nobody asks them. */
export function questionDigest(question: CountQuestion): Digest {
  return taggedDigest('countQuestion', questionDocument(question))
}

function refused(message: string): ConsiliumError {
  return new ConsiliumError({ code: 'count-query', message: `--where: ${message}` })
}
