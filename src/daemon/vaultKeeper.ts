/** A daemon's vault: opened when it is first needed, written before anything rests on it; and the entries that tell of it. */
import { randomBytes } from 'node:crypto'
import { readFile, rename } from 'node:fs/promises'
import { equalBytes } from '../core/bytes.ts'
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { subjectTag } from '../governance/consent.ts'
import { leafAt } from '../governance/consentSet.ts'
import { type Body, CONSENT_ITEMS_MAX } from '../governance/kinds.ts'
import { type Restart, VaultBook, type VaultSubject, type Word } from '../governance/vaultBook.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Draft } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Machine } from '../node/machine.ts'
import { VaultFile, type VaultPlace } from '../store/vaultFile.ts'
import type { Finding } from './api.ts'
import { exists } from './files.ts'
import type { Home } from './home.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import { entriesOf } from './logSlices.ts'
import type { Logs } from './logs.ts'
import { vaultKeyOf } from './opener.ts'
import { Turns } from './turns.ts'

/** What a keeper works with. `writer` is null while nothing may be signed: what was said binds here all the same, and is told later. */
export interface VaultKeeperParts {
  readonly place: VaultPlace
  readonly self: MemberId
  readonly store: Pick<LogStore, 'getState'>
  readonly writer: () => LedgerWriter | null
  /** So many erasures the own log tells of. */
  readonly erasuresTold: () => Promise<number>
  /** What the own log tells of words, as far as it was read: an older or another vault is found by it. */
  readonly logTells: () => { readonly count: number; readonly newest: Uint8Array | null }
  /** Somebody spoke, or was forgotten. */
  readonly changed: () => void
}

interface Opened {
  readonly vault: VaultFile
  book: VaultBook
  /** What the log tells of, or is about to. */
  told: Told
  /** Erasures that the vault had when it was opened: of others the log cannot have told. */
  readonly erasuresThen: number
}

interface Told {
  readonly words: number
  /** Null where the log has to be asked, for the database is new. */
  readonly erasures: number | null
  readonly restarts: number
}

const TOLD = 'consent/told'
const KEY_BYTES = 32

/** One per daemon. */
export class VaultKeeper {
  readonly #parts: VaultKeeperParts
  readonly #turns = new Turns<'vault'>()
  #opening: Promise<Opened> | null = null

  constructor(parts: VaultKeeperParts) {
    this.#parts = parts
  }

  /**
   * What the vault knows; `words`: so many the log tells of at least. What is new in it is told if that may be signed now.
   * Errors: those of `VaultFile.open`, `vault-older`.
   */
  async book(words = 0): Promise<VaultBook> {
    const opened = await this.#current(words)
    if (opened.told.erasures === null && this.#parts.writer() !== null) {
      const erasures = await this.#parts.erasuresTold() // the own log is here: what may be signed rests on all of it
      opened.told = { ...opened.told, erasures: opened.told.erasures ?? Math.min(erasures, opened.erasuresThen) }
    }
    this.#tell(opened)
    return opened.book
  }

