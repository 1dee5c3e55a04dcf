/**
 * What a hospital's vault knows, as a fold over its records: patients with their keys and words, whom was asked to be forgotten, and which
 * patients each round could use. Everything in here is personal: it never leaves the vault but where a person is shown it.
 */

import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { hmacSha256 } from '../core/digest.ts'
import { invariant } from '../core/errors.ts'
import {
  askedAnew,
  type ConsentDecision,
  type ConsentQuestion,
  decisionBytes,
  decisionCommitment,
  readDecision,
} from './consent.ts'
import { historyOf, NO_HISTORY } from './consentLeaf.ts'
import { type ConsentSets, RoundSets } from './roundSets.ts'

/** A decision as it was recorded. */
export interface Word {
  /** Counts all words of this hospital, from 0; the ledger tells them in this order. */
  readonly number: number
  readonly salt: Uint8Array
  readonly bytes: Uint8Array
  readonly commitment: Uint8Array
  readonly decision: ConsentDecision
  /** Who spoke for the patient, as the hospital wrote it down; null where nobody did. */
  readonly speaker: string | null
}

/** One patient. */
export interface VaultSubject {
  /** Local, never used again. */
  readonly number: number
  /** The hospital's record number. */
  readonly record: string
  /** 32 random bytes; the patient may be handed them. */
  readonly key: Uint8Array
  /** 32 random bytes more, which nobody is ever handed: with them the patient's arm in a blinded trial opens. */
  readonly trialKey: Uint8Array
  readonly words: readonly Word[]
  /** What the words say, in their order. */
  readonly decisions: readonly ConsentDecision[]
  /** Over the commitments of all words. */
  readonly history: Uint8Array
}

/** Patients who were forgotten in one go. */
export interface Erasure {
  readonly number: number
  readonly subjects: number
  readonly reason: string
  readonly atMs: number
}

/** The words of before were lost, and everybody is asked anew. */
export interface Restart {
  readonly number: number
  /** So many words were lost. */
  readonly words: number
  readonly reason: string
}

/** What comes after the words and erasures here. */
interface Next {
  readonly word: number
  readonly subject: number
  readonly erasure: number
}

interface Mutable {
  number: number
  record: string
  key: Uint8Array
  trialKey: Uint8Array
  words: Word[]
  decisions: ConsentDecision[]
  history: Uint8Array
}

type SubjectRow = [number: number, record: string, key: Uint8Array, trialKey: Uint8Array]

const VAULT_RECORD_BYTES_MAX = 16_777_216 // the rows of a million patients in one set, at 11 bytes each
const SUBJECTS_PER_RECORD = 1_000 // so that a table of a hundred thousand patients is a hundred records
const MARK_BYTES = 16

/** Built by `read` from stored records, in their order; what `take` gives is to be stored before it is relied on. */
export class VaultBook {
  readonly #byRecord = new Map<string, Mutable>()
  readonly #byNumber = new Map<number, Mutable>()
  readonly #words = new Map<number, Word>()
  /** Numbers of those who said something, in the order in which they did. */
  readonly #spoken: number[] = []
  readonly #erasures: Erasure[] = []
  #restart: Restart | null = null
  readonly #forgotten = new Set<string>()
  #forgetting: Uint8Array | null = null
  readonly #sets = new RoundSets()
  #next: Next = { word: 0, subject: 0, erasure: 0 }

  /** Takes one stored record in. Errors: those of `decodeCbor`. */
  read(record: Uint8Array): void {
    const [kind, ...fields] = decodeCbor(record, VAULT_RECORD_BYTES_MAX) as [string, ...Cbor[]]
    if (kind === 'begun') {
      const [word, subject, erasure, forgetting, forgotten] = fields as [
        number,
        number,
        number,
        Uint8Array,
        Uint8Array[],
      ]
      this.#next = { word, subject, erasure }
      this.#forgetting = forgetting
      for (const mark of forgotten) this.#forgotten.add(toHex(mark))
    } else if (kind === 'subjects') {
      for (const row of fields[0] as SubjectRow[]) this.#addSubject(...row)
    } else if (kind === 'words') {
      for (const word of fields[0] as [number, number, Uint8Array, Uint8Array, string | null][]) this.#addWord(...word)
    } else if (kind === 'erased') {
      const [number, subjects, reason, atMs] = fields as [number, number, string, number]
      this.#erasures.push({ number, subjects, reason, atMs })
      this.#next = { ...this.#next, erasure: Math.max(this.#next.erasure, number + 1) }
    } else if (kind === 'restarted') {
      const [number, words, reason] = fields as [number, number, string]
      this.#restart = { number, words, reason }
    } else this.#sets.read(kind, fields)
  }

  get words(): number {
    return this.#next.word
  }
  get erasures(): readonly Erasure[] {
    return this.#erasures
  }
  /** The newest; null where nothing was ever lost. */
  get restart(): Restart | null {
    return this.#restart
  }
  get sets(): ConsentSets {
    return this.#sets
  }

  /** All patients, in the order in which they came. */
  *subjects(): Iterable<VaultSubject> {
    yield* this.#byNumber.values()
  }

  subject(record: string): VaultSubject | undefined {
    return this.#byRecord.get(record)
  }

  bearing(number: number): VaultSubject | undefined {
    return this.#byNumber.get(number)
  }

  /** The word of that number; undefined where its patient was forgotten. */
  word(number: number): Word | undefined {
    return this.#words.get(number)
  }

  /** Whether a patient with this record number was forgotten: the rows are never used again. */
  isForgotten(record: string): boolean {
    return this.#forgetting !== null && this.#forgotten.has(toHex(markOf(this.#forgetting, record)))
  }

  /** How many words there were; with `spokenSince` it tells who said something after that. */
  get spoken(): number {
    return this.#spoken.length
  }

