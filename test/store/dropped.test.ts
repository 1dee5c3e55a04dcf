/** Dropped bodies on disk: LevelDB keeps what was overwritten until it compacts its files, and a dropped body must not wait for that. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Level } from 'level'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConsiliumError } from '../../src/core/errors.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { decodeEntry, dropBody } from '../../src/ledger/entry.ts'
import type { LevelStore } from '../../src/store/levelStore.ts'
import { numberKey, shortAuthor, TABLE } from '../../src/store/records.ts'
import { batchOf, commitOf, draftOf, keyOf, logOf, saltOf } from '../ledger/fixtures.ts'
import { type Folder, folder } from './places.ts'

const it = suite('dropped bodies on disk')
const ADA = keyOf('ada')
const ENTRIES = 100 // within one block of 32 KiB, which would tear a text in two
const textOf = (seq: number): string => `planted-${String(seq).padStart(4, '0')}`
const LOG = commitOf(
  ADA,
  emptyTip(ADA.member),
  ENTRIES,
  'main',
  Array.from({ length: ENTRIES }, (_, i) => draftOf(i, { text: textOf(i) })),
)

/** Which of the planted texts and salts are in any file of the database. */
async function planted(place: Folder, seqs: readonly number[]): Promise<number[]> {
  const files = await readdir(place.database)
  const bytes = Buffer.concat(await Promise.all(files.map((file) => readFile(join(place.database, file)))))
  return seqs.filter((seq) => bytes.includes(textOf(seq)) || bytes.includes(Buffer.from(saltOf(`main ${seq}`))))
}

for (const { name, reopened } of [
  { name: 'while they are in the write-ahead log', reopened: false },
  { name: 'after they were moved to a table', reopened: true },
]) {
  it(`bodies and salts that are dropped ${name} are in no file any more, and the others are`, async () => {
    const place = await folder()
    let store = await place.open()
    await store.append(batchOf(LOG))
    if (reopened) {
      await store.close()
      store = await place.open()
    }
    const dropped = [0, 7, 8, 9, 63, ENTRIES - 1]
    assert.equal(await planted(place, dropped), dropped)
    await store.dropBodies(ADA.member, [7])
    assert.equal(await planted(place, dropped), [0, 8, 9, 63, ENTRIES - 1])
    await store.dropBodies(ADA.member, dropped)
    const all = Array.from({ length: ENTRIES }, (_, i) => i)
    assert.equal(
      await planted(place, all),
      all.filter((seq) => !dropped.includes(seq)),
    )
    await store.close()
    await place.remove()
  })
}

const READS: readonly (readonly [what: string, read: (store: LevelStore) => Promise<unknown>])[] = [
  ['the entries', (store) => store.entries(ADA.member, 0, ENTRIES)],
  ['notes of heads', (store) => store.commit(ADA.member, 0, ENTRIES)],
  ['state', (store) => store.getState('none')],
  ['names of state', (store) => store.listState('n')],
  ['final heads', (store) => store.final(ADA.member)],
  ['nodes of the tree', (store) => store.nodes(ADA.member, 0, 0, 8)],
  ['evidence of forks', (store) => store.forkEvidence(ADA.member)],
]
for (const [what, read] of READS) {
  it(`tables are rewritten without what is dropped when nobody reads ${what} any more, for the old ones stay as long`, async () => {
    const place = await folder()
    const store = await place.open()
    await store.append(batchOf(LOG))
    const steps: string[] = []
    const slowly = slowReads(() => steps.push('rewritten'))
    try {
      const reading = read(store)
      await slowly.begun
      const dropping = store.dropBodies(ADA.member, [7])
      await Promise.race([dropping, setTimeout(100)]) // where it does not wait it is done in some 10 ms
      steps.push('read')
      slowly.goOn()
      await Promise.all([reading, dropping])
    } finally {
      slowly.restore()
    }
    assert.equal(steps, ['rewritten', 'read', 'rewritten'], 'once before the drop, and once after it')
    assert.equal(await planted(place, [7]), [])
    await store.close()
    await place.remove()
  })
}

