/** The calls about agreements: which there are, what parties say of them, and what they allow now. */
import { type Agreement, agreementDocument, agreementFromDocument, agreementIdOf } from '../config/agreement.ts'
import { AGREEMENT_ACTIONS, type AgreementAction } from '../config/agreementSchema.ts'
import { fromHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { AgreementId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type AgreementState, dutiesDone, type Place } from '../governance/agreements.ts'
import { compileGuard, guardComplaint } from '../governance/guards.ts'
import { AGREEMENT_CLAUSES, ENDING_REASONS } from '../governance/kinds/agreements.ts'
import type { Kind } from '../governance/kinds.ts'
import { lintText } from '../governance/privacyLint.ts'
import type { StudyState } from '../governance/studies.ts'
import { binds, clausesOf, guardInputs, underAgreements } from '../governance/terms.ts'
import { mayBring } from '../governance/workflow.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import type { AgreementLine, AgreementReport, AgreementSaid, CheckReport, ClauseReport } from './agreementApi.ts'
import { actOf, nameIn, standingAt, stateReport } from './agreementDesk.ts'
import { findAgreement } from './agreementReference.ts'
import { text } from './bodyFields.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { refOf } from './models.ts'
import { findStudy } from './studyReference.ts'

type Body = Record<string, unknown>
const DAY_MS = 86_400_000

/** Routes of the control API. */
export function agreementCalls(daemon: Daemon): Routes {
  return {
    'GET /v1/agreements': async () => ({ agreements: known(daemon).map((state) => lineOf(daemon, state)) }),
    'GET /v1/agreements/:': async ({ parts }) => report(daemon, findAgreement(daemon, parts[0] ?? '')),
    'GET /v1/agreement-state': async () => stateReport(daemon.machine, nameIn(daemon)),
    'POST /v1/agreements': ({ body }) => propose(daemon, body),
    'POST /v1/agreements/check': async ({ body }) => check(daemon, body),
    'POST /v1/agreements/:/sign': ({ parts }) => sign(daemon, parts[0] ?? ''),
    'POST /v1/agreements/:/refuse': ({ parts, body }) => refuse(daemon, parts[0] ?? '', body),
    'POST /v1/agreements/:/end': ({ parts, body }) => end(daemon, parts[0] ?? '', body),
    'POST /v1/agreements/:/event': ({ parts, body }) => happened(daemon, parts[0] ?? '', text(body, 'event')),
  }
}

const known = (daemon: Daemon): AgreementState[] => daemon.machine.view().agreements.all()

function lineOf(daemon: Daemon, state: AgreementState): AgreementLine {
  const { agreement, id } = state
  const { status, rests, because, parties } = standingAt(daemon, state)
  const required = parties.filter((one) => one.required)
  const studies = daemon.machine.view().studies.map((one) => one.state)
  return {
    ...{ agreement: id, name: agreement.name, status, expires: agreement.expires },
    because: rests === null ? null : { code: because ?? '', ...told(daemon, rests) },
    studies: agreement.studies.map((study) => {
      return { study, name: studies.find((one) => one.id === study)?.study.name ?? null }
    }),
    signed: required.filter(({ word }) => word === 'signed').length,
    required: required.length,
    ours: parties.some(({ member }) => member === daemon.home.key.id),
  }
}

const told = (daemon: Daemon, { author, seq }: Place): { by: string; entry: string } => {
  return { by: daemon.nameOf(author), entry: refOf(daemon, author, seq) }
}

function report(daemon: Daemon, state: AgreementState): AgreementReport {
  const { agreement, said } = state
  const { parties, workflow } = standingAt(daemon, state)
  const done = dutiesDone(state)
  return {
    ...lineOf(daemon, state),
    document: Buffer.from(agreementDocument(agreement)).toString('base64'),
    proposals: [...said.proposals.values()].map((place) => told(daemon, place)),
    parties: parties.map(({ member, required, word, clause, place }) => {
      const entry = place === null ? null : refOf(daemon, member, place.seq)
      return { name: daemon.nameOf(member), required, word, clause, entry }
    }),
    workflow,
    duties: agreement.duties.map(({ duty, withinDays }) => {
      const place = done.get(duty)
      const dueMs = agreement.starts === null ? null : agreement.starts + withinDays * DAY_MS
      return { duty, dueMs, done: place === undefined ? null : told(daemon, place) }
    }),
    members: agreement.parties.map(({ member }) => ({ key: member, name: daemon.nameOf(member) })),
  }
}

/** Proposing does not sign: the digest is read and compared first. Errors: `agreement-…`. */
async function propose(daemon: Daemon, body: Body): Promise<AgreementSaid> {
  const { agreement, document, id } = given(body)
  if (body.acceptText !== true) requireNoPersonalData(agreement)
  const { agreements } = daemon.machine.view()
  const self = daemon.home.key.id
  if (agreements.get(id)?.said.proposals.has(self) !== true) {
    if (!agreements.mayPropose(self)) {
      const message = `this hospital has proposed ${LIMITS.agreementsPerMemberMax} agreements, and no more are followed: let another party propose it`
      throw refused('agreements-full', message)
    }
    await record(daemon, { kind: 'agreement.proposed', body: { document } })
  }
  return saidOf(daemon, id)
}

function given(body: Body): { agreement: Agreement; document: Uint8Array; id: AgreementId } {
  const document = new Uint8Array(Buffer.from(text(body, 'document'), 'base64'))
  const agreement = agreementFromDocument(document)
  const fault = guardComplaint(agreement)
  if (fault !== null) throw refused('agreement-invalid', fault.message)
  return { agreement, document, id: agreementIdOf(document) }
}

/** Digests and codes look like record numbers; what people write does not. Error: `agreement-personal-data`. */
function requireNoPersonalData({ name, datasets, guards, workflow }: Agreement): void {
  const written = {
    name,
    datasets: datasets.map((one) => one.name),
    guards: guards.map((one) => ({ name: one.name, cel: one.cel.replaceAll(/DUO:\d{7}/g, '') })),
    workflow: workflow?.states.map((one) => one.name) ?? [],
  }
  const found = lintText(written)
  if (found === null) return
  const message = `${found.path}: it holds what looks like ${found.what}; an agreement is copied to every member for good: take it out, or, if it says nothing of a person, add --accept-text`
  throw refused('agreement-personal-data', message)
}

/** Signing takes the whole digest: it is what the parties compared. */
async function sign(daemon: Daemon, digits: string): Promise<AgreementSaid> {
  const state = known(daemon).find(({ id }) => id === digits)
  if (state === undefined) {
    const close = known(daemon).find(({ id }) => digits.length >= 8 && id.startsWith(digits.slice(0, 8)))
    const hint =
      close === undefined
        ? 'see "consilium agreement ls"'
        : `one with the digest ${close.id} is here: compare all 64 digits`
    throw refused('agreement-digest-differs', `no proposed agreement has the digest "${digits.slice(0, 80)}"; ${hint}`)
  }
  requireParty(daemon, state)
  const { status, parties } = standingAt(daemon, state)
  if (status === 'ended' || status === 'expired')
    throw refused('agreement-over', `agreement ${short(state)} is ${status}, for good: propose another one`)
  const own = parties.find(({ member }) => member === daemon.home.key.id)
  if (own?.word !== 'signed' && own?.word !== 'pending') await say(daemon, state, 'agreement.signed', {})
  return saidOf(daemon, state.id)
}

async function refuse(daemon: Daemon, digits: string, body: Body): Promise<AgreementSaid> {
  const clause = oneOf(body, 'clause', AGREEMENT_CLAUSES)
  const state = findAgreement(daemon, digits)
  requireParty(daemon, state)
  await say(daemon, state, 'agreement.refused', { clause })
  return saidOf(daemon, state.id)
}

async function end(daemon: Daemon, digits: string, body: Body): Promise<AgreementSaid> {
  const reason = oneOf(body, 'reason', ENDING_REASONS)
  const state = findAgreement(daemon, digits)
  requireParty(daemon, state)
  await say(daemon, state, 'agreement.ended', { reason })
  return saidOf(daemon, state.id)
}

/** An event of the workflow that this hospital may bring about from where it stands, or a duty that is done. Error: `agreement-event`. */
async function happened(daemon: Daemon, digits: string, event: string): Promise<AgreementSaid> {
  const state = findAgreement(daemon, digits)
  requireParty(daemon, state)
  const { workflow, parties, duties } = state.agreement
  const at = standingAt(daemon, state).workflow?.known ?? null
  const self = daemon.home.key.id
  const ways = (workflow?.transitions ?? []).filter((one) => one.from === at && mayBring(one, parties, self))
  const allowed = [...ways.map((one) => one.event), ...duties.map(({ duty }) => duty)]
  if (!allowed.includes(event)) {
    const may =
      allowed.length === 0 ? 'nothing is' : `${[...new Set(allowed)].join(', ')} ${allowed.length === 1 ? 'is' : 'are'}`
    const where = at === null ? '' : `, where the workflow stands at ${at}`
    throw refused('agreement-event', `"${event.slice(0, 64)}" was given; of this hospital ${may} allowed now${where}`)
  }
  await say(daemon, state, 'agreement.event', { event })
  return saidOf(daemon, state.id)
}

/** Of a study now; with a document as if that were active, whoever has signed it. */
function check(daemon: Daemon, body: Body): CheckReport {
  const action = oneOf(body, 'action', AGREEMENT_ACTIONS) as AgreementAction
  const tried = body.document === undefined ? null : given(body)
  const study = studyOf(daemon, body, tried?.agreement ?? null)
  if (tried !== null) requireAbout(daemon, tried.agreement, study)
  const act = actOf(daemon, study, action)
  const states = daemon.machine.view().agreements.naming(study.id)
  const ours = states.filter(({ agreement }) => agreement.parties.some(({ member }) => member === act.self))
  const found = underAgreements(daemon.machine.view().agreements, act, nameIn(daemon))
  const rows = ours.map((state) => ({ state, standing: standingAt(daemon, state) }))
  const shown = tried === null ? rows : [{ state: dryState(tried), standing: asActive(tried.agreement) }]
  const tables = shown.map(({ state, standing }) => ({
    agreement: state.id,
    name: state.agreement.name,
    status: tried !== null ? 'tried, as if signed' : statusShown(standing.status, binds(state, act)),
    clauses: clausesOf(state, standing, act).map((one) => clauseReport(daemon, one)),
  }))
  const dryAllows = tables.every(({ clauses }) => clauses.every(({ allows }) => allows))
  const refusal = tried === null && 'forbidden' in found ? found.forbidden : null
  return {
    ...{ study: study.id, studyName: study.study.name, action, agreements: tables },
    allowed: tried === null ? refusal === null : dryAllows,
    refusal: refusal && { code: refusal.code, message: refusal.message },
    inputs: shownInputs(guardInputs(act, expiryOf(shown.map(({ state }) => state)))),
  }
}

const statusShown = (status: string, binding: boolean): string =>
  binding
    ? status
    : `${status}; it binds nobody here, for no word of this hospital or of who proposed the study is in it`

function studyOf(daemon: Daemon, { study }: Body, tried: Agreement | null) {
  if (typeof study === 'string') return findStudy(daemon, study)
  const [first] = tried?.studies ?? []
  if (first !== undefined) return findStudy(daemon, first)
  throw refused('body-malformed', 'study: a string is expected')
}

/** Of a study that it does not name, or to a hospital that is no party, an agreement says nothing. Errors: `agreement-foreign`, `agreement-study`. */
function requireAbout(daemon: Daemon, { studies, parties }: Agreement, { id, study }: StudyState): void {
  if (!studies.includes(id))
    throw refused('agreement-study', `the agreement does not name study ${id.slice(0, 12)} ("${study.name}"): add it`)
  if (parties.some(({ member }) => member === daemon.home.key.id)) return
  const names = parties.map(({ member }) => daemon.nameOf(member)).join(', ')
  throw refused('agreement-foreign', `the agreement is between ${names}: it says nothing of what this hospital does`)
}

const expiryOf = (states: readonly AgreementState[]): number =>
  Math.min(...states.map(({ agreement }) => agreement.expires), Number.MAX_SAFE_INTEGER)

function dryState({ agreement, id }: ReturnType<typeof given>): AgreementState {
  const guards = agreement.guards.flatMap(({ cel }) => {
    const compiled = compileGuard(cel)
    return 'guard' in compiled ? [compiled.guard] : []
  })
  const said = { proposals: new Map(), words: new Map(), ends: new Map(), events: new Map() }
  return { id, agreement, guards, said }
}

function asActive(agreement: Agreement): ReturnType<typeof standingAt> {
  const { parties, workflow, starts, expires } = agreement
  const nowMs = Date.now()
  const start = workflow?.start ?? ''
  return {
    status: nowMs >= expires ? 'expired' : starts !== null && nowMs < starts ? 'upcoming' : 'active',
    ...{ rests: null, because: null },
    parties: parties.map(({ member, required }) => ({ member, required, word: 'signed', place: null, clause: null })),
    workflow: workflow === null ? null : { final: start, known: start },
  }
}

function clauseReport(
  daemon: Daemon,
  { clause, code, says, rests, ask }: ReturnType<typeof clausesOf>[number],
): ClauseReport {
  const name = nameIn(daemon)
  const entry = rests === null ? null : refOf(daemon, rests.author, rests.seq)
  return { clause, allows: code === null, code, says: says(name), entry, ask: ask.map(name) }
}

function shownInputs(inputs: ReturnType<typeof guardInputs>): CheckReport['inputs'] {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, typeof value === 'bigint' ? `${value}` : value]),
  )
}

