/** What a sweep runs: all combinations of parameter values, each with all seeds; and a shard's part of it. */
import { InvalidArgumentError } from 'commander'
import { parse } from 'yaml'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { refusal } from './command.ts'

/** One `--param`. */
export interface Axis {
  readonly path: string
  readonly values: readonly unknown[]
}

/** Shard 2 of 8 is `{ index: 2, of: 8 }`. */
export interface Shard {
  readonly index: number
  readonly of: number
}

export interface Plan {
  readonly axes: readonly Axis[]
  readonly seeds: readonly number[]
}

/** One run of a sweep. */
export interface Task {
  /** Names its file; of the parameters and the seed alone. */
  readonly key: string
  /** Which combination, from 0. */
  readonly combination: number
  readonly parameters: Readonly<Record<string, unknown>>
  readonly seed: number
}

const RUNS_MAX = 1_000_000 // one file each
const SEEDS_MAX = 100_000
const SHARDS_MAX = 100_000

/** All combinations, the last axis fastest. */
export function combinations(axes: readonly Axis[]): Record<string, unknown>[] {
  let found: Record<string, unknown>[] = [{}]
  for (const { path, values } of axes)
    found = found.flatMap((before) => values.map((value) => ({ ...before, [path]: value })))
  return found
}

/** Every run, combination by combination. Error: `sweep-size`. */
export function tasksOf({ axes, seeds }: Plan): Task[] {
  const runs = axes.reduce((product, { values }) => product * values.length, seeds.length)
  if (runs > RUNS_MAX) throw refusal('sweep-size', `${runs} runs were asked for, at most ${RUNS_MAX} are allowed`)
  return combinations(axes).flatMap((parameters, combination) =>
    seeds.map((seed) => ({ key: keyOf(parameters, seed), combination, parameters, seed })),
  )
}

/** The tasks of one shard: every n-th, so that long and short ones are dealt alike. */
export function shardOf(tasks: readonly Task[], shard: Shard | null): Task[] {
  return shard === null ? [...tasks] : tasks.filter((_, i) => i % shard.of === shard.index - 1)
}

function keyOf(parameters: Readonly<Record<string, unknown>>, seed: number): string {
  const sorted = Object.keys(parameters).sort()
  const text = JSON.stringify(sorted.map((path) => [path, parameters[path]]))
  return `${toHex(sha256(utf8(text))).slice(0, 16)}-seed${seed}`
}

/** `gossip.fanout=3 network.loss=0.1`, or `as written` for none. */
export function label(parameters: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(parameters).map(([path, value]) => `${path}=${shown(value)}`)
  return parts.length === 0 ? 'as written' : parts.join(' ')
}

/** A parameter's value in one word. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Collects `PATH=V1,V2,…`; the values are YAML. Error: `InvalidArgumentError`. */
export function axisOption(given: string, before: readonly Axis[]): Axis[] {
  const at = given.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('PATH=VALUE,VALUE is expected, gossip.fanout=1,3,5 for example.')
  const path = given.slice(0, at)
  const values = listOf(given.slice(at + 1))
  if (values === null || values.length === 0 || given.slice(at + 1).trim() === '')
    throw new InvalidArgumentError(`"${given.slice(at + 1)}" are no YAML values with commas between.`)
  if (before.some((axis) => axis.path === path)) throw new InvalidArgumentError(`${path} is given twice.`)
  const words = values.map((value) => JSON.stringify(value))
  const twice = words.find((word, i) => words.indexOf(word) !== i)
  if (twice !== undefined) throw new InvalidArgumentError(`${path} has the value ${twice} twice.`)
  return [...before, { path, values }]
}

function listOf(text: string): unknown[] | null {
  try {
    const values: unknown = parse(`[${text}]`)
    return Array.isArray(values) ? values : null
  } catch {
    return null
  }
}

/** `20` (1 to 20), `3..9`, or `1,5,7`. Error: `InvalidArgumentError`. */
export function seedsOption(given: string): number[] {
  const whole = /^[1-9]\d{0,5}$/.test(given) ? Number(given) : null
  const range = /^(\d{1,15})\.\.(\d{1,15})$/.exec(given)
  const [from, to] = range ? [Number(range[1]), Number(range[2])] : [1, whole ?? 0]
  if ((range || whole !== null) && from <= to && to - from < SEEDS_MAX)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  const words = given.split(',')
  if (words.length > 1 && words.every((word) => /^\d{1,15}$/.test(word)) && new Set(words).size === words.length)
    return words.map(Number)
  throw new InvalidArgumentError('How many (20), from..to (3..9) or a list (1,5,7) is expected.')
}

/** `2/8`. Error: `InvalidArgumentError`. */
export function shardOption(given: string): Shard {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(given)
  const [index, of] = [Number(match?.[1]), Number(match?.[2])]
  if (match && index >= 1 && index <= of && of <= SHARDS_MAX) return { index, of }
  throw new InvalidArgumentError('i/n with i from 1 to n is expected, 2/8 for example.')
}
