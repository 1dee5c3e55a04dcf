/**
 * All supply events of all logs, by the keys that they name. A reading of the logs in memory, given each log from its beginning, in order and
 * once; answers are the same in whatever order the logs came, for whoever asks sorts by `compare`. About 150 bytes for each event with two keys.
 */
import { BIZ_STEPS, DISPOSITIONS } from '../../core/cbv.ts'
import type { Gs1Key } from '../../core/gs1.ts'
import { compareIds, type MemberId } from '../../core/ids.ts'
import { decodeEntry, type Entry, glanceAt } from '../../ledger/entry.ts'
import { Column } from '../columns.ts'
import type { SupplyEvent } from '../kinds/supply.ts'
import { readBody } from '../kinds.ts'
import { type EventNumber, type Happening, type Naming, ROLES, type Role } from './happening.ts'
import { Keys, type Thing } from './keys.ts'
import { namesIn } from './namings.ts'
import { Products, type Range } from './products.ts'
import { Recalls } from './recalls.ts'
import { Recent } from './recent.ts'

const EVENTS_PER_MEMBER_MAX = 5_000_000 // 0.8 GB: ten years of 1,300 events a day; what comes after is counted
const RECENT_EVENTS = 4_096 // a pallet's: 1 MB
const RECENT_THINGS = 512
const NONE = -1
const NO_TEMPERATURE = -2_147_483_648
const TYPES = ['object', 'aggregation', 'transaction', 'transformation', 'association'] as const
const ACTIONS = ['add', 'observe', 'delete'] as const
const FLAGS = { alarm: 1, error: 2, forgotten: 4 } as const
const decoder = new TextDecoder()

/** One per shell. */
export class SupplyBook {
  readonly recalls = new Recalls()
  readonly products = new Products()
  readonly #read = new Map<MemberId, number>()
  readonly #told = new Map<MemberId, number>()
  /** Events that say of another that it is in error: by its time, then by its author and what it tells, in the author's order. */
  readonly #errors = new Map<number, Map<string, EventNumber[]>>()
  readonly #happenings = new Recent<Happening>(RECENT_EVENTS)
  readonly #namings = new Recent<readonly { readonly event: EventNumber; readonly role: Role }[]>(RECENT_THINGS)
  /** Events beyond a member's bound. */
  dropped = 0
  forgotten = 0

  readonly #authors: MemberId[] = []
  readonly #keys = new Keys()

  readonly #time = new Column(Float64Array)
  readonly #lamport = new Column(Float64Array)
  readonly #author = new Column(Uint16Array)
  readonly #seq = new Column(Uint32Array)
  readonly #nth = new Column(Uint16Array)
  readonly #type = new Column(Uint8Array)
  readonly #action = new Column(Uint8Array)
  readonly #step = new Column(Uint8Array)
  readonly #disposition = new Column(Uint8Array)
  readonly #readPoint = new Column(Int32Array)
  readonly #location = new Column(Int32Array)
  readonly #source = new Column(Int32Array)
  readonly #destination = new Column(Int32Array)
  readonly #low = new Column(Int32Array)
  readonly #high = new Column(Int32Array)
  readonly #flags = new Column(Uint8Array)
  readonly #expires = new Column(Int32Array)
  /** The first naming of each event; those of one event stand together. */
  readonly #first = new Column(Uint32Array)

  readonly #named = new Column(Int32Array)
  readonly #role = new Column(Uint8Array)
  readonly #amount = new Column(Float64Array)
  readonly #unit = new Column(Uint16Array)
  readonly #namedBy = new Column(Uint32Array)
  /** The naming of the same key before; `#newest` has the last one of each key. */
  readonly #before = new Column(Int32Array)
  readonly #newest = new Column(Int32Array)

  /** Up to which entry an author's log was read. */
  readOf(author: MemberId): number {
    return this.#read.get(author) ?? 0
  }

  /** The next entries of a log. Bodies that were dropped tell nothing. Errors: those of `decodeEntry`, where the store is damaged. */
  take(author: MemberId, raws: readonly Uint8Array[]): void {
    for (const raw of raws) if (glanceAt(raw).kind.startsWith('supply.')) this.tell(decodeEntry(raw))
    this.#read.set(author, this.readOf(author) + raws.length)
  }

