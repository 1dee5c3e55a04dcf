/**
 * What each of several parts is worth to the whole: what is lost without it, or its Shapley value, estimated as in Ghorbani and Zou 2019
 * ("Data Shapley", ICML, Alg. 1): random orders, each part's marginal contribution to those before it, and no more work in an order as soon as
 * what is there is as good as the whole.
 */
import { invariant } from '../core/errors.ts'
import type { Rng } from '../core/rng.ts'

/** Players are numbered from 0. A subset is asked for once; its numbers are ascending. */
export interface Game {
  readonly players: number
  readonly utility: (subset: readonly number[]) => Promise<number>
}

/** How a Shapley value is estimated. */
export interface Estimation {
  readonly permutations: number
  /** An order is cut off where the utility is that near to that of all. */
  readonly tolerance: number
  readonly rng: Rng
}

/** The utility of all less that of all but one, for each. */
export async function leaveOneOut(game: Game): Promise<number[]> {
  const utility = remembering(game)
  const all = numbers(game)
  const whole = await utility(all)
  const values: number[] = []
  for (const player of all) values.push(whole - (await utility(all.filter((one) => one !== player))))
  return values
}

/** Truncated Monte-Carlo Shapley values. The same generator gives the same values. */
export async function truncatedShapley(game: Game, { permutations, tolerance, rng }: Estimation): Promise<number[]> {
  invariant(permutations > 0, 'an order at least')
  const utility = remembering(game)
  const [whole, nothing] = [await utility(numbers(game)), await utility([])]
  const sums = numbers(game).map(() => 0)
  for (let i = 0; i < permutations; i++) {
    let before = nothing
    const there: number[] = []
    for (const player of rng.shuffle(numbers(game))) {
      if (Math.abs(whole - before) <= tolerance) break // all that come now add nothing
      there.push(player)
      const after = await utility([...there].sort((a, b) => a - b))
      sums[player] = (sums[player] as number) + after - before
      before = after
    }
  }
  return sums.map((sum) => sum / permutations)
}

const numbers = ({ players }: Game): number[] => Array.from({ length: players }, (_, player) => player)

const KEPT_MAX = 65_536 // subsets: all of sixteen players

function remembering({ utility }: Game): Game['utility'] {
  const known = new Map<string, number>()
  return async (subset) => {
    const key = subset.join()
    const value = known.get(key) ?? (await utility(subset))
    if (known.size < KEPT_MAX) known.set(key, value)
    return value
  }
}
