/** The addresses known of each member, best first, bounded. Pure: the shell keeps it in step with libp2p's stored peers. */
import type { MemberId } from '../core/ids.ts'

/** Where an address comes from. `listed`: the signed member list or the bootstrap list. `told`: by the member or by discovery. */
export type AddressSource = 'listed' | 'told'

interface Known {
  source: AddressSource
  /** When a dial last succeeded there; 0: never. */
  confirmedMs: number
  learnedMs: number
}

export const ADDRESSES_PER_MEMBER_MAX = 16 // a few interfaces, two address families and a move or two; more is a flood

/** Addresses are multiaddr text without /p2p/. */
export class AddressBook {
  readonly #members = new Map<MemberId, Map<string, Known>>()

  /** Learns an address without its /p2p/ part; true when it was new. A full list drops the oldest told, unconfirmed one. */
  learn(member: MemberId, address: string, source: AddressSource, now: number): boolean {
    const known = this.#members.get(member) ?? new Map<string, Known>()
    this.#members.set(member, known)
    const before = known.get(address)
    if (before !== undefined) {
      before.learnedMs = now
      if (source === 'listed') before.source = source
      return false
    }
    known.set(address, { source, confirmedMs: 0, learnedMs: now })
    if (known.size > ADDRESSES_PER_MEMBER_MAX) dropWorst(known)
    return known.has(address)
  }

  confirm(member: MemberId, address: string, now: number): void {
    this.learn(member, address, 'told', now)
    const known = this.#members.get(member)?.get(address)
    if (known !== undefined) known.confirmedMs = now
  }

  /** Most recently confirmed first, then listed before told, then newest, loopback last (another host's is of no use). */
  list(member: MemberId): string[] {
    return [...(this.#members.get(member) ?? [])].sort(better).map(([address]) => address)
  }

  forget(member: MemberId): void {
    this.#members.delete(member)
  }
}

function better([a, x]: [string, Known], [b, y]: [string, Known]): number {
  return (
    y.confirmedMs - x.confirmedMs ||
    sourceRank(x) - sourceRank(y) ||
    Number(isLoopback(a)) - Number(isLoopback(b)) ||
    y.learnedMs - x.learnedMs ||
    (a < b ? -1 : 1)
  )
}

function dropWorst(known: Map<string, Known>): void {
  const worst = [...known].sort(better).at(-1)
  if (worst !== undefined) known.delete(worst[0])
}

const sourceRank = (known: Known) => (known.source === 'listed' ? 0 : 1)
const isLoopback = (address: string) => /^\/(?:ip4\/127\.|ip6\/::1\/)/.test(address)