  /** One entry of a log, after those before it. */
  tell(entry: Pick<Entry, 'kind' | 'author' | 'seq' | 'timeMs' | 'lamport' | 'body'>): void {
    const { kind, body } = entry
    if (kind === 'supply.product') return this.products.tell(entry)
    if (kind !== 'supply.recorded') return this.recalls.tell(entry)
    const told = readBody(kind, body)
    told?.events.forEach((event, nth) => {
      this.#add(event, entry, nth)
    })
  }

  /** Events that were read, also those that are forgotten again: their numbers go from 0 to this. */
  get events(): number {
    return this.#time.length
  }
  /** Events of these entries of an author, in their order. */
  toldIn(author: MemberId, seqs: readonly number[]): EventNumber[] {
    const [who, wanted] = [this.#authors.indexOf(author), new Set(seqs)]
    const found: EventNumber[] = []
    for (let event = 0; event < this.events; event++)
      if (this.#author.at(event) === who && wanted.has(this.#seq.at(event))) found.push(event)
    return found
  }

  /**
   * Events whose bodies were dropped: nothing of them is left here, nor are keys that nothing else names. `events` are some of `toldIn`.
   * Goes through all events once.
   */
  forget(events: readonly EventNumber[]): void {
    const orphans = new Set<Thing>()
    for (const event of events) {
      if (this.#isForgotten(event)) continue
      this.#forgetError(event)
      for (const { thing } of this.namedIn(event)) {
        this.#unlink(thing, event)
        if (!this.isGoods(thing)) orphans.add(thing)
      }
      for (const column of [this.#readPoint, this.#location, this.#source, this.#destination]) {
        const place = column.at(event)
        if (place !== NONE && !this.isGoods(place)) orphans.add(place)
        column.set(event, NONE)
      }
      for (const column of [this.#time, this.#step, this.#disposition, this.#high, this.#action]) column.set(event, 0)
      this.#low.set(event, NO_TEMPERATURE)
      this.#expires.set(event, NONE)
      this.#flags.set(event, FLAGS.forgotten)
      this.forgotten++
    }
    this.#happenings.clear()
    this.#namings.clear()
    if (orphans.size > 0) this.#forgetKeys(orphans)
  }
  /** Goods, and places and parties with them: numbers from 0 to this. */
  get things(): number {
    return this.#keys.size
  }

  thingOf(key: Gs1Key): Thing | null {
    return this.#keys.of(key)
  }

  keyOf(thing: Thing): Gs1Key {
    return this.#keys.at(thing)
  }

  /** Packs, lots and the product itself, of a GTIN. */
  ofProduct(gtin: string): readonly Thing[] {
    return this.#keys.ofProduct(gtin)
  }

  /** Whether any event names it as goods. */
  isGoods(thing: Thing): boolean {
    return this.#newest.at(thing) !== NONE
  }

  /** Events that name a key, each once and with its role, sorted by `compare`. */
  namingsOf(thing: Thing): readonly { readonly event: EventNumber; readonly role: Role }[] {
    return this.#namings.get(thing, () => this.#readNamings(thing))
  }

  #readNamings(thing: Thing): { readonly event: EventNumber; readonly role: Role }[] {
    const found: { event: EventNumber; role: Role }[] = []
    for (let at = this.#newest.at(thing); at !== NONE; at = this.#before.at(at))
      found.push({ event: this.#namedBy.at(at), role: this.#role.at(at) as Role })
    return found.sort((a, b) => this.compare(a.event, b.event) || a.role - b.role)
  }

  /** Keys that an event names, in its order. */
  namedIn(event: EventNumber, role?: Role): Naming[] {
    const found: Naming[] = []
    const end = event + 1 < this.events ? this.#first.at(event + 1) : this.#named.length
    for (let at = this.#first.at(event); at < end; at++) {
      if (role !== undefined && this.#role.at(at) !== role) continue
      const amount = this.#amount.at(at)
      found.push({
        thing: this.#named.at(at),
        role: this.#role.at(at) as Role,
        amount: Number.isNaN(amount) ? null : amount,
        unit: this.#unit.at(at),
      })
    }
    return found
  }

  /** What an event puts things into, or takes them out of: it is named first. Null of one that says nothing of that. */
  parentIn(event: EventNumber): Thing | null {
    const at = this.#first.at(event)
    const end = event + 1 < this.events ? this.#first.at(event + 1) : this.#named.length
    return at < end && this.#role.at(at) === ROLES.parent ? this.#named.at(at) : null
  }

  /** The canonical order: when it happened, then when it was told. */
  compare(a: EventNumber, b: EventNumber): number {
    return (
      this.#time.at(a) - this.#time.at(b) ||
      this.#lamport.at(a) - this.#lamport.at(b) ||
      compareIds(this.#authorOf(a), this.#authorOf(b)) ||
      this.#seq.at(a) - this.#seq.at(b) ||
      this.#nth.at(a) - this.#nth.at(b)
    )
  }

  timeOf(event: EventNumber): number {
    return this.#time.at(event)
  }

  /** The lowest and the highest temperature that it tells; null where it tells none. */
  readingOf(event: EventNumber): Range | null {
    const low = this.#low.at(event)
    return low === NO_TEMPERATURE ? null : { low, high: this.#high.at(event) }
  }

  at(event: EventNumber): Happening {
    return this.#happenings.get(event, () => this.#readEvent(event))
  }

  #readEvent(event: EventNumber): Happening {
    const low = this.#low.at(event)
    return {
      number: event,
      author: this.#authorOf(event),
      seq: this.#seq.at(event),
      nth: this.#nth.at(event),
      timeMs: this.#time.at(event),
      type: TYPES[this.#type.at(event)] as SupplyEvent['type'],
      action: ACTIONS[this.#action.at(event) - 1] ?? null,
      step: BIZ_STEPS[this.#step.at(event) - 1] ?? null,
      disposition: DISPOSITIONS[this.#disposition.at(event) - 1] ?? null,
      readPoint: this.#keyOrNull(this.#readPoint.at(event)),
      location: this.#keyOrNull(this.#location.at(event)),
      source: this.#keyOrNull(this.#source.at(event)),
      destination: this.#keyOrNull(this.#destination.at(event)),
      low: low === NO_TEMPERATURE ? null : low,
      high: low === NO_TEMPERATURE ? null : this.#high.at(event),
      alarm: (this.#flags.at(event) & FLAGS.alarm) !== 0,
      isError: (this.#flags.at(event) & FLAGS.error) !== 0,
      expires: this.#expires.at(event) === NONE ? null : this.#expires.at(event),
    }
  }

  /** Whether it says of another that it is in error, or its author said so of it later. */
  isInError(event: EventNumber): boolean {
    if ((this.#flags.at(event) & FLAGS.error) !== 0) return true
    const errors = this.#errors.get(this.#time.at(event))
    const last = errors?.get(this.#likenessBy(event))?.at(-1)
    return last !== undefined && this.#isLater(last, event)
  }

  /** The same of events that tell of the same: when, what, where and of which goods; by whom, and whether in error, apart. */
  likenessOf(event: EventNumber): string {
    const columns = [this.#time, this.#type, this.#action, this.#step, this.#disposition, this.#readPoint]
    const more = [this.#location, this.#source, this.#destination, this.#low, this.#high]
    const named = this.namedIn(event).map(({ thing, role, amount, unit }) => `${thing}:${role}:${amount}:${unit}`)
    return [...[...columns, ...more].map((column) => column.at(event)), ...named].join(' ')
  }

  #likenessBy(event: EventNumber): string {
    return `${this.#author.at(event)} ${this.likenessOf(event)}`
  }

  #addError(event: EventNumber): void {
    const errors = this.#errors.get(this.#time.at(event)) ?? new Map<string, EventNumber[]>()
    const alike = errors.get(this.#likenessBy(event))
    if (alike === undefined) errors.set(this.#likenessBy(event), [event])
    else alike.push(event)
    this.#errors.set(this.#time.at(event), errors)
  }

  #forgetError(event: EventNumber): void {
    if ((this.#flags.at(event) & FLAGS.error) === 0) return
    const errors = this.#errors.get(this.#time.at(event))
    const alike = (errors?.get(this.#likenessBy(event)) ?? []).filter((other) => other !== event)
    errors?.set(this.#likenessBy(event), alike)
  }

  #isForgotten(event: EventNumber): boolean {
    return (this.#flags.at(event) & FLAGS.forgotten) !== 0
  }

  /** Takes the namings of a key by an event out of its chain. */
  #unlink(thing: Thing, event: EventNumber): void {
    let after: number = NONE
    for (let at = this.#newest.at(thing); at !== NONE; at = this.#before.at(at)) {
      if (this.#namedBy.at(at) !== event) after = at
      else if (after === NONE) this.#newest.set(thing, this.#before.at(at))
      else this.#before.set(after, this.#before.at(at))
    }
  }

  /** Of keys that no event names as goods any more, those that are no place of one either. */
  #forgetKeys(orphans: Set<Thing>): void {
    for (const column of [this.#readPoint, this.#location, this.#source, this.#destination])
      for (let event = 0; event < this.events; event++) orphans.delete(column.at(event))
    for (const thing of orphans) this.#keys.forget(thing)
  }

  #isLater(a: EventNumber, b: EventNumber): boolean {
    if (this.#author.at(a) !== this.#author.at(b)) return false
    return (
      this.#seq.at(a) > this.#seq.at(b) || (this.#seq.at(a) === this.#seq.at(b) && this.#nth.at(a) > this.#nth.at(b))
    )
  }

  #authorOf(event: EventNumber): MemberId {
    return this.#authors[this.#author.at(event)] as MemberId
  }

  #keyOrNull(thing: number): Gs1Key | null {
    return thing === NONE ? null : this.keyOf(thing)
  }

  #add(event: SupplyEvent, { author, seq, lamport }: Pick<Entry, 'author' | 'seq' | 'lamport'>, nth: number): void {
    const told = this.#told.get(author) ?? 0
    if (told >= EVENTS_PER_MEMBER_MAX) {
      this.dropped++
      return
    }
    this.#told.set(author, told + 1)
    const number = this.events
    this.#time.push(event.time)
    this.#lamport.push(lamport)
    this.#author.push(this.#numberOf(author))
    this.#seq.push(seq)
    this.#nth.push(nth)
    this.#type.push(TYPES.indexOf(event.type))
    this.#action.push(event.action === undefined ? 0 : ACTIONS.indexOf(event.action) + 1)
    this.#step.push(event.step === undefined ? 0 : BIZ_STEPS.indexOf(event.step) + 1)
    this.#disposition.push(event.disposition === undefined ? 0 : DISPOSITIONS.indexOf(event.disposition) + 1)
    this.#readPoint.push(this.#optional(event.readPoint))
    this.#location.push(this.#optional(event.location))
    this.#source.push(this.#optional(partyIn(event.sources)))
    this.#destination.push(this.#optional(partyIn(event.destinations)))
    const readings = event.temperatures ?? []
    this.#low.push(readings.length === 0 ? NO_TEMPERATURE : Math.min(...readings.map(([low]) => low)))
    this.#high.push(readings.length === 0 ? NO_TEMPERATURE : Math.max(...readings.map(([, high]) => high)))
    const alarm = readings.some(([, , , , raised]) => raised) ? FLAGS.alarm : 0
    this.#flags.push(alarm | (event.error === undefined ? 0 : FLAGS.error))
    this.#expires.push(event.expires ?? NONE)
    this.#first.push(this.#named.length)
    for (const [key, role, amount, unit] of namesIn(event))
      this.#name(number, this.#internText(key), role, amount, unit)
    if (event.error !== undefined) this.#addError(number)
  }

  #name(event: EventNumber, thing: Thing, role: Role, amount: number, unit: number): void {
    this.#namings.drop(thing)
    this.#before.push(this.#newest.at(thing))
    this.#newest.set(thing, this.#named.length)
    this.#named.push(thing)
    this.#role.push(role)
    this.#amount.push(amount)
    this.#unit.push(unit)
    this.#namedBy.push(event)
  }

  #optional(key: Uint8Array | undefined): number {
    return key === undefined ? NONE : this.#intern(key)
  }

  #intern(key: Uint8Array): Thing {
    return this.#internText(decoder.decode(key))
  }

  #internText(text: string): Thing {
    const thing = this.#keys.intern(text)
    if (thing === this.#newest.length) this.#newest.push(NONE)
    return thing
  }

  #numberOf(author: MemberId): number {
    const known = this.#authors.indexOf(author)
    return known >= 0 ? known : this.#authors.push(author) - 1
  }
}

/** Where something is, before who has it, before whose it is. */
function partyIn(parties: SupplyEvent['sources']): Uint8Array | undefined {
  for (const wanted of ['location', 'possessing_party', 'owning_party'] as const) {
    const found = parties?.find(([type]) => type === wanted)
    if (found !== undefined) return found[1]
  }
  return undefined
}
