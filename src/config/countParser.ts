/** Reads a count's condition as people write it: `age >= 65 and sex = 'F'`. Every fault says where, and what is allowed there. */
import { ConsiliumError } from '../core/errors.ts'
import { type Condition, canonical, type Literal, OPERATORS, type Operator, QUERY_BOUNDS, WORDS } from './countQuery.ts'

type TokenKind = 'number' | 'text' | 'column' | 'word' | 'operator' | 'sign' | 'end'

interface Token {
  readonly kind: TokenKind
  /** Of a text or a quoted column what is within its quotes; of a word in small letters. */
  readonly value: string
  /** Of its first character, from 1. */
  readonly at: number
}

const NESTED_MAX = 32 // brackets and nots within each other: beyond it nobody reads on
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\p{L}\p{N}_.])/uy
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy
const OPERATOR = /!=|<=|>=|[=<>]/y
const TEXT = /'(?:[^']|'')*'/y
const QUOTED = /"(?:[^"]|"")+"/y
const SPACE = /\s+/y

/** The canonical condition. Error: `count-query`, with the position of the character and what is allowed there. */
export function parseCondition(source: string): Condition {
  if (source.length > QUERY_BOUNDS.charactersMax)
    throw fault(
      QUERY_BOUNDS.charactersMax + 1,
      `${source.length} characters were given, at most ${QUERY_BOUNDS.charactersMax} are allowed`,
    )
  const parser = new Parser(tokensOf(source))
  return canonical(parser.whole())
}

function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < source.length; ) {
    const space = matchAt(SPACE, source, at)
    if (space !== null) {
      at += space.length
      continue
    }
    const [token, length] = tokenAt(source, at)
    tokens.push(token)
    at += length
  }
  return [...tokens, { kind: 'end', value: '', at: source.length + 1 }]
}

function tokenAt(source: string, at: number): [token: Token, length: number] {
  const token = (kind: TokenKind, value: string): Token => ({ kind, value, at: at + 1 })
  const found = (pattern: RegExp): string | null => matchAt(pattern, source, at)
  const text = found(TEXT)
  if (text !== null) return [token('text', text.slice(1, -1).replaceAll("''", "'")), text.length]
  const quoted = found(QUOTED)
  if (quoted !== null) return [token('column', quoted.slice(1, -1).replaceAll('""', '"')), quoted.length]
  const number = found(NUMBER)
  if (number !== null) return [token('number', number), number.length]
  const name = found(NAME)
  if (name !== null) {
    const word = name.toLowerCase()
    return [WORDS.has(word) ? token('word', word) : token('column', name), name.length]
  }
  const operator = found(OPERATOR)
  if (operator !== null) return [token('operator', operator), operator.length]
  const character = String.fromCodePoint(source.codePointAt(at) as number)
  if ('(),'.includes(character)) return [token('sign', character), 1]
  if (character === "'") throw fault(at + 1, "a text opens here and never closes: close it with '")
  if (character === '"') throw fault(at + 1, 'a column opens here and never closes: close it with "')
  throw fault(
    at + 1,
    `${JSON.stringify(character)} was given; columns, numbers, 'texts', ${OPERATORS.join(' ')}, in, and, or, not and brackets are allowed; a column with other characters in its name stands in "double quotes"`,
  )
}

function matchAt(pattern: RegExp, source: string, at: number): string | null {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0] ?? null
}

/** Recursive descent: `or` binds loosest, then `and`, then `not`. */
class Parser {
  readonly #tokens: readonly Token[]
  #next = 0
  #nested = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Condition {
    const condition = this.#joined('or')
    if (this.#token.kind !== 'end') throw this.#unexpected('and, or, or the end')
    return condition
  }

  get #token(): Token {
    return this.#tokens[this.#next] as Token
  }

  #joined(is: 'and' | 'or'): Condition {
    const part = (): Condition => (is === 'or' ? this.#joined('and') : this.#denied())
    const parts = [part()]
    while (this.#takes('word', is)) parts.push(part())
    return parts.length === 1 ? (parts[0] as Condition) : { is, parts }
  }

  #denied(): Condition {
    if (!this.#takes('word', 'not')) return this.#primary()
    return this.#within(() => ({ is: 'not', part: this.#denied() }))
  }

  #primary(): Condition {
    if (!this.#takes('sign', '(')) return this.#comparison()
    return this.#within(() => {
      const condition = this.#joined('or')
      if (!this.#takes('sign', ')')) throw this.#unexpected('and, or, or )')
      return condition
    })
  }

  #within<T>(read: () => T): T {
    if (++this.#nested > NESTED_MAX)
      throw fault(this.#token.at, `more than ${NESTED_MAX} brackets and nots lie within each other: write it flatter`)
    const found = read()
    this.#nested--
    return found
  }

  #comparison(): Condition {
    const { kind, value: column, at } = this.#token
    if (kind !== 'column') throw this.#unexpected('a column, not, or (')
    if (Buffer.byteLength(column) > QUERY_BOUNDS.columnBytesMax)
      throw fault(at, `a column's name has at most ${QUERY_BOUNDS.columnBytesMax} bytes`)
    this.#next++
    if (this.#takes('word', 'in')) return { is: 'in', column, literals: this.#list() }
    const operator = this.#token
    if (operator.kind !== 'operator') throw this.#unexpected(`${OPERATORS.join(' ')} or in`)
    this.#next++
    return { is: 'compare', column, operator: operator.value as Operator, literal: this.#literal() }
  }

  #list(): Literal[] {
    if (!this.#takes('sign', '(')) throw this.#unexpected('(')
    const literals = [this.#literal()]
    while (this.#takes('sign', ',')) literals.push(this.#literal())
    if (literals.length > QUERY_BOUNDS.literalsMax)
      throw fault(
        this.#token.at,
        `${literals.length} values were given, at most ${QUERY_BOUNDS.literalsMax} are allowed`,
      )
    if (!this.#takes('sign', ')')) throw this.#unexpected(', or )')
    return literals
  }

  #literal(): Literal {
    const { kind, value, at } = this.#token
    if (kind !== 'number' && kind !== 'text') throw this.#unexpected("a number or a 'text'")
    this.#next++
    if (kind === 'number') {
      const number = Number(value)
      if (Number.isFinite(number)) return number
      throw fault(at, `${value} is no number that tables hold`)
    }
    if (Buffer.byteLength(value) <= QUERY_BOUNDS.literalBytesMax && !/\p{Cc}/u.test(value) && value.isWellFormed())
      return value
    throw fault(at, `a text has at most ${QUERY_BOUNDS.literalBytesMax} bytes, and no control characters`)
  }

  #takes(kind: TokenKind, value: string): boolean {
    const takes = this.#token.kind === kind && this.#token.value === value
    if (takes) this.#next++
    return takes
  }

  #unexpected(allowed: string): ConsiliumError {
    const { kind, value, at } = this.#token
    const given = kind === 'end' ? 'it ends' : `${JSON.stringify(value.slice(0, 40))} was given`
    return fault(at, `${given}, where ${allowed} is allowed`)
  }
}

function fault(at: number, message: string): ConsiliumError {
  return new ConsiliumError({ code: 'count-query', message: `--where: position ${at}: ${message}` })
}
