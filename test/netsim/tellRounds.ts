/** What one node did in the rounds of a study, told alike whether it was a daemon or a simulated node. */
import type { Step } from '../../netsim/members/trace.ts'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId, StudyId } from '../../src/core/ids.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import type { Action } from '../../src/node/actions.ts'

/** One line for each thing, so that a difference is one line. */
export interface ToldRounds {
  /** What its own log says: updates, merges with inputs and coefficients, measures, the end. */
  readonly logged: readonly string[]
  /** The inputs of each merge with their ages, which no entry has. */
  readonly merges: readonly string[]
  /** The digests of scaling that it published under. */
  readonly scalings: readonly string[]
}

/** `raws` are the entries of its own log. */
export function tellRounds(
  study: StudyId,
  raws: readonly Uint8Array[],
  steps: readonly Pick<Step, 'actions'>[],
): ToldRounds {
  const entries = raws.map(decodeEntry).filter((entry) => entry.study === study && TOLD.test(entry.kind))
  const merges: string[] = []
  const scalings = new Set<string>()
  for (const action of steps.flatMap(({ actions }) => actions)) {
    if (action.type === 'publish-update' && action.claims.study === study) scalings.add(action.claims.scaling)
    if (action.type !== 'merge' || action.permit.study !== study) continue
    const inputs = action.inputs.map(
      ({ author, round, digest, examples, ageRounds }) =>
        `${author} ${round} ${digest}: ${examples} examples, age ${ageRounds}`,
    )
    merges.push(`${action.round}: ${inputs.join('; ')}`)
  }
  return {
    logged: entries.map(({ kind, body }) => `${kind} ${JSON.stringify(body, plainly)}`),
    merges,
    scalings: [...scalings],
  }
}

const TOLD = /^(round\.|study\.ended$)/

/** Bytes as hex. The digest of a private head is left out: daemons salt it with chance. */
function plainly(name: string, value: unknown): unknown {
  if (name === 'head') return undefined
  return value instanceof Uint8Array ? toHex(value) : value
}

/** One input of a merge, with what it counted. */
export function tellInput(
  author: MemberId,
  { round, examples, ageRounds }: { readonly round: number; readonly examples: number; readonly ageRounds: number },
  coefficient: number,
): string {
  return `${author} ${round}: ${examples} examples, age ${ageRounds}, coefficient ${coefficient}`
}

/** The merges that one machine asked for and was told of, a line for each: whose update of which round, how old, and with what coefficient. */
export function weighedInputs(study: StudyId, steps: readonly Pick<Step, 'event' | 'actions'>[]): string[] {
  const lines: string[] = []
  let asked: Extract<Action, { type: 'merge' }> | null = null
  for (const { event, actions } of steps) {
    if (event.type === 'merged' && event.study === study && asked !== null) {
      const inputs = asked.inputs.map((input, i) => tellInput(input.author, input, event.coefficients[i] as number))
      lines.push(`${event.round}: ${inputs.join('; ')}`)
    }
    for (const action of actions) if (action.type === 'merge' && action.permit.study === study) asked = action
  }
  return lines
}

/** Whose update of which round was merged, and how old: what depends on the order alone. */
export function inputsOnly({ merges }: ToldRounds): ToldRounds {
  return { logged: [], merges: merges.map((line) => line.replace(/ [0-9a-f]{64}:/g, ':')), scalings: [] }
}

/** The first line in which two differ, with the node; null where they are alike. */
export function firstDifference(one: readonly ToldRounds[], other: readonly ToldRounds[]): string | null {
  for (let node = 0; node < Math.max(one.length, other.length); node++) {
    for (const part of ['scalings', 'merges', 'logged'] as const) {
      const [a, b] = [one[node]?.[part] ?? [], other[node]?.[part] ?? []]
      for (let i = 0; i < Math.max(a.length, b.length); i++)
        if (a[i] !== b[i]) return `node ${node}, ${part} ${i}:\n${a[i] ?? 'nothing'}\n${b[i] ?? 'nothing'}`
    }
  }
  return null
}
