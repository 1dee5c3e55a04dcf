/** Whose signatures count under a head, and how many make it final: the one place that says so. */
import type { MemberId } from '../core/ids.ts'
import type { Cosignature } from './cosignature.ts'
import { quorum } from './founding.ts'

/** Whose signatures count for a head, and how many make it final. */
export interface Electorate {
  readonly members: ReadonlySet<MemberId>
  readonly quorum: number
}

/** Gives the electorate of a head of `author` at `size`; null where no epoch lets its log have that size. */
export type Governing = (author: MemberId, size: number) => Electorate | null

/** The rule of a consortium that never changed its members. */
export function foundersOnly(members: readonly MemberId[]): Governing {
  const founders = { members: new Set(members), quorum: quorum(members.length) }
  return (author) => (founders.members.has(author) ? founders : null)
}

/** Those of `cosignatures` that count; that they are valid is the caller's to check. */
export function countedOf(cosignatures: readonly Cosignature[], { members }: Electorate): Cosignature[] {
  return cosignatures.filter(({ witness }) => members.has(witness))
}

/** Whether these cosignatures make a head of `author` final, its own signature under it included. */
export function isQuorum(author: MemberId, cosignatures: readonly Cosignature[], electorate: Electorate): boolean {
  const signers = new Set([author, ...cosignatures.map(({ witness }) => witness)])
  let count = 0
  for (const signer of signers) if (electorate.members.has(signer)) count++
  return count >= electorate.quorum
}
