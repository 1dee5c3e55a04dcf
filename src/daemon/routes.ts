/** The calls of the control API, over a running daemon. */
import { setTimeout } from 'node:timers/promises'
import { type Study, studyDocument, studyFromDocument, studyIdOf } from '../config/study.ts'
import { VERSION } from '../config/version.ts'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { isForHospitals, OBSERVER_REFUSAL } from '../governance/observers.ts'
import { lintText } from '../governance/privacyLint.ts'
import { ACTS, type ActPattern, isAct } from '../governance/roles.ts'
import { fingerprint } from '../ledger/founding.ts'
import { accessCalls } from './accessCalls.ts'
import { agreementCalls } from './agreementCalls.ts'
import { requireAgreed } from './agreementDesk.ts'
import type { BindReport, StatusReport, StudyReport } from './api.ts'
import { backupCalls } from './backupCalls.ts'
import { text, words } from './bodyFields.ts'
import { catalogueCalls } from './catalogueCalls.ts'
import { cellHint } from './cellHint.ts'
import { consentCalls } from './consentCalls.ts'
import type { Route, Routes } from './control.ts'
import { countCalls } from './countCalls.ts'
import type { Daemon } from './daemon.ts'
import { datasetCalls } from './datasetCalls.ts'
import { examine } from './doctor.ts'
import { Exporter } from './exporter.ts'
import { ForkReports } from './forkReports.ts'
import type { InputStore } from './inputStore.ts'
import type { Invitations } from './invitations.ts'
import { inviteCalls } from './inviteCalls.ts'
import { LedgerReports } from './ledgerReports.ts'
import { LogReader } from './logReader.ts'
import { memberCalls, suspensions, unanswered } from './memberCalls.ts'
import { modelCalls } from './modelCalls.ts'
import { standingReport } from './modelReport.ts'
import { recordUse, requireUsable } from './models.ts'
import { outlierCalls } from './outlierCalls.ts'
import { peopleCalls } from './peopleCalls.ts'
import { auditPrivacy } from './privacyAudit.ts'
import { privacyClaims } from './privacyClaims.ts'
import { Replay } from './replay.ts'
import { settlementCalls } from './settlementCalls.ts'
import type { SettlementDesk } from './settlementDesk.ts'
import { findStudy } from './studyReference.ts'
import { evaluateStudy, studyReport } from './studyReports.ts'
import { supplyCalls } from './supplyCalls.ts'
import { trialCalls } from './trialCalls.ts'
import { useCalls } from './useCalls.ts'

const FENCE_WAIT_MS = 8_000 // a start among others passes its fence in a second or two
const FENCE_LOOK_MS = 50
const STOP = 'POST /v1/stop'

/**
 * Every call but a stop waits for nothing: before the machine has booted it says so. Afterwards what changes anything passes the desk where
 * people sign.
 */
export function routesOf(
  daemon: Daemon,
  inputs: InputStore,
  invitations: Invitations,
  settlement: SettlementDesk,
): Readonly<Record<string, Route>> {
  const more = { ...inviteCalls(daemon, invitations), ...settlementCalls(daemon, settlement) }
  const calls = { ...callsOf(daemon, inputs), ...more }
  const guarded = Object.entries(calls).map(([pattern, route]): [string, Route] => {
    const whenBooted: Route = (call) => {
      if (daemon.machine.booted) return isAct(pattern) ? pass(daemon, pattern, route, call) : route(call)
      if (pattern === STOP) return route(call)
      throw new ConsiliumError({
        code: 'daemon-starting',
        message: 'the daemon is still starting; try again in a moment',
      })
    }
    return [pattern, whenBooted]
  })
  return Object.fromEntries(guarded)
}

async function pass(daemon: Daemon, pattern: ActPattern, route: Route, call: Parameters<Route>[0]): Promise<unknown> {
  const { membership, key } = daemon.home
  if (membership.roll.isObserver(key.id) && isForHospitals(ACTS[pattern])) throw new ConsiliumError(OBSERVER_REFUSAL)
  if (pattern !== STOP) await signing(daemon)
  return daemon.people.pass(pattern, call.asked, () => route(call))
}

/** What is to be recorded waits a moment for the boot fence, so that a command right after a start is not refused; then it is. */
async function signing(daemon: Daemon): Promise<void> {
  const until = Date.now() + FENCE_WAIT_MS
  while (daemon.machine.view().fence !== null && Date.now() < until) await setTimeout(FENCE_LOOK_MS)
}

