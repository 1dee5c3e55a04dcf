/**
 * Benchmark: what gossip learns, over many deals of the demo's patients. The core machines gossip in netsim (asynchronous rounds,
 * modelled latencies, no sockets); the same patients also train alone, by FedAvg and pooled.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runStudy } from '../../netsim/members/run.ts'
import { type Estimate, estimate, mean } from '../../netsim/statistics.ts'
import { table } from '../../src/cli/output.ts'
import { parseStudy, type Study } from '../../src/config/study.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { invariant } from '../../src/core/errors.ts'
import { bindTable } from '../../src/data/bind.ts'
import { TfjsLearner } from '../../src/learn/tfjsLearner.ts'
import { type BaselineName, runBaselines, type ScaledModel } from '../demo/baselines.ts'
import { type Cohort, type Cohorts, evaluateModel } from '../demo/cohorts.ts'
import { type ClinicTable, dealAlzheimer } from '../demo/deal.ts'
import type { Figure } from './figures.ts'

const SEEDS = 20
const MARGIN = 0.01 // of AUC: what gossip may lose to a server, and to moving all records into one place
const UNTIL_MS = 600_000 // virtual; 40 rounds of a second take about 45 s
const TRAIN_MS = [40, 700] as const // hospitals' machines differ, so that nobody's rounds keep step with anybody's
const DEMO = fileURLToPath(new URL('../demo/', import.meta.url))

type ArmName = BaselineName | 'gossip'
const ARMS: readonly ArmName[] = ['local-only', 'gossip', 'FedAvg', 'pooled']

/** One deal of the patients: per arm, the AUC on everyone's test patients of each clinic's final model. */
export interface SeedResult {
  readonly seed: number
  readonly clinics: readonly string[]
  readonly aucs: Readonly<Record<ArmName, readonly number[]>>
}

/** Gossip against each baseline: two figures on the mean over clinics, one per clinic against training alone. */
export async function bench(seeds = SEEDS): Promise<Figure[]> {
  const started = performance.now()
  const results: SeedResult[] = []
  const study = parseStudy(await readFile(join(DEMO, 'alzheimer.study.yaml'), 'utf8'), 'alzheimer.study.yaml')
  const csv = await readFile(join(DEMO, 'alzheimer_modeldata.csv'), 'utf8')
  for (let seed = 1; seed <= seeds; seed++) results.push(await runSeed(study, csv, seed))
  const seconds = (performance.now() - started) / 1000
  for (const line of report(results, seconds)) process.stdout.write(`${line}\n`)
  return [
    against(results, 'FedAvg'),
    against(results, 'pooled'),
    ...clinicsOf(results).map((_, i) => worth(results, i)),
  ]
}

async function runSeed(study: Study, csv: string, seed: number): Promise<SeedResult> {
  const cohorts = await cohortsOf(study, dealAlzheimer(csv, seed))
  const { arms } = await runBaselines(study, cohorts, study.rounds.count)
  const models: Record<ArmName, readonly ScaledModel[]> = {
    'local-only': arms['local-only'].models,
    gossip: await gossip(study, cohorts, seed),
    FedAvg: arms.FedAvg.models,
    pooled: arms.pooled.models,
  }
  const aucOf = ({ scaling, weights }: ScaledModel, clinic: number): number => {
    const { auc } = evaluateModel(study, scaling, weights, cohorts, clinic).everyone
    invariant(auc !== null, 'a bound table holds out patients of both classes')
    return auc
  }
  const aucs = Object.fromEntries(ARMS.map((arm) => [arm, models[arm].map(aucOf)])) as Record<ArmName, number[]>
  return { seed, clinics: cohorts.clinics.map(({ name }) => name), aucs }
}

/** The tables as the daemons would bind them; as `loadCohorts`, without files. */
async function cohortsOf(study: Study, tables: readonly ClinicTable[]): Promise<Cohorts> {
  const clinics: Cohort[] = []
  const labels: number[] = []
  for (const { name, csv } of tables) {
    const { dataset } = await bindTable(study, { name, bytes: utf8(csv) }, { extra: 'refuse' })
    const from = labels.length
    for (const row of dataset.testRows) labels.push(dataset.labels[row] as number)
    clinics.push({ name, dataset, own: { from, to: labels.length } })
  }
  return { clinics, elsewhere: null, labels: Uint8Array.from(labels) }
}

