/** Which table this hospital bound to which study: kept by path and commitment, read again at each start, never copied or sent. */
import { randomBytes } from 'node:crypto'
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
import { readTableFile } from '../data/table.ts'
import type { StudyState } from '../governance/studies.ts'
import type { LogStore } from '../ledger/store.ts'
import { FENCED } from '../node/boot.ts'
import { STUDY_ENDED } from '../node/commands.ts'
import type { BoundDataset } from '../node/events.ts'
import type { BoundSubjects } from './consentDesk.ts'

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

const PREFIX = 'binding/'

/**
 * One per daemon. What was asked, salt, commitment and facts are stored; rows are held in memory alone. Binding a study again replaces its
 * table.
 */
export class Bindings {
  readonly #store: LogStore
  readonly #bound = new Map<StudyId, StoredBinding>()
  readonly #tables = new Map<StudyId, BoundSubjects>()

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

  /** Reads, checks and remembers a table; of the rows that `permitted` gives there are statistics. Errors: `data-…` of the readers, in one line that names row and column. */
  async bind(
    id: StudyId,
    study: Study,
    request: BindingRequest,
    permitted: (table: BoundSubjects) => Promise<Dataset>,
  ): Promise<{ facts: BoundDataset; summary: DatasetSummary }> {
    const salt = new Uint8Array(randomBytes(32))
    const { summary, commitment, ...table } = await read(study, request, salt)
    const { dataset } = table
    const { rows, trainRows } = dataset
    const facts = {
      study: id,
      commitment,
      rows,
      trainRows: trainRows.length,
      statistics: localStatistics(study, await permitted(table)),
    }
    const stored: StoredBinding = { ...request, salt: toHex(salt), commitment, facts }
    await this.#store.putState(new Map([[`${PREFIX}${id}`, encodeCbor(stored as unknown as Cbor)]]))
    this.#bound.set(id, stored)
    this.#tables.set(id, table)
    return { facts, summary }
  }

  /** The bound rows; read from the file once per start. Errors: `data-…`, `data-changed`. */
  async table(id: StudyId, study: Study): Promise<BoundSubjects> {
    const held = this.#tables.get(id)
    if (held !== undefined) return held
    const binding = this.#bound.get(id)
    if (binding === undefined)
      throw new ConsiliumError({ code: 'dataset-not-bound', message: `no table is bound to study ${id.slice(0, 12)}` })
    const { dataset, records, commitment } = await read(study, binding, fromHex(binding.salt))
    if (commitment !== binding.commitment) {
      throw new ConsiliumError({
        code: 'data-changed',
        message: `${binding.path}: the file is not the one that was bound; put it back, or bind it again: consilium study bind ${id.slice(0, 12)} --data ${binding.path}`,
      })
    }
    const table = { dataset, records }
    this.#tables.set(id, table)
    return table
  }
}

const BINDING_BYTES_MAX = 4_194_304 // three numbers for each of 10,000 features, and the column names

async function read(study: Study, request: BindingRequest, salt: Uint8Array) {
  const file = await readTableFile(request.path)
  const { columns, units, extra, subject } = request
  const bound = await bindTable(study, file, { columns, units, extra, ...(subject === undefined ? {} : { subject }) })
  return { ...bound, commitment: datasetCommitment(file.bytes, salt) }
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
