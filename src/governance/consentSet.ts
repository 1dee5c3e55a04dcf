/** Whose rows of one bound table a study may use now, and the Merkle root over that; after the first time only what changed is looked at. */

import { toHex } from '../core/bytes.ts'
import { invariant } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LeafTree } from '../ledger/leafTree.ts'
import { type ConsentQuestion, consentOf, TAG_BYTES } from './consent.ts'
import { consentLeaf, historyOf, leafContext, leafSecrets, SALT_BYTES } from './consentLeaf.ts'
import type { BareLeaf, Stand } from './roundSets.ts'
import type { VaultBook, VaultSubject } from './vaultBook.ts'

/** A table's patients, in the order in which its rows name them. */
export interface TableSubjects {
  readonly records: readonly string[]
  /** Rows of each. */
  readonly rows: Uint32Array
}

/** What holds at one time. */
export interface SetState {
  readonly root: Digest
  /** How those stand who stand otherwise than when last asked; all at the first time. By their number in the vault. */
  readonly changes: ReadonlyMap<number, Stand>
  /** Whether anybody's permission changed. */
  readonly moved: boolean
  /** When it may change although nobody says anything. */
  readonly changesAtMs: number | null
}

const NEVER = Number.POSITIVE_INFINITY
const HASH_BYTES = 32

/** One per table and study. All of the table's patients must be in the book, but for those who were forgotten. */
export class ConsentSet {
  readonly #question: ConsentQuestion
  readonly #context: Uint8Array
  readonly #book: VaultBook
  readonly #rows: Uint32Array
  /** 1 where the patient's rows may be used; by the table's order. */
  readonly permitted: Uint8Array
  readonly #changesAtMs: Float64Array
  readonly #subjects: (VaultSubject | null)[]
  readonly #placeOf = new Map<number, number>()
  readonly #salts: Uint8Array
  readonly #tags: Uint8Array
  /** Places of the table by place in the tree, and the other way round. */
  #order: Uint32Array = new Uint32Array(0)
  readonly #leafOf: Uint32Array
  #tree: LeafTree | null = null
  #spoken = 0

  constructor(question: ConsentQuestion, hospital: MemberId, table: TableSubjects, book: VaultBook) {
    const { records, rows } = table
    this.#question = question
    this.#context = leafContext(question.id, hospital)
    this.#book = book
    this.#rows = rows
    this.permitted = new Uint8Array(records.length)
    this.#changesAtMs = new Float64Array(records.length).fill(NEVER)
    this.#salts = new Uint8Array(records.length * SALT_BYTES)
    this.#tags = new Uint8Array(records.length * TAG_BYTES)
    this.#leafOf = new Uint32Array(records.length)
    this.#subjects = records.map((record) => book.subject(record) ?? null)
    for (const [place, subject] of this.#subjects.entries()) {
      if (subject !== null) this.#placeOf.set(subject.number, place)
      else invariant(book.isForgotten(records[place] as string), 'a table’s patients are in the vault')
    }
  }

