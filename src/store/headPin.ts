/**
 * The newest head that this node has signed, in a small file beside the database and not in backups: LevelDB opens a truncated log or
 * an old copy without a word, and signing on from there would be a fork. Two slots in turn, so that a torn write spares the other.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ConsiliumError, invariant } from '../core/errors.ts'

/** A head that was signed, as the pin file has it; size 0 where none was. */
export interface Pin {
  readonly size: number
  /** RFC 6962 root, 32 bytes; zeros where nothing has been signed yet. */
  readonly root: Uint8Array
}

const SLOT_BYTES = 64 // "CPIN", version, 3 zeros, size u64, root, 12 zeros, CRC-32 of all that; well within one disk sector
const CRC_AT = 60
const MAGIC = Buffer.from('CPIN\x01\0\0\0', 'latin1')

/** Keeps its file open until `close`. One process at a time (the database lock sees to that), and one call at a time. */
export class HeadPin {
  readonly #file: FileHandle
  #slot: number
  #newest: Pin

  private constructor(file: FileHandle, slot: number, newest: Pin) {
    this.#file = file
    this.#slot = slot
    this.#newest = newest
  }

  /** The pin in `path`, or undefined where there is no file. Error: `ledger-pin-damaged` where neither slot can be read. */
  static async read(path: string): Promise<HeadPin | undefined> {
    let file: FileHandle
    try {
      file = await open(path, 'r+')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const bytes = Buffer.alloc(SLOT_BYTES * 2)
    await file.read(bytes, 0, bytes.length, 0)
    const pins = [readSlot(bytes.subarray(0, SLOT_BYTES)), readSlot(bytes.subarray(SLOT_BYTES))]
    const slot = (pins[1]?.size ?? -1) > (pins[0]?.size ?? -1) ? 1 : 0
    const newest = pins[slot]
    if (newest) return new HeadPin(file, slot, newest)
    await file.close()
    throw new ConsiliumError({
      code: 'ledger-pin-damaged',
      message: `${path} is damaged: neither of its two copies has a valid checksum; put the file back, or, if no other member holds more of this node's log than this folder, start once with --trust-ledger`,
    })
  }

  /** A file that pins `pin`, in the place of what was there or, with `wx+`, where nothing was. Durable when it resolves, the directory entry included. */
  static async create(path: string, pin: Pin, flags: 'w+' | 'wx+' = 'w+'): Promise<HeadPin> {
    const file = await open(path, flags, 0o600)
    await file.write(writeSlot(pin), 0, SLOT_BYTES, 0)
    await file.sync()
    const folder = await open(dirname(path), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
    return new HeadPin(file, 0, pin)
  }

  get newest(): Pin {
    return this.#newest
  }

  /** Pins a longer head; durable when it resolves. */
  async advance(pin: Pin): Promise<void> {
    invariant(pin.size > this.#newest.size, 'a pin only grows')
    const slot = 1 - this.#slot
    await this.#file.write(writeSlot(pin), 0, SLOT_BYTES, slot * SLOT_BYTES)
    await this.#file.datasync()
    this.#slot = slot
    this.#newest = pin
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** The pin lies beside the database's folder, so that a copy of the folder alone does not carry it along. */
export function pinPath(database: string): string {
  return join(dirname(database), 'heads.pin')
}

/** The error for a folder without a pin: `found` says what it holds. */
export function pinMissing(path: string, found: string): ConsiliumError {
  return new ConsiliumError({
    code: 'ledger-pin-missing',
    message: `${path} is missing, and ${found}: this key may have signed more than that, as where the folder comes from a backup; put the file and database/ back as they last were, or, if no other member holds more of this node's log, start once with --trust-ledger`,
  })
}

/** Makes a pin in `path`, where none is, that says that nothing has been signed yet. */
export async function pinNothing(path: string): Promise<void> {
  const pin = await HeadPin.create(path, { size: 0, root: new Uint8Array(32) }, 'wx+')
  await pin.close()
}

function writeSlot({ size, root }: Pin): Buffer {
  const bytes = Buffer.alloc(SLOT_BYTES)
  bytes.set(MAGIC)
  bytes.writeBigUInt64BE(BigInt(size), 8)
  bytes.set(root, 16)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, CRC_AT)), CRC_AT)
  return bytes
}

function readSlot(bytes: Buffer): Pin | null {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC) || bytes.readUInt32BE(CRC_AT) !== crc32(bytes.subarray(0, CRC_AT)))
    return null
  return { size: Number(bytes.readBigUInt64BE(8)), root: new Uint8Array(bytes.subarray(16, 48)) }
}
