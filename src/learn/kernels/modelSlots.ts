/** A pool of slots with memory behind it. */
import type { Memory } from './kernels.ts'
import { SlotPool } from './slotPool.ts'

const CHUNK_BYTES = 65_536 // memory is taken in chunks of about this, or of one slot where it is larger

/** Slots of `slotBytes` (a multiple of 16) each; a slot keeps its place for good. The first content is zeros. */
export class ModelSlots {
  readonly pool: SlotPool
  readonly #slotBytes: number
  readonly #shift: number
  readonly #mask: number
  readonly #chunks: number[] = []
  constructor(memory: Memory, slotBytes: number) {
    this.#slotBytes = slotBytes
    this.#shift = Math.max(0, 31 - Math.clz32(Math.floor(CHUNK_BYTES / slotBytes)))
    this.#mask = 2 ** this.#shift - 1
    this.pool = new SlotPool((slot) => {
      if (slot >>> this.#shift === this.#chunks.length) this.#chunks.push(memory.alloc(slotBytes * 2 ** this.#shift))
    })
  }

  /** Where the slot lies, in bytes; it must have been taken before. */
  pointer(slot: number): number {
    return (this.#chunks[slot >>> this.#shift] as number) + (slot & this.#mask) * this.#slotBytes
  }
}
