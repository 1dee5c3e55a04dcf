/** Takes in EPCIS events and recalls, and finds in all members' logs where goods are, what is wrong, and what a recall reaches. */
import { setImmediate } from 'node:timers/promises'
import { fromHex, utf8 } from '../core/bytes.ts'
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { Gs1Key } from '../core/gs1.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { SUPPLY_BOUNDS, type SupplyEvent } from '../governance/kinds/supply.ts'
import { type Body, type Kind, readBody } from '../governance/kinds.ts'
import type { Checked } from '../governance/supply/answers.ts'
import type { SupplyBook } from '../governance/supply/book.ts'
import type { Limits } from '../governance/supply/findings.ts'
import { itemCheck } from '../governance/supply/itemCheck.ts'
import type { Thing } from '../governance/supply/keys.ts'
import type { Range } from '../governance/supply/products.ts'
import { type FinalSize, type Recall, type RecallList, recallListOf } from '../governance/supply/recalls.ts'
import { decodeEntry } from '../ledger/entry.ts'
import { FENCED } from '../node/boot.ts'
import { type CutSource, cutOf } from './cut.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import { entriesOf } from './logSlices.ts'
import { readSupplyFile, type SupplyFile } from './supplyFile.ts'
import { errorsOfNothing, type RecallWarning, recalledIn } from './supplyNotices.ts'
import { inSlices, type SupplyLogs, SupplyReader } from './supplyReader.ts'
import { Turns } from './turns.ts'

const EVENTS_BYTES_MAX = LIMITS.entryBytesMax - 4_096 // header, salt and citations have room
const AHEAD_MS = 600_000 // clocks of scanners run ahead by this much; later events have not happened
const SLICE = 500 // events compared before the event loop gets its turn

/** What a desk needs of its daemon. `writer` is null until the daemon may sign. */
export interface SupplyDeskParts {
  readonly home: { readonly key: { readonly id: MemberId } }
  readonly logs: SupplyLogs
  readonly writer: Pick<LedgerWriter, 'record' | 'flush'> | null
  readonly machine: CutSource
}

/** What came of an import. `places`: the own entries that were written, first and last. */
export interface Imported {
  readonly file: SupplyFile
  readonly recorded: number
  readonly known: number
  readonly places: readonly number[]
  readonly warnings: readonly RecallWarning[]
  /** Of those that were new, the ones that say of an event that it is in error, and there is none. */
  readonly ofNothing: readonly SupplyEvent[]
}

/** Events of own entries, as far as they were read. */
type Told = Map<number, readonly SupplyEvent[]>

/** Which goods are gone through, and how much of what is found is wanted. */
export interface CheckAsked {
  readonly shown: number
  readonly signal: AbortSignal
  /** Null: everything. */
  readonly scopeOf: (book: SupplyBook) => ReadonlySet<Thing> | null
}

/** One per daemon. */
export class SupplyDesk {
  readonly #parts: SupplyDeskParts
  readonly #reader: SupplyReader
  readonly #turns = new Turns<'write'>()

  constructor(parts: SupplyDeskParts) {
    this.#parts = parts
    this.#reader = new SupplyReader(() => this.#parts.logs)
  }

  /** All events and recalls that are known here now. */
  book(): Promise<SupplyBook> {
    return this.#reader.current()
  }

  /** Of a suspended member no more than was known of it. */
  get final(): FinalSize {
    return cutOf(this.#parts.machine).final
  }

  /**
   * Writes what is new in a file; nothing where an event of it is not accepted, or on a dry run. Durable when it resolves. Errors:
   * `boot-fence`, those of `readSupplyFile`.
   */
  import(path: string, nowMs: number, dryRun: boolean): Promise<Imported> {
    return this.#turns.run('write', async () => {
      const file = await readSupplyFile(path, nowMs + AHEAD_MS)
      const book = await this.book()
      const told: Told = new Map()
      const news = await this.#newTo(book, file.events, told)
      const known = file.events.length - news.length
      const ofNothing = await errorsOfNothing(news, (event) => this.#ownLike(book, event, told))
      if (dryRun || file.faultsInAll > 0 || news.length === 0) {
        const warnings = await recalledIn(book, news, this.final)
        return { file, recorded: 0, known, places: [], warnings, ofNothing }
      }
      const from = this.#parts.logs.sizeOf(this.#parts.home.key.id).size
      const bodies = [...batches(news)].map((events): Body<'supply.recorded'> => ({ events }))
      await this.#record('supply.recorded', bodies, nowMs)
      const warnings = await recalledIn(await this.book(), news, this.final)
      return { file, recorded: news.length, known, places: await this.#written(from), warnings, ofNothing }
    })
  }

  /** Error: `boot-fence`. */
  recall(body: Body<'supply.recalled'>, nowMs: number): Promise<void> {
    return this.#turns.run('write', () => this.#record('supply.recalled', [body], nowMs))
  }

  /** Takes this hospital's own recall back. Errors: `recall-unknown`, `boot-fence`. */
  lift(body: Body<'supply.lifted'>, nowMs: number): Promise<void> {
    return this.#turns.run('write', async () => {
      const item = new TextDecoder().decode(body.item)
      const own = (await this.book()).recalls
        .all(this.final)
        .filter(({ author, liftedBy }) => author === this.#parts.home.key.id && liftedBy === null)
      if (!own.some((one) => one.item === item && one.list === null)) throw notRecalled(item, own)
      await this.#record('supply.lifted', [body], nowMs)
    })
  }

