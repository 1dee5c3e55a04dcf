/**
 * Benchmark: what attackers cost. The stroke trial's hospitals (netsim/README.md, "The stroke trial") by the product's own core in netsim: a fifth
 * of 118 attack, on one topic and in cells, and one of five; the default rule and the plain mean beside it, against the mean of one topic when
 * nobody attacks.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATA_SETS } from '../../../netsim/experiments/data.ts'
import type { NodeSummary } from '../../../netsim/result.ts'
import { type Attack, type Scenario, scenarioSchema } from '../../../netsim/scenario/schema.ts'
import { simulate } from '../../../netsim/simulate.ts'
import { table } from '../../../src/cli/output.ts'
import { parseYaml } from '../../../src/config/yaml.ts'
import { invariant } from '../../../src/core/errors.ts'
import type { Figure } from '../figures.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const SCENARIO = join(ROOT, 'netsim/scenarios/stroke.yaml')
const SEEDS = [1, 2, 3, 4, 5] as const
const ATTACKS = ['sign-flip', 'gaussian', 'alie', 'ipm'] as const satisfies readonly Attack[]
const LOSS_MAX = 0.009 // of AUC, against the mean that nobody disturbs
const SHARE = 0.2
const CELLS = { above: 40, size: 32, periodSeconds: 8 } as const // eight rounds of a second, as a study has them that says nothing
const CELLS_FAULTY = 3 / 8 // what `study add` advises: .3 is less than chance deals to one cell in twelve
const FIVE = { rowsMin: 292, count: 5 } // the largest: 524, 305, 296, 293 and 292 patients
const NEVER_SECONDS = 100_000 // an attack that does not begin: the same hospitals are measured as with one
const QUARTILES = 4

interface Setting {
  readonly name: string
  readonly scenario: Scenario
  /** In which nobody disturbs the mean: what is lost is lost against it. */
  readonly calm: Scenario
  readonly adversary: (seed: number) => Pick<Scenario['adversaries'][number], 'share' | 'nodes'>
}

/** What one rule came to under one attack, of each seed. */
interface Arm {
  readonly aucs: readonly number[]
  readonly nodes: readonly (readonly NodeSummary[])[]
}

/** One figure for each attack and setting, and the table that shows the mean beside it; none where the file is not there. */
export async function bench(): Promise<Figure[]> {
  if ((await readFile(join(ROOT, DATA_SETS.stroke.data.file)).catch(() => null)) === null) {
    process.stdout.write(
      'learning-attacks: SKIPPED, the stroke trial is not there: netsim/README.md says where it comes from\n',
    )
    return []
  }
  const text = await readFile(SCENARIO, 'utf8')
  const scenario = parseYaml(text, { kind: 'scenario', fileName: SCENARIO, schema: scenarioSchema })
  const { nodes, data } = scenario
  invariant(data.kind === 'sites', 'the stroke trial is a table with sites')
  const five = { ...scenario, nodes: { ...nodes, count: FIVE.count }, data: { ...data, rowsMin: FIVE.rowsMin } }
  const { study } = scenario
  const cells = { ...scenario, study: { ...study, cells: CELLS, merge: { ...study.merge, faulty: CELLS_FAULTY } } }
  const aFifth: Setting['adversary'] = () => ({ share: SHARE, nodes: [] })
  const oneOfFive: Setting['adversary'] = (seed) => ({ share: null, nodes: [(seed - 1) % FIVE.count] })
  const settings: readonly Setting[] = [
    { name: '24 of 118', scenario, calm: scenario, adversary: aFifth },
    { name: '24 of 118 in cells', scenario: cells, calm: scenario, adversary: aFifth },
    { name: '1 of 5', scenario: five, calm: five, adversary: oneOfFive },
  ]
  const figures: Figure[] = []
  for (const setting of settings) figures.push(...(await figuresOf(setting)))
  return figures
}

