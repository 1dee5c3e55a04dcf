/** What the commands print of a suspension. */
import type { SuspensionReport } from '../daemon/membersApi.ts'

/** Who says it, what follows, and what to do next. */
export function suspensionLines({ name, self, binds, saidBy, needed, lifting }: SuspensionReport): string[] {
  const said = saidBy.map((one) => `${one.name} (${one.reason}, ${squeezed(one.name)}/${one.entry})`).join(', ')
  const effect = {
    own: 'everywhere, for it says so of its own key',
    members: `everywhere, for ${needed} or more members say so`,
    here: `at this node alone; everywhere once ${needed} members say so`,
  }
  return [
    binds === null
      ? `${name} is not suspended here; ${saidBy.length} of the ${needed} members that it takes say that its key is not to be trusted: ${said}.`
      : `${name} is suspended ${effect[binds]}: ${said}. Nothing of it is merged, and nothing new that it permits counts.`,
    binds === 'own'
      ? `  next: a new key (consilium members replace ${quoted(name)} --card CARD); if it was a mistake, ${lifting} others run: consilium members reinstate ${quoted(name)}`
      : self
        ? '  next: call the others; if the key may be in other hands, make a new one: consilium init in another folder, and hand them its card'
        : `  next: call that hospital; then a new key (consilium members replace ${quoted(name)} --card CARD), or take it back: consilium members reinstate ${quoted(name)}`,
  ]
}

const quoted = (name: string): string => (/\s/.test(name) ? `"${name}"` : name)
const squeezed = (name: string): string => name.replaceAll(/\s+/g, '')
