/**
 * A backup as one file: `CBKP`, version, then parts, each with a letter, its length and its bytes: what it is of, files by name, rows of the
 * database, and at its end the SHA-256 of all before. Nothing in it is sealed by this: what is secret goes in sealed.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { equalBytes, fromUtf8, utf8 } from '../core/bytes.ts'
import { Sha256 } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'

/** What a backup is of; for people, and for the restored node's log. */
export interface BackupAbout {
  readonly software: string
  readonly member: string
  readonly timeMs: number
}

/** A piece of a backup, in the order: about, rows, files. */
export type BackupPart =
  | { readonly type: 'about'; readonly about: BackupAbout }
  | { readonly type: 'rows'; readonly rows: readonly (readonly [key: Uint8Array, value: Uint8Array])[] }
  | { readonly type: 'file'; readonly name: string; readonly bytes: Uint8Array }

const MAGIC = Buffer.from('CBKP\x01\0\0\0', 'latin1') // the fifth byte is the version
const LETTER = { about: 0x41, rows: 0x52, file: 0x46, end: 0x45 } as const
const HEAD_BYTES = 5 // letter and length
const ROWS_BYTES = 1_048_576 // of one part; a row that is larger stands alone
const READ_BYTES = 1_048_576

/** The bytes of a backup, piece by piece. */
export async function* writeBackup(parts: AsyncIterable<BackupPart>): AsyncIterable<Uint8Array> {
  const hash = new Sha256()
  const told = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes)
    return bytes
  }
  yield told(MAGIC)
  for await (const part of parts) yield told(framed(LETTER[part.type], contentOf(part)))
  const end = Buffer.concat([headOf(LETTER.end, 32)])
  hash.update(end)
  yield end
  yield hash.digest()
}

/** Rows in parts of about a megabyte. */
export async function* rowParts(
  rows: AsyncIterable<readonly [Uint8Array, Uint8Array]>,
): AsyncIterable<Extract<BackupPart, { type: 'rows' }>> {
  let held: (readonly [Uint8Array, Uint8Array])[] = []
  let bytes = 0
  for await (const row of rows) {
    held.push(row)
    bytes += row[0].length + row[1].length
    if (bytes < ROWS_BYTES) continue
    yield { type: 'rows', rows: held }
    held = []
    bytes = 0
  }
  if (held.length > 0) yield { type: 'rows', rows: held }
}

/** Reads a backup. Nothing of it is given before all of it has been found whole. Errors: `backup-unreadable`, `backup-damaged`, `backup-newer`. */
export async function* readBackup(path: string): AsyncIterable<BackupPart> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    const message = `${path}: cannot be read (${error.code ?? error.message}); name a file that "consilium backup" wrote`
    throw new ConsiliumError({ code: 'backup-unreadable', message })
  })
  try {
    await checkWhole(file, path)
    const { size } = await file.stat()
    for (let at = MAGIC.length; at < size; ) {
      const head = await bytesAt(file, at, HEAD_BYTES)
      const [letter, length] = [head[0], head.readUInt32BE(1)]
      if (letter === LETTER.end) return
      const part = partOf(letter, await bytesAt(file, at + HEAD_BYTES, length))
      if (part === null) throw damaged(path)
      yield part
      at += HEAD_BYTES + length
    }
  } finally {
    await file.close()
  }
}

async function checkWhole(file: FileHandle, path: string): Promise<void> {
  const { size } = await file.stat()
  const until = size - 32
  const hash = new Sha256()
  const magic = until < MAGIC.length + HEAD_BYTES ? null : await bytesAt(file, 0, MAGIC.length)
  if (magic === null || !equalBytes(magic.subarray(0, 4), MAGIC.subarray(0, 4))) throw damaged(path)
  if (magic[4] !== MAGIC[4]) {
    const message = `${path}: a backup of version ${magic[4]}; this version reads ${MAGIC[4]}: run the newer Consilium`
    throw new ConsiliumError({ code: 'backup-newer', message })
  }
  for (let at = 0; at < until; at += READ_BYTES) hash.update(await bytesAt(file, at, Math.min(READ_BYTES, until - at)))
  if (!equalBytes(hash.digest(), await bytesAt(file, until, 32))) throw damaged(path)
}

async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done)
    if (bytesRead === 0) return bytes.subarray(0, done)
    done += bytesRead
  }
  return bytes
}

function headOf(letter: number, length: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head[0] = letter
  head.writeUInt32BE(length, 1)
  return head
}

const framed = (letter: number, content: Uint8Array): Buffer => Buffer.concat([headOf(letter, content.length), content])

function contentOf(part: BackupPart): Uint8Array {
  if (part.type === 'about') return utf8(JSON.stringify(part.about))
  if (part.type === 'file') return Buffer.concat([lengthed(utf8(part.name)), part.bytes])
  return Buffer.concat(part.rows.flatMap(([key, value]) => [lengthed(key), lengthed(value)]))
}

function lengthed(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Null where it is not what was written: the whole has its digest, so this is another's file. */
function partOf(letter: number | undefined, content: Buffer): BackupPart | null {
  if (letter === LETTER.about) return { type: 'about', about: JSON.parse(fromUtf8(content)) as BackupAbout }
  const pieces: Uint8Array[] = []
  let at = 0
  const next = (): Uint8Array | null => {
    const end = at + 4 > content.length ? content.length + 1 : at + 4 + content.readUInt32BE(at)
    if (end > content.length) return null
    const bytes = new Uint8Array(content.subarray(at + 4, end))
    at = end
    return bytes
  }
  if (letter === LETTER.file) {
    const name = next()
    return name === null ? null : { type: 'file', name: fromUtf8(name), bytes: new Uint8Array(content.subarray(at)) }
  }
  if (letter !== LETTER.rows) return null
  while (at < content.length) {
    const piece = next()
    if (piece === null) return null
    pieces.push(piece)
  }
  if (pieces.length % 2 === 1) return null
  const rows = Array.from({ length: pieces.length / 2 }, (_, i): [Uint8Array, Uint8Array] => {
    return [pieces[2 * i] as Uint8Array, pieces[2 * i + 1] as Uint8Array]
  })
  return { type: 'rows', rows }
}

function damaged(path: string): ConsiliumError {
  const message = `${path}: is not a whole backup as it was written; take another copy of it, or an older one`
  return new ConsiliumError({ code: 'backup-damaged', message })
}
