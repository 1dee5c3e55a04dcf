/** The calls about who may use which dataset: asked for, granted, refused, taken back. */

import { fromHex } from '../core/bytes.ts'
import { covers, duoLabel, duoNumber } from '../core/duo.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { type AccessRequest, type AccessStanding, accessHash } from '../governance/access/requests.ts'
import { ACCESS_REASON_CODES, ACCESS_REASONS, type AccessReason } from '../governance/kinds/access.ts'
import { TIME_MS_MAX } from '../ledger/entry.ts'
import type { AccessDetails, AccessLine, AccessStateReport } from './accessApi.ts'
import { text } from './bodyFields.ts'
import { datasetRef, findDataset, purposesIn, record } from './catalogueCalls.ts'
import type { Routes } from './control.ts'
import { cutOf } from './cut.ts'
import type { Daemon } from './daemon.ts'
import { memberOf, stateOf } from './logFilter.ts'
import { refOf } from './models.ts'
import { squeeze } from './squeeze.ts'
import { findStudy } from './studyReference.ts'
import { Turns } from './turns.ts'

type Body = Record<string, unknown>
const DAY_MS = 86_400_000
const YEARS_MAX = 10 // a grant for longer is forgotten by who gave it

/** Routes of the control API. */
export function accessCalls(daemon: Daemon): Routes {
  const turns = new Turns<'say'>() // what is looked at before something is said still holds when it is
  return {
    'GET /v1/access': async ({ query }) => ({ requests: list(daemon, query.get('which')) }),
    'GET /v1/access/show': async ({ query }) => details(daemon, find(daemon, query.get('ref') ?? '')),
    'GET /v1/access/state': async () => stateReport(daemon),
    'POST /v1/access': ({ body }) => turns.run('say', () => ask(daemon, body)),
    'POST /v1/access/grant': ({ body }) => turns.run('say', () => grant(daemon, body)),
    'POST /v1/access/refuse': ({ body }) => turns.run('say', () => deny(daemon, body, 'access.refused')),
    'POST /v1/access/revoke': ({ body }) => turns.run('say', () => deny(daemon, body, 'access.revoked')),
  }
}

/** `mine`: what this hospital asked for; `waiting`: what it has to answer. */
function list(daemon: Daemon, which: string | null): AccessLine[] {
  const lines = daemon.machine
    .view()
    .access.all()
    .map((request) => lineOf(daemon, request))
  if (which === 'mine') return lines.filter(({ mine }) => mine)
  if (which === 'waiting') return lines.filter(({ ours, status }) => ours && status === 'asked')
  return lines
}

const standingNow = (daemon: Daemon, request: AccessRequest): AccessStanding =>
  daemon.machine.view().access.standing(request, cutOf(daemon.machine), Date.now())

function lineOf(daemon: Daemon, request: AccessRequest): AccessLine {
  const { asker, owner, purposes, study, place, askedAtMs, untilMs } = request
  const standing = standingNow(daemon, request)
  const { status, reason, rests, untilMs: grantedUntilMs } = standing
  const self = daemon.home.key.id
  const known = daemon.machine.view().studies.find(({ state }) => state.id === study)?.state
  return {
    ...{ ref: refOf(daemon, place.author, place.seq), by: daemon.nameOf(asker), dataset: targetRef(daemon, request) },
    purposes: purposes.map((code) => ({ code, label: duoLabel(code) })),
    study: study === null ? null : { study, name: known?.study.name ?? null },
    ...{ askedAtMs, untilMs, status, reason, grantedUntilMs, says: sentence(daemon, request, standing) },
    rests: rests === null ? null : { by: daemon.nameOf(rests.author), entry: refOf(daemon, rests.author, rests.seq) },
    ...{ mine: asker === self, ours: owner === self },
  }
}

function targetRef(daemon: Daemon, { owner, dataset }: AccessRequest): string {
  const standing = daemon.machine.view().access.catalogue.standing(owner, dataset, cutOf(daemon.machine))
  return standing === null ? `${squeeze(daemon.nameOf(owner))}/${dataset.slice(0, 12)}` : datasetRef(daemon, standing)
}

function sentence(daemon: Daemon, request: AccessRequest, { status, reason, rests }: AccessStanding): string {
  const owner = daemon.nameOf(request.owner)
  switch (status) {
    case 'asked':
      return `${owner} has not answered yet`
    case 'pending':
      return `${owner} granted it; it counts when enough members have cosigned that`
    case 'granted':
      return 'it may be used'
    case 'withdrawn':
      return `${owner} announces the dataset no longer`
    case 'expired':
      return rests === null
        ? 'it ran out without an answer: ask again if need be'
        : 'it has run out: ask again if need be'
    default:
      return ACCESS_REASONS[reason as AccessReason]
  }
}

