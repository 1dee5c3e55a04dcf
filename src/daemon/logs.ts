/** The logs of all members as this node holds them: read at start, grown by commits and replication, served to the others. */
import { EventEmitter, once } from 'node:events'
import { RETENTION_DEFAULTS, type Retention } from '../config/retention.ts'
import { equalBytes, toHex } from '../core/bytes.ts'
import { sha256 } from '../core/digest.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { isKind } from '../governance/kinds.ts'
import { classOf } from '../governance/retention.ts'
import type { Fact } from '../governance/studies.ts'
import { emptyTip, rootAt, type Tip, tipOf } from '../ledger/chain.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import { parseHead, rootOf, verifyHead } from '../ledger/head.ts'
import type { Roll } from '../ledger/membership.ts'
import type { Final, FinalTimes, LogStore } from '../ledger/store.ts'
import {
  decodeHeads,
  decodeRangeRequest,
  encodeHeads,
  encodeRangeRequest,
  FRAME_BYTES_MAX,
  HEADS_FRAME_BYTES_MAX,
  type OpenedFrame,
  openFrame,
  type RangeRequest,
} from '../ledger/wire.ts'
import type { Transport } from '../net/transport.ts'
import type { LogSize } from '../node/events.ts'
import { PIN_CONTRADICTED } from '../node/reconfiguring.ts'
import { serveRange } from '../store/serveRange.ts'
import { TreeReader } from '../store/treeReader.ts'
import { type BodiesDropped, telling } from './droppedBodies.ts'
import { FactReader } from './factReader.ts'
import { Pruner } from './pruner.ts'
import { type Recomputed, recompute } from './recompute.ts'
import { Redactions } from './redactions.ts'
import type { Room } from './room.ts'
import { Turns } from './turns.ts'

const HEADS = '/consilium/heads/1'
export const RANGE = '/consilium/range/1'
const HEARD_MAX = 8 // notes of 330 bytes per author; a contradiction is looked for as soon as its second side is heard

/** A head as it was heard: what it says, and whether its author signed it. */
export interface HeardHead {
  readonly log: LogSize
  readonly signatureValid: boolean
}

/** Entries of one frame that are stored now, and what the machine reads of them. */
export interface Fetched {
  readonly entries: readonly Entry[]
  readonly facts: readonly Fact[]
}

/** What the logs work with. */
export interface LogsParts {
  readonly self: MemberId
  readonly founding: Digest
  readonly roll: Roll
  readonly store: LogStore
  readonly transport: Transport
  readonly room: Pick<Room, 'require'>
  /** What may go of them; everything stays where it is absent. */
  readonly retention?: Retention
}

/** One per daemon; call `load` first. Tips and newest notes are in memory, entries in the store. */
export class Logs {
  /** What the machine reads of them. */
  readonly facts: FactReader
  readonly redactions: Redactions
  readonly pruner: Pruner
  /** Who holds what bodies said is told here when they are gone from the disk. */
  readonly dropped = new Set<BodiesDropped>()
  readonly #parts: LogsParts
  readonly #tips = new Map<MemberId, Tip>()
  readonly #notes = new Map<MemberId, Uint8Array>()
  /** Validly signed heads heard of each author, by size: what two contradictory ones are found among. */
  readonly #heard = new Map<MemberId, { readonly size: number; readonly note: Uint8Array }[]>()
  readonly #forked = new Set<MemberId>()
  readonly #appending = new Turns<MemberId>()
  readonly #handedOver = new EventEmitter()
  #lamport = 0

  constructor(parts: LogsParts) {
    this.#parts = parts
    const { self, store, retention = RETENTION_DEFAULTS } = parts
    this.facts = new FactReader({ self, store, tip: (author) => this.tip(author) })
    const told = telling(store, this.dropped)
    this.redactions = new Redactions({ self, store: told, retention })
    this.pruner = new Pruner({ store: told, retention })
  }

  /** Reads where each log ends. */
  async load(): Promise<void> {
    const { store, roll } = this.#parts
    for (const member of roll.authors) {
      const head = await store.head(member)
      if (head !== undefined) {
        const [last] = await store.entries(member, head.size - 1, head.size)
        invariant(last !== undefined, 'the store has checked that the last entry is there')
        this.#grow(tipOf(head, last), head.note)
      }
      if ((await store.forkEvidence(member)) !== undefined) this.#forked.add(member)
    }
  }

