/**
 * Strict YAML with a schema, and every fault in one line: `file: path: what was given, what is allowed (line n)`.
 * The schema parts below carry their own messages, so that no default text of a library reaches a person.
 */
import * as v from 'valibot'
import { type Document, LineCounter, parseDocument } from 'yaml'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { didYouMean } from './closest.ts'

export type Path = readonly (string | number)[]

/** What is wrong, and where; `path` is empty for the whole document. */
export interface Complaint {
  readonly path: Path
  readonly message: string
  /** Where the kind's `-invalid` says too little. */
  readonly code?: string
}

interface YamlFile<S extends v.GenericSchema> {
  /** First part of the error codes: `study` gives `study-yaml` and `study-invalid`. */
  readonly kind: 'study' | 'config' | 'consortium' | 'scenario' | 'agreement' | 'trial'
  readonly fileName: string
  readonly schema: S
  /** What a schema can't say: rules between fields. Runs only on what the schema accepts. */
  readonly check?: (value: v.InferOutput<S>) => Complaint | null
}

const YAML_CHARACTERS_MAX = 1_048_576 // twenty times the largest study document; a data file given by mistake stops here
const ALIASES_MAX = 100 // the YAML bomb needs thousands
const SHOWN_CHARACTERS_MAX = 60 // of an offending value, so that a message stays one readable line

/**
 * Reads one YAML document strictly; a byte order mark and CRLF are accepted.
 * Errors: `<kind>-yaml` for broken YAML, `<kind>-invalid` (or the check's own code) for what the schema refuses.
 */
export function parseYaml<S extends v.GenericSchema>(text: string, file: YamlFile<S>): v.InferOutput<S> {
  const { kind, fileName, schema } = file
  const syntax = (message: string): ConsiliumError =>
    new ConsiliumError({ code: `${kind}-yaml`, message: `${fileName}: ${message}` })
  if (text.length > YAML_CHARACTERS_MAX) {
    throw syntax(
      `${text.length} characters were given, at most ${YAML_CHARACTERS_MAX} are allowed: is it the right file?`,
    )
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true })
  const fault = document.errors[0] ?? document.warnings[0]
  if (fault)
    throw syntax(`line ${lines.linePos(fault.pos[0]).line}: not valid YAML: ${messageOf(fault)}: correct that line`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX })
  } catch (error) {
    throw syntax(`not valid YAML: ${messageOf(error)}: write the value out instead`)
  }
  if (value === null) throw syntax(`the file is empty, a ${kind} description is expected`)
  const result = readValue(schema, value)
  const complaint = result.complaint ?? file.check?.(result.value as v.InferOutput<S>)
  if (!complaint) return result.value as v.InferOutput<S>
  const line = lineOf(document, lines, complaint.path)
  throw new ConsiliumError({
    code: complaint.code ?? `${kind}-invalid`,
    message: `${fileName}: ${oneLine(complaint)}${line === undefined ? '' : ` (line ${line})`}`,
  })
}

/** Runs a schema over plain data: the value it gives, or the first complaint (unknown keys first: they explain missing ones). */
export function readValue<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
):
  | { readonly value: v.InferOutput<S>; readonly complaint?: undefined }
  | { readonly value?: undefined; readonly complaint: Complaint } {
  const result = v.safeParse(schema, value)
  if (result.success) return { value: result.output }
  const issue = result.issues.find((each) => each.expected === 'never') ?? result.issues[0]
  return { complaint: { path: (issue.path ?? []).map((item) => item.key as string | number), message: issue.message } }
}

