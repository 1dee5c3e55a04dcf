/** The libp2p node: every setting in one place, each with its because. TCP, Noise, Yamux and nothing unencrypted. */
import { type GossipSub, type GossipsubOpts, gossipsub, StrictSign } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { type Ping, ping } from '@libp2p/ping'
import { pubsubPeerDiscovery } from '@libp2p/pubsub-peer-discovery'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { ConsiliumError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { GRAYLIST_SCORE, SCORE_PARAMS, TOPIC_SCORE } from './gossipScore.ts'

/** Not an interface: libp2p wants an index signature, which an interface lacks. */
export type NodeServices = { identify: Identify; ping: Ping; pubsub: GossipSub }
/** A libp2p node with the services that members run. */
export type MemberNode = Libp2p<NodeServices>

/** The largest RPC that gossipsub sends (it drops larger ones in silence), so the largest that an honest peer can need read. */
const RPC_BYTES_MAX = 4_194_304
/** Subscriptions of one member. */
export const TOPICS_MAX = LIMITS.studyTopicsMax * LIMITS.studiesMax + LIMITS.ownTopicsMax
const DAY_MS = 86_400_000

/** What differs between nodes; all else is the same for everyone. */
export interface NodeOptions {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  /** Our own listen addresses to announce besides what libp2p finds, when `announce` is empty. */
  readonly appendAnnounce: readonly string[]
  readonly gater: ConnectionGater
  readonly datastore: Libp2pOptions['datastore']
  readonly discoveryTopic: string
  readonly discoveryMs: number
  readonly mdns: boolean
  /** Whether messages of a topic are wanted; others are refused before they are kept. */
  wantsTopic(topic: string): boolean
  /** Told of each message that is refused for its topic or its size, before anything else looks at it. */
  onUnwanted(reason: 'not-subscribed' | 'message-too-large'): void
}

/** Creates the node without starting it. */
export async function createNode(options: NodeOptions): Promise<MemberNode> {
  return createLibp2p<NodeServices>({
    start: false,
    privateKey: options.privateKey,
    ...(options.datastore === undefined ? {} : { datastore: options.datastore }),
    addresses: {
      listen: [...options.listen],
      announce: [...options.announce],
      appendAnnounce: [...options.appendAnnounce],
    },
    nodeInfo: { name: 'consilium', userAgent: 'consilium' }, // a version or platform would tell attackers more than members
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux(MUXER)],
    connectionGater: options.gater,
    connectionManager: CONNECTIONS,
    connectionMonitor: { enabled: false }, // it kills busy links on a late ping; the transport pings by itself and is patient
    peerStore: {
      maxAddressAge: 90 * DAY_MS, // by default addresses are forgotten in an hour, and a restart needs them without bootstrap
      maxPeerAge: 180 * DAY_MS, // a site closed for a season is still known
    },
    peerDiscovery: await discovery(options),
    services: { identify: identify(), ping: ping(), pubsub: gossipsub(gossipOptions(options)) },
  })
}

const MUXER = {
  maxInboundStreams: 64, // gossip, ping, identify and our requests are a dozen
  maxOutboundStreams: 64,
  // below the 4 MiB read buffer: a paused reader must not be aborted for what the window let through
  streamOptions: { maxStreamWindowSize: 1_048_576 },
}

const CONNECTIONS = {
  maxConnections: 2 * LIMITS.membersMax + 64, // every member, twice for a moment, and some to refuse: nothing is ever pruned
  inboundConnectionThreshold: 256, // per host and second: a whole consortium may sit behind one address (default 5)
  maxIncomingPendingConnections: 256, // all members may dial a site that returns (default 10)
  inboundUpgradeTimeout: 5_000, // a stranger may hold a place for a handshake no longer than that
  maxParallelDials: 64, // the redialler dials fewer
  reconnectRetries: 0, // the redialler alone redials
}

function gossipOptions(options: NodeOptions): Partial<GossipsubOpts> {
  return {
    globalSignaturePolicy: StrictSign, // each message is signed by its author, and unsigned ones are refused
    D: 3, // a full mesh of 16 nodes costs 1.4 duplicates per delivery instead of 6.5 (DECISIONS)
    Dlo: 2,
    Dhi: 4,
    Dout: 1,
    Dscore: 1,
    floodPublish: false, // the author need not send to everyone: the mesh does
    fallbackToFloodsub: false, // members all speak gossipsub
    doPX: false, // addresses come from the member list and discovery, not from whoever prunes us
    emitSelf: false,
    tagMeshPeers: false, // tags are written to disk at each graft and serve a pruner that we do not need
    allowPublishToZeroTopicPeers: true, // nobody subscribed yet is a count of 0, not an error (trap 6)
    ignoreDuplicatePublishError: true,
    maxInboundStreams: 4, // one, and the one that replaces it
    maxOutboundStreams: 4,
    maxInboundDataLength: RPC_BYTES_MAX, // an answer to IWANT packs many messages in one RPC: a lower limit wedges honest peers
    maxOutboundBufferSize: RPC_BYTES_MAX, // a stalled peer costs this much and loses its stream; unbounded it cost 387 MB (trap 5)
    maxTopicBytesPerPeer: 1_280 * TOPICS_MAX, // as many subscriptions as a member can have
    decodeRpcLimits: {
      maxSubscriptions: TOPICS_MAX,
      maxMessages: 5_000, // what one IWANT may ask for
      maxIhaveMessageIDs: 5_000,
      maxIwantMessageIDs: 5_000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: TOPICS_MAX, // one per topic
      maxPeerInfos: 16,
    },
    scoreParams: { ...SCORE_PARAMS, topics: { [options.discoveryTopic]: TOPIC_SCORE } },
    scoreThresholds: { graylistThreshold: GRAYLIST_SCORE },
    dataTransform: {
      // gossipsub's own list of allowed topics is fixed at construction, and studies come and go: so they are checked here
      inboundTransform: (topic: string, data: Uint8Array) => checkMessage(options, topic, data),
      outboundTransform: (_topic: string, data: Uint8Array) => data,
    },
  }
}

/** Runs on each new message after its signature was verified; a throw makes it invalid and costs the sender score. */
function checkMessage(options: NodeOptions, topic: string, data: Uint8Array): Uint8Array {
  const reason = !options.wantsTopic(topic)
    ? 'not-subscribed'
    : data.length > LIMITS.gossipMessageBytesMax
      ? 'message-too-large'
      : undefined
  if (reason === undefined) return data
  options.onUnwanted(reason)
  throw new ConsiliumError({ code: reason, message: `${data.length} bytes on ${topic}`, blame: 'reject' })
}

async function discovery(options: NodeOptions): Promise<NonNullable<Libp2pOptions['peerDiscovery']>> {
  const found: NonNullable<Libp2pOptions['peerDiscovery']> = []
  found.push(pubsubPeerDiscovery({ topics: [options.discoveryTopic], interval: options.discoveryMs }))
  if (options.mdns) {
    const { mdns } = await import('@libp2p/mdns') // 10 ms that only those pay who want it
    found.push(mdns({ serviceTag: '_consilium._udp.local', interval: 10_000 })) // our own tag: other libp2p nodes are not asked
  }
  return found
}