  /** What the machine reads of all logs as they were loaded. Error: `database-corrupt`. */
  async readFacts(): Promise<Fact[]> {
    const facts: Fact[][] = []
    for (const author of this.authors()) facts.push(await this.facts.read(author))
    const { roll } = this.#parts
    const all = facts.flat().filter(({ author, seq }) => roll.governing(author, seq + 1) !== null) // what a former member wrote beyond its pin decides nothing
    this.redactions.find(all)
    return this.redactions.vetted(all)
  }

  /** Error: `disk-low`. */
  requireRoom(bytes: number): Promise<void> {
    return this.#parts.room.require(bytes)
  }

  get self(): MemberId {
    return this.#parts.self
  }

  /** The newest stored head of a log, with its note. */
  newest(author: MemberId): { readonly log: LogSize; readonly note: Uint8Array } | null {
    const note = this.note(author)
    return note === null ? null : { log: this.sizeOf(author), note }
  }

  isForked = (author: MemberId): boolean => this.#forked.has(author)

  authors(): readonly MemberId[] {
    return this.#parts.roll.authors
  }

  tip(author: MemberId): Tip {
    return this.#tips.get(author) ?? emptyTip(author)
  }

  /** The newest stored head, or null for an empty log. */
  note(author: MemberId): Uint8Array | null {
    return this.#notes.get(author) ?? null
  }

  /** The greatest lamport time in any log here. */
  lamport(): number {
    return this.#lamport
  }

  sizeOf(author: MemberId): LogSize {
    const tip = this.tip(author)
    return { author, size: tip.size, root: toHex(tip.size === 0 ? sha256() : rootAt(tip)) as Digest }
  }

  sizes(): LogSize[] {
    return this.authors().map((author) => this.sizeOf(author))
  }

