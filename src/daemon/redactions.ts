/** What members have redacted in their own logs, carried out in the copies here: when it arrives, and at each start anew. */
import type { Retention } from '../config/retention.ts'
import type { Study } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { taggedDigest } from '../core/digest.ts'
import type { MemberId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import { isHeld, prunableClassOf } from '../governance/retention.ts'
import type { Fact } from '../governance/studies.ts'
import { retoldIn, sameButText, studyIn } from '../governance/studyText.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import { DROP_ENTRIES_MAX, type LogStore } from '../ledger/store.ts'

/** An entry whose body its author takes back. */
export interface Redaction {
  readonly author: MemberId
  readonly seq: number
  readonly hash: string
  /** What is to be gone by, where the entry is the proposal of a study. */
  readonly instead?: { readonly study: Study; readonly proposedAtMs: number } | null
}

/** What redactions work with. `self` is the member whose node this is. */
export interface RedactionsParts {
  readonly self: MemberId
  readonly store: Pick<LogStore, 'entries' | 'dropBodies'>
  readonly retention: Retention
}

/** One per daemon. Carrying out twice is carrying out once; what is on hold here waits for a start without the hold. */
export class Redactions {
  readonly #parts: RedactionsParts
  /** By author and number. */
  readonly #known = new Map<string, Redaction>()
  /** Found at the start and not carried out yet; as many as the logs hold, as the facts are. */
  #found: Redaction[] = []

  constructor(parts: RedactionsParts) {
    this.#parts = parts
  }

  /** Whether the own entry `seq` is redacted. */
  has(seq: number): boolean {
    return this.#known.has(keyOf(this.#parts.self, seq))
  }

  /** Keeps what the logs say at a start; `finish` carries it out. */
  find(facts: readonly Fact[]): void {
    this.note(facts)
    this.#found = redactionsIn(facts)
  }

  /** Remembers which entries are redacted. */
  note(facts: readonly Fact[]): void {
    for (const redaction of redactionsIn(facts)) this.#known.set(keyOf(redaction.author, redaction.seq), redaction)
  }

  /** Drops again what came back with its body from a member that had it still. Errors: those of the store. */
  async dropAgain(author: MemberId, from: number, to: number): Promise<void> {
    const numbers = Array.from({ length: to - from }, (_, i) => from + i)
    await this.drop(numbers.flatMap((seq) => this.#known.get(keyOf(author, seq)) ?? []))
  }

  /** Carries out what was found at the start, and waits for `rest` between slices. Errors: those of the store. */
  async finish(rest: () => Promise<void>): Promise<void> {
    while (this.#found.length > 0) {
      await this.drop(this.#found.splice(0, SLICE))
      await rest()
    }
  }

  /** Drops the bodies that these facts take back. Errors: those of the store. */
  async carryOut(facts: readonly Fact[]): Promise<void> {
    this.note(facts)
    await this.drop(redactionsIn(facts))
  }

  /**
   * The facts without redactions that tell a study otherwise and may not: their entry is no proposal of it, or says something else than
   * another name or purpose. Errors: those of the store.
   */
  async vetted(facts: readonly Fact[]): Promise<Fact[]> {
    const kept: Fact[] = []
    for (const fact of facts) if (retoldIn(fact) === null || (await this.#mayRetell(fact))) kept.push(fact)
    return kept
  }

  async #mayRetell(fact: Fact): Promise<boolean> {
    const [redaction] = redactionsIn([fact])
    if (redaction === undefined) return false
    const [raw] = await this.#parts.store.entries(redaction.author, redaction.seq, redaction.seq + 1)
    const entry = decodeOrNull(raw)
    if (entry === null || entry.hash !== redaction.hash || entry.study !== fact.study) return false
    if (entry.kind !== 'study.proposed') return false
    return entry.body === null
      ? entry.timeMs === redaction.instead?.proposedAtMs
      : saysTheSame(entry, redaction.instead)
  }

  /** Drops bodies where they are stored here and may go; gives how many did. Errors: those of the store. */
  async drop(redactions: readonly Redaction[]): Promise<number> {
    const byAuthor = new Map<MemberId, Set<number>>()
    for (const redaction of redactions) {
      if (!(await this.#mayGo(redaction))) continue
      const { author, seq } = redaction
      byAuthor.set(author, (byAuthor.get(author) ?? new Set()).add(seq))
    }
    let dropped = 0
    for (const [author, set] of byAuthor) {
      const seqs = [...set].sort((a, b) => a - b)
      for (let i = 0; i < seqs.length; i += DROP_ENTRIES_MAX)
        await this.#parts.store.dropBodies(author, seqs.slice(i, i + DROP_ENTRIES_MAX))
      dropped += seqs.length
    }
    return dropped
  }

  /** A redaction of what decides is not obeyed: the others would fold what this node no longer can. */
  async #mayGo({ author, seq, hash, instead = null }: Redaction): Promise<boolean> {
    const [raw] = await this.#parts.store.entries(author, seq, seq + 1)
    const entry = decodeOrNull(raw)
    if (entry === null || entry.hash !== hash || entry.body === null) return false
    const mayGo = entry.kind === 'study.proposed' ? saysTheSame(entry, instead) : prunableClassOf(entry.kind) !== null
    return mayGo && !isHeld(this.#parts.retention, entry.study)
  }
}

const SLICE = 100 // reads of single entries before the event loop rests: about 5 ms

const keyOf = (author: MemberId, seq: number): string => `${author} ${seq}`

/** Of their author's own entries: nobody redacts in the log of another. */
function redactionsIn(facts: readonly Fact[]): Redaction[] {
  return facts.flatMap((fact) => {
    const body = fact.kind === 'operator.redacted' ? readBody('operator.redacted', fact.body) : null
    if (body === null) return []
    return [{ author: fact.author, seq: body.seq, hash: toHex(body.hash), instead: retoldIn(fact) }]
  })
}

/** Whether an entry proposes what `instead` tells, but for its texts. */
function saysTheSame({ body, study, timeMs }: Entry, instead: Redaction['instead'] | null = null): boolean {
  const document = readBody('study.proposed', body)?.document
  const proposed = document === undefined || taggedDigest('study', document) !== study ? null : studyIn(document)
  if (proposed === null || instead === null || instead.proposedAtMs !== timeMs) return false
  return sameButText(proposed, instead.study)
}

function decodeOrNull(raw: Uint8Array | undefined): Entry | null {
  try {
    return raw === undefined ? null : decodeEntry(raw)
  } catch {
    return null // the scrub finds it
  }
}
