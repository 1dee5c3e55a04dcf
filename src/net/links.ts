/** Keeps one good connection to each member: dials, pings, mends and hangs up, as the redialler and the watchdog decide. */
import type { Connection, IdentifyResult, PeerId, PeerUpdate } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { MemberId } from '../core/ids.ts'
import { AddressBook, type AddressSource } from './addressBook.ts'
import { dialable } from './addresses.ts'
import { Background } from './background.ts'
import { DENIED, dialError } from './dialError.ts'
import { keeperOf, surplusOf } from './duplicates.ts'
import type { Door } from './gater.ts'
import type { MemberNode } from './libp2pNode.ts'
import { memberOfText, peerIdOf } from './peerIds.ts'
import { type Chance, Redialler } from './redialler.ts'
import type { NetTiming } from './timing.ts'
import type { PeerStatus } from './transport.ts'
import { type Sighting, Watchdog } from './watchdog.ts'

export interface LinksContext {
  readonly self: MemberId
  readonly node: MemberNode
  readonly door: Door
  readonly timing: NetTiming
  readonly chance: Chance
  readonly bootstrap: readonly { address: string; peer: string | undefined }[]
  readonly log: (level: 'debug' | 'info' | 'warn', event: string, facts: Record<string, unknown>) => void
  onConnected(member: MemberId): void
  onDisconnected(member: MemberId): void
}

interface Link {
  readonly peer: PeerId
  /** The shell was told of a connection, and not yet of its end. */
  announced: boolean
  announcedAtMs: number
  heardAtMs: number
  pingedAtMs: number
  roundTripMs?: number | undefined
  lastError?: string | undefined
}

const DIALS_AT_ONCE = 16 // thousands of sockets in SYN at once help nobody; a dial that is refused ends in a millisecond
const CLOSE_MS = 1_000 // what a polite close may take before the connection is aborted
const AT = 'at:' // the redialler's key of a bootstrap address whose owner is to be learned

export class Links {
  readonly #context: LinksContext
  readonly #book = new AddressBook()
  readonly #redialler: Redialler
  readonly #watchdog: Watchdog
  readonly #background = new Background()
  readonly #links = new Map<MemberId, Link>()
  readonly #identified = new WeakSet<Connection>()
  readonly #closing = new WeakSet<Connection>()
  /** Who answered at a bootstrap address without /p2p/. Bounded by the bootstrap list. */
  readonly #owners = new Map<string, MemberId>()
  /** Members named in the bootstrap list: dialled without leaving them the first turn, since they need not know our address. */
  readonly #entrances = new Set<MemberId>()
  #dials = 0

  constructor(context: LinksContext) {
    this.#context = context
    this.#redialler = new Redialler(context.timing)
    this.#watchdog = new Watchdog(context.timing)
    this.#readBootstrap()
  }

