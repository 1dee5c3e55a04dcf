/** Trials at one hospital: the book that is read from all logs, the entries written for it, and allocations given out where lists were drawn here. */

import { setImmediate, setTimeout } from 'node:timers/promises'
import { fromHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import type { Cut } from '../governance/agreements.ts'
import type { TrialKind } from '../governance/kinds/trials.ts'
import { bodyFault } from '../governance/privacyLint.ts'
import {
  TrialBook,
  type TrialPlace,
  type TrialRecord,
  type TrialWord,
  type Version,
} from '../governance/trials/book.ts'
import { Dues } from '../governance/trials/dues.ts'
import { verifying } from '../governance/trials/listFindings.ts'
import { severalText, trialRef, trialsMeant } from '../governance/trials/naming.ts'
import { type DrawnList, drawList, listTree, positionSalt } from '../governance/trials/randomisation.ts'
import { currentVersion, type StandingList, type TrialRefusal } from '../governance/trials/standing.ts'
import type { Ref } from '../ledger/entry.ts'
import type { LeafTree } from '../ledger/leafTree.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Draft } from '../node/actions.ts'
import { FENCED } from '../node/boot.ts'
import type { Machine } from '../node/machine.ts'
import { cutOf } from './cut.ts'
import type { Home } from './home.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import type { Log } from './log.ts'
import { catchUp } from './logSlices.ts'
import type { Logs } from './logs.ts'
import type { PeopleOffice } from './peopleOffice.ts'
import { squeeze } from './squeeze.ts'
import type { TrialSaid } from './trialApi.ts'
import { refused } from './trialFaults.ts'
import { refusalText, type Telling } from './trialReports.ts'
import { sealAllocation } from './trialSeal.ts'
import { TrialSecrets } from './trialSecrets.ts'
import { Turns } from './turns.ts'
import type { VaultKeeper } from './vaultKeeper.ts'

const PATHS_AT_A_TIME = 200 // verified before the event loop gets its turn: about 15 ms
const LOOK_MS = 1_000 // a site waits for an allocation at a bedside; a look that finds nothing new costs microseconds
const FAILED_LOOK_MS = 60_000
const ALLOCATED_AT_ONCE = 100 // entries of one commit, 700 bytes each

/** What a desk needs of its daemon. `writer` is null while nothing may be signed. */
export interface TrialDaemon {
  readonly home: Home
  readonly logs: Logs
  readonly writer: LedgerWriter | null
  readonly machine: Machine
  readonly people: PeopleOffice
  readonly vault: VaultKeeper
  nameOf(member: MemberId): string
}

/** One per daemon. */
export class TrialDesk {
  readonly secrets: TrialSecrets
  readonly #daemon: TrialDaemon
  readonly #turns = new Turns<'read' | 'write'>()
  #book: TrialBook | null = null
  /** Changes of the book up to which allocations were verified. */
  #verified = 0
  #dues: Dues | null = null

  constructor(daemon: TrialDaemon, store: () => Pick<LogStore, 'getState' | 'listState'>) {
    this.#daemon = daemon
    this.secrets = new TrialSecrets(store, () => daemon.home.dataKey !== null)
  }

  get self(): MemberId {
    return this.#daemon.home.key.id
  }

  /** All that is known here now. Errors: those of `decodeEntry` and `catchUp`, where the store is damaged. */
  book(): Promise<TrialBook> {
    return this.#turns.run('read', async () => {
      this.#book ??= new TrialBook(this.#daemon.home.consortium.founding)
      await catchUp(this.#daemon.logs, this.#book)
      if (this.#verified !== this.#book.changes) await verify(this.#book)
      this.#verified = this.#book.changes
      return this.#book
    })
  }

  /** What is final here, and all that is known. */
  get cut(): Cut {
    return cutOf(this.#daemon.machine)
  }

  /** How things are called at this terminal. */
  async telling(): Promise<Telling> {
    const daemon = this.#daemon
    return {
      ...{
        self: this.self,
        founding: daemon.home.consortium.founding,
        cut: this.cut,
        names: await daemon.people.names(),
      },
      nameOf: (member) => daemon.nameOf(member),
      refOf: (member, seq) => this.#refOf(member, seq),
    }
  }

  /** By its digest, at least 6 digits of it, or its name, as `trialsMeant` has it. Errors: `trial-unknown`, `trial-ambiguous`. */
  async find(
    given: string,
  ): Promise<{ readonly book: TrialBook; readonly record: TrialRecord; readonly version: Version }> {
    const book = await this.book()
    const found = trialsMeant(book, given, this.self)
    const [record] = found
    const version = record === undefined ? null : currentVersion(record, this.cut)
    if (found.length === 1 && record !== undefined && version !== null) return { book, record, version }
    if (found.length > 1)
      throw refused(
        'trial-ambiguous',
        severalText(given, found, (member) => this.#daemon.nameOf(member)),
      )
    throw refused('trial-unknown', `"${given.slice(0, 80)}" is no trial known here; "consilium trial ls" lists them`)
  }

  /** Whatever reads first and writes then: one after another, so that no position is given twice. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run('write', work)
  }

  /** Durable when it resolves. Errors: `boot-fence`, `trial-unfit`. */
  async record(
    kind: TrialKind,
    body: object,
    rests: readonly TrialPlace[] = [],
    state: ReadonlyMap<string, Uint8Array> = new Map(),
  ): Promise<TrialPlace> {
    const { writer } = this.#daemon
    if (writer === null) throw new ConsiliumError(FENCED)
    const fault = bodyFault(kind, body as Cbor)
    if (fault !== null)
      throw refused('trial-unfit', `nothing was recorded: ${fault}; it is copied to every member for good`)
    const from = this.#daemon.logs.sizeOf(this.self).size
    writer.record('trial', [draftOf(kind, body, rests)], state)
    await writer.flush()
    const written = await this.#newest(kind, from)
    if (written === null)
      throw refused('trial-unknown', 'what was written could not be read back: see the log of the node')
    return written
  }

  /** What a write did. */
  async said(record: TrialRecord, { author, seq }: TrialPlace): Promise<TrialSaid> {
    const { name = '', version = 0 } = record.versions.at(-1)?.body ?? {}
    const entry = { entry: this.#refOf(author, seq), final: seq < this.cut.final(author) }
    return { trial: record.id, name, ref: trialRef(await this.book(), record, this.self), version, ...entry }
  }

  /** Why something was not done: the rule, the entry that it rests on, and whom to ask. */
  async denied({ id, versions }: TrialRecord, refusal: TrialRefusal): Promise<ConsiliumError> {
    const name = versions.at(-1)?.body.name ?? id.slice(0, 12)
    return refused(refusal.code, `trial ${name}: ${refusalText(await this.telling(), refusal)}`)
  }

  /** Gives out what sites wait for, as long as the node runs; a node without lists reads no log for it. */
  async run(signal: AbortSignal, log: Log): Promise<void> {
    while (!signal.aborted) {
      const failed = await this.inTurn(() => this.allocate()).then(
        () => null,
        (error: unknown) => error,
      )
      if (failed !== null && !signal.aborted) log('error', 'allocate-failed', { error: messageOf(failed) })
      const waitMs = failed === null ? LOOK_MS : FAILED_LOOK_MS
      await setTimeout(waitMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** Allocations for participants whose enrolment is final and as it should be, at lists that were drawn here; how many. */
  async allocate(): Promise<number> {
    const { writer, machine } = this.#daemon
    if (writer === null || !machine.booted || !(await this.secrets.hasLists())) return 0
    const book = await this.book()
    let given = 0
    for (const record of book.trials())
      if ((record.voices.get(this.self)?.of('trial.list').length ?? 0) > 0)
        given += await this.#allocateIn(book, record, writer)
    return given
  }

  async #allocateIn(book: TrialBook, record: TrialRecord, writer: LedgerWriter): Promise<number> {
    const { cut } = this
    this.#dues ??= new Dues(this.self)
    const due = this.#dues.in(book, record, cut)
    if (due.length === 0) return 0
    const drafts: Draft[] = []
    const drawn = new Map<Digest, Drawn | null>()
    for (const { word, list } of due) {
      if (drafts.length === ALLOCATED_AT_ONCE) break
      if (!drawn.has(list.hash)) drawn.set(list.hash, await this.#drawnOf(list))
      const of = drawn.get(list.hash) ?? null
      const body = of === null ? null : allocationOf(record, word, of)
      if (body !== null) drafts.push(draftOf('trial.allocated', body, [word.place]))
    }
    if (drafts.length === 0) {
      this.#dues.settle(book, record, cut)
      return 0
    }
    writer.record('allocated', drafts, new Map())
    await writer.flush()
    return drafts.length
  }

  /** A list as it was drawn; null where its seed is not here. */
  async #drawnOf({ word, size }: StandingList): Promise<Drawn | null> {
    const secret = await this.secrets.list(word.body.root)
    if (secret === null) return null
    const list = drawList(secret.seed, secret, size)
    return { seed: secret.seed, list, tree: listTree(secret.seed, list) }
  }

  #refOf(member: MemberId, seq: number): string {
    return `${squeeze(this.#daemon.nameOf(member))}/${seq}`
  }

  /** The own entry of that kind that was written last. */
  async #newest(kind: TrialKind, from: number): Promise<TrialPlace | null> {
    const book = await this.book()
    let newest: TrialPlace | null = null
    for (const { voices } of book.trials())
      for (const { place } of voices.get(this.self)?.of(kind) ?? [])
        if (place.seq >= from && place.seq > (newest?.seq ?? -1)) newest = place
    return newest
  }
}

/** In slices. */
async function verify(book: TrialBook): Promise<void> {
  let paths = 0
  for (const record of book.trials())
    for (const took of verifying(record)) {
      paths += took
      if (paths < PATHS_AT_A_TIME) continue
      paths = 0
      await setImmediate()
    }
}

function draftOf(kind: TrialKind, body: object, rests: readonly TrialPlace[]): Draft {
  const refs = rests.map(({ author, seq, hash }): Ref => [author, seq, hash])
  const cited = refs.filter(([, , hash], i) => refs.findIndex((one) => one[2] === hash) === i)
  return { kind, study: null, timeMs: Date.now(), refs: cited, body: body as Cbor }
}

/** A list as its holder has it. */
interface Drawn {
  readonly seed: Uint8Array
  readonly list: DrawnList
  readonly tree: LeafTree
}

/** Null where the enrolment's key is none. */
function allocationOf(
  { id }: TrialRecord,
  { body, place }: TrialWord<'trial.enrolled'>,
  { seed, list, tree }: Drawn,
): object | null {
  const { position, key } = body
  const arm = list.arms[position]
  if (arm === undefined) return null
  const sealed = sealAllocation(key, fromHex(place.hash), { arm, salt: positionSalt(seed, position) })
  if (sealed === null) return null
  const leaf = tree.leaf(position).slice()
  return { trial: fromHex(id), enrolled: fromHex(place.hash), leaf, path: tree.path(position), sealed }
}