function details(daemon: Daemon, request: AccessRequest): AccessDetails {
  const line = lineOf(daemon, request)
  const words = daemon.machine
    .view()
    .access.words(request)
    .map(({ said, untilMs, reason, place }) => {
      const { author, seq } = place
      return { said, untilMs, reason, entry: refOf(daemon, author, seq), state: stateOf(daemon, author, seq) }
    })
  const study =
    line.study === null ? 'studies that it proposes for these purposes' : `study ${line.study.study.slice(0, 12)}`
  const permits =
    line.status === 'granted'
      ? [`${line.by} may ask for counts of ${line.dataset}`, `${line.dataset} may be bound to ${study}`]
      : []
  return { ...line, words, permits }
}

/** The request that is meant by the entry that asks, MEMBER/NUMBER. Error: `access-unknown`. */
function find(daemon: Daemon, ref: string): AccessRequest {
  const numbered = /^(.+)\/(\d+)$/.exec(ref)
  const all = daemon.machine.view().access.all()
  const author = numbered === null ? null : memberOf(daemon, numbered[1] as string)
  const found = all.find(({ place }) => place.author === author && place.seq === Number(numbered?.[2]))
  if (found !== undefined) return found
  const message = `"${ref.slice(0, 80)}" is no request for a dataset that is known here: MEMBER/NUMBER of the entry that asks is expected, see consilium access ls`
  throw refused('access-unknown', message)
}

/** Errors: `access-…`, `catalogue-unknown`, `member-unknown`, those of `findStudy`. */
async function ask(daemon: Daemon, body: Body): Promise<AccessLine> {
  const dataset = findDataset(daemon, `${text(body, 'member')}/${text(body, 'dataset')}`)
  const self = daemon.home.key.id
  const called = datasetRef(daemon, dataset)
  if (dataset.owner === self) throw refused('access-own', `${called}: is this hospital's own, and needs no leave`)
  if (dataset.status === 'withdrawn')
    throw refused('access-withdrawn', `${called}: was withdrawn (${dataset.reason}): see consilium catalogue ls`)
  const purposes = purposesIn(body)
  if (purposes === null)
    throw refused('access-purpose', '--purpose: say what for, by a code of the Data Use Ontology, such as DUO:0000006')
  const { purposes: announced } = dataset.announced
  if (!covers(announced, purposes)) {
    const message = `--purpose: ${purposes.join(', ')} was given; ${called} may be used for ${announced.map((code) => `${code} (${duoLabel(code)})`).join(', ')}, and a condition among these has to be declared too`
    throw refused('access-purpose', message)
  }
  const untilMs = untilIn(body)
  const study = body.study === undefined ? null : findStudy(daemon, text(body, 'study')).id
  const { access } = daemon.machine.view()
  const again = access
    .of(dataset.owner, dataset.dataset)
    .find(
      (one) =>
        one.asker === self &&
        one.study === study &&
        covers(one.purposes, purposes) &&
        one.untilMs >= untilMs &&
        isOpen(standingNow(daemon, one)),
    )
  if (again !== undefined)
    throw refused(
      'access-again',
      `${refOf(daemon, self, again.place.seq)} asks for that already, and is ${standingNow(daemon, again).status}: consilium access show ${refOf(daemon, self, again.place.seq)}`,
    )
  if (!access.mayAsk(self))
    throw refused('access-full', 'this hospital has asked as often as is followed: no more requests are looked at')
  const { author, seq, hash } = dataset.place
  const asked = { member: fromHex(dataset.owner), dataset: fromHex(dataset.dataset), until: untilMs }
  const id = await record(daemon, {
    ...{ kind: 'access.asked', study, refs: [[author, seq, hash]] },
    body: { ...asked, purposes: purposes.map(duoNumber).sort((a, b) => a - b) },
  })
  const request = access.get(id)
  invariant(request !== undefined, 'what may be asked is looked at')
  return lineOf(daemon, request)
}

const isOpen = ({ status }: AccessStanding): boolean =>
  status === 'asked' || status === 'pending' || status === 'granted'