async function figuresOf(setting: Setting): Promise<Figure[]> {
  const undisturbed = await armOf({ ...setting, scenario: setting.calm }, 'mean', null)
  const calm = await armOf(setting, 'auto', null)
  const arms: { readonly attack: Attack; readonly robust: Arm; readonly plain: Arm }[] = []
  for (const attack of ATTACKS)
    arms.push({ attack, robust: await armOf(setting, 'auto', attack), plain: await armOf(setting, 'mean', attack) })
  const row = (name: string, robust: Arm, plain: Arm): string[] => {
    return [name, ...[robust, plain].flatMap((arm) => [auc(mean(arm.aucs)), loss(lossOf(arm, undisturbed))])]
  }
  const rows = [
    row('nobody', calm, undisturbed),
    ...arms.map(({ attack, robust, plain }) => row(attack, robust, plain)),
  ]
  const header = ['attack', 'default', 'lost', 'mean', 'lost']
  print([
    `${setting.name}: AUC of the honest hospitals, means of seeds ${SEEDS.join(', ')}, and what is lost against the undisturbed mean`,
  ])
  print(table(header, rows, [1, 2, 3, 4]))
  print(['', 'Set aside by the merges of others, honest hospitals by size (train rows), and attackers:'])
  const asides = [calm, ...arms.map(({ robust }) => robust)].map((arm, i) => {
    return [i === 0 ? 'nobody' : (arms[i - 1]?.attack as string), ...ratesOf(arm)]
  })
  print(table(['attack', 'smallest quarter', 'second', 'third', 'largest', 'attackers'], asides, [1, 2, 3, 4, 5]))
  return [
    figureOf(`${setting.name}, nobody attacks`, calm, undisturbed, undisturbed),
    ...arms.map(({ attack, robust, plain }) => figureOf(`${setting.name}, ${attack}`, robust, undisturbed, plain)),
  ]
}

async function armOf({ scenario, adversary }: Setting, rule: 'auto' | 'mean', attack: Attack | null): Promise<Arm> {
  const aucs: number[] = []
  const nodes: (readonly NodeSummary[])[] = []
  for (const seed of SEEDS) {
    const fromSeconds = attack === null ? NEVER_SECONDS : 0
    const adversaries = [{ attack: attack ?? 'sign-flip', fromSeconds, strength: null, ...adversary(seed) }]
    const vetoNats = rule === 'mean' ? null : 0.1 // the default
    const study = { ...scenario.study, merge: { ...scenario.study.merge, rule, vetoNats } }
    const given = { ...scenario, study, adversaries }
    const result = await simulate({ scenario: given, seed, scenarioName: 'stroke', baseFolder: dirname(SCENARIO) })
    const broken = result.checks.find(({ failure }) => failure !== null)
    invariant(broken === undefined, `a check fails: ${broken?.name}`)
    const last = result.samples.at(-1)?.auc
    invariant(last !== undefined && last !== null, 'the honest hospitals are measured')
    aucs.push(last)
    nodes.push(result.nodes)
  }
  return { aucs, nodes }
}

/** The mean over seeds of what is lost, each against the undisturbed run of that seed. */
function lossOf(arm: Arm, undisturbed: Arm): number {
  return mean(undisturbed.aucs.map((auc, i) => auc - (arm.aucs[i] as number)))
}

function figureOf(name: string, robust: Arm, undisturbed: Arm, plain: Arm): Figure {
  const lost = lossOf(robust, undisturbed)
  const ratio = LOSS_MAX / Math.max(lost, LOSS_MAX / 10) // a gain is no more than ten times good
  const worst = Math.max(...undisturbed.aucs.map((auc, i) => auc - (robust.aucs[i] as number)))
  const figure = `AUC ${auc(mean(robust.aucs))}, lost ${loss(lost)} (worst seed ${loss(worst)}; limit ${LOSS_MAX}); the plain mean loses ${loss(lossOf(plain, undisturbed))}`
  return { name: `default rule, ${name}`, figure, ratio, target: 1, ok: lost <= LOSS_MAX }
}

/** Of the merges that knew of an update, how many set it aside: by quarter of the honest hospitals, then of the attackers. */
function ratesOf({ nodes }: Arm): string[] {
  const groups: number[][] = Array.from({ length: QUARTILES + 1 }, () => [])
  for (const run of nodes) {
    const honest = run.filter(({ adversary }) => adversary === null).sort((a, b) => a.rows - b.rows)
    for (const [i, { asideShare }] of honest.entries())
      if (asideShare !== null) groups[Math.floor((i * QUARTILES) / honest.length)]?.push(asideShare)
    for (const { adversary, asideShare } of run)
      if (adversary !== null && asideShare !== null) groups[QUARTILES]?.push(asideShare)
  }
  return groups.map((rates) => (rates.length === 0 ? '–' : `${(100 * mean(rates)).toFixed(1)} %`))
}

const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`)
const auc = (value: number): string => value.toFixed(4)
const loss = (value: number): string => value.toFixed(4)
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
