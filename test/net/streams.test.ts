/** Requests over streams: order, backpressure, and that each way to fail is clear and leaves the next request well. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LIMITS } from '../../src/core/limits.ts'
import type { RequestHandler } from '../../src/net/transport.ts'
import { addressOf, bytes, codeOf, collect, identities, linked, type Seat, seat, stopAll, until } from './kit.ts'

const it = suite('streams')
const PROTOCOL = '/consilium/test/1'
const people = identities(2)
let asker: Seat
let answerer: Seat
let behave: RequestHandler
let returned = 0

it.before(async () => {
  const [low, high] = people as [(typeof people)[0], (typeof people)[0]]
  answerer = await seat(low, people)
  asker = await seat(high, people, { bootstrap: [addressOf(answerer)] })
  await answerer.transport.handle(PROTOCOL, (from, request, signal) => behave(from, request, signal))
  await until('linked', () => linked(asker, answerer))
})
it.after(stopAll)

const ask = (options: { signal?: AbortSignal; frameBytesMax?: number; request?: Uint8Array; protocol?: string } = {}) =>
  asker.transport.request(answerer.who.id, options.protocol ?? PROTOCOL, options.request ?? bytes('?'), {
    signal: options.signal ?? new AbortController().signal,
    frameBytesMax: options.frameBytesMax ?? 1_000,
  })

/** After any failure the next request works. */
async function stillWell(): Promise<void> {
  behave = async function* (_from, request) {
    yield request
    yield bytes('well')
  }
  assert.equal(await collect(ask({ request: bytes('are you') })), ['are you', 'well'])
}

it('frames come in order, empty ones too, with the asker authenticated', async () => {
  behave = async function* (from, request) {
    yield bytes(from)
    for (let i = 0; i < 2_000; i++) yield bytes(`${i}`)
    yield new Uint8Array(0)
    yield request
  }
  const frames = await collect(ask())
  assert.is(frames.length, 2_003)
  assert.is(frames[0], asker.who.id)
  assert.is(frames[2_000], '1999')
  assert.equal(frames.slice(-2), ['', '?'])
})

it('a slow reader holds the answer back instead of filling memory', async () => {
  let made = 0
  behave = async function* () {
    for (; made < 400; made++) yield new Uint8Array(100_000).fill(made % 251)
  }
  let read = 0
  for await (const frame of ask({ frameBytesMax: 100_000 })) {
    if (read === 0) await quiet(() => made)
    if (read === 0) assert.ok(made < 100, `${made} frames of 400 were made before the second was asked for`)
    assert.is(frame.length, 100_000)
    assert.is(frame[99_999], read % 251)
    read += 1
  }
  assert.is(read, 400)
})

it('a frame above the limit is refused', async () => {
  behave = async function* () {
    yield new Uint8Array(1_001)
  }
  assert.is(await codeOf(() => collect(ask())), 'frame-too-large')
  await stillWell()
})

it('a handler that throws resets the stream, also after some frames', async () => {
  behave = async function* () {
    yield bytes('first')
    throw new Error('disk full')
  }
  assert.is(await codeOf(() => collect(ask())), 'stream-reset')
  await stillWell()
})

it('a stalled answer times out, and the handler is told', async () => {
  let told = false
  behave = async function* (_from, _request, signal) {
    yield bytes('first')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    told = true
  }
  assert.is(await codeOf(() => collect(ask())), 'request-timeout')
  await until('the handler is told', () => told)
  await stillWell()
})

it('an aborted request ends at once', async () => {
  behave = async function* () {
    await new Promise(() => {})
  }
  const controller = new AbortController()
  const code = codeOf(() => collect(ask({ signal: controller.signal })))
  await until('it is under way', () => asker.transport.connections() > 0)
  controller.abort()
  assert.is(await code, 'request-aborted')
  assert.is(
    await codeOf(() => collect(ask({ signal: controller.signal }))),
    'request-aborted',
    'aborted before it began',
  )
  await stillWell()
})