async function gossip(study: Study, cohorts: Cohorts, seed: number): Promise<ScaledModel[]> {
  const learners = cohorts.clinics.map(() => new TfjsLearner())
  try {
    const { nodes, settled } = await runStudy({
      study,
      tables: cohorts.clinics.map(({ dataset }) => [dataset]),
      seed,
      learner: (node) => learners[node] as TfjsLearner,
      timing: { trainMs: TRAIN_MS },
      untilMs: UNTIL_MS,
    })
    invariant(settled, 'all clinics end the study')
    return nodes.map(({ model, scaling }) => {
      invariant(model !== null && scaling !== null, 'who ended a study has a model')
      return { scaling, weights: model.weights }
    })
  } finally {
    for (const learner of learners) await learner.close()
  }
}

/** Gossip's mean over the clinics against one baseline's. */
function against(results: readonly SeedResult[], arm: BaselineName): Figure {
  const of = (one: ArmName) => results.map(({ aucs }) => mean(aucs[one]))
  return compare(`gossip not ${MARGIN} below ${arm}, mean of clinics`, arm, of('gossip'), of(arm), MARGIN)
}

/** What joining was worth to one clinic, on everyone's patients. */
function worth(results: readonly SeedResult[], clinic: number): Figure {
  const of = (one: ArmName) => results.map(({ aucs }) => aucs[one][clinic] as number)
  return compare(`gossip above local-only, ${clinicsOf(results)[clinic]}`, 'alone', of('gossip'), of('local-only'), 0)
}

/** The ratio is that of the lower end of the interval: what gossip reaches at least, over what it has to reach. */
function compare(
  name: string,
  than: string,
  ours: readonly number[],
  theirs: readonly number[],
  margin: number,
): Figure {
  const difference = estimate(ours.map((auc, i) => auc - (theirs[i] as number)))
  const reference = mean(theirs)
  const ratio = (reference + difference.low) / (reference - margin)
  const figure = `AUC ${mean(ours).toFixed(4)}, ${than} ${reference.toFixed(4)}; difference ${signed(difference)}, 95 %, ${ours.length} seeds; ratio at its lower end`
  return { name, figure, ratio, target: 1, ok: ratio >= 1 }
}

function report(results: readonly SeedResult[], seconds: number): string[] {
  const rows = clinicsOf(results).map((name, clinic) => [
    name,
    ...ARMS.map((arm) => mean(results.map(({ aucs }) => aucs[arm][clinic] as number)).toFixed(3)),
    signed(estimate(results.map(({ aucs }) => gain(aucs, clinic)))),
  ])
  const means = ARMS.map((arm) => meanOf(results, arm).toFixed(3))
  const all = signed(estimate(results.map(({ aucs }) => mean(aucs.gossip) - mean(aucs['local-only']))))
  return [
    `AUC on everyone's held-out patients, mean over ${seedsOf(results)} of deal and network (${seconds.toFixed(0)} s)`,
    ...table(['clinic', ...ARMS, 'gossip − local-only, 95 %'], [...rows, ['mean', ...means, all]], [1, 2, 3, 4]),
  ]
}

const gain = (aucs: SeedResult['aucs'], clinic: number): number =>
  (aucs.gossip[clinic] as number) - (aucs['local-only'][clinic] as number)
const clinicsOf = (results: readonly SeedResult[]): readonly string[] => results[0]?.clinics ?? []
const seedsOf = (results: readonly SeedResult[]): string => `${results.length} seeds`
const meanOf = (results: readonly SeedResult[], arm: ArmName): number =>
  mean(results.map(({ aucs }) => mean(aucs[arm])))

function signed({ mean, low, high }: Estimate): string {
  const sign = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`
  return `${sign(mean)} (${sign(low)} to ${sign(high)})`
}