/** The first read of any database lasts until it may go on; `rewritten` is called when tables are. */
function slowReads(rewritten: () => void) {
  const database = Level.prototype as unknown as Record<string, (...given: unknown[]) => unknown>
  const { get, iterator, compactRange } = database as Record<'get' | 'iterator' | 'compactRange', never>
  let [begin, goOn] = [() => {}, () => {}]
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const released = new Promise<void>((resolve) => (goOn = resolve))
  const after = (read: (...given: unknown[]) => unknown) =>
    async function (this: unknown, ...given: unknown[]) {
      begin()
      await released
      return read.apply(this, given)
    }
  database.get = after(get)
  database.iterator = function (...given) {
    const rows = (iterator as (...given: unknown[]) => Record<string, never>).apply(this, given)
    return Object.assign(rows, { all: after(rows.all as never), nextv: after(rows.nextv as never) })
  }
  database.compactRange = function (...given) {
    rewritten()
    return (compactRange as (...given: unknown[]) => unknown).apply(this, given)
  }
  return { begun, goOn: () => goOn(), restore: () => Object.assign(database, { get, iterator, compactRange }) }
}

it('what is dropped while a copy is made of all that is stored waits for it, for the copy would keep it in the files', async () => {
  const place = await folder()
  const store = await place.open()
  await store.append(batchOf(LOG))
  const copy = store.rows()[Symbol.asyncIterator]()
  await copy.next()
  const dropping = store.dropBodies(ADA.member, [7])
  assert.is((await store.entries(ADA.member, 0, ENTRIES)).length, ENTRIES, 'reads go on')
  await store.putState(new Map([['some', new Uint8Array(1)]])) // and writes
  const [seventh] = await store.entries(ADA.member, 7, 8)
  assert.is.not(decodeEntry(seventh as Uint8Array).body, null)
  const later = rowsOf(store) // which begins after the drop
  let rows = 1
  while (!(await copy.next()).done) rows++
  await dropping
  assert.equal(await planted(place, [7, 9]), [9])
  assert.ok(rows > ENTRIES && (await later) > ENTRIES, 'both are whole')
  await store.close()
  await place.remove()
})

async function rowsOf(store: LevelStore): Promise<number> {
  let count = 0
  for await (const _ of store.rows()) count++
  return count
}

it('bodies whose drop was interrupted before the tables were rewritten are gone after the next start', async () => {
  const place = await folder()
  let store = await place.open()
  await store.append(batchOf(LOG))
  await store.close()
  const options = { keyEncoding: 'view', valueEncoding: 'view', compression: false } as const
  const db = new Level<Uint8Array, Uint8Array>(place.database, options)
  const key = numberKey(TABLE.entry, shortAuthor(ADA.member), 63)
  await db.batch([
    { type: 'put', key, value: dropBody(LOG.raws[63] as Uint8Array) },
    { type: 'put', key: Uint8Array.of(TABLE.dropping), value: new Uint8Array(0) },
  ])
  await db.close()
  assert.equal(await planted(place, [62, 63]), [62, 63])
  for (const _ of ['first', 'second']) {
    store = await place.open()
    assert.equal(await planted(place, [62, 63]), [62])
    await store.close()
  }
  await place.remove()
})

it('a drop that meets an entry that is lost or spoilt says so and changes nothing; the store goes on', async () => {
  const place = await folder()
  let store = await place.open()
  for (const commit of logOf(ADA, [200, 200])) await store.append(batchOf(commit)) // opening looks at the newest 256
  await store.close()
  const db = new Level<Uint8Array, Uint8Array>(place.database, { keyEncoding: 'view', valueEncoding: 'view' })
  const key = (seq: number) => numberKey(TABLE.entry, shortAuthor(ADA.member), seq)
  await db.del(key(20))
  await db.put(key(21), Uint8Array.of(1, 2, 3))
  await db.put(key(22), (await db.get(key(23))) as Uint8Array)
  await db.close()
  store = await place.open()
  for (const seq of [20, 21, 22]) {
    const error = await store.dropBodies(ADA.member, [3, seq]).catch((thrown: unknown) => thrown)
    assert.instance(error, ConsiliumError)
    assert.is((error as ConsiliumError).code, 'database-corrupt')
    assert.match((error as ConsiliumError).message, new RegExp(`^entry ${seq} of the log of `))
  }
  const [third] = await store.entries(ADA.member, 3, 4)
  assert.is.not(decodeEntry(third as Uint8Array).body, null)
  await store.dropBodies(ADA.member, [3])
  await store.close()
  await place.remove()
})

it.run()
