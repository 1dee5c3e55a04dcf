/** settlement check --bundle: a settlement computed again from an exported file, with no node and no trust in who made it. */
import type { Study } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { factsOf } from '../governance/facts.ts'
import { type Body, readBody } from '../governance/kinds.ts'
import { SettlementBook } from '../governance/settlement/book.ts'
import { type ProposalWord, settlementStanding } from '../governance/settlement/closings.ts'
import { firstDifference, linesBody } from '../governance/settlement/statement.ts'
import { Studies } from '../governance/studies.ts'
import type { EntryState } from '../ledger/bundle.ts'
import { type BundledLog, parseRoot } from '../ledger/bundleVerdict.ts'
import type { Entry } from '../ledger/entry.ts'
import { differenceText, type SettlementFacts, settlementFacts } from '../report/settlement.ts'
import { judgeBundle, wrongBundle } from './logBundle.ts'

const NOBODY = '' as MemberId // whose own entries would be read in more detail

/** What a bundle comes to. */
export interface OfflineCheck {
  readonly fingerprint: string
  readonly statement: SettlementFacts
  /** The first figure that differs from the proposal; null where none does. */
  readonly difference: string | null
}

/** Errors: `settlement-unknown`, `settlement-incomplete`, those of `verifyBundle`. */
export async function checkOffline(ref: string, file: string, root: string | undefined): Promise<OfflineCheck> {
  const taken = new Taken()
  const verdict = await judgeBundle(file, root === undefined ? null : parseRoot(root), (entry, state) =>
    taken.take(entry, state),
  )
  if (verdict.verdict === 'wrong') throw wrongBundle(file, verdict)
  return { fingerprint: verdict.consortium.fingerprint, ...taken.check(ref, file, verdict.logs) }
}

/** What the entries of a bundle say, of each log as far as it is whole from its beginning and final. */
class Taken {
  readonly #book = new SettlementBook()
  readonly #studies = new Studies()
  readonly #whole = new Map<MemberId, number>()
  readonly #proposals = new Map<Digest, Body<'settlement.proposed'>>()

  take(entry: Entry, state: EntryState): void {
    const { author, seq } = entry
    if (seq !== (this.#whole.get(author) ?? 0) || state !== 'final') return
    this.#whole.set(author, seq + 1)
    this.#book.take(entry)
    for (const fact of factsOf([entry], NOBODY)) this.#studies.fold(fact)
    if (entry.kind !== 'settlement.proposed') return
    const body = readBody('settlement.proposed', entry.body)
    if (body !== null) this.#proposals.set(entry.hash, body)
  }

  check(ref: string, file: string, logs: readonly BundledLog[]): Omit<OfflineCheck, 'fingerprint'> {
    const name = (member: MemberId): string => nameIn(logs, member)
    const { agreement: id, proposal } = this.#find(ref, file, name)
    const state = this.#studies.agreements.get(id)
    if (state === undefined) throw incomplete(file, 'the agreement is not in it')
    for (const [member, size] of proposal.cut) {
      const whole = this.#whole.get(member) ?? 0
      if (whole < size)
        throw incomplete(
          file,
          `of the log of ${name(member)} the first ${whole} entries are in it and final, ${size} are needed`,
        )
    }
    const { parties } = state.agreement
    const final = (member: MemberId): number => this.#whole.get(member) ?? 0
    const who = {
      agreement: id,
      parties: parties.map(({ member }) => member),
      voters: parties.filter(({ required }) => required).map(({ member }) => member),
    }
    const standing = settlementStanding(this.#studies.settlements, who, final)
    const { period, cut, until: untilMs } = proposal
    const closed = standing.closed[period]
    const attempt = standing.open.attempts.find((one) => one.attempt === proposal.attempt)
    const votes =
      closed?.proposal === proposal
        ? closed.confirmed
        : (attempt?.votes ?? []).filter((vote) => vote.proposal === proposal.place.hash)
    const asked = { state, standing, period, cut, untilMs, proposal, votes, final }
    const study = (one: Digest): Study | null => this.#studies.get(one as StudyId)?.study ?? null
    const entry = (author: MemberId, seq: number): string => `${name(author).replaceAll(/\s+/g, '')}/${seq}`
    const found = settlementFacts(this.#book, asked, { member: name, entry, study })
    if (found === null) throw incomplete(file, 'its agreement settles nothing')
    const told = this.#proposals.get(proposal.place.hash) as Body<'settlement.proposed'>
    const first = firstDifference(linesBody(found.statement.lines), told.lines)
    const others = found.statement.result === toHex(told.result) ? null : 'its digest is of something else'
    return {
      statement: found.facts,
      difference: first ? differenceText(first, name, 'here', 'in the proposal') : others,
    }
  }

  #find(
    ref: string,
    file: string,
    name: (member: MemberId) => string,
  ): { readonly agreement: Parameters<Studies['agreements']['get']>[0]; readonly proposal: ProposalWord } {
    const [, given, digits] = /^(.+)\/(\d{1,15})$/.exec(ref) ?? []
    const isMeant = (member: MemberId): boolean =>
      given !== undefined &&
      (squeezed(name(member)) === squeezed(given) || (given.length >= 6 && member.startsWith(given)))
    for (const { id, agreement } of this.#studies.agreements.all())
      for (const { member } of agreement.parties) {
        const said = this.#studies.settlements.of(member, id)?.proposals ?? []
        const proposal = said.find(({ place }) => isMeant(member) && place.seq === Number(digits))
        if (proposal !== undefined) return { agreement: id, proposal }
      }
    const message = `${file}: "${ref.slice(0, 80)}" is no final proposal to close a settlement in it; MEMBER/NUMBER is expected, in a bundle of all logs (consilium log export --out FILE)`
    throw new ConsiliumError({ code: 'settlement-unknown', message })
  }
}

const squeezed = (name: string): string => name.replaceAll(/\s+/g, '').toLowerCase()

const nameIn = (logs: readonly BundledLog[], member: MemberId): string =>
  logs.find((log) => log.member === member)?.name ?? member.slice(0, 12)

function incomplete(file: string, what: string): ConsiliumError {
  const message = `${file}: ${what}, so it cannot be computed again: export whole logs (consilium log export --out FILE)`
  return new ConsiliumError({ code: 'settlement-incomplete', message })
}
