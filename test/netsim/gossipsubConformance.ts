/** What gossipsub does, modelled or real: the claims that both must keep to. */
import { isDeepStrictEqual } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DAEMON_GOSSIPSUB } from '../../netsim/pubsub/options.ts'
import { fullLinks, lineLinks, type MakeSwarm, meanDegree, ringLinks, type Swarm, type SwarmOptions } from './swarm.ts'

const { Dlo, Dhi, D, historyGossip, historyLength, idontwantBytesMin } = DAEMON_GOSSIPSUB
const SMALL = idontwantBytesMin - 100 // no IDONTWANT, so each mesh link bears each message once each way, but for the first copy
const LARGE = idontwantBytesMin + 100
const BEATS_TO_SETTLE = 20
const ATTEMPTS = 5

/** What was measured on the way: duplicates per delivery and mean mesh degree, by topology and size. */
export type Measured = Map<string, { readonly duplicates: number; readonly degree: number }>

/** Runs the suite on swarms made by `make`; fills what it gives while it runs. */
export function gossipsubConformance(name: string, make: MakeSwarm): Measured {
  const it = suite(`gossipsub: ${name}`)
  const measured: Measured = new Map()
  const running: Swarm[] = []
  const start = async (options: SwarmOptions): Promise<Swarm> => {
    const swarm = await make(options)
    running.push(swarm)
    return swarm
  }
  it.after.each(async () => {
    await Promise.all(running.splice(0).map((swarm) => swarm.stop()))
  })
  it('brings each message to every node exactly once, in a full graph, a ring and a line', async () => {
    for (const [shape, links] of [
      ['full', fullLinks(8)],
      ['ring', ringLinks(8)],
      ['line', lineLinks(8)],
    ] as const) {
      const swarm = await start({ nodes: 8, links })
      const small = await flood(swarm, SMALL)
      const large = await flood(swarm, LARGE)
      measured.set(`${shape}, small`, small)
      measured.set(`${shape}, large`, large)
      // each link of the mesh carries a message both ways, but for the copy that was the first
      const unsaved = (8 * small.degree) / 7 - 2 // of n · degree − (n − 1) copies, n − 1 are deliveries
      assert.ok(small.duplicates > unsaved - 0.05, `${shape}: ${small.duplicates}, for ${unsaved}`) // cut short by `quiet`
      // a copy that came by no link of the mesh is one more, and then each link bears the message both ways
      assert.ok(small.duplicates < unsaved + 2 * small.besides + 0.05, `${shape}: ${small.duplicates}, for ${unsaved}`)
      assert.ok(
        large.duplicates < (8 * large.degree) / 7 - 2 + 2 * large.besides + 0.05,
        `${shape}: IDONTWANT adds none`,
      )
    }
  })
  it('keeps every mesh symmetric and at most at Dhi, and the mean of all at least at Dlo', async () => {
    const swarm = await start({ nodes: 10, links: fullLinks(10) })
    const meshes = await settled(swarm, 10)
    for (const [node, mesh] of meshes.entries()) {
      // whoever was pruned by all others may not ask again for a minute, so one now and then stays below Dlo
      assert.ok(mesh.length >= 1 && mesh.length <= Dhi, `node ${node} has ${mesh.length}`)
      for (const peer of mesh) assert.ok(meshes[peer]?.includes(node), `${peer} has ${node} as ${node} has it`)
      assert.is(swarm.subscribers(node).length, 9)
    }
    assert.ok(meanDegree(swarm, 10) >= Dlo, `mean degree ${meanDegree(swarm, 10)}`)
  })
  it('refuses GRAFTs above Dhi, and tells those outside the mesh what there is', async () => {
    const spokes = [1, 2, 3, 4, 5, 6, 7]
    const swarm = await start({ nodes: 8, links: spokes.map((node) => [node, 0] as const) })
    await swarm.beats(1)
    assert.is(swarm.mesh(0).length, Dhi)
    await swarm.publish(0, 'hub')
    await swarm.until('the mesh has it', () => swarm.deliveries.length >= Dhi)
    await swarm.beats(1)
    await swarm.until('the others ask for it', () => swarm.deliveries.length === spokes.length)
    assert.ok(swarm.counts.iwantIds >= spokes.length - Dhi)
  })
  it('forwards nothing before it is accepted, and never what is ignored or rejected', async () => {
    const judge = (node: number, text: string) => (node === 1 && text !== 'good' ? (text as 'ignore') : 'accept')
    const swarm = await start({ nodes: 4, links: lineLinks(4), judge })
    await swarm.beats(1)
    for (const text of ['good', 'ignore', 'reject']) await swarm.publish(0, text)
    await swarm.quiet()
    await swarm.beats(historyGossip) // nor is it told of
    assert.equal(heard(swarm, 1), ['good', 'ignore', 'reject'])
    assert.equal(heard(swarm, 2), ['good'])
    assert.equal(heard(swarm, 3), ['good'])
  })
  it('keeps back with IDONTWANT what came to a peer while a message was judged', async () => {
    const swarm = await start({ nodes: 8, links: fullLinks(8), verdictMs: 30 })
    const small = await flood(swarm, SMALL, 8)
    const large = await flood(swarm, LARGE, 8)
    assert.ok(large.duplicates < 0.75 * small.duplicates, `${large.duplicates} of ${small.duplicates}`)
    measured.set('full, large, slow verdicts', large)
  })
  it('gives a node that was cut off what is still told of, once, and nothing older', async () => {
    const swarm = await start({ nodes: 6, links: fullLinks(6) })
    await swarm.beats(2)
    await swarm.cut(5)
    assert.equal(swarm.mesh(5), [])
    assert.ok(swarm.subscribers(0).every((peer) => peer !== 5))
    await swarm.publish(0, 'old')
    await swarm.until('old is heard by those who are there', () => swarm.deliveries.length === 4)
    await swarm.beats(historyLength)
    await swarm.publish(1, 'new')
    await swarm.until('new is heard by those who are there', () => swarm.deliveries.length === 8)
    const asked = swarm.counts.iwantIds
    await swarm.heal(5)
    await swarm.beats(historyGossip)
    await swarm.quiet()
    assert.equal(heard(swarm, 5), ['new'])
    assert.ok(swarm.counts.iwantIds > asked, 'it asked for it')
    await swarm.publish(5, 'back')
    await swarm.until('it is heard again', () => swarm.deliveries.length === 14)
  })
  it('publishes to nobody where nobody has joined, and from outside to D peers who pass it on', async () => {
    const swarm = await start({ nodes: 7, links: fullLinks(7), joined: [] })
    assert.is(await swarm.publish(0, 'alone'), 0)
    for (const node of [1, 2, 3, 4, 5, 6]) await swarm.join(node)
    await swarm.beats(historyLength)
    assert.is(await swarm.publish(0, 'outside'), D)
    await swarm.until('all who joined hear it', () => swarm.deliveries.length === 6)
    await swarm.quiet()
    for (const node of [1, 2, 3, 4, 5, 6]) assert.equal(heard(swarm, node), ['outside'])
    assert.equal(swarm.mesh(0), [])
  })
  it('lets a node leave: it hears no more, is in no mesh, and the others close up', async () => {
    const swarm = await start({ nodes: 5, links: fullLinks(5) })
    await swarm.beats(1)
    await swarm.leave(2)
    await swarm.beats(2)
    assert.equal(swarm.mesh(2), [])
    for (const node of [0, 1, 3, 4]) {
      assert.ok(swarm.mesh(node).length >= Dlo && !swarm.mesh(node).includes(2), `the mesh of ${node}`)
      assert.not.ok(swarm.subscribers(node).includes(2))
    }
    await swarm.publish(3, 'gone')
    await swarm.until('the others hear it', () => swarm.deliveries.length === 3)
    await swarm.beats(historyGossip)
    assert.equal(heard(swarm, 2), [])
  })
  it('gives who joins late nothing old, and all that is new', async () => {
    const swarm = await start({ nodes: 7, links: fullLinks(7), joined: [0, 1, 2, 3, 4, 5] })
    await swarm.beats(1)
    await swarm.publish(0, 'early')
    await swarm.until('those who joined hear it', () => swarm.deliveries.length === 5)
    await swarm.beats(historyLength)
    await swarm.join(6)
    await swarm.beats(historyGossip)
    await swarm.publish(0, 'late')
    await swarm.until('all hear it', () => swarm.deliveries.length === 11)
    await swarm.beats(1)
    assert.equal(heard(swarm, 6), ['late'])
  })
  it.run()
  return measured
}

