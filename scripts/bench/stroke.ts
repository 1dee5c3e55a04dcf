/**
 * Benchmark: 118 hospitals of the International Stroke Trial (netsim/README.md, "The stroke trial"). What they learn by gossip through the
 * product's own core in netsim, against pooled rows, FedAvg and training alone; the table of DECISIONS, "Learning, on real hospitals".
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATA_SETS, loadFederation } from '../../netsim/experiments/data.ts'
import { type Arm, type CurvePoint, type ExperimentOptions, Trial } from '../../netsim/experiments/frame.ts'
import { ringOf } from '../../netsim/experiments/lian2017.ts'
import { localOnly } from '../../netsim/experiments/localOnly.ts'
import { fedAvg } from '../../netsim/experiments/mcmahan2017.ts'
import { type Receivers, toCells, toRandom, trainAndMix } from '../../netsim/experiments/mixing.ts'
import { pooled } from '../../netsim/experiments/pooled.ts'
import { type Scenario, scenarioSchema } from '../../netsim/scenario/schema.ts'
import { simulate } from '../../netsim/simulate.ts'
import { table } from '../../src/cli/output.ts'
import { parseYaml } from '../../src/config/yaml.ts'
import { invariant } from '../../src/core/errors.ts'
import type { Rng } from '../../src/core/rng.ts'
import { type Figure, under } from './figures.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SCENARIO = join(ROOT, 'netsim/scenarios/stroke.yaml')
const FILE = join(ROOT, DATA_SETS.stroke.data.file)
const SHA_256 = '9bd0805ad951d25fd71ff638fe8aced47549b2c566ebd2dc5f291c816b7934a4'
const SEEDS = [1, 2, 3] as const
const ROUNDS = 60 // a round a second in the scenario's minute
const EARLY = 5 // rounds of who trains alone, five steps each
const MARGIN = 0.003 // of AUC: what gossip may lose to a server
const LIMIT_SECONDS = 30
const LIFT_MIN = 0.015 // of AUC, by private output biases: two thirds of what was measured before (.798 to .821)
const SIZES = [16, 32] as const // of cells
const CELL_ROUNDS = 8 // the study's own default

interface Score {
  readonly auc: number
  readonly logLoss: number
}

/** What one method came to, of each seed, or of the only run where there is no chance in it. */
interface Outcome {
  /** Each hospital's own model on its own test rows, all rows together. */
  readonly own: readonly Score[]
  /** Models on everybody's test rows, mean over the models. */
  readonly everywhere: readonly Score[]
  /** Models sent. */
  readonly messages: readonly number[]
}

/** One row of the table; what is null is not measured, or says nothing. */
interface Row extends Partial<Outcome> {
  readonly name: string
  /** DECISIONS' figure. */
  readonly before?: string
}

/** Three figures: gossip against FedAvg, its time, and what private biases are worth; none where the file is not there. */
export async function bench(): Promise<Figure[]> {
  const bytes = await readFile(FILE).catch(() => null)
  if (bytes === null) {
    process.stdout.write(
      `stroke: SKIPPED, ${FILE} is not there: netsim/README.md, "The stroke trial", says how it follows from doi:10.7488/ds/104 (Sandercock et al. 2011)\n`,
    )
    return []
  }
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (digest !== SHA_256)
    process.stdout.write(`stroke: the file has SHA-256 ${digest}, the figures below are of ${SHA_256}\n`)
  const text = await readFile(SCENARIO, 'utf8')
  const scenario = parseYaml(text, { kind: 'scenario', fileName: SCENARIO, schema: scenarioSchema })
  return figuresOf(scenario)
}

