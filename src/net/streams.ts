/** Requests and their answers over libp2p streams: one stream each, bounded per member, in frames with backpressure. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Stream } from '@libp2p/interface'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { ByteBudget } from './byteBudget.ts'
import { FrameStream } from './frames.ts'
import { Spares } from './spares.ts'
import type { Tally } from './tally.ts'
import type { RequestHandler } from './transport.ts'

/** What requests work with. `onServeFailed`: an answer of ours failed; `why` is one line. */
export interface StreamsContext {
  readonly tally: Tally
  /** How long one side waits for the other at one point. */
  readonly idleMs: number
  /** Of what members are sent in answers. */
  readonly budget?: ByteBudget
  onServeFailed(member: MemberId, protocol: string, why: string): void
}

/** One request: at most `LIMITS.requestBytesMax` bytes, answered in frames of at most `frameBytesMax` bytes. */
export interface Request {
  readonly member: MemberId
  readonly connection: Connection
  readonly protocol: string
  readonly request: Uint8Array
  readonly signal: AbortSignal
  readonly frameBytesMax: number
}

const ARRIVE_MS = 500 // what was given out is read within a round trip or two; a stop has five seconds in all

interface Flight {
  readonly signal: AbortSignal
  /** All of an answer has been written. */
  isOut: boolean
  readonly abort: () => void
  readonly leave: () => void
}

