/** Which table this hospital bound to which study: kept by path and commitment, read again at each start, never copied or sent. */
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { Study } from '../config/study.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { bindTable } from '../data/bind.ts'
import type { Dataset } from '../data/dataset.ts'
import { datasetCommitment } from '../data/fingerprint.ts'
import { localStatistics } from '../data/statistics.ts'
import type { DatasetSummary } from '../data/summary.ts'
import { readTableFile, type TableFile } from '../data/table.ts'
import type { StudyState } from '../governance/studies.ts'
import type { LogStore } from '../ledger/store.ts'
import { FENCED } from '../node/boot.ts'
import { STUDY_ENDED } from '../node/commands.ts'
import type { BoundDataset } from '../node/events.ts'
import type { BoundSubjects } from './consentDesk.ts'
import type { Registered } from './datasetDesk.ts'
import type { DatasetVersion } from './datasetFiles.ts'

/** What the operator said about the table. */
export interface BindingRequest {
  /** Absolute path. */
  readonly path: string
  readonly columns: Readonly<Record<string, string>>
  readonly units: Readonly<Record<string, string>>
  readonly extra: 'refuse' | 'ignore'
  /** The column of record numbers, where the study asks patients. */
  readonly subject?: string
}

interface StoredBinding extends BindingRequest {
  readonly salt: string
  readonly commitment: Digest
  readonly facts: BoundDataset
}

/** Whom a binding asks about the table that it has read: whose rows may be told of, and which registered version it is. */
export interface BindingCounsel {
  readonly permitted: (table: BoundSubjects) => Promise<Dataset>
  readonly registered: (file: TableFile) => Promise<Registered | null>
}

const PREFIX = 'binding/'

/**
 * One per daemon. What was asked, salt, commitment and facts are stored; rows are held in memory alone. Binding a study again replaces its
 * table.
 */
export class Bindings {
  readonly #store: LogStore
  readonly #bound = new Map<StudyId, StoredBinding>()
  readonly #tables = new Map<StudyId, BoundSubjects>()
  /** What the file system said of a file when it was last found to be the one that was bound. */
  readonly #stamps = new Map<StudyId, string>()

  private constructor(store: LogStore) {
    this.#store = store
  }

  static async load(store: LogStore): Promise<Bindings> {
    const bindings = new Bindings(store)
    for (const [key, bytes] of await store.listState(PREFIX)) {
      bindings.#bound.set(
        key.slice(PREFIX.length) as StudyId,
        decodeCbor(bytes, BINDING_BYTES_MAX) as unknown as StoredBinding,
      )
    }
    return bindings
  }

  /** What the machine needs to know of the tables bound so far. */
  facts(): BoundDataset[] {
    return [...this.#bound.values()].map((binding) => binding.facts)
  }

  /** Reads, checks and remembers a table; of the rows that are permitted there are statistics. Errors: `data-…` of the readers, in one line that names row and column; `dataset-…`. */
  async bind(
    id: StudyId,
    study: Study,
    request: BindingRequest,
    counsel: BindingCounsel,
  ): Promise<{ facts: BoundDataset; summary: DatasetSummary; version: DatasetVersion | null }> {
    const salt = new Uint8Array(randomBytes(32))
    const { summary, commitment, file, ...table } = await read(study, request, salt)
    const found = await counsel.registered(file)
    const { version, entry } = found ?? { version: null, entry: null }
    const { dataset } = table
    const { rows, trainRows } = dataset
    const facts = {
      study: id,
      commitment,
      rows,
      trainRows: trainRows.length,
      statistics: localStatistics(study, await counsel.permitted(table)),
      ...(version === null || entry === null
        ? {}
        : { registered: { version: version.version, entry, dataset: version.dataset } }),
    }
    const stored: StoredBinding = { ...request, salt: toHex(salt), commitment, facts }
    await this.#store.putState(new Map([[`${PREFIX}${id}`, encodeCbor(stored as unknown as Cbor)]]))
    this.#bound.set(id, stored)
    this.#tables.set(id, table)
    return { facts, summary, version }
  }

  /** The bound rows; read from the file once per start. Errors: `data-…`, `data-changed`. */
  async table(id: StudyId, study: Study): Promise<BoundSubjects> {
    const held = this.#tables.get(id)
    if (held !== undefined) return held
    const binding = this.#bound.get(id)
    if (binding === undefined)
      throw new ConsiliumError({ code: 'dataset-not-bound', message: `no table is bound to study ${id.slice(0, 12)}` })
    const { dataset, records, commitment } = await read(study, binding, fromHex(binding.salt))
    if (commitment !== binding.commitment) throw changed(id, binding.path)
    const table = { dataset, records }
    this.#tables.set(id, table)
    return table
  }

  /**
   * The file of a bound table is still the one that was bound, though its rows are in memory: asked before each round, and read again only
   * where the file system says that something was written. Errors: `data-changed`, `data-file`, where it cannot be read.
   */
  async intact(id: StudyId): Promise<void> {
    const binding = this.#bound.get(id)
    if (binding === undefined) return
    const { path, salt, commitment } = binding
    const stamp = await stampOf(path)
    if (stamp !== null && this.#stamps.get(id) === stamp) return
    const file = await readTableFile(path)
    if (datasetCommitment(file.bytes, fromHex(salt)) !== commitment) throw changed(id, path)
    if (stamp !== null) this.#stamps.set(id, stamp)
  }
}

/** Of a file's content there is no writing that leaves the time of its last change as it was. */
async function stampOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null)
  return found === null ? null : `${found.dev} ${found.ino} ${found.size} ${found.ctimeNs} ${found.mtimeNs}`
}

function changed(id: StudyId, path: string): ConsiliumError {
  const message = `${path}: the file is not the one that was bound; put it back, or bind it again: consilium study bind ${id.slice(0, 12)} --data ${path}`
  return new ConsiliumError({ code: 'data-changed', message })
}

const BINDING_BYTES_MAX = 4_194_304 // three numbers for each of 10,000 features, and the column names

async function read(study: Study, request: BindingRequest, salt: Uint8Array) {
  const file = await readTableFile(request.path)
  const { columns, units, extra, subject } = request
  const bound = await bindTable(study, file, { columns, units, extra, ...(subject === undefined ? {} : { subject }) })
  return { ...bound, file, commitment: datasetCommitment(file.bytes, salt) }
}

/** Refuses before anything is remembered. Errors: `boot-fence`, `study-not-accepted`, `study-ended`. */
export function requireBindable(state: StudyState, self: MemberId, fenced: boolean): void {
  if (fenced) throw new ConsiliumError(FENCED)
  if (!state.accepted.has(self)) {
    throw new ConsiliumError({
      code: 'study-not-accepted',
      message: `accept the study before binding a table: consilium study accept ${state.id}`,
    })
  }
  if (state.ended.has(self)) throw new ConsiliumError({ code: 'study-ended', message: STUDY_ENDED })
}