/** One file for each group of commands. */
function callsOfParts(daemon: Daemon): Routes {
  return {
    ...outlierCalls(daemon),
    ...memberCalls(daemon),
    ...modelCalls(daemon),
    ...consentCalls(daemon),
    ...backupCalls(daemon),
    ...agreementCalls(daemon),
    ...datasetCalls(daemon),
    ...supplyCalls(daemon),
    ...catalogueCalls(daemon),
    ...accessCalls(daemon),
    ...countCalls(daemon),
    ...trialCalls(daemon),
    ...peopleCalls(daemon),
  }
}

function callsOf(daemon: Daemon, inputs: InputStore): Routes {
  const reader = new LogReader(daemon)
  const reports = new LedgerReports(daemon, reader)
  const forkReports = new ForkReports(daemon, reader)
  const exporter = new Exporter(daemon, reader)
  return {
    'GET /v1/status': async () => status(daemon),
    'GET /v1/doctor': async () => ({ findings: await examine(daemon) }),
    'POST /v1/stop': async () => {
      await daemon.stop('operator')
      return { stopped: true }
    },
    'GET /v1/studies': async () => ({ studies: studies(daemon) }),
    'POST /v1/studies': ({ body }) => addStudy(daemon, body),
    'GET /v1/studies/:': async ({ parts }) => {
      const state = findStudy(daemon, parts[0] ?? '')
      const report = studies(daemon).find((study) => study.id === state.id)
      return { report, document: Buffer.from(studyDocument(state.study)).toString('base64') }
    },
    'POST /v1/studies/:/accept': ({ parts }) => acceptStudy(daemon, parts[0] ?? ''),
    'POST /v1/studies/:/bind': ({ parts, body }) => bindStudy(daemon, parts[0] ?? '', body),
    'POST /v1/studies/:/pause': ({ parts }) => pauseStudy(daemon, parts[0] ?? '', true),
    'POST /v1/studies/:/resume': ({ parts }) => pauseStudy(daemon, parts[0] ?? '', false),
    'GET /v1/studies/:/report': ({ parts }) => studyReport(daemon, reader, parts[0] ?? ''),
    'POST /v1/studies/:/evaluate': ({ parts }) => evaluateStudy(daemon, parts[0] ?? ''),
    'GET /v1/studies/:/privacy': ({ parts }) => privacyClaims(daemon, findStudy(daemon, parts[0] ?? '').id),
    'POST /v1/studies/:/audit-privacy': ({ parts }) => auditPrivacy(daemon, findStudy(daemon, parts[0] ?? '')),
    'POST /v1/studies/:/end': ({ parts }) => endStudy(daemon, parts[0] ?? ''),
    'GET /v1/studies/:/model': ({ parts, query }) => numbers(daemon, parts[0] ?? '', query.get('newest') !== null),
    ...callsOfParts(daemon),
    ...useCalls(daemon, reader),
    'GET /v1/log': ({ query }) => reader.list(query),
    'GET /v1/log/entry': ({ query }) => reader.show(query.get('ref') ?? ''),
    'GET /v1/log/follow': ({ query, signal }) => reader.follow(query, signal),
    'GET /v1/log/export': ({ query, signal }) => exporter.run(query, signal),
    'GET /v1/log/view': ({ query, signal }) => exporter.view(query, signal),
    'GET /v1/log/proof': ({ query }) => exporter.prove(query.get('ref') ?? ''),
    'GET /v1/log/heads': () => reports.heads(),
    'GET /v1/log/forks': ({ query }) => forkReports.forks(query.get('member')),
    'GET /v1/log/branch': ({ query }) => forkReports.branches(query.get('member') ?? ''),
    'GET /v1/log/stats': () => reports.stats(),
    'GET /v1/log/timeline': ({ query }) => reports.timeline(query),
    'GET /v1/log/diff': ({ query, signal }) => reports.diff(query.get('peer') ?? '', signal),
    'GET /v1/log/verify': ({ query }) => reader.verify(query.get('member'), query.get('quick') === null),
    'GET /v1/log/replay': async ({ query, signal }) => {
      const known = new Map(daemon.machine.view().studies.map(({ state }) => [state.id, state.study]))
      const study = (id: StudyId) => known.get(id) ?? null
      const nameOf = (member: MemberId) => daemon.nameOf(member)
      const members = reader.authors(query.get('member'))
      return new Replay({ logs: daemon.logs, inputs, study, nameOf }, signal).run(members)
    },
    'POST /v1/log/prune': ({ body }) => daemon.keeper.prune(body.dryRun === true),
    'GET /v1/log/redactions': () => reader.redactions(),
    'POST /v1/log/redact': async ({ body }) =>
      daemon.keeper.redact(await reader.find(text(body, 'ref')), text(body, 'reason'), insteadIn(body)),
    'POST /v1/log/correct': async ({ body }) => {
      const [entry, by] = [await reader.find(text(body, 'ref')), await reader.find(text(body, 'with'))]
      return daemon.keeper.correct(entry, by, text(body, 'reason'))
    },
  }
}

