/**
 * What a hospital opens to one patient: how the patient stood in each set that rounds rest on, and the path from the patient's own leaf to
 * the root that stands in those rounds' entries. It opens nothing of anybody else.
 */
import { toHex } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { LeafTree } from '../ledger/leafTree.ts'
import { leafAt } from './consentSet.ts'
import type { BareLeaf, Stand } from './roundSets.ts'
import type { VaultBook, VaultSubject } from './vaultBook.ts'

/** Of one set. */
export interface SubjectOpening extends Stand {
  readonly root: Digest
  readonly atMs: number
  /** Place of the patient's leaf in the tree of so many leaves, and the hashes beside the way up, lowest first. */
  readonly index: number
  readonly size: number
  readonly path: readonly Uint8Array[]
}

/** The openings of the sets of a study whose root is `wanted` and in which the patient was, oldest first. A set that the vault cannot make again is left out. */
export function* openingsOf(
  book: VaultBook,
  { number }: VaultSubject,
  { study, hospital, wanted }: { study: StudyId; hospital: MemberId; wanted: (root: Digest) => boolean },
): Generator<SubjectOpening> {
  const forest = new Forest((one, stand) => {
    const subject = book.bearing(one)
    return subject === undefined || 'leaf' in stand ? (stand as BareLeaf) : leafAt(subject, study, hospital, stand)
  })
  for (const { root, atMs, changes } of book.sets.of(study)) {
    forest.change(changes)
    const stand = forest.standOf(number)
    if (stand === undefined || 'leaf' in stand || !wanted(root)) continue
    const place = forest.place(number)
    if (place.root === root) yield { ...stand, ...place, root, atMs }
  }
}

interface Grown {
  readonly tree: LeafTree
  /** Of leaves, by their patients. */
  readonly places: ReadonlyMap<number, number>
}

/** The tree of one set after the other: grown anew where patients came or went, else changed leaf by leaf. */
class Forest {
  readonly #stands = new Map<number, Stand | BareLeaf>()
  readonly #leafOf: (number: number, stand: Stand | BareLeaf) => BareLeaf
  readonly #changed = new Set<number>()
  #grown: Grown | null = null

  constructor(leafOf: (number: number, stand: Stand | BareLeaf) => BareLeaf) {
    this.#leafOf = leafOf
  }

  standOf(number: number): Stand | BareLeaf | undefined {
    return this.#stands.get(number)
  }

  change(changes: ReadonlyMap<number, Stand | BareLeaf>): void {
    for (const [number, stand] of changes) {
      const gone = 'rows' in stand && stand.rows === 0
      if (gone === this.#stands.has(number)) this.#grown = null
      if (gone) this.#stands.delete(number)
      else this.#stands.set(number, stand)
      this.#changed.add(number)
    }
  }

  place(number: number): Pick<SubjectOpening, 'index' | 'size' | 'path' | 'root'> {
    const { tree, places } = this.#grown ?? this.#grow()
    const changed = [...this.#changed].flatMap((one): [number, number][] => {
      const place = places.get(one)
      return place === undefined ? [] : [[place, one]]
    })
    const numbers = new Map(changed)
    const sorted = [...numbers.keys()].sort((a, b) => a - b)
    tree.update(sorted, (place) => this.#leaf(numbers.get(place) as number))
    this.#changed.clear()
    const index = places.get(number)
    invariant(index !== undefined, 'who is in a set has a leaf')
    return { index, size: tree.size, path: tree.path(index), root: toHex(tree.root()) as Digest }
  }

  #leaf(number: number): Uint8Array {
    return this.#leafOf(number, this.#stands.get(number) as Stand | BareLeaf).leaf
  }

  #grow(): Grown {
    const leaves = [...this.#stands].map(([number, stand]) => ({ number, ...this.#leafOf(number, stand) }))
    leaves.sort((a, b) => Buffer.compare(a.tag, b.tag))
    const hashes = new Uint8Array(leaves.length * 32)
    for (const [i, { leaf }] of leaves.entries()) hashes.set(leaf, i * 32)
    this.#changed.clear()
    const grown = { tree: new LeafTree(hashes), places: new Map(leaves.map(({ number }, i) => [number, i])) }
    this.#grown = grown
    return grown
  }
}
