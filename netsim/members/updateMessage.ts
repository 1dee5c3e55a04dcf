/** An update on its way: written and read back by the real codec, and measured once for all who hear it. */
import { ConsiliumError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { codeUpdate, NOTHING_SENT } from '../../src/gossip/coding/coder.ts'
import { CODING, encodeFloat32, type WeightFormat } from '../../src/gossip/coding/coding.ts'
import {
  bodyOf,
  decodeUpdate,
  encodeUpdate,
  inspectWeights,
  isSigned,
  type Update,
  type UpdateFacts,
  updateMessage,
} from '../../src/gossip/update.ts'
import type { Identities } from './identity.ts'
import { type Content, LIES, type Lie, type Publisher, withWeights } from './liar.ts'

export interface Sent {
  readonly update: Update
  /** What everybody reads of it: decoded once, for every receiver reads the same. */
  readonly weights: Float32Array
  readonly facts: UpdateFacts
  /** Of the message. */
  readonly bytes: number
  readonly payloadBytes: number
}

/** What was trained, as its coder wrote it. */
export interface Honest extends Content {
  readonly payload: Uint8Array
}

/** What receivers see of `content` as `node` sends it; an error where they could not read it. */
function prepare(identities: Identities, node: number, honest: Honest, lie: Lie | null): Sent | ConsiliumError {
  const self = identities.memberOf(node)
  const other = identities.members.find((member) => member !== self) ?? self
  const { header, weights, payload } = lie === null ? honest : told(LIES[lie](honest, other))
  const body = bodyOf(header, payload)
  const signature = identities.sign(node, updateMessage(header, body))
  const spoilt = lie === 'update-signature' ? signature.map((byte) => byte ^ 1) : signature
  try {
    const message = encodeUpdate(header, body, spoilt)
    const update = decodeUpdate(message)
    // gossipsub's own signature tells who published; the daemon refuses an update that claims another author
    if (header.author !== self)
      throw new ConsiliumError({ code: 'update-author', message: 'signed by another member', blame: 'reject' })
    const facts = inspectWeights(header, weights, isSigned(update, identities.verifies))
    return { update, weights, facts, bytes: message.length, payloadBytes: payload.length }
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
    readonly format: WeightFormat
  },
  honest: Honest,
  situation: () => Parameters<Publisher>[0],
  published: number,
): Sent | ConsiliumError | null {
  const { identities, node, lies, publisher } = of
  const instead = publisher === null ? honest.weights : publisher(situation())
  if (instead === null) return null
  if (typeof instead === 'string') return prepare(identities, node, honest, instead)
  const lie = lies[published % Math.max(1, lies.length)] ?? null
  return prepare(identities, node, instead === honest.weights ? honest : coded(of.format, honest, instead), lie)
}

/** Other weights, written as the study says, and whole: who lies needs no keyframe. */
function coded(format: WeightFormat, { header }: Honest, instead: Float32Array): Honest {
  const rng = Rng.from('coding', header.author, header.round)
  const { coding, reference, payload, weights } = codeUpdate(format, instead, header.round, NOTHING_SENT, rng)
  return { ...withWeights({ ...header, coding, reference }, weights), payload }
}

function told({ header, weights }: Content): Honest {
  return { header: { ...header, coding: CODING.float32, reference: null }, weights, payload: encodeFloat32(weights) }
}
