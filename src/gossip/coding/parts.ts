/**
 * The parts of a model: the weights that each chunk of its payload says by itself. They follow from the study's coding and from how long its
 * payloads are, so that they are the same for all authors and nothing on the wire names them (Hegedűs et al. 2021, partitioned models).
 * A delta has none: a piece of its list of places cannot be read without what is before it.
 */
import { joined, type Range } from '../../core/ranges.ts'
import { Bitfield } from '../bitfield.ts'
import { chunkBytesOf } from '../manifest.ts'
import { CODING, payloadBytes, type WeightFormat, wholeCoding } from './coding.ts'
import { FLOAT16_BYTES } from './float16.ts'
import { int8HeadBytes } from './int8.ts'

/** How the whole updates of one study fall into parts. */
export interface Partition {
  readonly payloadBytes: number
  readonly chunkBytes: number
  /** Of the weights, for each chunk in turn; empty where a chunk holds none. */
  readonly ranges: readonly Range[]
  /** Without so many chunks at the beginning none can be read: they hold the scales of int8. */
  readonly heads: number
}

/** Of the updates that carry all weights; in a study of deltas those are the keyframes. */
export function partitionOf(format: WeightFormat): Partition {
  const { parameters, tensors } = format
  const coding = wholeCoding(format.coding)
  const [bytes] = payloadBytes(coding, format)
  const headBytes = coding === CODING.int8 ? int8HeadBytes(tensors) : 0
  const width = { [CODING.float32]: Float32Array.BYTES_PER_ELEMENT, [CODING.float16]: FLOAT16_BYTES, [CODING.int8]: 1 }
  const chunkBytes = chunkBytesOf(bytes)
  const weightAt = (byte: number): number =>
    Math.min(parameters, Math.max(0, Math.ceil((byte - headBytes) / width[coding])))
  const ranges = Array.from({ length: Math.ceil(bytes / chunkBytes) }, (_, i): Range => {
    return [weightAt(i * chunkBytes), weightAt((i + 1) * chunkBytes)]
  })
  return { payloadBytes: bytes, chunkBytes, ranges, heads: Math.ceil(headBytes / chunkBytes) }
}

/** The weights that these chunks give. */
export function rangesOf({ ranges, heads }: Partition, have: Bitfield): Range[] {
  for (let i = 0; i < heads; i++) if (!have.has(i)) return []
  return joined(ranges.filter((_, i) => have.has(i)))
}

/** The same of chunks as a log names them: null where they are none of such a payload, or give nothing. */
export function rangesNamed(format: WeightFormat, chunks: Uint8Array): Range[] | null {
  const partition = partitionOf(format)
  const have = Bitfield.read(partition.ranges.length, chunks)
  const ranges = have === null ? [] : rangesOf(partition, have)
  return ranges.length === 0 ? null : ranges
}
