/** A settlement for people: one period of an agreement, what each party did and gets, and who stands behind it. */

import type { Study } from '../config/study.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import type { AgreementState } from '../governance/agreements.ts'
import type { SettlementBook } from '../governance/settlement/book.ts'
import type { ProposalWord, SettlementStanding, VoteWord } from '../governance/settlement/closings.ts'
import type { Sizes } from '../governance/settlement/contributions.ts'
import {
  type Basis,
  type firstDifference,
  type Statement,
  type StatementLine,
  statementOf,
} from '../governance/settlement/statement.ts'

/** How members and entries are called where it is read. */
export interface SettlementNaming {
  readonly member: (key: MemberId) => string
  readonly entry: (author: MemberId, seq: number) => string
  /** A study that is known; null where it is not. */
  readonly study: (id: Digest) => Study | null
}

/** One party's line; `merged` in millionths of a merge, `value` in millionths of a nat. */
export interface SettlementLine {
  readonly name: string
  readonly key: MemberId
  readonly signed: boolean
  readonly rounds: number
  readonly waiting: number
  readonly examples: number
  readonly merged: number
  readonly value: number
  readonly measured: number
  readonly amount: number
  /** The first and the last entry by which a counted round was trained. */
  readonly first: string | null
  readonly last: string | null
}

/** A word about a proposal. */
export interface SettlementVote {
  readonly name: string
  readonly entry: string
  readonly objection: string | null
  readonly final: boolean
}

/** What is shown of one period. Everything in it is as the hospitals' logs have it. */
export interface SettlementFacts {
  readonly agreement: Digest
  readonly agreementName: string
  readonly studies: readonly string[]
  /** From 1, as people count. */
  readonly period: number
  readonly status: 'open' | 'proposed' | 'closed'
  readonly rule: Statement['rule']
  readonly basis: Basis
  readonly pool: number
  readonly unit: string
  readonly shared: number
  /** What counts is of before this; of an open period now. */
  readonly untilMs: number
  readonly lines: readonly SettlementLine[]
  readonly result: Digest
  readonly cut: readonly { readonly name: string; readonly key: MemberId; readonly from: number; readonly to: number }[]
  readonly isSigned: boolean
  /** Entries within the cut that have no body here any more. */
  readonly missing: readonly string[]
  /** Entries beyond what is read of one log. */
  readonly leftOut: number
  /** The proposal that closed it, or that this is about. */
  readonly proposal: { readonly by: string; readonly entry: string; readonly attempt: number } | null
  readonly votes: readonly SettlementVote[]
  /** Proposals to close it that the parties may still answer, where this is about none. */
  readonly proposals: readonly string[]
  readonly needed: number
  readonly voters: number
  /** Who voted twice in one attempt, by both entries. */
  readonly twice: readonly { readonly name: string; readonly entries: readonly [string, string] }[]
}

/** The cut of what was closed before a period. */
export function beforeOf({ closed }: Pick<SettlementStanding, 'closed'>, period: number): Sizes {
  return closed[period - 1]?.proposal.cut ?? new Map()
}

/** What a statement is about. */
export interface SettlementAsked {
  readonly state: AgreementState
  readonly standing: SettlementStanding
  /** From 0. */
  readonly period: number
  readonly cut: Sizes
  readonly untilMs: number
  /** What it is about, where it was proposed. */
  readonly proposal: ProposalWord | null
  readonly votes: readonly VoteWord[]
  readonly final: (member: MemberId) => number
}

/** Null of an agreement that settles nothing. */
export function settlementFacts(
  book: SettlementBook,
  asked: SettlementAsked,
  naming: SettlementNaming,
): { readonly facts: SettlementFacts; readonly statement: Statement } | null {
  const { state, standing, period, cut, untilMs, proposal, votes, final } = asked
  const before = beforeOf(standing, period)
  const examplesCap = (study: Digest): number => naming.study(study)?.merge.examplesCap ?? Number.MAX_SAFE_INTEGER
  const statement = statementOf(book, state, { period, before, cut, examplesCap })
  if (statement === null) return null
  const { agreement, id } = state
  const { rule, basis, pool, unit, result, isSigned } = statement
  const parties = agreement.parties.map(({ member }) => member)
  const places = parties.flatMap((member) =>
    book
      .missing(member, cut.get(member) ?? 0)
      .filter((seq) => seq >= (before.get(member) ?? 0))
      .map((seq) => naming.entry(member, seq)),
  )
  const nameOf = ({ member }: StatementLine): string => naming.member(member)
  const sorted = [...statement.lines].sort((a, b) => compareIds(nameOf(a), nameOf(b)) || compareIds(a.member, b.member))
  const facts: SettlementFacts = {
    ...{ agreement: id, agreementName: agreement.name, rule, basis, pool, unit, result, isSigned, untilMs },
    studies: agreement.studies.map((study) => naming.study(study)?.name ?? study.slice(0, DIGITS)),
    period: period + 1,
    status: period < standing.closed.length ? 'closed' : proposal === null ? 'open' : 'proposed',
    shared: statement.lines.reduce((sum, { amount }) => sum + amount, 0),
    lines: sorted.map((line) => lineOf(line, naming)),
    cut: sorted.map(({ member: key }) => {
      return { name: naming.member(key), key, from: before.get(key) ?? 0, to: cut.get(key) ?? 0 }
    }),
    missing: places,
    leftOut: book.leftOut,
    proposal: proposal && {
      by: naming.member(proposal.place.author),
      entry: naming.entry(proposal.place.author, proposal.place.seq),
      attempt: proposal.attempt + 1,
    },
    votes: votes.map((vote) => voteOf(vote, naming, final)),
    proposals: proposal !== null || period < standing.closed.length ? [] : openProposals(standing, naming),
    needed: standing.needed,
    voters: agreement.parties.filter(({ required }) => required).length,
    twice: standing.twice.map(([first, other]) => {
      const { author } = first.place
      const entries = [naming.entry(author, first.place.seq), naming.entry(author, other.place.seq)] as const
      return { name: naming.member(author), entries }
    }),
  }
  return { facts, statement }
}

