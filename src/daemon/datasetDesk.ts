/** Registers the hospital's tables, says what of them changed since, and of which version a file is. Rows stay; roots and counts are told. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { equalBytes, fromHex, toHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { readProvenance } from '../data/fhirProvenance.ts'
import {
  type CommittedRow,
  datasetSecretHash,
  KEY_HASH_BYTES,
  type RegisteredColumn,
  ROW_BYTES,
  scanRows,
  schemaCommitment,
} from '../data/rowCommitments.ts'
import { type Differences, RowComparison, type RowManifest } from '../data/rowDifferences.ts'
import { readTableFile, type TableFile } from '../data/table.ts'
import { roundedRows, toldRows } from '../governance/datasets.ts'
import { type DatasetSource, PUBLISHED } from '../governance/kinds/datasets.ts'
import { type Body, type Kind, readBody } from '../governance/kinds.ts'
import { type Finding, lintText } from '../governance/privacyLint.ts'
import type { Ref } from '../ledger/entry.ts'
import { Frontier, leafHash } from '../ledger/merkle.ts'
import { FENCED } from '../node/boot.ts'
import { DATASET_NAME, DatasetFiles, type DatasetVersion } from './datasetFiles.ts'
import { Kinship, ofSameBytes } from './datasetKin.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import { entriesOf, entryWith } from './logSlices.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

/** What a desk needs of its daemon. `writer` is null until the daemon may sign. */
export interface DatasetDeskParts {
  readonly home: {
    readonly paths: { readonly datasets: string }
    readonly key: { readonly id: MemberId }
    readonly dataKey: Uint8Array | null
    readonly config: {
      readonly datasets: { readonly registered: 'optional' | 'required' }
      readonly counts: { readonly minimumCohort: number }
    }
  }
  readonly logs: Pick<Logs, 'sizeOf' | 'entries'>
  readonly writer: Pick<LedgerWriter, 'record' | 'flush'> | null
}

/** What the operator says of a table. Paths are absolute. Of a later version what is null is as before. */
export interface RegisterRequest {
  readonly name: string
  readonly path: string
  readonly query: string | null
  readonly provenance: string | null
  readonly source: DatasetSource | null
  readonly keyColumn: string | null
  readonly units: Readonly<Record<string, string>>
  readonly publish: boolean
}

/** A version, and the entry that registered it: null where a stop came before it. */
export interface Registered {
  readonly version: DatasetVersion
  readonly entry: Ref | null
}

/** What a comparison found, with how the columns differ. */
export interface Compared {
  readonly differences: Differences
  readonly rows: number
  readonly gone: readonly string[]
  readonly came: readonly string[]
}

const KINSHIP = '/' // a turn that no name of a dataset is
const TEXT_BYTES_MAX = 16_777_216 // of a query or a resource: no person wrote more

/** One per daemon. */
export class DatasetDesk {
  readonly #parts: DatasetDeskParts
  readonly #turns = new Turns<string>()
  /** Own registrations by root, read so far. */
  readonly #entries = new Map<Digest, Ref>()
  #readTo = 0
  /** As it was found last; null after a table was registered. */
  #kinship: Kinship | null = null

  constructor(parts: DatasetDeskParts) {
    this.#parts = parts
  }

