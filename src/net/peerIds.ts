/** MemberId ↔ libp2p PeerId: an Ed25519 PeerId embeds the public key, so the two are one name in two spellings. */
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { Ed25519PeerId, PeerId } from '@libp2p/interface'
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'
import { fromHex, toHex } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import { type MemberId, memberId } from '../core/ids.ts'

/** The PeerId of a member; any 32 bytes make one, also those that are no point of the curve (nobody can then sign for it). */
export function peerIdOf(member: MemberId): Ed25519PeerId {
  const key = publicKeyFromRaw(fromHex(member))
  invariant(key.type === 'Ed25519', 'a 32-byte key is an Ed25519 key')
  return peerIdFromPublicKey(key)
}

/** The member named by a PeerId, or undefined when its key is not Ed25519 and so can't be a member's. */
export function memberOf(peer: PeerId): MemberId | undefined {
  if (peer.type !== 'Ed25519' || peer.publicKey === undefined) return undefined
  return memberId(toHex(peer.publicKey.raw))
}

/** The member named by a PeerId's text; undefined when the text is not a PeerId of an Ed25519 key. */
export function memberOfText(text: string): MemberId | undefined {
  try {
    return memberOf(peerIdFromString(text))
  } catch {
    return undefined
  }
}
