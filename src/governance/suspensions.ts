/**
 * Members whose keys are not to be trusted, as a fold over `member.suspended` and `member.reinstated` that gives the same state in whatever
 * order logs arrive. Of its own key a member's word binds everybody: whoever holds the key may say stop. Of another's it binds its own node,
 * and everybody once more than a third of the members say so, one honest member among them at least. A suspension binds as soon as it is
 * known; a way back counts when its entry is final.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { quorum } from '../ledger/founding.ts'
import type { SUSPENSION_REASONS } from './kinds/members.ts'
import { type Body, readBody } from './kinds.ts'
import { Quota } from './quota.ts'
import type { Fact } from './studies.ts'

export type SuspensionReason = (typeof SUSPENSION_REASONS)[number]

/** What the words are weighed by at one node: its own member, the members now, and how much of each log is final. */
export interface Scales {
  readonly self: MemberId
  readonly members: readonly MemberId[]
  readonly finalSize: (author: MemberId) => number
}

/** A word that stands: whose, why, and the entry that says it. */
export interface SuspensionWord {
  readonly by: MemberId
  readonly reason: SuspensionReason
  readonly seq: number
  readonly hash: Digest
  readonly timeMs: number
}

/** A member of which somebody says that its key is not to be trusted. */
export interface Suspension {
  readonly member: MemberId
  /** Sorted by who says it. */
  readonly words: readonly SuspensionWord[]
  /** By whose word it binds at this node: the member's own, this node's, that of enough members; null where it does not. */
  readonly binds: 'own' | 'here' | 'members' | null
  /** What it permitted in its first so many entries counts all the same. */
  readonly size: number
}

/** What one member said of another, as little as decides. */
interface Pair {
  /** The newest entry of it that was read. */
  seq: number
  suspended: (SuspensionWord & { readonly size: number }) | null
  /** The first entry since that takes it back. */
  backAt: number | null
  /** The entry that lifts most of the other's words on its own key: those among its first `size` entries. */
  lifts: { readonly seq: number; readonly size: number } | null
}

/** Says so many others beside this one that a member is suspended: more than a third, so that one of them is honest. */
export function suspendingQuorum(members: number): number {
  return Math.floor((members - 1) / 3) + 1
}

/** The body of the entry that says it; `size` entries of the member's log are known here. */
export function suspensionBody(member: MemberId, reason: SuspensionReason, size: number): Body<'member.suspended'> {
  return { member: fromHex(member), reason, size }
}

/** One per node. What one author says is bounded by whom it can speak of; of itself it always can. */
export class Suspensions {
  readonly #pairs = new Map<MemberId, Map<MemberId, Pair>>()
  readonly #quota = new Quota<MemberId, MemberId>(LIMITS.membersMax)

  /** Whether nobody ever said a word. */
  get isEmpty(): boolean {
    return this.#pairs.size === 0
  }

  /** Whether the fact was about this. */
  fold(fact: Fact): boolean {
    if (fact.kind === 'member.suspended') {
      const body = readBody('member.suspended', fact.body)
      const pair = body && this.#pair(fact, toHex(body.member) as MemberId)
      if (body && pair) suspend(pair, fact, body)
      return true
    }
    if (fact.kind !== 'member.reinstated') return false
    const body = readBody('member.reinstated', fact.body)
    const pair = body && this.#pair(fact, toHex(body.member) as MemberId)
    if (body && pair) reinstate(pair, fact.seq, body.size)
    return true
  }

  /** What is said of a member, weighed; null where nothing stands. A former member is followed no further anyway. */
  of(member: MemberId, scales: Scales): Suspension | null {
    const pairs = this.#pairs.get(member)
    if (pairs === undefined || !scales.members.includes(member)) return null
    const { self, members, finalSize } = scales
    const stands = (by: MemberId, { suspended, backAt }: Pair): boolean => {
      if (suspended === null) return false
      if (by === member) return !isLifted(pairs, member, suspended.seq, scales)
      return backAt === null || backAt >= finalSize(by)
    }
    const standing = [...pairs].filter(([by, pair]) => members.includes(by) && stands(by, pair))
    const others = standing.filter(([by]) => by !== member).map(([, pair]) => sizeIn(pair))
    const needed = suspendingQuorum(members.length)
    const own = pairs.get(self)
    const isOwnStanding = standing.some(([by]) => by === member)
    // its people's way back need not be final where it was their word alone
    const isHere = self !== member && own?.suspended != null && own.backAt === null && members.includes(self)
    const sizes = [
      ...(isOwnStanding ? [sizeIn(pairs.get(member) as Pair)] : []),
      ...(isHere ? [sizeIn(own)] : []),
      ...(others.length >= needed ? [others.sort((a, b) => a - b)[needed - 1] as number] : []), // no third of them can choose it
    ]
    if (standing.length === 0) return null
    const binds = isOwnStanding ? 'own' : others.length >= needed ? 'members' : isHere ? 'here' : null
    const words = standing.map(([, { suspended }]) => wordOf(suspended as SuspensionWord))
    return { member, words: words.sort((a, b) => compareIds(a.by, b.by)), binds, size: Math.min(...sizes) }
  }

  /** All of whom a word stands, sorted. */
  all(scales: Scales): Suspension[] {
    return [...this.#pairs.keys()].sort(compareIds).flatMap((member) => this.of(member, scales) ?? [])
  }

  #pair({ author, seq }: Fact, member: MemberId): Pair | null {
    if (author !== member && !this.#quota.take(author, member)) return null
    const pairs = this.#pairs.get(member) ?? new Map<MemberId, Pair>()
    const pair = pairs.get(author) ?? { seq: -1, suspended: null, backAt: null, lifts: null }
    if (seq <= pair.seq) return null
    pair.seq = seq
    this.#pairs.set(member, pairs.set(author, pair))
    return pair
  }
}

function suspend(pair: Pair, { author: by, seq, hash, timeMs }: Fact, body: Body<'member.suspended'>): void {
  const before = pair.backAt === null ? pair.suspended : null
  const size = by === toHex(body.member) ? seq : body.size
  pair.suspended = { by, reason: body.reason, seq, hash, timeMs, size: Math.min(size, before?.size ?? size) }
  pair.backAt = null
  pair.lifts = null
}

function reinstate(pair: Pair, seq: number, size: number): void {
  pair.backAt ??= seq
  if (pair.lifts === null || size > pair.lifts.size) pair.lifts = { seq, size }
}

/** Who holds the key may be a thief: so a quorum lifts what a member said of its own, the member's own voice counted as given. */
function isLifted(
  pairs: ReadonlyMap<MemberId, Pair>,
  member: MemberId,
  seq: number,
  { members, finalSize }: Scales,
): boolean {
  const lifting = members.filter((by) => {
    const lifts = by === member ? null : (pairs.get(by)?.lifts ?? null)
    return lifts !== null && lifts.size > seq && lifts.seq < finalSize(by)
  })
  return lifting.length + 1 >= quorum(members.length)
}

function sizeIn({ suspended }: Pair): number {
  return suspended?.size ?? Number.POSITIVE_INFINITY
}

function wordOf({ by, reason, seq, hash, timeMs }: SuspensionWord): SuspensionWord {
  return { by, reason, seq, hash, timeMs }
}
