/** What an import leaves out. */

/** How often each field was left out, by its name. */
export type LeftOut = Map<string, number>

/** One more. */
export function note(leftOut: LeftOut, name: string): void {
  leftOut.set(name, (leftOut.get(name) ?? 0) + 1)
}
