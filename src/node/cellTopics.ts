/**
 * Where one node meets the others of a study: in the cell that it is dealt to now, on the topic of the next one, joined a period ahead so
 * that its mesh stands, and on that of the last one, which is left a period later. So clocks may differ by a period.
 * What a member says in its next cell counts when that begins here, and what it still says in its last one grows old with all else that was
 * heard there: else those who speak in all three would count three times as much as those who keep to the deal.
 */
import { cellPeriodMs } from '../config/cells.ts'
import { compareIds, type Digest, type MemberId, type StudyId } from '../core/ids.ts'
import {
  type CellName,
  countsInCell,
  Deal,
  dealSeed,
  meetInCells,
  SEATS_BESIDE,
  type UpdateTopic,
} from '../gossip/cells.ts'
import { Exchange, type Expectation, type Judgement, type MergeInput } from '../gossip/exchange.ts'
import type { Rounds } from '../gossip/rounds.ts'
import type { UpdateFacts, UpdateHeader } from '../gossip/update.ts'
import type { Permit } from '../governance/permit.ts'
import type { StudyState } from '../governance/studies.ts'
import type { Context } from './context.ts'
import { expectationOf } from './expectation.ts'

/** A cell, or the whole study, where both are null. */
interface Place {
  readonly name: CellName | null
  readonly deal: Deal | null
  /** Of the epoch, sorted. */
  readonly members: readonly MemberId[]
}

/** What the places follow from; bindings are only ever added. */
interface Basis {
  readonly epoch: Digest
  readonly scaling: Digest
  readonly bound: number
  readonly period: number
}

const WHOLE: Place = { name: null, deal: null, members: [] }
const LEFT = { verdict: 'ignore', reason: 'cell-left' } as const
const ELSEWHERE = { verdict: 'ignore', reason: 'author-in-another-cell' } as const

/** One per study run. */
export class CellTopics {
  readonly #study: StudyId
  #basis: Basis | null = null
  #now: Place | null = null
  #ahead: Place | null = null
  #behind: Place | null = null
  /** The own round in which `#behind` was left. */
  #leftRound = 0
  /** Of members of the next cell, whose clocks are ahead: the newest of each. */
  #early = new Early()
  #endMs = 0
  /** What the shell was told last. */
  #told = ''

  constructor(study: StudyId) {
    this.#study = study
  }

