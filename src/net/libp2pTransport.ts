/** The transport of the daemon: libp2p and gossipsub among the members of one consortium, and nobody else. */
import '../polyfill.ts'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Connection, PrivateKey, Stream } from '@libp2p/interface'
import { toHex } from '../core/bytes.ts'
import { ConsiliumError, invariant, messageOf } from '../core/errors.ts'
import { type MemberId, memberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { announceable, checkListenAddress, listedAddresses, parseAddress } from './addresses.ts'
import { type BookStore, openBookStore } from './bookStore.ts'
import { Door } from './gater.ts'
import { GossipGate } from './gossipGate.ts'
import { GRAYLIST_SCORE, scoreOf, scoreTopic, unscoreTopic } from './gossipScore.ts'
import { answerGuests, keepAmongMembers, partWithGuests } from './guests.ts'
import { leftoversOf, startNode } from './leftovers.ts'
import { createNode, type MemberNode, TOPICS_MAX } from './libp2pNode.ts'
import { Links } from './links.ts'
import { memberOf, peerIdOf } from './peerIds.ts'
import { Streams } from './streams.ts'
import { Tally } from './tally.ts'
import { NET_TIMING, type NetTiming } from './timing.ts'
import type { PeerStatus, RequestHandler, Transport, TransportEvents, TransportStats } from './transport.ts'

/** What a transport is made from; everything is checked by `start`. */
export interface Libp2pTransportOptions {
  /** The member's Ed25519 seed, 32 bytes. */
  readonly privateKeySeed: Uint8Array
  readonly members: readonly { readonly id: MemberId; readonly addresses: readonly string[] }[]
  /** Multiaddrs to listen on; none: this node only dials out. Port 0: any free one. */
  readonly listen: readonly string[]
  /** Multiaddrs to announce instead of those found; none: what we listen on. */
  readonly announce: readonly string[]
  /** Multiaddrs of members to enter by, with or without /p2p/. */
  readonly bootstrap: readonly string[]
  readonly mdns: boolean
  /** What every topic of this consortium begins with. */
  readonly topicPrefix: string
  /** Folder of the address book; none: it is kept in memory. */
  readonly datastorePath?: string
  readonly log: (level: 'debug' | 'info' | 'warn', event: string, facts: Record<string, unknown>) => void
  readonly timing?: Partial<NetTiming>
}

/** What exists between `start` and `stop`. */
interface Running {
  readonly node: MemberNode
  readonly links: Links
  readonly store: BookStore | undefined
  readonly detach: () => void
}

/** The guarantees are those of `Transport`; started once, stopped once. */
export class Libp2pTransport implements Transport {
  readonly #options: Libp2pTransportOptions
  readonly #events: TransportEvents
  readonly #timing: NetTiming
  readonly #tally = new Tally()
  readonly #topics = new Set<string>()
  readonly #handlers = new Map<string, RequestHandler>()
  readonly #streams: Streams
  #members: Libp2pTransportOptions['members']
  #door: Door | undefined
  #gate: GossipGate | undefined
  #running: Running | undefined
  #beginning: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(options: Libp2pTransportOptions, events: TransportEvents) {
    this.#options = options
    this.#events = events
    this.#timing = { ...NET_TIMING, ...options.timing }
    this.#members = options.members
    this.#streams = new Streams({
      tally: this.#tally,
      idleMs: this.#timing.idleMs,
      onServeFailed: (member, protocol, why) => options.log('debug', 'request-failed', { member, protocol, why }),
    })
  }

  /** Listens and begins to dial. Throws `port-in-use`, `bad-address`, `data-folder-locked` or `network-start`, one line each. */
  async start(signal: AbortSignal): Promise<void> {
    invariant(this.#beginning === undefined, 'a transport is started once')
    this.#beginning = this.#begin(signal)
    await this.#beginning
    if (signal.aborted) await this.stop()
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const { privateKeySeed, listen, announce, bootstrap } = this.#options
    for (const text of listen) checkListenAddress(text)
    for (const text of announce) parseAddress('announce address', text)
    const entrances = bootstrap.map((text) => parseAddress('bootstrap address', text))
    const members = listedAddresses(this.#members)
    const key = await generateKeyPairFromSeed('Ed25519', privateKeySeed)
    const self = memberId(toHex(key.publicKey.raw))
    this.#door = this.#makeDoor(self)
    const store = await this.#openStore()
    try {
      this.#running = await this.#run(key, self, store, entrances, members, signal)
    } catch (error) {
      await store?.close()
      throw error
    }
  }

  async setMembers(members: Libp2pTransportOptions['members']): Promise<void> {
    const checked = listedAddresses(members)
    this.#members = members
    this.#door?.setMembers(new Set(members.map((member) => member.id)))
    if (this.#running === undefined) return
    const { node, links } = this.#running
    links.setMembers(checked)
    const unlisted = node
      .getConnections()
      .filter(({ remotePeer }) => this.#door?.member(remotePeer) === undefined && !this.#door?.guest(remotePeer))
    for (const connection of unlisted) connection.abort(new Error('no longer a member'))
    for (const { remotePeer } of unlisted) await node.peerStore.delete(remotePeer)
  }

  subscribe(topic: string): void {
    invariant(topic.startsWith(this.#options.topicPrefix), `the topic ${topic} belongs to this consortium`)
    invariant(topic !== this.#discoveryTopic, 'addresses have a topic of their own')
    if (this.#topics.has(topic)) return
    invariant(this.#topics.size < TOPICS_MAX, 'topics are bounded by the studies and a few of our own')
    this.#topics.add(topic)
    if (this.#running !== undefined) this.#join(this.#running.node, topic)
  }

  unsubscribe(topic: string): void {
    if (!this.#topics.delete(topic) || this.#running === undefined) return
    const { pubsub } = this.#running.node.services
    pubsub.unsubscribe(topic)
    pubsub.topicValidators.delete(topic)
    unscoreTopic(pubsub, topic)
  }

  async publish(topic: string, data: Uint8Array): Promise<number> {
    invariant(this.#topics.has(topic), `published only where subscribed, not to ${topic}`)
    if (data.length > LIMITS.gossipMessageBytesMax) {
      const message = `a message of ${data.length} bytes; at most ${LIMITS.gossipMessageBytesMax} travel by gossip`
      throw new ConsiliumError({ code: 'message-too-large', message })
    }
    if (this.#running === undefined || this.#stopping !== undefined) return 0
    const { recipients } = await this.#running.node.services.pubsub.publish(topic, data)
    this.#tally.messageOut(data.length, recipients.length)
    return recipients.length
  }

  async *request(
    peer: MemberId,
    protocol: string,
    request: Uint8Array,
    options: { signal: AbortSignal; frameBytesMax: number },
  ): AsyncIterable<Uint8Array> {
    const connection = this.#running?.links.connectionOf(peer)
    if (connection === undefined || this.#stopping !== undefined) {
      const why = this.#running?.links.lastError(peer) ?? 'not connected'
      throw new ConsiliumError({
        code: 'peer-unreachable',
        message: `member ${peer.slice(0, 12)}… is not connected: ${why}`,
      })
    }
    yield* this.#streams.ask({ member: peer, connection, protocol, request, ...options })
  }

  async handle(protocol: string, handler: RequestHandler, often = false): Promise<void> {
    if (often) this.#streams.expect(protocol)
    invariant(!this.#handlers.has(protocol), `one handler answers ${protocol}`)
    this.#handlers.set(protocol, handler)
    if (this.#running !== undefined) await this.#answer(this.#running.node, protocol, handler)
  }

  async welcome(protocol: string, isGuest: (key: MemberId) => boolean, handler: RequestHandler): Promise<void> {
    invariant(this.#running !== undefined && this.#door !== undefined, 'guests come when the members can')
    await answerGuests({ node: this.#running.node, door: this.#door, streams: this.#streams }, protocol, handler)
    this.#door.welcome(isGuest)
  }

  async disconnect(member: MemberId, reason: string): Promise<void> {
    await this.#running?.links.disconnect(member, reason)
  }

  addresses(): string[] {
    return this.#running?.node.getMultiaddrs().map((address) => address.toString()) ?? []
  }

  peers(): PeerStatus[] {
    if (this.#running === undefined) return []
    const { node, links } = this.#running
    const { pubsub } = node.services
    const subscribers = [...this.#topics].flatMap((topic) => pubsub.getSubscribers(topic)).map(memberOf)
    const gossiping = new Set(subscribers.filter((member) => member !== undefined))
    return links.statuses(gossiping).map((status) => {
      return status.connected ? { ...status, score: scoreOf(pubsub, peerIdOf(status.member).toString()) } : status
    })
  }

  /** How many connections are open, duplicates that are about to be closed included. */
  connections(): number {
    return this.#running?.node.getConnections().length ?? 0
  }

  /** The streams that are open, of libp2p's own protocols too: for diagnosis, and for tests that break one. */
  streams(): Stream[] {
    return this.#running?.node.getConnections().flatMap((connection) => connection.streams) ?? []
  }

  stats(): TransportStats {
    return this.#tally.stats()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#halt()
    return this.#stopping
  }

  // ---- start and stop

  get #discoveryTopic(): string {
    return `${this.#options.topicPrefix}_addresses`
  }

  #makeDoor(self: MemberId): Door {
    const { log } = this.#options
    const door = new Door(self, this.#tally, this.#timing.strangerMs, {
      onStranger: (peer, direction) => {
        log('warn', 'stranger', { peer, direction })
        this.#tell(() => this.#events.onStranger(peer, direction))
      },
    })
    door.setMembers(new Set(this.#members.map((member) => member.id)))
    return door
  }

  async #openStore(): Promise<BookStore | undefined> {
    const { datastorePath, log } = this.#options
    if (datastorePath === undefined) return undefined
    return openBookStore(datastorePath, (why) => log('warn', 'address-book', { why }))
  }

  async #run(
    privateKey: PrivateKey,
    self: MemberId,
    store: BookStore | undefined,
    bootstrap: readonly { address: string; peer: string | undefined }[],
    members: Libp2pTransportOptions['members'],
    signal: AbortSignal,
  ): Promise<Running> {
    const door = this.#door
    invariant(door !== undefined, 'the door stands before the house')
    const node = await this.#makeNode(privateKey, door, store)
    const links = new Links({
      self,
      node,
      door,
      timing: this.#timing,
      chance: Math.random,
      bootstrap,
      log: this.#options.log,
      onConnected: (member) => {
        this.#streams.met(member, links.connectionOf(member))
        this.#tell(() => this.#events.onConnected(member))
      },
      onDisconnected: (member) => {
        this.#streams.forget(member)
        this.#tell(() => this.#events.onDisconnected(member))
      },
    })
    links.setMembers(members)
    this.#guardGossip(node, self, door, links)
    links.attach()
    await startNode(node, this.#options.listen)
    await keepAmongMembers(node, door)
    await links.recall()
    for (const topic of this.#topics) this.#join(node, topic)
    for (const [protocol, handler] of this.#handlers) await this.#answer(node, protocol, handler)
    return { node, links, store, detach: this.#attach(node, links, door, signal) }
  }

  async #makeNode(privateKey: PrivateKey, door: Door, datastore: BookStore | undefined): Promise<MemberNode> {
    const { listen, announce, mdns } = this.#options
    const { discoveryMs, discoveryPerMemberMs } = this.#timing
    return createNode({
      ...{ privateKey, listen, announce, datastore, mdns, discoveryTopic: this.#discoveryTopic },
      appendAnnounce: announceable(listen),
      gater: door.gater(),
      discoveryMs: Math.max(discoveryMs, discoveryPerMemberMs * this.#members.length),
      wantsTopic: (topic) => topic === this.#discoveryTopic || this.#topics.has(topic),
      onUnwanted: (reason) => this.#tally.refuse(reason),
    })
  }

  /** Starts the clock that drives dialling and watching, and stops with the caller's signal; gives what undoes both. */
  #attach(node: MemberNode, links: Links, door: Door, signal: AbortSignal): () => void {
    const tick = () => {
      const now = Date.now()
      this.#watchScores(node, links, door, now)
      links.tick(now)
      partWithGuests(node, door, now)
    }
    const onAbort = () => {
      this.stop().catch((error: unknown) => this.#options.log('warn', 'stop-failed', { why: messageOf(error) }))
    }
    const timer = setInterval(tick, this.#timing.tickMs)
    signal.addEventListener('abort', onAbort)
    return () => {
      clearInterval(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #halt(): Promise<void> {
    await this.#beginning?.catch(() => undefined) // what is still being started is stopped too
    const running = this.#running
    if (running === undefined) return
    const { node, links, store, detach } = running
    detach()
    const abortAll = () => {
      for (const connection of node.getConnections()) connection.abort(new Error('stopping'))
    }
    const timer = setTimeout(abortAll, this.#timing.stopMs)
    const clearLeftovers = leftoversOf(node)
    try {
      await Promise.all([links.stop(), this.#streams.stop()])
      await node.stop()
    } finally {
      clearTimeout(timer)
      clearLeftovers()
      this.#running = undefined
      await store?.close()
    }
  }

  // ---- gossip

  #guardGossip(node: MemberNode, self: MemberId, door: Door, links: Links): void {
    this.#gate = new GossipGate({
      self,
      door,
      tally: this.#tally,
      verdictMs: this.#timing.verdictMs,
      onMessage: async (message) => (this.#stopping === undefined ? this.#events.onMessage(message) : 'ignore'),
      onRelayed: (author) => links.relayed(author, Date.now()),
      onHandlerFailed: (error) => this.#options.log('warn', 'message-handler', { why: messageOf(error) }),
    })
    const gate = this.#gate
    node.services.pubsub.topicValidators.set(this.#discoveryTopic, (relay, message) =>
      gate.judgeAnnouncement(relay, message),
    )
  }

  #join(node: MemberNode, topic: string): void {
    const { pubsub } = node.services
    const gate = this.#gate
    invariant(gate !== undefined, 'the gate stands before the first topic')
    scoreTopic(pubsub, topic)
    pubsub.topicValidators.set(topic, (relay, message) => gate.judge(topic, relay, message))
    pubsub.subscribe(topic)
  }

  /** Gossipsub ignores a peer below the graylist threshold but keeps it connected; we send it away for a while. */
  #watchScores(node: MemberNode, links: Links, door: Door, now: number): void {
    for (const { member, peer } of links.connected()) {
      const score = scoreOf(node.services.pubsub, peer)
      if (score >= GRAYLIST_SCORE || door.isRefused(member)) continue
      const untilMs = now + this.#timing.refuseMs
      door.refuse(member, untilMs)
      links.expel(member, untilMs)
      this.#options.log('warn', 'misbehaved', { member, score })
      this.#tell(() => this.#events.onMisbehaved(member, score))
    }
  }

  // ---- requests

  async #answer(node: MemberNode, protocol: string, handler: RequestHandler): Promise<void> {
    const serve = async (stream: Stream, connection: Connection): Promise<void> => {
      const member = this.#door?.member(connection.remotePeer)
      if (member === undefined) stream.abort(new Error('not a member'))
      else await this.#streams.serve(stream, member, protocol, handler)
    }
    // ours counts requests per member over all connections; a spare, and one above it, let that count be the one that refuses
    await node.handle(protocol, serve, { maxInboundStreams: LIMITS.streamsPerPeerMax + 2 })
  }

  #tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#options.log('warn', 'event-handler', { why: messageOf(error) })
    }
  }
}