  get #files(): DatasetFiles {
    const { paths, dataKey } = this.#parts.home
    return new DatasetFiles(paths.datasets, dataKey)
  }

  /** No number of rows below it is told. */
  get #cohort(): number {
    return this.#parts.home.config.counts.minimumCohort
  }

  /**
   * Commits to a table, and says so in the log. Errors: `dataset-name`, `dataset-unchanged`, `dataset-schema`, `dataset-personal-data`,
   * `boot-fence`, `fhir-…`, `file-…`, those of `scanRows`.
   */
  async register(request: RegisterRequest): Promise<Registered> {
    const { name } = request
    if (!DATASET_NAME.test(name)) {
      const message = `--name: ${JSON.stringify(name.slice(0, 80))} was given, up to 64 small letters, digits, ".", "-" and "_" are allowed, such as stroke-2026`
      throw new ConsiliumError({ code: 'dataset-name', message })
    }
    return this.#turns.run(name, async () => {
      if (this.#parts.writer === null) throw new ConsiliumError(FENCED)
      const file = await readTableFile(request.path)
      const before = (await this.#files.versions(name)).at(-1) ?? null
      const { version, manifest } = await versionOf(file, request, before)
      if (before?.version === version.version) return this.#again(before, request)
      const drafted = draftOf(version, this.#cohort)
      const written = await this.#write(file, version, manifest)
      return this.#record(written, drafted, before)
    })
  }

  /** Looks for kin and keeps it in one turn: of two tables at once the second finds the first. */
  async #write(file: TableFile, version: DatasetVersion, manifest: RowManifest): Promise<DatasetVersion> {
    return this.#turns.run(KINSHIP, async () => {
      const all = await this.all()
      const same = await ofSameBytes(file, version.dataset, all)
      const kin = new Kinship([...all, { ...version, kin: same }]).of(version.dataset)
      await this.#files.write({ ...version, kin }, manifest)
      this.#kinship = null
      return { ...version, kin }
    })
  }

  /** What of a version is not as it was; the log is told how many rows. Errors: those of `scanRows`, `dataset-…`, `boot-fence`. */
  async verify(version: DatasetVersion, path: string): Promise<Compared & { readonly entry: Ref }> {
    const file = await readTableFile(path)
    const comparison = new RowComparison(await this.#files.manifest(version))
    const { secret, columns: before, keyColumn } = version
    const { rows, columns } = await scanRows(file, { secret, keyColumn, before, lenient: true }, comparison.take)
    const differences = comparison.differences()
    const { changed, added, removed, movedLine } = differences
    const told = (count: number): number | null => toldRows(count, this.#cohort)
    const body: Body<'dataset.verified'> = {
      ...{ dataset: fromHex(version.dataset), version: fromHex(version.version) },
      ...{ changed: told(changed), added: told(added), removed: told(removed), moved: movedLine !== null },
    }
    const cited = await this.entryOf(version.version)
    const entry = await this.#tell('dataset.verified', body, cited === null ? [] : [cited])
    const [old, now] = [before, columns].map((list) => list.map(({ name }) => name)) as [string[], string[]]
    const [gone, came] = [old.filter((name) => !now.includes(name)), now.filter((name) => !old.includes(name))]
    return { differences, rows, entry, gone, came }
  }

  /** All of them, by name and number. Errors: those of `DatasetFiles`. */
  async all(): Promise<DatasetVersion[]> {
    const found: DatasetVersion[] = []
    for (const name of await this.#files.names()) found.push(...(await this.#files.versions(name)))
    return found
  }

  /**
   * Datasets that share one budget with this: it, those that are the same table under other names, and whatever was `told` of that is registered
   * here no more, for nobody knows which table that was. Errors: those of `DatasetFiles`.
   */
  async sharing(dataset: Digest, told: readonly Digest[]): Promise<Digest[]> {
    const kinship = await this.#turns.run(KINSHIP, async () => {
      if (this.#kinship?.knows(dataset) !== true) this.#kinship = new Kinship(await this.all())
      return this.#kinship
    })
    return [...new Set([dataset, ...kinship.of(dataset), ...told.filter((one) => !kinship.knows(one))])]
  }

  /** The version that is meant by NAME or NAME@NUMBER. Errors: `dataset-unknown`. */
  async find(ref: string): Promise<DatasetVersion> {
    const [, name = '', number] = /^(.*?)(?:@(\d{1,9}))?$/.exec(ref) ?? []
    const versions = DATASET_NAME.test(name) ? await this.#files.versions(name) : []
    const found = number === undefined ? versions.at(-1) : versions.find((one) => one.number === Number(number))
    if (found !== undefined) return found
    const names = await this.#files.names()
    const known =
      versions.length > 0
        ? `it has versions 1 to ${versions.length}`
        : names.length === 0
          ? 'none is registered yet: consilium dataset register FILE --name NAME'
          : `there are ${names.slice(0, 10).join(', ')}`
    const message = `"${ref.slice(0, 80)}" is no registered dataset: ${known}`
    throw new ConsiliumError({ code: 'dataset-unknown', message })
  }

  /** The file of a version, which must be what was registered. Errors: `dataset-changed`, those of `readTableFile`. */
  async table({ path, secret, file: registered, name, number }: DatasetVersion): Promise<TableFile> {
    const file = await readTableFile(path)
    if (equalBytes(datasetSecretHash(secret, 'datasetFile', file.bytes), registered)) return file
    const message = `${path}: is not the table that was registered as ${name}@${number}: put that back, or register it again: consilium dataset register ${path} --name ${name}`
    throw new ConsiliumError({ code: 'dataset-changed', message })
  }

  /** The newest registered version that has exactly these bytes, or null. Error: `dataset-not-registered`, where config.yaml asks for one. */
  async registered(file: TableFile): Promise<Registered | null> {
    for (const name of await this.#files.names()) {
      const versions = await this.#files.versions(name)
      const [first] = versions
      if (first === undefined) continue
      const commitment = datasetSecretHash(first.secret, 'datasetFile', file.bytes)
      const version = versions.findLast((one) => equalBytes(one.file, commitment))
      const entry = version === undefined ? null : await this.entryOf(version.version)
      if (version !== undefined && entry !== null) return { version, entry }
    }
    if (this.#parts.home.config.datasets.registered === 'optional') return null
    const message = `${file.name}: is no registered version of a dataset, and config.yaml asks for one (datasets.registered): consilium dataset register ${file.name} --name NAME`
    throw new ConsiliumError({ code: 'dataset-not-registered', message })
  }

  /** The own entry that registered this root, the newest of several; null where the log has none. */
  async entryOf(version: Digest): Promise<Ref | null> {
    await this.#turns.run('', async () => {
      const { logs, home } = this.#parts
      const { size: to } = logs.sizeOf(home.key.id)
      const told = entriesOf(logs, home.key.id, REGISTERED, { from: this.#readTo, to })
      for await (const { author, seq, hash, kind, body } of told) {
        const read = readBody(kind as (typeof REGISTERED)[number], body)
        if (read !== null) this.#entries.set(toHex(read.version) as Digest, [author, seq, hash])
      }
      this.#readTo = to
    })
    return this.#entries.get(version) ?? null
  }

  /** The same content once more: told now where a stop came between, else refused. */
  async #again(before: DatasetVersion, { path }: RegisterRequest): Promise<Registered> {
    if ((await this.entryOf(before.version)) === null) return this.#record(before, draftOf(before, this.#cohort), null)
    const { name, number, registeredAtMs } = before
    const since = new Date(registeredAtMs).toISOString().slice(0, 10)
    const message = `${path}: has the rows of ${name}@${number}, registered on ${since}: nothing has changed, so nothing was recorded`
    throw new ConsiliumError({ code: 'dataset-unchanged', message })
  }

  async #record(
    version: DatasetVersion,
    body: Body<'dataset.registered'>,
    before: DatasetVersion | null,
  ): Promise<Registered> {
    const cited = before === null ? null : await this.entryOf(before.version)
    return { version, entry: await this.#tell('dataset.registered', body, cited === null ? [] : [cited]) }
  }

  /** Records one entry, and gives its place. */
  async #tell<K extends Kind>(kind: K, body: Body<K>, refs: readonly Ref[]): Promise<Ref> {
    const { writer, logs, home } = this.#parts
    if (writer === null) throw new ConsiliumError(FENCED)
    const from = logs.sizeOf(home.key.id).size
    writer.record(
      'dataset',
      [{ kind, study: null, timeMs: Date.now(), refs, body: body as unknown as Cbor }],
      new Map(),
    )
    await writer.flush()
    const found = await entryWith(logs, home.key.id, { kind, body: body as unknown as Cbor, from })
    if (found !== null) return [found.author, found.seq, found.hash]
    throw new ConsiliumError({
      code: 'internal',
      message: `the entry of kind ${kind} that was written is not in the log`,
    })
  }
}

