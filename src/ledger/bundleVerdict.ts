/** What the verification of a bundle gives, and how a person names the consortium that it has to be of. */
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import type { BundleFilter } from './bundle.ts'

/** The first thing that is wrong; lines count from 1. */
export interface BundleFault {
  readonly code: string
  readonly line: number
  readonly message: string
}

/** What a bundle holds of one member's log. */
export interface BundledLog {
  readonly name: string
  readonly member: MemberId
  /** Entries under its largest head here, and under its largest final one. */
  readonly size: number
  readonly finalSize: number
  /** Entries in the bundle: each is one of `final`, `pending` and `disputed`. */
  readonly entries: number
  readonly final: number
  readonly pending: number
  readonly disputed: number
  /** How many of the disputed lie under a final head. */
  readonly disputedFinal: number
  readonly droppedBodies: number
  /** Least and greatest time of an entry by the author's clock; null where none is here. */
  readonly firstMs: number | null
  readonly lastMs: number | null
  /** Heads of this log in the bundle. */
  readonly heads: number
  /** The least size over which its author signed two roots; null where no evidence is here. */
  readonly forkSize: number | null
}

/** What holds if the founding is the right one. */
export interface BundleFacts {
  readonly consortium: {
    readonly name: string
    readonly founding: Digest
    readonly fingerprint: string
    /** The newest one in the bundle, 0 for the founding; `members` and `quorum` are its. */
    readonly epoch: number
    readonly members: number
    readonly quorum: number
  }
  readonly made: string
  readonly by: MemberId
  readonly filter: BundleFilter
  readonly heads: number
  readonly forks: number
  readonly entries: number
  /** Members, now or before, of which there is a head or a fork, by key. */
  readonly logs: readonly BundledLog[]
}

/** `consistent`: nothing is wrong, but no root was given, so it may be any consortium's. */
export type BundleVerdict =
  | ({ readonly verdict: 'good' | 'consistent' } & BundleFacts)
  | { readonly verdict: 'wrong'; readonly fault: BundleFault }

/**
 * Reads what a person gives as the root: a founding digest, or its fingerprint as `fingerprint` shows it. Gives lower-case digits.
 * Error: `bad-root`.
 */
export function parseRoot(text: string): string {
  const digits = text.replaceAll(/[ \t]/g, '').toLowerCase()
  if (/^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(digits)) return digits
  throw new ConsiliumError({
    code: 'bad-root',
    message: `--root: ${JSON.stringify(text.slice(0, 100))} given; the 32 digits of the consortium's fingerprint or the 64 of its founding digest are expected`,
  })
}
