/** 100,000 rounds: how long the settlement of a period takes over the book of them, beside a plain pass over the same columns, and the same integers in every order. */
import { type Agreement, agreementDocument, agreementIdOf } from '../../../src/config/agreement.ts'
import { fromHex, toHex } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import { sha256 } from '../../../src/core/digest.ts'
import type { AgreementId, Digest, MemberId, StudyId } from '../../../src/core/ids.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { AgreementState } from '../../../src/governance/agreements.ts'
import { SettlementBook } from '../../../src/governance/settlement/book.ts'
import { type Statement, statementOf } from '../../../src/governance/settlement/statement.ts'
import { atLeast, type Figure, under } from '../figures.ts'

const HOSPITALS = 6
const ROUNDS = 100_000 // of all hospitals together
const MORE = 1_000
const STATEMENT_MS_MAX = 2_000
const MORE_MS_MAX = 100
const PLAIN_TIMES_MAX = 60 // a plain pass does one addition for each input, a statement asks of each whether it counts
const INDEX_FLOOR = 2_000 // rounds a second: trained, published and merged
const ORDERS = 3

const MEMBERS = Array.from({ length: HOSPITALS }, (_, i) => `${i}`.repeat(64) as MemberId)
const STUDY = 'a'.repeat(64) as StudyId

interface Told {
  readonly author: MemberId
  readonly seq: number
  readonly kind: string
  readonly study: StudyId
  readonly body: Cbor
}

/** Reads the rounds of six hospitals in several orders, then computes the statement. */
export async function bench(): Promise<Figure[]> {
  const state = agreementState()
  const logs = MEMBERS.map((member) => logOf(member, ROUNDS / HOSPITALS, state.id))
  const results = new Set<Digest>()
  let [book, indexMs] = [new SettlementBook(), 0]
  for (let order = 0; order < ORDERS; order++) {
    book = new SettlementBook()
    const startMs = performance.now()
    for (const entry of delivered(logs, Rng.from('settlement bench', order))) book.take(entry)
    indexMs = performance.now() - startMs
    results.add(stateOf(book, state, cutOf(logs)).result)
  }
  if (results.size !== 1) throw new Error(`${results.size} results of ${ORDERS} orders`)
  const cut = cutOf(logs)
  const statementMs = median(() => void stateOf(book, state, cut))
  const plainMs = median(() => void plainPass(book))
  const more = MEMBERS.map((member) => logOf(member, MORE / HOSPITALS, state.id, Math.ceil(ROUNDS / HOSPITALS)))
  const longer = cutOf(logs.map((log, i) => [...log, ...(more[i] as Told[])]))
  const moreMs = timed(() => {
    for (const log of more) for (const entry of log) book.take(entry)
  })
  const nextMs = timed(() => {
    const found = statementOf(book, state, { period: 1, before: cut, cut: longer, examplesCap })
    if (!found?.lines.every(({ rounds }) => rounds > 0)) throw new Error('the new rounds do not count')
  })
  const beside = `${book.author.length} rounds, ${book.input.length} inputs of merges`
  return [
    under(
      'settlement, statement over 100,000 rounds',
      statementMs,
      STATEMENT_MS_MAX,
      'ms',
      `${beside}; one result in ${ORDERS} orders`,
    ),
    under(
      'settlement, beside a plain pass',
      statementMs / plainMs,
      PLAIN_TIMES_MAX,
      '×',
      `which takes ${plainMs.toFixed(2)} ms`,
    ),
    under(
      'settlement, 1,000 rounds more',
      moreMs,
      MORE_MS_MAX,
      'ms',
      `taken in; the next period of them takes ${nextMs.toFixed(0)} ms over all that is indexed`,
    ),
    atLeast(
      'settlement, rounds indexed',
      (ROUNDS / indexMs) * 1_000,
      INDEX_FLOOR,
      'per s',
      'every body checked against its schema',
      `${(indexMs / 1_000).toFixed(1)} s in all, once`,
    ),
  ]
}

