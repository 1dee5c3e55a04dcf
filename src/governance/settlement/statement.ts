/** A settlement's statement: what each party did in a period, and what of the pool that comes to; the same integers at every node. */
import { POOL_PARTS } from '../../config/agreement.ts'
import type { POOL_UNITS, SETTLEMENT_RULES } from '../../config/agreementSchema.ts'
import { fromHex, toHex } from '../../core/bytes.ts'
import { encodeCbor } from '../../core/cbor.ts'
import { taggedDigest } from '../../core/digest.ts'
import { compareIds, type Digest, type MemberId, type StudyId } from '../../core/ids.ts'
import type { AgreementState } from '../agreements.ts'
import type { Body } from '../kinds.ts'
import { apportionAbove } from './apportion.ts'
import type { SettlementBook } from './book.ts'
import { type Contribution, contributionsBetween, measurersNeeded, type Scope, type Sizes } from './contributions.ts'

/** What a figure rests on. */
export const BASES = {
  'by-examples': 'self-declared', // nobody else sees the rows
  'by-rounds': 'merged by others',
  'by-merges': 'merged by others',
  'by-marginal-value': 'measured by others',
  'by-shares': 'agreed',
} as const satisfies Record<Exclude<(typeof SETTLEMENT_RULES)[number], 'none'>, string>
export type Basis = (typeof BASES)[keyof typeof BASES]

/** One party's part. */
export interface StatementLine extends Contribution {
  readonly member: MemberId
  /** Whether it had signed by the cut: who had not gets nothing. */
  readonly signed: boolean
  /** By the rule, times its agreed share. */
  readonly weight: bigint
  readonly amount: number
}

/** Of one period, sorted by member. */
export interface Statement {
  readonly rule: keyof typeof BASES
  readonly basis: Basis
  readonly pool: number
  readonly unit: (typeof POOL_UNITS)[number]
  readonly lines: readonly StatementLine[]
  /** All parties that must sign had by the cut. */
  readonly isSigned: boolean
  /** Of the whole statement, with what was asked. */
  readonly result: Digest
}

/** Which part of the logs a statement is about. */
export interface Asked {
  readonly period: number
  readonly before: Sizes
  readonly cut: Sizes
  readonly examplesCap: (study: StudyId) => number
}

/** Null of an agreement that settles nothing. */
export function statementOf(book: SettlementBook, state: AgreementState, asked: Asked): Statement | null {
  const { agreement, id } = state
  const { rule, pool = { amount: POOL_PARTS, unit: 'parts' }, minimum = 0, measurers } = agreement.settlement
  if (rule === 'none') return null
  const parties = agreement.parties.map(({ member }) => member).sort(compareIds)
  const scope: Scope = {
    agreement: id,
    studies: agreement.studies,
    parties,
    examplesCap: asked.examplesCap,
    measurers: measurers ?? measurersNeeded(parties.length),
  }
  const done = contributionsBetween(book, scope, asked.before, asked.cut)
  const weighed = parties.map((member, i) => {
    const contribution = done[i] as Contribution
    const signed = hasSigned(state, member, asked.cut)
    const weight = signed ? weightOf(rule, contribution) * shareOf(state, member) : 0n
    return { ...figuresOf(contribution), member, signed, weight }
  })
  const amounts = apportionAbove(
    pool.amount,
    weighed.map(({ member, weight }) => ({ key: member, weight })),
    minimum,
  )
  const lines = weighed.map((line, i) => ({ ...line, amount: amounts[i] as number }))
  const isSigned = agreement.parties.every(({ member, required }) => !required || hasSigned(state, member, asked.cut))
  const result = resultOf(state.id, asked, lines)
  return { rule, basis: BASES[rule], pool: pool.amount, unit: pool.unit, lines, isSigned, result }
}

function figuresOf(contribution: Contribution): Contribution {
  const { rounds, examples, merged, value, measured, waiting, first, last } = contribution
  return { rounds, examples, merged, value, measured, waiting, first, last }
}

function weightOf(rule: keyof typeof BASES, { rounds, examples, merged, value }: Contribution): bigint {
  const of = { 'by-rounds': rounds, 'by-examples': examples, 'by-merges': merged, 'by-marginal-value': value }
  return BigInt(rule === 'by-shares' ? 1 : of[rule])
}

function shareOf({ agreement }: AgreementState, member: MemberId): bigint {
  const { shares } = agreement.settlement
  return shares.length === 0 ? 1n : BigInt(shares.find(({ party }) => party === member)?.share ?? 0)
}

/** Once, whatever it said later: what it did until then stands. */
function hasSigned({ said }: AgreementState, member: MemberId, cut: Sizes): boolean {
  return (
    said.words.get(member)?.some(({ clause, place }) => clause === null && place.seq < (cut.get(member) ?? 0)) ?? false
  )
}

function resultOf(agreement: Digest, { period, before, cut }: Asked, lines: readonly StatementLine[]): Digest {
  const rows = (sizes: Sizes) => sortedSizes(sizes).map(([member, size]) => [fromHex(member), size])
  return taggedDigest('settlement', encodeCbor([fromHex(agreement), period, rows(before), rows(cut), linesBody(lines)]))
}

const sortedSizes = (sizes: Sizes): [MemberId, number][] => [...sizes].sort(([a], [b]) => compareIds(a, b))

type Rows = Body<'settlement.proposed'>['lines']

/** As entries have them. */
export function linesBody(lines: readonly StatementLine[]): Rows {
  return lines.map(({ member, rounds, examples, merged, value, amount }) => {
    return [fromHex(member), rounds, examples, merged, value, amount]
  })
}

/** A cut as entries have it. */
export function cutBody(cut: Sizes): Body<'settlement.proposed'>['cut'] {
  return sortedSizes(cut).map(([member, size]) => [fromHex(member), size])
}

/** The cut of an entry; null where it is not sorted by member, each once. */
export function cutOfBody(rows: Body<'settlement.proposed'>['cut']): Sizes | null {
  const members = rows.map(([member]) => toHex(member) as MemberId)
  if (members.some((member, i) => i > 0 && compareIds(members[i - 1] as MemberId, member) >= 0)) return null
  return new Map(rows.map(([, size], i) => [members[i] as MemberId, size]))
}

const FIGURES = ['rounds', 'examples', 'merged', 'value', 'amount'] as const
/** A figure of a line. */
export type Figure = (typeof FIGURES)[number]

/** The first figure that differs, inputs before what is computed from them; null where none does. */
export function firstDifference(
  ours: Rows,
  theirs: Rows,
): {
  readonly member: MemberId
  readonly figure: Figure | 'party'
  readonly ours: number
  readonly theirs: number
} | null {
  const of = (rows: Rows) => new Map(rows.map(([member, ...figures]) => [toHex(member) as MemberId, figures]))
  const [one, other] = [of(ours), of(theirs)]
  for (const member of [...new Set([...one.keys(), ...other.keys()])].sort(compareIds))
    if (one.has(member) !== other.has(member))
      return { member, figure: 'party', ours: Number(one.has(member)), theirs: Number(other.has(member)) }
  for (const [at, figure] of FIGURES.entries())
    for (const [member, figures] of one) {
      const [a, b] = [figures[at] as number, other.get(member)?.[at] as number]
      if (a !== b) return { member, figure, ours: a, theirs: b }
    }
  return null
}
