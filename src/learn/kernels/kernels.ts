/** The compiled kernels with a memory of their own: an arena that grows up to 4 GiB, and views on it. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ConsiliumError, invariant } from '../../core/errors.ts'
import { KERNELS_VERSION } from './planLayout.ts'
import { WASM, type WasmMemory, type WasmModule } from './webAssembly.ts'

const PAGE_BYTES = 65_536
const PAGES_MAX = 65_536 // 4 GiB: all that a 32-bit pointer reaches
const FIRST_BYTE = 64 // 0 stays free, so that it can stand for "none"
const SLACK_BYTES = 64 // kernels load whole vectors, and so read a little beyond a block
const GROWTH = 1.25 // each growth detaches the views; what is not touched costs no real memory

const BESIDE_US = fileURLToPath(new URL('./kernels.wasm', import.meta.url)) // when run from dist
const BUILT = fileURLToPath(new URL('../../../dist/src/learn/kernels/kernels.wasm', import.meta.url)) // when run from src

/** What `assembly/index.ts` exports; pointers are bytes from the memory's start, and go in as numbers below 2³². */
export interface KernelFunctions {
  readonly version: () => number
  readonly train: (
    plan: number,
    rowsAt: number,
    labelsAt: number,
    rows: number,
    base: number,
    into: number,
    adamState: number,
    seedHigh: number,
    seedLow: number,
  ) => number
  readonly trainSteps: (
    plan: number,
    rowsAt: number,
    labelsAt: number,
    rows: number,
    slot: number,
    adamState: number,
    order: number,
    from: number,
    to: number,
  ) => number
  readonly logits: (plan: number, rowsAt: number, rows: number, slot: number, out: number) => void
  readonly merge: (into: number, models: number, coefficients: number, count: number, bytes: number) => void
  readonly addSquaredDistances: (rows: number, n: number, stride: number, bytes: number, sums: number) => void
  readonly widenRows: (rows: number, n: number, stride: number, bytes: number, wide: number) => void
  readonly mixRows: (
    wide: number,
    n: number,
    stride: number,
    lists: number,
    count: number,
    out: number,
    bytes: number,
  ) => void
  readonly exchangeRows: (rows: number, stride: number, pairs: number, count: number, bytes: number) => void
  readonly meanOfRows: (rows: number, stride: number, first: number, last: number, out: number, bytes: number) => void
  readonly digest: (at: number, floats: number, out: number) => number
  readonly squaredDistance: (a: number, b: number, floats: number) => number
  readonly sumOfSquares: (at: number, floats: number) => number
  readonly logLoss: (logits: number, labels: number, count: number) => number
  readonly pack: (plan: number, slot: number, work: number) => void
  readonly unpack: (plan: number, work: number, slot: number) => void
  readonly spread: (at: number, rows: number, columns: number, rowBytes: number) => void
  readonly flip: (from: number, to: number, count: number) => void
  readonly copy: (from: number, to: number, bytes: number) => void
  readonly clear: (at: number, bytes: number) => void
  readonly identity: (order: number, rows: number) => void
  readonly seedOrder: (seedHigh: number, seedLow: number) => void
  readonly shuffle: (order: number, rows: number) => void
  readonly elementwise: (kind: number, at: number, count: number) => void
}

/** Where blocks come from: the kernels themselves, or a scope that gives all of its blocks back at once. */
export interface Memory {
  readonly kernels: Kernels
  /** A block of `bytes` zeros, at a multiple of 16. Error: `kernels-memory`. */
  alloc(bytes: number): number
}

let compiled: WasmModule | undefined

/**
 * One instance of the kernels, with one memory. The views are made anew whenever the memory grows: read them after the last `alloc`, and keep
 * none. Errors: `kernels-missing` where the `.wasm` was not built, `kernels-memory` beyond 4 GiB.
 */
