/** A swarm of real nodes on loopback: the daemon's own libp2p node (src/net), dialled by hand and judged by the test. */
import '../../src/polyfill.ts'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type Message, TopicValidatorResult } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { PeerId } from '@libp2p/interface'
import { invariant } from '../../src/core/errors.ts'
import { scoreTopic } from '../../src/net/gossipScore.ts'
import { createNode, type MemberNode } from '../../src/net/libp2pNode.ts'
import { LOOPBACK, TOPIC, until } from '../net/kit.ts'
import type { Delivery, Swarm, SwarmOptions, Verdict } from './swarm.ts'

const RESULT: Record<Verdict, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
}
const DISCOVERY = `${TOPIC}/addresses`
const QUIET_MS = 100 // some 50 times what an RPC takes on loopback
const BEAT_GAP_MS = 20 // … so that what one forced heartbeat sent has arrived before the next

/** What a node has of gossipsub's class that its interface does not name. */
interface Inside {
  handleReceivedRpc(from: PeerId, rpc: RPC): Promise<void>
  heartbeat(): Promise<void>
  getMeshPeers(topic: string): string[]
  readonly streamsOutbound: ReadonlyMap<string, unknown>
  readonly opts: Record<string, unknown>
  readonly status: { readonly heartbeatTimeout?: NodeJS.Timeout }
}

interface Traffic {
  received: number
  ihaveIds: number
  iwantIds: number
  idontwantIds: number
  /** RPCs of any kind, and when the last came or ended. */
  underWay: number
  lastMs: number
}

export async function realSwarm(options: SwarmOptions): Promise<Swarm> {
  const nodes = await Promise.all(Array.from({ length: options.nodes }, (_, node) => startNode(node)))
  const swarm = new RealSwarm(nodes, options)
  await swarm.open()
  return swarm
}

/** A node of the daemon's making that listens on loopback and dials nobody. */
export async function startNode(number: number): Promise<MemberNode> {
  const node = await createNode({
    privateKey: await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(number + 1)),
    listen: [LOOPBACK],
    announce: [],
    appendAnnounce: [],
    gater: {},
    datastore: undefined,
    discoveryTopic: DISCOVERY,
    discoveryMs: 86_400_000,
    mdns: false,
    wantsTopic: (topic) => topic === TOPIC || topic === DISCOVERY,
    onUnwanted: () => undefined,
  })
  await node.start()
  return node
}

export function insideOf(node: MemberNode): Inside {
  return node.services.pubsub as unknown as Inside
}

class RealSwarm implements Swarm {
  readonly deliveries: Delivery[] = []
  readonly #traffic: Traffic = { received: 0, ihaveIds: 0, iwantIds: 0, idontwantIds: 0, underWay: 0, lastMs: 0 }
  readonly #nodes: readonly MemberNode[]
  readonly #options: SwarmOptions
  readonly #numbers: ReadonlyMap<string, number>
  readonly #publishedMs = new Map<string, number>()

  constructor(nodes: readonly MemberNode[], options: SwarmOptions) {
    this.#nodes = nodes
    this.#options = options
    this.#numbers = new Map(nodes.map((node, number) => [node.peerId.toString(), number]))
  }

