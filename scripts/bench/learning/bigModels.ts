/**
 * Models that fit no message, at the level of the transport: bytes on the wire for each node and round against stock gossipsub, the time
 * from a slow uplink to fifteen receivers, and memory.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { type Figure, under } from '../figures.ts'
import type { UplinkJob } from './receivers.ts'
import { BenchNode, formatOf, seedsOf, TOPIC, until } from './swarmNode.ts'

const NODES = 16
const PARAMETERS = 1_000_000
const PAYLOAD_BYTES = PARAMETERS + 4 // int8, and one scale
const FLOODING = 2 // of the stock nodes publish, for the others' rounds would look the same
const UPLINK_MBIT = 2
const MESH_MS = 5_000 // a few heartbeats, until every node has its mesh
const MEMORY_PARAMETERS = 16_000_000

/** Every socket of this process, for what came in by it. */
const sockets = new Set<Socket>()
for (const channel of ['net.client.socket', 'net.server.socket'])
  subscribe(channel, (message) => sockets.add((message as { socket: Socket }).socket))

const bytesRead = (): number => [...sockets].reduce((sum, socket) => sum + socket.bytesRead, 0)

/** All figures; those of the uplink only as root, which is said. */
export async function bench(): Promise<Figure[]> {
  const memory = await memoryFigure()
  const swarm = await swarmRatio()
  const flood = await floodRatio()
  return [
    under(
      'big models: bytes received per node and round',
      swarm,
      1.15,
      '× the bound',
      `${NODES} nodes publish ${PARAMETERS} weights as int8 each; bytes of all sockets ÷ 15 payloads a node; stock gossipsub, in the same run: ${flood.toFixed(2)} ×`,
    ),
    ...(await uplinkFigures()),
    memory,
  ]
}

async function swarmRatio(): Promise<number> {
  const nodes = await started()
  try {
    const before = bytesRead()
    await Promise.all(nodes.map((node) => node.publish(1)))
    await until(() => nodes.every(({ arrived }) => arrived === NODES - 1))
    return (bytesRead() - before) / (NODES * (NODES - 1) * PAYLOAD_BYTES)
  } finally {
    await Promise.all(nodes.map((node) => node.close()))
  }
}

async function started(count = NODES, parameters = PARAMETERS): Promise<BenchNode[]> {
  const seeds = seedsOf(count)
  const nodes: BenchNode[] = []
  for (const seed of seeds) {
    const bootstrap = nodes.flatMap(({ transport }) => transport.addresses())
    nodes.push(new BenchNode({ seed, seeds, listen: '/ip4/127.0.0.1/tcp/0', bootstrap, format: formatOf(parameters) }))
    await nodes.at(-1)?.start()
  }
  await Promise.all(nodes.map((node) => node.ready()))
  return nodes
}

/** The same payload as a gossipsub message, with default settings but for the address that all nodes share, all linked. */
async function floodRatio(): Promise<number> {
  const nodes: Libp2p<{ pubsub: GossipSub }>[] = []
  let arrived = 0
  for (let i = 0; i < NODES; i++) {
    const node = await createLibp2p({
      ...{ addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] }, transports: [tcp()] },
      ...{ connectionEncrypters: [noise()], streamMuxers: [yamux()] },
      connectionManager: { inboundConnectionThreshold: 100, maxIncomingPendingConnections: 100 },
      services: { identify: identify(), pubsub: gossipsub({ scoreParams: { IPColocationFactorWeight: 0 } }) }, // they share an address
    })
    node.services.pubsub.addEventListener('message', () => arrived++)
    node.services.pubsub.subscribe(TOPIC)
    for (const other of nodes) await node.dial(other.getMultiaddrs())
    nodes.push(node)
  }
  try {
    const linked = (node: (typeof nodes)[0]): boolean => node.services.pubsub.getSubscribers(TOPIC).length === NODES - 1
    await until(() => nodes.every(linked))
    await new Promise((resolve) => setTimeout(resolve, MESH_MS))
    const before = bytesRead()
    for (const [i, node] of nodes.slice(0, FLOODING).entries())
      await node.services.pubsub.publish(TOPIC, new Uint8Array(PAYLOAD_BYTES).fill(i))
    await until(() => arrived === FLOODING * (NODES - 1))
    await new Promise((resolve) => setTimeout(resolve, 1_000)) // duplicates that are still on their way count too
    return (bytesRead() - before) / (FLOODING * (NODES - 1) * PAYLOAD_BYTES)
  } finally {
    await Promise.all(nodes.map((node) => node.stop()))
  }
}