  /** Moves on to where the node belongs now. Called after every event while the study runs here. */
  follow(context: Context, state: StudyState, permit: Permit, rounds: Rounds): void {
    const periodMs = state.study.cells === null ? null : cellPeriodMs(state.study.cells, state.study.rounds)
    const period = periodMs === null ? 0 : Math.floor(context.now / periodMs)
    const basis = { epoch: context.epochDigest, scaling: permit.scaling, bound: state.bound.size, period }
    if (isSame(basis, this.#basis)) return
    const now = placeIn(context, state, basis, period)
    this.#leave(now, basis, () => placeIn(context, state, basis, period - 1), rounds)
    const early = isAt(this.#ahead, now) ? this.#early : null
    const ahead = now.name === null ? null : placeIn(context, state, basis, period + 1)
    if (early !== null || !isAt(this.#ahead, ahead)) this.#early = new Early()
    this.#basis = basis
    this.#now = now
    this.#ahead = ahead
    this.#endMs = (period + 1) * (periodMs ?? 0)
    this.#tell(context)
    for (const { header, facts } of early?.all() ?? [])
      rounds.judge(header, facts, expectationOf(state, permit, context))
  }

  /** The study has ended here: cells are left with their period, for until then others still hear each other through this node. */
  end(context: Context): void {
    if (this.wakeAtMs() === null || context.now < this.#endMs) return
    this.#now = null
    this.#ahead = null
    this.#behind = null
    this.#early = new Early()
    this.#tell(context)
  }

  /** When the next cell begins; null where there are none. */
  wakeAtMs(): number | null {
    return this.#now === null || (this.#now.name === null && this.#behind === null) ? null : this.#endMs
  }

  /** Judges an update by the topic that it came on: its author must be dealt there, and holds it where it counts. */
  judge(header: UpdateHeader, facts: UpdateFacts, name: UpdateTopic, expected: Expectation, rounds: Rounds): Judgement {
    const place = this.#placeOf(header.author, name)
    if (place === LEFT || place === ELSEWHERE) return place
    if (place === this.#ahead) return this.#early.judge(header, facts, expected)
    return rounds.judge(header, facts, expected, place === this.#behind ? this.#leftRound : undefined)
  }

  /** Which of the updates held count in a merge now; null: all that are not too old. `besides`: what else decides. */
  mayMerge(besides: ((input: MergeInput) => boolean) | null): ((input: MergeInput) => boolean) | null {
    const now = this.#now
    if (now === null || now.deal === null) return besides
    return (input) => countsInCell(isMateIn(now, input.author), input.ageRounds) && besides?.(input) !== false
  }

  /** Why what `author` announces is not fetched; null where it may be. */
  refuses(author: MemberId, name: UpdateTopic): Judgement | null {
    const place = this.#placeOf(author, name)
    return place === LEFT || place === ELSEWHERE ? place : null
  }

  /** Whether what `author` says counts now, wherever it came. */
  isMate(author: MemberId): boolean {
    return this.#now !== null && this.#placeOf(author, 'fetched') === this.#now
  }

  /** Where an update that came on this topic counts, or the first place that its author is dealt to. */
  #placeOf(author: MemberId, name: UpdateTopic): Place | typeof LEFT | typeof ELSEWHERE {
    const [now, behind, ahead] = [this.#now, this.#behind, this.#ahead]
    if (name === 'fetched')
      return [now, behind, ahead].find((one) => one !== null && isMateIn(one, author)) ?? ELSEWHERE
    const place = [now, ahead, behind].find((one) => one !== null && keyOf(one.name) === keyOf(name))
    if (place === undefined || place === null) return LEFT
    return isMateIn(place, author) ? place : ELSEWHERE
  }

  /** Own rounds were renumbered: ages stay what they were. */
  shift(by: number): void {
    this.#leftRound += by
  }

  /** Weights of updates that do not count yet. */
  get held(): Digest[] {
    return this.#early.all().map(({ header }) => header.digest)
  }

  /** The own cell, from 0, of so many, and how many members meet in it; null where all meet. */
  view(): { cell: number; of: number; members: number } | null {
    const { name, deal } = this.#now ?? WHOLE
    return name === null || deal === null
      ? null
      : { cell: name.cell, of: deal.cells, members: deal.membersOf(name.cell).length }
  }

  /** What was the present place is behind: for as long as the new one's period lasts. After a start that is where slow clocks still are. */
  #leave(now: Place, { period }: Basis, last: () => Place, rounds: Rounds): void {
    if (isAt(this.#now, now)) {
      if (this.#basis?.period !== period) this.#behind = null
      return
    }
    const before = this.#now
    const isRecent = before !== null && (before.name === null || before.name.period >= period - 1)
    const behind = isRecent ? before : last()
    this.#behind = isAt(behind, now) ? null : behind
    this.#leftRound = rounds.hearingRound
  }

  #tell(context: Context): void {
    const places = [this.#behind, this.#now, this.#ahead].filter((place) => place !== null)
    const names = new Map(places.map(({ name }) => [keyOf(name), name]))
    const publish = this.#now?.name ?? null
    const told = [keyOf(publish), ...names.keys()].join()
    if (told === this.#told) return
    this.#told = told
    context.out.push({ type: 'topics', study: this.#study, publish, listen: [...names.values()] })
  }
}

/** Updates that count later, at most one of each member of a cell and of the seats beside it. */
class Early {
  readonly #exchange = new Exchange('' as MemberId) // for its checks; own updates come on no topic but the present one
  readonly #updates = new Map<MemberId, { readonly header: UpdateHeader; readonly facts: UpdateFacts }>()

  judge(header: UpdateHeader, facts: UpdateFacts, expected: Expectation): Judgement {
    const judgement = this.#exchange.judge(header, facts, expected, 0)
    if (judgement.verdict === 'accept') this.#updates.set(header.author, { header, facts })
    return judgement
  }

  all(): { readonly header: UpdateHeader; readonly facts: UpdateFacts }[] {
    return [...this.#updates.values()]
  }
}

/** Where a node is dealt to in a period. It takes part itself, whether or not its own binding is recorded yet. */
function placeIn({ self, roll }: Context, { id, study, bound }: StudyState, basis: Basis, period: number): Place {
  const { members, number } = roll
  const takesPart = (member: MemberId): boolean => bound.has(member) || member === self
  const count = members.reduce((sum, member) => sum + (takesPart(member) ? 1 : 0), 0)
  const rules = study.cells
  if (!meetInCells(count, rules)) return WHOLE
  const seed = dealSeed(id, basis.epoch, basis.scaling, period)
  const deal = new Deal(seed, members.length, (place) => takesPart(members[place] as MemberId), rules.size)
  return { name: { epoch: number, period, cell: deal.cellOf(placeOf(members, self)) }, deal, members }
}

const keyOf = (name: CellName | null): string => (name === null ? 'all' : `${name.epoch}/${name.period}/${name.cell}`)
const isAt = (one: Place | null, other: Place | null): boolean =>
  one === null || other === null ? one === other : keyOf(one.name) === keyOf(other.name)

function isSame(one: Basis, other: Basis | null): boolean {
  return (
    other !== null &&
    one.period === other.period &&
    one.bound === other.bound &&
    one.epoch === other.epoch &&
    one.scaling === other.scaling
  )
}

/** Whether a member is dealt to a place, or to the seats beside it. */
function isMateIn({ name, deal, members }: Place, member: MemberId): boolean {
  return name === null || deal?.isIn(placeOf(members, member), name.cell, SEATS_BESIDE) === true
}

/** Where a member stands in the sorted list; past its end where it does not. */
function placeOf(members: readonly MemberId[], member: MemberId): number {
  let [low, high] = [0, members.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareIds(members[middle] as MemberId, member) < 0) low = middle + 1
    else high = middle
  }
  return members[low] === member ? low : members.length
}