  /** Numbers of those who said something since there were `count` words. */
  spokenSince(count: number): readonly number[] {
    return this.#spoken.slice(count)
  }

  /** The words from `number` on, in their order, and whose they are. */
  wordsFrom(number: number): { readonly subject: VaultSubject; readonly word: Word }[] {
    const found = new Set(this.#spoken)
    return [...found]
      .flatMap((id) => {
        const subject = this.#byNumber.get(id)
        return subject === undefined
          ? []
          : subject.words.filter((one) => one.number >= number).map((word) => ({ subject, word }))
      })
      .sort((a, b) => a.word.number - b.word.number)
  }

  /** As the words here answer it: after a restart nobody's silence is a yes, for a no may be among what was lost. */
  asked<Q extends ConsentQuestion>(question: Q): Q {
    return this.#restart === null ? question : askedAnew(question)
  }

  /** The records of an empty vault that goes on after what the log tells of. */
  static restarted(restart: Restart, erasures: number, secret: () => Uint8Array): Uint8Array[] {
    const { number, words, reason } = restart
    return [encodeCbor(['begun', words, 0, erasures, secret(), []]), encodeCbor(['restarted', number, words, reason])]
  }

  /** The record that makes patients of these record numbers, each with two keys; none of those who are there. */
  admit(records: Iterable<string>, key: () => Uint8Array): Uint8Array[] {
    const fresh: SubjectRow[] = []
    for (const record of records) {
      if (this.#byRecord.has(record) || this.isForgotten(record)) continue
      fresh.push([this.#next.subject + fresh.length, record, key(), key()])
    }
    return inParts(fresh, SUBJECTS_PER_RECORD).map((part) => encodeCbor(['subjects', part]))
  }

  /** The record of what patients said; all are there. */
  say(
    words: readonly {
      readonly subject: VaultSubject
      readonly decision: ConsentDecision
      readonly speaker: string | null
    }[],
    salt: () => Uint8Array,
  ): Uint8Array[] {
    const rows = words.map(({ subject, decision, speaker }, i): Cbor[] => {
      return [this.#next.word + i, subject.number, salt(), decisionBytes(decision), speaker]
    })
    return inParts(rows, SUBJECTS_PER_RECORD).map((part) => encodeCbor(['words', part]))
  }

  /**
   * The records of a vault in which these patients, their keys and their words are no more. What is left of them: a mark under a secret of the
   * vault, so that their rows stay unused; and the bare leaves of the rounds that they were in, which nobody can open.
   */
  without(
    gone: readonly VaultSubject[],
    erasure: Omit<Erasure, 'number' | 'subjects'>,
    leavesOf: (subject: VaultSubject) => ReturnType<Parameters<ConsentSets['records']>[0]>,
    secret: () => Uint8Array,
  ): Uint8Array[] {
    const numbers = new Set(gone.map(({ number }) => number))
    const forgetting = this.#forgetting ?? secret()
    const marks: Uint8Array[] = [...this.#forgotten].map(fromHex)
    for (const { record } of gone) marks.push(markOf(forgetting, record))
    const left = [...this.#byNumber.values()].filter(({ number }) => !numbers.has(number))
    const rows = left.map(({ number, record, key, trialKey }): SubjectRow => [number, record, key, trialKey])
    const words = left
      .flatMap(({ number: subject, words }) => words.map((word) => ({ subject, ...word })))
      .sort((a, b) => a.number - b.number)
      .map(({ number, subject, salt, bytes, speaker }): Cbor[] => [number, subject, salt, bytes, speaker])
    const { word, subject, erasure: number } = this.#next
    const restart = this.#restart
    const restarts = restart === null ? [] : [encodeCbor(['restarted', restart.number, restart.words, restart.reason])]
    const erasures = [...this.#erasures, { ...erasure, number, subjects: gone.length }]
    return [
      encodeCbor(['begun', word, subject, number + 1, forgetting, marks]),
      ...restarts,
      ...inParts(rows, SUBJECTS_PER_RECORD).map((part) => encodeCbor(['subjects', part])),
      ...inParts(words, SUBJECTS_PER_RECORD).map((part) => encodeCbor(['words', part])),
      ...erasures.map((one) => encodeCbor(['erased', one.number, one.subjects, one.reason, one.atMs])),
      ...this.#sets.records((id) => {
        const subject = numbers.has(id) ? this.#byNumber.get(id) : undefined
        return subject === undefined ? null : leavesOf(subject)
      }),
    ]
  }

  #addSubject(...[number, record, key, trialKey]: SubjectRow): void {
    invariant(trialKey !== undefined, 'each patient in a vault has two keys')
    const subject = { number, record, key, trialKey, words: [], decisions: [], history: NO_HISTORY }
    this.#byRecord.set(record, subject)
    this.#byNumber.set(number, subject)
    this.#next = { ...this.#next, subject: Math.max(this.#next.subject, number + 1) }
  }

  #addWord(number: number, id: number, salt: Uint8Array, bytes: Uint8Array, speaker: string | null): void {
    const subject = this.#byNumber.get(id)
    invariant(subject !== undefined, 'who speaks is in the vault')
    const commitment = decisionCommitment(salt, bytes)
    const decision = readDecision(bytes)
    const word = { number, salt, bytes, commitment, decision, speaker }
    subject.words.push(word)
    this.#words.set(number, word)
    subject.decisions.push(decision)
    subject.history = historyOf([commitment], subject.history)
    this.#spoken.push(id)
    this.#next = { ...this.#next, word: Math.max(this.#next.word, number + 1) }
  }
}

const markOf = (secret: Uint8Array, record: string): Uint8Array => hmacSha256(secret, utf8(record)).slice(0, MARK_BYTES)

function inParts<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
}
