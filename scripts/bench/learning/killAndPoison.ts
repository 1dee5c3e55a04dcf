/**
 * Benchmark: five daemon processes train on the demo's patients, twice. Undisturbed; and with one killed (SIGKILL) at random moments again
 * and again, and another one that publishes sign-flipped updates. What do the honest ones lose, and does the run end on time?
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { table } from '../../../src/cli/output.ts'
import { parseStudy, type Study, studyDocument, studyIdOf } from '../../../src/config/study.ts'
import { invariant } from '../../../src/core/errors.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { ModelReport } from '../../../src/daemon/modelReport.ts'
import { type Clinic, foundClinics, until } from '../../demo/clinics.ts'
import { evaluateModel, loadCohorts } from '../../demo/cohorts.ts'
import { dealAlzheimer } from '../../demo/deal.ts'
import { type Figure, under } from '../figures.ts'

const DEMO = fileURLToPath(new URL('../../demo/', import.meta.url))
const PROGRAM = fileURLToPath(new URL('../../../dist/src/main.js', import.meta.url))
const LIAR = fileURLToPath(new URL('./liar.mjs', import.meta.url))
const SEED = 3
const VICTIM = 1 // the second largest: a loss that would hurt
const POISONER = 4 // the smallest, so that what it would have taught is least of what is measured
const PERIOD_SECONDS = 0.5
const UP_MS = [500, 3_000] as const // between a start that is complete and the next kill
const DOWN_MS = [100, 3_000] as const
const ENDS_WITHIN_MS = 180_000 // of a run that hangs
const LOSS_MAX = 0.01 // of AUC
const LATE_MAX = 1.25 // as often as long as undisturbed: one of two cores starts a killed node again all the while

interface Outcome {
  /** AUC of each clinic's final model on everyone's test patients. */
  readonly aucs: readonly number[]
  /** From the study's agreement to the end at everyone who was never killed; at everyone. */
  readonly seconds: { readonly steady: number; readonly all: number }
  readonly kills: number
}

export async function bench(): Promise<Figure[]> {
  const study = await benchStudy()
  const calm = await run(study, { disturbed: false })
  const rough = await run(study, { disturbed: true })
  const names = ['largest', 'killed', 'third', 'fourth', 'poisons']
  const rows = names.map((name, i) => [name, auc(calm, i), i === POISONER ? '–' : auc(rough, i)])
  process.stdout.write(`${table(['clinic', 'AUC undisturbed', 'AUC disturbed'], rows, [1, 2]).join('\n')}\n`)
  process.stdout.write(`killed ${rough.kills} times; merge rule: ${study.merge.rule}\n`)
  const losses = names
    .map((_, i) => (calm.aucs[i] as number) - (rough.aucs[i] as number))
    .filter((_, i) => i !== POISONER)
  const how = `honest clinic that lost most; ${rough.kills} kills, one of five flips the sign; undisturbed run of the same patients`
  return [
    under('kill and poison: AUC lost', Math.max(0, ...losses), LOSS_MAX, 'AUC', how),
    under(
      'kill and poison: time to the end',
      rough.seconds.steady / calm.seconds.steady,
      LATE_MAX,
      '× the undisturbed run',
      `${rough.seconds.steady.toFixed(1)} s at all who were never killed, ${rough.seconds.all.toFixed(1)} s at all; undisturbed ${calm.seconds.all.toFixed(1)} s`,
    ),
  ]
}

const auc = ({ aucs }: Outcome, i: number): string => (aucs[i] as number).toFixed(4)

/** The demo's study, faster, and with the rule that a study has by default. */
async function benchStudy(): Promise<Study> {
  const file = 'alzheimer.study.yaml'
  const text = await readFile(join(DEMO, file), 'utf8')
  const study = parseStudy(text.replace(/^merge: .*$/m, ''), file)
  return { ...study, rounds: { ...study.rounds, periodSeconds: PERIOD_SECONDS } }
}

async function run(study: Study, { disturbed }: { readonly disturbed: boolean }): Promise<Outcome> {
  const csv = await readFile(join(DEMO, 'alzheimer_modeldata.csv'), 'utf8')
  const folder = await mkdtemp(join(tmpdir(), 'consilium-bench-'))
  const clinics = await foundClinics(folder, dealAlzheimer(csv, SEED))
  const stop = new AbortController()
  try {
    const tables = clinics.map(({ name, table }) => ({ name, file: table }))
    const cohorts = await loadCohorts(study, tables)
    const program = (i: number): string => (disturbed && i === POISONER ? LIAR : PROGRAM)
    await Promise.all(clinics.map((clinic, i) => clinic.start(program(i))))
    const id = await agree(clinics, study)
    const from = performance.now()
    const victim = clinics[VICTIM] as Clinic
    const killing = disturbed ? killAgainAndAgain(victim, stop.signal) : Promise.resolve(0)
    const steady = await ended(
      clinics.filter((_, i) => i !== VICTIM),
      id,
      from,
    )
    stop.abort()
    const kills = await killing
    const all = await ended(clinics, id, from)
    const aucs = await Promise.all(
      clinics.map(async (clinic, i) => {
        const { scaling, shared, head } = await clinic.client.get<ModelReport>(`/v1/studies/${id}/model`)
        const weights = { shared: Float32Array.from(shared), head: Float32Array.from(head) }
        const { auc } = evaluateModel(study, scaling, weights, cohorts, i).everyone
        invariant(auc !== null, 'everyone has patients of both classes')
        return auc
      }),
    )
    return { aucs, seconds: { steady, all }, kills }
  } finally {
    stop.abort()
    await Promise.all(clinics.map((clinic) => clinic.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}

/** Until aborted; leaves the victim running. Resolves with how often it was killed. */
async function killAgainAndAgain(victim: Clinic, signal: AbortSignal): Promise<number> {
  const rng = Rng.from('kill and poison', SEED)
  const between = ([least, most]: readonly [number, number]): number => least + rng.below(most - least)
  let kills = 0
  for (;;) {
    const waited = await setTimeout(between(UP_MS), true, { signal }).catch(() => false)
    if (!waited) return kills
    victim.kill()
    kills++
    await setTimeout(between(DOWN_MS))
    await victim.start(PROGRAM)
  }
}

/** Proposed by the first, accepted and bound by all. */
async function agree(clinics: readonly Clinic[], study: Study): Promise<string> {
  const document = studyDocument(study)
  const id = studyIdOf(document)
  await clinics[0]?.client.post('/v1/studies', { document: Buffer.from(document).toString('base64') })
  const known = async (clinic: Clinic): Promise<boolean> =>
    (await clinic.status())?.studies.some((one) => one.id === id) ?? false
  await until(20_000, 'the study to reach everyone', async () => (await Promise.all(clinics.map(known))).every(Boolean))
  await Promise.all(clinics.slice(1).map((clinic) => clinic.client.post(`/v1/studies/${id}/accept`)))
  const bind = (clinic: Clinic) =>
    clinic.client.post(`/v1/studies/${id}/bind`, { path: clinic.table, columns: {}, units: {}, extra: 'refuse' })
  await Promise.all(clinics.map(bind))
  return id
}

/** Seconds from `fromMs` until the study has ended at all of these. */
async function ended(clinics: readonly Clinic[], id: string, fromMs: number): Promise<number> {
  const over = async (clinic: Clinic): Promise<boolean> =>
    (await clinic.status())?.studies.find((one) => one.id === id)?.phase === 'ended'
  await until(ENDS_WITHIN_MS, 'the study to end', async () => (await Promise.all(clinics.map(over))).every(Boolean))
  return (performance.now() - fromMs) / 1000
}