  /**
   * Recalls many lots and products, in as many entries as it takes: those that are missing of a recall that was begun, none where all
   * stand. Errors: `recall-too-large`, `boot-fence`.
   */
  recallAll(
    items: readonly Gs1Key[],
    said: Pick<Body<'supply.recalled'>, 'reason' | 'class'>,
    nowMs: number,
  ): Promise<RecallList> {
    return this.#turns.run('write', async () => {
      const list = recallListOf(items)
      const slices = slicesOf(items)
      const before = await this.#ownList(list)
      const goesOn = before?.liftedBy === null && before.reason === said.reason && before.class === said.class
      const bodies = slices.flatMap((keys, slice): Body<'supply.recall-slice'>[] =>
        goesOn && !before.missing.includes(slice)
          ? []
          : [{ list: fromHex(list), slice, slices: slices.length, items: keys.map(utf8), ...said }],
      )
      await this.#record('supply.recall-slice', bodies, nowMs)
      return (await this.#ownList(list)) as RecallList
    })
  }

  /** Takes this hospital's own recall of many back, by its digest or its items. Errors: `recall-unknown`, `boot-fence`. */
  liftAll(
    given: Digest | readonly Gs1Key[],
    reason: Body<'supply.list-lifted'>['reason'],
    nowMs: number,
  ): Promise<RecallList> {
    return this.#turns.run('write', async () => {
      const list = typeof given === 'string' ? given : recallListOf(given)
      const before = await this.#ownList(list)
      if (before === undefined || before.liftedBy !== null) {
        const message = `${list.slice(0, 16)}: this hospital has no such recall of many, and each member takes back its own: "consilium supply recalls" lists them`
        throw new ConsiliumError({ code: 'recall-unknown', message })
      }
      await this.#record('supply.list-lifted', [{ list: fromHex(list), reason }], nowMs)
      return (await this.#ownList(list)) as RecallList
    })
  }

  /** Says between which temperatures a product is to be kept. Error: `boot-fence`. */
  declare(body: Body<'supply.product'>, nowMs: number): Promise<void> {
    return this.#turns.run('write', () => this.#record('supply.product', [body], nowMs))
  }

  /** Goes through all goods, those alone of which something is new; or through some. Errors: those of `signal` and of `scopeOf`. */
  async check(
    limits: Omit<Limits, 'rangeAt'> & { readonly fixed: Range | null },
    { shown, signal, scopeOf }: CheckAsked,
  ): Promise<Checked & { readonly book: SupplyBook }> {
    const { final } = this
    const book = await this.book()
    const things = scopeOf(book)
    const checked =
      things === null
        ? await this.#reader.checked(final, signal, limits, { shown, final })
        : await inSlices(itemCheck(book, things, limits, { shown, final }), signal)
    return { book, ...checked }
  }

  async #ownList(list: Digest): Promise<RecallList | undefined> {
    return (await this.book()).recalls
      .lists(this.final)
      .find((one) => one.author === this.#parts.home.key.id && one.list === list)
  }

  async #record(kind: Kind, bodies: readonly Cbor[], timeMs: number): Promise<void> {
    const { writer } = this.#parts
    if (writer === null) throw new ConsiliumError(FENCED)
    if (bodies.length === 0) return
    const drafts = bodies.map((body) => ({ kind, study: null, timeMs, refs: [], body }))
    writer.record('supply', drafts, new Map())
    await writer.flush()
  }

  async #written(from: number): Promise<number[]> {
    const seqs: number[] = []
    const { logs, home } = this.#parts
    for await (const { seq } of entriesOf(logs, home.key.id, ['supply.recorded'], { from })) seqs.push(seq)
    return seqs
  }

  /** Those that neither this hospital's log nor the file had before. */
  async #newTo(book: SupplyBook, events: readonly SupplyEvent[], told: Told): Promise<SupplyEvent[]> {
    const seen = new Set<string>()
    const news: SupplyEvent[] = []
    for (const [i, event] of events.entries()) {
      const digits = digitsOf(event)
      if (!seen.has(digits) && !(await this.#isKnown(book, event, digits, told))) news.push(event)
      seen.add(digits)
      if (i % SLICE === SLICE - 1) await setImmediate()
    }
    return news
  }

  /** The book says where to look, and the entry whether it is the same to the byte. */
  async #isKnown(book: SupplyBook, event: SupplyEvent, digits: string, told: Told): Promise<boolean> {
    for await (const other of this.#ownLike(book, event, told)) if (digitsOf(other) === digits) return true
    return false
  }

  /** Events of this hospital's log of the same time, and of the goods that it names first. */
  async *#ownLike(book: SupplyBook, event: SupplyEvent, told: Told): AsyncGenerator<SupplyEvent> {
    const self = this.#parts.home.key.id
    const key = firstKeyOf(event)
    const thing = key === null ? null : book.thingOf(key)
    for (const naming of thing === null ? [] : book.namingsOf(thing)) {
      const { author, timeMs, seq, nth } = book.at(naming.event)
      if (author !== self || timeMs !== event.time) continue
      if (!told.has(seq)) {
        const [raw] = await this.#parts.logs.entries(self, seq, seq + 1)
        const body = raw === undefined ? null : readBody('supply.recorded', decodeEntry(raw).body)
        told.set(seq, body?.events ?? [])
      }
      const other = told.get(seq)?.[nth]
      if (other !== undefined) yield other
    }
  }
}