  async open(): Promise<void> {
    for (const [number, node] of this.#nodes.entries()) this.#watch(number, node)
    for (const node of this.#options.joined ?? this.#nodes.keys()) this.#node(node).services.pubsub.subscribe(TOPIC)
    await this.#dial(this.#options.links)
    await this.quiet()
  }

  get counts(): Traffic {
    return this.#traffic
  }

  async publish(node: number, text: string, bytes = 0): Promise<number> {
    this.#publishedMs.set(text, performance.now())
    const data = new Uint8Array(Buffer.from(text.padEnd(bytes)))
    const { recipients } = await this.#node(node).services.pubsub.publish(TOPIC, data)
    return recipients.length
  }

  async join(node: number): Promise<void> {
    this.#node(node).services.pubsub.subscribe(TOPIC)
    await this.quiet()
  }

  async leave(node: number): Promise<void> {
    this.#node(node).services.pubsub.unsubscribe(TOPIC)
    await this.quiet()
  }

  async cut(node: number): Promise<void> {
    const gone = this.#node(node)
    await Promise.all(gone.getConnections().map((connection) => connection.close()))
    const isGone = (other: MemberNode): boolean =>
      other === gone ? peersOf(other).length === 0 : !peersOf(other).includes(gone.peerId.toString())
    await until(`all see node ${node} gone`, () => this.#nodes.every(isGone))
  }

  /** From here on only forced heartbeats come: own ones would tell of a message for the last time while the dials go on. */
  async heal(node: number): Promise<void> {
    for (const one of this.#nodes) clearTimeout(insideOf(one).status.heartbeatTimeout)
    await this.#dial(this.#options.links.filter((link) => link.includes(node)))
  }

  async beats(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await Promise.all(this.#nodes.map((node) => insideOf(node).heartbeat()))
      await this.#quietFor(BEAT_GAP_MS)
    }
  }

  until(what: string, condition: () => boolean): Promise<void> {
    return until(what, condition)
  }

  quiet(): Promise<void> {
    return this.#quietFor(QUIET_MS)
  }

  mesh(node: number): number[] {
    return insideOf(this.#node(node))
      .getMeshPeers(TOPIC)
      .map((peer) => this.#numberOf(peer))
  }

  subscribers(node: number): number[] {
    const peers = this.#node(node).services.pubsub.getSubscribers(TOPIC)
    return peers.map((peer) => this.#numberOf(peer.toString())).sort((a, b) => a - b)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()))
  }

  #quietFor(ms: number): Promise<void> {
    this.#traffic.lastMs = performance.now() // what has just been sent has not come yet
    return until('quiet', () => this.#traffic.underWay === 0 && performance.now() - this.#traffic.lastMs > ms)
  }

  async #dial(links: SwarmOptions['links']): Promise<void> {
    for (const [dialler, listener] of links) {
      const address = this.#node(listener).getMultiaddrs()[0]
      invariant(address !== undefined, 'every node listens')
      await this.#node(dialler).dial(address)
    }
    const talks = (a: number, b: number): boolean => {
      const peer = this.#node(b).peerId.toString()
      const isKnown = !this.#isJoined(b) || this.subscribers(a).includes(b)
      return insideOf(this.#node(a)).streamsOutbound.has(peer) && isKnown
    }
    await until('streams stand both ways', () => links.every(([a, b]) => talks(a, b) && talks(b, a)))
  }

  #isJoined(node: number): boolean {
    return this.#node(node).services.pubsub.getTopics().includes(TOPIC)
  }

  /** Counts what comes to a node before the library sees it, and judges what the library has not seen before. */
  #watch(number: number, node: MemberNode): void {
    const inside = insideOf(node)
    const handle = inside.handleReceivedRpc.bind(inside)
    inside.handleReceivedRpc = async (from, rpc) => {
      this.#count(number, rpc)
      this.#traffic.underWay++
      try {
        await handle(from, rpc)
      } finally {
        this.#traffic.underWay--
        this.#traffic.lastMs = performance.now()
      }
    }
    scoreTopic(node.services.pubsub, TOPIC)
    node.services.pubsub.topicValidators.set(TOPIC, (relay, message) => this.#judge(number, relay, message))
  }

  #count(number: number, { messages, control }: RPC): void {
    const traffic = this.#traffic
    traffic.lastMs = performance.now()
    if (this.#isJoined(number)) traffic.received += messages.filter(({ topic }) => topic === TOPIC).length
    for (const { topicID, messageIDs } of control?.ihave ?? [])
      if (topicID === TOPIC) traffic.ihaveIds += messageIDs.length
    for (const { messageIDs } of control?.iwant ?? []) traffic.iwantIds += messageIDs.length
    for (const { messageIDs } of control?.idontwant ?? []) traffic.idontwantIds += messageIDs.length
  }

  async #judge(node: number, relay: PeerId, message: Message): Promise<TopicValidatorResult> {
    invariant(message.type === 'signed', 'members sign')
    const text = Buffer.from(message.data).toString().trimEnd()
    const ms = performance.now() - (this.#publishedMs.get(text) as number)
    const [from, author] = [this.#numberOf(relay.toString()), this.#numberOf(message.from.toString())]
    this.deliveries.push({ node, from, author, text, ms })
    const { verdictMs = 0 } = this.#options
    if (verdictMs > 0) await new Promise((resolve) => setTimeout(resolve, verdictMs))
    return RESULT[this.#options.judge?.(node, text) ?? 'accept']
  }

  #node(number: number): MemberNode {
    const node = this.#nodes[number]
    invariant(node !== undefined, `there is a node ${number}`)
    return node
  }

  #numberOf(peer: string): number {
    const number = this.#numbers.get(peer)
    invariant(number !== undefined, 'every peer is one of ours')
    return number
  }
}

function peersOf(node: MemberNode): string[] {
  return node.services.pubsub.getPeers().map((peer) => peer.toString())
}
