/** Five nodes over real connections: a payload spreads among them, broken streams and restarts included. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { payloadId } from '../../src/gossip/manifest.ts'
import { addressOf, identities, linked, type Seat, seat, stopAll, until } from '../net/kit.ts'
import { FOREVER, nodeOn, payloadOf, publish, type SwarmNode } from './swarmKit.ts'

const it = suite('swarm over sockets')
const PEOPLE = identities(5)
const PAYLOAD = payloadOf(700_000)
const PATIENT = { idleMs: 5_000, graceMs: 5_000, hangUpMs: 10_000 } // five nodes in one process start slowly where others work too
const seats: Seat[] = []
const nodes: SwarmNode[] = []

async function enter(i: number): Promise<void> {
  const who = PEOPLE[i] as (typeof PEOPLE)[0]
  const place = await seat(who, PEOPLE, { bootstrap: seats.map(addressOf), timing: PATIENT })
  const node = nodeOn(who.id, place.transport)
  await node.server.serve(place.transport)
  seats[i] = place
  nodes[i] = node
}

it.before(async () => {
  for (const i of PEOPLE.keys()) await enter(i)
  await until('all linked', () => seats.every((a) => seats.every((b) => a === b || linked(a, b))), 20_000)
})
it.after(stopAll)

it('four receivers have all of it, each chunk left its author about once, and nothing runs on afterwards', async () => {
  const [author, ...receivers] = nodes as [SwarmNode, ...SwarmNode[]]
  const manifest = publish(author, PAYLOAD)
  const loaded = await Promise.all(receivers.map(({ loader }) => loader.load(manifest, author.member, FOREVER)))
  for (const { bytes } of loaded) assert.equal(bytes, PAYLOAD)
  for (const { bytesIn, faults } of receivers) {
    assert.ok(bytesIn < 1.15 * PAYLOAD.length, `${bytesIn} of ${PAYLOAD.length} bytes`)
    assert.equal(faults, [])
  }
  await until('no stream to be left', () =>
    seats.every(({ transport }) => transport.streams().every(({ protocol }) => !protocol.includes('/held/'))),
  )
})

it('a broken stream is mended: what came before is not fetched again', async () => {
  const payload = payloadOf(4_000_000, 'another')
  const [author, ben] = nodes as [SwarmNode, SwarmNode]
  const manifest = publish(author, payload)
  const loading = ben.loader.load(manifest, author.member, FOREVER)
  const before = ben.bytesIn
  await until('some of it', () => (ben.shelf.payload(payloadId(manifest))?.have.count ?? 0) > 20)
  for (const stream of seats[1]?.transport.streams() ?? [])
    if (stream.protocol.includes('/consilium/updates/')) stream.abort(new Error('cut'))
  const { bytes } = await loading
  assert.equal(bytes, payload)
  assert.ok(ben.bytesIn - before < 1.15 * payload.length, `${ben.bytesIn - before} bytes`)
})

it('who is new fetches it from the others when its author has gone', async () => {
  const [author] = nodes as [SwarmNode]
  const payload = payloadOf(900_000, 'third')
  const manifest = publish(author, payload)
  await Promise.all(nodes.slice(1, 4).map(({ loader }) => loader.load(manifest, author.member, FOREVER)))
  await seats[0]?.transport.stop()
  const late = nodes[4] as SwarmNode
  const { bytes } = await late.loader.load(manifest, author.member, FOREVER)
  assert.equal(bytes, payload)
})

it.run()
