/**
 * Changes of the membership, as members propose and approve them in their logs. What a quorum approves is put to the vote; the vote of
 * the decision slot, and nothing here, makes it so.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { type Member, memberRows, membersVersion } from '../ledger/founding.ts'
import { memberQuorum } from '../ledger/vote.ts'
import { type Body, readBody } from './kinds.ts'
import type { Fact } from './studies.ts'

/** What the next epoch is to differ in. A new key for a hospital is both: the old one goes, the new one comes. */
export interface Change {
  readonly id: Digest
  /** The epoch that it would begin. */
  readonly epoch: number
  /** Sorted by key. */
  readonly add: readonly Member[]
  /** Sorted. */
  readonly remove: readonly MemberId[]
}

/** A change with what its members say of it. */
export interface ChangeState {
  readonly change: Change
  readonly proposedBy: readonly MemberId[]
  /** Members whose newest word is yes, and those whose is no. */
  readonly approvedBy: readonly MemberId[]
  readonly rejectedBy: readonly MemberId[]
  /** A quorum of the members approves, and of the hospitals among them more than half. */
  readonly approved: boolean
}

/** Whose words count as what, beside who the members are. */
export interface Voices {
  isObserver(member: MemberId): boolean
  /** Whether what `member` wrote at `seq` of its log counts for this change, though its key may be suspended. */
  counts(member: MemberId, seq: number, change: Change): boolean
}

export const PROPOSALS_MAX = 8 // of one member for one epoch: each may fill an entry
const WORDS_MAX = 64 // of one member on proposals for one epoch: more are not read
const AHEAD_MAX = 16 // epochs that this node has not heard of yet: its peers are asked for those first

interface Known {
  readonly change: Change
  /** Where each of them proposed it first. */
  readonly proposedBy: Map<MemberId, number>
}

interface Said {
  readonly words: Map<Digest, { readonly yes: boolean; readonly seq: number }>
  proposals: number
}

interface Upcoming {
  readonly changes: Map<Digest, Known>
  readonly said: Map<MemberId, Said>
  /** The own log says that this node has begun to vote. */
  voting: boolean
}

/** The change that differs in this; its id covers all of it. */
export function changeOf(epoch: number, add: readonly Member[], remove: readonly MemberId[]): Change {
  const sorted = { add: [...add].sort((a, b) => compareIds(a.key, b.key)), remove: [...remove].sort(compareIds) }
  const content: Cbor = [membersVersion(add), epoch, memberRows(sorted.add), sorted.remove.map(fromHex)]
  const id = taggedDigest('change', encodeCbor(content))
  return { id, epoch, ...sorted }
}

/** The body of the entry that proposes it. */
export function changeBody({ epoch, add, remove }: Change): Body<'epoch.proposed'> {
  const observers = add.flatMap(({ key, observer }) => (observer ? [fromHex(key)] : []))
  return {
    epoch,
    add: add.map(({ name, key }) => [name, fromHex(key)]),
    remove: remove.map(fromHex),
    ...(observers.length === 0 ? {} : { observers }),
  }
}

/** The members after a change; sorted by key. Who is to go and is no member is passed over. */
export function membersAfter(members: readonly Member[], { add, remove }: Change): Member[] {
  const staying = members.filter(({ key }) => !remove.includes(key) && !add.some((one) => one.key === key))
  return [...staying, ...add].map(memberAlone).sort((a, b) => compareIds(a.key, b.key))
}

function memberAlone({ name, key, observer }: Member): Member {
  return { name, key, ...(observer ? { observer } : {}) }
}

const ALL: Voices = { isObserver: () => false, counts: () => true }

/** Folds facts of all logs, in any order; epochs that have begun are forgotten. */
export class Changes {
  readonly #self: MemberId
  readonly #upcoming = new Map<number, Upcoming>()
  #begun = 0

  constructor(self: MemberId) {
    this.#self = self
  }

