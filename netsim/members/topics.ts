/** The gossip topics of a simulation, as in the daemon: two for everybody, and for the study one, or one for each cell. */
import type { CellName } from '../../src/gossip/cells.ts'

export const TOPICS = { heads: 'heads', cosigned: 'cosigned', updates: 'updates' } as const

/** The topic of a cell; of the whole study where null. */
export function updatesTopic(cell: CellName | null): string {
  return cell === null ? TOPICS.updates : `${CELLS}${cell.epoch}/${cell.period}/${cell.cell}`
}

/** Whether it is the topic of a cell: of these only who is subscribed hears. */
export function isCell(topic: string): boolean {
  return topic.startsWith(CELLS)
}

const CELLS = `${TOPICS.updates}/`
