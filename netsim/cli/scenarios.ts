/** The scenarios that come along, and how a person names one. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Parameters } from '../scenario/parameters.ts'
import { readScenario } from '../scenario/read.ts'
import type { Scenario } from '../scenario/schema.ts'

/** A scenario with what a run needs to know of its file. */
export interface Loaded {
  readonly path: string
  readonly name: string
  readonly baseFolder: string
  readonly scenario: Scenario
}

/** Reads a file, or one of the scenarios that come along by its name. Errors as of `readScenario`. */
export async function loadScenario(file: string, parameters: Parameters): Promise<Loaded> {
  const shipped = join(scenariosFolder(), `${file}.yaml`)
  const path = !existsSync(file) && /^[\w-]+$/.test(file) && existsSync(shipped) ? shipped : file
  const scenario = await readScenario(path, parameters)
  return { path, name: nameOf(path), baseFolder: dirname(resolve(path)), scenario }
}

/** Paths of the scenarios that come along, by name. */
export async function shippedScenarios(): Promise<string[]> {
  const folder = scenariosFolder()
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml'))
  return names.sort().map((name) => join(folder, name))
}

/** `fanout` of `some/fanout.yaml`; only letters, digits, `.`, `_` and `-`, so that it can name a folder. */
export function nameOf(path: string): string {
  const name = basename(path).replace(/\.ya?ml$/i, '')
  return name.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+/, '') || 'scenario'
}

/** Beside this file's folder in the sources; in the package beside `dist`. */
function scenariosFolder(): string {
  const here = fileURLToPath(new URL('.', import.meta.url))
  const beside = join(here, '../scenarios')
  return existsSync(beside) ? beside : join(here, '../../../netsim/scenarios')
}
