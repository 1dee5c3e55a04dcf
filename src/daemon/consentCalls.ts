/** The calls about patients: what they said, what follows, who is forgotten. Record numbers come in bodies alone, which no log has. */
import { DUO_CODES, type DuoCode } from '../core/duo.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { StudyId } from '../core/ids.ts'
import { type ConsentDecision, SPEAKERS, type Speaker } from '../governance/consent.ts'
import { RESTART_REASONS } from '../governance/kinds/keeping.ts'
import { ERASURE_REASONS } from '../governance/kinds.ts'
import { TIME_MS_MAX } from '../ledger/entry.ts'
import { FENCED } from '../node/boot.ts'
import { text } from './bodyFields.ts'
import type { ErasedReport, PatientReport, RestartReport, SaidReport } from './consentApi.ts'
import { auditRound, checkOpened } from './consentAudit.ts'
import { exportConsents, importConsents } from './consentFiles.ts'
import type { Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { patientFile, subjectKey } from './patientFile.ts'
import { receipt } from './receipts.ts'
import { researchReport } from './researchReport.ts'
import { findStudy } from './studyReference.ts'
import { subjectReport } from './subjectReport.ts'
import { knownIn } from './vaultKeeper.ts'
import { requirePeriod, saidReport, standings, wordReports } from './wordReports.ts'

type Body = Record<string, unknown>

const FORM = /^[a-z][a-z0-9.-]{0,63}$/
const SPEAKER_CHARACTERS_MAX = 200 // a name and what gives the right to speak
const RECORD_CHARACTERS_MAX = 128 // as in tables

/** Routes of the control API. */
export function consentCalls(daemon: Daemon): Routes {
  return {
    'POST /v1/consent': ({ body }) => say(daemon, body),
    'POST /v1/consent/import': ({ body }) => importConsents(daemon, text(body, 'path')),
    'POST /v1/consent/export': ({ body }) => exportConsents(daemon, text(body, 'path')),
    'POST /v1/consent/restart': ({ body }) => restart(daemon, body),
    'POST /v1/consent/show': ({ body }) => show(daemon, record(body)),
    'POST /v1/consent/receipt': ({ body }) => receipt(daemon, record(body)),
    'POST /v1/subjects/report': ({ body }) => subjectReport(daemon, record(body)),
    'GET /v1/research': ({ query }) => researchReport(daemon, periodOf(query)),
    'POST /v1/subjects/key': ({ body }) => subjectKey(daemon, record(body)),
    'POST /v1/subjects/file': ({ body }) => patientFile(daemon, record(body)),
    'POST /v1/audit/round': ({ body }) =>
      auditRound(daemon, text(body, 'ref'), body.open === undefined ? null : text(body, 'open')),
    'POST /v1/audit/check': ({ body }) => checkOpened(daemon, text(body, 'path')),
    'POST /v1/subjects/erase': ({ body }) => erase(daemon, body),
  }
}

async function say(daemon: Daemon, body: Body): Promise<SaidReport> {
  const nowMs = Date.now()
  const decision: ConsentDecision = {
    decision: oneOf(body, 'decision', ['permit', 'deny']),
    purposes: purposesOf(body),
    study: await studyOf(daemon, body),
    fromMs: time(body, 'from'),
    toMs: time(body, 'to'),
    by: oneOf(body, 'by', SPEAKERS) as Speaker,
    receivedAtMs: nowMs,
    effectiveAtMs: time(body, 'effective') ?? nowMs,
    form: form(body),
  }
  requirePeriod(decision)
  await daemon.vault.say([{ record: record(body), decision, speaker: speakerOf(body, decision.by) }])
  await daemon.writer?.flush()
  return saidReport(decision)
}

/** One study, one trial, or all; a trial is named by its digest as a study is. */
async function studyOf(daemon: Daemon, { study, trial }: Body): Promise<ConsentDecision['study']> {
  if (trial === undefined) return study === undefined ? 'all' : findStudy(daemon, text({ study }, 'study')).id
  if (study !== undefined) throw malformed('--study and --trial were given: a word is about one of them, or all')
  return (await daemon.trials.find(text({ trial }, 'trial'))).record.id as string as StudyId
}

function periodOf(query: URLSearchParams): { sinceMs: number; untilMs: number } {
  const [sinceMs, untilMs] = ['since', 'until'].map((name) => Number(query.get(name) ?? Number.NaN)) as [number, number]
  if (Number.isNaN(sinceMs) || Number.isNaN(untilMs))
    throw malformed('since and until: milliseconds since 1970 expected')
  return { sinceMs, untilMs }
}

async function show(daemon: Daemon, given: string): Promise<PatientReport> {
  const book = await daemon.vault.book()
  const subject = knownIn(book, given)
  return {
    words: wordReports(daemon, subject, await daemon.ownLog.rounds()),
    studies: standings(daemon, subject, book, Date.now()),
  }
}

async function restart(daemon: Daemon, body: Body): Promise<RestartReport> {
  const reason = oneOf(body, 'reason', RESTART_REASONS)
  if (daemon.writer === null) throw new ConsiliumError(FENCED) // the log says how many words there were
  const done = await daemon.vault.restart(reason)
  await daemon.writer.flush()
  return { ...done, reason }
}

async function erase(daemon: Daemon, body: Body): Promise<ErasedReport> {
  const reason = oneOf(body, 'reason', ERASURE_REASONS)
  const { subjects } = body
  if (!Array.isArray(subjects) || subjects.length === 0 || !subjects.every((one) => typeof one === 'string'))
    throw malformed('subjects: a list of record numbers is expected')
  const records = [...new Set(subjects.map(recordOf))]
  await daemon.vault.forget(records, reason, Date.now())
  await daemon.writer?.flush()
  return { subjects: records.length, reason }
}

function purposesOf({ purposes }: Body): ConsentDecision['purposes'] {
  if (purposes === undefined) return 'all'
  const codes = Array.isArray(purposes) ? purposes : []
  const unknown = codes.find((code) => !(DUO_CODES as readonly unknown[]).includes(code))
  if (codes.length > 0 && unknown === undefined) return [...new Set(codes as DuoCode[])].sort()
  const message = `--purpose: ${JSON.stringify(unknown ?? purposes)} was given, codes of the Data Use Ontology are allowed: ${DUO_CODES.join(', ')}`
  throw new ConsiliumError({ code: 'consent-purpose', message })
}

const WHO: Readonly<Record<Speaker, string>> = {
  subject: 'who spoke',
  proxy: 'who the proxy is',
  guardian: 'who the guardian is',
  court: 'which court, and the number of its order',
  emergency: 'who decided in the emergency',
}

/** Who speaks for a patient is written down. Error: `consent-speaker`. */
function speakerOf({ speaker }: Body, by: Speaker): string | null {
  const given = typeof speaker === 'string' && speaker.length <= SPEAKER_CHARACTERS_MAX ? speaker.trim() || null : null
  if (by === 'subject' ? speaker === undefined : given !== null) return given
  const message =
    by === 'subject'
      ? '--speaker: nobody speaks for a patient who speaks: leave it out, or say --by proxy, guardian, court or emergency'
      : `--speaker: say ${WHO[by]}, in at most ${SPEAKER_CHARACTERS_MAX} characters; it stays in the vault`
  throw new ConsiliumError({ code: 'consent-speaker', message })
}

function form(body: Body): string {
  const given = body.form === undefined ? 'in-person' : text(body, 'form')
  if (FORM.test(given)) return given
  const message = `--form: ${JSON.stringify(given.slice(0, 64))} was given, a short word in small letters is allowed, such as in-person or general-consent-v3`
  throw new ConsiliumError({ code: 'consent-form', message })
}

function time(body: Body, field: string): number | null {
  const given = body[field]
  if (given === undefined) return null
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= 0 && given <= TIME_MS_MAX) return given
  throw malformed(`${field}: milliseconds since 1970, before the year 9999, are expected`)
}

/** The record number in a body. */
export const record = (body: Body): string => recordOf(text(body, 'subject'))

function recordOf(given: string): string {
  const trimmed = given.trim().normalize('NFC')
  if (trimmed.length > 0 && trimmed.length <= RECORD_CHARACTERS_MAX) return trimmed
  throw malformed(`--subject: a record number of 1 to ${RECORD_CHARACTERS_MAX} characters is expected`)
}

function oneOf<const W extends readonly string[]>(body: Body, field: string, words: W): W[number] {
  const given = text(body, field)
  if (words.includes(given)) return given
  throw malformed(`${field}: ${JSON.stringify(given.slice(0, 64))} was given, ${words.join(', ')} are allowed`)
}

const malformed = (message: string): ConsiliumError => new ConsiliumError({ code: 'body-malformed', message })
