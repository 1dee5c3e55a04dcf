/**
 * `npm run demo`: five hospitals as five daemon processes on loopback train one model on real patients, without a server.
 * One is killed on the way and comes back. At the end: what joining was worth, and every log verified on every node.
 */

import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { parseStudy, type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import { messageOf } from '../../src/core/errors.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import type { StatusReport, StudyReport, VerifyReport } from '../../src/daemon/api.ts'
import type { ModelReport } from '../../src/daemon/modelReport.ts'
import { reportPage } from '../../src/report/page.ts'
import type { Report } from '../../src/report/report.ts'
import { runBaselines } from './baselines.ts'
import { type Clinic, foundClinics } from './clinics.ts'
import { type Cohorts, evaluateModel, loadCohorts } from './cohorts.ts'
import { until } from './daemonProcess.ts'
import { dealAlzheimer, dealIcu, icuElsewhere } from './deal.ts'
import type { GossipHistory, NodeVerification } from './figures.ts'
import { report, reportJson } from './report.ts'
import { type LiveRow, Screen } from './screen.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const PROGRAM = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))
const POLL_MS = 1_000
const KILL_AT_ROUND = 10
const DOWN_MS = 9_000
const TRAINING_MS_MAX = 90_000 // on a machine that is busy with other things; usually 40 s
const INTERRUPTED = 'interrupted'
const VICTIM = 1 // the second largest: a loss that would hurt

const DATA = {
  alzheimer: { file: 'alzheimer_modeldata.csv', study: 'alzheimer.study.yaml', deal: dealAlzheimer, elsewhere: null },
  icu: { file: 'icu_patient_pammtools.csv', study: 'icu.study.yaml', deal: dealIcu, elsewhere: icuElsewhere },
} as const

interface Options {
  readonly data: keyof typeof DATA
  readonly seed: number
}

/** What one poll of all clinics found; models only where a daemon answered. */
interface Sample {
  readonly status: StatusReport | null
  readonly study: StudyReport | null
  readonly model: ModelReport | null
}

async function main(): Promise<void> {
  const started = Date.now()
  const options = parseOptions()
  const { file, study: studyFile, deal, elsewhere } = DATA[options.data]
  const study = parseStudy(await readFile(join(HERE, studyFile), 'utf8'), studyFile)
  const csv = await readFile(join(HERE, file), 'utf8')
  const tables = deal(csv, options.seed)
  const others = elsewhere === null ? null : { name: file, bytes: new TextEncoder().encode(elsewhere(csv)) }
  const realSites = elsewhere !== null
  const folder = await mkdtemp(join(tmpdir(), 'consilium-demo-'))
  say(
    `Consilium demo: ${tables.length} hospitals, ${tables.reduce((sum, one) => sum + one.rows, 0)} real patients, no server.`,
  )
  say(
    realSites
      ? "The hospitals are real sites of the data set; its other sites' patients only\ntest the models."
      : `The data set has no sites: dealing it ${tables.map((one) => one.rows).join(' : ')} to five clinics\n(seed ${options.seed}) is ours.`,
  )
  say(`Folder: ${folder}`)

  const clinics = await foundClinics(folder, tables)
  const stop = new AbortController()
  const interrupted = (): void => stop.abort(new Error(INTERRUPTED))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  process.once('exit', () => {
    for (const clinic of clinics) clinic.kill()
  })
  try {
    const cohorts = await loadCohorts(
      study,
      clinics.map(({ name, table }) => ({ name, file: table })),
      others,
    )
    await Promise.all(clinics.map((clinic) => clinic.start(PROGRAM)))
    await agreeOnStudy(clinics, study)
    const history = await watch(clinics, study, cohorts, stop.signal)
    const verified = await verifyEverywhere(clinics)
    await writeFile(join(folder, 'study.html'), reportPage(await studyReport(clinics)))
    await Promise.all(clinics.map((clinic) => clinic.stop()))
    stop.signal.throwIfAborted()
    say('\nTraining the baselines: each hospital alone, FedAvg, and all data pooled\n(only a demo has all the data) …')
    const baselines = await runBaselines(study, cohorts, study.rounds.count)
    const input = { study, cohorts, seed: options.seed, realSites, gossip: history, baselines, verified }
    for (const line of report(input)) say(line)
    await writeFile(join(folder, 'report.json'), `${JSON.stringify(reportJson(input), null, 2)}\n`)
    say(farewell(folder, clinics, options, (Date.now() - started) / 1000))
  } catch (error) {
    say(`\nWhat was made so far is kept in ${folder}`)
    throw error
  } finally {
    await Promise.all(clinics.map((clinic) => clinic.stop()))
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  }
}

/** The first clinic proposes, all accept the digest, all bind their own table. */
async function agreeOnStudy(clinics: readonly Clinic[], study: Study): Promise<void> {
  const document = studyDocument(study)
  const id = studyIdOf(document)
  const [first] = clinics as [Clinic]
  await first.client.post('/v1/studies', { document: Buffer.from(document).toString('base64') })
  const known = async (clinic: Clinic): Promise<boolean> =>
    (await clinic.status())?.studies.some((one) => one.id === id) ?? false
  await until(20_000, 'the study to reach all hospitals', async () =>
    (await Promise.all(clinics.map(known))).every(Boolean),
  )
  await Promise.all(clinics.slice(1).map((clinic) => clinic.client.post(`/v1/studies/${id}/accept`)))
  await Promise.all(
    clinics.map((clinic) => clinic.client.post(`/v1/studies/${id}/bind`, { path: clinic.table, extra: 'refuse' })),
  )
}

/** Shows the rounds live, kills one hospital on the way and starts it again; returns every round's figures. */
async function watch(
  clinics: readonly Clinic[],
  study: Study,
  cohorts: Cohorts,
  signal: AbortSignal,
): Promise<GossipHistory> {
  const screen = new Screen(process.stdout, { tty: process.stdout.isTTY === true })
  const history: GossipHistory = { points: [], final: clinics.map(() => null) }
  const victim = clinics[VICTIM] as Clinic
  const end = Date.now() + TRAINING_MS_MAX
  let killedAtMs: number | null = null
  let returning: Promise<void> | null = null
  try {
    for (;;) {
      signal.throwIfAborted()
      const samples = await Promise.all(clinics.map(sample))
      const rows = samples.map((one, i) => observe(clinics[i] as Clinic, i, one, study, cohorts, history))
      screen.update(rows, `${study.name} · ${study.rounds.count} rounds`)
      const furthest = Math.max(...samples.map((one) => one.study?.round ?? 0))
      if (killedAtMs === null && furthest >= KILL_AT_ROUND) {
        victim.kill()
        killedAtMs = Date.now()
        screen.event(`${victim.name} is killed (SIGKILL) in round ${furthest}. Nobody waits for it.`)
      }
      if (killedAtMs !== null && returning === null && Date.now() >= killedAtMs + DOWN_MS) {
        screen.event(`${victim.name} is started again; it resumes from its disk and catches up.`)
        returning = victim.start(PROGRAM)
        returning.catch(() => undefined) // awaited below; a failure must not end the process before that
      }
      if (samples.every((one) => one.study?.phase === 'ended' && !one.study.evaluating)) break
      if (Date.now() > end)
        throw new Error(
          `the training did not end within ${TRAINING_MS_MAX / 1000} s; the logs are in each clinic's folder`,
        )
      await setTimeout(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
    await returning
    return history
  } finally {
    screen.close()
  }
}

/** A clinic's line for the screen; its model's figures go into the history. */
function observe(
  clinic: Clinic,
  at: number,
  { status, study, model }: Sample,
  spec: Study,
  cohorts: Cohorts,
  history: GossipHistory,
): LiveRow {
  let everyone: Metrics | null = null
  if (model !== null) {
    const weights = { shared: Float32Array.from(model.shared), head: Float32Array.from(model.head) }
    everyone = evaluateModel(spec, model.scaling, weights, cohorts, at).everyone
    history.final[at] = { scaling: model.scaling, weights }
    if (everyone.auc !== null) history.points.push({ clinic: at, round: model.round, auc: everyone.auc })
  }
  const down = status === null
  return {
    name: clinic.name,
    state: down ? (clinic.running ? 'starting' : 'down') : (study?.phase ?? 'idle'),
    round: model === null ? null : model.round,
    rounds: spec.rounds.count,
    peers: status?.peers.filter((peer) => peer.gossiping).length ?? null,
    messages: status === null ? null : status.network.messagesIn + status.network.messagesOut,
    everyoneLogLoss: everyone?.logLoss ?? null,
    everyoneAuc: everyone?.auc ?? null,
    ownAuc: study?.metrics?.auc ?? null,
    ownN: study?.metrics?.examples ?? null,
    ledgerEntries: status?.ledger.find((log) => log.member === status.member)?.size ?? null,
  }
}

async function sample(clinic: Clinic): Promise<Sample> {
  const status = await clinic.status()
  const study = status?.studies[0] ?? null
  const hasModel = study !== null && study.model !== null
  const model = hasModel
    ? await clinic.client.get<ModelReport>(`/v1/studies/${study.id}/model`).catch(() => null)
    : null
  return { status, study, model }
}

/** Waits for all logs to be everywhere, then lets every node verify every log. */
async function verifyEverywhere(clinics: readonly Clinic[]): Promise<NodeVerification[]> {
  const roots = async (clinic: Clinic): Promise<string> =>
    (await clinic.status())?.ledger.map((log) => `${log.name} ${log.size} ${log.root.slice(0, 8)}`).join(', ') ??
    clinic.name
  let held: string[] = []
  await until(20_000, 'all logs to be replicated', async () => {
    held = await Promise.all(clinics.map(roots))
    return new Set(held).size === 1
  }).catch((error: unknown) => {
    throw new Error(`${messageOf(error)}; held: ${held.map((one, i) => `${clinics[i]?.name}: ${one}`).join('; ')}`)
  })
  return Promise.all(
    clinics.map(async (clinic) => ({
      node: clinic.name,
      logs: (await clinic.client.get<{ logs: VerifyReport[] }>('/v1/log/verify')).logs,
    })),
  )
}

/** As any of the hospitals holds it. */
async function studyReport([first]: readonly Clinic[]): Promise<Report> {
  const { client } = first as Clinic
  const { studies } = await client.get<{ studies: StudyReport[] }>('/v1/studies')
  return client.get<Report>(`/v1/studies/${studies[0]?.id}/report`)
}

/** A wrong option, or --help, ends the process. */
function parseOptions(): Options {
  return new Command('npm run demo --')
    .description('Five hospitals as five processes on this machine train one model on real patients, without a server.')
    .addOption(new Option('--data <set>', 'which patients').choices(Object.keys(DATA)).default('alzheimer'))
    .option('--seed <number>', 'another deal of the patients, and other chance', wholeNumber, 1)
    .showHelpAfterError('(--help shows what is allowed)')
    .addHelpText('after', '\nExample:\n  $ npm run demo -- --data icu')
    .parse()
    .opts<Options>()
}

function wholeNumber(given: string): number {
  if (/^\d{1,15}$/.test(given)) return Number(given)
  throw new InvalidArgumentError('A whole number from 0 is expected.')
}

function farewell(folder: string, clinics: readonly Clinic[], { data, seed }: Options, seconds: number): string {
  const [first] = clinics as [Clinic]
  const program = (command: string): string => `  node dist/src/main.js ${command} --home ${first.home}`
  const demo = (options: string, what: string): string => `  ${`npm run demo -- ${options}`.padEnd(42)}${what}`
  return [
    '',
    `Done in ${seconds.toFixed(0)} s. Everything is kept: keys, configs, logs, report.json and, for a browser, study.html, in`,
    `  ${folder}`,
    'Try next: start one clinic again; then, in another terminal, ask it:',
    program('start'),
    program('status'),
    program('log ls --kind round.merged'),
    'Or another demo:',
    demo(`--data ${data} --seed ${seed + 1}`, 'another draw of the same patients'),
    data === 'icu' ? demo('--data alzheimer', 'memory clinics') : demo('--data icu', 'hospitals that are real sites'),
    'Or a consortium of your own: README.md, "A hospital\'s quick start".',
  ].join('\n')
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`demo: ${messageOf(error)}\n`)
  process.exitCode = messageOf(error) === INTERRUPTED ? 130 : 1
}
