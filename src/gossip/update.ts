/** The update message: a versioned binary codec for one member's trained weights of one round, and the facts a receiver checks. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../core/bytes.ts'
import { bytesFloat, floatBytes, taggedMessage, weightsDigest } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { PrivacyClaim } from '../core/privacy.ts'

const VERSION = 1
/** How parameters are written. Codings beyond plain float32 take further numbers. */
const CODING = { float32: 1 } as const
const SIGNATURE_BYTES = 64
const UPDATE_FIXED_BYTES = 1 + 5 * 32 + 2 * 4 + 1 + 1 + 4 + SIGNATURE_BYTES // version, ids and digests, numbers, parents' count, coding, length
export const TRAINING_DIVERGED = 'training-diverged'

/** All of an update but weights and signature: the part that the machine sees. The signature covers it and the weights. */
export interface UpdateHeader {
  readonly study: StudyId
  readonly author: MemberId
  /** The author's round, from 0. */
  readonly round: number
  /** Training rows behind this update. */
  readonly examples: number
  /** Digest of the frozen scaling statistics that the author standardises with. */
  readonly scaling: Digest
  /** Digest of the shared weights that training started from. */
  readonly base: Digest
  /** Digests of the updates that were merged into `base`, in the order of the merge; empty at round 0. */
  readonly parents: readonly Digest[]
  /** Digest of the shared weights carried here, after decoding. */
  readonly digest: Digest
  /** Number of shared parameters. */
  readonly parameters: number
  /** Of a private study: what the author says of its training so far. */
  readonly privacy?: PrivacyClaim | null
}

/** A message as decoded; whether digest and signature are right is not known yet. */
export interface Update {
  readonly header: UpdateHeader
  /** Shared weights, float32, `header.parameters` long. */
  readonly weights: Float32Array
  /** Ed25519 over the tagged header and payload, by the author's member key; 64 bytes. */
  readonly signature: Uint8Array
}

/** What a receiver measured of an update's bytes: plain data for the machine, which never holds weights. */
export interface UpdateFacts {
  readonly finite: boolean
  /** Root mean square of the weights: l2 norm ÷ √parameters. */
  readonly rms: number
  readonly digestMatches: boolean
  readonly signatureValid: boolean
}

/** The bytes that the author signs. */
export function updateMessage(header: UpdateHeader, weights: Float32Array): Uint8Array {
  return taggedMessage('update', unsigned(header, weights))
}

/** @returns the whole message; `signature` is over `updateMessage`. */
export function encodeUpdate(header: UpdateHeader, weights: Float32Array, signature: Uint8Array): Uint8Array {
  return new ByteWriter().bytes(unsigned(header, weights)).bytes(signature).finish()
}

/** How long the message is. */
export function updateBytes(parameters: number, parents: number): number {
  return UPDATE_FIXED_BYTES + 32 * parents + 4 * parameters
}

/**
 * Decodes a message strictly; weights and signature are not judged here (see `inspectUpdate`).
 * Errors, all blaming the sender: `update-too-large`, `update-version`, `update-coding`, `update-parents`, `truncated`, `trailing-bytes`.
 */
export function decodeUpdate(bytes: Uint8Array): Update {
  if (bytes.length > LIMITS.updateBytesMax) {
    throw refused(
      'update-too-large',
      `an update of ${bytes.length} bytes; at most ${LIMITS.updateBytesMax} travel inline`,
    )
  }
  const read = new ByteReader(bytes)
  const version = read.u8()
  if (version !== VERSION)
    throw refused('update-version', `update version ${version}; this node speaks ${VERSION}`, 'ignore')
  const study = toHex(read.bytes(32)) as StudyId
  const author = toHex(read.bytes(32)) as MemberId
  const round = read.u32()
  const examples = read.u32()
  const scaling = toHex(read.bytes(32)) as Digest
  const base = toHex(read.bytes(32)) as Digest
  const parentCount = read.u8()
  if (parentCount > LIMITS.updateParentsMax) throw refused('update-parents', `${parentCount} parents`)
  const parents = Array.from({ length: parentCount }, () => toHex(read.bytes(32)) as Digest)
  const digest = toHex(read.bytes(32)) as Digest
  const coding = read.u8()
  if (coding !== CODING.float32) throw refused('update-coding', `payload coding ${coding} is not known`, 'ignore')
  const parameters = read.u32()
  const weights = bytesFloat(read.bytes(parameters * 4))
  const signature = read.bytes(SIGNATURE_BYTES)
  read.end()
  return { header: { study, author, round, examples, scaling, base, parents, digest, parameters }, weights, signature }
}

/** Measures an update; `verify` checks an Ed25519 signature by a member. Never throws. */
export function inspectUpdate(
  update: Update,
  verify: (author: MemberId, message: Uint8Array, signature: Uint8Array) => boolean,
): UpdateFacts {
  const { header, weights, signature } = update
  const rms = rootMeanSquare(weights)
  const finite = Number.isFinite(rms)
  return {
    finite,
    rms: finite ? rms : 0,
    digestMatches: weightsDigest(weights) === header.digest,
    signatureValid: verify(header.author, updateMessage(header, weights), signature),
  }
}

/** The l2 norm of weights over √parameters: 0 of none, not finite where a weight is not. */
export function rootMeanSquare(weights: Float32Array): number {
  let sumOfSquares = 0
  for (let i = 0; i < weights.length; i++) sumOfSquares += (weights[i] as number) * (weights[i] as number)
  return weights.length === 0 ? 0 : Math.sqrt(sumOfSquares / weights.length)
}

/**
 * Refuses an own update that the others would refuse, before it is recorded. `shared` and `loss` are as trained.
 * Error: `training-diverged`.
 */
export function checkTrained(shared: Float32Array, loss: number): void {
  const rms = rootMeanSquare(shared)
  if (rms <= LIMITS.updateNormMax && Number.isFinite(loss)) return
  throw new ConsiliumError({
    code: TRAINING_DIVERGED,
    message: `training gave weights of root mean square ${rms.toPrecision(3)} and a loss of ${loss.toPrecision(3)}; up to ${LIMITS.updateNormMax} and finite are allowed: if it comes again, lower the learning rate`,
  })
}

function unsigned(header: UpdateHeader, weights: Float32Array): Uint8Array {
  const writer = new ByteWriter().u8(VERSION).bytes(fromHex(header.study)).bytes(fromHex(header.author))
  writer.u32(header.round).u32(header.examples).bytes(fromHex(header.scaling)).bytes(fromHex(header.base))
  writer.u8(header.parents.length)
  for (const parent of header.parents) writer.bytes(fromHex(parent))
  return writer.bytes(fromHex(header.digest)).u8(CODING.float32).u32(weights.length).bytes(floatBytes(weights)).finish()
}

function refused(code: string, message: string, blame: 'ignore' | 'reject' = 'reject'): ConsiliumError {
  return new ConsiliumError({ code, message, blame })
}
