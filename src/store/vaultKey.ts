/**
 * The secret that a vault is opened with, in a small file of its own outside the data folder, so that a backup of the folder alone is
 * unreadable. While the vault is written anew the file has two lines of secrets: the old and the new.
 */
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fromHex, toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'

const TITLE = 'consilium vault key v1'
const SHAPE = /^consilium vault key v1\n((?:[0-9a-f]{64}\n){1,2})$/

/** The secrets in the file, the oldest first; null where there is no file. Errors: `key-permissions`, `vault-key-malformed`. */
export async function readVaultKey(path: string): Promise<Uint8Array[] | null> {
  let text: string
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0')
      const message = `${path}: others may read this vault key (mode ${shown}, 0600 is expected); run "chmod 600 ${path}"`
      throw new ConsiliumError({ code: 'key-permissions', message })
    }
    text = await readFile(path, 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (error instanceof ConsiliumError) throw error
    throw unwritable(path, error)
  }
  const secrets = SHAPE.exec(text)?.[1]
  if (secrets !== undefined) return secrets.trimEnd().split('\n').map(fromHex)
  const message = `${path}: is no vault key; put the file back from where this hospital keeps its copy`
  throw new ConsiliumError({ code: 'vault-key-malformed', message })
}

/** Writes a new key file, mode 0600. Errors: `file-exists`, `file-not-writable`. */
export async function createVaultKey(path: string, secret: Uint8Array): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(textOf([secret]), 'latin1')
      await file.datasync()
    } finally {
      await file.close()
    }
    await syncFolder(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(path, error)
    throw new ConsiliumError({ code: 'file-exists', message: `${path}: exists already and is not overwritten` })
  }
}

/** Puts other secrets in the file's place, durably; what it had is overwritten on the disk as far as a file system allows. */
export async function replaceVaultKey(path: string, secrets: readonly Uint8Array[]): Promise<void> {
  const neighbour = `${path}.new`
  let before: FileHandle | null = null
  try {
    await rm(neighbour, { force: true })
    const file = await open(neighbour, 'wx', 0o600)
    try {
      await file.writeFile(textOf(secrets), 'latin1')
      await file.datasync()
    } finally {
      await file.close()
    }
    before = await open(path, 'r+')
    await rename(neighbour, path)
    await syncFolder(path)
    await before.write(Buffer.alloc((await before.stat()).size), 0, undefined, 0)
    await before.datasync()
  } catch (error) {
    throw unwritable(path, error)
  } finally {
    await before?.close()
  }
}

/** Makes a rename or a new name in the folder of `path` durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const textOf = (secrets: readonly Uint8Array[]): string => `${[TITLE, ...secrets.map(toHex)].join('\n')}\n`

function unwritable(path: string, cause: unknown): ConsiliumError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
  const message = `${path}: cannot be read or written (${code}); check who owns the folder and its permissions`
  return new ConsiliumError({ code: 'file-not-writable', message, cause })
}
