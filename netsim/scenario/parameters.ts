/** Dotted paths into a scenario: `gossip.fanout`, `adversaries.0.share`. What the schema does not know is refused, with the nearest name. */
import type * as v from 'valibot'
import { didYouMean } from '../../src/config/closest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { scenarioSchema } from './schema.ts'

/** Values by dotted path, as YAML gives them. */
export type Parameters = Readonly<Record<string, unknown>>

type Keys = ReadonlyMap<string, readonly v.GenericSchema[]>

/** The parts of valibot's schemas that hold others. */
interface Shape {
  readonly type: string
  readonly entries?: Readonly<Record<string, v.GenericSchema>>
  readonly wrapped?: v.GenericSchema
  readonly pipe?: readonly v.GenericSchema[]
  readonly options?: readonly v.GenericSchema[]
  readonly item?: v.GenericSchema
  readonly items?: readonly v.GenericSchema[]
}

/**
 * A copy of a scenario's plain data with values set; sections that are not there yet are made.
 * Only paths are checked here: values are the schema's business. Error: `scenario-parameter`.
 */
export function withParameters(scenario: unknown, parameters: Parameters): unknown {
  const copy = structuredClone(scenario)
  for (const [path, value] of Object.entries(parameters)) {
    checkPath(path)
    setIn(copy, path.split('.'), value, path)
  }
  return copy
}

/** Every path that a scenario may have, list items as `0`: `network.topology.degree`. Ascending. */
export function knownPaths(): string[] {
  const found = new Set<string>()
  const visit = (schemas: readonly v.GenericSchema[], prefix: string): void => {
    for (const [key, below] of keysOf(schemas)) {
      const path = prefix === '' ? key : `${prefix}.${key}`
      found.add(path)
      visit(below, path)
    }
  }
  visit([scenarioSchema], '')
  return [...found].sort()
}

function checkPath(path: string): void {
  let schemas: readonly v.GenericSchema[] = [scenarioSchema]
  const done: string[] = []
  for (const word of path.split('.')) {
    const keys = keysOf(schemas)
    const below = keys.get(/^\d+$/.test(word) ? '0' : word)
    if (below === undefined) throw unknownPath(path, word, done.join('.'), [...keys.keys()])
    schemas = below
    done.push(word)
  }
}

function unknownPath(path: string, word: string, above: string, keys: readonly string[]): ConsiliumError {
  const where = above === '' ? 'a scenario' : `"${above}"`
  const allowed = keys.length === 0 ? `${where} has no parts` : `the keys of ${where} are ${keys.join(', ')}`
  const elsewhere = knownPaths().filter((known) => known.endsWith(`.${word}`))
  const near = didYouMean(word, keys)
  const hint = near === '' && elsewhere[0] !== undefined ? `; did you mean "${elsewhere[0]}"?` : near
  return new ConsiliumError({
    code: 'scenario-parameter',
    message: `"${path}" was given: "${word}" is unknown, ${allowed}${hint}`,
  })
}

/** What a value of any of these schemas may have in it; the options of a variant all count. */
function keysOf(schemas: readonly v.GenericSchema[]): Keys {
  const keys = new Map<string, v.GenericSchema[]>()
  const add = (key: string, schema: v.GenericSchema): void => {
    keys.set(key, [...(keys.get(key) ?? []), schema])
  }
  const visit = (schema: v.GenericSchema): void => {
    const shape = schema as unknown as Shape
    for (const [key, item] of Object.entries(shape.entries ?? {})) add(key, item)
    if (shape.type === 'array' && shape.item) add('0', shape.item)
    for (const item of shape.items ?? []) add('0', item)
    if (shape.wrapped) visit(shape.wrapped)
    for (const option of shape.options ?? []) if (typeof option === 'object') visit(option)
    for (const part of shape.pipe?.slice(1) ?? []) if ('entries' in part || 'item' in part) visit(part)
  }
  for (const schema of schemas) visit(schema)
  return keys
}

function setIn(root: unknown, words: readonly string[], value: unknown, path: string): void {
  let at = root
  for (const [i, word] of words.entries()) {
    const key = /^\d+$/.test(word) ? Number(word) : word
    if (typeof at !== 'object' || at === null || (typeof key === 'number') !== Array.isArray(at))
      throw cannotSet(path, words.slice(0, i).join('.'), at)
    if (typeof key === 'number' && key > (at as unknown[]).length)
      throw cannotSet(path, words.slice(0, i).join('.'), at)
    const box = at as Record<string | number, unknown>
    if (i === words.length - 1) box[key] = value
    else {
      const next = box[key]
      const isHere = Object.hasOwn(box, key) && next !== undefined && next !== null
      if (!isHere) box[key] = /^\d+$/.test(words[i + 1] as string) ? [] : {}
      at = box[key]
    }
  }
}

function cannotSet(path: string, above: string, found: unknown): ConsiliumError {
  const what = Array.isArray(found) ? `a list of ${found.length}` : (JSON.stringify(found) ?? 'nothing')
  return new ConsiliumError({
    code: 'scenario-parameter',
    message: `"${path}" was given, and "${above}" is ${what.slice(0, 60)} in the file: set the whole of it instead`,
  })
}
