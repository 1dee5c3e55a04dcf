/** Properties of the modelled gossipsub, over topologies, losses, crashes and seeds. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { completeOptions, DAEMON_GOSSIPSUB } from '../../netsim/pubsub/options.ts'
import { Rng } from '../../src/core/rng.ts'
import { type ModelSwarm, modelSwarm, TOPIC } from './modelSwarm.ts'
import { duplicatesPerDelivery, fullLinks, type Links, lineLinks } from './swarm.ts'

const it = suite('gossipsub: properties of the model')
const { Dhi, historyGossip, historyLength, seenTtlMs, heartbeatMs } = DAEMON_GOSSIPSUB

const seeds = fc.integer({ min: 1, max: 1_000_000 })

/** A random tree, and some links more. */
const connected = fc
  .record({ nodes: fc.integer({ min: 2, max: 14 }), more: fc.integer({ min: 0, max: 25 }), seed: seeds })
  .map(({ nodes, more, seed }) => ({ nodes, seed, links: connectedLinks(nodes, more, seed) }))

it('brings a message to all of any connected graph within the window in which it is told of', async () => {
  await fc.assert(
    fc.asyncProperty(connected, async ({ nodes, seed, links }) => {
      // everybody outside the mesh is told, else a bridge between two crowds may be left out by lot
      const swarm = await modelSwarm({ nodes, seed, links, gossipsub: { Dlazy: nodes } })
      await swarm.publish(seed % nodes, 'a')
      await swarm.beats(nodes * historyGossip)
      assert.equal(hearers(swarm, 'a'), others(nodes, seed % nodes))
    }),
    { numRuns: 60 },
  )
})

it('makes up for lost messages, IHAVEs and IWANTs where a node has peers outside its mesh', async () => {
  const lossy = fc.record({
    nodes: fc.integer({ min: 11, max: 16 }),
    share: fc.double({ min: 0.05, max: 0.2 }),
    seed: seeds,
  })
  await fc.assert(
    fc.asyncProperty(lossy, async ({ nodes, share, seed }) => {
      const lossShare = { message: share, gossip: share }
      const swarm = await modelSwarm({ nodes, seed, links: fullLinks(nodes), lossShare })
      for (let i = 0; i < 5; i++) await swarm.publish(i, `m${i}`)
      await swarm.beats(2 * historyLength)
      for (let i = 0; i < 5; i++) assert.equal(hearers(swarm, `m${i}`), others(nodes, i))
      assert.is(swarm.deliveries.length, 5 * (nodes - 1), 'and once only')
    }),
    { numRuns: 40 },
  )
})

it('has symmetric meshes of at most Dhi once it is quiet, whatever came and went', async () => {
  const op = fc.tuple(fc.constantFrom('leave', 'join', 'cut', 'heal', 'crash', 'beat'), fc.nat(1_000))
  await fc.assert(
    fc.asyncProperty(connected, fc.array(op, { maxLength: 25 }), async ({ nodes, seed, links }, ops) => {
      const swarm = await modelSwarm({ nodes, seed, links })
      for (const [what, number] of ops) await act(swarm, what, number % nodes)
      for (let node = 0; node < nodes; node++) {
        await swarm.heal(node)
        await swarm.join(node)
      }
      await swarm.beats(3)
      for (let node = 0; node < nodes; node++) {
        const mesh = swarm.mesh(node)
        assert.ok(mesh.length <= Dhi && new Set(mesh).size === mesh.length, `mesh of ${node}: ${mesh}`)
        for (const peer of mesh) assert.ok(swarm.mesh(peer).includes(node), `${node} has ${peer}, not the other way`)
        for (const peer of mesh) assert.ok(swarm.subscribers(node).includes(peer))
      }
    }),
    { numRuns: 60 },
  )
})

it('gives a crashed node nothing, forwards nothing that it was judging, and starts it with no memory', async () => {
  const swarm = await modelSwarm({ nodes: 3, links: lineLinks(3), verdictMs: 500 })
  await swarm.publish(0, 'a')
  await swarm.run(100) // node 1 is judging
  assert.equal(hearers(swarm, 'a'), [1])
  swarm.gossipsub.stop(1)
  await swarm.publish(0, 'b') // its peers have not noticed
  await swarm.beats(1)
  assert.is(swarm.deliveries.length, 1)
  await swarm.heal(1)
  await swarm.join(1)
  await swarm.publish(2, 'c')
  await swarm.beats(1)
  assert.equal(hearers(swarm, 'c'), [0, 1])
})

it('hears a message again after a crash, if it is still told of', async () => {
  const swarm = await modelSwarm({ nodes: 6, links: fullLinks(6) })
  await swarm.publish(0, 'a')
  await swarm.until('heard', () => swarm.deliveries.length === 5)
  await swarm.crash(3)
  await swarm.heal(3)
  await swarm.join(3)
  await swarm.beats(historyGossip)
  assert.equal(hearers(swarm, 'a'), [1, 2, 3, 3, 4, 5])
})

