/** LevelDB starts without a journal that it cannot read, and deletes it: the level store reads it first, and never goes on from a loss. */
import { readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ConsiliumError } from '../../src/core/errors.ts'
import { batchOf, type Commit, keyOf, logOf } from '../ledger/fixtures.ts'
import { type Folder, folder, SELF } from './places.ts'

const it = suite('journal')

const COMMITS = logOf(keyOf('ada'), [4, 3])

/** Runs `use` on a closed database all of which is in its journal. */
async function onFilled(use: (place: Folder, journal: string) => Promise<void>): Promise<void> {
  const place = await folder()
  try {
    const store = await place.open()
    for (const commit of COMMITS) await store.append(batchOf(commit as Commit))
    await store.close()
    const name = (await readdir(place.database)).find((file) => file.endsWith('.log'))
    await use(place, join(place.database, name as string))
  } finally {
    await place.remove()
  }
}

/** How many own entries a start finds, or why it does not start. */
async function outcome(place: Folder): Promise<number | string> {
  try {
    const store = await place.open()
    const head = await store.head(SELF)
    await store.close()
    return head?.size ?? 0
  } catch (error) {
    return (error as ConsiliumError).code
  }
}

it('journal: one that cannot be read stops the start before LevelDB deletes it; when it can be read again, all is there', () =>
  onFilled(async (place, journal) => {
    await rename(journal, `${journal}-kept`)
    await symlink(journal, journal) // a link to itself: whoever opens it is refused
    assert.is(await outcome(place), 'ledger-io')
    assert.ok((await readdir(place.database)).some((name) => journal.endsWith(`/${name}`)))
    await rm(journal)
    await rename(`${journal}-kept`, journal)
    assert.is(await outcome(place), 7)
  }))

it('journal: one that LevelDB could not read and deleted stops every start from then on', () =>
  onFilled(async (place, journal) => {
    const [diary, mark] = ['LOG', 'JOURNAL-LOST'].map((name) => join(place.database, name)) as [string, string]
    const line = `2026/11/21-18:35:54.245342 7fe3837bf6c0 Ignoring error IO error: ${journal}: Input/output error\n`
    await writeFile(diary, line)
    assert.is(await outcome(place), 7, 'it is still there, so LevelDB came to no end')
    const gone = line.replace(/\d+\.log/, '000001.log')
    for (const text of [gone, gone.replace('Ignoring error', '(ignoring error) 000001.log: dropping 32768 bytes;')]) {
      await writeFile(diary, text)
      assert.is(await outcome(place), 'database-corrupt')
      await rm(diary)
      assert.is(await outcome(place), 'database-corrupt', 'the mark stays')
      assert.match(await readFile(mark, 'utf8'), '000001.log')
      await rm(mark)
      assert.is(await outcome(place), 7)
    }
    const torn =
      '2026/11/21-18:35:54.245342 7fe3837bf6c0 (ignoring error) 000001.log: dropping 99 bytes; Corruption: x\n'
    await writeFile(diary, torn)
    assert.is(await outcome(place), 7, 'a batch that a crash tore was never confirmed')
  }))

it.run()