/** `features[3].range: what is wrong`. */
export function oneLine({ path, message }: Complaint): string {
  const where = path.map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`)).join('')
  return where === '' ? message : `${where}: ${message}`
}

/** A mapping with exactly these keys. */
export function section<const E extends v.ObjectEntries>(entries: E) {
  const mapping = alternative(entries)
  const keys = Object.keys(entries).join(', ')
  return v.pipe(
    // valibot takes a list for an object without keys, and would fill it up with defaults
    v.custom<v.InferInput<typeof mapping>>(
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
      (issue) => `${given(issue.input)}, a mapping with ${keys} is expected`,
    ),
    mapping,
  )
}

/** A mapping with exactly these keys, as one option of a variant. */
export function alternative<const E extends v.ObjectEntries>(entries: E) {
  const keys = Object.keys(entries)
  return v.strictObject(entries, (issue) => {
    const key = String(issue.path?.at(-1)?.key ?? '')
    if (issue.expected !== 'never') return 'this key is missing: add it'
    return `this key is unknown, the keys here are ${keys.join(', ')}${didYouMean(key, keys)}`
  })
}

/** Printable text in Unicode's composed form (NFC), without spaces at its ends. */
export function text(charactersMax: number) {
  const allowed = `text of 1 to ${charactersMax} printable characters is allowed`
  return v.pipe(
    v.string((issue) => `${given(issue.input)}, ${allowed}${quoteHint(issue.input)}`),
    v.transform((value) => value.normalize('NFC')),
    v.check(
      (value) => PRINTABLE.test(value) && [...value].length <= charactersMax,
      (issue) => `${given(issue.input)}, ${allowed}, without spaces at its ends`,
    ),
  )
}

const PRINTABLE = /^(?!\s)[^\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]+(?<!\s)$/u

const quoteHint = (input: unknown): string =>
  typeof input === 'number' || typeof input === 'boolean' ? `: put it in quotes: '${input}'` : ''

/** A finite number from `low` to `high`. */
export function number(low: number, high: number) {
  return bounded(low, high, 'a number', Number.isFinite)
}

/** A whole number from `low` to `high`. */
export function whole(low: number, high: number) {
  return bounded(low, high, 'a whole number', Number.isSafeInteger)
}

function bounded(low: number, high: number, noun: string, kind: (value: unknown) => boolean) {
  const message = (issue: { readonly input: unknown }): string =>
    `${given(issue.input)}, ${noun} from ${low} to ${high} is allowed`
  return v.pipe(
    v.custom<number>(kind, message),
    v.check((value) => value >= low && value <= high, message),
    v.transform((value) => (value === 0 ? 0 : value)), // −0 becomes 0: one meaning, one encoding
  )
}

/** One of a few words. */
export function choice<const W extends readonly string[]>(words: W) {
  return v.picklist(words, (issue) => {
    const hint = typeof issue.input === 'string' ? didYouMean(issue.input, words) : ''
    return `${given(issue.input)}, ${words.join(' or ')} is allowed${hint}`
  })
}

/** A list of `low` to `high` items. */
export function list<const S extends v.GenericSchema>(item: S, low: number, high: number) {
  const allowed = `a list of ${low} to ${high} items is allowed`
  return v.pipe(
    v.array(item, (issue) => `${given(issue.input)}, ${allowed}`),
    v.check(
      (items) => items.length >= low && items.length <= high,
      (issue) => `${issue.input.length} items were given, ${allowed}`,
    ),
  )
}

/** `true` or `false`; YAML 1.2 reads `yes` and `no` as text, which is refused. */
export const flag = () => v.boolean((issue) => `${given(issue.input)}, true or false is allowed`)

/** `"x" was given`, cut to a readable length. */
export function given(input: unknown): string {
  if (input === undefined) return 'nothing was given'
  const whole = typeof input === 'number' ? String(input) : (JSON.stringify(input) ?? String(input))
  const shown = whole.length > SHOWN_CHARACTERS_MAX ? `${whole.slice(0, SHOWN_CHARACTERS_MAX)}…` : whole
  return `${shown} was given`
}

/** The line of the deepest node on `path` that exists in the file. */
function lineOf(document: Document, lines: LineCounter, path: Path): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: readonly number[] | null } | undefined
    const start = node?.range?.[0]
    if (start !== undefined) return lines.linePos(start).line
  }
  return undefined
}
