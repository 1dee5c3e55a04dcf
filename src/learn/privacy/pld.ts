/**
 * The privacy loss distribution of DP-SGD's steps: the tight accountant. One step's loss is put on a grid so that the result errs upwards
 * only (connect-the-dots: Doroshenko, Ghazi, Kamath, Kumar and Manurangsi 2022), steps are composed by FFT (Koskela, Jälkö and Honkela
 * 2020), and what lies outside the FFT's window is bounded by Chernoff's inequality and counted in full.
 */
import type { PrivacySteps } from '../../core/privacy.ts'
import { transform } from './fft.ts'
import { upperTail } from './normal.ts'

/** Which of the two is told from the other: data with the row from data without it, or the other way round. Both have to be hard. */
type Direction = 'remove' | 'add'

/** One step's loss on the grid: `mass[i]` at (`first` + i) grid steps. */
interface Losses {
  readonly first: number
  readonly mass: Float64Array
}

/** Grid points from `low` on that the total loss lies in. */
interface Window {
  readonly low: number
  readonly size: number
}

const GRID_SHARE = 0.012 // of one step's deviation: splitting masses between neighbours adds 3e-5 to the variance, 1.5e-5 to ε
const GRID_POINTS_MAX = 2 ** 21 // half a second and 64 MB; beyond it the grid is coarser, and ε a little larger
const GRID_PLACES_MIN = 16 // of one step's losses
const CUT_SHARE = 1e-6 // of δ: what may lie beyond the ends of the grid, and as much beyond the window
const ROUNDING_PER_STEP = 1e-15 // phases of the transform have errors of 1e-16, which as many steps multiply; times ten

/**
 * A tight ε for `delta` after all of `spent`, above the true one by less than 1e-4 of it; 0 where nothing was spent. Infinity where the steps
 * are too many, or too unlike each other, for one grid.
 */
export function epsilonByPld(spent: readonly PrivacySteps[], delta: number): number {
  const used = spent.filter(({ steps }) => steps > 0)
  if (used.length === 0) return 0
  const remove = epsilonOf('remove', used, delta)
  const symmetric = used.every(({ sampleRate }) => sampleRate === 1)
  return symmetric ? remove : Math.max(remove, epsilonOf('add', used, delta))
}

function epsilonOf(direction: Direction, spent: readonly PrivacySteps[], delta: number): number {
  const steps = spent.reduce((sum, one) => sum + one.steps, 0)
  const cut = CUT_SHARE * delta
  const deviations = spent.map((one) => deviationOf(direction, one))
  const spread = Math.sqrt(spent.reduce((sum, one, i) => sum + one.steps * (deviations[i] as number) ** 2, 0))
  const ranges = spent.map((one) => {
    const [low, high] = lossesOf(direction, one, cut / steps)
    return high - low
  })
  let grid = Math.max(GRID_SHARE * Math.min(...deviations), Math.max(...ranges) / GRID_POINTS_MAX)
  // beyond that a step's losses fall on few places, and what is counted upwards is more than what is lost
  while (grid <= Math.min(...ranges) / GRID_PLACES_MIN) {
    const parts = spent.map((one) => discretised(direction, one, grid, cut / steps))
    const window = windowOf(parts, spent, { grid, spread, cut })
    if (window.size <= GRID_POINTS_MAX) {
      const lost = 2 * cut + ROUNDING_PER_STEP * (steps + 100)
      return solve(composed(parts, spent, window.size), window, grid, delta - lost)
    }
    grid *= (1.01 * window.size) / GRID_POINTS_MAX
  }
  return Number.POSITIVE_INFINITY
}

/** log(1 − q + q·exp((2x − 1) / 2σ²)): the loss where x comes out, noise included; the row adds 1 if it is drawn. */
function lossAt({ sampleRate: q, noiseMultiplier: sigma }: PrivacySteps, x: number): number {
  const drawn = (2 * x - 1) / (2 * sigma * sigma)
  return drawn > 0 ? drawn + Math.log(q + (1 - q) * Math.exp(-drawn)) : Math.log1p(q * Math.expm1(drawn))
}

