/**
 * Length-prefixed frames over one libp2p stream, with backpressure both ways and a clear error for each way to fail.
 * A frame is a big-endian u32 length and that many bytes; the length 2^32 − 1 ends an answer, so that a cut is not taken for an end.
 */
import type { Stream } from '@libp2p/interface'
import { concat } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'

const END_OF_FRAMES = 0xffff_ffff
const FRAME_IDLES = 3 // a frame may take three idle limits: a byte now and then must not hold a request open for weeks
const FRAMES_PER_TURN = 32 // then the event loop gets its turn: a quick handler's frames alone would starve it for seconds
const READ_AHEAD_BYTES = 65_536 // beyond it the sender is made to wait until we are asked for more

/** One reader and one writer at a time. After a failure every call throws the same ConsiliumError. */
export class FrameStream {
  readonly #stream: Stream
  readonly #idleMs: number
  readonly #signal: AbortSignal
  #chunks: Uint8Array[] = []
  #buffered = 0
  /** What the read that is under way waits for; 0 while there is none. */
  #needed = 0
  #resuming = false
  #written = 0
  #fault: ConsiliumError | undefined
  #wake: () => void = () => {}
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `idleMs`: how long to wait for the other side at one point. An abort of `signal` resets the stream. */
  constructor(stream: Stream, idleMs: number, signal: AbortSignal) {
    this.#stream = stream
    this.#idleMs = idleMs
    this.#signal = signal
    stream.addEventListener('message', this.#onMessage)
    for (const event of WAKING) stream.addEventListener(event, this.#onChange)
    signal.addEventListener('abort', this.#onAbort)
    if (signal.aborted) this.#onAbort()
  }

  /** Resolves when something has come, however long that takes, or nothing more will: of that the next `read` tells. */
  async somethingCame(): Promise<void> {
    this.#needed = 1
    while (this.#buffered === 0 && this.#fault === undefined) {
      this.#resume()
      if (this.#buffered > 0 || !isOpen(this.#stream) || this.#stream.readableEnded) return
      await this.#changed()
    }
  }

  /** The next frame, or undefined at the marked end. Throws `frame-too-large`, `request-timeout`, `request-aborted` or `stream-reset`. */
  async read(bytesMax: number): Promise<Uint8Array | undefined> {
    const frameMs = this.#idleMs * FRAME_IDLES
    const late = setTimeout(() => this.fail('request-timeout', `no whole frame came in ${frameMs} ms`), frameMs)
    try {
      const head = await this.#take(4)
      const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0)
      if (length === END_OF_FRAMES) return undefined
      if (length > bytesMax) {
        throw this.fail('frame-too-large', `a frame of ${length} bytes was sent; at most ${bytesMax} are allowed`)
      }
      return await this.#take(length)
    } finally {
      clearTimeout(late)
    }
  }

  /** Resolves when the frame was handed to the network and there is room for more. */
  async write(frame: Uint8Array): Promise<void> {
    await this.#send(concat([prefix(frame.length), frame]))
    this.#written += 1
    if (this.#written % FRAMES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
  }

  async writeEnd(): Promise<void> {
    await this.#send(prefix(END_OF_FRAMES))
  }

  /** Ends our direction; the other may go on. */
  async closeWrite(): Promise<void> {
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(this.#idleMs) })
    } catch (error) {
      throw this.#fault ?? this.fail('stream-reset', `the stream did not close: ${String(error)}`)
    }
  }

  /** Waits until the other side has ended its direction too, so that nothing is cut off by the release. */
  async finish(): Promise<void> {
    while (isOpen(this.#stream) && this.#stream.remoteWriteStatus !== 'closed') {
      if (this.#fault !== undefined) throw this.#fault
      await this.#change()
    }
  }

  /** Resets the stream with the reason, which later calls throw, and gives it back. */
  fail(code: string, message: string): ConsiliumError {
    this.#fault ??= new ConsiliumError({ code, message })
    this.#stream.abort(this.#fault)
    return this.#fault
  }

  /** Removes every listener and timer; the stream is aborted unless both sides are through. */
  release(): void {
    this.#disarm()
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#stream.removeEventListener('message', this.#onMessage)
    for (const event of WAKING) this.#stream.removeEventListener(event, this.#onChange)
    if (isOpen(this.#stream)) this.#stream.abort(new Error('released'))
  }

  async #take(length: number): Promise<Uint8Array> {
    this.#needed = length
    while (this.#buffered < length) {
      if (this.#fault !== undefined) throw this.#fault
      this.#resume()
      if (this.#buffered >= length) break
      if (!isOpen(this.#stream) || this.#stream.readableEnded) throw this.#cut()
      await this.#change()
    }
    return this.#shift(length)
  }

  /** The next bytes of what is buffered, copied once. */
  #shift(length: number): Uint8Array {
    const out = new Uint8Array(length)
    for (let at = 0; at < length; ) {
      const chunk = this.#chunks[0] as Uint8Array
      const part = chunk.subarray(0, length - at)
      out.set(part, at)
      at += part.length
      if (part.length === chunk.length) this.#chunks.shift()
      else this.#chunks[0] = chunk.subarray(part.length)
    }
    this.#buffered -= length
    this.#needed = 0
    return out
  }

  async #send(bytes: Uint8Array): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault
    if (!isOpen(this.#stream) || this.#stream.writeStatus !== 'writable') throw this.#cut()
    try {
      this.#stream.send(bytes)
    } catch {
      throw this.#cut()
    }
    // the stream's own onDrain() resolves at once from its second use on, so we wait for its events
    while (this.#stream.writableNeedsDrain) {
      if (this.#fault !== undefined) throw this.#fault
      if (!isOpen(this.#stream)) throw this.#cut()
      await this.#change()
    }
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') return
    this.#resuming = true
    try {
      this.#stream.resume() // delivers what is buffered before it tells the other side, which may be gone
    } catch (error) {
      this.#stream.log('resume after the end: %o', error)
    } finally {
      this.#resuming = false
    }
    this.#pauseWhenFull()
  }

  /**
   * Not while a read needs more, which would wait in vain; and not within a resume, whose end would tell the other side to go on all
   * the same, until what it sends has no room and breaks the stream.
   */
  #pauseWhenFull(): void {
    const full = this.#buffered >= Math.max(READ_AHEAD_BYTES, this.#needed)
    if (full && !this.#resuming && this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  #cut(): ConsiliumError {
    return this.#fault ?? new ConsiliumError({ code: 'stream-reset', message: 'the other side cut the stream short' })
  }

  async #change(): Promise<void> {
    this.#timer = setTimeout(() => this.fail('request-timeout', `nothing came for ${this.#idleMs} ms`), this.#idleMs)
    try {
      await this.#changed()
    } finally {
      this.#disarm()
    }
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  readonly #onMessage = (event: { data: { subarray(): Uint8Array } }): void => {
    const chunk = event.data.subarray()
    this.#chunks.push(chunk)
    this.#buffered += chunk.length
    this.#pauseWhenFull()
    this.#wake()
  }
  readonly #onChange = (): void => this.#wake()
  readonly #onAbort = (): void => {
    this.fail('request-aborted', 'the request was given up')
  }
}

const WAKING = ['end', 'close', 'drain', 'idle', 'remoteCloseWrite'] as const

const isOpen = (stream: Stream): boolean => stream.status === 'open' || stream.status === 'closing'

function prefix(length: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, length)
  return bytes
}