const examplesCap = (): number => 10_000

function stateOf(book: SettlementBook, state: AgreementState, cut: ReadonlyMap<MemberId, number>): Statement {
  const found = statementOf(book, state, { period: 0, before: new Map(), cut, examplesCap })
  if (found === null || found.lines.some(({ rounds }) => rounds < ROUNDS / HOSPITALS - 1))
    throw new Error('rounds are lost')
  return found
}

/** Each input added to whose it is, whatever it rests on. */
function plainPass(book: SettlementBook): number {
  const sums = new Float64Array(book.members.length)
  for (let at = 0; at < book.input.length; at++) {
    const author = book.author.at(book.input.at(at))
    sums[author] = (sums[author] as number) + book.micro.at(at)
  }
  return sums.reduce((all, sum) => all + sum, 0)
}

const cutOf = (logs: readonly (readonly Told[])[]): ReadonlyMap<MemberId, number> =>
  new Map(logs.map((log) => [(log[0] as Told).author, log.length]))

/** A hospital's rounds: trained, published, merged with those of all the others. */
function logOf(author: MemberId, rounds: number, agreement: AgreementId, from = 0): Told[] {
  const log: Told[] = []
  const tell = (kind: string, body: unknown): void => {
    log.push({ author, seq: 3 * from + log.length, kind, study: STUDY, body: body as Cbor })
  }
  const some = new Uint8Array(32).fill(7)
  for (let round = from; round < from + rounds; round++) {
    const update = updateOf(author, round)
    tell('round.trained', {
      ...{ round, base: some, update, head: some, examples: 200, loss: 0.4, dataset: some },
      agreements: [fromHex(agreement)],
    })
    tell('round.published', { round, update })
    const inputs = MEMBERS.map((member) => [fromHex(member), round, updateOf(member, round), 1 / HOSPITALS])
    tell('round.merged', { round, rule: 'mean', inputs, result: some })
  }
  return log
}

const updateOf = (member: MemberId, round: number): Uint8Array =>
  sha256(fromHex(member), new Uint8Array(Float64Array.of(round).buffer))

/** In stretches of some entries of one log after another. */
function* delivered(logs: readonly (readonly Told[])[], rng: Rng): Generator<Told> {
  const places = logs.map(() => 0)
  for (let left = logs.reduce((sum, log) => sum + log.length, 0); left > 0; ) {
    const which = rng.below(logs.length)
    const log = logs[which] as readonly Told[]
    for (let i = rng.below(200); i >= 0 && (places[which] as number) < log.length; i--, left--) {
      yield log[places[which] as number] as Told
      places[which] = (places[which] as number) + 1
    }
  }
}

function agreementState(): AgreementState {
  const agreement: Agreement = {
    ...{ name: 'Bench', purposes: ['DUO:0000006'], studies: [STUDY], datasets: [], mergeRules: null, privacy: null },
    ...{
      minimumCohort: 10,
      starts: null,
      expires: 4_000_000_000_000,
      duties: [],
      guards: [],
      engine: '',
      workflow: null,
    },
    parties: MEMBERS.map((member) => ({ member, role: null, required: true })),
    settlement: { rule: 'by-rounds', shares: [], pool: { amount: 1_000_003, unit: 'EUR-cents' } },
  }
  const place = (author: MemberId) => ({ author, seq: 0, hash: toHex(new Uint8Array(32)) as Digest, lamport: 1 })
  const words = new Map(MEMBERS.map((member) => [member, [{ place: place(member), clause: null }]]))
  const said = { proposals: new Map(), words, ends: new Map(), events: new Map() }
  return { id: agreementIdOf(agreementDocument(agreement)), agreement, guards: [], said }
}

function median(work: () => void): number {
  const times = Array.from({ length: 7 }, () => timed(work)).sort((a, b) => a - b)
  return times[3] as number
}

function timed(work: () => void): number {
  const startMs = performance.now()
  work()
  return performance.now() - startMs
}
