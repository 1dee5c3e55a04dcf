/** Where libp2p keeps what it knows of peers: a level database, so that a restart needs no bootstrap; or memory. */
import { LevelDatastore } from 'datastore-level'
import { ConsiliumError, messageOf } from '../core/errors.ts'

export type BookStore = LevelDatastore

/**
 * Opens the address book at `path`. It is a cache: one that can't be read is replaced by memory, what can't be written is not kept,
 * and either is told to `warn`. Throws `data-folder-locked` when another process has it open.
 */
export async function openBookStore(path: string, warn: (why: string) => void): Promise<BookStore | undefined> {
  const store = new ForgivingStore(path, (why) => {
    warn(`the address book ${path} cannot be written, so addresses learnt now are lost at the next stop (${why})`)
  })
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

/** libp2p writes to its peer store from where no one catches: a full disk would end the process there, without a word. */
class ForgivingStore extends LevelDatastore {
  readonly #tell: (why: string) => void
  #told = false

  constructor(path: string, tell: (why: string) => void) {
    super(path)
    this.#tell = tell
  }

  override async put(...args: Parameters<LevelDatastore['put']>): ReturnType<LevelDatastore['put']> {
    return (await this.#forgive(() => super.put(...args))) ?? args[0]
  }

  override async delete(...args: Parameters<LevelDatastore['delete']>): Promise<void> {
    await this.#forgive(() => super.delete(...args))
  }

  override batch(): ReturnType<LevelDatastore['batch']> {
    const batch = super.batch()
    const commit = batch.commit.bind(batch)
    batch.commit = async (options) => this.#forgive(async () => commit(options))
    return batch
  }

  async #forgive<T>(write: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await write()
      this.#told = false
      return result
    } catch (error) {
      if (!this.#told) this.#tell(messageOf(error))
      this.#told = true
      return undefined
    }
  }
}

/** The datastore tells only that it failed; the database under it, asked again, tells why. */
async function reasonOf(store: BookStore): Promise<{ code: unknown; why: string }> {
  try {
    await store.db.open()
    await store.db.close()
    return { code: undefined, why: 'it opened at the second try' }
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    return { code: cause instanceof Error && 'code' in cause ? cause.code : undefined, why: messageOf(cause) }
  }
}