it('tells a peer of all topics in one RPC, for a peer heeds ten of them', async () => {
  const topics = Array.from({ length: 15 }, (_, topic) => topic)
  const swarm = await modelSwarm({ nodes: 3, links: lineLinks(3), joined: [] })
  for (const topic of topics) for (const node of [0, 1, 2]) swarm.gossipsub.join(node, topic)
  await swarm.beats(1)
  for (const topic of topics) swarm.gossipsub.leave(2, topic)
  await swarm.quiet()
  for (const topic of topics) swarm.gossipsub.join(2, topic) // too early to be grafted
  await swarm.quiet()
  for (const topic of topics) swarm.gossipsub.publish(0, topic, `t${topic}`, 100)
  await swarm.quiet()
  assert.is(swarm.deliveries.filter(({ node }) => node === 2).length, 0)
  await swarm.beats(1)
  assert.is(swarm.deliveries.filter(({ node }) => node === 2).length, topics.length)
})

it('keeps topics apart', async () => {
  const [nodes, topics] = [14, 15]
  const swarm = await modelSwarm({ nodes, links: fullLinks(nodes), joined: [], lossShare: { message: 0.4 } })
  const joins = (node: number, topic: number): boolean => topic % 2 === 0 || node % 2 === 0
  for (let topic = 0; topic < topics; topic++) {
    for (let node = 0; node < nodes; node++) if (joins(node, topic)) swarm.gossipsub.join(node, topic)
  }
  await swarm.beats(3)
  for (let topic = 0; topic < topics; topic++) swarm.gossipsub.publish(0, topic, `t${topic}`, 100)
  await swarm.beats(2 * historyLength)
  for (let topic = 0; topic < topics; topic++) {
    const members = others(nodes, 0).filter((node) => joins(node, topic))
    assert.equal(hearers(swarm, `t${topic}`), members, `topic ${topic}`)
  }
})

it('takes a verdict that comes when the node has left and the message is forgotten', async () => {
  const swarm = await modelSwarm({ nodes: 3, links: lineLinks(3), verdictMs: 3 * seenTtlMs })
  await swarm.publish(0, 'a')
  await swarm.run(100)
  swarm.gossipsub.leave(1, TOPIC)
  await swarm.run(4 * seenTtlMs)
  assert.equal(hearers(swarm, 'a'), [1])
  assert.is(swarm.gossipsub.sizes.held, 0)
})

it('takes no more room for nodes that crash, or leave and join, again and again', async () => {
  const swarm = await modelSwarm({ nodes: 6, links: fullLinks(6), gossipsub: { seenTtlMs: 11_000 } })
  for (let i = 0; i < 10; i++) {
    await swarm.publish(0, `m${i}`)
    await swarm.crash(3)
    await swarm.heal(3)
    await swarm.join(3)
    await swarm.leave(5)
    await swarm.run(100 * heartbeatMs)
    await swarm.join(5)
    await swarm.beats(1)
  }
  assert.equal(swarm.gossipsub.sizes, { messages: 0, held: 0, unwanted: 0, topics: 1, places: 6, slots: 6 })
})

it('takes GRAFTs up to Dhi, beyond it only of peers that it dialled, and none before a backoff ends', async () => {
  const spokes = Array.from({ length: 12 }, (_, i) => i + 1)
  const toHub = await modelSwarm({ nodes: 13, links: spokes.map((node) => [node, 0] as const), dialMs: 0 })
  assert.is(toHub.mesh(0).length, Dhi)
  const refused = toHub.gossipsub.counts.prunes
  assert.is(refused, spokes.length - Dhi)
  await toHub.beats(55)
  assert.is(toHub.gossipsub.counts.prunes, refused, 'nobody tried again within a minute')
  await toHub.beats(25)
  assert.ok(toHub.gossipsub.counts.prunes > refused, 'and then somebody did')
  const fromHub = await modelSwarm({ nodes: 13, links: spokes.map((node) => [0, node] as const), dialMs: 0 })
  assert.is(fromHub.mesh(0).length, spokes.length)
})

it('does the same for the same seed, to the order of deliveries, and something else for another', async () => {
  const run = async (seed: number): Promise<unknown[]> => {
    const swarm = await modelSwarm({ nodes: 12, links: fullLinks(12), seed, lossShare: { message: 0.1 } })
    for (let i = 0; i < 12; i++) await swarm.publish(i, `m${i}`, 900)
    await swarm.beats(4)
    return [swarm.deliveries, swarm.gossipsub.counts]
  }
  await fc.assert(
    fc.asyncProperty(seeds, async (seed) => {
      const first = await run(seed)
      assert.equal(await run(seed), first)
      assert.not.equal(await run(seed + 1), first)
    }),
    { numRuns: 8 },
  )
})

