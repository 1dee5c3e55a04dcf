/** Keys and records of the level store: LEDGER's layout, one letter per table, big-endian numbers, so that key order is log order. */
import { crc32 } from 'node:zlib'
import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { sha256 } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import type { StoredHead, Witnessed } from '../ledger/store.ts'

/** First byte of a key. Taken by later parts: g epochs, d decision slots, s subject tags. */
export const TABLE = {
  entry: 0x65, // e
  head: 0x68, // h
  commit: 0x63, // c
  node: 0x74, // t: of the tree
  witnessed: 0x77, // w
  final: 0x66, // f
  finalTime: 0x6d, // m
  fork: 0x78, // x
  state: 0x69, // i
  dropping: 0x70, // p: bodies are being taken out
} as const

export const AUTHOR_BYTES = 8
const HEAD_RECORD_VERSION = 1
const HEAD_RECORD_BYTES_MAX = 8_192 // a note, 53 roots, and the rest

/** The eight bytes that stand for an author in keys; the whole key is in the head record. */
export function shortAuthor(author: MemberId): Uint8Array {
  return sha256(fromHex(author)).subarray(0, AUTHOR_BYTES)
}

/** Error `author-collision`, where another log is stored under the eight bytes that stand for this new author. */
export function refuseCollision(author: MemberId, stored: ReadonlyMap<MemberId, unknown>): void {
  if (stored.has(author)) return
  const short = toHex(shortAuthor(author))
  for (const other of stored.keys()) {
    if (toHex(shortAuthor(other)) !== short) continue
    const message = `members ${author} and ${other} share the first 8 bytes of their key's digest: one needs a new key`
    throw new ConsiliumError({ code: 'author-collision', message })
  }
}

/** `table ‖ author8`. */
export function authorKey(table: number, short: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + AUTHOR_BYTES)
  key[0] = table
  key.set(short, 1)
  return key
}

/** `table ‖ author8 ‖ number as u64`. */
export function numberKey(table: number, short: Uint8Array, number: number): Uint8Array {
  const key = Buffer.alloc(1 + AUTHOR_BYTES + 8)
  key[0] = table
  key.set(short, 1)
  key.writeUInt32BE(Math.floor(number / 2 ** 32), 9)
  key.writeUInt32BE(number % 2 ** 32, 13)
  return key
}

/** `t ‖ author8 ‖ level ‖ index as u64`. */
export function nodeKey(short: Uint8Array, level: number, index: number): Uint8Array {
  const key = Buffer.alloc(2 + AUTHOR_BYTES + 8)
  key[0] = TABLE.node
  key.set(short, 1)
  key[1 + AUTHOR_BYTES] = level
  key.writeBigUInt64BE(BigInt(index), 2 + AUTHOR_BYTES)
  return key
}

/** The index at the end of a key made by `nodeKey`. */
export function nodeIndexOf(key: Uint8Array): number {
  return Number(new DataView(key.buffer, key.byteOffset, key.byteLength).getBigUint64(2 + AUTHOR_BYTES))
}

/** The number at the end of a key made by `numberKey`. */
export function numberOf(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  return view.getUint32(9) * 2 ** 32 + view.getUint32(13)
}

/** `i ‖ name`, in UTF-8. */
export function stateKey(name: string): Uint8Array {
  const bytes = utf8(name)
  const key = new Uint8Array(1 + bytes.length)
  key[0] = TABLE.state
  key.set(bytes, 1)
  return key
}

const STATE_VERSION = 1
const CRC_BYTES = 4 // LevelDB checks no checksums as it reads; entries have their hashes, and state has this

/** `1 ‖ value ‖ CRC-32 of key, 1 and value`, big-endian. */
export function encodeState(name: string, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(1 + value.length + CRC_BYTES)
  bytes[0] = STATE_VERSION
  bytes.set(value, 1)
  bytes.writeUInt32BE(stateCrc(name, bytes.subarray(0, -CRC_BYTES)), 1 + value.length)
  return bytes
}

/** The value that `encodeState` was given, or null where the bytes are not as they were written. Error: `database-newer`. */
export function decodeState(name: string, bytes: Uint8Array): Uint8Array | null {
  if (bytes.length < 1 + CRC_BYTES) return null
  const kept = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(bytes.length - CRC_BYTES)
  if (stateCrc(name, bytes.subarray(0, -CRC_BYTES)) !== kept) return null
  if (bytes[0] === STATE_VERSION) return new Uint8Array(bytes.subarray(1, -CRC_BYTES))
  const message = `the state "${name}" has version ${bytes[0]}, this version reads ${STATE_VERSION}: run the newer Consilium again`
  throw new ConsiliumError({ code: 'database-newer', message })
}

const WITNESSED_BYTES = 8 + 32 + CRC_BYTES

/** `size as u64 ‖ root ‖ CRC-32 of key and both`. */
export function encodeWitnessed(key: Uint8Array, { size, root }: Witnessed): Uint8Array {
  const bytes = Buffer.alloc(WITNESSED_BYTES)
  bytes.writeBigUInt64BE(BigInt(size))
  bytes.set(root, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -CRC_BYTES), crc32(key)), WITNESSED_BYTES - CRC_BYTES)
  return bytes
}

/** Error: `database-corrupt`. */
export function decodeWitnessed(key: Uint8Array, bytes: Uint8Array): Witnessed {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = bytes.length === WITNESSED_BYTES
  if (!whole || view.getUint32(40) !== crc32(bytes.subarray(0, -CRC_BYTES), crc32(key)))
    throw new ConsiliumError({
      code: 'database-corrupt',
      message: 'the record of what this node has cosigned is not as it was written',
    })
  return { size: Number(view.getBigUint64(0)), root: new Uint8Array(bytes.subarray(8, 40)) }
}

/** Seconds since 1970 as u64. */
export function encodeTime(timeS: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(timeS))
  return bytes
}

/** What `encodeTime` was given. */
export function decodeTime(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0))
}

function stateCrc(name: string, versioned: Uint8Array): number {
  return crc32(versioned, crc32(stateKey(name)))
}

/** The least and the greatest key that a table can hold. */
export function tableRange(table: number): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: Uint8Array.of(table), lt: Uint8Array.of(table + 1) }
}

/** CBOR of [1, author, size, note, frontier, last hash]. */
export function encodeHeadRecord({ author, size, note, frontier, lastHash }: StoredHead): Uint8Array {
  return encodeCbor([HEAD_RECORD_VERSION, fromHex(author), size, note, frontier, lastHash])
}

/** Error: `database-corrupt` and those of `decodeCbor`. */
export function decodeHeadRecord(bytes: Uint8Array): StoredHead {
  const value = decodeCbor(bytes, HEAD_RECORD_BYTES_MAX)
  const [version, author, size, note, frontier, lastHash] = Array.isArray(value) ? (value as Cbor[]) : []
  const fits =
    version === HEAD_RECORD_VERSION &&
    author instanceof Uint8Array &&
    author.length === 32 &&
    typeof size === 'number' &&
    note instanceof Uint8Array &&
    Array.isArray(frontier) &&
    lastHash instanceof Uint8Array
  if (!fits) throw new ConsiliumError({ code: 'database-corrupt', message: 'a head record has not its six fields' })
  return { author: toHex(author) as MemberId, size, note, frontier: frontier as unknown as Uint8Array[], lastHash }
}
