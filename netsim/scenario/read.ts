/** Scenario files: strict reading, settings that come from outside the file, and writing back what was run. */
import { readFile } from 'node:fs/promises'
import { parse, stringify } from 'yaml'
import { oneLine, parseYaml, readValue } from '../../src/config/yaml.ts'
import { ConsiliumError, messageOf } from '../../src/core/errors.ts'
import { complaintOf } from './check.ts'
import { type Parameters, withParameters } from './parameters.ts'
import { type Scenario, type ScenarioInput, scenarioSchema } from './schema.ts'

const FILE = { kind: 'scenario', schema: scenarioSchema, check: complaintOf } as const

/**
 * Reads a scenario file, with `parameters` (dotted paths) in place of what stands there.
 * Errors, one line each: `scenario-missing`, `scenario-yaml`, `scenario-invalid`, `scenario-parameter`.
 */
export async function readScenario(path: string, parameters: Parameters = {}): Promise<Scenario> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : messageOf(error)
    throw new ConsiliumError({
      code: 'scenario-missing',
      message: `${path}: ${why}: give a scenario file, or a name that "consilium-netsim ls" shows`,
    })
  }
  return parseScenario(text, path, parameters)
}

/** Reads a scenario's text; `fileName` is named in errors. Errors as of `readScenario`. */
export function parseScenario(text: string, fileName: string, parameters: Parameters = {}): Scenario {
  const paths = Object.keys(parameters)
  if (paths.length === 0) {
    const scenario = parseYaml(text, { ...FILE, fileName })
    checkFirstLine(text, fileName)
    return scenario
  }
  const set = withParameters(plain(text, fileName), parameters)
  const read = readValue(scenarioSchema, set)
  const complaint = read.complaint ?? complaintOf(read.value)
  if (complaint === null) {
    checkFirstLine(text, fileName)
    return read.value as Scenario
  }
  const given = paths.map((path) => `${path}=${JSON.stringify(parameters[path])}`).join(' ')
  throw new ConsiliumError({ code: 'scenario-invalid', message: `${fileName} with ${given}: ${oneLine(complaint)}` })
}

/** A scenario as a file that says all of it, defaults too: read again it is the same. */
export function scenarioText(scenario: ScenarioInput): string {
  const { question, ...rest } = scenario
  return stringify({ question, ...rest }, { lineWidth: 0 })
}

function plain(text: string, fileName: string): unknown {
  try {
    const value: unknown = parse(text, { strict: true })
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // said below
  }
  return parseYaml(text, { ...FILE, fileName }) // says what is wrong, with its line
}

function checkFirstLine(text: string, fileName: string): void {
  const [first = ''] = text.replace(/^\uFEFF/, '').split('\n')
  if (/^question:\s*\S/.test(first)) return
  throw new ConsiliumError({
    code: 'scenario-invalid',
    message: `${fileName}: question: the file's first line is ${JSON.stringify(first.trim().slice(0, 60))}, and it has to be the question: move it there (line 1)`,
  })
}
