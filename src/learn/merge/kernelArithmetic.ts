/** The arithmetic of merges in WebAssembly SIMD: models pass through a few kilobytes of its memory, block by block. */
import { invariant } from '../../core/errors.ts'
import { Kernels } from '../kernels/kernels.ts'
import { type MergeArithmetic, PLAIN, TRIM_BLOCK } from './arithmetic.ts'
import { DISTANCE_BLOCK, mirror } from './distances.ts'
import type { Mixing, Vectors } from './nearest.ts'
import { sortingNetwork } from './network.ts'

const MEAN_BLOCK = 4_096 // floats of one model: 32 of them, 512 kB, are copied and added while they are in a second-level cache
const FLOAT = Float32Array.BYTES_PER_ELEMENT

/** Floats from one row to the next: a cache line more than a block, so that rows do not fall into the same sets of a cache. */
const STRIDE = DISTANCE_BLOCK + 16

/** Where things lie in the kernels' memory, for so many models. */
interface Places {
  readonly models: number
  readonly rows: number
  readonly wide: number
  readonly mixed: number
  readonly out: number
  readonly lists: number
  readonly sums: number
  readonly network: number
  readonly networkPairs: number
}

/** One instance for a thread; calls do not overlap. Error: `kernels-missing`. */
export class KernelArithmetic implements MergeArithmetic {
  readonly #kernels = new Kernels()
  #mean = { models: 0, rows: 0, pointers: 0, coefficients: 0, out: 0 }
  readonly #places = new Map<number, Places>()

  weightedMean(models: Vectors, weights: readonly number[]): Float32Array {
    const n = models.length
    if (lengthOf(models) < MEAN_BLOCK) return PLAIN.weightedMean(models, weights) // copies would cost more than they save
    const { rows, pointers, coefficients, out } = this.#placeOfMean(n)
    const mean = new Float32Array(lengthOf(models))
    const { u32, f64, f32, run } = this.#kernels
    for (let m = 0; m < n; m++) {
      u32[pointers / 4 + m] = rows + m * MEAN_BLOCK * FLOAT
      f64[coefficients / 8 + m] = weights[m] as number
    }
    for (let from = 0; from < mean.length; from += MEAN_BLOCK) {
      const length = this.#stage(models, from, MEAN_BLOCK, MEAN_BLOCK, rows)
      run.merge(out, pointers, coefficients, n, padded(length))
      mean.set(f32.subarray(out / FLOAT, out / FLOAT + length), from)
    }
    return mean
  }

  squaredDistances(models: Vectors): Float64Array {
    const n = models.length
    const at = this.#place(n)
    const { f64, run } = this.#kernels
    f64.fill(0, at.sums / 8, at.sums / 8 + n * n)
    for (let from = 0; from < lengthOf(models); from += DISTANCE_BLOCK) {
      const length = this.#stage(models, from, DISTANCE_BLOCK, STRIDE, at.rows)
      run.addSquaredDistances(at.rows, n, STRIDE * FLOAT, padded(length), at.sums)
    }
    const squared = f64.slice(at.sums / 8, at.sums / 8 + n * n)
    mirror(squared, n)
    return squared
  }

  trimmedMean(models: Vectors, mixing: Mixing | null, trimmed: number): Float32Array {
    const at = this.#place(models.length)
    const out = new Float32Array(lengthOf(models))
    const { u32, f32 } = this.#kernels
    if (mixing !== null) u32.set(mixing.neighbours, at.lists / 4)
    for (let from = 0; from < out.length; from += DISTANCE_BLOCK) {
      const length = this.#stage(models, from, DISTANCE_BLOCK, STRIDE, at.rows)
      for (let part = 0; part < length; part += TRIM_BLOCK)
        this.#trim(at, part * FLOAT, mixing, trimmed, padded(Math.min(TRIM_BLOCK, length - part)))
      out.set(f32.subarray(at.out / FLOAT, at.out / FLOAT + length), from)
    }
    return out
  }

  /** `bytes` of each row from `part` on: what a first-level cache holds of all rows. */
  #trim(at: Places, part: number, mixing: Mixing | null, trimmed: number, bytes: number): void {
    const { run } = this.#kernels
    const stride = STRIDE * FLOAT
    let rows = at.rows + part
    if (mixing !== null) {
      run.widenRows(rows, at.models, stride, bytes, at.wide)
      rows = at.mixed
      run.mixRows(at.wide, at.models, stride, at.lists, mixing.count, rows, bytes)
    }
    run.exchangeRows(rows, stride, at.network, at.networkPairs, bytes)
    run.meanOfRows(rows, stride, trimmed, at.models - trimmed, at.out + part, bytes)
  }

  /** Copies a block of every model to `rows`, `stride` floats apart, with zeros behind where it is shorter. @returns its length. */
  #stage(models: Vectors, from: number, block: number, stride: number, rows: number): number {
    const { f32 } = this.#kernels
    const length = Math.min(block, lengthOf(models) - from)
    for (let m = 0; m < models.length; m++) {
      const to = rows / FLOAT + m * stride
      f32.set((models[m] as Float32Array).subarray(from, from + length), to)
      if (length < block) f32.fill(0, to + length, to + block)
    }
    return length
  }

  #placeOfMean(models: number) {
    if (models > this.#mean.models) {
      const { kernels } = this.#kernels
      this.#mean = {
        models,
        rows: kernels.alloc(models * MEAN_BLOCK * FLOAT),
        pointers: kernels.alloc(models * 4),
        coefficients: kernels.alloc(models * 8),
        out: kernels.alloc(MEAN_BLOCK * FLOAT),
      }
    }
    return this.#mean
  }

  #place(models: number): Places {
    invariant(models > 0, 'a merge of one model or more')
    const known = this.#places.get(models)
    if (known !== undefined) return known
    const kernels = this.#kernels
    const network = sortingNetwork(models)
    const made: Places = {
      models,
      rows: kernels.alloc(models * STRIDE * FLOAT),
      wide: kernels.alloc(models * STRIDE * 2 * FLOAT),
      mixed: kernels.alloc(models * STRIDE * FLOAT),
      out: kernels.alloc(DISTANCE_BLOCK * FLOAT),
      lists: kernels.alloc(models * models * 4),
      sums: kernels.alloc(models * models * 8),
      network: kernels.alloc(network.byteLength),
      networkPairs: network.length / 2,
    }
    kernels.u32.set(network, made.network / 4)
    this.#places.set(models, made)
    return made
  }
}

const VECTOR_BYTES = 64 // the widest step of a kernel
const padded = (floats: number): number => Math.ceil((floats * FLOAT) / VECTOR_BYTES) * VECTOR_BYTES
const lengthOf = (models: Vectors): number => models[0]?.length ?? 0

let made: MergeArithmetic | undefined

/** The kernels where they are built, else plain TypeScript: both give the same bytes. */
export function mergeArithmetic(): MergeArithmetic {
  if (made !== undefined) return made
  try {
    made = new KernelArithmetic()
  } catch {
    made = PLAIN
  }
  return made
}
