/** How finely a hospital tells what an update was worth on its own patients. */
import { SETTLEMENT_BOUNDS } from '../kinds/settlement.ts'

const MICRO = 1_000_000
const FINEST = 100 // millionths: the choice of ten thousand patients moves a log-loss by more

/**
 * Millionths of a nat, of a mean over `patients`, in whole steps of 1/patients of a nat (0.0001 where that is finer): one nat of one patient. Of the two steps
 * beside it the upper with the odds of how near it is, by `chance` in [0, 1): what one patient has part in it, mostly hundredths of a step, moves
 * those odds by as much and no more, and sums over rounds stay true.
 */
export function microTold(nats: number, patients: number, chance: number): number {
  const { microMax } = SETTLEMENT_BOUNDS
  const step = Math.max(FINEST, Math.ceil(MICRO / patients))
  const micro = Math.floor((nats * MICRO) / step + chance) * step
  return Math.max(-microMax, Math.min(microMax, micro === 0 ? 0 : micro)) // no −0
}