  fold(fact: Fact): void {
    if (fact.kind === 'epoch.proposed') this.#proposed(fact)
    else if (fact.kind === 'epoch.approved' || fact.kind === 'epoch.rejected') this.#said(fact, fact.kind)
    else if (fact.kind === 'epoch.voting' && fact.author === this.#self) {
      const body = readBody('epoch.voting', fact.body)
      const upcoming = body === null ? null : this.#at(body.epoch)
      if (upcoming !== null) upcoming.voting = true
    }
  }

  /** Epoch `number` has begun. */
  begun(number: number): void {
    this.#begun = Math.max(this.#begun, number)
    for (const known of this.#upcoming.keys()) if (known <= this.#begun) this.#upcoming.delete(known)
  }

  /** Whether the own log says that this node votes on epoch `number`. */
  isVoting(number: number): boolean {
    return this.#upcoming.get(number)?.voting ?? false
  }

  /** Proposals for epoch `number`; only the words of `members` count, and of those what `voices` lets. Most approved first. */
  states(number: number, members: readonly MemberId[], voices: Voices = ALL): ChangeState[] {
    const upcoming = this.#upcoming.get(number)
    if (upcoming === undefined) return []
    const quorum = memberQuorum(members)
    const hospitals = new Set(quorum.voters.filter((member) => !voices.isObserver(member)))
    const saying = ({ change }: Known, yes: boolean): MemberId[] =>
      quorum.voters.filter((member) => {
        const word = upcoming.said.get(member)?.words.get(change.id)
        return word?.yes === yes && (!yes || voices.counts(member, word.seq, change))
      })
    return [...upcoming.changes.values()]
      .map((known) => {
        const { change, proposedBy } = known
        const approvedBy = saying(known, true)
        const ofHospitals = approvedBy.filter((member) => hospitals.has(member)).length
        return {
          change,
          proposedBy: quorum.voters.filter((member) => {
            const seq = proposedBy.get(member)
            return seq !== undefined && voices.counts(member, seq, change)
          }),
          approvedBy,
          rejectedBy: saying(known, false),
          approved: quorum.reached(new Set(approvedBy)) && 2 * ofHospitals > hospitals.size,
        }
      })
      .filter(({ proposedBy }) => proposedBy.length > 0)
      .sort((a, b) => b.approvedBy.length - a.approvedBy.length || compareIds(a.change.id, b.change.id))
  }

  #proposed({ author, seq, body }: Fact): void {
    const read = readBody('epoch.proposed', body)
    const upcoming = read === null ? null : this.#at(read.epoch)
    if (read === null || upcoming === null) return
    const said = saidBy(upcoming, author)
    if (++said.proposals > PROPOSALS_MAX) return
    const observers = new Set(read.observers?.map(toHex))
    const add = read.add.map(([name, bytes]): Member => {
      const key = toHex(bytes) as MemberId
      return { name, key, ...(observers.has(key) ? { observer: true } : {}) }
    })
    const change = changeOf(
      read.epoch,
      add,
      read.remove.map((key) => toHex(key) as MemberId),
    )
    const known = upcoming.changes.get(change.id) ?? { change, proposedBy: new Map() }
    if (!known.proposedBy.has(author)) known.proposedBy.set(author, seq)
    upcoming.changes.set(change.id, known)
  }

  #said({ author, seq, body }: Fact, kind: 'epoch.approved' | 'epoch.rejected'): void {
    const read = readBody(kind, body)
    const upcoming = read === null ? null : this.#at(read.epoch)
    if (read === null || upcoming === null) return
    const { words } = saidBy(upcoming, author)
    const id = toHex(read.change) as Digest
    if (words.has(id) || words.size < WORDS_MAX) words.set(id, { yes: kind === 'epoch.approved', seq })
  }

  #at(number: number): Upcoming | null {
    if (number <= this.#begun || number > this.#begun + AHEAD_MAX) return null
    const upcoming = this.#upcoming.get(number) ?? { changes: new Map(), said: new Map(), voting: false }
    this.#upcoming.set(number, upcoming)
    return upcoming
  }
}

function saidBy({ said }: Upcoming, author: MemberId): Said {
  const found = said.get(author) ?? { words: new Map(), proposals: 0 }
  said.set(author, found)
  return found
}
