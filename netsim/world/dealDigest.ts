/** The digest of dealt rows: what tells two worlds apart, and that two machines have the same one. */
import { toHex } from '../../src/core/bytes.ts'
import { Sha256 } from '../../src/core/digest.ts'
import type { Deal } from './world.ts'

const CHUNK_VALUES = 1 << 18 // 1 MiB: small nodes are hashed many at a time

/** SHA-256 over values (float32, little-endian, node by node), labels, from and test, hex. */
export function dealDigest(deal: Omit<Deal, 'digest'>): string {
  const hash = new Sha256()
  const { nodes, from, labels, test, rowsMax, features } = deal
  const chunk = new Float32Array(Math.max(CHUNK_VALUES, rowsMax * features.length))
  let used = 0
  for (let node = 0; node < nodes; node++) {
    const length = ((from[node + 1] as number) - (from[node] as number)) * features.length
    if (used + length > chunk.length) {
      hash.update(bytes(chunk.subarray(0, used)))
      used = 0
    }
    deal.fill(node, chunk.subarray(used, used + length))
    used += length
  }
  hash.update(bytes(chunk.subarray(0, used)))
  hash.update(labels)
  hash.update(bytes(from))
  hash.update(test)
  return toHex(hash.digest())
}

const bytes = ({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** Rows of the node with the most. */
export function rowsMaxOf(from: Uint32Array): number {
  let most = 0
  for (let node = 0; node + 1 < from.length; node++)
    most = Math.max(most, (from[node + 1] as number) - (from[node] as number))
  return most
}
