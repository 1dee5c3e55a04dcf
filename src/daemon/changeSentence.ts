/** A proposed change of the members in a sentence for people. */
import type { ChangeReport } from './membersApi.ts'

/** Who comes and who goes, with which epoch. */
export function changeSentence({ add, remove, epoch }: Pick<ChangeReport, 'add' | 'remove' | 'epoch'>): string {
  const coming = add.map(({ name, role }) => `"${name}"${role === 'observer' ? ' (an observer)' : ''}`).join(', ')
  const going = remove.map(({ name }) => `"${name}"`).join(', ')
  if (add.length === 1 && remove.length === 1 && add[0]?.name === remove[0]?.name)
    return `a new key for ${coming}, with epoch ${epoch}`
  const parts = [coming && `${coming} joins`, going && `${going} leaves`].filter((part) => part !== '')
  return `${parts.join(', ')}, with epoch ${epoch}`
}
