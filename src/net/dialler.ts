/** Dials members and bootstrap addresses as the redialler decides, and remembers where they were reached or why they were not. */
import type { Connection, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { MemberId } from '../core/ids.ts'
import { AddressBook, type AddressSource } from './addressBook.ts'
import { dialable } from './addresses.ts'
import type { Background } from './background.ts'
import { DENIED, dialError } from './dialError.ts'
import type { Door } from './gater.ts'
import type { MemberNode } from './libp2pNode.ts'
import { memberOfText, peerIdOf } from './peerIds.ts'
import { type Chance, Redialler } from './redialler.ts'
import type { NetTiming } from './timing.ts'

/** What the dialler works with. `isUp`: a member's connection is announced; `upMembers`: all of those. */
export interface DiallerContext {
  readonly self: MemberId
  readonly node: MemberNode
  readonly door: Door
  readonly timing: NetTiming
  readonly chance: Chance
  readonly background: Background
  readonly bootstrap: readonly { address: string; peer: string | undefined }[]
  readonly log: (level: 'debug' | 'info' | 'warn', event: string, facts: Record<string, unknown>) => void
  isUp(member: MemberId): boolean
  upMembers(): MemberId[]
}

const DIALS_AT_ONCE = 16 // thousands of sockets in SYN at once help nobody; a dial that is refused ends in a millisecond
const AT = 'at:' // the redialler's key of a bootstrap address whose owner is to be learned

/** One redialler and one address book, driven by `tick` and by what the links learn. */
export class Dialler {
  readonly #context: DiallerContext
  readonly #book = new AddressBook()
  readonly #redialler: Redialler
  readonly #members = new Set<MemberId>()
  readonly #lastErrors = new Map<MemberId, string>()
  /** Who answered at a bootstrap address without /p2p/. Bounded by the bootstrap list. */
  readonly #owners = new Map<string, MemberId>()
  /** Members named in the bootstrap list: dialled without leaving them the first turn, since they need not know our address. */
  readonly #entrances = new Set<MemberId>()
  #dials = 0

  constructor(context: DiallerContext) {
    this.#context = context
    this.#redialler = new Redialler(context.timing)
    this.#readBootstrap()
  }

  /** Wants a connection to a member, whose listed addresses (without /p2p/) these are. */
  want(member: MemberId, addresses: readonly string[]): void {
    const { self, chance } = this.#context
    const now = Date.now()
    this.#members.add(member)
    const news = addresses.filter((address) => this.#book.learn(member, address, 'listed', now))
    this.#redialler.want(member, self > member && !this.#entrances.has(member), now, chance)
    if (news.length > 0) this.#redialler.hint(member, now, chance)
  }

  forget(member: MemberId): void {
    this.#members.delete(member)
    this.#lastErrors.delete(member)
    this.#redialler.drop(member)
    this.#book.forget(member)
  }

  tick(now: number): void {
    for (const key of this.#redialler.due(now, DIALS_AT_ONCE - this.#dials)) {
      this.#context.background.run(() => this.#dial(key))
    }
  }

  addresses(member: MemberId): string[] {
    return this.#book.list(member)
  }

  /** Why the last dial failed; undefined while connected. */
  lastError(member: MemberId): string | undefined {
    return this.#lastErrors.get(member)
  }

  /** A member's connection came up. */
  up(member: MemberId): void {
    const now = Date.now()
    this.#lastErrors.delete(member)
    for (const key of this.#keysOf(member)) this.#redialler.connected(key, now)
  }

  /** A member's last connection went down. */
  down(member: MemberId): void {
    const now = Date.now()
    for (const key of this.#keysOf(member)) this.#redialler.lost(key, now, this.#context.chance)
  }

  /** A connection to a member closed before it told who it is: if we dialled it, the door at the other end is closed to us. */
  closedEarly(member: MemberId): void {
    for (const key of this.#keysOf(member)) this.#failed(key, DENIED)
  }

  /** Does not dial a member before `untilMs`. */
  refuse(member: MemberId, untilMs: number): void {
    for (const key of this.#keysOf(member)) this.#redialler.refuse(key, untilMs)
  }

  /** Learns addresses of a peer, if it is a member; a new one is tried soon. */
  learn(peer: PeerId, addresses: readonly Parameters<typeof dialable>[0][], source: AddressSource): void {
    const member = this.#context.door.member(peer)
    if (member === undefined || !this.#members.has(member)) return
    const now = Date.now()
    const known = addresses.map(dialable).filter((address) => address !== undefined)
    const news = known.filter((address) => this.#book.learn(member, address, source, now))
    if (news.length > 0) this.#redialler.hint(member, now, this.#context.chance)
  }

  /**
   * The address of a connection that we dialled is a good one. Identify replaces what is stored with what the member announces,
   * so it is stored anew.
   */
  confirm(member: MemberId, connection: Connection): void {
    const address = dialable(connection.remoteAddr)
    if (address === undefined) return
    this.#book.confirm(member, address, Date.now())
    const { background, node } = this.#context
    background.run(async () => {
      await node.peerStore.merge(connection.remotePeer, { multiaddrs: [multiaddr(address)] })
    })
  }

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
    if (member !== undefined && this.#context.isUp(member)) {
      this.#redialler.connected(key, Date.now())
      return undefined
    }
    let failure = 'no address of it is known yet'
    for (const address of this.#addressesOf(key)) {
      const why = await this.#tryAddress(key, address)
      if (why === undefined) return undefined
      failure = why
    }
    return failure
  }

  async #tryAddress(key: string, address: string): Promise<string | undefined> {
    const { node, door, timing, background } = this.#context
    const target = multiaddr(key.startsWith(AT) ? address : `${address}/p2p/${peerIdOf(key as MemberId)}`)
    try {
      const connection = await background.within(timing.dialTimeoutMs, (signal) => node.dial(target, { signal }))
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
    if (this.#context.isUp(member)) this.#redialler.connected(key, now)
  }

  #failed(key: string, why: string): void {
    const { chance, isUp, log } = this.#context
    this.#redialler.failed(key, Date.now(), chance)
    const member = this.#memberOfKey(key)
    if (member !== undefined && isUp(member)) return
    if (member !== undefined && this.#members.has(member)) this.#lastErrors.set(member, why)
    log('debug', 'dial-failed', { target: key, why })
  }

  #readBootstrap(): void {
    const { bootstrap, chance, door, log, self } = this.#context
    const now = Date.now()
    for (const { address, peer } of bootstrap) {
      const member = peer === undefined ? undefined : memberOfText(peer)
      if (member === self) continue
      if (member === undefined) this.#redialler.want(AT + address, false, now, chance)
      else {
        this.#entrances.add(member)
        if (door.member(peerIdOf(member)) === undefined) log('warn', 'bootstrap-not-a-member', { address, peer })
        this.#book.learn(member, address, 'listed', now)
      }
    }
  }

  #addressesOf(key: string): string[] {
    return key.startsWith(AT) ? [key.slice(AT.length)] : this.#book.list(key as MemberId)
  }

  /** The redialler's keys that a connection to the member satisfies. */
  #keysOf(member: MemberId): string[] {
    const owned = [...this.#owners].filter(([, owner]) => owner === member)
    return [member, ...owned.map(([key]) => key)]
  }

  /** Whom a key is about; a bootstrap address is about who answered there, or about a connected member known to live there. */
  #memberOfKey(key: string): MemberId | undefined {
    if (!key.startsWith(AT)) return key as MemberId
    const address = key.slice(AT.length)
    return (
      this.#owners.get(key) ?? this.#context.upMembers().find((member) => this.#book.list(member).includes(address))
    )
  }
}
