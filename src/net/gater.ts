/** The door: only members come in or are called, whoever misbehaved waits, and strangers are reported. */
import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { MemberId } from '../core/ids.ts'
import { memberOf } from './peerIds.ts'
import { Strangers } from './strangers.ts'
import type { Tally } from './tally.ts'
import { WaitingRoom } from './waitingRoom.ts'

const GUEST_EVERY_MS = 250 // with GUEST_MS of guests.ts at most 120 connections of one guest
const GUESTS_MAX = 256 // more than invitations may be open

/** Whom the door tells of strangers, already thinned out. */
export interface DoorEvents {
  onStranger(peer: string, direction: 'inbound' | 'outbound'): void
}

/** The member list as the network sees it; made before the node, and asked by everything that lets someone in or speak. */
export class Door {
  readonly #self: MemberId
  readonly #tally: Tally
  readonly #events: DoorEvents
  readonly #strangers: Strangers
  readonly #waiting = new WaitingRoom()
  #members: ReadonlySet<MemberId> = new Set()
  #isGuest: (key: MemberId) => boolean = () => false
  /** When each guest came last; those of the invitations that are open, which are few. */
  readonly #guestsCameMs = new Map<MemberId, number>()
  /** Members refused until a time; bounded by the member list. */
  readonly #refusedUntilMs = new Map<MemberId, number>()

  constructor(self: MemberId, tally: Tally, strangerMs: number, events: DoorEvents) {
    this.#self = self
    this.#tally = tally
    this.#events = events
    this.#strangers = new Strangers(strangerMs)
  }

  setMembers(members: ReadonlySet<MemberId>): void {
    this.#members = members
    for (const member of this.#refusedUntilMs.keys()) if (!members.has(member)) this.#refusedUntilMs.delete(member)
  }

  /** The member behind a PeerId, if it is one of the current list and not ourselves. */
  member(peer: PeerId): MemberId | undefined {
    const member = memberOf(peer)
    return member !== undefined && member !== this.#self && this.#members.has(member) ? member : undefined
  }

  /** Who is no member, and may come in to ask for one thing: `isGuest` says so of a key at each knock. */
  welcome(isGuest: (key: MemberId) => boolean): void {
    this.#isGuest = isGuest
  }

  /** The guest behind a PeerId, if its key is one. */
  guest(peer: PeerId): MemberId | undefined {
    const key = memberOf(peer)
    return key !== undefined && key !== this.#self && !this.#members.has(key) && this.#isGuest(key) ? key : undefined
  }

  refuse(member: MemberId, untilMs: number): void {
    this.#refusedUntilMs.set(member, untilMs)
  }

  isRefused(member: MemberId): boolean {
    const until = this.#refusedUntilMs.get(member)
    if (until === undefined) return false
    if (Date.now() < until) return true
    this.#refusedUntilMs.delete(member)
    return false
  }

  /** The hooks of libp2p. Encrypted ones come after Noise, when the identity is proved; the earlier ones save a handshake. */
  gater(): ConnectionGater {
    return {
      denyDialMultiaddr: () => false, // private addresses are what hospitals have
      denyDialPeer: (peer) => this.#denies(peer, 'outbound'),
      denyOutboundConnection: (peer) => this.#denies(peer, 'outbound'),
      denyOutboundEncryptedConnection: (peer) => this.#denies(peer, 'outbound'),
      denyInboundConnection: (connection) => this.#isCrowd(connection),
      denyInboundEncryptedConnection: (peer, connection) => {
        this.#waiting.leave(connection)
        if (this.guest(peer) !== undefined) return this.#isHasty(memberOf(peer) as MemberId)
        return this.#denies(peer, 'inbound')
      },
      filterMultiaddrForPeer: (peer) => memberOf(peer) === this.#self || this.member(peer) !== undefined,
    }
  }

  #denies(peer: PeerId, direction: 'inbound' | 'outbound'): boolean {
    const member = this.member(peer)
    if (member === undefined) {
      this.#tally.refuse('stranger')
      if (memberOf(peer) !== this.#self) this.#report(peer.toString(), direction)
      return true
    }
    if (!this.isRefused(member)) return false
    this.#tally.refuse('refused-for-a-while')
    return true
  }

  /** A ticket in the wrong hands must not take all places. */
  #isHasty(guest: MemberId): boolean {
    const now = Date.now()
    const isHasty = now - (this.#guestsCameMs.get(guest) ?? 0) < GUEST_EVERY_MS
    if (isHasty) this.#tally.refuse('guest-too-often')
    else this.#guestsCameMs.set(guest, now)
    if (this.#guestsCameMs.size > GUESTS_MAX)
      this.#guestsCameMs.delete(this.#guestsCameMs.keys().next().value as MemberId)
    return isHasty
  }

  #isCrowd(connection: MultiaddrConnection): boolean {
    if (this.#waiting.enter(hostOf(connection), connection)) return false
    this.#tally.refuse('too-many-handshakes')
    return true
  }

  #report(peer: string, direction: 'inbound' | 'outbound'): void {
    if (this.#strangers.seen(peer, Date.now())) this.#events.onStranger(peer, direction)
  }
}

/** The address without protocol and port; connections of one host share it. */
function hostOf({ remoteAddr }: MultiaddrConnection): string {
  return remoteAddr.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6')?.value ?? 'unknown'
}