const REGISTERED = ['dataset.registered'] as const

/** A version of the table in `file`, the next after `before`, with the commitments to its rows. */
async function versionOf(
  file: TableFile,
  request: RegisterRequest,
  before: DatasetVersion | null,
): Promise<{ readonly version: DatasetVersion; readonly manifest: RowManifest }> {
  const { name, path, publish, units } = request
  const secret = before?.secret ?? random()
  const rows = new RowCollector()
  const { columns, keyColumn } = await scanRows(
    file,
    { secret, keyColumn: request.keyColumn ?? before?.keyColumn ?? null, units, before: before?.columns ?? [] },
    rows.take,
  )
  const { query, origin } = await saidOf(request, secret)
  const version: DatasetVersion = {
    ...{ name, secret, columns, keyColumn, path, query, origin },
    number: (before?.number ?? 0) + 1,
    dataset: before?.dataset ?? (toHex(random()) as Digest),
    version: toHex(rows.root()) as Digest,
    previous: before?.version ?? null,
    rows: rows.count,
    source: request.source ?? before?.source ?? 'other',
    file: datasetSecretHash(secret, 'datasetFile', file.bytes),
    published: publish,
    registeredAtMs: Date.now(),
  }
  return { version, manifest: rows.manifest() }
}

async function saidOf({ query, provenance }: RegisterRequest, secret: Uint8Array) {
  const sql = query === null ? null : await readSaid(query, '--query')
  const resource = provenance === null ? null : await readSaid(provenance, '--fhir-provenance')
  return {
    query: sql === null ? null : datasetSecretHash(secret, 'datasetQuery', sql),
    origin:
      resource === null
        ? null
        : {
            ...readProvenance(resource.toString('utf8'), provenance as string),
            commitment: datasetSecretHash(secret, 'datasetOrigin', resource),
          },
  }
}

