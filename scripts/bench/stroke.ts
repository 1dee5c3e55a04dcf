/**
 * Benchmark: 118 hospitals of the International Stroke Trial (netsim/README.md, "The stroke trial"). What they learn by gossip through the
 * product's own core in netsim, against pooled rows, FedAvg and training alone; the table of DECISIONS, "Learning, on real hospitals".
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATA_SETS, loadFederation } from '../../netsim/experiments/data.ts'
import { type ExperimentOptions, judge, judgeEverywhere, Trial } from '../../netsim/experiments/frame.ts'
import { trainAlone } from '../../netsim/experiments/localOnly.ts'
import { fedAvg } from '../../netsim/experiments/mcmahan2017.ts'
import { toCells, trainAndMix } from '../../netsim/experiments/mixing.ts'
import { pooled } from '../../netsim/experiments/pooled.ts'
import { type Scenario, scenarioSchema } from '../../netsim/scenario/schema.ts'
import { simulate } from '../../netsim/simulate.ts'
import { table } from '../../src/cli/output.ts'
import { parseYaml } from '../../src/config/yaml.ts'
import { invariant } from '../../src/core/errors.ts'
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
const CELL = 16

interface Score {
  readonly auc: number
  readonly logLoss: number
  /** Models sent. */
  readonly messages: number
}

/** One row of the table: means over the seeds. */
interface Row {
  readonly name: string
  readonly scores: readonly Score[]
  /** DECISIONS' figure. */
  readonly before: string
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
  const run = async (changed: Partial<Scenario>, times: number[] = []) => gossiped({ ...scenario, ...changed }, times)
  const alone = await learnedAlone()
  const fedAvgShared = await server('shared')
  const flood = await run({}, seconds)
  const fedAvgPrivate = await server('private')
  const floodPrivate = await run({ head: 'private' })
  const rows: Row[] = [
    { name: 'pooled', scores: await inOnePlace(), before: '.798/.522' },
    { name: `local only, ${EARLY} rounds, on everybody's patients`, scores: [alone.early], before: '.68–.71/.62–.83' },
    { name: `local only, ${ROUNDS} rounds, on everybody's patients`, scores: [alone.everywhere], before: '' },
    { name: `local only, ${ROUNDS} rounds, each on its own patients`, scores: [alone.own], before: '' },
    { name: 'FedAvg', scores: fedAvgShared, before: '.798/.521' },
    { name: 'gossip, all to all', scores: flood, before: '.797/.523' },
    { name: `gossip, random cells of ${CELL}, dealt anew each round`, scores: await cells(), before: '.797/.523' },
    {
      name: 'gossip, 5 random receivers',
      scores: await run({ gossip: { ...gossip, mode: 'fanout', fanout: 5 } }),
      before: '.796/.524',
    },
    {
      name: 'gossip, pairwise',
      scores: await run({ gossip: { ...gossip, mode: 'fanout', fanout: 1, heldMax: 1 } }),
      before: '.792',
    },
    {
      name: 'gossip, ring',
      scores: await run({ network: { ...network, topology: { kind: 'ring' } } }),
      before: '.782',
    },
    { name: 'FedAvg, local output bias', scores: fedAvgPrivate, before: '.821/.4956' },
    { name: 'gossip, all to all, local output bias', scores: floodPrivate, before: '.821/.4956' },
  ]
  for (const line of report(rows)) process.stdout.write(`${line}\n`)
  return [
    against(flood, fedAvgShared, 'shared bias'),
    against(floodPrivate, fedAvgPrivate, 'local bias'),
    lift(flood, floodPrivate),
    under('gossip of 118 hospitals, all to all', Math.max(...seconds), LIMIT_SECONDS, 's', slowest(scenario)),
  ]
}

const slowest = ({ end }: Scenario): string =>
  `the slowest of ${SEEDS.length} runs of ${end.seconds} virtual seconds, reading the table included`

/** The product's own rounds, exchange and merges in virtual time; the last sample has all hospitals. */
async function gossiped(scenario: Scenario, times: number[]): Promise<Score[]> {
  const scores: Score[] = []
  for (const seed of SEEDS) {
    const started = performance.now()
    const { samples, checks } = await simulate({
      scenario,
      seed,
      scenarioName: 'stroke',
      baseFolder: dirname(SCENARIO),
    })
    times.push((performance.now() - started) / 1000)
    const last = samples.at(-1)
    invariant(last !== undefined && last.live === scenario.nodes.count, 'all hospitals are up at the end')
    invariant(
      checks.every(({ failure }) => failure === null),
      'every check holds',
    )
    scores.push({ ...scored(last), messages: last.messagesSent })
  }
  return scores
}

