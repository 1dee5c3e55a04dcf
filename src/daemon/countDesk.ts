/**
 * Answers counts by itself, by the hospital's rules: over the registered table, with noise, within the budget. What is told and what it cost are
 * one entry; it is durable before anybody can read it, and what the log says was spent is spent after every start.
 */

import { randomInt } from 'node:crypto'
import type { CountRules } from '../config/access.ts'
import { columnFault } from '../config/countColumns.ts'
import { type CountQuestion, questionDigest, questionIn } from '../config/countQuery.ts'
import { fromHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { covers, type DuoCode } from '../core/duo.ts'
import { ConsiliumError } from '../core/errors.ts'
import { type Below, MILLION } from '../core/geometric.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { countRows } from '../data/countRows.ts'
import {
  type CountCase,
  type CountDecision,
  type CountPolicy,
  decide,
  left,
  told,
} from '../governance/access/answering.ts'
import type { Announcement, DatasetStanding } from '../governance/access/catalogue.ts'
import { type CountAsked, CountBook, type CountTarget } from '../governance/access/counts.ts'
import { countLeave } from '../governance/access/permits.ts'
import type { Access } from '../governance/access/requests.ts'
import { consentOf } from '../governance/consent.ts'
import type { CountCode } from '../governance/kinds/access.ts'
import type { Body } from '../governance/kinds.ts'
import type { VaultBook } from '../governance/vaultBook.ts'
import type { Entry } from '../ledger/entry.ts'
import { type CutSource, cutOf } from './cut.ts'
import type { DatasetDesk } from './datasetDesk.ts'
import type { DatasetVersion } from './datasetFiles.ts'
import { exists } from './files.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import { catchUp } from './logSlices.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

/** What a desk needs of its daemon. `writer` is null until the daemon may sign: questions wait for it. */
export interface CountDeskParts {
  readonly home: {
    readonly key: { readonly id: MemberId }
    readonly paths: { readonly vault: string }
    readonly config: { readonly counts: CountRules }
    readonly membership: { readonly roll: { isMember(member: MemberId): boolean } }
  }
  readonly logs: Pick<Logs, 'authors' | 'sizeOf' | 'entries'>
  readonly writer: Pick<LedgerWriter, 'record' | 'flush'> | null
  readonly machine: CutSource<{ readonly access: Access }>
  readonly datasets: Pick<DatasetDesk, 'all' | 'table' | 'sharing'>
  readonly vault: { book(): Promise<VaultBook> }
  readonly followers: { add(each: (entry: Entry) => void): () => void }
}

const SOON_MS = 1_000 // a grant that was made a moment ago is final a second or two later
const LATER_MS = 600_000 // a day goes by slowly
const FREE_PER_DAY_MAX = 200 // answers that cost a member nothing, before it waits: else it could fill this log with refusals
const DAY_MS = 86_400_000
const FAMILIES = ['count.', 'access.', 'catalogue.']

/** One per daemon. */
export class CountDesk {
  readonly #parts: CountDeskParts
  readonly #below: Below
  readonly #turns = new Turns<'read' | 'answer'>()
  #book: CountBook | null = null
  #wake: () => void = () => undefined

  /** `below` is given by tests alone: noise that somebody can foresee hides nothing. */
  constructor(parts: CountDeskParts, below: Below = randomInt) {
    this.#parts = parts
    this.#below = below
  }

  /** All questions and answers that the logs here tell of now. Errors: those of `decodeEntry` and `catchUp`, where the store is damaged. */
  book(): Promise<CountBook> {
    return this.#turns.run('read', async () => {
      this.#book ??= new CountBook(this.#parts.home.key.id)
      await catchUp(this.#parts.logs, this.#book)
      return this.#book
    })
  }

  /** Answers whatever is asked, until it is stopped; where that fails, `failed` is told, and it is tried again later. */
  async run(signal: AbortSignal, failed: (error: unknown) => void): Promise<void> {
    const forget = this.#parts.followers.add(({ kind }) => {
      if (FAMILIES.some((family) => kind.startsWith(family))) this.#wake()
    })
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    try {
      while (!signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#wake = resolve // before it looks, so that what comes meanwhile is looked at too
        const again = await this.answer(signal).catch((error: unknown) => {
          if (!signal.aborted) failed(error)
          return 'later' as const
        })
        const timer = again === null ? undefined : setTimeout(resolve, again === 'soon' ? SOON_MS : LATER_MS)
        if (!signal.aborted) await promise
        clearTimeout(timer)
      }
    } finally {
      forget()
    }
  }

  /** Answers what is asked now, one after another. @returns when to look again though nothing new is heard; null where that is for nothing. */
  answer(signal?: AbortSignal): Promise<'soon' | 'later' | null> {
    return this.#turns.run('answer', async () => {
      const { machine, home, writer } = this.#parts
      if (writer === null) return 'soon'
      if (machine.view().access.catalogue.of(home.key.id, cutOf(machine)).length === 0) return null
      const book = await this.book()
      let again: 'soon' | 'later' | null = null
      const sinceMs = Date.now() - DAY_MS
      for (const asked of book.open()) {
        if (book.freeSince(asked.place.author, sinceMs) >= FREE_PER_DAY_MAX) {
          again ??= 'later'
          continue
        }
        for (const target of asked.targets) {
          if (signal?.aborted) return null
          if (target.owner !== home.key.id || book.answer(asked.id, target) !== null) continue
          const body = await this.#answerTo(book, asked, target)
          if (body === null) again = 'soon'
          else await this.#record(asked, body)
        }
      }
      return again
    })
  }

  /** What the hospital tells by counts. */
  get policy(): CountPolicy {
    const { answer, epsilonPerQuery, epsilonPerAsker, epsilonInAll, minimumCohort, step } =
      this.#parts.home.config.counts
    const micro = (epsilon: number): number => Math.round(epsilon * MILLION)
    return {
      ...{ answer, cohort: minimumCohort, step },
      ...{
        microPerQuery: micro(epsilonPerQuery),
        microPerAsker: micro(epsilonPerAsker),
        microInAll: micro(epsilonInAll),
      },
    }
  }

  async #record({ place }: CountAsked, body: Body<'count.answered'>): Promise<void> {
    const { writer } = this.#parts
    if (writer === null) return // what may not be signed now is asked about again
    const refs = [[place.author, place.seq, place.hash]] as const
    const draft = {
      kind: 'count.answered',
      study: null,
      timeMs: Date.now(),
      refs,
      body: body as unknown as Cbor,
    } as const
    writer.record('count', [draft], new Map())
    await writer.flush()
    await this.book() // the next question finds what this one cost
  }

  /** Null where the question waits. */
  async #answerTo(book: CountBook, asked: CountAsked, target: CountTarget): Promise<Body<'count.answered'> | null> {
    const { machine, home } = this.#parts
    const { access, suspensions } = machine.view()
    const [cut, nowMs, self] = [cutOf(machine), Date.now(), home.key.id]
    const { dataset } = target
    const asker = asked.place.author
    const standing = access.catalogue.standing(self, dataset, cut)
    if (standing?.status === 'pending') return null
    const asksFor = questionIn(asked.document)
    const purposes = asksFor?.purposes ?? []
    const leave = countLeave(access, { owner: self, dataset, asker, purposes, cut, nowMs })
    const isSuspended = suspensions.some(({ member, binds }) => member === asker && binds !== null)
    const about = aboutOf(asksFor, standing, leave === 'pending' ? null : leave, home.config.counts.consent)
    const question = questionDigest({ where: about.where, purposes: about.filter })
    const drawn = about.announced === null ? null : book.drawn(dataset, about.announced.version, question)
    const one: CountCase = {
      isMember: home.membership.roll.isMember(asker) && !isSuspended,
      isOwn: asker === self,
      isAnnounced: about.announced !== null,
      leave: leave === null ? 'none' : leave === 'pending' ? 'pending' : 'granted',
      ...{ fits: about.fits, isForPurpose: about.isForPurpose, before: drawn },
      ...{ spentByAsker: book.spentBy(asker, dataset), spentInAll: book.spentInAll(dataset) },
    }
    const { policy } = this
    const alone = decide(policy, one)
    if (alone.do === 'wait') return null
    const spent = alone.do === 'refuse' ? one : await this.#spentWithKin(book, asker, dataset)
    const decision: CountDecision =
      spent === null ? { do: 'refuse', code: 'table-unreadable' } : decide(policy, { ...one, ...spent })
    if (decision.do === 'wait') return null
    const found = await this.#carryOut(decision, about, dataset, nowMs)
    const { spentByAsker, spentInAll } = spent ?? one
    return {
      ...{ asker: fromHex(asker), request: fromHex(asked.id), dataset: fromHex(dataset), question: fromHex(question) },
      version: about.announced === null ? null : fromHex(about.announced.version),
      ...{ code: found.code, count: found.count, spent: found.spent },
      ...{ epsilon: drawn?.epsilon ?? policy.microPerQuery },
      ...{ step: drawn?.step ?? policy.step, cohort: drawn?.cohort ?? policy.cohort },
      left: left(policy, spentByAsker + found.spent, spentInAll + found.spent),
    }
  }

  /** What was spent on a dataset and whatever shares its budget; null where that cannot be looked up. */
  async #spentWithKin(book: CountBook, asker: MemberId, dataset: Digest) {
    try {
      const all = await this.#parts.datasets.sharing(dataset, book.spentOn())
      const sum = (spent: (one: Digest) => number): number => all.reduce((total, one) => total + spent(one), 0)
      return {
        spentByAsker: sum((one) => book.spentBy(asker, one)),
        spentInAll: sum((one) => book.spentInAll(one)),
      }
    } catch (error) {
      if (error instanceof ConsiliumError) return null
      throw error
    }
  }

  async #carryOut(decision: Exclude<CountDecision, { do: 'wait' }>, about: About, dataset: Digest, nowMs: number) {
    if (decision.do === 'refuse') return { code: decision.code, count: null, spent: 0 }
    if (decision.do === 'repeat') return { code: decision.code, count: decision.count, spent: 0 }
    const counted = await this.#count(about, dataset, nowMs)
    if (typeof counted === 'string') return { code: counted, count: null, spent: 0 }
    const { microEpsilon } = decision
    const count = told(this.policy, counted, microEpsilon, this.#below)
    const code: CountCode = count === null ? 'cohort' : 'counted'
    return { code, count, spent: microEpsilon }
  }

  /** How many there are, or why that cannot be said. */
  async #count({ announced, where, filter }: About, dataset: Digest, nowMs: number): Promise<number | CountCode> {
    const version = (await this.#parts.datasets.all()).findLast(
      (one) => one.dataset === dataset && one.version === announced?.version,
    ) // of a table that is again what it was before the newest, for it says where that lies
    if (version === undefined || announced === null) return 'table-unreadable'
    let permitted: (record: string) => boolean
    try {
      permitted = await this.#permitted(version, filter, nowMs)
    } catch (error) {
      if (error instanceof ConsiliumError) return 'consent'
      throw error
    }
    try {
      const file = await this.#parts.datasets.table(version)
      const { columns } = announced
      return await countRows(file, { where, columns, keyColumn: version.keyColumn, permitted })
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      return error.code === 'dataset-changed' ? 'table-changed' : 'table-unreadable'
    }
  }

  /** Who was forgotten is counted nowhere; where patients are asked, those alone who allow it. Errors: those of the vault, `consent-no-key`. */
  async #permitted({ keyColumn }: DatasetVersion, purposes: readonly DuoCode[], nowMs: number) {
    const { home, vault } = this.#parts
    const { consent } = home.config.counts
    if (consent !== 'none' && keyColumn === null) {
      const message = 'config.yaml asks patients (counts.consent), and the table was registered without --key-column'
      throw new ConsiliumError({ code: 'consent-no-key', message })
    }
    if (keyColumn === null || (consent === 'none' && !(await exists(home.paths.vault)))) return () => true
    const book = await vault.book()
    if (consent === 'none') return (record: string) => !book.isForgotten(record)
    // a count is no study: what somebody said of one study does not concern it
    const question = book.asked({ id: '' as StudyId, consent: { basis: consent, purposes } })
    return (record: string) =>
      !book.isForgotten(record) && consentOf(book.subject(record)?.decisions ?? [], question, nowMs).permitted
  }
}

/** What a question comes to at one dataset. */
interface About {
  readonly announced: Announcement | null
  readonly where: CountQuestion['where']
  /** For what patients must have agreed to be counted; none where nobody asks them. */
  readonly filter: readonly DuoCode[]
  readonly fits: boolean
  readonly isForPurpose: boolean
}

function aboutOf(
  question: CountQuestion | null,
  standing: DatasetStanding | null,
  grant: { readonly purposes: readonly DuoCode[] } | null,
  consent: CountRules['consent'],
): About {
  const announced = standing?.status === 'announced' ? standing.announced : null
  const where = question?.where ?? null
  const said = question === null || question.purposes.length === 0 ? (grant?.purposes ?? []) : question.purposes
  const asksPatients = consent !== 'none'
  return {
    ...{ announced, where, filter: asksPatients ? [...said].sort() : [] },
    fits: question !== null && announced !== null && columnFault(where, announced.columns) === null,
    isForPurpose: said.length === 0 ? !asksPatients : announced !== null && covers(announced.purposes, said),
  }
}
