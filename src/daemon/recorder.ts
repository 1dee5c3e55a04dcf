/**
 * `start --record FILE`: every event with its time, and a digest of the actions that it gave. Replaying the events into a fresh
 * machine must give the same digests (`replay`), which is how a fault in the field becomes a test.
 */
import { createWriteStream, type WriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { sha256 } from '../core/digest.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Action } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import { Machine } from '../node/machine.ts'

const RECORD_BYTES_MAX = 1_073_741_824 // the first event holds what a restart reads: all governance entries

/** A digest of actions as plain data: equal digests mean equal bytes. */
export function actionsDigest(actions: readonly Action[]): string {
  return toHex(sha256(encodeCbor(actions as unknown as Cbor)))
}

/** A new file of mode 0600, open until `close`. Writes are buffered and not awaited. */
export class Recorder {
  readonly #file: WriteStream
  private constructor(file: WriteStream) {
    this.#file = file
  }

  /** `onFailed` hears once that a write failed: the recording ends there, and the node goes on. Error: `record-not-writable`. */
  static async open(path: string, onFailed: (error: Error) => void): Promise<Recorder> {
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600 })
    await new Promise<void>((resolve, reject) => {
      file.once('open', () => resolve())
      file.once('error', (error) =>
        reject(
          new ConsiliumError({
            code: 'record-not-writable',
            message: `--record ${path}: ${messageOf(error)}; give a new file in a folder that exists`,
          }),
        ),
      )
    })
    file.once('error', onFailed)
    return new Recorder(file)
  }

  /** Each record: 4 bytes of length, then CBOR of [time, event, digest of actions]. */
  write(now: number, event: NodeEvent, actions: readonly Action[]): void {
    const record = encodeCbor([now, event as unknown as Cbor, actionsDigest(actions)])
    const length = Buffer.alloc(4)
    length.writeUInt32BE(record.length)
    if (!this.#file.destroyed) this.#file.write(Buffer.concat([length, record]))
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#file.end(() => resolve()))
  }
}

/** One event of a recording. */
export interface Recorded {
  readonly now: number
  readonly event: NodeEvent
  /** Of the actions that it gave. */
  readonly digest: string
}

/** Reads a recording, up to where the process was killed while it wrote. */
export async function* recorded(path: string): AsyncGenerator<Recorded> {
  const bytes = await readFile(path)
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) return
    const record = decodeCbor(new Uint8Array(bytes.subarray(at + 4, end)), RECORD_BYTES_MAX)
    const [now, event, digest] = record as [number, unknown, string]
    yield { now, event: event as NodeEvent, digest }
    at = end
  }
}

/** Replays a recording into a fresh machine; returns how many events gave the same actions, and where they first did not. */
export async function replay(path: string): Promise<{ events: number; differsAt: number | null }> {
  const machine = new Machine()
  let events = 0
  for await (const { now, event, digest } of recorded(path)) {
    if (actionsDigest(machine.step(event, now)) !== digest) return { events, differsAt: events }
    events++
  }
  return { events, differsAt: null }
}