  /** Begins to listen to the node, with the addresses that it remembers. Call when the node has started. */
  async start(): Promise<void> {
    const { node } = this.#context
    node.addEventListener('peer:identify', this.#onIdentify)
    node.addEventListener('peer:update', this.#onUpdate)
    node.addEventListener('peer:disconnect', this.#onDisconnect)
    node.addEventListener('connection:close', this.#onClose)
    for (const peer of await node.peerStore.all())
      this.#learnAll(
        peer.id,
        peer.addresses.map((each) => each.multiaddr),
        'told',
      )
  }

  /** Stops dialling and pinging, and waits for what was under way. */
  async stop(): Promise<void> {
    const { node } = this.#context
    node.removeEventListener('peer:identify', this.#onIdentify)
    node.removeEventListener('peer:update', this.#onUpdate)
    node.removeEventListener('peer:disconnect', this.#onDisconnect)
    node.removeEventListener('connection:close', this.#onClose)
    await this.#background.stop()
  }

  setMembers(members: readonly { id: MemberId; addresses: readonly string[] }[]): void {
    const { self, timing, chance } = this.#context
    const now = Date.now()
    const listed = new Set(members.map((member) => member.id).filter((id) => id !== self))
    for (const member of this.#links.keys()) if (!listed.has(member)) this.#forget(member)
    for (const { id, addresses } of members) {
      if (id === self) continue
      for (const address of addresses) this.#book.learn(id, address, 'listed', now)
      if (!this.#links.has(id)) this.#links.set(id, newLink(id))
      this.#redialler.want(id, self > id && !this.#entrances.has(id), now, chance)
    }
    this.#context.log('debug', 'members', { count: listed.size, yieldMs: timing.yieldMs })
  }

  /** Does whatever is due. Call every `tickMs`. */
  tick(now: number): void {
    const gossiping = this.#gossiping()
    for (const [member, link] of this.#links) this.#tend(member, link, now, gossiping)
    for (const key of this.#redialler.due(now, DIALS_AT_ONCE - this.#dials)) this.#background.run(() => this.#dial(key))
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

  lastError(member: MemberId): string | undefined {
    return this.#links.get(member)?.lastError
  }

  /** Closes all connections to a member. */
  async disconnect(member: MemberId, reason: string): Promise<void> {
    this.#context.log('info', 'disconnect', { member, reason })
    await Promise.all(this.#open(member).map((connection) => this.#close(connection, reason)))
  }

  /** Closes all connections to a member, and does not dial it before `untilMs`. */
  expel(member: MemberId, untilMs: number): void {
    for (const key of this.#keysOf(member)) this.#redialler.refuse(key, untilMs)
    this.#background.run(() => this.disconnect(member, 'misbehaved'))
  }

  statuses(gossiping: ReadonlySet<MemberId>): Omit<PeerStatus, 'score'>[] {
    return [...this.#links].map(([member, link]) => {
      const connection = link.announced ? this.connectionOf(member) : undefined
      return {
        member,
        connected: link.announced,
        addresses: this.#book.list(member),
        gossiping: link.announced && gossiping.has(member),
        ...(connection && { connectedSinceMs: link.announcedAtMs, direction: connection.direction }),
        ...(link.roundTripMs !== undefined && { roundTripMs: link.roundTripMs }),
        ...(link.lastError !== undefined && { lastError: link.lastError }),
      }
    })
  }

  // ---- tending what is connected

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
    const connection = this.connectionOf(member)
    const link = this.#links.get(member)
    if (connection === undefined || link === undefined) return
    if (sightingOf(link, this.#open(member), this.#gossiping()).outboundGossip) return
    this.#context.log('debug', 'gossip-repair', { member })
    const { graceMs } = this.#context.timing
    await this.#background.within(graceMs, (signal) =>
      this.#context.node.services.identify.identify(connection, { signal }),
    )
  }

  async #ping(link: Link): Promise<void> {
    const { node, timing } = this.#context
    link.roundTripMs = await this.#background.within(timing.pingMs, (signal) =>
      node.services.ping.ping(link.peer, { signal }),
    )
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

  // ---- dialling

  async #dial(key: string): Promise<void> {
    this.#dials += 1
    try {
      const failure = await this.#tryAddresses(key)
      if (failure !== undefined) this.#failed(key, failure)
    } finally {
      this.#dials -= 1
    }
  }

  /** Tries the addresses of a target one by one; gives the reason of the last failure, or undefined when one was reached. */
  async #tryAddresses(key: string): Promise<string | undefined> {
    const member = this.#memberOfKey(key)
    if (member !== undefined && this.#links.get(member)?.announced) {
      this.#redialler.connected(key, Date.now())
      return undefined
    }
    const addresses = key.startsWith(AT) ? [key.slice(AT.length)] : member === undefined ? [] : this.#book.list(member)
    let failure = 'no address of it is known yet'
    for (const address of addresses) {
      const why = await this.#tryAddress(key, address)
      if (why === undefined) return undefined
      failure = why
    }
    return failure
  }

  async #tryAddress(key: string, address: string): Promise<string | undefined> {
    const { node, door, timing } = this.#context
    const target = multiaddr(key.startsWith(AT) ? address : `${address}/p2p/${peerIdOf(key as MemberId)}`)
    try {
      const connection = await this.#background.within(timing.dialTimeoutMs, (signal) => node.dial(target, { signal }))
      const member = door.member(connection.remotePeer)
      if (key.startsWith(AT) && member !== undefined) this.#learnOwner(key, address, member)
      return undefined
    } catch (error) {
      const why = dialError(error, address)
      if (key.startsWith(AT) && why.startsWith('this node itself')) this.#redialler.drop(key)
      return why
    }
  }

  #learnOwner(key: string, address: string, member: MemberId): void {
    const now = Date.now()
    this.#owners.set(key, member)
    this.#book.confirm(member, address, now)
    if (this.#links.get(member)?.announced) this.#redialler.connected(key, now)
  }

  #failed(key: string, why: string): void {
    const { chance, log } = this.#context
    this.#redialler.failed(key, Date.now(), chance)
    const member = this.#memberOfKey(key)
    const link = member === undefined ? undefined : this.#links.get(member)
    if (link?.announced) return
    if (link !== undefined) link.lastError = why
    log('debug', 'dial-failed', { target: key, why })
  }

  // ---- what the node tells

  readonly #onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const { connection } = detail
    const member = this.#context.door.member(detail.peerId)
    const link = member === undefined ? undefined : this.#links.get(member)
    if (member === undefined || link === undefined || connection.status !== 'open') return
    this.#identified.add(connection)
    this.#learnAll(detail.peerId, [...detail.listenAddrs, ...(detail.signedPeerRecord?.addresses ?? [])], 'told')
    if (connection.direction === 'outbound') this.#confirm(member, connection)
    this.#up(member, link)
  }

  #up(member: MemberId, link: Link): void {
    const now = Date.now()
    for (const key of this.#keysOf(member)) this.#redialler.connected(key, now)
    link.lastError = undefined
    if (link.announced) return
    link.announced = true
    link.announcedAtMs = now
    link.heardAtMs = now
    link.pingedAtMs = 0 // measure the round trip at once
    this.#context.onConnected(member)
  }

  /** Identify replaces the stored addresses with those that the member announces; the one that worked is put back. */
  #confirm(member: MemberId, connection: Connection): void {
    const address = dialable(connection.remoteAddr)
    if (address === undefined) return
    this.#book.confirm(member, address, Date.now())
    const { peerStore } = this.#context.node
    this.#background.run(async () => {
      await peerStore.merge(connection.remotePeer, { multiaddrs: [multiaddr(address)] })
    })
  }

  readonly #onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    const member = this.#context.door.member(detail)
    const link = member === undefined ? undefined : this.#links.get(member)
    if (member === undefined || !link?.announced || this.#open(member).length > 0) return
    link.announced = false
    link.roundTripMs = undefined
    this.#watchdog.forget(member)
    const now = Date.now()
    for (const key of this.#keysOf(member)) this.#redialler.lost(key, now, this.#context.chance)
    this.#context.onDisconnected(member)
  }

  /** A connection that ended before identify: if we dialled it, the door at the other end is closed to us. */
  readonly #onClose = ({ detail: connection }: CustomEvent<Connection>): void => {
    if (this.#identified.has(connection)) return
    const member = this.#context.door.member(connection.remotePeer)
    if (member === undefined || this.#open(member).length > 0) return
    for (const key of this.#keysOf(member)) this.#failed(key, DENIED)
  }

  readonly #onUpdate = ({ detail }: CustomEvent<PeerUpdate>): void => {
    this.#learnAll(
      detail.peer.id,
      detail.peer.addresses.map((each) => each.multiaddr),
      'told',
    )
  }

  // ---- helpers

  #learnAll(peer: PeerId, addresses: readonly Parameters<typeof dialable>[0][], source: AddressSource): void {
    const member = this.#context.door.member(peer)
    if (member === undefined || !this.#links.has(member)) return
    const now = Date.now()
    let news = false
    for (const each of addresses) {
      const address = dialable(each)
      if (address !== undefined && this.#book.learn(member, address, source, now)) news = true
    }
    if (news) this.#redialler.hint(member, now, this.#context.chance)
  }

  #readBootstrap(): void {
    const { bootstrap, chance, self } = this.#context
    const now = Date.now()
    for (const { address, peer } of bootstrap) {
      const member = peer === undefined ? undefined : memberOfText(peer)
      if (member === self) continue
      if (member === undefined) this.#redialler.want(AT + address, false, now, chance)
      else {
        this.#entrances.add(member)
        this.#book.learn(member, address, 'listed', now)
      }
    }
  }

  #forget(member: MemberId): void {
    const announced = this.#links.get(member)?.announced
    this.#links.delete(member)
    if (announced) this.#context.onDisconnected(member)
    this.#redialler.drop(member)
    this.#watchdog.forget(member)
    this.#book.forget(member)
  }

  /** The redialler's keys that a connection to the member satisfies. */
  #keysOf(member: MemberId): string[] {
    return [member, ...[...this.#owners].filter(([, owner]) => owner === member).map(([key]) => key)]
  }

  #memberOfKey(key: string): MemberId | undefined {
    if (!key.startsWith(AT)) return key as MemberId
    const address = key.slice(AT.length)
    const holder = () => this.connected().find(({ member }) => this.#book.list(member).includes(address))
    return this.#owners.get(key) ?? holder()?.member
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
  return { peer: peerIdOf(member), announced: false, announcedAtMs: 0, heardAtMs: 0, pingedAtMs: 0 }
}

/** A gossip stream counts while both ends hold it open: an end that lost us closes its half. */
function sightingOf(link: Link, open: readonly Connection[], gossiping: ReadonlySet<string>): Sighting {
  const streams = open
    .flatMap((connection) => connection.streams)
    .filter((stream) => stream.protocol.startsWith('/meshsub/'))
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
