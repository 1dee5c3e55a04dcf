/** Where what was read of a stretch of a log is kept in the database. */
import type { MemberId } from '../core/ids.ts'

export const STRETCH = 20_000 // entries kept as one: about 1 MB where each merge has one input; what a start reads again at most, a tenth of a second

/** The name of the state that has entry `seq` in it. */
export const stretchOf = (author: MemberId, seq: number): string => `traces/${author}/${Math.floor(seq / STRETCH)}`

/** The state to write with bodies that are dropped, so that nothing of them is kept there. */
export function forgottenTraces(author: MemberId, seqs: readonly number[]): ReadonlyMap<string, null> {
  return new Map(seqs.map((seq) => [stretchOf(author, seq), null]))
}
