/** Makes proofs from a store: reads one run of nodes or of entries for each hash that a proof asks for. */
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { headerOf } from '../ledger/entry.ts'
import { Frontier, leafHash, TILE_LEAVES } from '../ledger/merkle.ts'
import { type Ask, consistencyProof, inclusionProof, type Subtree, treeHash } from '../ledger/proof.ts'
import type { LogStore } from '../ledger/store.ts'

const RUNS_MAX = 64 // runs of up to 256 hashes: half a megabyte, and an export of neighbours asks for the same ones
const FOLDED_MAX = 1_024 // subtrees: 32 kB; one entry's proof shares all but two of them with its neighbour's

/** Reads one log; remembers the runs and subtrees that it read last, so make one for each task. The store must hold what is asked for. */
export class TreeReader {
  readonly #store: Pick<LogStore, 'entries' | 'nodes'>
  readonly #author: MemberId
  readonly #runs = new Map<string, Promise<readonly Uint8Array[]>>()
  readonly #folded = new Map<string, Uint8Array>()

  constructor(store: Pick<LogStore, 'entries' | 'nodes'>, author: MemberId) {
    this.#store = store
    this.#author = author
  }

  /** RFC 6962 root over the first `size` entries, at least one. Error: `database-corrupt`. */
  root(size: number): Promise<Uint8Array> {
    return this.#answer(treeHash(0, size))
  }

  /** Leaf hash of entry `index`. Error: `database-corrupt`. */
  async leaf(index: number): Promise<Uint8Array> {
    return this.#hash({ from: index, to: index + 1 })
  }

  /** Roots of the perfect subtrees at the right edge of the first `size` entries, largest first. Error: `database-corrupt`. */
  async frontier(size: number): Promise<Uint8Array[]> {
    const roots: Uint8Array[] = []
    for (let from = 0; from < size; ) {
      const to = from + largestPower(size - from)
      roots.push(await this.#hash({ from, to }))
      from = to
    }
    return roots
  }

  /** The audit path of entry `index` under `size` entries. Error: `database-corrupt`. */
  inclusion(index: number, size: number): Promise<Uint8Array[]> {
    return this.#answer(inclusionProof(index, size))
  }

  /** The proof that the first `to` entries begin with the first `from`. Error: `database-corrupt`. */
  consistency(from: number, to: number): Promise<Uint8Array[]> {
    return this.#answer(consistencyProof(from, to))
  }

  async #answer<T>(ask: Ask<T>): Promise<T> {
    let next = ask.next()
    while (!next.done) next = ask.next(await this.#hash(next.value))
    return next.value
  }

  async #hash(subtree: Subtree): Promise<Uint8Array> {
    const key = `${subtree.from} ${subtree.to}`
    const known = this.#folded.get(key)
    if (known !== undefined) return known
    const hash = await this.#fold(subtree)
    keep(this.#folded, key, hash, FOLDED_MAX)
    return hash
  }

  /** Folds whole tiles' nodes of the highest level that fits, or leaves. */
  async #fold({ from, to }: Subtree): Promise<Uint8Array> {
    let [level, leaves] = [0, 1]
    while (leaves * TILE_LEAVES <= to - from) {
      level++
      leaves *= TILE_LEAVES
    }
    const first = from / leaves
    const run = Math.floor(first / TILE_LEAVES)
    const hashes = await this.#run(level, run)
    const at = first - run * TILE_LEAVES
    const part = hashes.slice(at, at + (to - from) / leaves)
    if (part.length < (to - from) / leaves) throw this.#lost(from)
    return rootOfPerfect(part)
  }

  #run(level: number, run: number): Promise<readonly Uint8Array[]> {
    const key = `${level} ${run}`
    let hashes = this.#runs.get(key)
    if (hashes === undefined) {
      hashes = this.#read(level, run * TILE_LEAVES)
      keep(this.#runs, key, hashes, RUNS_MAX)
    }
    return hashes
  }

  async #read(level: number, from: number): Promise<readonly Uint8Array[]> {
    if (level > 0) return this.#store.nodes(this.#author, level, from, from + TILE_LEAVES)
    const raws = await this.#store.entries(this.#author, from, from + TILE_LEAVES)
    return raws.map((raw) => leafHash(headerOf(raw))) // bodies do not matter here, and would take 30 ms where they are large
  }

  #lost(seq: number): ConsiliumError {
    return new ConsiliumError({
      code: 'database-corrupt',
      message: `the log of ${this.#author.slice(0, 16)}… lacks what a proof needs at entry ${seq}: see "consilium log verify"`,
    })
  }
}

/** The largest power of two that is at most `count`. */
function largestPower(count: number): number {
  let power = 1
  while (power * 2 <= count) power *= 2
  return power
}

/** The oldest makes room. */
function keep<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  if (map.size >= most) map.delete(map.keys().next().value as string)
  map.set(key, value)
}

function rootOfPerfect(hashes: readonly Uint8Array[]): Uint8Array {
  invariant(hashes.length > 0 && (hashes.length & (hashes.length - 1)) === 0, 'a perfect subtree')
  const frontier = new Frontier()
  for (const hash of hashes) frontier.append(hash)
  return frontier.root()
}