async function figuresOf(scenario: Scenario): Promise<Figure[]> {
  const { gossip, network } = scenario
  const seconds: number[] = []
  const run = async (changed: Partial<Scenario>) => gossiped({ ...scenario, ...changed })
  const shared = await gossiped(scenario, seconds)
  const { study } = scenario
  const local = await run({ study: { ...study, local: { ...study.local, head: 'bias' } } })
  const fedAvgShared = await server('shared')
  const fedAvgLocal = await server('private')
  const few = await run({ gossip: { ...gossip, mode: 'fanout', fanout: 5 } })
  const pairs = await run({ gossip: { ...gossip, mode: 'fanout', fanout: 1, heldMax: 1 } })
  const ring = await run({ network: { ...network, topology: { kind: 'ring' } } })
  const [early, late] = await alone()
  const { everywhere: all } = await inStep((nodes, rng) => toCells(nodes, nodes, rng))
  const cells = await Promise.all(
    SIZES.map(async (size): Promise<Row> => {
      const study = { ...scenario.study, cells: { above: size, size, periodSeconds: null } }
      const { everywhere } = await inStep((nodes, rng) => toCells(nodes, size, rng), CELL_ROUNDS)
      const before = size === 16 ? '.797/.523' : ''
      return { name: `gossip, cells of ${size}`, ...(await run({ study })), everywhere, before }
    }),
  )
  const { everywhere: fewAll } = await inStep((nodes, rng) => toRandom(nodes, 5, rng))
  const { everywhere: pairsAll } = await inStep((nodes, rng) => toCells(nodes, 2, rng))
  const { everywhere: ringAll } = await inStep(ringOf)
  const rows: readonly Row[] = [
    { name: 'pooled', ...(await inOnePlace()), before: '.798/.522' },
    { name: `local only, ${EARLY} rounds`, ...early, before: '.68–.71/.62–.83' },
    { name: `local only, ${ROUNDS} rounds`, ...late },
    { name: 'FedAvg', ...fedAvgShared, before: '.798/.521' },
    { name: 'gossip, all to all', ...shared, everywhere: all, before: '.797/.523' },
    ...cells,
    { name: 'gossip, 5 random receivers', ...few, everywhere: fewAll, before: '.796/.524' },
    { name: 'gossip, pairwise', ...pairs, everywhere: pairsAll, before: '.792' },
    { name: 'gossip, ring', ...ring, everywhere: ringAll, before: '.782' },
    { name: 'FedAvg, local output bias', ...fedAvgLocal, everywhere: undefined, before: '.821/.4956' },
    { name: 'gossip, all to all, local output bias', ...local, before: '.821/.4956' },
  ]
  for (const line of report(rows, mean(shared.messages))) process.stdout.write(`${line}\n`)
  return [
    against(shared, fedAvgShared, 'shared bias'),
    against(local, fedAvgLocal, 'local bias'),
    lift(shared, local),
    under('gossip of 118 hospitals, all to all', Math.max(...seconds), LIMIT_SECONDS, 's', slowest(scenario)),
  ]
}

const slowest = ({ end }: Scenario): string =>
  `the slowest of ${SEEDS.length} runs of ${end.seconds} virtual seconds, reading the table included`

/** The product's own rounds, exchange and merges in virtual time; the last sample has all hospitals. */
async function gossiped(scenario: Scenario, seconds: number[] = []): Promise<Omit<Outcome, 'everywhere'>> {
  const own: Score[] = []
  const messages: number[] = []
  for (const seed of SEEDS) {
    const started = performance.now()
    const { samples, checks } = await simulate({
      scenario,
      seed,
      scenarioName: 'stroke',
      baseFolder: dirname(SCENARIO),
    })
    seconds.push((performance.now() - started) / 1000)
    const last = samples.at(-1)
    invariant(last !== undefined && last.live === scenario.nodes.count, 'all hospitals are up at the end')
    const broken = checks.find(({ failure }) => failure !== null)
    invariant(broken === undefined, `a check fails: ${broken?.name}`)
    own.push(scored(last.auc, last.logLoss))
    messages.push(last.messagesSent)
  }
  return { own, messages }
}

async function optionsFor(seed: number, head: ExperimentOptions['head']): Promise<ExperimentOptions> {
  const federation = await loadFederation('stroke', seed, ROOT)
  return { federation, seed, rounds: ROUNDS, loss: 0, offlineShare: 0, head, measureEvery: ROUNDS }
}

function outcomeOf(arms: readonly Arm[]): Outcome {
  const last = arms.map(({ curve }) => curve.at(-1) as CurvePoint)
  return {
    own: last.map(({ auc, logLoss }) => scored(auc, logLoss)),
    everywhere: last.map(({ aucEverywhere, logLossEverywhere }) => scored(aucEverywhere, logLossEverywhere)),
    messages: arms.map(({ messages }) => messages),
  }
}

