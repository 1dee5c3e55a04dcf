/**
 * Benchmark: what noise of σ = 8 costs the 118 hospitals of the stroke trial (netsim/README.md, "The stroke trial"), by the product's own
 * DP-SGD in netsim, against the same hospitals' best training without privacy; and which ε each of them has at the end.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATA_SETS } from '../../../netsim/experiments/data.ts'
import { type Scenario, scenarioSchema } from '../../../netsim/scenario/schema.ts'
import { simulate } from '../../../netsim/simulate.ts'
import { parseYaml } from '../../../src/config/yaml.ts'
import { invariant } from '../../../src/core/errors.ts'
import type { Figure } from '../figures.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const SCENARIOS = join(ROOT, 'netsim/scenarios')
const SEEDS = [1, 2, 3, 4, 5] as const
const LOST_MAX = 0.005 // of AUC

interface Run {
  readonly auc: number
  /** Of all hospitals, ascending; empty without privacy. */
  readonly epsilons: readonly number[]
}

/** One figure; none where the file is not there. */
export async function bench(): Promise<Figure[]> {
  const file = join(ROOT, DATA_SETS.stroke.data.file)
  if ((await readFile(file).catch(() => null)) === null) {
    process.stdout.write(`learning-privacy: SKIPPED, ${file} is not there (netsim/README.md, "The stroke trial")\n`)
    return []
  }
  const [plain, noisy] = [await scenario('stroke.yaml'), await scenario('privacy.yaml')]
  const without = await runs(plain)
  const withNoise = await runs(noisy)
  const lost = without.map(({ auc }, i) => auc - (withNoise[i]?.auc as number))
  const epsilons = withNoise.flatMap((run) => run.epsilons).sort((a, b) => a - b)
  const at = (share: number): string => (epsilons[Math.floor(share * (epsilons.length - 1))] as number).toFixed(2)
  const { noiseMultiplier } = noisy.study.privacy ?? { noiseMultiplier: 0 }
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const aucs = `AUC ${mean(withNoise.map(({ auc }) => auc)).toFixed(4)} of ${mean(without.map(({ auc }) => auc)).toFixed(4)}`
  const each = lost.map((one) => one.toFixed(4)).join(', ')
  const figure = `${aucs}; lost ${each} for seeds ${SEEDS.join(', ')}, limit ${LOST_MAX} in the mean; ε ${at(0.5)} at the median hospital (${at(0)} to ${at(1)}), δ rows^−1.1`
  // what is kept of the AUC above the limit, as a ratio that a gain does not turn over
  const ratio = (1 - mean(lost)) / (1 - LOST_MAX)
  return [
    { name: `AUC kept under noise of σ ${noiseMultiplier}, 118 hospitals`, figure, ratio, target: 1, ok: ratio >= 1 },
  ]
}

async function scenario(name: string): Promise<Scenario> {
  const path = join(SCENARIOS, name)
  return parseYaml(await readFile(path, 'utf8'), { kind: 'scenario', fileName: path, schema: scenarioSchema })
}

async function runs(of: Scenario): Promise<Run[]> {
  const found: Run[] = []
  for (const seed of SEEDS) {
    const baseFolder = dirname(join(SCENARIOS, 'privacy.yaml'))
    const { samples, nodes, checks } = await simulate({ scenario: of, seed, scenarioName: 'privacy', baseFolder })
    const broken = checks.find(({ failure }) => failure !== null)
    invariant(broken === undefined, `a check fails: ${broken?.name}`)
    const auc = samples.at(-1)?.auc
    invariant(auc !== undefined && auc !== null, 'no model has diverged')
    found.push({ auc, epsilons: nodes.flatMap(({ epsilon }) => epsilon ?? []).sort((a, b) => a - b) })
  }
  return found
}
