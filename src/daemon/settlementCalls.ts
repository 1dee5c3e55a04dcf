/** The calls about settlements: what a period comes to, who measures, proposes and confirms, and what is closed. */
import { ConsiliumError } from '../core/errors.ts'
import type { AgreementState } from '../governance/agreements.ts'
import { MEASURE_METHODS, type MeasureMethod, SETTLEMENT_BOUNDS } from '../governance/kinds/settlement.ts'
import type { Attempt, Closed, ProposalWord } from '../governance/settlement/closings.ts'
import { fingerprint } from '../ledger/founding.ts'
import { findAgreement } from './agreementReference.ts'
import { text } from './bodyFields.ts'
import type { Query, Routes } from './control.ts'
import type { Daemon } from './daemon.ts'
import { memberOf } from './logFilter.ts'
import { refOf } from './models.ts'
import type {
  SettlementCheckReport,
  SettlementListLine,
  SettlementMeasured,
  SettlementReport,
  SettlementSaid,
} from './settlementApi.ts'
import type { Computed, SettlementDesk } from './settlementDesk.ts'
import { difference, differencesOf } from './settlementDifferences.ts'
import { findStudy } from './studyReference.ts'

type Body = Record<string, unknown>
const LAST_MAX = 1_000 // rounds measured in one call

/** Routes of the control API. All that is read here every member has. */
export function settlementCalls(daemon: Daemon, desk: SettlementDesk): Routes {
  return {
    'GET /v1/settlements': async () => ({ settlements: list(daemon, desk) }),
    'GET /v1/settlements/statement': ({ query }) => statement(daemon, desk, query),
    'GET /v1/settlements/check': ({ query }) => check(daemon, desk, query.get('ref') ?? ''),
    'POST /v1/settlements': ({ body }) => propose(daemon, desk, body),
    'POST /v1/settlements/confirm': ({ body }) => answer(daemon, desk, text(body, 'ref'), true),
    'POST /v1/settlements/refuse': ({ body }) => answer(daemon, desk, text(body, 'ref'), false),
    'POST /v1/settlements/measure': ({ body }) => measure(daemon, desk, body),
  }
}

const settling = (daemon: Daemon): AgreementState[] =>
  daemon.machine
    .view()
    .agreements.all()
    .filter(({ agreement }) => agreement.settlement.rule !== 'none')

function list(daemon: Daemon, desk: SettlementDesk): SettlementListLine[] {
  return settling(daemon).flatMap((state) => {
    const { closed, open, needed } = desk.standing(state)
    const voters = state.agreement.parties.filter(({ required }) => required).length
    const rule = state.agreement.settlement.rule
    const common = { agreement: state.id, agreementName: state.agreement.name, rule, needed, voters }
    const attempt = open.attempts.at(-1) as Attempt
    const proposal = mostConfirmed(attempt)
    const votes = [...attempt.votes, ...attempt.pending]
    return [
      ...closed.map(({ proposal: one, confirmed }: Closed): SettlementListLine => {
        const { period, until, place, attempt: failed } = one
        const entry = refOf(daemon, place.author, place.seq)
        const said = { confirmed: confirmed.length, refused: 0, failed }
        return { ...common, period: period + 1, status: 'closed', untilMs: until, proposal: entry, ...said }
      }),
      {
        ...common,
        period: open.period + 1,
        status: proposal === null ? ('open' as const) : ('proposed' as const),
        untilMs: proposal?.until ?? null,
        proposal: proposal && refOf(daemon, proposal.place.author, proposal.place.seq),
        confirmed: votes.filter((one) => one.objection === null && one.proposal === proposal?.place.hash).length,
        refused: votes.filter((one) => one.objection !== null).length,
        failed: attempt.attempt,
      },
    ]
  })
}

/** Of several proposals of one attempt the one that most parties confirm; of as many the first. */
function mostConfirmed({ proposals, votes, pending }: Attempt): ProposalWord | null {
  const count = ({ place }: ProposalWord): number =>
    [...votes, ...pending].filter((one) => one.objection === null && one.proposal === place.hash).length
  return proposals.reduce<ProposalWord | null>(
    (best, one) => (best === null || count(one) > count(best) ? one : best),
    null,
  )
}

/** Errors: `settlement-…`, `bad-period`. */
async function statement(daemon: Daemon, desk: SettlementDesk, query: Query): Promise<SettlementReport> {
  const startMs = performance.now()
  const state = findAgreement(daemon, query.get('agreement') ?? '')
  const { open } = desk.standing(state)
  const given = query.get('period')
  const period = given === null ? open.period : Number(given) - 1
  if (!Number.isInteger(period) || period < 0) {
    const message = `--period: ${JSON.stringify(given?.slice(0, 40))} was given, a number from 1 to ${open.period + 1} is allowed`
    throw refused('bad-period', message)
  }
  return reportOf(daemon, await desk.compute(state, period), startMs)
}

