/** The updates of a merge of which only parts are here: taken as they are when it begins, and named for the log when it is done. */
import { LIMITS } from '../core/limits.ts'
import type { MergeInput } from '../gossip/exchange.ts'
import type { Parts } from '../gossip/partial.ts'
import type { PartialInput, PartlyMerged } from '../learn/merge/inParts.ts'
import type { MergedParts } from '../node/events.ts'

const BYTES_MAX = 4 * LIMITS.modelBytesMax // of weights as float32: as much as is awaited at once (`ChunkLoader`); the rest waits for its chunks

/** An update with the parts of it that are here. */
export type PartsInput = PartialInput & Pick<Parts, 'chunks'>

/** What is here of `offered`, in its order. */
export function partsAmong(offered: readonly MergeInput[], partsOf: (input: MergeInput) => Parts | null): PartsInput[] {
  let bytes = 0
  return offered.flatMap((input) => {
    const parts = bytes < BYTES_MAX ? partsOf(input) : null
    bytes += parts?.weights.byteLength ?? 0
    return parts === null ? [] : [{ ...input, ...parts }]
  })
}

/** What the log is told: of those that were merged after all. */
export function partsTaken({ partial, rules }: PartlyMerged, inputs: readonly PartsInput[]): MergedParts {
  const chunks = new Map(inputs.map((input) => [input.author, input.chunks]))
  const updates = partial.map(({ author, coefficient }) => {
    return { author, coefficient, chunks: chunks.get(author) as Uint8Array }
  })
  return { updates, rules }
}