/** Errors: `file-unreadable`, `dataset-too-large`. */
async function readSaid(path: string, option: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    const message = `${option} ${path}: cannot be read (${error.code ?? error.message}); check the path and its permissions`
    throw new ConsiliumError({ code: 'file-unreadable', message })
  })
  if (bytes.length <= TEXT_BYTES_MAX) return bytes
  const message = `${option} ${path}: ${bytes.length} bytes, at most ${TEXT_BYTES_MAX} are allowed: is it the right file?`
  throw new ConsiliumError({ code: 'dataset-too-large', message })
}

/** The entry of a version. Errors: `dataset-schema`, `dataset-personal-data`. */
function draftOf(version: DatasetVersion, cohort: number): Body<'dataset.registered'> {
  const { dataset, version: root, previous, rows, columns, secret, source, query, origin, published } = version
  return {
    ...{ dataset: fromHex(dataset), version: fromHex(root), previous: previous === null ? null : fromHex(previous) },
    ...{ rows: roundedRows(rows, cohort), columns: columns.length, schema: schemaCommitment(secret, columns) },
    ...{ source, query, provenance: origin?.commitment ?? null },
    ...(published ? { published: publishedOf(columns) } : {}),
  }
}

function publishedOf(columns: DatasetVersion['columns']): NonNullable<Body<'dataset.registered'>['published']> {
  const { columnsMax, nameBytesMax, unitBytesMax } = PUBLISHED
  const isLong = ({ name, unit }: RegisteredColumn): boolean =>
    Buffer.byteLength(name) > nameBytesMax || Buffer.byteLength(unit) > unitBytesMax
  if (columns.length > columnsMax || columns.some(isLong)) {
    const message = `--publish-schema: at most ${columnsMax} columns with names of ${nameBytesMax} bytes and units of ${unitBytesMax} fit an entry: leave it out`
    throw new ConsiliumError({ code: 'dataset-schema', message })
  }
  const finding = (column: RegisteredColumn): Finding | null => lintText([column.name, column.unit])
  const at = columns.findIndex((column) => finding(column) !== null)
  if (at < 0) return columns.map(({ name, unit, kind }) => [name, unit, kind])
  const found = finding(columns[at] as RegisteredColumn) as Finding
  const message = `--publish-schema: column ${at + 1} holds what looks like ${found.what}, and an entry is copied to every member for good: rename it, or leave the option out`
  throw new ConsiliumError({ code: 'dataset-personal-data', message })
}

const random = (): Uint8Array => new Uint8Array(randomBytes(32))

const ROWS_AT_FIRST = 1_024

/** Keeps what a version has of its rows, and their tree. */
class RowCollector {
  readonly #tree = new Frontier()
  #commitments = new Uint8Array(ROWS_AT_FIRST * ROW_BYTES)
  #keys = new Uint8Array(ROWS_AT_FIRST * KEY_HASH_BYTES)
  #lines = new Uint32Array(ROWS_AT_FIRST)
  #keyed = false
  count = 0

  take = ({ commitment, key, line }: CommittedRow): void => {
    if (this.count === this.#lines.length) this.#grow()
    this.#tree.append(leafHash(commitment))
    this.#commitments.set(commitment, this.count * ROW_BYTES)
    if (key !== null) this.#keys.set(key, this.count * KEY_HASH_BYTES)
    this.#keyed ||= key !== null
    this.#lines[this.count++] = line
  }

  root(): Uint8Array {
    return this.#tree.root()
  }

  manifest(): RowManifest {
    return {
      rows: this.count,
      commitments: this.#commitments.slice(0, this.count * ROW_BYTES),
      keys: this.#keyed ? this.#keys.slice(0, this.count * KEY_HASH_BYTES) : null,
      lines: this.#lines.slice(0, this.count),
    }
  }

  #grow(): void {
    const { length } = this.#lines
    this.#commitments = grown(this.#commitments, new Uint8Array(length * 2 * ROW_BYTES))
    this.#keys = grown(this.#keys, new Uint8Array(length * 2 * KEY_HASH_BYTES))
    this.#lines = grown(this.#lines, new Uint32Array(length * 2))
  }
}

function grown<A extends Uint8Array | Uint32Array>(from: A, to: A): A {
  to.set(from)
  return to
}
