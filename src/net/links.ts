/** Keeps one good connection to each member: dials, pings, mends and hangs up, as the dialler and the watchdog decide. */
import type { Connection, IdentifyResult, PeerId, PeerUpdate } from '@libp2p/interface'
import type { MemberId } from '../core/ids.ts'
import { Background } from './background.ts'
import { Dialler, type DiallerContext } from './dialler.ts'
import { keeperOf, surplusOf } from './duplicates.ts'
import { peerIdOf } from './peerIds.ts'
import type { PeerStatus } from './transport.ts'
import { type Sighting, Watchdog } from './watchdog.ts'

/** What the links work with, and whom they tell: once per member, however many connections there are. */
export interface LinksContext extends Omit<DiallerContext, 'background' | 'isUp' | 'upMembers'> {
  onConnected(member: MemberId): void
  onDisconnected(member: MemberId): void
}

interface Link {
  readonly peer: PeerId
  /** The shell was told of a connection, and not yet of its end. */
  announced: boolean
  announcedAtMs: number
  heardAtMs: number
  relayedAtMs: number
  pingedAtMs: number
  roundTripMs?: number | undefined
}

const CLOSE_MS = 1_000 // what a polite close may take before the connection is aborted

/** One link per member of the list, driven by `tick` and by the node's events. */
export class Links {
  readonly #context: LinksContext
  readonly #background = new Background()
  readonly #dialler: Dialler
  readonly #watchdog: Watchdog
  readonly #links = new Map<MemberId, Link>()
  readonly #identified = new WeakSet<Connection>()
  readonly #closing = new WeakSet<Connection>()

