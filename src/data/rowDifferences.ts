/**
 * Which rows of a table changed, came or went since it was registered. Memory grows with the registered rows (60 bytes each) and with the
 * differences, not with what the cells hold.
 */
import { type CommittedRow, KEY_HASH_BYTES, ROW_BYTES } from './rowCommitments.ts'

/** The registered rows, in their order. */
export interface RowManifest {
  readonly rows: number
  /** `ROW_BYTES` each. */
  readonly commitments: Uint8Array
  /** `KEY_HASH_BYTES` each; null where no key column was named. */
  readonly keys: Uint8Array | null
  /** The line on which each row ended. */
  readonly lines: Uint32Array
}

/** A row that differs. `registeredLine`: of the file as it was registered, null of a row that came; `line`: of this file, null of one that went. */
export interface RowDifference {
  readonly what: 'changed' | 'added' | 'removed'
  readonly key: string | null
  readonly registeredLine: number | null
  readonly line: number | null
}

/** What a comparison found. */
export interface Differences {
  readonly changed: number
  readonly added: number
  readonly removed: number
  /** The line of the first row that stands behind one that it stood before; null where the rows that stayed are in their order. */
  readonly movedLine: number | null
  /** The first ones, by their lines. */
  readonly shown: readonly RowDifference[]
}

const NONE = -1
const SHOWN_MAX = 1_000 // named one by one; the counts have all

/** Give it each row of the table as it is now, then ask for the `differences`. */
export class RowComparison {
  readonly #manifest: RowManifest
  readonly #byContent: HashIndex
  /** 1 where a row of this file is the registered one. */
  readonly #found: Uint8Array
  #last = NONE
  #movedLine: number | null = null
  readonly #others: { readonly key: string; readonly keyText: string | null; readonly line: number }[] = []

  constructor(manifest: RowManifest) {
    this.#manifest = manifest
    this.#found = new Uint8Array(manifest.rows)
    this.#byContent = new HashIndex(manifest.commitments, ROW_BYTES, manifest.rows)
  }

  /** Of rows that are equal the first one that keeps the order is meant, for which of them went cannot be told. */
  take = ({ commitment, key, keyText, line }: CommittedRow): void => {
    const at = this.#byContent.take(commitment, this.#last)
    if (at === NONE) {
      this.#others.push({ key: key === null ? '' : textOf(key, 0, key.length), keyText, line })
      return
    }
    this.#found[at] = 1
    if (at < this.#last) this.#movedLine ??= line
    this.#last = Math.max(this.#last, at)
  }

  /** What is left over on either side is one changed row where the keys are equal: of several with one key in their order. */
  differences(): Differences {
    const gone = this.#gone()
    const all: RowDifference[] = []
    for (const { key, keyText, line } of this.#others) {
      const before = gone.get(key)?.shift()
      const registeredLine = before === undefined ? null : (this.#manifest.lines[before] as number)
      all.push({ what: before === undefined ? 'added' : 'changed', key: keyText, registeredLine, line })
    }
    const changed = all.filter(({ what }) => what === 'changed').length
    const added = all.length - changed
    for (const before of [...gone.values()].flat()) {
      all.push({ what: 'removed', key: null, registeredLine: this.#manifest.lines[before] as number, line: null })
    }
    all.sort((a, b) => lineOf(a) - lineOf(b))
    const removed = all.length - changed - added
    return { changed, added, removed, movedLine: this.#movedLine, shown: all.slice(0, SHOWN_MAX) }
  }

  /** The registered rows that were not found, by key; without keys none of them is paired. */
  #gone(): Map<string, number[]> {
    const { keys, rows } = this.#manifest
    const gone = new Map<string, number[]>()
    for (let i = 0; i < rows; i++) {
      if (this.#found[i] === 1) continue
      const key = keys === null ? 'went' : textOf(keys, i * KEY_HASH_BYTES, KEY_HASH_BYTES)
      const list = gone.get(key) ?? []
      list.push(i)
      gone.set(key, list)
    }
    return gone
  }
}

const lineOf = ({ line, registeredLine }: RowDifference): number => line ?? registeredLine ?? 0

const textOf = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1')

/** Finds hashes among many, in open addressing: about 30 bytes for each. They are keyed, so nobody can choose them to collide. */
class HashIndex {
  readonly #hashes: Uint8Array
  readonly #width: number
  readonly #mask: number
  /** By place: the number, plus one, of a hash that belongs there; and of the first equal one that was not taken yet. */
  readonly #slots: Int32Array
  readonly #firsts: Int32Array
  /** The next equal one of each that was not taken yet, plus one. */
  readonly #next: Int32Array

  constructor(hashes: Uint8Array, width: number, count: number) {
    this.#hashes = hashes
    this.#width = width
    const places = 2 ** Math.ceil(Math.log2(Math.max(2, count * 2)))
    this.#mask = places - 1
    this.#slots = new Int32Array(places)
    this.#firsts = new Int32Array(places)
    this.#next = new Int32Array(count)
    for (let i = count - 1; i >= 0; i--) this.#add(i)
  }

  /** Takes one that equals `hash`: the first behind `last`, else the first; −1 where none is left. */
  take(hash: Uint8Array, last: number): number {
    const place = this.#place(hash, 0)
    const first = this.#firsts[place] as number
    let [before, at] = [0, first]
    while (at !== 0 && at - 1 <= last) [before, at] = [at, this.#next[at - 1] as number]
    if (at === 0) [before, at] = [0, first]
    if (at === 0) return NONE
    const after = this.#next[at - 1] as number
    if (before === 0) this.#firsts[place] = after
    else this.#next[before - 1] = after
    return at - 1
  }

  #add(i: number): void {
    const place = this.#place(this.#hashes, i * this.#width)
    if (this.#slots[place] === 0) this.#slots[place] = i + 1
    this.#next[i] = this.#firsts[place] as number
    this.#firsts[place] = i + 1
  }

  /** The place of an equal hash, or the free one where it would be. */
  #place(hash: Uint8Array, at: number): number {
    const view = new DataView(hash.buffer, hash.byteOffset + at, 4)
    let place = view.getUint32(0) & this.#mask
    for (; this.#slots[place] !== 0; place = (place + 1) & this.#mask) {
      if (this.#equals(((this.#slots[place] as number) - 1) * this.#width, hash, at)) return place
    }
    return place
  }

  #equals(own: number, hash: Uint8Array, at: number): boolean {
    for (let i = 0; i < this.#width; i++) if (this.#hashes[own + i] !== hash[at + i]) return false
    return true
  }
}
