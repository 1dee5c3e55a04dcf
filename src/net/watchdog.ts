/**
 * Finds connections that are open but useless: unidentified, silent, or without gossip in both directions. Pure.
 * After a reset gossip stream, publish still reports a recipient and nothing mends itself (DECISIONS, trap 2).
 */
import type { NetTiming } from './timing.ts'

export type WatchTiming = Pick<NetTiming, 'graceMs' | 'repairMs' | 'hangUpMs' | 'silentMs'>

/** What the shell sees of one connected member. */
export interface Sighting {
  /** When its oldest open connection came up. */
  readonly connectedAtMs: number
  readonly identified: boolean
  /** Gossipsub counts it among its peers. */
  readonly inPeers: boolean
  readonly outboundGossip: boolean
  readonly inboundGossip: boolean
  /** When it was last known to answer. */
  readonly heardAtMs: number
}

/** `repair`: run identify again, which makes gossipsub open its stream. `hang-up`: close all, and let the redialler dial. */
export type Remedy = { readonly kind: 'none' | 'repair' } | { readonly kind: 'hang-up'; readonly why: string }

interface Ailment {
  sinceMs: number
  repairedAtMs: number
}

const NONE: Remedy = { kind: 'none' }

/** One entry per ailing member, removed when it is well or gone. */
export class Watchdog {
  readonly #timing: WatchTiming
  readonly #ailing = new Map<string, Ailment>()
  constructor(timing: WatchTiming) {
    this.#timing = timing
  }

  look(key: string, now: number, seen: Sighting): Remedy {
    if (now - seen.heardAtMs > this.#timing.silentMs) return hangUp(`no answer for ${now - seen.heardAtMs} ms`)
    const fault = faultOf(seen)
    if (fault === undefined) {
      this.#ailing.delete(key)
      return NONE
    }
    const ailment = this.#ailing.get(key) ?? { sinceMs: now, repairedAtMs: Number.NEGATIVE_INFINITY }
    this.#ailing.set(key, ailment)
    return this.#remedy(ailment, now, seen, fault)
  }

  forget(key: string): void {
    this.#ailing.delete(key)
  }

  #remedy(ailment: Ailment, now: number, seen: Sighting, fault: string): Remedy {
    const { graceMs, hangUpMs, repairMs } = this.#timing
    const ailingMs = now - ailment.sinceMs
    if (now - seen.connectedAtMs > graceMs && ailingMs > hangUpMs) return hangUp(fault)
    const mendable = seen.identified && !seen.outboundGossip
    if (!mendable || ailingMs < repairMs || now - ailment.repairedAtMs < graceMs) return NONE
    ailment.repairedAtMs = now
    return { kind: 'repair' }
  }
}

function faultOf(seen: Sighting): string | undefined {
  if (!seen.identified) return 'it did not identify itself'
  if (!seen.inPeers) return 'gossip does not know it'
  if (!seen.outboundGossip) return 'no outbound gossip stream'
  if (!seen.inboundGossip) return 'no inbound gossip stream'
  return undefined
}

const hangUp = (why: string): Remedy => ({ kind: 'hang-up', why })
