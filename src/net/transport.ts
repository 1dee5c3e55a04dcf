/** What the daemon needs of a network: authenticated members, publish and subscribe, and request streams. */
import type { MemberId } from '../core/ids.ts'

export type Verdict = 'accept' | 'ignore' | 'reject'

/** One other member, as it is now. What is absent is not known, or has no meaning without a connection. */
export interface PeerStatus {
  readonly member: MemberId
  readonly connected: boolean
  /** Not connected, but messages that it signed come by other members: it takes part all the same. */
  readonly throughOthers: boolean
  /** The addresses we know, multiaddr text, most recently confirmed first. */
  readonly addresses: readonly string[]
  readonly connectedSinceMs?: number
  readonly direction?: 'inbound' | 'outbound'
  /** The member's subscription to at least one of our topics is known, so messages can flow. */
  readonly gossiping: boolean
  readonly roundTripMs?: number
  /** The last dial failure, one line: why a member is not reachable. */
  readonly lastError?: string
  readonly score?: number
}

/** Counts since the transport was made. Messages are gossip; bytes are payloads, without framing and encryption. */
export interface TransportStats {
  readonly messagesIn: number
  readonly messagesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Messages and connections refused, by reason. */
  readonly refused: Readonly<Record<string, number>>
}

/** Whom a transport tells. What a handler throws is logged; a message whose handler throws is ignored. */
export interface TransportEvents {
  /** A member's connection is up and usable (once per member, however many connections there are). */
  onConnected(member: MemberId): void
  onDisconnected(member: MemberId): void
  /** A peer that is not a member tried; its connection is closed. `peer` is its libp2p PeerId. */
  onStranger(peer: string, direction: 'inbound' | 'outbound'): void
  /** Decides a gossip message. `author` has been authenticated by its signature; `from` is who relayed it. */
  onMessage(message: { topic: string; author: MemberId; from: MemberId; data: Uint8Array }): Promise<Verdict>
  /** A member's score fell below the graylist threshold; the transport disconnects it and refuses it for a while. */
  onMisbehaved(member: MemberId, score: number): void
}

/** Answers one request; yields frames. Throwing resets the stream. */
export type RequestHandler = (from: MemberId, request: Uint8Array, signal: AbortSignal) => AsyncIterable<Uint8Array>

/**
 * Guarantees. Every peer named here is a member of the current list, authenticated by Noise. `publish` resolves with the number
 * of peers that the message was handed to (0 is not an error: nobody is subscribed). `request` yields frames in order with
 * backpressure, each at most `frameBytesMax`, and throws on reset, timeout or oversize. `stop` is idempotent and leaves nothing running.
 */
export interface Transport {
  start(signal: AbortSignal): Promise<void>
  /** Replaces the member list; connections to those no longer listed are closed. */
  setMembers(members: readonly { id: MemberId; addresses: readonly string[] }[]): Promise<void>
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  publish(topic: string, data: Uint8Array): Promise<number>
  request(
    peer: MemberId,
    protocol: string,
    request: Uint8Array,
    options: { signal: AbortSignal; frameBytesMax: number },
  ): AsyncIterable<Uint8Array>
  /** `often`: members ask each other for this again and again, so that a stream is kept open for the next request. */
  handle(protocol: string, handler: RequestHandler, often?: boolean): Promise<void>
  /**
   * Lets keys that are no member's come in, while `isGuest` says so of them, to ask for this one thing; nothing else is answered them, and
   * gossip neither reaches nor leaves them. `from` is then such a key. Call once, after `start`.
   */
  welcome(protocol: string, isGuest: (key: MemberId) => boolean, handler: RequestHandler): Promise<void>
  disconnect(member: MemberId, reason: string): Promise<void>
  /** Our own announced addresses, multiaddr text with /p2p/…. */
  addresses(): string[]
  peers(): PeerStatus[]
  stats(): TransportStats
  stop(): Promise<void>
}
