/** Updates for the gossip tests: deterministic authors, weights and signatures. */

import { toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256, weightsDigest } from '../../src/core/digest.ts'
import { type SigningKey, signingKey } from '../../src/core/ed25519.ts'
import { type Digest, digest, studyId } from '../../src/core/ids.ts'
import { CODING, encodeFloat32 } from '../../src/gossip/coding/coding.ts'
import {
  encodeUpdate,
  type UpdateBody,
  type UpdateFacts,
  type UpdateHeader,
  updateMessage,
} from '../../src/gossip/update.ts'

export const keyOf = (name: string): SigningKey => signingKey(sha256(utf8(`gossip ${name}`)))
export const digestOf = (label: string): Digest => digest(toHex(sha256(utf8(label))))
export const STUDY = studyId(digestOf('a study'))
export const SCALING = digestOf('a scaling')
export const ADA = keyOf('ada')
export const BEN = keyOf('ben')

/** A header that fits `weights`; `more` overrides. */
export function headerOf(weights: Float32Array, more: Partial<UpdateHeader> = {}): UpdateHeader {
  return {
    study: STUDY,
    author: ADA.member,
    round: 7,
    examples: 88,
    scaling: SCALING,
    base: digestOf('a base'),
    parents: [digestOf('one parent'), digestOf('another')],
    digest: weightsDigest(weights),
    parameters: weights.length,
    privacy: null,
    coding: CODING.float32,
    reference: null,
    ...more,
  }
}

/** Float32, in the message itself. */
export const inline = (weights: Float32Array): UpdateBody => ({ payload: encodeFloat32(weights), manifest: null })

export function signedUpdate(header: UpdateHeader, weights: Float32Array, key = ADA): Uint8Array {
  return signedBody(header, inline(weights), key)
}

export function signedBody(header: UpdateHeader, body: UpdateBody, key = ADA): Uint8Array {
  return encodeUpdate(header, body, key.sign(updateMessage(header, body)))
}

/** What is measured of an update in which nothing is wrong. */
export const SOUND: UpdateFacts = { finite: true, rms: 1, digestMatches: true, signatureValid: true }
