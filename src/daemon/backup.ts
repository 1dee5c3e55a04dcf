/**
 * Backups of a data folder: one file with a copy of the database as it was at one moment, the vaults, registered versions of tables and the settings. What is secret in it lies
 * sealed, and the key file that opens it is not in it. What was done while nothing could be signed is told at the next start.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { VERSION } from '../config/version.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Draft } from '../node/actions.ts'
import { type BackupPart, rowParts, writeBackup } from '../store/backupFile.ts'
import { LevelStore } from '../store/levelStore.ts'
import { sealedUnder } from '../store/sealedKey.ts'
import type { BackupReport, Finding } from './api.ts'
import { DatasetFiles } from './datasetFiles.ts'
import { exists, readText, writeAtomically, writeNewFrom } from './files.ts'
import { type Home, openHome } from './home.ts'
import type { HomePaths } from './homePaths.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import { vaultIn } from './vaultKeeper.ts'

type Row = readonly [Uint8Array, Uint8Array]

/** What was done to a folder, to be told in its log: a backup was made then, or the folder comes from one that was. */
export interface Untold {
  readonly kind: 'operator.backup' | 'operator.restored'
  readonly timeMs: number
  readonly entries: number
}

/** The files of a data folder that a backup has, beside the database, the registered tables and the vaults. */
export const BACKED_UP = ['member.key', 'data.key', 'config.yaml', 'consortium.yaml', 'acceptance', 'card.txt'] as const
const NEWEST = 'backup/newest'

/** What a running daemon lends. */
export interface BackupsParts {
  readonly home: Home
  readonly store: Pick<LogStore, 'heads' | 'getState' | 'putState'>
  /** Everything in the database, as it is at one moment. */
  readonly rows: () => AsyncIterable<Row>
  /** The vault's file when nobody writes to it; null where there is none. */
  readonly vault: () => Promise<Uint8Array | null>
  readonly writer: () => Pick<LedgerWriter, 'record' | 'flush'> | null
  readonly uses: { tell(): Promise<void> }
}

/** One per daemon. */
export class Backups {
  readonly #parts: BackupsParts
  #telling: Promise<void> | null = null

  constructor(parts: BackupsParts) {
    this.#parts = parts
  }

