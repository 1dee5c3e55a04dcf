/** What the ledger has of files: a protocol's text, and data as it was when it was locked. */
import { hmacSha256, taggedMessage } from '../../core/digest.ts'

/** Over the SHA-256 of a file; without a key that itself, for a text that everybody has. */
export function documentCommitment(key: Uint8Array | null, fileHash: Uint8Array): Uint8Array {
  return key === null ? fileHash : hmacSha256(key, taggedMessage('trialDocument', fileHash))
}

/** Always with a key: data of few participants could be guessed. */
export function dataCommitment(key: Uint8Array, fileHash: Uint8Array): Uint8Array {
  return hmacSha256(key, taggedMessage('trialData', fileHash))
}
