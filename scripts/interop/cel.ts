/** Guards of agreements against another implementation of CEL: expressions of every form that is allowed, made by chance, errors among them. */
import { fileURLToPath } from 'node:url'
import { Rng } from '../../src/core/rng.ts'
import { compileGuard, type GuardInputs } from '../../src/governance/guards.ts'
import { judgedBy, type Verdict } from './tool.ts'

const CASES = 20_000
const DEPTH_MAX = 5
const INTS = ['round', 'rounds', 'epsilonSpentMilli', 'epsilonMaxMilli', 'minimumCohort', 'rowsBand', 'daysToExpiry']
const TEXTS = ['action', 'hospital', 'study', 'mergeRule']
const LISTS = ['members', 'purposes']
const WORDS = ['"round"', '"mean"', '"ab"', '"abc"', '""', '"DUO:0000006"', '"é"', '"a\\"b"']

/** Both give true, false or an error alike. */
export async function checkCel(): Promise<Verdict> {
  const rng = Rng.from('interop', 'cel')
  const cases: { cel: string; inputs: object; means: string }[] = []
  while (cases.length < CASES) {
    const cel = boolean(rng, DEPTH_MAX, [])
    const compiled = compileGuard(cel)
    if ('reason' in compiled) {
      if (/Exceeded|characters/.test(compiled.reason)) continue // too long by chance
      return { outcome: 'differs', said: `the profile refuses what it allows: ${cel}: ${compiled.reason}` }
    }
    const inputs = inputsBy(rng)
    const plain = Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]),
    )
    cases.push({ cel, inputs: plain, means: compiled.guard(inputs) })
  }
  const cwd = fileURLToPath(new URL('cel', import.meta.url))
  const probe = ['--input-type=module', '-e', "await import('@bufbuild/cel')"]
  const tool = { command: process.execPath, args: ['check.mjs'], probe, cwd }
  return judgedBy({ ...tool, wants: '@bufbuild/cel 0.6.1: run "npm install" in scripts/interop/cel' }, { cases })
}

function pick<T>(rng: Rng, from: readonly T[]): T {
  return from[rng.below(from.length)] as T
}

/** `items` are the names that a comprehension around it gives. */
function boolean(rng: Rng, depth: number, items: readonly string[]): string {
  if (depth === 0) return pick(rng, ['true', 'false', 'isPrivate'])
  const next = (): string => boolean(rng, depth - 1, items)
  const number = (): string => int(rng, depth - 1)
  switch (rng.below(items.length === 0 ? 11 : 10)) {
    case 0:
      return `(${next()} && ${next()})`
    case 1:
      return `(${next()} || ${next()})`
    case 2:
      return `!${next()}`
    case 3:
      return `(${next()} ? ${next()} : ${next()})`
    case 4:
    case 5:
      return `(${number()} ${pick(rng, ['<', '<=', '>', '>=', '==', '!='])} ${number()})`
    case 6:
      return `(${word(rng, items)} ${pick(rng, ['==', '!='])} ${word(rng, items)})`
    case 7:
      return `${word(rng, items)}.${pick(rng, ['startsWith', 'endsWith', 'contains'])}(${word(rng, items)})`
    case 8:
      return `(${word(rng, items)} in ${list(rng)})`
    case 9:
      return `(${number()} in [${number()}, ${number()}, 7])`
    default:
      return `${list(rng)}.${pick(rng, ['all', 'exists', 'exists_one'])}(it, ${boolean(rng, depth - 1, ['it'])})`
  }
}

function int(rng: Rng, depth: number): string {
  if (depth <= 0 || rng.below(3) === 0)
    return pick(rng, [...INTS, '0', '1', '-1', '3', '9007199254740991', `${rng.below(2_000)}`])
  const [left, right] = [int(rng, depth - 1), int(rng, depth - 1)]
  switch (rng.below(6)) {
    case 0:
      return `-(${left})`
    case 1:
      return `size(${list(rng)})`
    case 2:
      return `[${left}, ${right}][${int(rng, depth - 2)}]`
    default:
      return `(${left} ${pick(rng, ['+', '-', '*', '/', '%'])} ${right})`
  }
}

function word(rng: Rng, items: readonly string[]): string {
  if (items.length > 0 && rng.below(2) === 0) return pick(rng, items)
  return rng.below(4) === 0 ? `${pick(rng, LISTS)}[${rng.below(4)}]` : pick(rng, [...TEXTS, ...WORDS])
}

function list(rng: Rng): string {
  return rng.below(3) === 0 ? `[${pick(rng, WORDS)}, ${pick(rng, TEXTS)}]` : pick(rng, LISTS)
}

function inputsBy(rng: Rng): GuardInputs {
  const some = (): bigint => BigInt(pick(rng, [0, 1, 2, 7, rng.below(5_000)]))
  const text = (): string => pick(rng, ['round', 'mean', 'ab', 'abc', 'cd', 'é'])
  return {
    ...{ action: text(), hospital: text(), study: text(), mergeRule: text(), isPrivate: rng.below(2) === 0 },
    ...{ round: some(), rounds: some(), rowsBand: some(), minimumCohort: some(), daysToExpiry: some() },
    ...{ epsilonSpentMilli: some(), epsilonMaxMilli: some() },
    members: Array.from({ length: rng.below(4) }, text),
    purposes: Array.from({ length: rng.below(3) }, text),
  }
}