  /** Stores what `make` gives and takes it in; returns the book. One at a time. Errors: those of `book`. */
  write(make: (book: VaultBook) => readonly Uint8Array[]): Promise<VaultBook> {
    return this.#turns.run('vault', async () => {
      const opened = await this.#current()
      const records = make(opened.book)
      if (records.length === 0) return opened.book
      await opened.vault.append(records)
      for (const record of records) opened.book.read(record)
      return opened.book
    })
  }

  /** Patients said something: stored, then it binds, then it is told. Those who are not there are taken in. Errors: `subject-forgotten`. */
  async say(words: readonly (Pick<Word, 'decision' | 'speaker'> & { readonly record: string })[]): Promise<void> {
    await this.admit(words.map(({ record }) => record))
    await this.write((book) => {
      const said = words.map(({ record, ...word }) => ({ ...word, subject: knownIn(book, record) }))
      return book.say(said, () => random(KEY_BYTES))
    })
    this.#parts.changed()
    await this.book()
  }

  /** Takes in patients who are not there; those who were forgotten stay so. */
  async admit(records: readonly string[]): Promise<VaultBook> {
    return this.write((book) => book.admit(records, () => random(KEY_BYTES)))
  }

  /** Destroys the keys and words of these patients, with all that they were sealed under. Errors: `subject-unknown`, `subject-forgotten`. */
  async forget(records: readonly string[], reason: string, atMs: number): Promise<void> {
    await this.book() // what is told already is known from here on
    await this.#turns.run('vault', async () => {
      const opened = await this.#current()
      const gone = [...new Set(records)].map((record) => knownIn(opened.book, record))
      const { self } = this.#parts
      const leaf = (subject: VaultSubject): ReturnType<Parameters<VaultBook['without']>[2]> => {
        return (study, stand) => leafAt(subject, study, self, stand)
      }
      const left = opened.book.without(gone, { reason, atMs }, leaf, () => random(KEY_BYTES))
      await opened.vault.rewrite(left)
      opened.book = bookOf(left)
      this.#tell(opened) // before anybody else looks: it is told as what who asked for it has signed for
    })
    this.#parts.changed()
    await this.book()
  }

  /**
   * Begins anew with an empty vault where the one that is there cannot serve, or none is: everybody is taken to have said no until they are
   * heard again. The old file stays beside it under another name; gives that, or null. Errors: `vault-opens`, `file-not-writable`.
   */
  async restart(reason: string): Promise<{ readonly words: number; readonly kept: string | null }> {
    const done = await this.#turns.run('vault', async () => {
      const fault = await this.#current().then(
        ({ book }) => (book.words === 0 && book.restart === null ? null : 'serves'),
        (error: unknown) => (isLost(error) ? 'lost' : Promise.reject(error)),
      )
      if (fault !== 'lost') {
        const message = `${this.#parts.place.path}: opens, and has every word that the log tells of: there is nothing to begin anew`
        throw new ConsiliumError({ code: 'vault-opens', message })
      }
      const told = await this.#toldBefore()
      const words = Math.max(told.words, this.#parts.logTells().count)
      await (await this.#opening?.catch(() => null))?.vault.close()
      this.#opening = null
      const kept = await setAside(this.#parts.place.path)
      const { vault } = await VaultFile.open(this.#parts.place)
      const restart = { number: told.restarts, words, reason }
      const erasures = told.erasures ?? (await this.#parts.erasuresTold())
      const records = VaultBook.restarted(restart, erasures, () => random(KEY_BYTES))
      await vault.append(records)
      const opened = { vault, book: bookOf(records), told: { ...told, words, erasures }, erasuresThen: erasures }
      this.#opening = Promise.resolve(opened)
      return { words, kept }
    })
    this.#parts.changed()
    await this.book()
    return done
  }

  /** The bytes of its file between two writes; null where there is none. */
  copy(): Promise<Uint8Array | null> {
    return this.#turns.run('vault', () => vaultIn(this.#parts.place.path))
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => null)
    await opened?.vault.close()
  }

  /** Whether the vault has what the log tells of, in `doctor`'s words. */
  async finding(): Promise<Finding> {
    const check = 'patients'
    if (this.#parts.logTells().count === 0) return { check, ok: true, text: 'none has said anything here yet' }
    try {
      const { words } = await this.book()
      return { check, ok: true, text: `the vault opens, and has the words that the log tells of (${words} in all)` }
    } catch (error) {
      return { check, ok: false, text: messageOf(error) }
    }
  }

  /** Nothing is written to an older copy either: a word more, and it would count as many as the log tells of. Error: `vault-older`. */
  async #current(words = 0): Promise<Opened> {
    const opened = await this.#opened()
    const { book, told } = opened
    const { count, newest } = this.#parts.logTells()
    const least = Math.max(words, count, told.words)
    const path = this.#parts.place.path
    const restarts = (book.restart?.number ?? -1) + 1
    if (book.words < least || restarts < told.restarts) {
      const message = `${path}: the log tells of ${least} ${least === 1 ? 'word' : 'words'} of patients, and this vault has ${book.words}: it is an older copy or an empty one, and revocations are lost; put the newest one back, with its key, or, where there is none, begin anew: consilium consent restart`
      throw new ConsiliumError({ code: 'vault-older', message })
    }
    const same = book.word(count - 1)
    if (newest !== null && same !== undefined && !equalBytes(same.commitment, newest)) {
      const message = `${path}: word ${count} of patients is another than the one that the log tells of: words were recorded in an older copy of the vault; put the newest one back, with its key`
      throw new ConsiliumError({ code: 'vault-older', message })
    }
    opened.told = { ...told, words: Math.max(told.words, words, count) } // the log knows, where the database is lost
    return opened
  }

  /** Opened anew after a failure, so that a key that was put back serves without a restart. */
  #opened(): Promise<Opened> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = null
      throw error
    })
    return this.#opening
  }

  async #open(): Promise<Opened> {
    const { vault, records } = await VaultFile.open(this.#parts.place)
    const book = bookOf(records)
    return { vault, book, told: await this.#toldBefore(), erasuresThen: book.erasures.length }
  }

  async #toldBefore(): Promise<Told> {
    const kept = await this.#parts.store.getState(TOLD)
    const [words = 0, erasures = null, restarts = 0] = kept === undefined ? [] : (decodeCbor(kept) as number[])
    return { words, erasures, restarts }
  }

  /** Words and erasures that the log does not tell of yet; how far that has come is stored in one batch with the entries. */
  #tell(opened: Opened): void {
    const { book, told } = opened
    const writer = this.#parts.writer()
    const known = told.erasures
    if (writer === null || known === null) return
    const words = book.words > told.words ? book.wordsFrom(told.words) : []
    const erasures = book.erasures.filter(({ number }) => number >= known)
    const restarts = book.restart !== null && book.restart.number >= told.restarts ? [book.restart] : []
    if (words.length + erasures.length + restarts.length === 0) return
    const timeMs = Date.now()
    const drafts = [
      ...restarts.map((one) => restartedDraft(one, timeMs)),
      ...wordDrafts(words, this.#parts.self, timeMs),
      ...erasures.map((one) => erasedDraft(one, timeMs)),
    ]
    const restarted = restarts.length === 0 ? told.restarts : (restarts[0] as Restart).number + 1
    const erased = known + erasures.length
    writer.record('consent', drafts, new Map([[TOLD, encodeCbor([book.words, erased, restarted])]]))
    opened.told = { words: book.words, erasures: erased, restarts: restarted } // what the writer refuses is not told
  }
}