  constructor(context: LinksContext) {
    this.#context = context
    this.#watchdog = new Watchdog(context.timing)
    this.#dialler = new Dialler({
      ...context,
      background: this.#background,
      isUp: (member) => this.#links.get(member)?.announced === true,
      upMembers: () => this.connected().map(({ member }) => member),
    })
  }

  /** Listens to the node. Call before the node starts, so that nobody who comes early is missed. */
  attach(): void {
    const { node } = this.#context
    node.addEventListener('peer:identify', this.#onIdentify)
    node.addEventListener('peer:update', this.#onUpdate)
    node.addEventListener('peer:disconnect', this.#onDisconnect)
    node.addEventListener('connection:close', this.#onClose)
  }

  /** Takes up the addresses that the node remembers. Call when the node has started. */
  async recall(): Promise<void> {
    for (const { id, addresses } of await this.#context.node.peerStore.all()) {
      const known = addresses.map((address) => address.multiaddr)
      this.#dialler.learn(id, known, 'told')
    }
  }

  /** Stops listening, dialling and pinging, and waits for what was under way. */
  async stop(): Promise<void> {
    const { node } = this.#context
    node.removeEventListener('peer:identify', this.#onIdentify)
    node.removeEventListener('peer:update', this.#onUpdate)
    node.removeEventListener('peer:disconnect', this.#onDisconnect)
    node.removeEventListener('connection:close', this.#onClose)
    await this.#background.stop()
  }

  /** Replaces the member list; addresses are without their /p2p/ part. */
  setMembers(members: readonly { id: MemberId; addresses: readonly string[] }[]): void {
    const others = members.filter(({ id }) => id !== this.#context.self)
    const listed = new Set(others.map(({ id }) => id))
    for (const [member, link] of this.#links) if (!listed.has(member)) this.#forget(member, link)
    for (const { id, addresses } of others) {
      if (!this.#links.has(id)) this.#links.set(id, newLink(id))
      this.#dialler.want(id, addresses)
    }
  }

  /** Does whatever is due. Call every `tickMs`. */
  tick(now: number): void {
    const gossiping = this.#gossiping()
    for (const [member, link] of this.#links) this.#tend(member, link, now, gossiping)
    this.#dialler.tick(now)
  }

  /** The members whose connection is up, with the text of their PeerIds. */
  connected(): { member: MemberId; peer: string }[] {
    const up = [...this.#links].filter(([, link]) => link.announced)
    return up.map(([member, link]) => ({ member, peer: link.peer.toString() }))
  }

  /** The connection to use for a member; undefined when there is none. */
  connectionOf(member: MemberId): Connection | undefined {
    const open = this.#open(member)
    const keeper = keeperOf(this.#context.self < member, open.map(asOpen))
    return open.find((connection) => connection.id === keeper?.id)
  }

  /** A message that `member` signed came by another member. */
  relayed(member: MemberId, now: number): void {
    const link = this.#links.get(member)
    if (link !== undefined) link.relayedAtMs = now
  }

  lastError(member: MemberId): string | undefined {
    return this.#dialler.lastError(member)
  }

  /** Closes all connections to a member. */
  async disconnect(member: MemberId, reason: string): Promise<void> {
    this.#context.log('info', 'disconnect', { member, reason })
    await Promise.all(this.#open(member).map((connection) => this.#close(connection, reason)))
  }

  /** Closes all connections to a member, and does not dial it before `untilMs`. */
  expel(member: MemberId, untilMs: number): void {
    this.#dialler.refuse(member, untilMs)
    this.#background.run(() => this.disconnect(member, 'misbehaved'))
  }

  statuses(gossiping: ReadonlySet<MemberId>): Omit<PeerStatus, 'score'>[] {
    return [...this.#links].map(([member, link]) => {
      const connection = link.announced ? this.connectionOf(member) : undefined
      const lastError = this.#dialler.lastError(member)
      return {
        member,
        connected: link.announced,
        throughOthers: !link.announced && Date.now() - link.relayedAtMs <= this.#context.timing.relayedMs,
        addresses: this.#dialler.addresses(member),
        gossiping: link.announced && gossiping.has(member),
        ...(connection && { connectedSinceMs: link.announcedAtMs, direction: connection.direction }),
        ...(link.roundTripMs !== undefined && { roundTripMs: link.roundTripMs }),
        ...(lastError !== undefined && { lastError }),
      }
    })
  }

  #tend(member: MemberId, link: Link, now: number, gossiping: ReadonlySet<string>): void {
    const open = this.#open(member)
    if (open.length === 0) return
    this.#closeSurplus(member, open, now)
    const remedy = this.#watchdog.look(member, now, sightingOf(link, open, gossiping))
    if (remedy.kind === 'repair') this.#background.run(() => this.#repair(member))
    if (remedy.kind === 'hang-up') {
      this.#watchdog.forget(member)
      this.#background.run(() => this.disconnect(member, remedy.why))
    }
    if (link.announced && now - link.pingedAtMs >= this.#context.timing.pingMs) {
      link.pingedAtMs = now
      this.#background.run(() => this.#ping(link))
    }
  }

  #closeSurplus(member: MemberId, open: readonly Connection[], now: number): void {
    const surplus = surplusOf(this.#context.self < member, open.map(asOpen), now, this.#context.timing.duplicateMs)
    for (const { id } of surplus) {
      const connection = open.find((each) => each.id === id)
      if (connection === undefined || this.#closing.has(connection)) continue
      this.#background.run(async () => {
        await this.#close(connection, 'duplicate')
        await this.#repair(member)
      })
    }
  }

  /** Identify tells gossipsub of the connection, and gossipsub then opens the stream that is missing. */
  async #repair(member: MemberId): Promise<void> {
    const { log, node, timing } = this.#context
    const connection = this.connectionOf(member)
    const link = this.#links.get(member)
    if (connection === undefined || link === undefined) return
    if (sightingOf(link, this.#open(member), this.#gossiping()).outboundGossip) return
    log('debug', 'gossip-repair', { member })
    const { identify } = node.services
    await this.#background.within(timing.graceMs, (signal) => identify.identify(connection, { signal }))
  }

  async #ping(link: Link): Promise<void> {
    const { node, timing } = this.#context
    const { ping } = node.services
    link.roundTripMs = await this.#background.within(timing.pingMs, (signal) => ping.ping(link.peer, { signal }))
    link.heardAtMs = Date.now()
  }

  async #close(connection: Connection, reason: string): Promise<void> {
    this.#closing.add(connection)
    try {
      await this.#background.within(CLOSE_MS, (signal) => connection.close({ signal }))
    } catch {
      connection.abort(new Error(reason)) // what does not close politely
    }
  }

  readonly #onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const { connection } = detail
    const member = this.#context.door.member(detail.peerId)
    const link = member === undefined ? undefined : this.#links.get(member)
    if (member === undefined || link === undefined || connection.status !== 'open') return
    this.#identified.add(connection)
    this.#dialler.learn(detail.peerId, [...detail.listenAddrs, ...(detail.signedPeerRecord?.addresses ?? [])], 'told')
    if (connection.direction === 'outbound') this.#dialler.confirm(member, connection)
    this.#up(member, link)
  }

  #up(member: MemberId, link: Link): void {
    const now = Date.now()
    const before = link.announced
    link.announced = true
    this.#dialler.up(member)
    if (before) return
    link.announcedAtMs = now
    link.heardAtMs = now
    link.pingedAtMs = 0 // measure the round trip at once
    this.#context.onConnected(member)
  }

  readonly #onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    const member = this.#context.door.member(detail)
    const link = member === undefined ? undefined : this.#links.get(member)
    if (member === undefined || !link?.announced || this.#open(member).length > 0) return
    link.announced = false
    link.roundTripMs = undefined
    this.#watchdog.forget(member)
    this.#dialler.down(member)
    this.#context.onDisconnected(member)
  }

  readonly #onClose = ({ detail: connection }: CustomEvent<Connection>): void => {
    if (this.#identified.has(connection)) return
    const member = this.#context.door.member(connection.remotePeer)
    if (member !== undefined && this.#open(member).length === 0) this.#dialler.closedEarly(member)
  }

  readonly #onUpdate = ({ detail }: CustomEvent<PeerUpdate>): void => {
    const known = detail.peer.addresses.map((address) => address.multiaddr)
    this.#dialler.learn(detail.peer.id, known, 'told')
  }

  #forget(member: MemberId, link: Link): void {
    this.#links.delete(member)
    this.#watchdog.forget(member)
    this.#dialler.forget(member)
    if (link.announced) this.#context.onDisconnected(member)
  }

  #gossiping(): Set<string> {
    return new Set(this.#context.node.services.pubsub.getPeers().map((peer) => peer.toString()))
  }

  #open(member: MemberId): Connection[] {
    const peer = this.#links.get(member)?.peer
    if (peer === undefined) return []
    return this.#context.node.getConnections(peer).filter((connection) => connection.status === 'open')
  }
}

function newLink(member: MemberId): Link {
  return {
    peer: peerIdOf(member),
    announced: false,
    announcedAtMs: 0,
    heardAtMs: 0,
    relayedAtMs: Number.NEGATIVE_INFINITY,
    pingedAtMs: 0,
  }
}

/** A gossip stream counts while both ends hold it open: an end that lost us closes its half. */
function sightingOf(link: Link, open: readonly Connection[], gossiping: ReadonlySet<string>): Sighting {
  const streams = open.flatMap(({ streams }) => streams).filter(({ protocol }) => protocol.startsWith('/meshsub/'))
  const flowing = streams.filter((stream) => stream.status === 'open' && stream.remoteWriteStatus === 'writable')
  const opened = open.map((connection) => connection.timeline.open)
  return {
    connectedAtMs: Math.min(...opened),
    identified: link.announced,
    inPeers: gossiping.has(link.peer.toString()),
    outboundGossip: flowing.some((stream) => stream.direction === 'outbound' && stream.writeStatus === 'writable'),
    inboundGossip: flowing.some((stream) => stream.direction === 'inbound'),
    heardAtMs: Math.max(link.heardAtMs, ...opened),
  }
}

const asOpen = (connection: Connection) => ({
  id: connection.id,
  direction: connection.direction,
  openedMs: connection.timeline.open,
})