async function optionsFor(seed: number, head: ExperimentOptions['head']): Promise<ExperimentOptions> {
  const federation = await loadFederation('stroke', seed, ROOT)
  return { federation, seed, rounds: ROUNDS, loss: 0, offlineShare: 0, head }
}

async function inOnePlace(): Promise<Score[]> {
  const { arms } = await pooled(await optionsFor(SEEDS[0], 'shared')) // full batches: no chance in it
  return arms.map(({ final }) => ({ ...scored(final), messages: 0 }))
}

async function server(head: ExperimentOptions['head']): Promise<Score[]> {
  const { final, messages } = fedAvg(new Trial('FedAvg', await optionsFor(SEEDS[0], head)), 1)
  return [{ ...scored(final), messages }]
}

/** Alone, the others' patients show how far the same number of steps goes astray; so they are looked at early too. */
async function learnedAlone(): Promise<{ own: Score; early: Score; everywhere: Score }> {
  const trial = new Trial('local only', await optionsFor(SEEDS[0], 'shared'))
  const everywhere: Score[] = []
  const slots = trainAlone(trial, (round, models) => {
    if (round !== EARLY && round !== ROUNDS) return
    everywhere.push({ ...scored(judgeEverywhere(trial.fleet, models, [...models.keys()])), messages: 0 })
  })
  const [early, last] = everywhere as [Score, Score]
  return { own: { ...scored(judge(trial.fleet, slots)), messages: 0 }, early, everywhere: last }
}

/** With the scenario's losses and absences, but in step: the product has no cells yet. */
async function cells(): Promise<Score[]> {
  const scores: Score[] = []
  for (const seed of SEEDS) {
    const options = { ...(await optionsFor(seed, 'shared')), loss: 0.1, offlineShare: 0.2 }
    const trial = new Trial('cells', options)
    const rng = trial.chance('cells')
    const { final, messages } = trainAndMix(trial, () => toCells(trial.nodes, CELL, rng))
    scores.push({ ...scored(final), messages })
  }
  return scores
}

function scored(given: { readonly auc: number | null; readonly logLoss: number | null } | null) {
  invariant(given !== null && given.auc !== null && given.logLoss !== null, 'no model has diverged')
  return { auc: given.auc, logLoss: given.logLoss }
}

/** The ratio is that of the worst seed: what gossip reaches at least, over what it has to reach. */
function against(gossip: readonly Score[], server: readonly Score[], heads: string): Figure {
  const reference = mean(server, 'auc')
  const worst = Math.min(...gossip.map(({ auc }) => auc))
  const ratio = worst / (reference - MARGIN)
  const figure = `AUC ${mean(gossip, 'auc').toFixed(4)}, worst of ${SEEDS.length} seeds ${worst.toFixed(4)}; FedAvg ${reference.toFixed(4)}; ratio of the worst`
  return {
    name: `gossip not ${MARGIN} below FedAvg, 118 hospitals, ${heads}`,
    figure,
    ratio,
    target: 1,
    ok: ratio >= 1,
  }
}

function lift(shared: readonly Score[], local: readonly Score[]): Figure {
  const lifts = local.map(({ auc }, i) => auc - (shared[i]?.auc as number))
  const ratio = Math.min(...lifts) / LIFT_MIN
  const figure = `AUC +${lifts.map((one) => one.toFixed(4)).join(', +')} for seeds ${SEEDS.join(', ')}; floor +${LIFT_MIN}`
  return { name: 'what a local output bias is worth to gossip', figure, ratio, target: 1, ok: ratio >= 1 }
}

function report(rows: readonly Row[]): string[] {
  const all = mean(rows.find(({ name }) => name === 'gossip, all to all')?.scores ?? [], 'messages')
  const shown = rows.map(({ name, scores, before }) => [
    name,
    `${short(mean(scores, 'auc'), 3)}/${short(mean(scores, 'logLoss'), 3)}`,
    before,
    mean(scores, 'messages') === 0 ? '' : Math.round(mean(scores, 'messages')).toLocaleString('en'),
    mean(scores, 'messages') === 0 ? '' : `1/${(all / mean(scores, 'messages')).toFixed(1)}`,
  ])
  return [
    `118 hospitals, logistic regression: AUC/log-loss on the pooled test rows; gossip with 10 % loss and 20 % off, mean of seeds ${SEEDS.join(', ')}`,
    ...table(['', 'here', 'DECISIONS', 'models sent', 'of all to all'], shown, [3, 4]),
  ]
}

const short = (value: number, digits: number): string => value.toFixed(digits).replace(/^0/, '')
const mean = (scores: readonly Score[], key: keyof Score): number =>
  scores.reduce((sum, score) => sum + score[key], 0) / scores.length
