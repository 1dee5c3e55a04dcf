/** What a person who proposes a study should know of its cells: how often attackers would be too many of one for the study's own rule. */
import type { Study } from '../config/study.ts'
import { chanceBeyond, meetInCells } from '../gossip/cells.ts'
import { resolve } from '../learn/merge/rule.ts'

type Merge = Study['merge']

const ATTACKERS = 0.2 // of all members: what robust rules are measured against (DECISIONS)
const CHANCE_MAX = 0.01 // of one cell; more is a cell every few minutes where rounds are a second apart
const ADVICE = { size: 32, faulty: 3 / 8 } as const // 12 of 32 (DECISIONS): of 118 and of a thousand members under 1 % of cells have more
/** The mean bears nobody, in cells or out of them; medians and clipping any minority. */
const COUNTING: ReadonlySet<Merge['rule']> = new Set(['auto', 'trimmed-mean', 'krum', 'multi-krum'])

/** How many of a cell's members its rule bears, and how often a cell has more. */
interface Risk {
  readonly seats: number
  readonly borne: number
  readonly chance: number
}

/**
 * One line, or null where all members meet in one topic, the rule does not count how many it bears, or a cell with too many is rare. Of cells
 * that all hear each other and of `members` that all take part: where honest ones are away, fewer attackers are too many.
 */
export function cellHint({ cells, merge }: Pick<Study, 'cells' | 'merge'>, members: number): string | null {
  if (!meetInCells(members, cells) || !(merge.nearest || COUNTING.has(merge.rule))) return null
  const own = riskOf(members, cells.size, merge)
  if (own.chance <= CHANCE_MAX) return null
  const size = Math.min(Math.max(cells.size, ADVICE.size), members)
  const better = riskOf(members, size, { ...merge, faulty: ADVICE.faulty })
  if (better.chance >= own.chance) return null
  const { seats, borne, chance } = own
  return `cells of ${cells.size}: if a fifth of the ${members} members attacked, more than the ${borne} of ${seats} that merge.faulty ${rounded(merge.faulty)} bears in a cell would be theirs in ${percent(chance)} of cells; with cells.size ${size} and merge.faulty ${ADVICE.faulty}, which bears ${better.borne} of ${better.seats}, in ${percent(better.chance)}`
}

/** Of cells whose sizes differ by one, those in which attackers are too many more often. */
function riskOf(members: number, size: number, merge: Merge): Risk {
  const cells = Math.ceil(members / size)
  const [smaller, larger] = [Math.floor(members / cells), Math.ceil(members / cells)].map((seats): Risk => {
    const borne = resolve(merge, seats).faulty
    return { seats, borne, chance: chanceBeyond(members, Math.round(members * ATTACKERS), seats, borne) }
  }) as [Risk, Risk]
  return smaller.chance > larger.chance ? smaller : larger
}

const rounded = (faulty: number): string => String(Number(faulty.toFixed(3)))
const percent = (chance: number): string => `${(100 * chance).toPrecision(2)} %`