export class Kernels implements Memory {
  readonly run: KernelFunctions
  u8 = new Uint8Array(0)
  u32 = new Uint32Array(0)
  f32 = new Float32Array(0)
  f64 = new Float64Array(0)
  readonly kernels = this
  readonly #memory: WasmMemory
  readonly #free = new Map<number, number[]>()
  #top = FIRST_BYTE
  #freeBytes = 0

  constructor() {
    compiled ??= new WASM.Module(readModule())
    const exports = new WASM.Instance(compiled).exports as KernelFunctions & { readonly memory: WasmMemory }
    if (exports.version() !== KERNELS_VERSION) throw missing('the one there was built from other sources')
    this.run = exports
    this.#memory = exports.memory
    this.#view()
  }

  /** Bytes that are in use. */
  get bytes(): number {
    return this.#top - this.#freeBytes
  }

  alloc(bytes: number): number {
    invariant(Number.isInteger(bytes) && bytes >= 0, `a block of ${bytes} bytes`)
    const size = padded(bytes)
    const again = this.#free.get(size)?.pop()
    if (again !== undefined) {
      this.#freeBytes -= size
      this.run.clear(again, size)
      return again
    }
    const at = this.#top
    this.#reach(at + size, size)
    this.#top = at + size
    return at
  }

  /** Gives a block back to later blocks of the same size; `bytes` is what `alloc` was asked for. */
  free(at: number, bytes: number): void {
    const size = padded(bytes)
    const blocks = this.#free.get(size)
    if (blocks === undefined) this.#free.set(size, [at])
    else blocks.push(at)
    this.#freeBytes += size
  }

  #reach(end: number, wanted: number): void {
    const pages = Math.ceil((end + SLACK_BYTES) / PAGE_BYTES)
    const now = this.#memory.buffer.byteLength / PAGE_BYTES
    if (pages <= now) return
    if (pages > PAGES_MAX) throw this.#exhausted(wanted)
    try {
      this.#memory.grow(Math.max(pages, Math.min(Math.ceil(now * GROWTH), PAGES_MAX)) - now)
    } catch {
      this.#growExactly(pages - now, wanted)
    }
    this.#view()
  }

  #growExactly(pages: number, wanted: number): void {
    try {
      this.#memory.grow(pages)
    } catch (cause) {
      throw this.#exhausted(wanted, cause)
    }
  }

  #exhausted(wanted: number, cause?: unknown): ConsiliumError {
    const message =
      `${wanted} bytes more are wanted, ${this.#top} of the kernels' memory are taken, and it ends at ` +
      `${PAGES_MAX * PAGE_BYTES} or at what the machine has: take fewer nodes, fewer rows or a smaller model`
    return new ConsiliumError({ code: 'kernels-memory', message, cause })
  }

  #view(): void {
    const { buffer } = this.#memory
    this.u8 = new Uint8Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.f32 = new Float32Array(buffer)
    this.f64 = new Float64Array(buffer)
  }
}

/** Blocks that are given back together. */
export class Scope implements Memory {
  readonly kernels: Kernels
  readonly #blocks: { readonly at: number; readonly bytes: number }[] = []
  constructor(kernels: Kernels) {
    this.kernels = kernels
  }

  alloc(bytes: number): number {
    const at = this.kernels.alloc(bytes)
    this.#blocks.push({ at, bytes })
    return at
  }

  /** Gives all blocks back; their pointers must not be used any more. */
  freeAll(): void {
    for (const { at, bytes } of this.#blocks.splice(0)) this.kernels.free(at, bytes)
  }
}

/** `bytes` up to a multiple of 16. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / 16) * 16
}

function readModule(): Uint8Array {
  for (const path of [BESIDE_US, BUILT]) {
    try {
      return readFileSync(path)
    } catch {
      // the next one
    }
  }
  throw missing(`neither ${BESIDE_US} nor ${BUILT} can be read`)
}

function missing(why: string): ConsiliumError {
  return new ConsiliumError({
    code: 'kernels-missing',
    message: `the learner's WebAssembly kernels are missing (${why}): run npm run build`,
  })
}
