/** A commitment to a hospital's data file: says later that it was this file, and tells nobody what is in it. */
import { taggedDigest } from '../core/digest.ts'
import { invariant } from '../core/errors.ts'
import type { Digest } from '../core/ids.ts'

const SALT_BYTES = 32 // fixed, so that salt and file can't be cut in two ways; as many bytes as the digest has

/** The digest of `salt` (32 secret random bytes, kept with the data) and the file's bytes. Without the salt a guess can't be tested. */
export function datasetCommitment(bytesOfFile: Uint8Array, salt: Uint8Array): Digest {
  invariant(salt.length === SALT_BYTES, `a dataset's salt has ${SALT_BYTES} bytes`)
  return taggedDigest('dataset', salt, bytesOfFile)
}
