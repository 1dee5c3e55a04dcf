/** How simulated nodes fetch updates, beside the whole simulation: who signs a copy of another's manifest takes nothing from it. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Clock } from '../../netsim/clock.ts'
import { Identities } from '../../netsim/members/identity.ts'
import { fullTopology, Network, ORDINARY_NETWORK } from '../../netsim/members/network.ts'
import { type Sharing, UpdateFetching } from '../../netsim/members/updateFetching.ts'
import type { Sent } from '../../netsim/members/updateMessage.ts'
import { Wires } from '../../netsim/wires.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { encodeFloat32 } from '../../src/gossip/coding/coding.ts'
import { bodyOf } from '../../src/gossip/update.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { digestOf, headerOf, keyOf, SOUND } from '../gossip/fixtures.ts'

const it = suite('netsim fetching')
const NAMES = ['ada', 'ben', 'cleo']

function world() {
  const clock = new Clock()
  const identities = new Identities({ founding: digestOf('founding'), keys: NAMES.map(keyOf) }, 'modelled')
  const wires = new Wires(fullTopology(NAMES.length), null, Rng.from('wires'), { ...ORDINARY_NETWORK, uplinkMbit: 2 })
  const network = new Network<Sharing>(clock, wires, ORDINARY_NETWORK.detectMs)
  const nodes = NAMES.map((_, node) => {
    const arrived: string[] = []
    const fed: NodeEvent[] = []
    const updates: UpdateFetching = new UpdateFetching({
      ...{ node, network, identities, clock, rng: Rng.from('swarm', node) },
      formatOf: () => ({ coding: { kind: 'float32' }, tensors: [WEIGHTS.length], parameters: WEIGHTS.length }),
      feed: (event) => fed.push(event),
      hear: () => undefined,
      arrived: (sent) => {
        arrived.push(sent.update.header.author)
        updates.keep(sent)
      },
      isDead: () => false,
    })
    network.attach(node, { connected: () => undefined, disconnected: () => undefined, updates })
    return { updates, arrived, fed, member: identities.memberOf(node) }
  })
  return { clock, nodes: nodes as [Node, Node, Node] }
}
type Node = {
  readonly updates: UpdateFetching
  readonly arrived: string[]
  readonly fed: NodeEvent[]
  readonly member: MemberId
}

const WEIGHTS = Float32Array.from({ length: 30_000 }, (_, i) => Math.fround(i / 7))
/** What `author` says of its weights, which are too many for a message. */
function sentBy(author: MemberId, round = 7, weights = WEIGHTS): Sent {
  const header = headerOf(weights, { author, round })
  const payload = encodeFloat32(weights)
  const update = { header, body: bodyOf(header, payload), signature: new Uint8Array(64) }
  return { update, weights, facts: SOUND, bytes: 400, payloadBytes: payload.length }
}

function fetch({ updates }: Node, sent: Sent): void {
  const { study, author, round, digest } = sent.update.header
  updates.expect(sent)
  updates.fetch({ type: 'fetch-update', study, author, round, digest })
}

it('two updates that name one payload share its fetch, and the end of one is not that of the other', async () => {
  const { clock, nodes } = world()
  const [author, liar, reader] = nodes
  await clock.run(2_000) // all linked
  author.updates.keep(sentBy(author.member))
  fetch(reader, sentBy(author.member))
  fetch(reader, sentBy(liar.member))
  await clock.run(clock.elapsedMs + 100)
  assert.equal(reader.arrived, [], 'it takes half a second')
  fetch(reader, sentBy(liar.member, 8, WEIGHTS.with(0, 9))) // which nobody has
  await clock.run(clock.elapsedMs + 2_000)
  assert.equal([reader.arrived, reader.fed], [[author.member], []])
  fetch(reader, sentBy(liar.member, 9))
  await clock.run(clock.elapsedMs + 200_000)
  assert.equal(reader.arrived, [author.member, liar.member], 'what is here need not be fetched')
  fetch(liar, sentBy(author.member))
  await clock.run(clock.elapsedMs + 2_000)
  assert.equal(liar.arrived, [author.member], 'and is served on')
})

it.run()
