/** compare: differences between sweeps or runs, paired by seed. */
import { type Command, InvalidArgumentError } from 'commander'
import { table } from '../../src/cli/output.ts'
import { didYouMean } from '../../src/config/closest.ts'
import { bytes, figure } from '../../src/report/numbers.ts'
import { MEASURES, type MeasureKey } from '../report/measures.ts'
import { estimate, holm, pairedT, wilcoxonLeast, wilcoxonSignedRank } from '../statistics.ts'
import { type Pair, pairsOf, readSources } from './arms.ts'
import { command, refusal } from './command.ts'

const USUAL: readonly MeasureKey[] = ['auc', 'accuracy', 'logLoss', 'consensusDistance', 'bytesPerNode']
const LEVEL = 0.05
const FEW_SEEDS = 6 // with fewer, Wilcoxon's test cannot reach 0.05

/** One pair in one measure; null where a test has too few pairs. */
export interface Comparison {
  readonly pair: Pair
  readonly key: MeasureKey
  readonly differences: readonly number[]
  readonly t: number | null
  readonly wilcoxon: number | null
}

/** Errors: `sweep-…`, `run-…`, `nothing-to-compare`, `no-common-seed`. */
export function compareCommand(): Command {
  return command(
    'compare',
    'differences between sweeps (or runs), paired by seed, with intervals and tests',
    'consilium-netsim compare netsim-results/mean-sweep netsim-results/median-sweep',
    'consilium-netsim compare netsim-results/fanout-sweep     (its combinations against the first)',
  )
    .argument('<folders...>', 'what "sweep", "merge" or "run" wrote; the first is what the others are compared with')
    .option(
      '--measure <name>',
      `what to compare (${MEASURES.map(({ key }) => key).join(', ')}); may be repeated`,
      measureOption,
      [],
    )
    .action(async (folders: string[], { measure }: { measure: readonly MeasureKey[] }) => {
      const pairs = pairsOf(await readSources(folders))
      const keys = measure.length > 0 ? measure : USUAL
      const all = keys.flatMap((key) => pairs.map((pair) => comparison(pair, key)))
      const present = all.filter(({ differences }) => differences.length > 0)
      if (present.length === 0)
        throw refusal('no-common-seed', `no seed has ${keys.join(' or ')} on both sides: run the same --seeds on both`)
      process.stdout.write(`${compareLines(present).join('\n')}\n`)
    })
}

/** Other less reference, seed by seed. */
export function comparison(pair: Pair, key: MeasureKey): Comparison {
  const before = new Map(pair.reference.records.map(({ seed, measures }) => [seed, measures[key]]))
  const differences = pair.other.records.flatMap(({ seed, measures }) => {
    const [a, b] = [before.get(seed) ?? null, measures[key]]
    return a === null || b === null ? [] : [b - a]
  })
  return {
    pair,
    key,
    differences,
    t: pairedT(differences)?.p ?? null,
    wilcoxon: differences.length < 2 ? null : (wilcoxonSignedRank(differences)?.p ?? 1),
  }
}

/** Tables by measure, then what to know of them. */
export function compareLines(all: readonly Comparison[]): string[] {
  const several = all.length > 1
  const [t, w] = [corrected(all.map((one) => one.t)), corrected(all.map((one) => one.wilcoxon))]
  const rows = all.map((one, i) => {
    const measure = MEASURES.find(({ key }) => key === one.key)
    const show = one.key === 'bytesPerNode' ? signedBytes : signed
    const { mean, low, high } = estimate(one.differences)
    const range = Number.isNaN(low) ? '–' : `${show(low)} to ${show(high)}`
    const tests = several
      ? [pText(one.t), pText(t[i]), pText(one.wilcoxon), pText(w[i])]
      : [pText(one.t), pText(one.wilcoxon)]
    const shown = several ? t[i] : one.t
    return [
      measure?.title ?? one.key,
      one.pair.name,
      String(one.differences.length),
      show(mean),
      range,
      ...tests,
      verdict(one, mean, shown ?? null),
    ]
  })
  const tests = several ? ['t: p', 'Holm', 'Wilcoxon: p', 'Holm'] : ['t: p', 'Wilcoxon: p']
  const header = ['measure', 'difference', 'seeds', 'mean', '95 % interval', ...tests, '']
  return [...table(header, rows, [2, 3, 4, 5, 6, 7, 8].slice(0, 3 + tests.length)), '', ...remarks(all)]
}

function corrected(values: readonly (number | null)[]): (number | null)[] {
  const known = holm(values.filter((value) => value !== null))
  let at = 0
  return values.map((value) => (value === null ? null : (known[at++] as number)))
}

function verdict({ key }: Comparison, mean: number, p: number | null): string {
  if (p === null) return 'too few seeds'
  if (p >= LEVEL) return 'no difference shown'
  const isMore = MEASURES.find((measure) => measure.key === key)?.better === 'more'
  return mean > 0 === isMore ? 'better' : 'worse'
}

function remarks(all: readonly Comparison[]): string[] {
  const least = Math.min(...all.map(({ differences }) => differences.length))
  const lost = all.some(
    ({ pair, differences }) => differences.length < Math.max(pair.reference.records.length, pair.other.records.length),
  )
  return [
    'Paired by seed. Two-sided: Student’s t for the mean, Wilcoxon’s signed ranks for the median of the differences.',
    ...(all.length > 1
      ? [`Holm: corrected for ${all.length} comparisons; the last column says what holds at ${LEVEL} by t after that.`]
      : []),
    ...(lost ? ['Seeds that only one side has are left out.'] : []),
    ...(least < 2 ? ['One seed says nothing of chance: run at least 6, better 20.'] : []),
    ...(least >= 2 && least < FEW_SEEDS
      ? [
          `Too few seeds: with ${least}, Wilcoxon’s p is never below ${wilcoxonLeast(least)}. Run at least ${FEW_SEEDS}, better 20.`,
        ]
      : []),
  ]
}

const sign = (value: number): string => (value < 0 ? '' : '+')
const signed = (value: number): string => `${sign(value)}${figure(value)}`
const signedBytes = (value: number): string => `${value < 0 ? '−' : '+'}${bytes(Math.abs(value))}`

function pText(p: number | null | undefined): string {
  if (p === null || p === undefined) return '–'
  return p < 0.0001 ? '< 0.0001' : p.toFixed(4)
}

function measureOption(given: string, before: readonly MeasureKey[]): MeasureKey[] {
  const keys = MEASURES.map(({ key }) => key)
  const found = keys.find((key) => key === given)
  if (found !== undefined) return [...before, found]
  throw new InvalidArgumentError(`"${given}" is not one of ${keys.join(', ')}${didYouMean(given, keys)}.`)
}
