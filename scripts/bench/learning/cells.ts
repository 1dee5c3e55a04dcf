/**
 * Benchmark: cells of 32 against one topic for all, by messages and bytes of a node in a round, with the AUC beside them: 118 hospitals of the
 * International Stroke Trial (netsim/README.md, "The stroke trial") and a made-up consortium of a thousand. Each node runs the product's own rounds,
 * exchange, merges and deal, by the default rule; where gossipsub is modelled, its control messages and the subscriptions at each change of cells
 * count too. What attackers cost in cells: `attacks.ts`.
 */
import { access } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATA_SETS } from '../../../netsim/experiments/data.ts'
import { parseScenario, readScenario } from '../../../netsim/scenario/read.ts'
import type { Scenario } from '../../../netsim/scenario/schema.ts'
import { simulate } from '../../../netsim/simulate.ts'
import { table } from '../../../src/cli/output.ts'
import { invariant } from '../../../src/core/errors.ts'
import { type Digest, studyId } from '../../../src/core/ids.ts'
import { chanceBeyond, Deal, dealSeed } from '../../../src/gossip/cells.ts'
import { type Figure, under } from '../figures.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const STROKE = join(ROOT, 'netsim/scenarios/stroke.yaml')
const SEEDS = [1, 2, 3] as const
const CELLS = { above: 40, size: 32, periodSeconds: 8 } as const // eight rounds of a second, as a study has them that says nothing
const AUC_LOSS_MAX = 0.002
const ATTACKERS = 0.2

const THOUSAND = `question: What do a thousand members hear of each other?
nodes: { count: 1000 }
gossip: { mode: flood }
data: { kind: synthetic, features: 12, rows: 60, separation: 2, positiveShare: 0.4, split: { kind: dirichlet, alpha: 0.5 } }
study: { rounds: { periodSeconds: 1, count: 16 } }
ledger: off
digests: modelled
end: { seconds: 60 }
report: { everySeconds: 8, sampleNodes: 1000 }
`

/** Means over seeds, of one node in one round. */
interface Load {
  readonly messages: number
  readonly bytes: number
  readonly auc: number
}

/** Seven figures; three where the file of the trial is not there. */
export async function bench(): Promise<Figure[]> {
  const hasFile = await access(join(ROOT, DATA_SETS.stroke.data.file)).then(
    () => true,
    () => false,
  )
  if (!hasFile)
    process.stdout.write('learning-cells: without the stroke trial, whose file is not there (netsim/README.md)\n')
  const byDefault = { 'study.merge.rule': 'auto', 'study.merge.vetoNats': 0.1 }
  const stroke = hasFile ? await readScenario(STROKE, byDefault) : null
  const thousand = parseScenario(THOUSAND, 'thousand.yaml')
  const figures: Figure[] = []
  const rows: string[][] = []
  const compare = async (
    who: string,
    scenario: Scenario,
    mode: Scenario['gossip']['mode'],
    share: number,
    seeds: readonly number[],
  ) => {
    const gossip = { ...scenario.gossip, mode }
    const one = await loadOf({ ...scenario, gossip }, seeds)
    const cells = await loadOf({ ...scenario, gossip, study: { ...scenario.study, cells: CELLS } }, seeds)
    rows.push(line(`${who}, one topic`, mode, one), line(`${who}, cells of ${CELLS.size}`, mode, cells))
    const how = `${WAY[mode]}, means of seeds ${seeds.join(', ')}`
    figures.push(
      under(`${who} in cells: messages, ${mode}`, cells.messages / one.messages, share, 'of one topic', how),
      under(
        `${who} in cells: AUC lost, ${mode}`,
        Math.max(0.0001, one.auc - cells.auc),
        AUC_LOSS_MAX,
        'AUC',
        `${shown(one.auc)} → ${shown(cells.auc)}`,
      ),
    )
    if (mode === 'mesh')
      figures.push(under(`${who} in cells: bytes, mesh`, cells.bytes / one.bytes, share, 'of one topic', how))
  }
  if (stroke !== null) {
    await compare('118 hospitals', stroke, 'flood', 0.27, SEEDS)
    await compare('118 hospitals', stroke, 'mesh', 0.35, [1])
  }
  await compare('1,000 members', thousand, 'flood', 0.035, [1])
  figures.push(beyond())
  for (const text of table(['of one node in one round', 'gossip', 'messages', 'kB', 'AUC'], rows, [2, 3, 4]))
    process.stdout.write(`${text}\n`)
  return figures
}

const WAY = {
  flood: 'each update once to each that is to hear it',
  mesh: 'over gossipsub, its control messages and subscriptions included',
  fanout: 'to some',
} as const

async function loadOf(scenario: Scenario, seeds: readonly number[]): Promise<Load> {
  const runs: Load[] = []
  for (const seed of seeds) {
    const result = await simulate({ scenario, seed, scenarioName: 'cells', baseFolder: dirname(STROKE) })
    const broken = result.checks.find(({ failure }) => failure !== null)
    invariant(broken === undefined, `a check fails: ${broken?.name}`)
    const last = result.samples.at(-1)
    invariant(last?.auc !== null && last !== undefined, 'models were measured')
    runs.push({ messages: last.messagesSent / result.merges, bytes: last.bytesSent / result.merges, auc: last.auc })
  }
  const mean = (of: (load: Load) => number): number => runs.reduce((sum, load) => sum + of(load), 0) / runs.length
  return { messages: mean(({ messages }) => messages), bytes: mean(({ bytes }) => bytes), auc: mean(({ auc }) => auc) }
}

/** Of 118 members a fifth attack: cells with more of them than the rule bears, dealt against computed, for cells of 16 and of 32. */
function beyond(): Figure {
  const members = 118
  const attackers = Math.round(ATTACKERS * members)
  const any = 'ab'.repeat(32)
  const texts: string[] = []
  let worst = 0
  for (const [size, faulty] of [
    [16, 0.3],
    [32, 0.3],
    [32, 3 / 8],
  ] as const) {
    let [cells, over, expected] = [0, 0, 0]
    for (let period = 0; period < 4_000; period++) {
      const deal = new Deal(dealSeed(studyId(any), any as Digest, any as Digest, period), members, () => true, size)
      for (let cell = 0; cell < deal.cells; cell++) {
        const places = deal.membersOf(cell)
        const bound = Math.floor(faulty * places.length)
        cells++
        expected += chanceBeyond(members, attackers, places.length, bound)
        if (places.filter((place) => place < attackers).length > bound) over++
      }
    }
    worst = Math.max(worst, Math.abs(over - expected) / cells)
    texts.push(
      `of cells of ${size} at merge.faulty ${faulty} ${((100 * over) / cells).toFixed(2)} %, ${((100 * expected) / cells).toFixed(2)} % computed`,
    )
  }
  return under(
    'a fifth of 118 attack: cells beyond what the rule bears, dealt against computed',
    worst,
    0.01,
    'of cells',
    texts.join('; '),
  )
}

function line(who: string, mode: string, { messages, bytes, auc }: Load): string[] {
  return [who, mode, messages.toFixed(0), (bytes / 1_000).toFixed(1), shown(auc)]
}

const shown = (auc: number): string => auc.toFixed(4).replace(/^0/, '')
