/** A backup as one file: its frozen bytes, and that no part of one that is not whole is given out. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex, utf8 } from '../../src/core/bytes.ts'
import { type BackupPart, readBackup, rowParts, writeBackup } from '../../src/store/backupFile.ts'
import { golden } from '../ledger/goldenFile.ts'

const it = suite('backup file')

const PARTS: readonly BackupPart[] = [
  { type: 'about', about: { software: '0.1.0', member: 'ab'.repeat(32), timeMs: 1_790_000_000_000 } },
  {
    type: 'rows',
    rows: [
      [utf8('e1'), utf8('entry')],
      [utf8('empty'), new Uint8Array(0)],
    ],
  },
  { type: 'rows', rows: [[utf8('i'), new Uint8Array(300).fill(7)]] },
  { type: 'file', name: 'vault', bytes: utf8('sealed') },
]

async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items
}

async function written(parts: readonly BackupPart[]): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of writeBackup(each(parts))) pieces.push(piece)
  return new Uint8Array(Buffer.concat(pieces))
}

async function inFile<T>(bytes: Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-backup-'))
  try {
    await writeFile(join(folder, 'backup'), bytes)
    return await use(join(folder, 'backup'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function partsIn(path: string): Promise<BackupPart[]> {
  const parts: BackupPart[] = []
  for await (const part of readBackup(path)) parts.push(part)
  return parts
}

it('gives back what was written, in order', async () => {
  const parts = await inFile(await written(PARTS), partsIn)
  assert.equal(parts, PARTS)
})

it('its bytes are frozen', async () => {
  const made = await written(PARTS)
  assert.is(toHex(made), toHex(golden('backup-v1.bin', made)))
})

it('of one that is cut short or has any other bit nothing is given out', async () => {
  const bytes = await written(PARTS)
  await inFile(bytes, async (path) => {
    const given: BackupPart[] = []
    const codeOf = async (wrong: Uint8Array): Promise<string> => {
      await writeFile(path, wrong)
      try {
        for await (const part of readBackup(path)) given.push(part)
        return 'read'
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    for (let at = 0; at < bytes.length; at += 3) {
      const wrong = new Uint8Array(bytes)
      wrong[at] = (wrong[at] as number) ^ (1 << (at % 8))
      assert.ok(['backup-damaged', 'backup-newer'].includes(await codeOf(wrong)), `byte ${at}`)
      assert.is(await codeOf(bytes.subarray(0, at)), 'backup-damaged', `cut at ${at}`)
    }
    assert.equal(given, [])
    const newer = new Uint8Array(bytes)
    newer[4] = 2
    assert.is(await codeOf(newer), 'backup-newer')
    await rm(path)
    assert.is(await partsIn(path).then(String, (error: { code: string }) => error.code), 'backup-unreadable')
    await writeFile(path, bytes)
    assert.is((await readFile(path)).length, bytes.length)
  })
})

it('rows come in parts of about a megabyte, each row in one of them', async () => {
  const rows = Array.from({ length: 9 }, (_, i) => [utf8(`k${i}`), new Uint8Array(300_000).fill(i)] as const)
  const parts: (readonly (readonly [Uint8Array, Uint8Array])[])[] = []
  for await (const part of rowParts(each(rows))) parts.push(part.rows)
  assert.equal(
    parts.map((part) => part.length),
    [4, 4, 1],
  )
  assert.equal(parts.flat(), rows)
})

it.run()