  forked(): MemberId[] {
    return [...this.#forked].sort(compareIds)
  }

  /** When final heads around `size` entries were witnessed. */
  finalTimes(author: MemberId, size: number): Promise<FinalTimes> {
    return this.#parts.store.finalTimes(author, size)
  }

  /** The smallest kept final head over at least `size` entries; the newest where none is given. */
  final(author: MemberId, size?: number): Promise<Omit<Final, 'timeS'> | undefined> {
    return this.#parts.store.final(author, size)
  }

  /** The note that its author signed at just this size, where it is kept. */
  async noteAt(author: MemberId, size: number): Promise<Uint8Array | undefined> {
    return (await this.#parts.store.commit(author, size - 1, size))?.note
  }

  /** Proofs over what is stored of one log. */
  tree(author: MemberId): TreeReader {
    return new TreeReader(this.#parts.store, author)
  }

  /** Own entries are durable; gives what the machine reads of them. */
  committed(tip: Tip, note: Uint8Array, entries: readonly Entry[]): Fact[] {
    this.#grow(tip, note)
    const facts = this.facts.note(tip.author, entries)
    this.redactions.note(facts)
    return facts
  }

  /** As the store's: raw entries `from` ≤ seq < `to`, up to a hole, or before `bytesMax` is passed. */
  entries(author: MemberId, from: number, to: number, bytesMax?: number): Promise<Uint8Array[]> {
    return this.#parts.store.entries(author, from, to, bytesMax)
  }

  async newestTimeMs(author: MemberId): Promise<number> {
    const { size } = this.tip(author)
    const [raw] = await this.entries(author, size - 1, size)
    return raw === undefined ? 0 : decodeEntry(raw).timeMs
  }

  /** Reads a head that a message carries and checks its signature. Errors blame the sender: `head-malformed`, `head-foreign`, `head-author`. */
  readHead(note: Uint8Array, author: MemberId | null): HeardHead {
    const head = parseHead(note, this.#parts.founding)
    if (author !== null && head.author !== author) {
      throw new ConsiliumError({
        code: 'head-author',
        message: 'a head of another member was published',
        blame: 'reject',
      })
    }
    const signatureValid = verifyHead(head) // whether an epoch lets its log be so long is the machine's question
    if (signatureValid && this.#parts.roll.isAuthor(head.author)) this.#remember(head.author, head.size, note)
    return { log: { author: head.author, size: head.size, root: rootOf(head) }, signatureValid }
  }

  /** Every signed head of `author` that was heard lately, and the newest that is stored, and those stored at the sizes of the others. */
  async headNotes(author: MemberId): Promise<Uint8Array[]> {
    const heard = this.#heard.get(author) ?? []
    const newest = this.note(author)
    const stored = await Promise.all(heard.map(({ size }) => this.#parts.store.commit(author, size - 1, size)))
    const notes = [
      ...(newest === null ? [] : [newest]),
      ...stored.flatMap((one) => one?.note ?? []),
      ...heard.map(({ note }) => note),
    ]
    return notes.filter((note, i) => notes.findIndex((other) => equalBytes(note, other)) === i)
  }

  /** The evidence is kept: from now on nothing more of this log is taken. */
  markForked(author: MemberId): void {
    this.#forked.add(author)
  }

  /** The newest few of each author: a node that is asked for evidence has just heard one side of it. */
  #remember(author: MemberId, size: number, note: Uint8Array): void {
    const heard = (this.#heard.get(author) ?? []).filter((one) => !equalBytes(one.note, note))
    if (heard.length >= HEARD_MAX) {
      const smallest = heard.reduce((a, b) => (b.size < a.size ? b : a))
      heard.splice(heard.indexOf(smallest), 1)
    }
    heard.push({ size, note })
    this.#heard.set(author, heard)
  }

  /** Lets other members ask for heads and ranges. */
  async serve(): Promise<void> {
    const { transport, store } = this.#parts
    const told = (from: MemberId) => encodeHeads([...this.#notes.values(), ...this.#heardBeyond(from)])
    await transport.handle(HEADS, async function* (from) {
      yield* told(from)
    })
    await transport.handle(RANGE, (_, request) => this.#served(decodeRangeRequest(request), store), true)
  }

  async *#served(request: RangeRequest, store: LogStore): AsyncIterable<Uint8Array> {
    const { size } = this.sizeOf(request.author)
    const { roll } = this.#parts
    try {
      yield* serveRange(store, request, roll.isMember(request.author) ? undefined : roll.pinned(request.author)?.size)
    } finally {
      if (request.author === this.self) this.#handedOver.emit('served', size) // who has what it asked for hangs up before the end
    }
  }

  /** Resolves when a member has fetched all own entries, or after `waitMs`: what nobody else holds dies with this disk. */
  async handedOver(waitMs: number): Promise<void> {
    if (!this.#parts.transport.peers().some(({ connected }) => connected)) return
    const { size } = this.sizeOf(this.self)
    const signal = AbortSignal.timeout(waitMs)
    try {
      for (let served = 0; served < size; ) [served] = (await once(this.#handedOver, 'served', { signal })) as [number]
    } catch {
      // the others fetch the rest at the next start
    }
  }

  /** The asker wants to know what it has ever signed: a head of it that was heard counts, though its entries never came. */
  #heardBeyond(author: MemberId): Uint8Array[] {
    const { size } = this.sizeOf(author)
    const newest = (this.#heard.get(author) ?? []).reduce<{ size: number; note: Uint8Array | null }>(
      (a, b) => (b.size > a.size ? b : a),
      { size, note: null },
    )
    return newest.note === null ? [] : [newest.note]
  }

  async askHeads(peer: MemberId, signal: AbortSignal): Promise<HeardHead[]> {
    const heads: HeardHead[] = []
    const answer = this.#parts.transport.request(peer, HEADS, new Uint8Array(0), {
      signal,
      frameBytesMax: HEADS_FRAME_BYTES_MAX,
    })
    for await (const frame of answer) {
      for (const note of decodeHeads(frame)) heads.push(this.readHead(note, null))
      if (heads.length > this.#parts.roll.authors.length + 1)
        throw new ConsiliumError({ code: 'heads-too-many', message: 'more heads than members', blame: 'reject' })
    }
    return heads
  }

  /**
   * Fetches what is missing of a log up to at least `to`; each yield is verified and durable, with what the machine reads of it. Errors: those of `openFrame`, with their
   * blame; `range-bodiless`; `range-short`; `range-overtaken` where another fetch has brought the same entries meanwhile, and `disk-low`, which
   * are nobody's fault; those of the store.
   */
  async *fetch(author: MemberId, peer: MemberId, to: number, signal: AbortSignal): AsyncIterable<Fetched> {
    let at = this.tip(author)
    const request = encodeRangeRequest({ author, fromSize: at.size })
    const options = { signal, frameBytesMax: FRAME_BYTES_MAX }
    let writing: Promise<Fetched> | null = null
    let failed: { readonly error: unknown } | null = null
    try {
      for await (const bytes of this.#parts.transport.request(peer, RANGE, request, options)) {
        const frame = openFrame(at, bytes, this.#parts.founding) // while the one before it is written
        this.#requireGoverned(frame.tip)
        if (writing !== null) yield await writing
        writing = this.#appending.run(author, () => this.#append(frame, bytes.length))
        writing.catch(() => undefined) // it is awaited below, perhaps after the next frame has come
        at = frame.tip
        if (at.size >= to) break // the peer would go on to its newest head, which is another fetch
      }
    } catch (error) {
      failed = { error }
    }
    if (writing !== null) yield await writing // what is stored is told, whatever came after it
    if (failed !== null) throw failed.error
    if (at.size < to)
      throw new ConsiliumError({ code: 'range-short', message: `the peer announced ${to} entries and gave fewer` })
  }

  /** A peer that has not heard of an epoch may give more of a former member's log than counts. Error: `range-ungoverned`. */
  #requireGoverned({ author, size }: Tip): void {
    if (this.#parts.roll.governing(author, size) !== null) return
    throw new ConsiliumError({ code: 'range-ungoverned', message: `no epoch lets this log have ${size} entries` })
  }

  /** Whether what is stored of a log is what the members pinned of it; true where less is stored. */
  async agrees({ author, size, root }: LogSize): Promise<boolean> {
    if (size === 0 || this.tip(author).size < size) return true
    return toHex(await this.tree(author).root(size)) === root
  }

  async #append({ batch, tip, entries }: OpenedFrame, bytes: number): Promise<Fetched> {
    if (this.tip(tip.author).size !== batch.from) {
      throw new ConsiliumError({ code: 'range-overtaken', message: 'these entries have come from elsewhere meanwhile' })
    }
    requireBodies(entries)
    await this.requireRoom(bytes)
    await this.#parts.store.append(batch)
    this.#grow(tip, batch.head.note)
    const pin = this.#parts.roll.pinned(tip.author)
    if (pin !== null && batch.from < pin.size && !(await this.agrees(pin)))
      throw new ConsiliumError({ code: PIN_CONTRADICTED, message: 'an epoch pins another history of this log' })
    const facts = this.facts.note(tip.author, entries)
    const vetted = await this.redactions.vetted(facts) // before the bodies go that it looks at
    await this.redactions.carryOut(facts)
    return { entries, facts: vetted }
  }

  /** Recomputes a whole log from its first entry. */
  verify(author: MemberId): Promise<Recomputed> {
    const read = (from: number, to: number) => this.entries(author, from, to)
    return recompute(author, this.note(author), this.#parts.founding, read)
  }

  #grow(tip: Tip, note: Uint8Array): void {
    this.#tips.set(tip.author, tip)
    this.#notes.set(tip.author, note)
    this.#lamport = Math.max(this.#lamport, tip.lamport)
  }
}

/** A proposal may be redacted, and the redaction says what to go by; who is given one bare and hears of none knows of no study, and trains none. */
const mayNeverLack = (kind: string): boolean => classOf(kind) === 'decides' && kind !== 'study.proposed'

/** A relay that leaves out the body of a pause would have its reader train on; bodies that decide never go, so none may lack. */
export function requireBodies(entries: readonly Entry[]): void {
  const bare = entries.find(({ kind, body }) => body === null && isKind(kind) && mayNeverLack(kind))
  if (bare === undefined) return
  throw new ConsiliumError({
    code: 'range-bodiless',
    message: `entry ${bare.seq} (${bare.kind}) came without its body, which no honest member drops`,
    blame: 'reject',
  })
}