  /** Writes a backup to the new file `path`, and tells of it. Errors: `file-exists`, `disk-full`, `file-not-writable`, `backup-unsealed`. */
  async make(path: string): Promise<BackupReport> {
    const { home, store } = this.#parts
    // else a restored node, whose log comes back from the others, would tell of them again; what cannot be told of now is in its file
    await this.#parts.uses.tell().catch(() => undefined)
    const timeMs = Date.now()
    const entries = await entriesIn(store)
    await writeTo(path, home, timeMs, this.#parts.rows, this.#parts.vault)
    const recorded = await this.#tell([{ kind: 'operator.backup', timeMs, entries }])
    return { path, entries, recorded }
  }

  /** Tells in the log what was done while no node ran; once, as soon as it may be signed. */
  tellUntold(): Promise<void> {
    if (this.#parts.writer() === null) return Promise.resolve()
    this.#telling ??= this.#tellUntold()
    return this.#telling
  }

  /** When the newest backup was made, in `doctor`'s words. */
  async finding(): Promise<Finding> {
    const bytes = await this.#parts.store.getState(NEWEST)
    const check = 'backup'
    if (bytes === undefined)
      return {
        check,
        ok: true,
        text: 'none was made here yet: consilium backup --out FILE; without the key file nobody can open it',
      }
    const [timeMs, entries] = decodeCbor(bytes) as [number, number]
    const days = Math.max(0, Math.floor((Date.now() - timeMs) / 86_400_000))
    const age = days === 0 ? 'less than a day old' : `${days} days old`
    return { check, ok: true, text: `the newest is ${age}, with ${entries} entries` }
  }

  async #tellUntold(): Promise<void> {
    const { untold } = this.#parts.home.paths
    if (!(await exists(untold))) return
    await this.#tell(untoldIn(await readFile(untold)))
    await rm(untold, { force: true })
  }

  /** Whether it could be recorded; if not, the next start does. */
  async #tell(done: readonly Untold[]): Promise<boolean> {
    const writer = this.#parts.writer()
    const newest = done.at(-1)
    const state = new Map(newest === undefined ? [] : [[NEWEST, encodeCbor([newest.timeMs, newest.entries])]])
    if (writer === null) {
      await this.#parts.store.putState(state)
      for (const one of done) await leaveUntold(this.#parts.home.paths, one)
      return false
    }
    writer.record('backup', done.map(draftOf), state)
    await writer.flush()
    return true
  }
}

/** The same while no daemon runs; it is told at the next start. Errors: those of `openHome`, the store's, those of `Backups.make`. */
export async function backUpStopped(folder: string, path: string): Promise<BackupReport> {
  const home = await openHome(folder)
  const store = await LevelStore.open(home.paths.database, { self: home.key.id })
  try {
    const timeMs = Date.now()
    const entries = await entriesIn(store)
    await writeTo(
      path,
      home,
      timeMs,
      () => store.rows(),
      () => vaultIn(home.paths.vault),
    )
    await leaveUntold(home.paths, { kind: 'operator.backup', timeMs, entries })
    return { path, entries, recorded: false }
  } finally {
    await store.close()
  }
}

/** Adds to what the next start tells. */
export async function leaveUntold({ untold }: Pick<HomePaths, 'untold'>, one: Untold): Promise<void> {
  const before = (await exists(untold)) ? untoldIn(await readFile(untold)) : []
  await writeAtomically(untold, encodeCbor([...before, one].map(plainOf)), 0o600)
}

async function writeTo(
  path: string,
  home: Home,
  timeMs: number,
  rows: () => AsyncIterable<Row>,
  vault: () => Promise<Uint8Array | null>,
): Promise<void> {
  await requireSealed(home.paths)
  await writeNewFrom(path, writeBackup(partsOf(home, timeMs, rows, vault)), 0o600)
}

/**
 * The vault last: one that is older than the database would have lost words that the log tells of. The journal of predictions is read first: of
 * what the database tells by then nothing is told again.
 */
async function* partsOf(
  { key, dataKey, paths }: Home,
  timeMs: number,
  rows: () => AsyncIterable<Row>,
  vault: () => Promise<Uint8Array | null>,
): AsyncIterable<BackupPart> {
  const uses = await vaultIn(paths.uses)
  yield { type: 'about', about: { software: VERSION, member: key.id, timeMs } }
  yield* rowParts(rows())
  if (uses !== null && uses.length > 0) yield { type: 'file', name: 'uses', bytes: uses }
  for (const name of BACKED_UP) {
    const path = join(paths.folder, name)
    if (await exists(path)) yield { type: 'file', name, bytes: new Uint8Array(await readFile(path)) }
  }
  const datasets = new DatasetFiles(paths.datasets, dataKey)
  await datasets.sealAll()
  for (const name of await datasets.paths())
    yield { type: 'file', name, bytes: new Uint8Array(await readFile(join(paths.folder, name))) }
  const people = await vaultIn(paths.people) // a record that is being written while it is read is cut short, and dropped when it is opened
  if (people !== null) yield { type: 'file', name: 'people', bytes: people }
  const bytes = await vault()
  if (bytes !== null) yield { type: 'file', name: 'vault', bytes }
}

/** A backup is copied about: no key lies plain in one. Error: `backup-unsealed`. */
async function requireSealed({ key, dataKey }: HomePaths): Promise<void> {
  for (const path of [key, dataKey]) {
    const text = (await exists(path)) ? await readText(path, 'key', 'restore it from its backup') : ''
    if (sealedUnder(text) !== null) continue
    const message = `${path}: is not sealed, and a backup would give it to whoever copies it; run "consilium keys seal" first, and restart the node`
    throw new ConsiliumError({ code: 'backup-unsealed', message })
  }
}

async function entriesIn(store: Pick<LogStore, 'heads'>): Promise<number> {
  return (await store.heads()).reduce((sum, { size }) => sum + size, 0)
}

function draftOf({ kind, timeMs, entries }: Untold): Draft {
  const none = { study: null, refs: [] } as const
  if (kind === 'operator.backup') return { kind, timeMs, ...none, body: { entries } }
  return { kind, timeMs: Date.now(), ...none, body: { made: timeMs, entries } }
}

const plainOf = ({ kind, timeMs, entries }: Untold): Cbor => [kind, timeMs, entries]

function untoldIn(bytes: Uint8Array): Untold[] {
  const list = decodeCbor(new Uint8Array(bytes)) as unknown as [Untold['kind'], number, number][]
  return list.map(([kind, timeMs, entries]) => ({ kind, timeMs, entries }))
}
