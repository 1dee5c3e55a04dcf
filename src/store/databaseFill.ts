/** A new database made of the rows of another, as a backup has them. */
import { mkdir } from 'node:fs/promises'
import { Level } from 'level'
import { storeError } from './levelErrors.ts'
import { LEVEL_OPTIONS } from './levelStore.ts'

/** Writes `rows` into a new database in folder `path`; durable when it resolves. Errors: `disk-full`, `data-folder-not-writable`. */
export async function fillDatabase(
  path: string,
  rows: AsyncIterable<readonly (readonly [Uint8Array, Uint8Array])[]>,
): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  const db = new Level<Uint8Array, Uint8Array>(path, { ...LEVEL_OPTIONS, errorIfExists: true })
  try {
    await db.open()
    for await (const part of rows) {
      const puts = part.map(([key, value]) => ({ type: 'put' as const, key, value }))
      await db.batch(puts, { sync: true })
    }
  } catch (error) {
    throw storeError(error, path)
  } finally {
    await db.close()
  }
}
