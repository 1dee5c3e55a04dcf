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
    const { code, why } = await reasonOf(store)
    if (code === 'LEVEL_LOCKED') {
      const message = `the address book ${path} is open in another process: is another daemon using this data folder?`
      throw new ConsiliumError({ code: 'data-folder-locked', message, cause: error })
    }
    warn(`the address book ${path} cannot be read and is not used; delete it to have a new one (${why})`)
    return undefined
  }
}

/** The datastore tells only that it failed; the database under it, asked again, tells why. */
async function reasonOf(store: LevelDatastore): Promise<{ code: unknown; why: string }> {
  try {
    await store.db.open()
    await store.db.close()
    return { code: undefined, why: 'it opened at the second try' }
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    return { code: cause instanceof Error && 'code' in cause ? cause.code : undefined, why: messageOf(cause) }
  }
}
