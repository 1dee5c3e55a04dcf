/** A `round.merged` entry as `log verify --replay` reads it. */
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import type { AsideReason } from '../governance/kinds/rounds.ts'
import type { Body } from '../governance/kinds.ts'
import type { RuleInParts } from '../learn/merge/inParts.ts'

/** All of one. */
export interface RecordedMerge {
  readonly author: MemberId
  readonly study: StudyId
  readonly round: number
  readonly rule: string
  readonly inputs: readonly RecordedInput[]
  readonly result: Digest
  /** Null where the plain mean was taken. */
  readonly parameters: NonNullable<Body<'round.merged'>['parameters']> | null
  /** Those set aside, in the order of the entry; the inputs among them are `outlying`. */
  readonly aside: readonly RecordedAside[]
  /** Null where all that was merged was whole. */
  readonly parts: RecordedParts | null
}

/** Whom a merge set aside, by its entry. */
export interface RecordedAside {
  readonly author: MemberId
  readonly round: number
  readonly digest: Digest
  readonly reason: AsideReason
}

/** One input as a merge names it: `round` is its author's. */
export interface RecordedInput {
  readonly author: MemberId
  readonly round: number
  readonly digest: Digest
  readonly coefficient: number
}

/** An update as a merge names it of which only parts were here. */
export interface RecordedPart extends RecordedInput {
  /** How many merges of this member had taken parts of it before. */
  readonly age: number
  readonly chunks: Uint8Array
}

/** The `partial` of a `round.merged` entry. */
export interface RecordedParts {
  readonly updates: readonly RecordedPart[]
  readonly rules: readonly RuleInParts[]
}
