/** Where libp2p keeps what it knows of peers: a level database, so that a restart needs no bootstrap; or memory. */
import type { LevelDatastore } from 'datastore-level'
import { ConsiliumError, messageOf } from '../core/errors.ts'

/**
 * Opens the address book at `path`. It is a cache: one that can't be read is replaced by memory and told to `warn`.
 * Throws `data-folder-locked` when another process has it open.
 */
export async function openBookStore(path: string, warn: (why: string) => void): Promise<LevelDatastore | undefined> {
  const { LevelDatastore } = await import('datastore-level') // 20 ms that a node without a folder need not pay
  const store = new LevelDatastore(path)
  try {
    await store.open()
    return store
  } catch (error) {
    const why = reasons(error, store).join(': ')
    if (/lock/i.test(why)) {
      const message = `the address book ${path} is open in another process: is another daemon using this data folder?`
      throw new ConsiliumError({ code: 'data-folder-locked', message, cause: error })
    }
    warn(`the address book ${path} cannot be read and is not used; delete it to have a new one (${why})`)
    return undefined
  }
}

function reasons(error: unknown, store: LevelDatastore): string[] {
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : ''
  return [messageOf(error), cause, `status ${store.db.status}`].filter((part) => part !== '')
}