it('a reader that stops early frees both ends', async () => {
  behave = async function* () {
    try {
      for (;;) yield bytes('more')
    } finally {
      returned += 1
    }
  }
  for (let i = 0; i < 3 * LIMITS.streamsPerPeerMax; i++) for await (const _ of ask()) break
  await until('the handlers end', () => returned >= 2 * LIMITS.streamsPerPeerMax)
  await until('places are free', async () => (await codeOf(stillWell)) === 'nothing')
})

it('more requests at once than allowed are refused, and the others answered', async () => {
  const gate = Promise.withResolvers<void>()
  behave = async function* () {
    await gate.promise
    yield bytes('done')
  }
  const open = Array.from({ length: LIMITS.streamsPerPeerMax }, () => collect(ask()))
  assert.is(await codeOf(() => collect(ask())), 'peer-busy')
  gate.resolve()
  assert.equal(
    await Promise.all(open),
    Array.from(open, () => ['done']),
  )
  await stillWell()
})

it('an oversize request, an unknown protocol and an unknown member each have their code', async () => {
  assert.is(
    await codeOf(() => collect(ask({ request: new Uint8Array(LIMITS.requestBytesMax + 1) }))),
    'request-too-large',
  )
  assert.is(await codeOf(() => collect(ask({ protocol: '/consilium/none/1' }))), 'protocol-unsupported')
  const options = { signal: new AbortController().signal, frameBytesMax: 10 }
  const nobody = asker.transport.request(asker.who.id, PROTOCOL, bytes('?'), options)
  assert.is(await codeOf(() => collect(nobody)), 'peer-unreachable')
})

it('what is asked for often finds its stream open: none is agreed on while the asker waits, however many come at once', async () => {
  const often = '/consilium/often/1'
  for (const seat of [answerer, asker]) {
    const echo: RequestHandler = async function* (_, request) {
      yield request
    }
    await seat.transport.handle(often, echo, true)
  }
  const open = () =>
    asker.transport.streams().filter(({ protocol, direction }) => protocol === often && direction === 'outbound')
  assert.equal(await collect(ask({ protocol: often, request: bytes('first') })), ['first'])
  await until('a spare', () => open().length === 1)
  const [spare] = open()
  assert.equal(await collect(ask({ protocol: often, request: bytes('second') })), ['second'])
  assert.is(spare?.status, 'closed', 'it was the spare that carried the second')
  await until('the next spare', () => open().length === 1 && open()[0] !== spare)
  const all = Array.from({ length: LIMITS.streamsPerPeerMax }, (_, i) =>
    collect(ask({ protocol: often, request: bytes(`${i}`) })),
  )
  assert.equal(
    (await Promise.all(all)).flat(),
    Array.from(all, (_, i) => `${i}`),
  )
  await until('one spare again', () => open().length === 1)
  open()[0]?.abort(new Error('broken'))
  assert.equal(await collect(ask({ protocol: often, request: bytes('after') })), ['after'])
  await new Promise((resolve) => setTimeout(resolve, 1_500)) // longer than either side waits for the other
  const [rested] = open()
  assert.equal(await collect(ask({ protocol: often, request: bytes('late') })), ['late'])
  assert.is(rested?.status, 'closed', 'a spare that stood open long still carries')
})

it('a connection that closes midway is an error, not a short answer', async () => {
  behave = async function* () {
    yield bytes('first')
    await answerer.transport.disconnect(asker.who.id, 'test')
    yield bytes('second')
  }
  const code = await codeOf(() => collect(ask()))
  assert.ok(['stream-reset', 'request-timeout'].includes(code), code)
  await until('linked again', () => linked(asker, answerer))
  await stillWell()
})

/** Waits until a number has not changed for 100 ms. */
async function quiet(value: () => number): Promise<void> {
  let last = -1
  let since = performance.now()
  await until('it is quiet', () => {
    if (value() !== last) since = performance.now()
    last = value()
    return performance.now() - since > 100
  })
}

it.run()
