/** Who takes part, epoch by epoch; whose signatures count under a head, and how many make it final: the one place that says so. */
import { invariant } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import type { Cosignature } from './cosignature.ts'
import { quorum } from './founding.ts'

/** How far a log had come when an epoch began: whatever its author signs at or below that size must agree with it. */
export interface Pin {
  readonly author: MemberId
  /** Number of entries; 0 where the author had written none, and then the root is all zeros. */
  readonly size: number
  readonly root: Digest
}

/** One epoch as plain data: its members, and how long every log was when it began. */
export interface RollCall {
  /** 0 is the founding. */
  readonly number: number
  /** Sorted by key. */
  readonly members: readonly MemberId[]
  /** One for each author that has ever been a member before, sorted by author. */
  readonly pins: readonly Pin[]
  /** Members now and before who are observers, sorted by key; absent where none is. */
  readonly observers?: readonly MemberId[]
}

/** Whose signatures count for a head, and how many make it final. */
export interface Electorate {
  readonly epoch: number
  readonly members: ReadonlySet<MemberId>
  readonly quorum: number
}

/** Gives the electorate of a head of `author` at `size`; null where no epoch lets its log have that size. */
export type Governing = (author: MemberId, size: number) => Electorate | null

interface Called {
  readonly electorate: Electorate
  readonly members: readonly MemberId[]
  /** Members now and before, sorted by key. */
  readonly authors: readonly MemberId[]
  readonly pins: ReadonlyMap<MemberId, Pin>
}

const NOBODY: ReadonlySet<MemberId> = new Set()

/** All epochs that are known here, one after the other. It grows while it is shared: whoever asks is told what is so now. */
export class Roll {
  readonly #calls: Called[] = []
  #observers: ReadonlySet<MemberId> = NOBODY

  /** `calls` are those of epochs 0, 1, …, each decided and checked before. */
  constructor(calls: readonly RollCall[]) {
    invariant(calls.length > 0, 'a roll begins with the founding')
    for (const call of calls) this.begin(call)
  }

  /** Goes on to the next epoch. */
  begin({ number, members, pins, observers }: RollCall): void {
    invariant(number === this.#calls.length, 'epochs follow each other')
    const electorate = { epoch: number, members: new Set(members), quorum: quorum(members.length) }
    const authors = [...new Set([...members, ...pins.map(({ author }) => author)])].sort(compareIds)
    if (observers !== undefined) this.#observers = new Set(observers)
    this.#calls.push({ electorate, members, authors, pins: new Map(pins.map((pin) => [pin.author, pin])) })
  }

  /** That of the newest epoch. */
  get number(): number {
    return this.#newest.electorate.epoch
  }

  /** Members now, sorted by key. */
  get members(): readonly MemberId[] {
    return this.#newest.members
  }

  /** Members now and before: whose logs are kept. Sorted by key. */
  get authors(): readonly MemberId[] {
    return this.#newest.authors
  }

  isMember(member: MemberId): boolean {
    return this.#newest.electorate.members.has(member)
  }

  /** Whether it is, or was, a member that has no part in studies. */
  isObserver(member: MemberId): boolean {
    return this.#observers.has(member)
  }

  isAuthor(member: MemberId): boolean {
    return this.isMember(member) || this.#newest.pins.has(member)
  }

  /** The newest pin of a log; null where it was never pinned, or was empty. */
  pinned(author: MemberId): Pin | null {
    const pin = this.#newest.pins.get(author)
    return pin === undefined || pin.size === 0 ? null : pin
  }

  /**
   * The last epoch that began before the log was that long. Null where the author was no member then: what a former member's key signs
   * beyond its pin counts for nothing.
   */
  readonly governing: Governing = (author, size) => {
    const call =
      size > 0 ? this.#calls.findLast(({ pins }) => size > (pins.get(author)?.size ?? 0))?.electorate : undefined
    return call?.members.has(author) ? call : null
  }

  /**
   * Whether a head is final with these cosignatures, all of them valid: an epoch's quorum has signed the pin that it is, or the quorum of
   * the epoch that governs it is among the signers, its author included.
   */
  isFinal({ author, size, root }: Pin, cosignatures: readonly Cosignature[]): boolean {
    const pin = this.pinned(author)
    if (pin?.size === size && pin.root === root) return true
    const electorate = this.governing(author, size)
    return electorate !== null && isQuorum(author, cosignatures, electorate)
  }

  /** Whether these cosignatures made a head final in an epoch before the one that governs it: who has not heard of that one goes by them. */
  wasFinal({ author, size }: Pin, cosignatures: readonly Cosignature[]): boolean {
    const now = this.governing(author, size)?.epoch ?? this.number
    return this.#calls.some(({ electorate }) => electorate.epoch < now && isQuorum(author, cosignatures, electorate))
  }

  /**
   * The cosignatures that make a kept head final, or did in an epoch before the one that governs it now: what was final when it was kept is
   * no fault of who keeps it. Null where there are too few; that they are valid is the caller's to check.
   */
  finalBy(head: Pin, cosignatures: readonly Cosignature[]): Cosignature[] | null {
    const { author, size } = head
    const now = this.governing(author, size)
    if (this.isFinal(head, cosignatures)) return now === null ? [] : countedOf(cosignatures, now)
    const before = this.#calls.find(({ electorate }) => {
      return now !== null && electorate.epoch < now.epoch && isQuorum(author, cosignatures, electorate)
    })
    return before === undefined ? null : countedOf(cosignatures, before.electorate)
  }

  get #newest(): Called {
    return this.#calls[this.#calls.length - 1] as Called
  }
}

/** The roll of a consortium that has not changed its members yet. */
export function rollOf(founders: readonly MemberId[]): Roll {
  return new Roll([{ number: 0, members: [...founders].sort(compareIds), pins: [] }])
}

/** Those of `cosignatures` that count; that they are valid is the caller's to check. */
export function countedOf(cosignatures: readonly Cosignature[], { members }: Electorate): Cosignature[] {
  return cosignatures.filter(({ witness }) => members.has(witness))
}

/** Whether these cosignatures make a head of `author` final, its own signature under it included. */
export function isQuorum(author: MemberId, cosignatures: readonly Cosignature[], electorate: Electorate): boolean {
  const signers = new Set([author, ...cosignatures.map(({ witness }) => witness)])
  let count = 0
  for (const signer of signers) if (electorate.members.has(signer)) count++
  return count >= electorate.quorum
}
