/**
 * The update message: a versioned binary codec for one member's trained weights of one round, and the facts a receiver checks. The weights
 * travel inline where they fit; else the message is a signed manifest, and they are pulled by digest.
 */
import { ByteReader, ByteWriter, fromHex, toHex } from '../core/bytes.ts'
import { taggedMessage, weightsDigest } from '../core/digest.ts'
import { type Blame, ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { PrivacyClaim } from '../core/privacy.ts'
import { type CodingNumber, isCoding } from './coding/coding.ts'
import { encodeManifest, type Manifest, manifestOf, readManifest } from './manifest.ts'

const VERSION = 2 // version 1 had float32 inline and nothing else; no release wrote it, so it is refused by name
const SIGNATURE_BYTES = 64
const UPDATE_FIXED_BYTES = 1 + 5 * 32 + 3 * 4 + 1 + SIGNATURE_BYTES // version, ids and digests, numbers, parents' count
const PRIVACY_BYTES = 4 * 8
const CARRIED = { inline: 0, manifest: 1 } as const
export const TRAINING_DIVERGED = 'training-diverged'

/** What an author's node says of its update, however the weights are written. */
export interface UpdateClaims {
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
  /** Digests of the updates that were merged into `base` in whole, in the order of the merge; empty at round 0. */
  readonly parents: readonly Digest[]
  /** Digest of the shared weights carried here, after decoding. */
  readonly digest: Digest
  /** Number of shared parameters. */
  readonly parameters: number
  /** Of a private study: what the author says of its training so far; else null. */
  readonly privacy: PrivacyClaim | null
}

/** All of an update but weights and signature: the part that the machine sees. The signature covers it and the weights. */
export interface UpdateHeader extends UpdateClaims {
  readonly coding: CodingNumber
  /** Digest of the author's keyframe that a delta is against; null where all weights are carried. */
  readonly reference: Digest | null
}

/** The coded weights, or where they are too long for a message the digests of their chunks. */
export type UpdateBody =
  | { readonly payload: Uint8Array; readonly manifest: null }
  | { readonly payload: null; readonly manifest: Manifest }

/** A message as decoded; whether digest and signature are right is not known yet. */
export interface Update {
  readonly header: UpdateHeader
  readonly body: UpdateBody
  /** Ed25519 over the tagged header and body, by the author's member key; 64 bytes. */
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

/** What a message carries of a payload: all of it where the message stays within `LIMITS.updateBytesMax`. */
export function bodyOf(header: UpdateHeader, payload: Uint8Array): UpdateBody {
  const inline: UpdateBody = { payload, manifest: null }
  return headBytes(header) + 4 + payload.length <= LIMITS.updateBytesMax
    ? inline
    : { payload: null, manifest: manifestOf(payload) }
}

/** The bytes that the author signs. */
export function updateMessage(header: UpdateHeader, body: UpdateBody): Uint8Array {
  return taggedMessage('update', unsigned(header, body))
}

/** @returns the whole message; `signature` is over `updateMessage`. */
export function encodeUpdate(header: UpdateHeader, body: UpdateBody, signature: Uint8Array): Uint8Array {
  return new ByteWriter().bytes(unsigned(header, body)).bytes(signature).finish()
}

/** How long an inline message of a whole payload is that says nothing of privacy. */
export function updateBytes(payloadBytes: number, parents: number): number {
  return UPDATE_FIXED_BYTES + 32 * parents + 4 + 4 + payloadBytes
}

/**
 * Decodes a message strictly; weights and signature are not judged here (see `inspectUpdate`). Errors, all blaming the sender:
 * `update-too-large`, `update-version`, `update-parents`, `update-privacy`, `update-coding`, `update-flag`, `update-manifest`, `truncated`,
 * `trailing-bytes`.
 */
export function decodeUpdate(bytes: Uint8Array): Update {
  if (bytes.length > LIMITS.updateBytesMax) {
    const message = `an update of ${bytes.length} bytes; at most ${LIMITS.updateBytesMax} travel in one message`
    throw refused('update-too-large', message)
  }
  const read = new ByteReader(bytes)
  const version = read.u8()
  if (version !== VERSION)
    throw refused('update-version', `update version ${version}; this node speaks ${VERSION}`, 'ignore')
  const claims = readClaims(read)
  const coding = read.u8()
  if (!isCoding(coding)) throw refused('update-coding', `payload coding ${coding} is not known`, 'ignore')
  const reference = readFlag(read) ? digestFrom(read) : null
  const body: UpdateBody = readFlag(read)
    ? { payload: null, manifest: readManifest(read) }
    : { payload: read.bytes(read.u32()), manifest: null }
  const signature = read.bytes(SIGNATURE_BYTES)
  read.end()
  return { header: { ...claims, coding, reference }, body, signature }
}

/** Checks an Ed25519 signature by a member. */
export type Verify = (author: MemberId, message: Uint8Array, signature: Uint8Array) => boolean

/** Whether its author signed it. Never throws. */
export function isSigned({ header, body, signature }: Update, verify: Verify): boolean {
  return verify(header.author, updateMessage(header, body), signature)
}

/** Measures the weights that an update's payload stands for. Never throws. */
export function inspectWeights({ digest }: UpdateHeader, weights: Float32Array, signatureValid: boolean): UpdateFacts {
  const rms = rootMeanSquare(weights)
  const finite = Number.isFinite(rms)
  return { finite, rms: finite ? rms : 0, digestMatches: weightsDigest(weights) === digest, signatureValid }
}

/** The facts of an update whose weights were not looked at, for its header or signature is reason enough to refuse it. */
export function unread(signatureValid: boolean): UpdateFacts {
  return { finite: true, rms: 0, digestMatches: true, signatureValid }
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

function unsigned(header: UpdateHeader, { payload, manifest }: UpdateBody): Uint8Array {
  const writer = new ByteWriter().u8(VERSION).bytes(fromHex(header.study)).bytes(fromHex(header.author))
  writer.u32(header.round).u32(header.examples).bytes(fromHex(header.scaling)).bytes(fromHex(header.base))
  writer.u8(header.parents.length)
  for (const parent of header.parents) writer.bytes(fromHex(parent))
  writer.bytes(fromHex(header.digest)).u32(header.parameters)
  writePrivacy(writer, header.privacy)
  writer.u8(header.coding)
  if (header.reference === null) writer.u8(0)
  else writer.u8(1).bytes(fromHex(header.reference))
  if (payload === null) return writer.u8(CARRIED.manifest).bytes(encodeManifest(manifest)).finish()
  return writer.u8(CARRIED.inline).u32(payload.length).bytes(payload).finish()
}

function headBytes({ parents, privacy, reference }: UpdateHeader): number {
  const flags = 4 // privacy, coding, reference, what is carried
  return UPDATE_FIXED_BYTES + 32 * parents.length + flags + (privacy ? PRIVACY_BYTES : 0) + (reference ? 32 : 0)
}

function readClaims(read: ByteReader): UpdateClaims {
  const study = digestFrom(read) as StudyId
  const author = toHex(read.bytes(32)) as MemberId
  const round = read.u32()
  const examples = read.u32()
  const scaling = digestFrom(read)
  const base = digestFrom(read)
  const parentCount = read.u8()
  if (parentCount > LIMITS.updateParentsMax) throw refused('update-parents', `${parentCount} parents`)
  const parents = Array.from({ length: parentCount }, () => digestFrom(read))
  const digest = digestFrom(read)
  const parameters = read.u32()
  return { study, author, round, examples, scaling, base, parents, digest, parameters, privacy: readPrivacy(read) }
}

function writePrivacy(writer: ByteWriter, privacy: PrivacyClaim | null): void {
  if (privacy === null) return void writer.u8(0)
  const { epsilon, delta, sampleRate, noiseMultiplier } = privacy
  writer.u8(1).f64(epsilon).f64(delta).f64(sampleRate).f64(noiseMultiplier)
}

/** Error: `update-privacy`, for figures that no accountant gives. */
function readPrivacy(read: ByteReader): PrivacyClaim | null {
  if (!readFlag(read)) return null
  const [epsilon, delta, sampleRate, noiseMultiplier] = [read.f64(), read.f64(), read.f64(), read.f64()]
  const sound = epsilon >= 0 && delta >= 0 && delta < 1 && sampleRate > 0 && sampleRate <= 1 && noiseMultiplier >= 0
  const plain = [epsilon, delta, sampleRate, noiseMultiplier].every((x) => Number.isFinite(x) && !Object.is(x, -0))
  if (!sound || !plain)
    throw refused('update-privacy', `ε ${epsilon}, δ ${delta}, q ${sampleRate}, σ ${noiseMultiplier}`)
  return { epsilon, delta, sampleRate, noiseMultiplier }
}

function readFlag(read: ByteReader): boolean {
  const flag = read.u8()
  if (flag > 1) throw refused('update-flag', `${flag} where 0 or 1 is expected`)
  return flag === 1
}

function digestFrom(read: ByteReader): Digest {
  return toHex(read.bytes(32)) as Digest
}

function refused(code: string, message: string, blame: Blame = 'reject'): ConsiliumError {
  return new ConsiliumError({ code, message, blame })
}
