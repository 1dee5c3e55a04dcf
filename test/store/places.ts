/** Level stores in folders of their own, for the store's tests. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { pinNothing, pinPath } from '../../src/store/headPin.ts'
import { LevelStore, type LevelStoreOptions } from '../../src/store/levelStore.ts'
import { nodeKey, numberKey, shortAuthor, TABLE } from '../../src/store/records.ts'
import { keyOf } from '../ledger/fixtures.ts'
import type { Place } from './logStoreSuite.ts'

export const SELF = keyOf('ada').member

export interface Folder extends Place {
  /** The data folder; the database is in `database`, the pin in `pin`. */
  readonly data: string
  readonly database: string
  readonly pin: string
  open(hooks?: LevelStoreOptions['hooks'], pin?: LevelStoreOptions['pin']): Promise<LevelStore>
}

export async function folder(): Promise<Folder> {
  const data = await mkdtemp(join(tmpdir(), 'consilium-store-'))
  const database = join(data, 'ledger')
  await pinNothing(pinPath(database)) // as `init` makes it
  const put = async (key: Uint8Array, value: Uint8Array | undefined): Promise<void> => {
    const db = new Level<Uint8Array, Uint8Array>(database, { keyEncoding: 'view', valueEncoding: 'view' })
    await (value === undefined ? db.del(key) : db.put(key, value))
    await db.close()
  }
  return {
    data,
    database,
    pin: join(data, 'heads.pin'),
    open: (hooks, pin) => LevelStore.open(database, { self: SELF, hooks, pin }),
    spoil: (author, seq, raw) => put(numberKey(TABLE.entry, shortAuthor(author), seq), raw),
    spoilNode: (author, level, index, hash) => put(nodeKey(shortAuthor(author), level, index), hash),
    remove: () => rm(data, { recursive: true, force: true }),
  }
}