async function grant(daemon: Daemon, body: Body): Promise<AccessLine> {
  const request = requireOurs(daemon, find(daemon, text(body, 'ref')))
  const standing = standingNow(daemon, request)
  const untilMs = body.until === undefined ? request.untilMs : untilIn(body)
  if (untilMs > request.untilMs)
    throw refused(
      'access-until',
      `--until: no later than ${day(request.untilMs)}, until when it was asked for, is allowed`,
    )
  if (!isOpen(standing) && !(standing.status === 'expired' && standing.rests !== null && untilMs > Date.now())) {
    const by = standing.rests === null ? '' : `, entry ${refOf(daemon, standing.rests.author, standing.rests.seq)}`
    throw refused(
      'access-over',
      `this request is ${standing.status}${by}, for good: whoever still wants it asks again, consilium access ask`,
    )
  }
  if (isOpen(standing) && standing.status !== 'asked' && standing.untilMs === untilMs)
    throw refused('access-again', `it is granted until ${day(untilMs)} already`)
  requireHeard(daemon, request, true)
  const { author, seq, hash } = request.place
  const refs = [[author, seq, hash]] as const
  await record(daemon, {
    kind: 'access.granted',
    study: request.study,
    refs,
    body: { request: fromHex(request.id), until: untilMs },
  })
  return lineOf(daemon, request)
}

/** Refuses what was asked; takes back what was granted. */
async function deny(daemon: Daemon, body: Body, kind: 'access.refused' | 'access.revoked'): Promise<AccessLine> {
  const given = text(body, 'reason')
  const reason = ACCESS_REASON_CODES.find((one) => one === given)
  if (reason === undefined)
    throw refused(
      'access-reason',
      `--reason: ${JSON.stringify(given.slice(0, 64))} was given, ${ACCESS_REASON_CODES.join(', ')} are allowed`,
    )
  const request = requireOurs(daemon, find(daemon, text(body, 'ref')))
  const { status, rests } = standingNow(daemon, request)
  const was = daemon.machine.view().access.words(request).length > 0
  const other = kind === 'access.refused' ? 'revoke' : 'refuse'
  if (status === 'refused' || status === 'revoked')
    throw refused(
      'access-over',
      `this request was ${status} before, in entry ${rests === null ? '' : refOf(daemon, rests.author, rests.seq)}`,
    )
  if (was !== (kind === 'access.revoked'))
    throw refused(
      'access-order',
      `this request is ${status}, and ${was ? 'was granted' : 'nothing was granted yet'}: consilium access ${other}`,
    )
  requireHeard(daemon, request, false)
  const { author, seq, hash } = request.place
  const refs = [[author, seq, hash]] as const
  await record(daemon, { kind, study: request.study, refs, body: { request: fromHex(request.id), reason } })
  return lineOf(daemon, request)
}

/** Error: `access-foreign`. */
function requireOurs(daemon: Daemon, request: AccessRequest): AccessRequest {
  if (request.owner === daemon.home.key.id) return request
  const owner = daemon.nameOf(request.owner)
  throw refused('access-foreign', `this request is for a dataset of ${owner}, and ${owner} alone answers it`)
}

/** Error: `access-full`. */
function requireHeard(daemon: Daemon, request: AccessRequest, isGrant: boolean): void {
  if (daemon.machine.view().access.mayAnswer(request, isGrant)) return
  const message =
    'as many requests, or grants of this one, were answered as are followed: whoever still wants it asks again, consilium access ask'
  throw refused('access-full', message)
}

/** Error: `access-until`. */
function untilIn({ until }: Body): number {
  const nowMs = Date.now()
  const latestMs = Math.min(TIME_MS_MAX, nowMs + YEARS_MAX * 366 * DAY_MS)
  if (typeof until === 'number' && Number.isSafeInteger(until) && until > nowMs && until <= latestMs) return until
  const given =
    typeof until === 'number' && Number.isSafeInteger(until) && Math.abs(until) < TIME_MS_MAX ? day(until) : 'nothing'
  throw refused('access-until', `--until: ${given} was given; a day after today, up to ${day(latestMs)}, is allowed`)
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

function stateReport(daemon: Daemon): AccessStateReport {
  const { machine } = daemon
  const { access, logs } = machine.view()
  const sizes = new Map<MemberId, number>(
    logs.map(({ author, size }) => [author, Math.min(size, machine.finality.final(author)?.size ?? 0)]),
  )
  const cut = [...sizes].map(([key, final]) => ({ name: daemon.nameOf(key), key, final }))
  return { state: accessHash(access, sizes), cut: cut.sort((a, b) => (a.key < b.key ? -1 : 1)) }
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
