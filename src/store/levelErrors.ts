/** What LevelDB and the file system say, as one line that tells what to do. */
import { ConsiliumError, messageOf } from '../core/errors.ts'

/** An error of the database in `path` as ours: `data-folder-locked`, `data-folder-not-writable`, `disk-full`, `database-corrupt`, `ledger-io`. */
export function storeError(error: unknown, path: string): unknown {
  const { codes, text } = causes(error)
  if (error instanceof ConsiliumError) return error
  const fail = (code: string, message: string) => new ConsiliumError({ code, message, cause: error })
  if (codes.has('LEVEL_LOCKED')) {
    return fail(
      'data-folder-locked',
      `the ledger in ${path} is in use by another daemon: stop that one first ("consilium stop")`,
    )
  }
  if (codes.has('ENOSPC') || codes.has('EDQUOT') || /no space left|quota exceeded/i.test(text)) {
    return fail('disk-full', `the disk of ${path} is full: free some space and start again; what was confirmed is kept`)
  }
  if (
    hasAny(codes, ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'EISDIR']) ||
    /permission denied|read-only file system|not a directory/i.test(text)
  ) {
    return fail(
      'data-folder-not-writable',
      `the ledger folder ${path} cannot be written to: make it a folder that this user owns, mode 0700 (${messageOf(error)})`,
    )
  }
  if (codes.has('LEVEL_CORRUPTION') || /corruption|no such file/i.test(text)) return corrupt(path, text, error)
  if ([...codes].some((code) => code.startsWith('LEVEL_')) || hasAny(codes, ['EIO', 'ELOOP', 'EMFILE', 'ENFILE'])) {
    return fail(
      'ledger-io',
      `the ledger in ${path} could not be read or written (${text}): check the disk, then start again`,
    )
  }
  return error
}

/** `database-corrupt`, with what was found and what to do. */
export function corrupt(path: string, found: string, cause?: unknown): ConsiliumError {
  return new ConsiliumError({
    code: 'database-corrupt',
    message: `the ledger in ${path} is damaged (${found}): ${LEDGER_LOST}`,
    cause,
  })
}

/** What a hospital can do whose own log is damaged or old. */
export const LEDGER_LOST =
  'nothing was changed; move database/ out of the data folder, leave heads.pin where it is, and start: all logs are fetched back from the other members before anything is signed, and what nobody else holds is lost: bindings of tables (bind again), checkpoints of studies, own entries that no member had fetched (README, "Backups")'

function hasAny(codes: ReadonlySet<string>, wanted: readonly string[]): boolean {
  return wanted.some((code) => codes.has(code))
}

const CAUSES_MAX = 8 // abstract-level wraps once or twice; a longer chain is a cycle

function causes(error: unknown): { codes: Set<string>; text: string } {
  const codes = new Set<string>()
  const texts: string[] = []
  for (let at = error, i = 0; at instanceof Error && i < CAUSES_MAX; at = at.cause, i++) {
    if ('code' in at && typeof at.code === 'string') codes.add(at.code)
    texts.push(messageOf(at))
  }
  return { codes, text: texts.join(': ') }
}