/** Full batches: there is no chance in it. */
async function inOnePlace(): Promise<Outcome> {
  const { arms } = await pooled(await optionsFor(SEEDS[0], 'shared'))
  return { ...outcomeOf(arms), messages: [] }
}

/** Without losses, and everybody up: what the best of servers gives. */
async function server(head: ExperimentOptions['head']): Promise<Outcome> {
  return outcomeOf([fedAvg(new Trial('FedAvg', await optionsFor(SEEDS[0], head)), 1)])
}

/** Alone, as many steps as the others take overfit; so there is an early look too. */
async function alone(): Promise<readonly [Outcome, Outcome]> {
  const outcomes: Outcome[] = []
  for (const rounds of [EARLY, ROUNDS]) {
    const { arms } = await localOnly({ ...(await optionsFor(SEEDS[0], 'shared')), rounds, measureEvery: rounds })
    outcomes.push({ ...outcomeOf(arms), messages: [] })
  }
  return outcomes as [Outcome, Outcome]
}

/** The scenario's losses and absences, but in rounds that all take together; receivers are dealt anew every so many. */
async function inStep(receivers: (nodes: number, rng: Rng) => Receivers, everyRounds = 1): Promise<Outcome> {
  const arms: Arm[] = []
  for (const seed of SEEDS) {
    const trial = new Trial('', { ...(await optionsFor(seed, 'shared')), loss: 0.1, offlineShare: 0.2 })
    const rng = trial.chance('receivers')
    let dealt: Receivers = []
    const receiversOf = (round: number): Receivers => {
      if ((round - 1) % everyRounds === 0) dealt = receivers(trial.nodes, rng)
      return dealt
    }
    arms.push(trainAndMix(trial, receiversOf))
  }
  return outcomeOf(arms)
}

function scored(auc: number | null, logLoss: number | null): Score {
  invariant(auc !== null && logLoss !== null, 'no model has diverged')
  return { auc, logLoss }
}

/** The ratio is that of the worst seed: what gossip reaches at least, over what it has to reach. */
function against(gossip: Pick<Outcome, 'own'>, server: Pick<Outcome, 'own'>, bias: string): Figure {
  const aucs = gossip.own.map(({ auc }) => auc)
  const reference = mean(server.own.map(({ auc }) => auc))
  const worst = Math.min(...aucs)
  const ratio = worst / (reference - MARGIN)
  const figure = `AUC ${mean(aucs).toFixed(4)}, worst of ${SEEDS.length} seeds ${worst.toFixed(4)}; FedAvg ${reference.toFixed(4)}; ratio of the worst`
  const name = `gossip not ${MARGIN} below FedAvg, 118 hospitals, ${bias}`
  return { name, figure, ratio, target: 1, ok: ratio >= 1 }
}

function lift(shared: Pick<Outcome, 'own'>, local: Pick<Outcome, 'own'>): Figure {
  const lifts = local.own.map(({ auc }, i) => auc - (shared.own[i]?.auc as number))
  const ratio = Math.min(...lifts) / LIFT_MIN
  const figure = `AUC +${lifts.map((one) => one.toFixed(4)).join(', +')} for seeds ${SEEDS.join(', ')}; floor +${LIFT_MIN}`
  return { name: 'what a local output bias is worth to gossip', figure, ratio, target: 1, ok: ratio >= 1 }
}

function report(rows: readonly Row[], allToAll: number): string[] {
  const cells = rows.map(({ name, own, everywhere, before = '', messages = [] }) => {
    const sent = messages.length === 0 ? '' : `1/${(allToAll / mean(messages)).toFixed(1)}`
    return [name, shown(own), shown(everywhere), before, sent]
  })
  return [
    `118 hospitals, AUC/log-loss on the pooled test rows: each model on its own patients, and a dozen of each method's models on everybody's (gossip's in step);`,
    `gossip with 10 % loss and 20 % off, means of seeds ${SEEDS.join(', ')}`,
    ...table(['', 'own patients', "everybody's", 'DECISIONS', 'models sent'], cells, [4]),
  ]
}

function shown(scores: readonly Score[] | undefined): string {
  if (scores === undefined) return ''
  const short = (value: number): string => value.toFixed(3).replace(/^0/, '')
  return `${short(mean(scores.map(({ auc }) => auc)))}/${short(mean(scores.map(({ logLoss }) => logLoss)))}`
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