/** One receiver beside its author: what its process takes more at the most, while 64 MB of weights are coded, sent, checked and decoded. */
async function memoryFigure(): Promise<Figure> {
  const nodes = await started(2, MEMORY_PARAMETERS)
  try {
    const before = process.memoryUsage().rss
    let most = before
    const look = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss)
    }, 10)
    await nodes[0]?.publish(1)
    await until(() => nodes[1]?.arrived === 1)
    clearInterval(look)
    const models = (Math.max(most, process.memoryUsage().rss) - before) / (4 * MEMORY_PARAMETERS)
    const how = `${MEMORY_PARAMETERS} weights as int8; author and receiver together, over what the process took before`
    return under('big models: peak memory', models, 6, 'models of float32', how)
  } finally {
    await Promise.all(nodes.map((node) => node.close()))
  }
}

/** Publisher and receivers in network namespaces, with a token bucket on the publisher's uplink. */
async function uplinkFigures(): Promise<Figure[]> {
  if (process.getuid?.() !== 0) {
    process.stdout.write('big models: SKIPPED the slow uplink, for network namespaces need root\n')
    return []
  }
  const children: ChildProcess[] = []
  try {
    namespaces()
    const shared = { publisher: ADDRESSES.publisher, nodes: NODES, parameters: PARAMETERS }
    const publisher = child(children, { role: 'publisher', address: ADDRESSES.publisher, ...shared })
    const receivers = child(children, { role: 'receivers', address: ADDRESSES.receivers, ...shared })
    await Promise.all([publisher.next(), receivers.next()])
    execFileSync('ip', [...inNamespace('publisher'), 'tc', 'qdisc', 'add', 'dev', `${NAME}0`, ...BUCKET])
    receivers.go()
    const begun = performance.now()
    publisher.go()
    await receivers.next()
    const seconds = (performance.now() - begun) / 1_000
    const least = (PAYLOAD_BYTES * 8) / (UPLINK_MBIT * 1e6)
    const how = `publisher with ${UPLINK_MBIT} Mbit/s to ${NODES - 1} receivers, ${seconds.toFixed(1)} s from publish to the last`
    return [under('big models: slow uplink', seconds / least, 1.5, '× size ÷ uplink', how)]
  } finally {
    for (const one of children) one.kill('SIGKILL')
    for (const role of ['publisher', 'receivers']) quietly(['netns', 'del', `${NAME}-${role}`])
  }
}

const NAME = `cw${process.pid % 100_000}`
const ADDRESSES = { publisher: '10.213.0.1', receivers: '10.213.0.2' }
const BUCKET = ['root', 'tbf', 'rate', `${UPLINK_MBIT}mbit`, 'burst', '16kb', 'latency', '2s']
const inNamespace = (role: string): string[] => ['netns', 'exec', `${NAME}-${role}`]

function namespaces(): void {
  const ip = (...words: string[]): unknown => execFileSync('ip', words)
  for (const role of ['publisher', 'receivers']) ip('netns', 'add', `${NAME}-${role}`)
  ip('link', 'add', `${NAME}0`, 'type', 'veth', 'peer', 'name', `${NAME}1`)
  for (const [i, role] of (['publisher', 'receivers'] as const).entries()) {
    ip('link', 'set', `${NAME}${i}`, 'netns', `${NAME}-${role}`)
    ip(...inNamespace(role), 'ip', 'addr', 'add', `${ADDRESSES[role]}/24`, 'dev', `${NAME}${i}`)
    ip(...inNamespace(role), 'ip', 'link', 'set', `${NAME}${i}`, 'up')
    ip(...inNamespace(role), 'ip', 'link', 'set', 'lo', 'up')
  }
}

function quietly(words: string[]): void {
  try {
    execFileSync('ip', words, { stdio: 'ignore' })
  } catch {
    return // it was not made
  }
}

function child(children: ChildProcess[], job: UplinkJob) {
  const file = fileURLToPath(new URL('receivers.ts', import.meta.url))
  const words = [...inNamespace(job.role), process.execPath, ...process.execArgv, file, JSON.stringify(job)]
  const made = spawn('ip', words, { stdio: ['ignore', 2, 2, 'ipc'] })
  children.push(made)
  const messages: unknown[] = []
  made.on('message', (message) => messages.push(message))
  return {
    go: () => made.send({}),
    next: async () => {
      await until(() => messages.length > 0 || made.exitCode !== null)
      if (messages.shift() === undefined) throw new Error(`the ${job.role} ended with ${made.exitCode}`)
    },
  }
}
