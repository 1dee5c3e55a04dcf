/**
 * Cells: past a few dozen members a study's updates travel in groups of bounded size, dealt anew every period, which everyone computes
 * alone. Nobody chooses its cell: the deal mixes the study, the digest of the membership epoch and the digest of the frozen scaling. The
 * first is its proposer's to grind, the second nobody's alone, the third the last contributor's of all whose statistics it sums; so what
 * remains is that whoever comes last may try out a deal or two of the near future, for every period is dealt by itself.
 */
import { fromHex, utf8 } from '../core/bytes.ts'
import { taggedDigest } from '../core/digest.ts'
import { invariant } from '../core/errors.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { Rng } from '../core/rng.ts'

/** Names one cell of a study, and with the study's name its topic. */
export interface CellName {
  /** Number of the membership epoch. */
  readonly epoch: number
  /** ⌊time ÷ period⌋, time since 1970. */
  readonly period: number
  /** From 0. */
  readonly cell: number
}

/** How an update came: on the topic of a cell, or (null) of the whole study; or over a stream, where it was fetched or told of. */
export type UpdateTopic = CellName | null | 'fetched'

/** What a study says of its cells. */
export interface CellRules {
  /** Up to so many members there is one topic for all. */
  readonly above: number
  /** Members of one cell at most. */
  readonly size: number
}

/**
 * How far beside its cell a member may sit: two who have heard of bindings that differ by so many deal everybody to the same cell or to
 * neighbouring seats on its edge. More would let members into cells that they were not dealt to.
 */
export const SEATS_BESIDE = 2

/** What a deal is drawn from, as a digest. */
export function dealSeed(study: StudyId, epoch: Digest, scaling: Digest, period: number): Digest {
  return taggedDigest('cells', fromHex(study), fromHex(epoch), fromHex(scaling), utf8(String(period)))
}

/**
 * Whether an update counts in a merge at a node that meets others in a cell: its author meets there too, or it was heard since the last
 * merge. Who has been dealt elsewhere can't be heard again, so that its update would only grow old, and rules that count heads give an old
 * update a full voice: a merge would take two or three cells in place of one, most of them as they were rounds ago. What a cell learnt comes
 * along in the models of those who were dealt from it.
 */
export function countsInCell(isMate: boolean, ageRounds: number): boolean {
  return isMate || ageRounds === 0
}

/** Whether so many members of a study meet in cells. */
export function meetInCells(takingPart: number, rules: CellRules | null): rules is CellRules {
  return rules !== null && takingPart > rules.above
}

/**
 * One deal. All members of the epoch are shuffled, whether or not they take part in the study: that list is final, and the same for all.
 * Those who take part are seated in that order, and cut into as few cells of at most `size` as there can be, equal to one. So no seat stays
 * empty, and where two nodes have not heard of the same bindings a cell differs by the seats on its edge alone.
 */
export class Deal {
  /** How many take part. */
  readonly seats: number
  readonly cells: number
  /** By the member's place in the epoch's sorted list: how many that take part were dealt before it. */
  readonly #before: Uint32Array
  readonly #seated: Uint32Array

  /** `members` of the epoch, of whom `takesPart` says who does, by place in the sorted list. One at least does. */
  constructor(seed: Digest, members: number, takesPart: (place: number) => boolean, size: number) {
    const order = Rng.fromDigest(seed).shuffle(Uint32Array.from({ length: members }, (_, place) => place))
    this.#before = new Uint32Array(members)
    let seats = 0
    for (const place of order) {
      this.#before[place] = seats
      if (takesPart(place)) order[seats++] = place // never ahead of what is read
    }
    invariant(seats > 0, 'somebody takes part')
    this.#seated = order.slice(0, seats)
    this.seats = seats
    this.cells = Math.ceil(seats / size)
  }

  /** The cell of a member; of one that takes no part, the one that it would be in. */
  cellOf(place: number): number {
    const seat = Math.min(this.#before[place] as number, this.seats - 1)
    return Math.floor(((seat + 1) * this.cells - 1) / this.seats)
  }

  /** Whether a member sits in a cell, or at most `beside` seats beside it. */
  isIn(place: number, cell: number, beside: number): boolean {
    const seat = this.#before[place]
    return seat !== undefined && seat >= this.#from(cell) - beside && seat < this.#from(cell + 1) + beside
  }

  /** Places of those who sit in a cell, in the order of their seats. */
  membersOf(cell: number): Uint32Array {
    return this.#seated.subarray(this.#from(cell), this.#from(cell + 1))
  }

  #from(cell: number): number {
    return Math.floor((cell * this.seats) / this.cells)
  }
}

/**
 * The chance that of `seats` drawn from `members`, of whom `attackers` attack, more than `bound` do: the upper tail of the hypergeometric
 * distribution, by the ratio of neighbouring terms.
 */
export function chanceBeyond(members: number, attackers: number, seats: number, bound: number): number {
  invariant(attackers <= members && seats <= members, 'drawn without replacement')
  const least = Math.max(0, seats - (members - attackers))
  let [term, sum, beyond] = [1, 0, 0]
  for (let k = least; k <= Math.min(attackers, seats); k++) {
    sum += term
    if (k > bound) beyond += term
    term *= ((attackers - k) * (seats - k)) / ((k + 1) * (members - attackers - seats + k + 1))
  }
  return beyond / sum
}