it('forgets: nothing is kept of a message once its time is over, nor of a topic that all have left', async () => {
  const swarm = await modelSwarm({
    nodes: 9,
    links: fullLinks(9),
    verdictMs: 20,
    judge: (node) => (node === 4 ? 'ignore' : 'accept'),
  })
  for (let i = 0; i < 50; i++) await swarm.publish(i % 9, `m${i}`, 2_000)
  await swarm.quiet()
  const full = swarm.gossipsub.sizes
  assert.is(full.messages, 50)
  assert.ok(full.held > 50 * 7)
  await swarm.beats(historyLength + 1)
  assert.is(swarm.gossipsub.sizes.held, 0)
  await swarm.run(seenTtlMs)
  assert.equal(swarm.gossipsub.sizes, { messages: 0, held: 0, unwanted: 0, topics: 1, places: 9, slots: 9 })
  for (let node = 0; node < 9; node++) await swarm.leave(node)
  await swarm.run(40 * heartbeatMs) // backoffs end
  assert.equal(swarm.gossipsub.sizes, { messages: 0, held: 0, unwanted: 0, topics: 0, places: 0, slots: 0 })
})

it('keeps back with IDONTWANT what came to a peer while a message was judged', async () => {
  const measure = async (bytes: number): Promise<{ duplicates: number; declined: number }> => {
    const swarm = await modelSwarm({ nodes: 12, links: fullLinks(12), verdictMs: 50 })
    for (let i = 0; i < 24; i++) {
      await swarm.publish(i % 12, `m${i}`, bytes)
      await swarm.quiet()
    }
    return { duplicates: duplicatesPerDelivery(swarm), declined: swarm.gossipsub.counts.declined }
  }
  const [small, large] = [await measure(500), await measure(600)]
  assert.is(small.declined, 0)
  assert.ok(large.declined > 0)
  assert.ok(large.duplicates < 0.7 * small.duplicates, `${large.duplicates} of ${small.duplicates}`)
})

it('sends no byte that it does not count, and counts the copies', async () => {
  const swarm = await modelSwarm({ nodes: 8, links: fullLinks(8) })
  await swarm.publish(0, 'a', 10_000)
  await swarm.beats(historyLength)
  const { counts } = swarm.gossipsub
  assert.is(counts.sent, counts.delivered + counts.duplicates)
  assert.is(counts.delivered, 7)
  assert.ok(counts.messageBytes > counts.sent * 10_000 && counts.messageBytes < counts.sent * 10_400)
  assert.ok(counts.controlBytes > 100 * counts.ihaveIds)
})

it('brings 200 messages to each of 1,000 nodes with 16 links, once', async () => {
  const [nodes, messages] = [1_000, 200]
  const swarm = await modelSwarm({ nodes, links: sparseLinks(nodes, 8), dialMs: 0 })
  await swarm.beats(3)
  for (let i = 0; i < messages; i++) {
    await swarm.publish((i * 7) % nodes, `m${i}`)
    await swarm.run(20)
  }
  await swarm.beats(historyGossip)
  assert.is(swarm.deliveries.length, messages * (nodes - 1))
  assert.ok(duplicatesPerDelivery(swarm) < 2)
})

it('refuses settings that contradict each other', () => {
  for (const wrong of [
    { Dlo: 5 },
    { D: 5 },
    { Dout: 2 },
    { historyGossip: 6 },
    { seenTtlMs: 10_000 },
    { heartbeatMs: 0.5 },
  ])
    assert.throws(() => completeOptions(wrong), 'invariant broken', JSON.stringify(wrong))
})

async function act(swarm: ModelSwarm, what: string, node: number): Promise<void> {
  if (what === 'leave') return swarm.leave(node)
  if (what === 'join') return swarm.join(node)
  if (what === 'cut') return swarm.cut(node)
  if (what === 'heal') return swarm.heal(node)
  if (what === 'crash') return swarm.crash(node)
  return swarm.beats(1)
}

function hearers(swarm: ModelSwarm, text: string): number[] {
  const found = swarm.deliveries.filter((delivery) => delivery.text === text).map(({ node }) => node)
  return found.sort((a, b) => a - b)
}

function others(nodes: number, but: number): number[] {
  return Array.from({ length: nodes }, (_, node) => node).filter((node) => node !== but)
}

function connectedLinks(nodes: number, more: number, seed: number): Links {
  const rng = Rng.from('graph', seed)
  const links = Array.from({ length: nodes - 1 }, (_, i) => [i + 1, rng.below(i + 1)] as const)
  const extra = Array.from({ length: more }, () => [rng.below(nodes), rng.below(nodes)] as const)
  return distinct([...links, ...extra])
}

/** Each node dials so many at random. */
function sparseLinks(nodes: number, dials: number): Links {
  const rng = Rng.from('graph', nodes)
  return distinct(Array.from({ length: nodes * dials }, (_, i) => [Math.floor(i / dials), rng.below(nodes)] as const))
}

function distinct(links: Links): Links {
  const known = new Map(links.map((link) => [`${Math.min(...link)} ${Math.max(...link)}`, link]))
  return [...known.values()].filter(([a, b]) => a !== b)
}

it.run()
