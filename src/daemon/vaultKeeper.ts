/** A daemon's vault: opened when it is first needed, written before anything rests on it; and the entries that tell of it. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { subjectTag } from '../governance/consent.ts'
import { leafAt } from '../governance/consentSet.ts'
import { type Body, CONSENT_ITEMS_MAX } from '../governance/kinds.ts'
import { VaultBook, type VaultSubject, type Word } from '../governance/vaultBook.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Draft } from '../node/actions.ts'
import type { NodeEvent } from '../node/events.ts'
import { VaultFile, type VaultPlace } from '../store/vaultFile.ts'
import { exists } from './files.ts'
import type { Home } from './home.ts'
import type { LedgerWriter } from './ledgerWriter.ts'
import { vaultKeyOf } from './opener.ts'
import { Turns } from './turns.ts'

/** What a keeper works with. `writer` is null while nothing may be signed: what was said binds here all the same, and is told later. */
export interface VaultKeeperParts {
  readonly place: VaultPlace
  readonly self: MemberId
  readonly store: Pick<LogStore, 'getState'>
  readonly writer: () => LedgerWriter | null
  /** Somebody spoke, or was forgotten. */
  readonly changed: () => void
}

interface Opened {
  readonly vault: VaultFile
  book: VaultBook
  /** Words and erasures that the log tells of, or is about to. */
  told: { words: number; erasures: number }
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
    const opened = await this.#opened()
    if (opened.book.words < words) {
      const message = `${this.#parts.place.path}: the log tells of ${words} words of patients, and this vault has ${opened.book.words}: it is an older copy, whose revocations are lost; put the newest one back, with its key`
      throw new ConsiliumError({ code: 'vault-older', message })
    }
    opened.told = { ...opened.told, words: Math.max(opened.told.words, words) } // the log knows, where the database is lost
    this.#tell(opened)
    return opened.book
  }

  /** Stores what `make` gives and takes it in; returns the book. One at a time. */
  write(make: (book: VaultBook) => readonly Uint8Array[]): Promise<VaultBook> {
    return this.#turns.run('vault', async () => {
      const opened = await this.#opened()
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
    await this.#turns.run('vault', async () => {
      const opened = await this.#opened()
      const gone = [...new Set(records)].map((record) => knownIn(opened.book, record))
      const { self } = this.#parts
      const leaf = (subject: VaultSubject): ReturnType<Parameters<VaultBook['without']>[2]> => {
        return (study, stand) => leafAt(subject, study, self, stand)
      }
      const left = opened.book.without(gone, { reason, atMs }, leaf, () => random(KEY_BYTES))
      await opened.vault.rewrite(left)
      opened.book = bookOf(left)
    })
    this.#parts.changed()
    await this.book()
  }

  /** The bytes of its file between two writes; null where there is none. */
  copy(): Promise<Uint8Array | null> {
    return this.#turns.run('vault', () => vaultIn(this.#parts.place.path))
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => null)
    await opened?.vault.close()
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
    const kept = await this.#parts.store.getState(TOLD)
    const [words, erasures] = kept === undefined ? [0, 0] : (decodeCbor(kept) as [number, number])
    return { vault, book: bookOf(records), told: { words, erasures } }
  }

  /** Words and erasures that the log does not tell of yet; how far that has come is stored in one batch with the entries. */
  #tell(opened: Opened): void {
    const { book, told } = opened
    const writer = this.#parts.writer()
    const words = book.words > told.words ? book.wordsFrom(told.words) : []
    const erasures = book.erasures.filter(({ number }) => number >= told.erasures)
    if (writer === null || (words.length === 0 && erasures.length === 0)) return
    const timeMs = Date.now()
    const drafts = [...wordDrafts(words, this.#parts.self, timeMs), ...erasures.map((one) => erasedDraft(one, timeMs))]
    opened.told = { words: book.words, erasures: told.erasures + erasures.length }
    const state = encodeCbor([opened.told.words, opened.told.erasures])
    writer.record('consent', drafts, new Map([[TOLD, state]]))
  }
}

/** The vault of a node; `feed` takes the machine's events. Error: `vault-key-inside`. */
export function vaultOf({ home, store, feed, writer }: VaultOf): VaultKeeper {
  const place = { path: home.paths.vault, keyFile: vaultKeyOf(home) }
  return new VaultKeeper({ place, self: home.key.id, store, writer, changed: () => feed({ type: 'consent-changed' }) })
}

type VaultOf = Pick<VaultKeeperParts, 'store' | 'writer'> & {
  readonly home: Pick<Home, 'config' | 'paths' | 'key'>
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

function erasedDraft({ subjects, reason }: VaultBook['erasures'][number], timeMs: number): Draft {
  return { kind: 'subject.erased', study: null, timeMs, refs: [], body: { subjects, reason } }
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
