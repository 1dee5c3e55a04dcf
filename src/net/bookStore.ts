/** Where libp2p keeps what it knows of peers: a level database, so that a restart needs no bootstrap; or memory. */
import { rename, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { LevelDatastore } from 'datastore-level'
import { ConsiliumError, messageOf } from '../core/errors.ts'

export type BookStore = LevelDatastore

type Key = Parameters<LevelDatastore['get']>[0]
type Query = Parameters<LevelDatastore['query']>[0]

/**
 * Opens the address book at `path`. It is a cache: one that is damaged is moved aside for a new one, one that can't be opened is
 * replaced by memory, what can't be written is not kept, and each is told to `warn`. Throws `data-folder-locked` when another process
 * has it open.
 */
export async function openBookStore(path: string, warn: (why: string) => void): Promise<BookStore | undefined> {
  const first = await tryOpen(path, warn)
  if ('store' in first) return first.store
  try {
    if (!first.damaged) throw new Error(first.why)
    await rm(`${path}.damaged`, { recursive: true, force: true })
    await rename(path, `${path}.damaged`)
    const second = await tryOpen(path, warn)
    if (!('store' in second)) throw new Error(second.why)
    warn(`the address book ${path} was damaged (${first.why}): a new one is begun, the old one kept beside it`)
    return second.store
  } catch (error) {
    warn(
      `the address book ${path} cannot be opened, so what is learnt of addresses is lost at the next stop (${messageOf(error)})`,
    )
    return undefined
  }
}

type Opened = { readonly store: BookStore } | { readonly damaged: boolean; readonly why: string }

/** The store, read through once; or why not. Error: `data-folder-locked`. */
async function tryOpen(path: string, warn: (why: string) => void): Promise<Opened> {
  const store = new ForgivingStore(path, (why) => {
    warn(`the address book ${path} cannot be written, so addresses learnt now are lost at the next stop (${why})`)
  })
  try {
    await store.open()
  } catch (error) {
    const { code, why } = await reasonOf(store)
    if (code !== 'LEVEL_LOCKED') return { damaged: isDamage(why), why }
    const message = `the address book ${path} is open in another process: is another daemon using this data folder?`
    throw new ConsiliumError({ code: 'data-folder-locked', message, cause: error })
  }
  try {
    for await (const _ of store.query({}));
    return { store }
  } catch (error) {
    await store.close()
    return { damaged: isDamage(messageOf(error)), why: messageOf(error) }
  }
}

const NO_CHECKSUM = 'corruption: an address has not its checksum'

/** Of all that can keep LevelDB from opening (a full disk, permissions), only this does not go away by itself. */
function isDamage(why: string): boolean {
  return /corruption|no such file/i.test(why)
}

const CRC_BYTES = 4 // LevelDB checks no checksums as it reads, and libp2p trusts what it reads back

function sealed(key: Key, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(value.length + CRC_BYTES)
  bytes.set(value)
  bytes.writeUInt32BE(crc32(value, crc32(key.toString())), value.length)
  return bytes
}

function opened(key: Key, bytes: Uint8Array): Uint8Array {
  const value = Uint8Array.from(bytes.subarray(0, -CRC_BYTES))
  const kept = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length >= CRC_BYTES && kept.getUint32(value.length) === crc32(value, crc32(key.toString()))) return value
  throw new Error(NO_CHECKSUM)
}

/** libp2p writes to its peer store from where no one catches: a full disk would end the process there, without a word. */
class ForgivingStore extends LevelDatastore {
  readonly #tell: (why: string) => void
  #told = false

  constructor(path: string, tell: (why: string) => void) {
    super(path)
    this.#tell = tell
  }

  override async get(key: Key, options?: Parameters<LevelDatastore['get']>[1]): Promise<Uint8Array> {
    return opened(key, await super.get(key, options))
  }

  override async *query({
    prefix,
    filters = [],
    orders = [],
    offset = 0,
    limit,
  }: Query): ReturnType<LevelDatastore['query']> {
    const pairs: { key: Key; value: Uint8Array }[] = [] // a thousand members at most
    for await (const { key, value } of super.query({ prefix })) pairs.push({ key, value: opened(key, value) })
    const found = pairs.filter((pair) => filters.every((fits) => fits(pair)))
    for (const order of orders) found.sort(order)
    yield* found.slice(offset, limit === undefined ? undefined : offset + limit)
  }

  override async put(key: Key, value: Uint8Array, options?: Parameters<LevelDatastore['put']>[2]): Promise<Key> {
    return (await this.#forgive(() => super.put(key, sealed(key, value), options))) ?? key
  }

  override async delete(...args: Parameters<LevelDatastore['delete']>): Promise<void> {
    await this.#forgive(() => super.delete(...args))
  }

  override batch(): ReturnType<LevelDatastore['batch']> {
    const batch = super.batch()
    const put = batch.put.bind(batch)
    const commit = batch.commit.bind(batch)
    batch.put = (key, value) => put(key, sealed(key, value))
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
