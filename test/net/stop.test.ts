/** Stopping: quick, complete, and safe to ask for twice. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  addressOf,
  bytes,
  codeOf,
  collect,
  gossips,
  identities,
  LOOPBACK,
  linked,
  seat,
  stopAll,
  TOPIC,
  until,
} from './kit.ts'

const it = suite('stop')
it.after.each(stopAll)
const people = identities(2)
const [low, high] = people as [(typeof people)[0], (typeof people)[0]]
const PROTOCOL = '/consilium/test/1'

/** What keeps this process alive that was not among `before`; the test runner's own connections may end meanwhile. */
function added(before: readonly string[]): string[] {
  const left = [...before]
  return process.getActiveResourcesInfo().filter((kind) => {
    const at = left.indexOf(kind)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

it('a stop in the middle of everything is done soon and leaves nothing running', async () => {
  await until('only the runner is alive', () => added([]).every((kind) => !kind.startsWith('TCP')))
  const before = process.getActiveResourcesInfo()
  const timing = { idleMs: 60_000 } // nothing ends before the stop
  const a = await seat(low, [low, { id: high.id, addresses: ['/ip4/192.0.2.1/tcp/9'] }], { timing }) // dials where nobody answers
  const b = await seat(high, people, { bootstrap: [addressOf(a)], timing })
  await a.transport.handle(PROTOCOL, async function* () {
    for (;;) yield new Uint8Array(1_000)
  })
  await b.transport.handle(PROTOCOL, async function* () {
    await new Promise(() => {}) // heeds no signal
    yield bytes('never')
  })
  await until('gossip flows', () => linked(a, b) && gossips(a, b) && gossips(b, a))
  const options = { signal: new AbortController().signal, frameBytesMax: 1_000 }
  const stuck = codeOf(() => collect(a.transport.request(high.id, PROTOCOL, bytes('?'), options)))
  const flood = codeOf(() => collect(b.transport.request(low.id, PROTOCOL, bytes('?'), options)))
  await until('bytes flow', () => b.transport.stats().bytesIn > 1_000_000)
  for (let i = 0; i < 50; i++) void a.transport.publish(TOPIC, new Uint8Array(60_000))
  const began = performance.now()
  await Promise.all([a.transport.stop(), b.transport.stop(), a.transport.stop()])
  const ms = performance.now() - began
  assert.ok(ms < 10_000, `${ms} ms; one that waits for those who heed no signal would never end`)
  assert.match(await stuck, /^(request-aborted|stream-reset)$/)
  assert.match(await flood, /^(request-aborted|stream-reset)$/)
  await until(`nothing more is alive than ${before}`, () => added(before).length === 0)
})

it('what has been given out arrives, though the giver stops at once; what still goes on is cut off', async () => {
  const a = await seat(low, people, { timing: { stopMs: 10_000 } })
  const b = await seat(high, people, { bootstrap: [addressOf(a)] })
  const given = Promise.withResolvers<void>()
  await a.transport.handle(PROTOCOL, async function* (_, request) {
    if (request[0] === 1) for (;;) yield new Uint8Array(1_000)
    for (let i = 0; i < 4; i++) yield new Uint8Array(250_000).fill(i)
    given.resolve()
  })
  await until('gossip flows', () => linked(a, b) && gossips(a, b) && gossips(b, a))
  const options = { signal: new AbortController().signal, frameBytesMax: 250_000 }
  const endless = codeOf(() => collect(b.transport.request(low.id, PROTOCOL, Uint8Array.of(1), options)))
  const whole = (async () => {
    const frames: number[] = []
    for await (const frame of b.transport.request(low.id, PROTOCOL, Uint8Array.of(0), options)) {
      frames.push(frame.length)
      await new Promise((resolve) => setTimeout(resolve, 40)) // it is being checked and stored
    }
    return frames
  })()
  await given.promise
  await new Promise((resolve) => setImmediate(resolve)) // the giver has heard that it is out
  await a.transport.stop()
  assert.equal(await whole, [250_000, 250_000, 250_000, 250_000])
  assert.match(await endless, /^(request-aborted|stream-reset)$/)
})

it('a stopped transport is quiet: nobody is there, nothing is sent', async () => {
  const a = await seat(low, people)
  const b = await seat(high, people, { bootstrap: [addressOf(a)] })
  await until('gossip flows', () => gossips(a, b))
  await a.transport.stop()
  await a.transport.stop()
  assert.is(await a.transport.publish(TOPIC, bytes('late')), 0)
  assert.equal(a.transport.peers(), [])
  assert.equal(a.transport.addresses(), [])
  const options = { signal: new AbortController().signal, frameBytesMax: 10 }
  assert.is(
    await codeOf(() => collect(a.transport.request(high.id, PROTOCOL, bytes('?'), options))),
    'peer-unreachable',
  )
})

it('a start that fails leaves nothing running', async () => {
  await until('only the runner is alive', () => added([]).every((kind) => !kind.startsWith('TCP')))
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const before = process.getActiveResourcesInfo()
  const { port } = other.address() as AddressInfo
  const listen = [LOOPBACK, `/ip4/127.0.0.1/tcp/${port}`]
  assert.is(await codeOf(() => seat(high, people, { listen })), 'port-in-use')
  await until(`nothing more is alive than ${before}`, () => added(before).length === 0)
  other.close()
})

it("the caller's signal stops it", async () => {
  const controller = new AbortController()
  const { Libp2pTransport } = await import('../../src/net/libp2pTransport.ts')
  const silent = async () => 'ignore' as const
  const transport = new Libp2pTransport(
    {
      privateKeySeed: low.seed,
      members: [],
      listen: [LOOPBACK],
      announce: [],
      bootstrap: [],
      mdns: false,
      topicPrefix: 'x/',
      log: () => {},
    },
    { onConnected() {}, onDisconnected() {}, onStranger() {}, onMisbehaved() {}, onMessage: silent },
  )
  await transport.start(controller.signal)
  assert.is(transport.addresses().length, 1)
  controller.abort()
  await until('it has stopped', () => transport.addresses().length === 0)
})

it.run()