/** What a flood cost, for each delivery, and the mesh that it went over. */
interface Flooded {
  /** Copies that were not the first. */
  readonly duplicates: number
  /** Copies by no link of the mesh: asked for after a heartbeat, or of an author who fills its mesh up to D with others. */
  readonly besides: number
  readonly degree: number
}

/** Messages, one after the other, from all nodes in turn, over a mesh that stays as it is: each must come to each other node once. */
async function flood(swarm: Swarm, bytes: number, messages = 24): Promise<Flooded> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const meshes = await settled(swarm, 8)
    const flooded = await floodOnce(swarm, bytes, messages, attempt)
    if (isDeepStrictEqual(meshesOf(swarm, 8), meshes)) return flooded
  }
  throw new Error(`a heartbeat changed the mesh in each of ${ATTEMPTS} floods`)
}

async function floodOnce(swarm: Swarm, bytes: number, messages: number, attempt: number): Promise<Flooded> {
  const before = swarm.deliveries.length
  const { received: receivedBefore, iwantIds: askedBefore } = { ...swarm.counts }
  let filled = 0
  for (let i = 0; i < messages; i++) {
    const [author, text] = [i % 8, `${bytes}/${attempt}/${i}`]
    const recipients = await swarm.publish(author, text, bytes)
    assert.ok(recipients > 0, 'it has a recipient')
    filled += Math.max(0, recipients - swarm.mesh(author).length)
    await swarm.until(`${text} is everywhere`, () => swarm.deliveries.length >= before + 7 * (i + 1))
  }
  await swarm.quiet()
  const fresh = swarm.deliveries.slice(before)
  const keys = new Set(fresh.map(({ node, text }) => `${node} ${text}`))
  assert.is(fresh.length, messages * 7)
  assert.is(keys.size, fresh.length, 'no message comes to an application twice')
  assert.ok(fresh.every(({ node, author }) => node !== author))
  const duplicates = (swarm.counts.received - receivedBefore) / fresh.length - 1
  const besides = (filled + swarm.counts.iwantIds - askedBefore) / fresh.length
  return { duplicates, besides, degree: meanDegree(swarm, 8) }
}

/**
 * Lets hearts beat until two beats leave every mesh as it was, and gives the meshes. A node takes a GRAFT of one that it
 * dialled above Dhi, too, and prunes at its next heartbeat: four beats are mostly enough, and not always.
 */
async function settled(swarm: Swarm, nodes: number): Promise<number[][]> {
  await swarm.beats(2)
  for (let beat = 0; beat < BEATS_TO_SETTLE; beat++) {
    const meshes = meshesOf(swarm, nodes)
    await swarm.beats(2)
    if (isDeepStrictEqual(meshesOf(swarm, nodes), meshes)) return meshes
  }
  throw new Error(`the mesh still changes after ${2 * BEATS_TO_SETTLE} heartbeats`)
}

function meshesOf(swarm: Swarm, nodes: number): number[][] {
  return Array.from({ length: nodes }, (_, node) => [...swarm.mesh(node)].sort((a, b) => a - b))
}

function heard(swarm: Swarm, node: number): string[] {
  return swarm.deliveries.filter((delivery) => delivery.node === node).map(({ text }) => text)
}