/** Both ends of requests, at most `LIMITS.streamsPerPeerMax` per member each way. */
export class Streams {
  readonly #context: StreamsContext
  readonly #asking = new Places()
  readonly #serving = new Places()
  /** Everything in flight, both ways, so that `stop` can end it. Bounded by the places. */
  readonly #inFlight = new Set<Flight>()
  readonly #answers = new Set<Promise<void>>()
  readonly #budget: ByteBudget
  readonly #often = new Set<string>()
  readonly #spares = new Spares((connection, protocol) =>
    this.#newStream(connection, protocol, AbortSignal.timeout(this.#context.idleMs)),
  )
  #stopped = false

  constructor(context: StreamsContext) {
    this.#context = context
    this.#budget = context.budget ?? new ByteBudget()
  }

  /** Asks a member and yields the frames of its answer in order. Throws a ConsiliumError; the next request is not affected. */
  async *ask(options: Request): AsyncGenerator<Uint8Array> {
    const { request, member, protocol } = options
    if (request.length > LIMITS.requestBytesMax) {
      throw failure(
        'request-too-large',
        `a request of ${request.length} bytes; at most ${LIMITS.requestBytesMax} are allowed`,
      )
    }
    if (!this.#asking.take(member)) {
      throw failure('peer-busy', `${LIMITS.streamsPerPeerMax} requests to this member are open; wait for one to end`)
    }
    const inFlight = this.#enter(options.signal)
    let frames: FrameStream | undefined
    try {
      const spare = await this.#spares.take(member, options.connection, protocol)
      if (this.#often.has(protocol)) this.#spares.keep(member, options.connection, protocol)
      const stream = spare ?? (await this.#openStream(options, inFlight.signal))
      frames = new FrameStream(stream, this.#context.idleMs, inFlight.signal)
      await frames.write(request)
      yield* this.#answer(frames, options.frameBytesMax)
      await frames.closeWrite() // only now: it tells the other side that all of it has come
      await frames.finish()
    } catch (error) {
      throw error instanceof ConsiliumError ? error : failure('stream-reset', `${protocol}: ${messageOf(error)}`)
    } finally {
      frames?.release()
      inFlight.leave()
      this.#asking.free(member)
    }
  }

  /** Requests of this protocol come again and again: a stream to each member is kept open for the next one. */
  expect(protocol: string): void {
    this.#often.add(protocol)
  }

  /** A member is connected. */
  met(member: MemberId, connection: Connection | undefined): void {
    if (connection === undefined) return
    for (const protocol of this.#often) this.#spares.keep(member, connection, protocol)
  }

  /** The member is gone. */
  forget(member: MemberId): void {
    this.#spares.forget(member)
  }

  /** Answers one request on a stream that a member opened. Never throws: what goes wrong resets the stream and is counted. */
  async serve(stream: Stream, member: MemberId, protocol: string, handler: RequestHandler): Promise<void> {
    const answer = this.#serve(stream, member, protocol, handler)
    this.#answers.add(answer)
    await answer
    this.#answers.delete(answer)
  }

  /**
   * Aborts what is in flight and waits for the answers to end; a handler that does not heed its signal is left behind. Answers that are out
   * already are given a moment to arrive: what a node has signed last may be among them.
   */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#spares.stop()
    for (const flight of this.#inFlight) if (!flight.isOut) flight.abort()
    const arriving = new AbortController()
    await Promise.race([
      Promise.all(this.#answers),
      sleep(ARRIVE_MS, undefined, { signal: arriving.signal, ref: false }),
    ])
    arriving.abort()
    for (const flight of this.#inFlight) flight.abort()
    await Promise.all(this.#answers)
  }

  async #serve(stream: Stream, member: MemberId, protocol: string, handler: RequestHandler): Promise<void> {
    const inFlight = this.#enter()
    const frames = new FrameStream(stream, this.#context.idleMs, inFlight.signal)
    stream.addEventListener('close', inFlight.abort)
    try {
      await frames.somethingCame() // it may stand open for a request to come; libp2p bounds how many do
      if (inFlight.signal.aborted) return
      if (this.#serving.take(member)) await this.#serveRequest(frames, member, protocol, handler, inFlight)
      else {
        this.#context.tally.refuse('too-many-streams')
        frames.fail('peer-busy', 'too many streams')
      }
    } finally {
      stream.removeEventListener('close', inFlight.abort)
      frames.release()
      inFlight.leave()
    }
  }

  async #serveRequest(
    frames: FrameStream,
    member: MemberId,
    protocol: string,
    handler: RequestHandler,
    flight: Flight,
  ): Promise<void> {
    try {
      await this.#reply(frames, member, handler, flight)
    } catch (error) {
      this.#context.tally.refuse('request-failed')
      this.#context.onServeFailed(member, protocol, messageOf(error))
      frames.fail('request-failed', 'the answer failed')
    } finally {
      this.#serving.free(member)
    }
  }

  async #reply(frames: FrameStream, member: MemberId, handler: RequestHandler, flight: Flight): Promise<void> {
    const { signal } = flight
    const request = await frames.read(LIMITS.requestBytesMax)
    if (request === undefined) throw failure('request-malformed', 'the stream held no request')
    this.#context.tally.frameIn(request.length)
    for await (const frame of heeding(signal, handler(member, request, signal))) {
      await frames.write(frame)
      this.#context.tally.frameOut(frame.length)
      const waitMs = this.#budget.spend(member, frame.length, performance.now())
      if (waitMs > 0) await sleep(waitMs, undefined, { signal })
    }
    flight.isOut = true
    this.#budget.sweep(performance.now())
    await frames.writeEnd()
    await frames.closeWrite()
    await frames.finish()
  }

  async *#answer(frames: FrameStream, frameBytesMax: number): AsyncGenerator<Uint8Array> {
    for (;;) {
      const frame = await frames.read(frameBytesMax)
      if (frame === undefined) return
      this.#context.tally.frameIn(frame.length)
      yield frame
    }
  }

  async #openStream({ connection, protocol }: Request, signal: AbortSignal): Promise<Stream> {
    const opening = new AbortController()
    const giveUp = () => opening.abort()
    const timer = setTimeout(giveUp, this.#context.idleMs)
    signal.addEventListener('abort', giveUp)
    try {
      if (signal.aborted) giveUp()
      return await this.#newStream(connection, protocol, opening.signal)
    } catch (error) {
      throw openingError(error, protocol, signal.aborted, opening.signal.aborted)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
    }
  }

  #newStream(connection: Connection, protocol: string, signal: AbortSignal): Promise<Stream> {
    return connection.newStream([protocol], { signal, maxOutboundStreams: LIMITS.streamsPerPeerMax + 1 }) // and a spare
  }

  /** Registers something in flight under its own controller, which an outer signal or `stop` aborts. */
  #enter(outer?: AbortSignal): Flight {
    const controller = new AbortController()
    const abort = () => controller.abort()
    outer?.addEventListener('abort', abort)
    const leave = () => {
      outer?.removeEventListener('abort', abort)
      this.#inFlight.delete(flight)
    }
    const flight: Flight = { signal: controller.signal, isOut: false, abort, leave }
    this.#inFlight.add(flight)
    if (outer?.aborted || this.#stopped) abort()
    return flight
  }
}

/** A bounded number of places per member. */
class Places {
  readonly #taken = new Map<MemberId, number>()
  take(member: MemberId): boolean {
    const taken = this.#taken.get(member) ?? 0
    if (taken >= LIMITS.streamsPerPeerMax) return false
    this.#taken.set(member, taken + 1)
    return true
  }
  free(member: MemberId): void {
    const left = (this.#taken.get(member) ?? 0) - 1
    if (left > 0) this.#taken.set(member, left)
    else this.#taken.delete(member)
  }
}

/** The same frames, until the signal aborts: then it throws at once, even if the source never yields again. */
async function* heeding(signal: AbortSignal, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => {}) // it is raced below; without a race going on nobody need hear of it
  const abort = () => gone.reject(failure('request-aborted', 'the other side gave up, or this node stops'))
  signal.addEventListener('abort', abort)
  try {
    if (signal.aborted) abort()
    for (;;) {
      const step = await Promise.race([iterator.next(), gone.promise])
      if (step.done) return
      yield step.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    iterator.return?.().catch(() => {}) // its own failure to clean up is not ours to report
  }
}

function openingError(error: unknown, protocol: string, aborted: boolean, timedOut: boolean): ConsiliumError {
  if (aborted) return failure('request-aborted', 'the request was given up')
  if (timedOut) return failure('request-timeout', `no stream for ${protocol} within the time limit`)
  const unsupported = error instanceof Error && /UnsupportedProtocol/.test(error.name)
  if (!unsupported) return failure('stream-reset', `no stream for ${protocol}: ${messageOf(error)}`)
  return failure('protocol-unsupported', `the member's node does not answer ${protocol}: is it of another version?`)
}

const failure = (code: string, message: string) => new ConsiliumError({ code, message })
