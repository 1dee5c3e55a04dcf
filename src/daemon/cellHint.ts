/** What a person who proposes a study should know of its cells: how often attackers would be too many of one. */
import type { Study } from '../config/study.ts'
import { chanceBeyond, meetInCells } from '../gossip/cells.ts'

const ATTACKERS = 0.2 // of all members: what robust rules are measured against (DECISIONS)
const BORNE = 3 / 8 // of a cell: 12 of 32, what nearest-neighbour mixing and a trimmed mean bear (DECISIONS)
const CHANCE_MAX = 0.01 // of one cell; more is a cell every few hours
const SIZE = 32 // recommended where attackers are assumed

/** One line, or null where all members meet in one topic or their cells are large enough. `members` of the consortium. */
export function cellHint({ cells }: Pick<Study, 'cells'>, members: number): string | null {
  if (!meetInCells(members, cells) || cells.size >= SIZE) return null
  const { seats, borne, chance } = risk(members, cells.size)
  if (chance <= CHANCE_MAX) return null
  const larger = risk(members, Math.min(SIZE, members)).chance
  return `cells of ${cells.size}: if a fifth of the ${members} members attacked, more than ${borne} of ${seats} in a cell would be theirs in ${percent(chance)} of cells; with cells.size ${SIZE} in ${percent(larger)}`
}

function risk(members: number, size: number): { seats: number; borne: number; chance: number } {
  const seats = Math.ceil(members / Math.ceil(members / size))
  const borne = Math.floor(seats * BORNE)
  return { seats, borne, chance: chanceBeyond(members, Math.round(members * ATTACKERS), seats, borne) }
}

const percent = (chance: number): string => `${(100 * chance).toPrecision(2)} %`
