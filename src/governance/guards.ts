/**
 * Guards of agreements: a profile of CEL in which every expression ends soon and means the same to every implementation. Whole numbers,
 * strings, booleans, lists of strings or numbers; no floats, no regular expressions, no clock. What is outside is refused where it is read.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import type { Agreement } from '../config/agreement.ts'
import { AGREEMENT_BOUNDS } from '../config/agreementSchema.ts'
import type { Complaint } from '../config/yaml.ts'

type Type = 'int' | 'string' | 'bool' | 'list<int>' | 'list<string>'

/** What a guard may ask about; each is always known. */
const GUARD_INPUTS = {
  action: 'string', // round, access, export or predict
  hospital: 'string', // the key of who would act
  study: 'string', // its digest
  round: 'int', // the one that would begin, from 0; of an export or a prediction: rounds in the model
  rounds: 'int', // of the whole study
  members: 'list<string>', // keys of those who bound a table to the study, sorted
  purposes: 'list<string>', // DUO codes that the study declares to patients; empty where it asks none
  mergeRule: 'string',
  isPrivate: 'bool', // the study trains with differential privacy
  epsilonSpentMilli: 'int', // thousandths of ε that this hospital has spent, rounded up
  epsilonMaxMilli: 'int', // thousandths of ε that the study allows; 0 where it is not private
  minimumCohort: 'int', // of the study
  rowsBand: 'int', // rows bound here, rounded down to a multiple of the minimum cohort
  daysToExpiry: 'int', // whole days
} as const satisfies Readonly<Record<string, Type>>

/** Values of the inputs; whole numbers as bigint, for a number would be a float to the engine. */
export interface GuardInputs {
  readonly action: string
  readonly hospital: string
  readonly study: string
  readonly round: bigint
  readonly rounds: bigint
  readonly members: readonly string[]
  readonly purposes: readonly string[]
  readonly mergeRule: string
  readonly isPrivate: boolean
  readonly epsilonSpentMilli: bigint
  readonly epsilonMaxMilli: bigint
  readonly minimumCohort: bigint
  readonly rowsBand: bigint
  readonly daysToExpiry: bigint
}

/** What an expression came to. An error denies as `false` does, and is told apart. */
export type GuardVerdict = 'true' | 'false' | 'error'

/** An expression that was found sound. */
export type CompiledGuard = (inputs: GuardInputs) => GuardVerdict

const NODES_MAX = 300 // LEDGER: a page of rules, evaluated in microseconds
const DEPTH_MAX = 32 // deeper nobody reads
const LIST_MAX = 1_000 // and so no comprehension takes more steps
const MAGNITUDE_MAX = 9_007_199_254_740_991n // beyond it implementations read literals differently

const ENVIRONMENT = new Environment({
  limits: {
    ...{ maxAstNodes: NODES_MAX, maxDepth: DEPTH_MAX, maxListElements: LIST_MAX },
    ...{ maxMapEntries: 0, maxCallArguments: 2 },
  },
})
for (const [name, type] of Object.entries(GUARD_INPUTS)) ENVIRONMENT.registerVariable(name, type)

/** Why a guard is refused, or the guard. */
export function compileGuard(cel: string): { readonly guard: CompiledGuard } | { readonly reason: string } {
  const { guardCharactersMax } = AGREEMENT_BOUNDS
  if (cel.length > guardCharactersMax)
    return { reason: `it has ${cel.length} characters, at most ${guardCharactersMax}` }
  try {
    const parsed = ENVIRONMENT.parse(cel)
    const type = typeOf(parsed.ast, new Map(), 0)
    if (type !== 'bool') return { reason: `it gives ${type}, true or false is expected` }
    const checked = parsed.check()
    if (!checked.valid) return { reason: summaryOf(checked.error) } // the engine knows a rule that the profile does not
    return { guard: (inputs) => verdictOf(parsed, inputs) }
  } catch (error) {
    return { reason: error instanceof Unfit ? error.message : summaryOf(error) }
  }
}

/** The first guard of an agreement that is outside the profile, with its place. */
export function guardComplaint({ guards }: Agreement): Complaint | null {
  for (const [i, { cel }] of guards.entries()) {
    const compiled = compileGuard(cel)
    if (!('reason' in compiled)) continue
    const shown = cel.length > 60 ? `${cel.slice(0, 60)}…` : cel
    return { path: ['guards', i, 'cel'], message: `${JSON.stringify(shown)} was given: ${compiled.reason}` }
  }
  return null
}

function verdictOf(parsed: (inputs: GuardInputs) => unknown, inputs: GuardInputs): GuardVerdict {
  try {
    const value = parsed(inputs)
    return value === true ? 'true' : value === false ? 'false' : 'error'
  } catch {
    return 'error' // an overflow, a division by zero, a place that a list has not
  }
}

/** The engine's own words, in one line and without its drawing. */
function summaryOf(error: unknown): string {
  const { summary, message } = error as { summary?: string; message?: string }
  return (summary ?? message ?? 'it is no CEL').replaceAll(/\s*\n\s*/g, ' ')
}

class Unfit extends Error {}

