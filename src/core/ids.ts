/** Branded identifiers: parsed once at the edge, never re-checked inside. */
import { ConsiliumError } from './errors.ts'

declare const brand: unique symbol
type Brand<T, B extends string> = T & { readonly [brand]: Readonly<Record<B, true>> }

/** A member of the consortium: its Ed25519 public key (RFC 8032), 64 lowercase hex digits. */
export type MemberId = Brand<string, 'MemberId'>
/** A SHA-256 digest, 64 lowercase hex digits. */
export type Digest = Brand<string, 'Digest'>
/** A study: the digest of its canonical description. */
export type StudyId = Brand<Digest, 'StudyId'>
/** A data-sharing agreement: the digest of its canonical document. */
export type AgreementId = Brand<Digest, 'AgreementId'>

const HEX_32_BYTES = /^[0-9a-f]{64}$/

function parseHex(what: string, text: string): string {
  if (!HEX_32_BYTES.test(text)) {
    throw new ConsiliumError({
      code: 'bad-id',
      message: `${what} "${text.slice(0, 80)}" is not one: 64 lowercase hexadecimal digits are expected`,
    })
  }
  return text
}

/** Parses a member key; throws `bad-id` for what is not 64 lowercase hexadecimal digits. */
export const memberId = (text: string): MemberId => parseHex('member key', text) as MemberId
/** Parses a digest; throws `bad-id` for what is not 64 lowercase hexadecimal digits. */
export const digest = (text: string): Digest => parseHex('digest', text) as Digest
/** Parses a study digest; throws `bad-id` for what is not 64 lowercase hexadecimal digits. */
export const studyId = (text: string): StudyId => parseHex('study digest', text) as StudyId

/** Orders ids (and any ASCII strings) by code unit, numbers by size: the canonical order of everything that is summed or hashed. */
export function compareIds<I extends string | number>(a: I, b: I): number {
  return a < b ? -1 : a > b ? 1 : 0
}
