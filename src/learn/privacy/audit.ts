/** How well somebody who holds a model tells rows that it was trained on from rows that it was not: membership inference, with intervals. */
import { invariant } from '../../core/errors.ts'

/** Scores of an attack: higher means "was trained on". Independent guesses, as many members as others at most of use. */
export interface Scores {
  readonly members: ArrayLike<number>
  readonly others: ArrayLike<number>
}

/** A share of rows with its exact 95 % interval. */
export interface Share {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** What an attack comes to. */
export interface AttackResult {
  /** Chance that a member's score is above another's, ties half; ½ is guessing. 95 % interval of Hanley and McNeil 1982. */
  readonly auc: Share
  /** Share of members found where at most a tenth, and a hundredth, of the others are taken for members. */
  readonly found10: Share
  readonly found1: Share
  /** Training was not more private than this, with 95 % confidence; 0 where the attack shows nothing. */
  readonly epsilonLow: number
}

const CONFIDENCE = 0.95
const GUESSES = [1, 0.5, 0.2] as const // of all rows, the surest: an attack on many rows and one on a few; fixed beforehand

/** Needs at least one of each. `delta` is that of the training that is audited. */
export function judgeAttack(scores: Scores, delta: number): AttackResult {
  const { members, others } = scores
  invariant(members.length > 0 && others.length > 0, 'an attack needs members and others')
  return {
    auc: aucOf(scores),
    found10: foundAt(scores, 0.1),
    found1: foundAt(scores, 0.01),
    epsilonLow: epsilonLow(scores, delta),
  }
}

/** As entries and reports have it: each share as value, low, high. */
export function attackFigures(attack: string, { auc, found10, found1, epsilonLow }: AttackResult) {
  const estimate = ({ value, low, high }: Share): [number, number, number] => [value, low, high]
  return { attack, auc: estimate(auc), found10: estimate(found10), found1: estimate(found1), epsilonLow }
}

function aucOf({ members, others }: Scores): Share {
  const sorted = Float64Array.from(others).sort()
  let wins = 0
  for (let i = 0; i < members.length; i++) {
    const score = members[i] as number
    wins += (countBelow(sorted, score, false) + countBelow(sorted, score, true)) / 2
  }
  const [m, n] = [members.length, others.length]
  const value = wins / (m * n)
  const [q1, q2] = [value / (2 - value), (2 * value * value) / (1 + value)]
  const variance = (value * (1 - value) + (m - 1) * (q1 - value * value) + (n - 1) * (q2 - value * value)) / (m * n)
  const half = 1.959964 * Math.sqrt(Math.max(0, variance))
  return { value, low: Math.max(0, value - half), high: Math.min(1, value + half) }
}

/** How many of `sorted` are below `score`, those equal to it too where `orEqual`. */
function countBelow(sorted: Float64Array, score: number, orEqual: boolean): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const value = sorted[middle] as number
    if (value < score || (orEqual && value === score)) low = middle + 1
    else high = middle
  }
  return low
}

/** The interval is that of the share among members; the threshold is taken as given. */
function foundAt({ members, others }: Scores, falseShare: number): Share {
  const sorted = Float64Array.from(others).sort().reverse()
  const allowed = Math.floor(falseShare * sorted.length)
  const threshold = sorted[allowed] as number
  let found = 0
  for (let i = 0; i < members.length; i++) if ((members[i] as number) > threshold) found++
  return { value: found / members.length, ...clopperPearson(found, members.length, CONFIDENCE) }
}

/**
 * A lower bound of ε from one run: Steinke, Nasr and Jagielski 2023, Theorem 5.2 with δ taken off as in their remark: of r rows, each as
 * likely a member as not, (ε, 0)-private training lets at most a binomial number of guesses be right, each with chance e^ε / (1 + e^ε).
 * The rows that are guessed are the surest of a balanced set; the bound is the best of three such numbers, at a third of the risk each.
 */
function epsilonLow({ members, others }: Scores, delta: number): number {
  const each = Math.min(members.length, others.length)
  const rows = [...evenly(members, each, true), ...evenly(others, each, false)]
  const middle = median(rows.map(({ score }) => score))
  const surest = rows
    .map(({ score, member }) => ({ sure: Math.abs(score - middle), right: score > middle === member }))
    .sort((a, b) => b.sure - a.sure)
  const risk = (1 - CONFIDENCE) / GUESSES.length
  let best = 0
  for (const share of GUESSES) {
    const guesses = Math.max(1, Math.round(share * surest.length))
    const right = surest.slice(0, guesses).filter((one) => one.right).length
    // with chance δ a row is not protected at all: so many guesses may be right for nothing
    const free = Math.ceil(2 * delta * surest.length)
    const { low } = clopperPearson(Math.max(0, right - free), guesses, 1 - 2 * risk)
    if (low > 0.5) best = Math.max(best, Math.log(low / (1 - low)))
  }
  return best
}

/** `count` of `scores`, spread over them as they come: the same ones at every call. */
function evenly(scores: ArrayLike<number>, count: number, member: boolean) {
  return Array.from({ length: count }, (_, i) => {
    return { score: scores[Math.floor((i * scores.length) / count)] as number, member }
  })
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return ((sorted[half - 1] ?? (sorted[half] as number)) + (sorted[half] as number)) / 2
}

/** The exact two-sided interval of a share, `found` of `of`: Clopper and Pearson 1934. */
export function clopperPearson(
  found: number,
  of: number,
  confidence: number,
): { readonly low: number; readonly high: number } {
  const risk = (1 - confidence) / 2
  return {
    low: found === 0 ? 0 : solveShare((share) => 1 - chanceUpTo(found - 1, of, share) < risk),
    high: found === of ? 1 : solveShare((share) => chanceUpTo(found, of, share) > risk),
  }
}

/** The share up to which `holds`. */
function solveShare(holds: (share: number) => boolean): number {
  let [low, high] = [0, 1]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (holds(middle)) low = middle
    else high = middle
  }
  return low
}

/** P(Binomial(n, p) ≤ k), summed from its largest term so that nothing underflows. */
function chanceUpTo(k: number, n: number, p: number): number {
  if (p <= 0) return 1
  if (p >= 1) return k >= n ? 1 : 0
  let [sum, logTerm] = [0, n * Math.log1p(-p)]
  for (let i = 0; i <= k; i++) {
    sum += Math.exp(logTerm)
    logTerm += Math.log(n - i) - Math.log(i + 1) + Math.log(p) - Math.log1p(-p)
  }
  return Math.min(1, sum)
}
