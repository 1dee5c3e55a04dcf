/** The two kinds of error: `invariant` for our own bugs, `ConsiliumError` for the world's. */

/** Who is to blame for a peer's message: `ignore` costs nothing, `reject` costs the sender score. */
export type Blame = 'ignore' | 'reject'

/** What a `ConsiliumError` is made of. */
export interface ErrorFacts {
  /** Stable, kebab-case, for machines: `data-missing-column`. */
  readonly code: string
  /** One line for a person: what was given, what was expected, what to do. */
  readonly message: string
  /** Set on errors that a peer's bytes caused. */
  readonly blame?: Blame
  readonly cause?: unknown
}

/** An error that the world caused (a file, a person, a peer): shown in one line, without a stack trace. */
export class ConsiliumError extends Error {
  readonly code: string
  readonly blame: Blame | undefined
  constructor(facts: ErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = 'ConsiliumError'
    this.code = facts.code
    this.blame = facts.blame
  }
}

/** Crashes on a broken assumption of our own. Never for bad input. */
export function invariant(condition: unknown, why: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${why}`)
}

/** Ends a `switch` over a union: a new case does not compile until it is handled. */
export function exhaustive(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`)
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replaceAll(/\s*\n\s*/g, ' ')
}
