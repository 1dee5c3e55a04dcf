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
import { LIES, type Lie } from './liar.ts'

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