function unfit(reason: string): never {
  throw new Unfit(reason)
}

type Locals = ReadonlyMap<string, Type>

/** The type of a node, all of whose parts are within the profile. `within`: comprehensions around it. */
function typeOf(node: ASTNode, locals: Locals, within: number): Type {
  const of = (child: ASTNode): Type => typeOf(child, locals, within)
  switch (node.op) {
    case 'value':
      return literal(node.args)
    case 'id':
      return nameOf(node.args, locals)
    case '!_':
      return needs('bool', of(node.args), '!')
    case '-_':
      return needs('int', of(node.args), '-')
    case '&&':
    case '||':
      for (const side of node.args) needs('bool', of(side), node.op)
      return 'bool'
    case '?:': {
      const [condition, yes, no] = node.args
      needs('bool', of(condition), '?')
      return needs(of(yes), of(no), ':')
    }
    case '==':
    case '!=':
      return equality(of(node.args[0]), of(node.args[1]), node.op)
    case '<':
    case '<=':
    case '>':
    case '>=':
      for (const side of node.args) needs('int', of(side), node.op) // strings are ordered by code unit here, by code point there
      return 'bool'
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      for (const side of node.args) needs('int', of(side), node.op)
      return 'int'
    case 'in':
      needs(itemOf(of(node.args[1]), 'in'), of(node.args[0]), 'in')
      return 'bool'
    case '[]':
      needs('int', of(node.args[1]), '[]')
      return itemOf(of(node.args[0]), '[]')
    case 'list':
      return listOf(node.args.map(of))
    case 'call':
      return called(node.args[0], node.args[1].map(of))
    case 'rcall':
      return method(node.args, locals, within)
    default:
      return unfit(`${node.op === '.' ? 'a field' : `"${node.op}"`} is not part of guards`)
  }
}

function literal(value: unknown): Type {
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'string'
  if (typeof value === 'number') return unfit(`${value} is a float, whole numbers are allowed: count thousandths`)
  if (typeof value !== 'bigint') return unfit('null, bytes and unsigned numbers are not part of guards')
  return value > MAGNITUDE_MAX ? unfit(`${value} is too large: at most ${MAGNITUDE_MAX}`) : 'int'
}

function nameOf(name: string, locals: Locals): Type {
  const type = locals.get(name) ?? (Object.hasOwn(GUARD_INPUTS, name) ? GUARD_INPUTS[name as keyof GuardInputs] : null)
  return type ?? unfit(`${name} is unknown, the inputs are ${Object.keys(GUARD_INPUTS).join(', ')}`)
}

function needs(expected: Type, found: Type, where: string): Type {
  return found === expected ? found : unfit(`${found} stands with ${where}, where ${expected} is expected`)
}

function equality(left: Type, right: Type, op: string): Type {
  if (left.startsWith('list')) unfit(`lists are not compared with ${op}: say all(…) or exists(…)`)
  needs(left, right, op)
  return 'bool'
}

function itemOf(type: Type, where: string): Type {
  if (type === 'list<int>') return 'int'
  return type === 'list<string>' ? 'string' : unfit(`${type} stands with ${where}, where a list is expected`)
}

function listOf(types: readonly Type[]): Type {
  const [first] = types
  if (first === undefined) return unfit('an empty list has no type: leave it out')
  if (first !== 'int' && first !== 'string') unfit(`a list of ${first} is not part of guards`)
  for (const type of types) needs(first, type, 'a list')
  return `list<${first as 'int' | 'string'}>`
}

function called(name: string, types: readonly Type[]): Type {
  const [only] = types
  if (name !== 'size' || types.length !== 1 || only === undefined)
    return unfit(`${name}(…) is not part of guards, size(list) is`)
  itemOf(only, 'size')
  return 'int'
}

const STRING_METHODS: readonly string[] = ['startsWith', 'endsWith', 'contains']
/** Each goes through a list once, and makes none: `map` and `filter` could grow. */
const COMPREHENSIONS: readonly string[] = ['all', 'exists', 'exists_one']

function method(
  [name, receiver, args]: readonly [string, ASTNode, readonly ASTNode[]],
  locals: Locals,
  within: number,
): Type {
  const on = typeOf(receiver, locals, within)
  const [first, second] = args
  if (COMPREHENSIONS.includes(name) && first !== undefined && second !== undefined) {
    if (within > 0) unfit(`${name}(…) stands within another comprehension: one inside another is too slow`)
    if (first.op !== 'id') return unfit(`${name}(…) begins with a name`)
    if (Object.hasOwn(GUARD_INPUTS, first.args)) unfit(`${first.args} is an input: give the item another name`)
    needs('bool', typeOf(second, new Map([...locals, [first.args, itemOf(on, name)]]), within + 1), name)
    return 'bool'
  }
  if (STRING_METHODS.includes(name) && first !== undefined && args.length === 1) {
    needs('string', on, name)
    needs('string', typeOf(first, locals, within), name)
    return 'bool'
  }
  const allowed = [...COMPREHENSIONS, ...STRING_METHODS].join(', ')
  return unfit(`.${name}(…) is not part of guards, ${allowed} are`)
}