/** `own`: what this hospital recalls, and does not take back. */
function notRecalled(item: string, own: readonly Recall[]): ConsiliumError {
  const list = own.find((one) => one.item === item)?.list
  const alone = own.filter((one) => one.list === null).map((one) => one.item)
  const which = alone.length === 0 ? 'it has none' : `it recalls ${alone.slice(0, 10).join(', ')}`
  const message =
    list === undefined || list === null
      ? `${item}: this hospital recalls no such lot or product, and each member takes back its own: ${which}`
      : `${item}: this hospital recalls it as one of many, which are taken back together: consilium supply recall ${list.slice(0, 16)} --lift CODE`
  return new ConsiliumError({ code: 'recall-unknown', message })
}

/** Sorted, as many to a slice as an entry holds. Error: `recall-too-large`. */
function slicesOf(items: readonly Gs1Key[]): Gs1Key[][] {
  const { keysMax, slicesMax } = SUPPLY_BOUNDS
  if (items.length > keysMax * slicesMax) {
    const message = `${items.length} lots and products were given, at most ${keysMax * slicesMax} are recalled at once: recall the product, or split the list`
    throw new ConsiliumError({ code: 'recall-too-large', message })
  }
  const sorted = [...items].sort()
  return Array.from({ length: Math.ceil(sorted.length / keysMax) }, (_, i) =>
    sorted.slice(i * keysMax, (i + 1) * keysMax),
  )
}

/** As many to an entry as fit. Error: `epcis-too-large`, of one that fits none. */
function* batches(events: readonly SupplyEvent[]): Generator<SupplyEvent[]> {
  let batch: SupplyEvent[] = []
  let bytes = 0
  for (const event of events) {
    const { length } = encodeCbor(event as Cbor)
    if (length > EVENTS_BYTES_MAX) {
      const at = new Date(event.time).toISOString()
      const message = `the event of ${at} takes ${length} bytes, at most ${EVENTS_BYTES_MAX} fit an entry: split its lists`
      throw new ConsiliumError({ code: 'epcis-too-large', message })
    }
    if (batch.length > 0 && (bytes + length > EVENTS_BYTES_MAX || batch.length === SUPPLY_BOUNDS.eventsMax)) {
      yield batch
      ;[batch, bytes] = [[], 0]
    }
    batch.push(event)
    bytes += length
  }
  if (batch.length > 0) yield batch
}

const digitsOf = (event: SupplyEvent): string => Buffer.from(encodeCbor(event as Cbor)).toString('base64')

/** The first goods that an event names; null of one that names none. */
export function firstKeyOf({ items, amounts, parent }: SupplyEvent): Gs1Key | null {
  const named = items?.[0] ?? amounts?.[0]?.[0] ?? parent
  return named === undefined ? null : (new TextDecoder().decode(named) as Gs1Key)
}
