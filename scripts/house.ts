/** The house's rules: who may import whom, what the pure parts may not do, sizes, words. Run by every test run and by `npm run check`. */
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { importForms, importTable, noCycles, oneBarrel } from './house/imports.ts'
import { exactVersions, installScripts, lockFile } from './house/packages.ts'
import { exactArithmetic, pureParts, virtualTime } from './house/purity.ts'
import { docstrings, mapOfSource, names, sizes, suites, words } from './house/shape.ts'
import { type Rule, readHouse, type Violation } from './house/tree.ts'

// biome-ignore format: by kind
/** Every rule, in the order in which they are reported. */
export const RULES: readonly Rule[] = [
  importTable, importForms, oneBarrel, noCycles,
  pureParts, virtualTime, exactArithmetic,
  sizes, names, words, docstrings, mapOfSource, suites,
  exactVersions, installScripts, lockFile,
]

/** A violation with the name of the rule that it breaks. */
export interface Breach extends Violation {
  readonly rule: string
}

/** What checking one tree found; a rule has passed when it has no violation. */
export interface HouseReport {
  readonly passed: number
  readonly failed: number
  readonly violations: readonly Breach[]
}

/** Checks the repository at `root` against every rule; folders that don't exist break none. */
export function checkHouse(root: string): HouseReport {
  const house = readHouse(root)
  const perRule = RULES.map((rule) => rule.check(house).map((found) => ({ ...found, rule: rule.name })))
  const failed = perRule.filter((found) => found.length > 0).length
  return { passed: RULES.length - failed, failed, violations: perRule.flat() }
}

/** One violation as `file:line: rule: what, what to do`. */
export function describeBreach({ path, line, rule, message }: Breach): string {
  return `${path}${line > 0 ? `:${line}` : ''}: ${rule}: ${message}`
}

function main(): void {
  const root = resolve(fileURLToPath(import.meta.url), '../..')
  const { passed, failed, violations } = checkHouse(root)
  for (const breach of violations) console.log(describeBreach(breach))
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