/** A model with the private head, which no log has: where people sign it leaves by an export alone. It leaves an entry, as every export does. */
async function numbers(daemon: Daemon, ref: string, newest: boolean): ReturnType<Daemon['models']['report']> {
  const state = findStudy(daemon, ref)
  if (daemon.people.people.required !== null) {
    const message =
      'a model leaves with the sign-off of an approver, where people sign: run "consilium model export" with --as FILE'
    throw new ConsiliumError({ code: 'person-needed', message })
  }
  await requireAgreed(daemon, state, 'export')
  const report = await daemon.models.report(state, newest)
  const { round, head } = report
  const digest = report.digest as Digest
  await requireUsable(daemon, { state, digest })
  await recordUse(daemon, state, 'model.exported', {
    ...{ round: round - 1, model: fromHex(digest), format: 'numbers', withHead: head.length > 0 },
    ...(state.study.local.normalisation === 'consortium' ? {} : { withScaling: true }),
  })
  return report
}

/** The description that is told in the place of a redacted one; it is copied to all, as that was. Errors: those of `studyFromDocument`, `study-personal-data`. */
function insteadIn(body: Record<string, unknown>): Uint8Array | null {
  if (body.document === undefined) return null
  const document = new Uint8Array(Buffer.from(text(body, 'document'), 'base64'))
  const described = studyFromDocument(document)
  if (body.acceptText !== true) requireNoPersonalData(described)
  return document
}

function status(daemon: Daemon): StatusReport {
  const { home, transport, machine, logs } = daemon
  const { consortium, config, key } = home
  const view = machine.view()
  const forked = new Set(logs.forked())
  return {
    name: config.name,
    member: key.id,
    software: VERSION,
    home: home.paths.folder,
    process: process.pid,
    uptimeSeconds: (Date.now() - daemon.startedAtMs) / 1000,
    memoryBytes: process.memoryUsage.rss(),
    addresses: transport.addresses(),
    fence: view.fence,
    consortium: {
      name: consortium.name,
      founding: consortium.founding,
      fingerprint: fingerprint(consortium.founding),
      epoch: view.epoch,
      members: home.membership.roll.members.length,
      accepted: view.accepted.length,
    },
    peers: transport.peers().map((peer) => ({
      ...peer,
      name: daemon.nameOf(peer.member),
      role: home.membership.roll.isObserver(peer.member) ? ('observer' as const) : ('hospital' as const),
    })),
    ledger: logs.sizes().map(({ author, size, root }) => ({
      name: daemon.nameOf(author),
      member: author,
      size,
      root,
      forked: forked.has(author),
    })),
    changes: unanswered(daemon),
    suspensions: suspensions(daemon),
    studies: studies(daemon),
    network: transport.stats(),
    rejections: view.rejections.map(({ member, reason, count }) => ({
      name: daemon.nameOf(member as MemberId),
      reason,
      count,
    })),
  }
}

