/** What a study says of its cells: how long a deal of them lasts, and which numbers do not go together. */
import type { Complaint } from './yaml.ts'

/** Past `above` members they meet in cells of at most `size`, dealt anew every period. */
export interface StudyCells {
  readonly above: number
  readonly size: number
  /** Null: `CELL_ROUNDS` of the study's shortest rounds. */
  readonly periodSeconds: number | null
}

/** Rounds between two deals where the study does not say: as often as every second round gains no AUC, and each deal costs subscriptions and meshes. */
export const CELL_ROUNDS = 8
const PERIOD_MS_MIN = 1_000 // STUDY_BOUNDS.cellPeriodSecondsMin

/** How long a deal lasts, whole milliseconds; clocks of members may differ by as much. */
export function cellPeriodMs(cells: StudyCells, rounds: { readonly periodSeconds: number }): number {
  return Math.max(PERIOD_MS_MIN, Math.round(1_000 * (cells.periodSeconds ?? CELL_ROUNDS * rounds.periodSeconds)))
}

/** A cell has half the size at least only where there are more members than one takes. */
export function cellsComplaint({ cells }: { readonly cells: StudyCells | null }): Complaint | null {
  if (cells === null || cells.above >= cells.size) return null
  const message = `${cells.above} was given, at least cells.size (${cells.size}) is allowed: with fewer members one cell would take them all`
  return { path: ['cells', 'above'], message }
}