  /** Evaluates whose word or time has come since the last call, and what the root is then. */
  update(nowMs: number): SetState {
    const first = this.#tree === null
    const due = first ? this.#subjects.keys() : this.#due(nowMs)
    this.#spoken = this.#book.spoken
    const changes = new Map<number, Stand>()
    const places: number[] = []
    let moved = false
    for (const place of due) {
      const subject = this.#subjects[place]
      if (subject === null || subject === undefined) continue
      const before = this.permitted[place]
      this.#judge(place, subject, nowMs)
      if (before !== this.permitted[place]) moved = true
      changes.set(subject.number, this.#standOf(place, subject))
      places.push(place)
    }
    if (first) this.#plant(places)
    else this.#replant(places)
    return {
      root: toHex((this.#tree as LeafTree).root()) as Digest,
      changes,
      moved: moved || first,
      changesAtMs: this.#nextMs(),
    }
  }

  /** Places of who spoke since, and of those whose time has come. */
  #due(nowMs: number): Set<number> {
    const due = new Set<number>()
    for (const number of this.#book.spokenSince(this.#spoken)) {
      const place = this.#placeOf.get(number)
      if (place !== undefined) due.add(place)
    }
    for (let place = 0; place < this.#changesAtMs.length; place++)
      if ((this.#changesAtMs[place] as number) <= nowMs) due.add(place)
    return due
  }

  #judge(place: number, { decisions }: VaultSubject, nowMs: number): void {
    const verdict = consentOf(decisions, this.#question, nowMs)
    this.permitted[place] = verdict.permitted ? 1 : 0
    this.#changesAtMs[place] = verdict.changesAtMs ?? NEVER
  }

  #standOf(place: number, { words }: VaultSubject): Stand {
    return { permitted: this.permitted[place] === 1, rows: this.#rows[place] as number, words: words.length }
  }

  #plant(places: readonly number[]): void {
    for (const place of places) {
      const { tag, salt } = leafSecrets((this.#subjects[place] as VaultSubject).key, this.#context)
      this.#tags.set(tag, place * TAG_BYTES)
      this.#salts.set(salt, place * SALT_BYTES)
    }
    this.#order = byTag(places, this.#tags)
    const leaves = new Uint8Array(this.#order.length * HASH_BYTES)
    for (let leaf = 0; leaf < this.#order.length; leaf++) {
      const place = this.#order[leaf] as number
      this.#leafOf[place] = leaf
      leaves.set(this.#leaf(place), leaf * HASH_BYTES)
    }
    this.#tree = new LeafTree(leaves)
  }

  #replant(places: readonly number[]): void {
    const leaves = places.map((place) => this.#leafOf[place] as number).sort(compareIds)
    this.#tree?.update(leaves, (leaf) => this.#leaf(this.#order[leaf] as number))
  }

  #leaf(place: number): Uint8Array {
    return consentLeaf({
      tag: this.#tags.subarray(place * TAG_BYTES, (place + 1) * TAG_BYTES),
      salt: this.#salts.subarray(place * SALT_BYTES, (place + 1) * SALT_BYTES),
      permitted: this.permitted[place] === 1,
      rows: this.#rows[place] as number,
      history: (this.#subjects[place] as VaultSubject).history,
    })
  }

  #nextMs(): number | null {
    let next = NEVER
    for (const time of this.#changesAtMs) if (time < next) next = time
    return next === NEVER ? null : next
  }
}

/** Places in the order of their tags: by the first six bytes, which tell nearly all apart, then by the rest. */
function byTag(places: readonly number[], tags: Uint8Array): Uint32Array {
  const buffer = Buffer.from(tags.buffer, tags.byteOffset, tags.byteLength)
  const heads = new Float64Array(tags.length / TAG_BYTES)
  for (const place of places) heads[place] = buffer.readUIntBE(place * TAG_BYTES, 6)
  const rest = (a: number, b: number): number =>
    buffer.compare(buffer, b * TAG_BYTES, (b + 1) * TAG_BYTES, a * TAG_BYTES, (a + 1) * TAG_BYTES)
  return Uint32Array.from(places).sort((a, b) => (heads[a] as number) - (heads[b] as number) || rest(a, b))
}

/** The leaf that a patient had: for rounds of before, and for who is to be forgotten. */
export function leafAt(
  subject: VaultSubject,
  study: ConsentQuestion['id'],
  hospital: MemberId,
  stand: Stand,
): BareLeaf {
  const secrets = leafSecrets(subject.key, leafContext(study, hospital))
  const history = historyOf(subject.words.slice(0, stand.words).map(({ commitment }) => commitment))
  return { tag: secrets.tag, leaf: consentLeaf({ ...secrets, ...stand, history }) }
}

/** The root over leaves, whatever their order. */
export function rootOver(leaves: readonly BareLeaf[]): Digest {
  const sorted = [...leaves].sort((a, b) => Buffer.compare(a.tag, b.tag))
  const hashes = new Uint8Array(sorted.length * HASH_BYTES)
  for (const [i, { leaf }] of sorted.entries()) hashes.set(leaf, i * HASH_BYTES)
  return toHex(new LeafTree(hashes).root()) as Digest
}
