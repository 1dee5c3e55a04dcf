/** Commands that are loaded when they are called: all of them together take longer to load than most take to run. */
import type { Command } from 'commander'
import { invariant } from '../core/errors.ts'

/** By name, in the order of the help. A group is given the word behind its own. */
export type Loaders = Readonly<Record<string, (called: string | undefined) => Command | Promise<Command>>>

/** Gives `parent` the command that is called, of `words` as they were typed behind it; or all, where that is none of them. */
export async function addCalled(parent: Command, loaders: Loaders, words: readonly string[]): Promise<Command> {
  const [called = ''] = words
  for (const [name, load] of Object.entries(loaders)) {
    if (name !== called && Object.hasOwn(loaders, called)) continue
    const sub = await load(name === called ? words[1] : undefined)
    invariant(sub.name() === name, 'a command is called as in the table')
    parent.addCommand(sub)
  }
  return parent
}