const DIGITS = 12

function openProposals({ open }: SettlementStanding, { entry }: SettlementNaming): string[] {
  return (open.attempts.at(-1)?.proposals ?? []).map(({ place }) => entry(place.author, place.seq))
}

function lineOf(line: StatementLine, { member, entry }: SettlementNaming): SettlementLine {
  const { member: key, signed, rounds, waiting, examples, merged, value, measured, amount, first, last } = line
  const ref = (seq: number | null): string | null => (seq === null ? null : entry(key, seq))
  const figures = { signed, rounds, waiting, examples, merged, value, measured, amount }
  return { name: member(key), key, ...figures, first: ref(first), last: ref(last) }
}

function voteOf(
  { place, objection }: VoteWord,
  { member, entry }: SettlementNaming,
  final: (member: MemberId) => number,
) {
  const { author, seq } = place
  return { name: member(author), entry: entry(author, seq), objection, final: seq < final(author) }
}

const OBJECTED: Readonly<Record<string, string>> = {
  differs: 'computes another statement from the same cut',
  'bodies-missing': 'lacks bodies of entries that count',
  chain: 'it does not follow on the period that was closed last',
  'cut-behind': 'the cut leaves out entries of before its time',
  'cut-ahead': 'the cut takes in entries that were not final there a day later',
  early: 'the period is not over by then',
  future: 'its time has not come',
  unsigned: 'not all who must sign had by that cut',
  operator: 'its people say no',
}

/** Why a party does not confirm. Later versions may know more of them. */
export function objectionWords(objection: string): string {
  return OBJECTED[objection] ?? objection
}

/** `1 234.50 EUR` of cents, `12 credits` of the rest: for people; files for machines have the whole units. */
export function amountText(amount: number, unit: string): string {
  const money = /^([A-Z]{3})-/.exec(unit)
  if (money === null) return `${grouped(String(amount))} ${unit}`
  const digits = String(amount).padStart(3, '0')
  return `${grouped(digits.slice(0, -2))}.${digits.slice(-2)} ${money[1]}`
}

const grouped = (digits: string): string => digits.replaceAll(/\B(?=(?:\d{3})+$)/g, ' ')

/** `rounds of south: 41 here, 42 in the proposal of north`. */
export function differenceText(
  { member, figure, ours, theirs }: NonNullable<ReturnType<typeof firstDifference>>,
  name: (member: MemberId) => string,
  here: string,
  there: string,
): string {
  if (figure === 'party') return `${name(member)} is a party ${ours === 1 ? here : there} alone`
  return `${figure} of ${name(member)}: ${ours} ${here}, ${theirs} ${there}`
}

/** What whoever reads a statement has to know before relying on it; one sentence each, none where all is well. */
export function noticesOf({ missing, leftOut, twice, isSigned, shared, pool, unit }: SettlementFacts): string[] {
  return [
    ...(isSigned ? [] : ['Not all who must sign the agreement had by then: it cannot be closed so.']),
    ...(shared === pool
      ? []
      : [`${amountText(pool - shared, unit)} are shared out to nobody: nothing that counts was done.`]),
    ...(missing.length === 0
      ? []
      : [
          `${missing.length} entries that may count have no body here any more (${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}); other hospitals may compute otherwise.`,
        ]),
    ...(leftOut === 0 ? [] : [`${leftOut} entries beyond what is read of one log were left out.`]),
    ...twice.map(
      ({ name, entries }) =>
        `VOTED TWICE: ${name} said two things of one attempt (${entries.join(', ')}); the first counts.`,
    ),
  ]
}
