/**
 * This node as a witness of the others, and what it hears of its own witnesses: makes cosignatures in the order that `ledger/witness.ts`
 * asks for, keeps those it hears until a quorum is together, keeps final heads, and tells peers of them.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import type { SigningKey } from '../core/ed25519.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import {
  type Cosignature,
  formatCosigned,
  headTextOf,
  parseCosigned,
  signCosignature,
  verifyCosignature,
} from '../ledger/cosignature.ts'
import { type Head, parseHead, rootOf, type VerifiedHead, verifyHead } from '../ledger/head.ts'
import { countedOf, type Roll } from '../ledger/membership.ts'
import type { LogStore, Witnessed } from '../ledger/store.ts'
import { type CosignRefusal, cosignRefusal } from '../ledger/witness.ts'
import {
  decodeFinal,
  decodeFinalsRequest,
  encodeFinal,
  encodeFinalsRequest,
  encodeStatements,
  FINAL_FRAME_BYTES_MAX,
  STATEMENTS_MAX,
  type Statement,
} from '../ledger/witnessWire.ts'
import type { Transport } from '../net/transport.ts'
import type { LogSize } from '../node/events.ts'
import { TreeReader } from '../store/treeReader.ts'
import { CosignatureWatch, type CosignatureWatchParts } from './cosignatureWatch.ts'
import { Finals } from './finals.ts'
import type { Log } from './log.ts'
import type { Logs } from './logs.ts'
import { Turns } from './turns.ts'

const FINALS = '/consilium/finals/1'
const EARLY_MAX = 64 // witnesses of one log whose statements wait for its head: 10 kB a log
const HEADS_MAX = 8 // heads per log whose cosignatures are kept until a quorum is together; ledger/finality.ts counts as many sizes

/** What a witness works with. */
export interface WitnessParts {
  readonly key: SigningKey
  readonly founding: Digest
  readonly roll: Roll
  readonly store: LogStore
  readonly transport: Transport
  readonly logs: Pick<Logs, 'newest' | 'isForked'>
  /** This node votes on an epoch that pins the logs where they stand: nothing is cosigned beyond. */
  readonly isVoting: () => boolean
  readonly tasks: CosignatureWatchParts['tasks']
  readonly cosigners: CosignatureWatchParts['cosigners']
  readonly log: Log
}

/** A final head that a peer has handed over, checked: kept, or refused because it contradicts what is stored here. */
export interface HandedFinal {
  readonly log: LogSize
  readonly head: VerifiedHead
  readonly kept: boolean
}

type Heard = Map<string, Map<MemberId, Cosignature>>

/** One per daemon; `load` first. Work on one author's log is done in turn. */
export class Witness {
  readonly #parts: WitnessParts
  readonly #turns = new Turns<MemberId>()
  readonly kept: Finals
  readonly #watch: CosignatureWatch
  /** By author, then by size and root: oldest first. */
  readonly #heard = new Map<MemberId, Heard>()
  /** Statements under heads that are not known here yet: by author and witness, unverified. */
  readonly #early = new Map<MemberId, Map<MemberId, Statement>>()
  /** Heads that their authors asked to have cosigned, as their notes: by author, oldest first. */
  readonly #asked = new Map<MemberId, Map<string, Uint8Array>>()

  constructor(parts: WitnessParts) {
    this.#parts = parts
    this.kept = new Finals(parts)
    const remembered = (author: MemberId, size: number) => this.#remembered(author, size)
    this.#watch = new CosignatureWatch({ ...parts, remembered })
  }

  /** Reads which heads are final, and lets the others ask for them. */
  async load(): Promise<void> {
    await this.kept.load()
    await this.#parts.transport.handle(FINALS, (_, request) => this.#serve(decodeFinalsRequest(request)))
  }

  /** The newest final head of each log that nothing stored here contradicts. */
  finals(): LogSize[] {
    return this.kept.standing()
  }

  /** More of `author`'s log is stored; gives the final head that contradicts it, once. */
  stored(author: MemberId): Promise<LogSize | null> {
    return this.#turns.run(author, () => this.kept.stored(author))
  }