/** The x at which the loss is `loss`; −∞ where it is more everywhere. */
function outcomeAt({ sampleRate: q, noiseMultiplier: sigma }: PrivacySteps, loss: number): number {
  const excess = q === 1 ? Math.exp(loss) : Math.expm1(loss) + q
  return excess <= 0 ? Number.NEGATIVE_INFINITY : sigma * sigma * (q === 1 ? loss : Math.log(excess / q)) + 0.5
}

/** The least and the greatest loss of one step, but for what has less than `cut` of a chance. */
function lossesOf(direction: Direction, one: PrivacySteps, cut: number): readonly [low: number, high: number] {
  const sign = direction === 'remove' ? 1 : -1
  const reach = quantileAbove(cut / 2) * one.noiseMultiplier
  const ends = [-reach, reach + (direction === 'remove' ? 1 : 0)].map((x) => sign * lossAt(one, x))
  return [Math.min(...ends), Math.max(...ends)]
}

/**
 * One step. What both distributions give to an interval of losses goes to its two ends so that both are kept: the privacy profile δ(ε) is
 * then the line in e^ε through points of the true one, which is below it. Masses of intervals are computed as such, where differences of
 * profiles would lose their digits. Less than `cut` is beyond the ends.
 */
function discretised(direction: Direction, one: PrivacySteps, grid: number, cut: number): Losses {
  const { sampleRate: q, noiseMultiplier: sigma } = one
  const sign = direction === 'remove' ? 1 : -1
  const [low, high] = lossesOf(direction, one, cut)
  const first = Math.floor(low / grid)
  const intervals = Math.ceil(high / grid) - first
  const mass = new Float64Array(intervals + 1)
  const gap = -Math.expm1(-grid)
  const start = outcomeAt(one, sign * first * grid)
  let [fromAbsent, fromDrawn] = [nearTail(start / sigma), nearTail((start - 1) / sigma)]
  for (let i = 0; i < intervals; i++) {
    const to = outcomeAt(one, sign * (first + i + 1) * grid)
    const [toAbsent, toDrawn] = [nearTail(to / sigma), nearTail((to - 1) / sigma)]
    const absent = massBetween(fromAbsent, toAbsent)
    const mixture = q * massBetween(fromDrawn, toDrawn) + (1 - q) * absent
    ;[fromAbsent, fromDrawn] = [toAbsent, toDrawn]
    const [own, other] = sign > 0 ? [mixture, absent] : [absent, mixture]
    const upper = Math.min(own, Math.max(0, (own - Math.exp((first + i) * grid) * other) / gap))
    mass[i] = (mass[i] as number) + own - upper
    mass[i + 1] = upper
  }
  return { first, mass }
}

/** The chance of a standard normal value beyond z, on z's own side, negative (not −0) for a negative z: neither tail loses digits. */
function nearTail(z: number): number {
  return z < 0 ? -Math.max(upperTail(-z), Number.MIN_VALUE) : upperTail(z)
}

/** What lies between two such places. */
function massBetween(a: number, b: number): number {
  return a < 0 === b < 0 ? Math.abs(a - b) : 1 - Math.abs(a) - Math.abs(b)
}

/** The smallest z, to 1e-9, above which a normal value lies with no more than `chance`. */
function quantileAbove(chance: number): number {
  let [low, high] = [0, 40]
  while (high - low > 1e-9) {
    const middle = (low + high) / 2
    if (upperTail(middle) > chance) low = middle
    else high = middle
  }
  return high
}

const QUADRATURE_POINTS = 400

/** Of one step's loss, about: only how fine the grid is hangs on it. */
function deviationOf(direction: Direction, one: PrivacySteps): number {
  const { sampleRate: q, noiseMultiplier: sigma } = one
  const sums = [0, 0, 0]
  for (let i = 0; i <= QUADRATURE_POINTS; i++) {
    const x = -8 * sigma + (i * (16 * sigma + 1)) / QUADRATURE_POINTS
    const bell = (at: number): number => Math.exp((-at * at) / (2 * sigma * sigma))
    const weight = direction === 'add' ? bell(x) : (1 - q) * bell(x) + q * bell(x - 1)
    const loss = lossAt(one, x)
    for (const power of [0, 1, 2]) sums[power] = (sums[power] as number) + weight * loss ** power
  }
  const [all, mean, square] = sums as [number, number, number]
  return Math.sqrt(square / all - (mean / all) ** 2)
}

