/** Small files written so that a reader sees the old or the new content, never half of either. */
import { once } from 'node:events'
import { lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable, type Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ConsiliumError, messageOf } from '../core/errors.ts'

/** Reads text; errors: `file-missing`, `file-unreadable`, both with `advice`. */
export async function readText(path: string, what: string, advice: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT')
      throw new ConsiliumError({ code: 'file-missing', message: `${path}: there is no such ${what}; ${advice}` })
    throw new ConsiliumError({
      code: 'file-unreadable',
      message: `${path}: the ${what} cannot be read (${code ?? messageOf(error)}); ${advice}`,
    })
  }
}

/** Writes `content` durably: to a neighbour, synced, then renamed over `path`. Errors: `disk-full`, `file-not-writable`. */
export async function writeAtomically(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const neighbour = `${path}.new`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const file = await open(neighbour, 'w', mode)
    try {
      await file.writeFile(content)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(neighbour, path)
  } catch (error) {
    await rm(neighbour, { force: true }).catch(() => undefined)
    throw writeError(path, error)
  }
}

/** Whether anything is at `path`, a broken link included. */
export function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

/** Error `file-exists` where one of `paths` exists. */
export async function requireAbsent(paths: readonly string[]): Promise<void> {
  for (const path of paths) if (await exists(path)) throw inTheWay(path)
}

/** Writes a new file; error `file-exists` where there is one. */
export async function writeNew(path: string, content: string, mode: number): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const file = await open(path, 'wx', mode)
    try {
      await file.writeFile(content)
      await file.datasync()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw writeError(path, error)
  }
}

const WRITTEN_AHEAD = 1_048_576 // bytes that wait for the disk while more are made

/**
 * Writes a new file piece by piece, through `through`: to a neighbour, synced, then renamed when it is whole. Its folder must be there. What
 * `pieces` throws comes through, and leaves nothing. Errors: `file-exists`, `disk-full`, `file-not-writable`.
 */
export async function writeNewFrom(
  path: string,
  pieces: AsyncIterable<string | Uint8Array>,
  mode: number,
  through: readonly Transform[] = [],
): Promise<void> {
  await requireAbsent([path])
  const neighbour = `${path}.${process.pid}.part`
  try {
    const file = await open(neighbour, 'wx', mode)
    await pipeline([
      Readable.from(pieces),
      ...through,
      file.createWriteStream({ flush: true, highWaterMark: WRITTEN_AHEAD }),
    ])
    await requireAbsent([path])
    await rename(neighbour, path)
  } catch (error) {
    await rm(neighbour, { force: true }).catch(() => undefined)
    throw error instanceof ConsiliumError ? error : writeError(path, error)
  }
}

/** Resolves when `out` takes more, or nobody reads it any more. It leaves no listener, however often it is asked. Rejects as `out` fails. */
export async function drained(out: Writable): Promise<void> {
  if (!out.writableNeedDrain || out.destroyed) return
  const over = new AbortController()
  const { signal } = over
  try {
    await Promise.race([once(out, 'drain', { signal }), once(out, 'close', { signal })])
  } finally {
    over.abort()
  }
}

function writeError(path: string, error: unknown): ConsiliumError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EEXIST') return inTheWay(path)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ConsiliumError({
      code: 'disk-full',
      message: `${path}: the disk is full (${code}); free some space, nothing was changed`,
    })
  }
  const message = `${path}: cannot be written (${code ?? messageOf(error)}); check who owns the folder and its permissions`
  return new ConsiliumError({ code: 'file-not-writable', message, cause: error })
}

function inTheWay(path: string): ConsiliumError {
  return new ConsiliumError({ code: 'file-exists', message: `${path}: exists already and is not overwritten` })
}