function studies(daemon: Daemon): StudyReport[] {
  const names = (members: Iterable<MemberId>): string[] => [...members].map((member) => daemon.nameOf(member)).sort()
  return daemon.machine.view().studies.map(({ state, run }) => ({
    id: state.id,
    name: state.study.name,
    purpose: state.study.purpose,
    proposedBy: daemon.nameOf(state.proposedBy),
    proposedAtMs: state.proposedAtMs,
    accepted: names(state.accepted),
    bound: names(state.bound),
    phase: run?.phase ?? 'idle',
    paused: state.paused.has(daemon.home.key.id),
    evaluating: run?.evaluating ?? false,
    round: run?.behind ?? 0,
    rounds: state.study.rounds.count,
    rows: run?.rows ?? null,
    refusal: run?.refusal ?? null,
    failure: daemon.failure(state.id),
    metrics: run?.metrics ?? null,
    privacy: run?.privacy ?? null,
    roundsLeft: run?.roundsLeft ?? null,
    learner: daemon.models.learner(state.id),
    standing: standingReport(run?.standing ?? null),
    model: run?.model ?? null,
    cell: run?.cell ?? null,
    merged: (run?.inputs ?? []).map(({ author, ageRounds }) => ({ name: daemon.nameOf(author), ageRounds })),
    outliers: (run?.outliers ?? []).map(({ member, merges, reason }) => ({
      name: daemon.nameOf(member),
      merges,
      reason,
    })),
    excluded: names(run?.excluded ?? []),
  }))
}

async function addStudy(
  daemon: Daemon,
  body: Record<string, unknown>,
): Promise<{ study: StudyId; hint: string | null }> {
  const document = new Uint8Array(Buffer.from(text(body, 'document'), 'base64'))
  const described = studyFromDocument(document) // refuses what would not fit or be understood, before anything is recorded
  if (body.acceptText !== true) requireNoPersonalData(described)
  const study = studyIdOf(document)
  await daemon.command((ticket) => ({ type: 'study-add', ticket, study, document }))
  return { study, hint: cellHint(described, daemon.home.membership.roll.members.length) }
}

/** Error: `study-personal-data`. */
function requireNoPersonalData(study: Study): void {
  const found = lintText({ ...study, consent: null }) // its codes are of a closed vocabulary, and look like record numbers
  if (found === null) return
  throw new ConsiliumError({
    code: 'study-personal-data',
    message: `${found.path}: it holds what looks like ${found.what}; a study is copied to every member for good: take it out, or, if it says nothing of a person, add --accept-text`,
  })
}

/** Accepting takes the whole digest: it is what the others compared, and a prefix or a name could mean another study. */
async function acceptStudy(daemon: Daemon, given: string): Promise<{ study: StudyId; name: string }> {
  const known = daemon.machine.view().studies.map(({ state }) => state)
  const state = known.find(({ id }) => id === given)
  if (state === undefined) {
    const close = known.filter(({ id }) => id.startsWith(given.slice(0, 8)))
    const hint =
      close.length > 0
        ? `; a study with the digest ${close[0]?.id} is here: compare all 64 digits with its proposer`
        : '; see "consilium study ls"'
    throw new ConsiliumError({
      code: 'study-digest-differs',
      message: `no proposed study has the digest "${given.slice(0, 80)}"${hint}`,
    })
  }
  await daemon.command((ticket) => ({ type: 'study-accept', ticket, study: state.id }))
  return { study: state.id, name: state.study.name }
}

async function bindStudy(daemon: Daemon, ref: string, body: Record<string, unknown>): Promise<BindReport> {
  const state = findStudy(daemon, ref)
  const extra = text(body, 'extra')
  if (extra !== 'refuse' && extra !== 'ignore')
    throw new ConsiliumError({ code: 'body-malformed', message: 'extra: "refuse" or "ignore" is expected' })
  const request = {
    path: text(body, 'path'),
    columns: words(body, 'columns'),
    units: words(body, 'units'),
    extra,
    ...(body.subject === undefined ? {} : { subject: text(body, 'subject') }),
  } as const
  await requireAgreed(daemon, state, 'access')
  return { study: state.id, ...(await daemon.bind(state.id, request)) }
}

async function pauseStudy(daemon: Daemon, ref: string, paused: boolean): Promise<{ study: StudyId; name: string }> {
  const state = findStudy(daemon, ref)
  await daemon.command((ticket) => ({ type: 'study-pause', ticket, study: state.id, paused }))
  return { study: state.id, name: state.study.name }
}

/** @returns how many of the members that bound a table have said so by now. */
async function endStudy(
  daemon: Daemon,
  ref: string,
): Promise<{ study: StudyId; name: string; said: number; of: number }> {
  const state = findStudy(daemon, ref)
  await daemon.command((ticket) => ({ type: 'study-end', ticket, study: state.id }))
  const taking = [...state.bound].filter((member) => daemon.home.membership.roll.isMember(member))
  const said = taking.filter((member) => state.enough.has(member)).length
  return { study: state.id, name: state.study.name, said, of: taking.length }
}
