/**
 * The secrets that open what lies sealed in a data folder, in a small file of its own outside of it, so that a backup of the folder alone is
 * unreadable: one for the node's keys, which stays, and one for the vault, which each erasure renews. While things are sealed anew there are
 * two of a sort, the old and the new.
 */
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fromHex, toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'

/** Secrets of 32 bytes by what they open, the oldest first. A file of version 1 has none of the node. */
export interface KeySecrets {
  readonly node: readonly Uint8Array[]
  readonly vault: readonly Uint8Array[]
}

const TITLE_1 = 'consilium vault key v1'
const TITLE = 'consilium keys v2'
const SHAPE_1 = /^consilium vault key v1\n((?:[0-9a-f]{64}\n){1,2})$/
const SHAPE = /^consilium keys v2\n((?:node [0-9a-f]{64}\n){1,2})((?:vault [0-9a-f]{64}\n){1,2})$/
const NEWER = /^consilium (?:vault key|keys) v\d+\n/

/** What is in the file; null where there is none. Errors: `key-permissions`, `vault-key-malformed`. */
export async function readKeyFile(path: string): Promise<KeySecrets | null> {
  let text: string
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0')
      const message = `${path}: others may read this key file (mode ${shown}, 0600 is expected); run "chmod 600 ${path}"`
      throw new ConsiliumError({ code: 'key-permissions', message })
    }
    text = await readFile(path, 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (error instanceof ConsiliumError) throw error
    throw unwritable(path, error)
  }
  const [, first] = SHAPE_1.exec(text) ?? []
  if (first !== undefined) return { node: [], vault: secretsIn(first) }
  const [, node, vault] = SHAPE.exec(text) ?? []
  if (node !== undefined && vault !== undefined) return { node: secretsIn(node), vault: secretsIn(vault) }
  const [title] = NEWER.exec(text) ?? []
  const known = title === undefined || [TITLE_1, TITLE].includes(title.trimEnd())
  const message = known
    ? `${path}: is no key file; put the file back from where this hospital keeps its copy`
    : `${path}: is of a newer version ("${title?.trimEnd()}"): run the newer Consilium again`
  throw new ConsiliumError({ code: 'vault-key-malformed', message })
}

/** Writes a new key file, mode 0600. Errors: `file-exists`, `file-not-writable`. */
export async function createKeyFile(path: string, secrets: KeySecrets): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(textOf(secrets), 'latin1')
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

/** Puts other secrets of one sort in the file's place, durably; what it had is overwritten on the disk as far as a file system allows. */
export async function replaceSecrets(
  path: string,
  sort: keyof KeySecrets,
  secrets: readonly Uint8Array[],
): Promise<void> {
  const kept = await readKeyFile(path)
  const neighbour = `${path}.new`
  let before: FileHandle | null = null
  try {
    await rm(neighbour, { force: true })
    const file = await open(neighbour, 'wx', 0o600)
    try {
      await file.writeFile(textOf({ node: [], vault: [], ...kept, [sort]: secrets }), 'latin1')
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

const secretsIn = (lines: string): Uint8Array[] =>
  lines
    .trimEnd()
    .split('\n')
    .map((line) => fromHex(line.slice(-64)))

function textOf({ node, vault }: KeySecrets): string {
  const lines =
    node.length === 0
      ? [TITLE_1, ...vault.map(toHex)]
      : [TITLE, ...node.map((secret) => `node ${toHex(secret)}`), ...vault.map((secret) => `vault ${toHex(secret)}`)]
  return `${lines.join('\n')}\n`
}

function unwritable(path: string, cause: unknown): ConsiliumError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
  const message = `${path}: cannot be read or written (${code}); check who owns the folder and its permissions`
  return new ConsiliumError({ code: 'file-not-writable', message, cause })
}