/** Errors: `agreement-foreign`, `agreements-full`. */
function requireParty(daemon: Daemon, state: AgreementState): void {
  const self = daemon.home.key.id
  if (!state.agreement.parties.some(({ member }) => member === self)) {
    const parties = state.agreement.parties.map(({ member }) => daemon.nameOf(member)).join(', ')
    const message = `agreement ${short(state)} is between ${parties}: this hospital has no word in it`
    throw refused('agreement-foreign', message)
  }
  if (!daemon.machine.view().agreements.maySpeakOf(self, state.id)) {
    const message = `this hospital has spoken of ${LIMITS.agreementsMentionedMax} agreements, and no more are followed`
    throw refused('agreements-full', message)
  }
}

const short = ({ id }: AgreementState): string => id.slice(0, 12)

async function say(daemon: Daemon, { id, said }: AgreementState, kind: Kind, more: object): Promise<void> {
  const [place] = said.proposals.values()
  const refs = place === undefined ? [] : ([[place.author, place.seq, place.hash]] as const)
  await record(daemon, { kind, refs, body: { agreement: fromHex(id), ...more } as Draft['body'] })
}

async function record(daemon: Daemon, draft: Pick<Draft, 'kind' | 'body'> & Partial<Draft>): Promise<void> {
  const { writer } = daemon
  if (writer === null) throw new ConsiliumError(FENCED)
  writer.record('agreement', [{ study: null, timeMs: Date.now(), refs: [], ...draft }], new Map())
  await writer.flush()
}

function saidOf(daemon: Daemon, id: AgreementId): AgreementSaid {
  const state = daemon.machine.view().agreements.get(id)
  if (state === undefined) throw refused('agreement-unknown', `agreement ${id.slice(0, 12)} could not be read back`)
  const entry = newestOf(daemon, state)
  return { agreement: id, name: state.agreement.name, status: standingAt(daemon, state).status, entry }
}

/** The newest own entry about it. */
function newestOf(daemon: Daemon, { said }: AgreementState): string | null {
  const self = daemon.home.key.id
  const places = [
    said.proposals.get(self),
    said.words.get(self)?.at(-1)?.place,
    said.ends.get(self)?.place,
    said.events.get(self)?.at(-1),
  ]
  const seqs = places.flatMap((place) => (place === undefined ? [] : [place.seq]))
  return seqs.length === 0 ? null : refOf(daemon, self, Math.max(...seqs))
}

function oneOf<const W extends readonly string[]>(body: Body, field: string, words: W): W[number] {
  const value = text(body, field)
  if (words.includes(value)) return value
  throw refused(
    'body-malformed',
    `--${field}: ${JSON.stringify(value.slice(0, 64))} was given, ${words.join(', ')} are allowed`,
  )
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
