/** Settlements for tests: hospitals that train, publish, merge, measure and vote, each in the order of its log. */
import { fromHex } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import type { AgreementId, Digest, MemberId, StudyId } from '../../../src/core/ids.ts'
import { type AgreementState, Agreements } from '../../../src/governance/agreements.ts'
import type { Kind } from '../../../src/governance/kinds.ts'
import { SettlementBook } from '../../../src/governance/settlement/book.ts'
import { Settlements } from '../../../src/governance/settlement/closings.ts'
import type { Sizes } from '../../../src/governance/settlement/contributions.ts'
import { type Statement, statementOf } from '../../../src/governance/settlement/statement.ts'
import { digestOf, STUDY } from '../../gossip/fixtures.ts'
import { ADA, agreementOf, BEN, CLEO, proposed, SELF, signed } from '../agreementFixtures.ts'

export const FOUR = [SELF, ADA, BEN, CLEO] as const
const SIGNERS = ['self', 'ada', 'ben', 'cleo'].map((name) => `  - { member: ${name}, role: hospital }`).join('\n')

/** An agreement between all four; `terms` is what stands in its clause. */
export const settling = (terms: string) => agreementOf(`settlement: { ${terms} }\n`, SIGNERS)

/** One entry, as the fold reads it. */
export interface Told {
  readonly author: MemberId
  readonly seq: number
  readonly hash: Digest
  readonly lamport: number
  readonly timeMs: number
  readonly kind: string
  readonly study: StudyId | null
  readonly body: Cbor | null
}

/** Logs that grow. */
export class Logs {
  readonly all: Told[] = []
  readonly #sizes = new Map<MemberId, number>()
  #lamport = 0

  tell(author: MemberId, kind: Kind | string, body: Cbor | null, study: StudyId | null = null): Told {
    const seq = this.#sizes.get(author) ?? 0
    this.#sizes.set(author, seq + 1)
    const hash = digestOf(`settlement ${author} ${seq}`)
    const timeMs = 1_800_000_000_000 + this.#lamport * 1_000
    const entry = { author, seq, hash, lamport: ++this.#lamport, timeMs, kind, study, body }
    this.all.push(entry)
    return entry
  }

  /** Proposed by the first, signed by `signers`. */
  agreed({ document, id }: ReturnType<typeof settling>, signers: readonly MemberId[] = FOUR): void {
    const proposal = proposed(document)
    this.tell(SELF, proposal.kind, proposal.body)
    for (const signer of signers) this.tell(signer, signed(id).kind, signed(id).body)
  }

  /** What `author` trains in its round; published unless `published` is false. */
  trains(author: MemberId, round: number, under: readonly AgreementId[], examples = 100, published = true): void {
    const update = fromHex(updateOf(author, round))
    const [base, head, dataset] = ['base', 'head', 'table'].map((name) => fromHex(digestOf(name)))
    const agreements = under.map((one) => fromHex(one))
    const body = { round, base, update, head, examples, loss: 0.5, dataset, agreements } as unknown as Cbor
    this.tell(author, 'round.trained', body, STUDY)
    if (published) this.tell(author, 'round.published', { round, update }, STUDY)
  }

  /** Merges its own round with those of others, in equal parts where nothing else is said. */
  merges(author: MemberId, round: number, inputs: readonly (readonly [MemberId, number, number?])[]): void {
    const all = [[author, round] as const, ...inputs]
    const rows = all.map(([member, theirs, part = 1 / all.length]) => {
      return [fromHex(member), theirs, fromHex(updateOf(member, theirs)), part]
    })
    const body = { round, rule: 'mean', inputs: rows, result: fromHex(digestOf('merged')) } as unknown as Cbor
    this.tell(author, 'round.merged', body, STUDY)
  }

  /** What its author found the others' updates of its round to be worth. */
  measures(author: MemberId, round: number, values: readonly (readonly [MemberId, number])[]): void {
    const rows = values.map(([member, value]) => [fromHex(member), value])
    const how = { method: 'loo', permutations: 0, seed: fromHex(digestOf('merged')), part: 'test', patients: 20 }
    this.tell(author, 'value.measured', { round, ...how, values: rows } as unknown as Cbor, STUDY)
  }

  /** A round of all in which all merge all. */
  round(round: number, under: readonly AgreementId[], members: readonly MemberId[] = FOUR): void {
    for (const member of members) this.trains(member, round, under, 100 + members.indexOf(member))
    for (const member of members)
      this.merges(
        member,
        round,
        members.filter((one) => one !== member).map((one) => [one, round]),
      )
  }

  get cut(): Sizes {
    return new Map(this.#sizes)
  }
}

export const updateOf = (author: MemberId, round: number): Digest => digestOf(`update ${author} ${round}`)

/** Everything read in the order given. */
export function read(entries: readonly Told[]) {
  const [book, agreements, settlements] = [new SettlementBook(), new Agreements(), new Settlements()]
  for (const entry of entries) {
    book.take(entry as never)
    agreements.fold(entry)
    settlements.fold(entry)
  }
  return { book, agreements, settlements }
}

export const NOTHING: Sizes = new Map()
const examplesCap = (): number => 1_000

/** The statement of one agreement over a cut. */
export function stated(
  { book, agreements }: Pick<ReturnType<typeof read>, 'book' | 'agreements'>,
  id: AgreementId,
  cut: Sizes,
  before: Sizes = NOTHING,
  period = 0,
): Statement {
  const state = agreements.get(id) as AgreementState
  return statementOf(book, state, { period, before, cut, examplesCap }) as Statement
}

export const amounts = ({ lines }: Statement): Record<string, number> =>
  Object.fromEntries(lines.map(({ member, amount }) => [FOUR.indexOf(member as never), amount]))
