/**
 * A pool of whole units shared out by weights, by largest remainders (Hamilton 1792; Balinski and Young 2001, "Fair Representation", ch. 3):
 * each gets its share rounded down, and the units that are left go one each to the largest remainders. Exact, so the same on every machine.
 */
import { invariant } from '../../core/errors.ts'
import { compareIds } from '../../core/ids.ts'

/** Who takes part, and with what weight. */
export interface Claim {
  readonly key: string
  readonly weight: bigint
}

/** Of `units` what each claim gets, in the order given. The sum is `units`, or 0 where no weight is above 0. Of equal remainders the lower key comes first. */
export function apportion(units: number, claims: readonly Claim[]): number[] {
  invariant(Number.isSafeInteger(units) && units >= 0, `${units} units to share out`)
  const total = claims.reduce((sum, { weight }) => sum + weight, 0n)
  if (total === 0n) return claims.map(() => 0)
  const pool = BigInt(units)
  const parts = claims.map(({ weight }) => Number((pool * weight) / total))
  const left = units - parts.reduce((sum, part) => sum + part, 0)
  const byRemainder = claims
    .map(({ key, weight }, at) => ({ key, at, remainder: (pool * weight) % total }))
    .sort((a, b) => (a.remainder === b.remainder ? compareIds(a.key, b.key) : a.remainder > b.remainder ? -1 : 1))
  for (const { at } of byRemainder.slice(0, left)) parts[at] = (parts[at] as number) + 1
  return parts
}

/**
 * The same where who would get less than `least` has no part in it: those of the smallest weight go first, all of that weight together. Where
 * that would leave nobody, they share it after all.
 */
export function apportionAbove(units: number, claims: readonly Claim[], least: number): number[] {
  let taking = claims.filter(({ weight }) => weight > 0n)
  for (;;) {
    const parts = apportion(units, taking)
    const short = taking.filter((_, i) => (parts[i] as number) < least)
    const lowest = short.reduce<bigint | null>((low, { weight }) => (low === null || weight < low ? weight : low), null)
    const others = taking.filter(({ weight }) => lowest !== null && weight > lowest)
    if (others.length === 0) {
      const byKey = new Map(taking.map(({ key }, i) => [key, parts[i] as number]))
      return claims.map(({ key }) => byKey.get(key) ?? 0)
    }
    taking = others
  }
}