  /** Cosigns a head, or says why not. What is signed is durable before the signature exists. */
  cosign(log: LogSize): Promise<CosignRefusal | null> {
    return this.#turns.run(log.author, async () => {
      const { store, key, founding, logs, isVoting } = this.#parts
      if (isVoting()) return 'voting'
      const head: Witnessed = { size: log.size, root: fromHex(log.root) }
      const last = await store.witnessed(log.author)
      const size = (await store.head(log.author))?.size ?? 0
      const tree = new TreeReader(store, log.author)
      const rootAtHead = head.size <= size ? await tree.root(head.size) : null
      const rootAtLast = last !== undefined && last.size <= size ? await tree.root(last.size) : null
      const frozen = logs.isForked(log.author) || this.kept.contradicting.has(log.author)
      const refusal = cosignRefusal({ last, size, rootAtLast, rootAtHead, frozen }, head)
      if (refusal !== null) return refusal
      await store.putWitnessed(log.author, head)
      const text = headTextOf(founding, log.author, head.size, head.root)
      this.#keep(log, signCosignature(key, text, Math.floor(Date.now() / 1_000)))
      return null
    })
  }

  /** What this node has cosigned last of a log, once the cosigning under way is done. */
  cosigned(author: MemberId): Promise<Witnessed | undefined> {
    return this.#turns.run(author, () => this.#parts.store.witnessed(author))
  }

  /** An author asks for cosignatures under this head; its signature has been checked. */
  asked(log: LogSize, note: Uint8Array): void {
    const notes = this.#asked.get(log.author) ?? new Map<string, Uint8Array>()
    this.#asked.set(log.author, notes.set(keyOf(log), note))
    if (notes.size > HEADS_MAX) notes.delete(notes.keys().next().value as string)
  }

  /**
   * Checks the signatures of one witness; gives what they are under, and whether all of them are its own. Those under a head that its
   * author is not known to have signed wait for that (`release`): a witness alone must not fill this node's memory.
   */
  hear(statements: readonly Statement[]): { logs: LogSize[]; valid: boolean } {
    for (const statement of statements) this.#look(statement)
    const known = statements.filter((statement) => this.#noteOf(logOf(statement)) !== null)
    for (const statement of statements) if (!known.includes(statement)) this.#keepEarly(statement)
    const valid = known.every(({ author, size, root, cosignature }) => {
      return verifyCosignature(headTextOf(this.#parts.founding, author, size, root), cosignature)
    })
    if (valid) for (const statement of known) this.#keep(logOf(statement), statement.cosignature)
    return { logs: known.map(logOf), valid }
  }

  /** Statements that came before the head of `author` that they are under, and are good: a witness can be quicker than the author. */
  release(author: MemberId): { witness: MemberId; log: LogSize }[] {
    const released: { witness: MemberId; log: LogSize }[] = []
    for (const [witness, statement] of this.#early.get(author) ?? []) {
      const log = logOf(statement)
      if (this.#noteOf(log) === null) continue
      this.#early.get(author)?.delete(witness)
      if (this.hear([statement]).valid) released.push({ witness, log })
    }
    return released
  }

  /** Whether its witness has cosigned another root of that size. */
  #look(statement: Statement): void {
    const log = logOf(statement)
    this.#watch.look(statement)
    if (log.size <= this.kept.size(log.author) && !this.kept.has(log)) this.#watch.lookBack([statement])
  }

  *#remembered(author: MemberId, size: number): Iterable<Statement> {
    for (const [key, signatures] of this.#heard.get(author) ?? []) {
      if (sizeOf(key) !== size) continue
      for (const cosignature of signatures.values()) yield { author, size, root: rootIn(key), cosignature }
    }
    for (const statement of this.#early.get(author)?.values() ?? []) if (statement.size === size) yield statement
  }

  /** The newest of each witness about each log, and not too many. */
  #keepEarly(statement: Statement): void {
    const { author, size, cosignature } = statement
    if (size <= this.kept.size(author) || !this.#parts.roll.isAuthor(author)) return
    const early = this.#early.get(author) ?? new Map<MemberId, Statement>()
    const known = early.has(cosignature.witness)
    if (!known && early.size >= EARLY_MAX) return
    this.#early.set(author, early.set(cosignature.witness, statement))
  }

  /** Publishes own cosignatures under these heads, in as few messages as they fit. */
  tell(logs: readonly LogSize[], publish: (message: Uint8Array) => void): void {
    const { key } = this.#parts
    const statements = logs.flatMap((log) => {
      const cosignature = this.#heard.get(log.author)?.get(keyOf(log))?.get(key.member)
      if (cosignature === undefined) return []
      return [{ author: log.author, size: log.size, root: fromHex(log.root), cosignature }]
    })
    for (let at = 0; at < statements.length; at += STATEMENTS_MAX)
      publish(encodeStatements(statements.slice(at, at + STATEMENTS_MAX)))
  }

  /**
   * Keeps a head whose quorum was heard. False where its note or some of its signatures are not here (any more): a peer has them, and is
   * asked with the next heads. False, too, where it contradicts what is stored here (`kept.contradicting`).
   */
  keepFinal(log: LogSize): Promise<boolean> {
    return this.#turns.run(log.author, async () => {
      if (log.size <= this.kept.size(log.author)) return true
      const note = this.#noteOf(log) ?? (await this.#storedNote(log))
      if (note === null) return false
      const cosignatures = [...(this.#heard.get(log.author)?.get(keyOf(log))?.values() ?? [])]
      if (!this.#parts.roll.isFinal(log, cosignatures)) return false // what is kept as final must convince others
      return this.#keepOrRefuse(log, parseHead(note, this.#parts.founding), cosignatures)
    })
  }

  /**
   * Asks `peer` for final heads newer than those here; yields each that was checked, and is kept or contradicts what is stored. Errors:
   * those of `parseCosigned`, `final-unproven`, with their blame.
   */
  async *ask(peer: MemberId, signal: AbortSignal): AsyncIterable<HandedFinal> {
    const { transport, roll } = this.#parts
    const request = encodeFinalsRequest(this.kept.newest())
    const options = { signal, frameBytesMax: FINAL_FRAME_BYTES_MAX }
    let count = 0
    for await (const frame of transport.request(peer, FINALS, request, options)) {
      if (++count > roll.authors.length) throw unproven('more final heads than members')
      const handed = await this.#take(decodeFinal(frame))
      if (handed !== null) yield handed
    }
  }

  /** Null where it says nothing new. */
  async #take(note: Uint8Array): Promise<HandedFinal | null> {
    const { head, cosignatures } = parseCosigned(note, this.#parts.founding)
    const { author, size, root } = head
    const log = { author, size, root: rootOf(head) }
    return this.#turns.run(author, async () => {
      if (size <= this.kept.size(author) && !(await this.kept.contradicts(log))) return null
      const { roll } = this.#parts
      const electorate = roll.governing(author, size)
      const signers = electorate === null ? [] : countedOf(cosignatures, electorate)
      const fits = roll.isFinal(log, signers)
      if (!fits && roll.wasFinal(log, cosignatures)) return null // the peer is of an older epoch
      if (!fits) throw unproven(`${signers.length} members cosigned it`)
      const sound = verifyHead(head) && signers.every((cosignature) => verifyCosignature(head.text, cosignature))
      if (!sound) throw unproven('a signature under it is invalid')
      const statements = signers.map((cosignature): Statement => ({ author, size, root, cosignature }))
      for (const statement of statements) this.#watch.look(statement)
      if (size <= this.kept.size(author)) this.#watch.lookBack(statements)
      return { log, head: head as VerifiedHead, kept: await this.#keepOrRefuse(log, head, signers) }
    })
  }

  /** A quorum signed it. Nothing that contradicts what is stored here becomes final here: it is kept apart, as an alarm. */
  async #keepOrRefuse(log: LogSize, head: Head, cosignatures: readonly Cosignature[]): Promise<boolean> {
    if (!(await this.kept.take(log, formatCosigned(head, cosignatures), cosignatures))) return false
    const heard = this.#heard.get(log.author)
    for (const key of [...(heard?.keys() ?? [])]) if (sizeOf(key) < log.size) heard?.delete(key)
    return true
  }

  #noteOf(log: LogSize): Uint8Array | null {
    const newest = this.#parts.logs.newest(log.author)
    if (newest !== null && keyOf(newest.log) === keyOf(log)) return newest.note
    return this.#asked.get(log.author)?.get(keyOf(log)) ?? null
  }

  async #storedNote({ author, size, root }: LogSize): Promise<Uint8Array | null> {
    const kept = await this.#parts.store.commit(author, size - 1, size)
    return kept !== undefined && rootOf(parseHead(kept.note, this.#parts.founding)) === root ? kept.note : null
  }

  async *#serve(held: ReadonlyMap<MemberId, number>): AsyncIterable<Uint8Array> {
    for (const { author, size } of this.kept.newest()) {
      if (size <= (held.get(author) ?? 0)) continue
      const final = await this.#parts.store.final(author)
      invariant(final !== undefined, 'a final head is kept before it is told of')
      yield encodeFinal(final.note)
    }
  }

  #keep(log: LogSize, cosignature: Cosignature): void {
    if (log.size < this.kept.size(log.author)) return
    const heard: Heard = this.#heard.get(log.author) ?? new Map()
    this.#heard.set(log.author, heard)
    const at = keyOf(log)
    const by = heard.get(at) ?? new Map<MemberId, Cosignature>()
    heard.set(at, by.set(cosignature.witness, cosignature))
    if (heard.size > HEADS_MAX) heard.delete([...heard.keys()].reduce((a, b) => (sizeOf(b) < sizeOf(a) ? b : a)))
  }
}

function logOf({ author, size, root }: Statement): LogSize {
  return { author, size, root: toHex(root) as Digest }
}

function keyOf({ size, root }: LogSize): string {
  return `${size} ${root}`
}

function sizeOf(key: string): number {
  return Number(key.slice(0, key.indexOf(' ')))
}

function rootIn(key: string): Uint8Array {
  return fromHex(key.slice(key.indexOf(' ') + 1) as Digest)
}

function unproven(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'final-unproven', message: `final head refused: ${what}`, blame: 'reject' })
}
