/**
 * Makes a data folder from a backup. The ledger is checked as at a start, and pinned as it lies: what was signed after the backup the boot
 * fence finds at the others, before anything is signed.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { type BackupAbout, type BackupPart, readBackup } from '../store/backupFile.ts'
import { fillDatabase } from '../store/databaseFill.ts'
import { LevelStore } from '../store/levelStore.ts'
import { requireOpening } from '../store/vaultFile.ts'
import type { RestoreReport } from './api.ts'
import { BACKED_UP, leaveUntold } from './backup.ts'
import { isDatasetFile } from './datasetFiles.ts'
import { exists, writeAtomically } from './files.ts'
import { readConfig } from './home.ts'
import { type HomePaths, homePaths } from './homePaths.ts'
import { readMemberKey } from './memberKey.ts'
import { openerOf, vaultKeyOf } from './opener.ts'

const FILES: ReadonlySet<string> = new Set([...BACKED_UP, 'vault', 'people', 'uses'])

/**
 * Puts what the backup `file` has into the new folder `folder`, all of it or nothing; the key file is not touched. Errors: `folder-not-empty`,
 * those of `readBackup`, `disk-full`, `file-not-writable`, those of `LevelStore.open`.
 */
export async function restoreBackup(file: string, folder: string): Promise<RestoreReport> {
  const { folder: home } = homePaths(folder)
  await requireEmpty(home)
  const staging = homePaths(`${home}.restoring`)
  await rm(staging.folder, { recursive: true, force: true })
  try {
    await mkdir(staging.folder, { recursive: true, mode: 0o700 })
    const about = await unpack(file, staging)
    const entries = await entriesPinned(staging, about.member as MemberId)
    await leaveUntold(staging, { kind: 'operator.restored', timeMs: about.timeMs, entries })
    await rename(staging.folder, home)
    return { home, member: about.member, madeAtMs: about.timeMs, entries, ...(await openedIn(homePaths(home))) }
  } finally {
    await rm(staging.folder, { recursive: true, force: true })
  }
}

async function unpack(file: string, { folder, database }: HomePaths): Promise<BackupAbout> {
  let about: BackupAbout | null = null
  const rows = async function* (): AsyncIterable<Extract<BackupPart, { type: 'rows' }>['rows']> {
    for await (const part of readBackup(file)) {
      if (part.type === 'rows') yield part.rows
      else if (part.type === 'about') about = part.about
      else if (FILES.has(part.name) || isDatasetFile(part.name))
        await writeAtomically(join(folder, part.name), part.bytes, 0o600)
    }
  }
  await fillDatabase(database, rows())
  if (about !== null) return about
  throw new ConsiliumError({ code: 'backup-damaged', message: `${file}: does not say whose backup it is` })
}

async function entriesPinned({ database }: HomePaths, self: MemberId): Promise<number> {
  const store = await LevelStore.open(database, { self, pin: 'trust' })
  try {
    return (await store.heads()).reduce((sum, { size }) => sum + size, 0)
  } finally {
    await store.close()
  }
}

/** Whether the key file that is there opens what was restored: what it says where it does not. */
async function openedIn(paths: HomePaths): Promise<Pick<RestoreReport, 'keys' | 'vault'>> {
  const config = await readConfig(paths)
  const place = { config, paths }
  const keys = await fault(() => readMemberKey(paths.key, () => openerOf(place)))
  const isThere = await exists(paths.vault)
  const vault = await fault(() => requireOpening({ path: paths.vault, keyFile: vaultKeyOf(place) }), isThere)
  return { keys: keys ?? 'opened', vault: isThere ? (vault ?? 'opened') : 'none' }
}

async function fault(work: () => Promise<unknown>, when = true): Promise<string | null> {
  try {
    if (when) await work()
    return null
  } catch (error) {
    if (error instanceof ConsiliumError) return error.message
    throw error
  }
}

/** Error: `folder-not-empty`. */
async function requireEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return
  const message = `${folder}: is not empty, and nothing is overwritten; restore into a new folder, or move this one away first`
  throw new ConsiliumError({ code: 'folder-not-empty', message })
}
