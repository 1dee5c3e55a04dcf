/** The cells of a crowd: the product's own deal, with one clock for all. Of what comes after its cell was left a crowd takes no age off. */
import { cellPeriodMs } from '../../src/config/cells.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import { studyId } from '../../src/core/ids.ts'
import { countsInCell, Deal, dealSeed, meetInCells } from '../../src/gossip/cells.ts'
import type { MergeInput } from '../../src/gossip/exchange.ts'
import type { Clock } from '../clock.ts'
import type { World } from '../world/make.ts'
import type { Topology } from '../world/world.ts'

const KEPT = 4 // deals: the present one, one either side, and the one that is being left

/** Everybody takes part, and all know it: at one time a node is in one cell, whoever asks. */
export class CrowdCells {
  readonly #clock: Clock
  readonly #nodes: number
  readonly #size: number
  readonly #seed: World['seed']
  readonly #periodMs: number
  readonly #deals = new Map<number, Deal>()

  private constructor(clock: Clock, nodes: number, size: number, periodMs: number, seed: World['seed']) {
    this.#clock = clock
    this.#nodes = nodes
    this.#size = size
    this.#periodMs = periodMs
    this.#seed = seed
  }

  /** Null where there is one topic for all. */
  static of({ scenario, nodes, seed }: World, clock: Clock): CrowdCells | null {
    const { cells, rounds } = scenario.study
    return meetInCells(nodes, cells)
      ? new CrowdCells(clock, nodes, cells.size, cellPeriodMs(cells, rounds), seed)
      : null
  }

  /** Those whom a node is linked to in its cell of now, itself perhaps among them. */
  linkedTo(node: number, topology: Topology): ArrayLike<number> {
    const deal = this.#deal(this.#period)
    const cell = deal.cellOf(node)
    if (topology.full) return deal.membersOf(cell)
    return topology.neighbours(node).filter((other) => deal.isIn(other, cell, 0))
  }

  /** Which updates count in a merge of `node` now. */
  mayMergeAt(node: number): (input: Pick<MergeInput<number>, 'author' | 'ageRounds'>) => boolean {
    const deal = this.#deal(this.#period)
    const cell = deal.cellOf(node)
    return ({ author, ageRounds }) => countsInCell(deal.cellOf(author) === cell, ageRounds)
  }

  /** Where a node publishes: a number from 1 that no other cell of any period has. */
  topicOf(node: number, period: number = this.#period): number {
    const deal = this.#deal(period)
    return 1 + period * deal.cells + deal.cellOf(node)
  }

  /** The cells of now, of the next period and of the last one. */
  topicsOf(node: number): number[] {
    const now = this.#period
    return [now - 1, now, now + 1].filter((period) => period >= 0).map((period) => this.topicOf(node, period))
  }

  /** The cell that a node leaves as this period begins; null where there was none. */
  leftBy(node: number): number | null {
    return this.#period < 2 ? null : this.topicOf(node, this.#period - 2)
  }

  /** Calls at the beginning of each further period. */
  onPeriod(call: () => void): void {
    this.#clock.after((this.#period + 1) * this.#periodMs - this.#clock.elapsedMs, () => {
      call()
      this.onPeriod(call)
    })
  }

  get #period(): number {
    return Math.floor(this.#clock.elapsedMs / this.#periodMs)
  }

  #deal(period: number): Deal {
    const known = this.#deals.get(period)
    if (known !== undefined) return known
    const made = taggedDigest('seed', utf8(`netsim cells ${this.#seed}`))
    const deal = new Deal(dealSeed(studyId(made), made, made, period), this.#nodes, () => true, this.#size)
    this.#deals.set(period, deal)
    for (const old of this.#deals.keys()) if (old <= period - KEPT) this.#deals.delete(old)
    return deal
  }
}
