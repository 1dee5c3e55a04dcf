/** An update on its way: written and read back by the real codec, and measured once for all who hear it. */
import { ConsiliumError } from '../../src/core/errors.ts'
import {
  decodeUpdate,
  encodeUpdate,
  inspectUpdate,
  type Update,
  type UpdateFacts,
  updateMessage,
} from '../../src/gossip/update.ts'
import type { Identities } from './identity.ts'
import { LIES, type Lie, type Publisher, withWeights } from './liar.ts'

export interface Sent {
  readonly update: Update
  readonly facts: UpdateFacts
}

/** What receivers see of `honest` as `node` sends it, changed by `lie`; an error where they could not read it. */
export function prepare(
  identities: Identities,
  node: number,
  honest: Pick<Update, 'header' | 'weights'>,
  lie: Lie | null,
): Sent | ConsiliumError {
  const self = identities.memberOf(node)
  const other = identities.members.find((member) => member !== self) ?? self
  const { header, weights } = lie === null ? honest : LIES[lie](honest, other)
  const signature = identities.sign(node, updateMessage(header, weights))
  const spoilt = lie === 'update-signature' ? signature.map((byte) => byte ^ 1) : signature
  try {
    const update = decodeUpdate(encodeUpdate(header, weights, spoilt))
    // gossipsub's own signature tells who published; the daemon refuses an update that claims another author
    if (header.author !== self)
      throw new ConsiliumError({ code: 'update-author', message: 'signed by another member', blame: 'reject' })
    return { update, facts: inspectUpdate(update, identities.verifies) }
  } catch (error) {
    if (error instanceof ConsiliumError) return error
    throw error
  }
}

/** What `node` sends in place of its `published`-th update; `honest` where it keeps to the rules, null where it sends nothing. */
export function sentInstead(
  of: {
    readonly identities: Identities
    readonly node: number
    readonly lies: readonly Lie[]
    readonly publisher: Publisher | null
  },
  honest: Pick<Update, 'header' | 'weights'>,
  situation: () => Parameters<Publisher>[0],
  published: number,
): Sent | ConsiliumError | null {
  const { identities, node, lies, publisher } = of
  const instead = publisher === null ? honest.weights : publisher(situation())
  if (instead === null) return null
  if (typeof instead === 'string') return prepare(identities, node, honest, instead)
  const lie = lies[published % Math.max(1, lies.length)] ?? null
  return prepare(identities, node, instead === honest.weights ? honest : withWeights(honest.header, instead), lie)
}
