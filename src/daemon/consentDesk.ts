/** Says whose rows of this hospital's tables a study may use now: by the vault alone, whoever else can be reached. */
import type { Study } from '../config/study.ts'
import { invariant } from '../core/errors.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import type { Dataset } from '../data/dataset.ts'
import { permittedRows, rowsOfSubjects } from '../data/subjects.ts'
import { ConsentSet, type SetState } from '../governance/consentSet.ts'
import type { Stand } from '../governance/roundSets.ts'
import type { VaultBook } from '../governance/vaultBook.ts'
import type { AskPermitted, PermittedTable } from '../training/openRequest.ts'
import { Turns } from './turns.ts'
import type { VaultKeeper } from './vaultKeeper.ts'

/** A bound table, with the record numbers of its patients in the order of `dataset.subjects`. */
export interface BoundSubjects {
  readonly dataset: Dataset
  readonly records: readonly string[] | null
}

/** What a desk works with. */
export interface ConsentDeskParts {
  readonly self: MemberId
  readonly vault: VaultKeeper
  readonly study: (id: StudyId) => Study
  readonly table: (id: StudyId) => Promise<BoundSubjects>
}

/** Of one table: it lasts until another is bound, or somebody is forgotten. */
interface Held {
  readonly table: Dataset
  readonly book: VaultBook
  readonly set: ConsentSet
  view: Omit<PermittedTable, 'root' | 'table' | 'changesAtMs'> | null
}

/** One per daemon. */
export class ConsentDesk {
  readonly #parts: ConsentDeskParts
  readonly #held = new Map<StudyId, Held>()
  readonly #turns = new Turns<StudyId>()

  constructor(parts: ConsentDeskParts) {
    this.#parts = parts
  }

  /** What the trainer asks: evaluated now, and in the vault before it is answered, so that any round's root can be made again. */
  permitted: AskPermitted = ({ study, atMs, words }) =>
    this.#turns.run(study, async () => {
      const book = await this.#parts.vault.book(words)
      const held = await this.#heldOf(study, book)
      const state = held.set.update(atMs)
      await this.#keep(study, held.book, state, atMs)
      if (state.moved || held.view === null) held.view = this.#viewOf(study, held.table, held.set)
      return { ...held.view, table: held.table, root: state.root, changesAtMs: state.changesAtMs }
    })

  /** The rows of the bound table that may be used at that time: all of them where the study asks nobody. */
  async dataset(study: StudyId, atMs: number): Promise<Dataset> {
    if (this.#parts.study(study).consent === null) return (await this.#parts.table(study)).dataset
    return (await this.permitted({ study, atMs, words: 0 })).dataset
  }

  /** The rows of a table that is about to be bound which patients permit at that time: of these alone are counts and sums told. */
  async permittedOf(study: StudyId, { dataset, records }: BoundSubjects, atMs: number): Promise<Dataset> {
    if (this.#parts.study(study).consent === null) return dataset
    invariant(records !== null, 'a table of a study that asks patients has their record numbers')
    const set = this.#setOf(study, dataset, records, await this.#parts.vault.admit(records))
    set.update(atMs)
    return this.#viewOf(study, dataset, set).dataset
  }

  async #heldOf(study: StudyId, book: VaultBook): Promise<Held> {
    const { dataset, records } = await this.#parts.table(study)
    const held = this.#held.get(study)
    if (held !== undefined && held.table === dataset && held.book === book) return held
    invariant(records !== null, 'a table of a study that asks patients has their record numbers')
    const admitted = await this.#parts.vault.admit(records)
    const fresh = { table: dataset, book: admitted, set: this.#setOf(study, dataset, records, admitted), view: null }
    this.#held.set(study, fresh)
    return fresh
  }

  #setOf(id: StudyId, { subjects }: Dataset, records: readonly string[], book: VaultBook): ConsentSet {
    const { consent } = this.#parts.study(id)
    invariant(
      consent !== null && subjects !== undefined,
      'the study asks patients, and the table says whose its rows are',
    )
    const table = { records, rows: rowsOfSubjects(subjects, records.length) }
    return new ConsentSet({ id, consent }, this.#parts.self, table, book)
  }

  #viewOf(study: StudyId, dataset: Dataset, { permitted }: ConsentSet): NonNullable<Held['view']> {
    const found = permittedRows(dataset, permitted, this.#parts.study(study).minimumCohort)
    return { ...found, testRows: found.dataset.testRows.length }
  }

  /** A set whose root is the newest kept is there already: after a start everybody counts as changed. */
  async #keep(study: StudyId, book: VaultBook, { root, changes }: SetState, atMs: number): Promise<void> {
    const newest = book.sets.of(study).at(-1)
    if (newest?.root === root) return
    const before = newest === undefined ? null : book.sets.at(study, newest.root)
    const fresh = this.#held.get(study)?.view === null
    const told = fresh ? differences(before, changes) : changes
    await this.#parts.vault.write((now) => [now.sets.record({ study, root, atMs }, told)])
  }
}

const GONE: Stand = { permitted: false, rows: 0, words: 0 }

/** What of `now`, which names everybody, is not in `before` as it is; and who is not there any more. */
function differences(before: ReturnType<VaultBook['sets']['at']>, now: ReadonlyMap<number, Stand>): Map<number, Stand> {
  const told = new Map<number, Stand>()
  for (const [number, stand] of now) {
    const old = before?.get(number)
    const same = old !== undefined && 'rows' in old && isSame(old, stand)
    if (!same) told.set(number, stand)
  }
  for (const number of before?.keys() ?? []) if (!now.has(number)) told.set(number, GONE)
  return told
}

const isSame = (a: Stand, b: Stand): boolean => a.permitted === b.permitted && a.rows === b.rows && a.words === b.words