const TILTS = [0.25, 0.5, 1, 2, 4] // around what would be best for a normal total

/** Where the total loss lies but for `cut` at either end: by Chernoff's inequality, with the exact moments of what is on the grid. */
function windowOf(
  parts: readonly Losses[],
  spent: readonly PrivacySteps[],
  { grid, spread, cut }: { readonly grid: number; readonly spread: number; readonly cut: number },
): Window {
  const surprise = -Math.log(cut)
  const of = (end: (part: Losses) => number): number =>
    parts.reduce((sum, part, i) => sum + (spent[i] as PrivacySteps).steps * end(part), 0)
  let [low, high] = [of(({ first }) => first), of(({ first, mass }) => first + mass.length - 1)]
  for (const tilt of TILTS) {
    const t = (tilt * Math.sqrt(2 * surprise)) / spread
    const logMoment = (sign: number): number =>
      parts.reduce((sum, part, i) => sum + (spent[i] as PrivacySteps).steps * logMomentOf(part, sign * t * grid), 0)
    high = Math.min(high, Math.ceil((logMoment(1) + surprise) / (t * grid)))
    low = Math.max(low, Math.floor(-(logMoment(-1) + surprise) / (t * grid)))
  }
  return { low, size: 2 ** Math.ceil(Math.log2(high - low + 1)) }
}

/** log Σ mass·e^(t·place), t by grid step; Infinity where that is no number. */
function logMomentOf({ first, mass }: Losses, t: number): number {
  const growing = t > 0
  const factor = Math.exp(-Math.abs(t))
  let [sum, weight] = [0, 1]
  for (let i = 0; i < mass.length; i++) {
    sum += weight * (mass[growing ? mass.length - 1 - i : i] as number)
    weight *= factor
  }
  return Math.log(sum) + t * (growing ? first + mass.length - 1 : first)
}

/** Masses of the total loss, those of grid point k at k modulo `size`. */
function composed(parts: readonly Losses[], spent: readonly PrivacySteps[], size: number): Float64Array {
  const [logSize, phase] = [new Float64Array(size), new Float64Array(size)]
  parts.forEach(({ first, mass }, part) => {
    const { steps } = spent[part] as PrivacySteps
    const [re, im] = [new Float64Array(size), new Float64Array(size)]
    for (let i = 0; i < mass.length; i++) {
      const at = modulo(first + i, size)
      re[at] = (re[at] as number) + (mass[i] as number)
    }
    transform(re, im)
    for (let i = 0; i < size; i++) {
      const [x, y] = [re[i] as number, im[i] as number]
      logSize[i] = (logSize[i] as number) + (steps / 2) * Math.log(x * x + y * y)
      phase[i] = (phase[i] as number) + steps * Math.atan2(y, x)
    }
  })
  const [re, im] = [new Float64Array(size), new Float64Array(size)]
  for (let i = 0; i < size; i++) {
    const length = Math.exp(logSize[i] as number) / size
    if (length === 0) continue
    re[i] = length * Math.cos(phase[i] as number)
    im[i] = length * Math.sin(phase[i] as number)
  }
  transform(im, re) // the inverse
  return re
}

/** The ε at which the profile of these masses comes down to `delta`; Infinity where the grid's losses are more than that. */
function solve(masses: Float64Array, { low, size }: Window, grid: number, delta: number): number {
  if (delta <= 0) return Number.POSITIVE_INFINITY
  const decay = Math.exp(-grid)
  let [above, weighed] = [0, 0] // Σ mass, and Σ mass·e^(place − its loss), of all places above
  for (let place = low + size - 1; place >= 0; place--) {
    // the profile at this place, with the masses above it
    if (above - weighed * decay >= delta) return (place + 1) * grid + Math.log((above - delta) / weighed)
    const mass = Math.max(0, masses[modulo(place, size)] as number)
    above += mass
    weighed = weighed * decay + mass
    if (place < low) break
  }
  return 0
}

const modulo = (a: number, n: number): number => ((a % n) + n) % n
