/** Which patients the rounds of each study could use: kept as changes from set to set, so that any round's tree can be made again. */
import { ByteReader, ByteWriter, fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import { compareIds, type Digest, type StudyId } from '../core/ids.ts'

/** How a patient stood in a set. `words`: how many had been received of the patient by then. */
export interface Stand {
  readonly permitted: boolean
  /** 0 where the patient is not in the table any more. */
  readonly rows: number
  readonly words: number
}

/** What is left of a patient who was forgotten: a leaf that nobody can open, under the tag that it is sorted by. */
export interface BareLeaf {
  readonly tag: Uint8Array
  readonly leaf: Uint8Array
}

/** One set: from `atMs` on, until the next of its study. */
export interface ConsentSetInfo {
  readonly study: StudyId
  readonly root: Digest
  readonly atMs: number
}

/** As it is kept: how those stand who stand otherwise than in the set of the study before it. */
interface StoredSet extends ConsentSetInfo {
  readonly changes: ReadonlyMap<number, Stand | BareLeaf>
}

/** What can be asked of the sets. Patients by their number in the vault. */
export interface ConsentSets {
  /** The sets of a study, oldest first. */
  of(study: StudyId): readonly StoredSet[]
  /** How everybody stood in the newest set of that root; null where it is not known. */
  at(study: StudyId, root: Digest): ReadonlyMap<number, Stand | BareLeaf> | null
  /** How one patient stood in each set that the patient was in, by root. */
  standsOf(study: StudyId, number: number): ReadonlyMap<Digest, Stand>
  /** The record of a set that differs from the newest in `changes`. */
  record(info: ConsentSetInfo, changes: ReadonlyMap<number, Stand>): Uint8Array
  /** All sets as records; `gone` gives, for who is to be forgotten, the leaf of a stand. */
  records(gone: (number: number) => ((study: StudyId, stand: Stand) => BareLeaf) | null): Uint8Array[]
}

const STAND_BYTES = 13 // number u32, permitted u8, rows u32, words u32

/** The sets of one vault; `read` takes them in. */
export class RoundSets implements ConsentSets {
  readonly #sets = new Map<StudyId, StoredSet[]>()

  /** Takes one stored record in. */
  read(kind: string, fields: readonly Cbor[]): void {
    if (kind !== 'set') return // of a later version: what it says is not needed by this one
    const [study, root, atMs, stands, bare] = fields as [Uint8Array, Uint8Array, number, Uint8Array, Uint8Array]
    const id = toHex(study) as StudyId
    const changes = new Map<number, Stand | BareLeaf>()
    const reader = new ByteReader(stands)
    while (reader.left > 0)
      changes.set(reader.u32(), { permitted: reader.u8() === 1, rows: reader.u32(), words: reader.u32() })
    const leaves = new ByteReader(bare)
    while (leaves.left > 0) changes.set(leaves.u32(), { tag: leaves.bytes(16), leaf: leaves.bytes(32) })
    const sets = this.#sets.get(id) ?? []
    this.#sets.set(id, sets)
    sets.push({ study: id, root: toHex(root) as Digest, atMs, changes })
  }

  of(study: StudyId): readonly StoredSet[] {
    return this.#sets.get(study) ?? []
  }

  at(study: StudyId, root: Digest): ReadonlyMap<number, Stand | BareLeaf> | null {
    const sets = this.#sets.get(study) ?? []
    const last = sets.findLastIndex((set) => set.root === root)
    if (last < 0) return null
    const all = new Map<number, Stand | BareLeaf>()
    for (const { changes } of sets.slice(0, last + 1)) {
      for (const [number, stand] of changes) {
        if ('rows' in stand && stand.rows === 0) all.delete(number)
        else all.set(number, stand)
      }
    }
    return all
  }

  standsOf(study: StudyId, number: number): ReadonlyMap<Digest, Stand> {
    const stands = new Map<Digest, Stand>()
    let now: Stand | null = null
    for (const { root, changes } of this.#sets.get(study) ?? []) {
      const change = changes.get(number)
      if (change !== undefined) now = 'rows' in change && change.rows > 0 ? change : null
      if (now !== null) stands.set(root, now)
    }
    return stands
  }

  record({ study, root, atMs }: ConsentSetInfo, changes: ReadonlyMap<number, Stand | BareLeaf>): Uint8Array {
    const stands = new Uint8Array(STAND_BYTES * changes.size)
    const view = new DataView(stands.buffer)
    const bare = new ByteWriter()
    let at = 0
    for (const [number, stand] of changes) {
      if (!('rows' in stand)) {
        bare.u32(number).bytes(stand.tag).bytes(stand.leaf)
        continue
      }
      view.setUint32(at, number)
      view.setUint8(at + 4, stand.permitted ? 1 : 0)
      view.setUint32(at + 5, stand.rows)
      view.setUint32(at + 9, stand.words)
      at += STAND_BYTES
    }
    return encodeCbor(['set', fromHex(study), fromHex(root), atMs, stands.subarray(0, at), bare.finish()])
  }

  records(gone: (number: number) => ((study: StudyId, stand: Stand) => BareLeaf) | null): Uint8Array[] {
    const studies = [...this.#sets.keys()].sort(compareIds)
    return studies.flatMap((study) =>
      (this.#sets.get(study) ?? []).map((set) => {
        const changes = new Map<number, Stand | BareLeaf>()
        for (const [number, stand] of set.changes) {
          const leafOf = 'rows' in stand && stand.rows > 0 ? gone(number) : null
          changes.set(number, leafOf === null ? stand : leafOf(study, stand as Stand))
        }
        return this.record(set, changes)
      }),
    )
  }
}
