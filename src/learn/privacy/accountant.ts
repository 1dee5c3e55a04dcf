/** How much privacy training has cost a hospital, and how many rounds its budget still allows. */
import { type PrivacySteps, withSteps } from '../../core/privacy.ts'
import { epsilonByPld } from './pld.ts'
import { epsilonByRdp } from './rdp.ts'

const KEPT_MAX = 1_024 // of hospitals of one size in a simulation, each round comes again at each of them
const kept = new Map<string, number>()

/** The ε for `delta` after all of `spent`: two accountants' valid bounds, the smaller one. Tens of milliseconds when it is new. */
export function epsilonOf(spent: readonly PrivacySteps[], delta: number): number {
  const key = [delta, ...spent.flatMap((one) => [one.sampleRate, one.noiseMultiplier, one.steps])].join(' ')
  const found = kept.get(key)
  if (found !== undefined) return found
  const epsilon = Math.min(epsilonByRdp(spent, delta), epsilonByPld(spent, delta))
  if (kept.size >= KEPT_MAX) kept.clear()
  kept.set(key, epsilon)
  return epsilon
}

/** What `roundsWithin` goes by. */
export interface Budget {
  readonly epsilonMax: number
  readonly delta: number
  readonly spent: readonly PrivacySteps[]
  /** Each further round. */
  readonly round: PrivacySteps
  readonly roundsMax: number
}

/** How many more rounds stay within the budget, at most `roundsMax`: what RDP allows is found quickly, and what PLD allows beyond it, by halves. */
export function roundsWithin({ epsilonMax, delta, spent, round, roundsMax }: Budget): number {
  const after = (rounds: number): readonly PrivacySteps[] => withSteps(spent, { ...round, steps: rounds * round.steps })
  const least = most(0, roundsMax, (rounds) => epsilonByRdp(after(rounds), delta) <= epsilonMax)
  if (least === roundsMax || epsilonOf(after(roundsMax), delta) <= epsilonMax) return roundsMax
  // doubling keeps the transforms short: their length grows with the rounds that are tried
  let high = Math.max(1, 2 * least)
  while (high < roundsMax && epsilonOf(after(high), delta) <= epsilonMax) high *= 2
  return most(least, Math.min(high, roundsMax) - 1, (rounds) => epsilonOf(after(rounds), delta) <= epsilonMax)
}

/** The largest number from `low` to `high` that fits, where all smaller ones do; `low` where none is known to. */
function most(low: number, high: number, fits: (rounds: number) => boolean): number {
  let [least, limit] = [low, high]
  while (least < limit) {
    const middle = Math.ceil((least + limit) / 2)
    if (fits(middle)) least = middle
    else limit = middle - 1
  }
  return least
}
