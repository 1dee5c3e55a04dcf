/** What is checked of each log when a database is opened: enough to notice a lost tail or a hole in it, in milliseconds. */
import { open, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { equalBytes } from '../core/bytes.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { rootAt } from '../ledger/chain.ts'
import { decodeEntry } from '../ledger/entry.ts'
import { parseHead, verifyHead } from '../ledger/head.ts'
import { fitsFrontier } from '../ledger/merkle.ts'
import type { LogStore, StoredHead } from '../ledger/store.ts'
import type { Pin } from './headPin.ts'
import { corrupt, LEDGER_LOST } from './levelErrors.ts'
import { TreeReader } from './treeReader.ts'

const JOURNAL_SLICE_BYTES = 1_048_576 // a journal has up to 64 MiB, the write buffer
const NEWEST_CHECKED = 256 // the largest commit: what a crash can have touched; the daemon's fact reader and scrub look at the others

/** What is wrong with the log under `head`, or null. */
export async function checkLog(head: StoredHead, store: Pick<LogStore, 'entries' | 'commit'>): Promise<string | null> {
  const { author, size, note, frontier, lastHash } = head
  if (size < 1 || !fitsFrontier(size, frontier)) return `a frontier that no log of ${size} entries has`
  try {
    const signed = parseHead(note, null)
    if (signed.author !== author || signed.size !== size) return 'a head record that differs from its signed note'
    if (!equalBytes(signed.root, rootAt({ author, size, lastHash, frontier, lamport: 0 })))
      return 'a frontier that has not the signed root'
    if (!verifyHead(signed)) return 'a signature under the head that is invalid'
    const from = Math.max(0, size - NEWEST_CHECKED)
    const raws = await store.entries(author, from, size)
    if (raws.length < size - from) return `entry ${from + raws.length} of ${size} is missing`
    if (!equalBytes(decodeEntry(raws[raws.length - 1] as Uint8Array).leaf, lastHash))
      return `entry ${size - 1} is not the one that the head ends with`
    const kept = await store.commit(author, size - 1, size)
    return kept !== undefined && equalBytes(kept.note, note) ? null : `the note of size ${size} is missing`
  } catch (error) {
    if (error instanceof ConsiliumError && error.code !== 'database-corrupt') return messageOf(error)
    throw error
  }
}

/**
 * Refuses a ledger whose own log is not the one that this node has signed. One that ends before its pin is taken: the boot fence
 * fetches the rest back from the others, and nothing is signed before. One ahead of it is well: the batch was written and the pin was
 * not. Error: `ledger-behind-pin`.
 */
export async function checkPin(
  pin: Pin,
  own: StoredHead | undefined,
  store: Pick<LogStore, 'entries' | 'nodes'>,
): Promise<void> {
  if (own === undefined || pin.size === 0 || pin.size > own.size) return
  const root = await new TreeReader(store, own.author).root(pin.size)
  if (!equalBytes(root, pin.root)) throw behind(`the ledger's own entry ${pin.size - 1} is not the one that was signed`)
}

function behind(found: string): ConsiliumError {
  return new ConsiliumError({
    code: 'ledger-behind-pin',
    message: `${found}; signing on from here would contradict it: ${LEDGER_LOST}`,
  })
}

/** LevelDB makes a new database where CURRENT is missing, and deletes what the old one's files hold. Error: `database-corrupt`. */
export async function requireCurrent(path: string): Promise<void> {
  const files = await readdir(path)
  if (!files.includes('CURRENT') && files.some((name) => /\.(?:ldb|sst|log)$/.test(name)))
    throw corrupt(path, 'its file CURRENT is missing')
}

/**
 * LevelDB begins without a journal that it cannot read, says nothing and deletes it, with all that was confirmed since the last table.
 * So each is read through before. Errors: those of the file system.
 */
export async function readJournals(path: string): Promise<void> {
  const buffer = Buffer.alloc(JOURNAL_SLICE_BYTES)
  for (const name of await readdir(path)) {
    if (!name.endsWith('.log')) continue
    const file = await open(join(path, name), 'r')
    try {
      while ((await file.read(buffer, 0, buffer.length)).bytesRead > 0);
    } finally {
      await file.close()
    }
  }
}

/**
 * LevelDB's diary tells whether it could not read a journal all the same; the next start begins another diary. What is lost then is
 * more than the pin knows of, what this node has cosigned for one, so a mark in the folder stops every later start too. Before the
 * database is `opened` a journal that is still there is not lost. Errors: `database-corrupt`; those of the file system.
 */
export async function requireJournals(path: string, opened: boolean): Promise<void> {
  const mark = join(path, 'JOURNAL-LOST')
  const diary = (await readIfThere(join(path, 'LOG'))) ?? '' // not there where it could not be made
  const ignored = /ignoring error.*IO error.*/i.exec(diary)?.[0]
  const journal = /\d+\.log/.exec(ignored ?? '')?.[0]
  if (ignored !== undefined && (opened || !(await readdir(path)).includes(journal ?? '')))
    await writeFile(mark, `${ignored}\n`, { flush: true })
  const lost = await readIfThere(mark)
  if (lost !== undefined) throw corrupt(path, `its newest entries could not be read and are lost: ${lost.trim()}`)
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