function reportOf(daemon: Daemon, { facts }: Computed, startMs: number): SettlementReport {
  const { consortium, config } = daemon.home
  const made = { by: config.name, madeAtMs: Date.now(), fingerprint: fingerprint(consortium.founding) }
  return { ...facts, origin: { consortium: consortium.name, ...made }, tookMs: performance.now() - startMs }
}

async function check(daemon: Daemon, desk: SettlementDesk, ref: string): Promise<SettlementCheckReport> {
  const startMs = performance.now()
  const { state, proposal } = find(daemon, ref)
  const { closed, open } = desk.standing(state)
  const computed = await desk.compute(state, proposal.period, proposal)
  const apart = await difference(daemon, proposal, computed.statement)
  const isOpen = proposal.period === closed.length
  const found = isOpen ? await desk.judge.objectionTo(state, proposal) : null
  const attempt = open.attempts.find((one) => isOpen && one.attempt === proposal.attempt)
  const votes = [...(attempt?.votes ?? []), ...(attempt?.pending ?? [])]
  return {
    proposal: refOf(daemon, proposal.place.author, proposal.place.seq),
    statement: reportOf(daemon, computed, startMs),
    recomputed: apart === null,
    difference: apart,
    objection: found,
    others: await differencesOf(daemon, votes, computed.statement),
  }
}

/** The proposal that is meant by MEMBER/NUMBER. Errors: `settlement-unknown`, `member-unknown`. */
function find(daemon: Daemon, ref: string): { state: AgreementState; proposal: ProposalWord } {
  const numbered = /^(.+)\/(\d{1,15})$/.exec(ref)
  const { settlements } = daemon.machine.view()
  const said = settling(daemon).flatMap((state) =>
    state.agreement.parties.flatMap(({ member }) =>
      (settlements.of(member, state.id)?.proposals ?? []).map((proposal) => ({ state, proposal })),
    ),
  )
  const author = numbered === null ? null : memberOf(daemon, numbered[1] as string)
  const found = said.find(({ proposal: { place } }) => place.author === author && place.seq === Number(numbered?.[2]))
  if (found !== undefined) return found
  const known = said.map(({ proposal: { place } }) => refOf(daemon, place.author, place.seq))
  const which = known.length === 0 ? 'none is known here' : `known here: ${known.slice(-5).join(', ')}`
  const message = `"${ref.slice(0, 80)}" is no proposal to close a settlement, MEMBER/NUMBER as "consilium settlement ls" shows it; ${which}`
  throw refused('settlement-unknown', message)
}

async function propose(daemon: Daemon, desk: SettlementDesk, body: Body): Promise<SettlementSaid> {
  const startMs = performance.now()
  const state = findAgreement(daemon, text(body, 'agreement'))
  const untilMs = body.untilMs === undefined ? Date.now() : Number(body.untilMs)
  if (!Number.isSafeInteger(untilMs) || untilMs < 0) throw refused('bad-until', 'untilMs: milliseconds are expected')
  const proposal = await desk.propose(state, untilMs)
  return said(daemon, desk, state, proposal, startMs)
}

async function answer(daemon: Daemon, desk: SettlementDesk, ref: string, confirms: boolean): Promise<SettlementSaid> {
  const startMs = performance.now()
  const { state, proposal } = find(daemon, ref)
  await desk.answer(state, proposal, confirms)
  return said(daemon, desk, state, proposal, startMs)
}

async function said(
  daemon: Daemon,
  desk: SettlementDesk,
  state: AgreementState,
  proposal: ProposalWord,
  startMs: number,
) {
  const computed = await desk.compute(state, proposal.period, proposal)
  const entry = refOf(daemon, proposal.place.author, proposal.place.seq)
  return { statement: reportOf(daemon, computed, startMs), entry }
}

/** Errors: `measure-…`, those of the desk. */
function measure(daemon: Daemon, desk: SettlementDesk, body: Body): Promise<SettlementMeasured> {
  const state = findStudy(daemon, text(body, 'study'))
  const method = MEASURE_METHODS.find((one) => one === body.method)
  if (method === undefined) {
    const message = `--method: ${JSON.stringify(String(body.method).slice(0, 40))} was given, ${MEASURE_METHODS.join(' or ')} is allowed`
    throw refused('measure-method', message)
  }
  const { permutationsMax } = SETTLEMENT_BOUNDS
  const permutations = whole(body.permutations, 'permutations', permutationsMax)
  const last = whole(body.last, 'last', LAST_MAX)
  const rules = settling(daemon).filter(({ agreement }) => agreement.studies.includes(state.id))
  const agreed = rules.find(({ agreement }) => agreement.settlement.rule === 'by-marginal-value')
  const everyRounds = agreed?.agreement.settlement.everyRounds ?? 1
  return desk.measure(state, { method: method as MeasureMethod, permutations, last, everyRounds })
}

function whole(given: unknown, option: string, max: number): number {
  if (typeof given === 'number' && Number.isInteger(given) && given >= 1 && given <= max) return given
  throw refused(`measure-${option}`, `--${option}: ${given} was given, a whole number from 1 to ${max} is allowed`)
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message })
}