/** The vault of a node; `feed` takes the machine's events. Error: `vault-key-inside`. */
export function vaultOf({ home, logs, feed, machine, ...parts }: VaultOf): VaultKeeper {
  const place = { path: home.paths.vault, keyFile: vaultKeyOf(home) }
  const self = home.key.id
  const logTells = () => (machine.booted ? machine.view().words : { count: 0, newest: null })
  const erasuresTold = async (): Promise<number> => {
    let told = 0
    for await (const _ of entriesOf(logs, self, ['subject.erased'])) told++
    return told
  }
  const changed = () => feed({ type: 'consent-changed' })
  return new VaultKeeper({ ...parts, place, self, logTells, erasuresTold, changed })
}

type VaultOf = Pick<VaultKeeperParts, 'store' | 'writer'> & {
  readonly machine: Pick<Machine, 'booted' | 'view'>
  readonly home: Pick<Home, 'config' | 'paths' | 'key'>
  readonly logs: Pick<Logs, 'sizeOf' | 'entries'>
  readonly feed: (event: NodeEvent) => void
}

function wordDrafts(
  words: readonly { readonly subject: VaultSubject; readonly word: Word }[],
  self: MemberId,
  timeMs: number,
): Draft[] {
  const drafts: Draft[] = []
  for (let at = 0; at < words.length; at += CONSENT_ITEMS_MAX) {
    const part = words.slice(at, at + CONSENT_ITEMS_MAX)
    const items = part.map(({ subject, word }): [Uint8Array, Uint8Array] => {
      return [subjectTag(subject.key, self, timeMs), word.commitment]
    })
    const body: Body<'consent.recorded'> = { from: part[0]?.word.number ?? 0, items }
    drafts.push({ kind: 'consent.recorded', study: null, timeMs, refs: [], body })
  }
  return drafts
}

function restartedDraft({ words, reason }: Restart, timeMs: number): Draft {
  return { kind: 'consent.restarted', study: null, timeMs, refs: [], body: { words, reason } }
}

function erasedDraft({ subjects, reason }: VaultBook['erasures'][number], timeMs: number): Draft {
  return { kind: 'subject.erased', study: null, timeMs, refs: [], body: { subjects, reason } }
}

const LOST: ReadonlySet<string> = new Set(['vault-key-wrong', 'vault-key-missing', 'vault-older', 'vault-damaged'])

const isLost = (error: unknown): boolean => error instanceof ConsiliumError && LOST.has(error.code)

async function setAside(path: string): Promise<string | null> {
  if (!(await exists(path))) return null
  const kept = `${path}.lost-${Date.now()}`
  await rename(path, kept)
  return kept
}

/** The bytes of a vault that nobody writes to; null where there is none. */
export async function vaultIn(path: string): Promise<Uint8Array | null> {
  return (await exists(path)) ? new Uint8Array(await readFile(path)) : null
}

function bookOf(records: readonly Uint8Array[]): VaultBook {
  const book = new VaultBook()
  for (const record of records) book.read(record)
  return book
}

/** Errors: `subject-forgotten`, `subject-unknown`; neither repeats the record number. */
export function knownIn(book: VaultBook, record: string): VaultSubject {
  const subject = book.subject(record)
  if (subject !== undefined) return subject
  if (book.isForgotten(record)) {
    const message = 'this patient was erased here: no word is kept, and the rows are not used any more'
    throw new ConsiliumError({ code: 'subject-forgotten', message })
  }
  const message =
    'no patient with this record number is in the vault: check it; bound tables and recorded words bring patients there'
  throw new ConsiliumError({ code: 'subject-unknown', message })
}

const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes))
