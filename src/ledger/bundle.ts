/**
 * The bundle `consilium-bundle/1`: what an auditor verifies without a node. One JSON object a line, ASCII, each line in one form
 * only; written and read here, judged in `bundleVerify.ts`.
 */
import { fromUtf8, toHex, utf8 } from '../core/bytes.ts'
import { Sha256 } from '../core/digest.ts'
import { ConsiliumError, invariant } from '../core/errors.ts'
import { compareIds, type MemberId, type StudyId } from '../core/ids.ts'
import { TIME_MS_MAX } from './entry.ts'

export const BUNDLE_FORMAT = 'consilium-bundle/1'
/** How every bundle of this version begins, and nothing else. */
export const BUNDLE_MAGIC = `{"format":"${BUNDLE_FORMAT}",`
export const LINE_BYTES_MAX = 1_048_576 // the largest is a membership epoch of 1,000 members, 970,000 in base64 with all signatures

/** Whether quorum is reached, or the author's own signatures contradict each other. */
export type EntryState = 'final' | 'pending' | 'disputed'

/** Which entries the exporter says it took; null where it says that it took all. */
export interface BundleFilter {
  /** Authors, sorted. */
  readonly members: readonly MemberId[] | null
  /** These kinds, or kinds that begin with one of them and a dot: sorted, with commas between them. */
  readonly kind: string | null
  readonly study: StudyId | null
  /** The first millisecond by the author's clock that is taken. */
  readonly sinceMs: number | null
  /** The first that is not. */
  readonly untilMs: number | null
  readonly state: EntryState | null
}

/** The first line. Nothing signs it: the founding is believed by its digest, the filter by trying it, the rest is a claim. */
export interface BundleHeading {
  readonly type: 'heading'
  /** `2026-11-21T15:00:00Z`. */
  readonly made: string
  /** Who exported. */
  readonly by: MemberId
  /** What `encodeFounding` gives. */
  readonly founding: Uint8Array
  readonly filter: BundleFilter
}

/** The lines between the first and the last, in the order in which they may come. */
export type BundlePart =
  /** What `encodeEpoch` gives; epochs 1, 2, … in order. */
  | { readonly type: 'epoch'; readonly record: Uint8Array }
  /** A head with its cosignatures, as `formatCosigned` gives it; sorted by author and size. */
  | { readonly type: 'head'; readonly note: Uint8Array }
  /** What `encodeFork` gives; sorted by author and size. */
  | { readonly type: 'fork'; readonly evidence: Uint8Array }
  | BundleEntry

/** An entry and its inclusion proof; sorted by author and seq. */
export interface BundleEntry {
  readonly type: 'entry'
  /** Which of the head lines the proof leads to, from 0. */
  readonly head: number
  readonly seq: number
  /** The entry as stored. */
  readonly raw: Uint8Array
  /** Audit path of RFC 6962, lowest first. */
  readonly proof: readonly Uint8Array[]
}

/** The last line: how much there was, and SHA-256 of all bytes before it, as hex. */
export interface BundleEnd {
  readonly type: 'end'
  readonly heads: number
  readonly forks: number
  readonly entries: number
  readonly digest: string
}

export type BundleLine = BundleHeading | BundlePart | BundleEnd

/** Places of the kinds of lines: none comes after one of a higher place. */
export const LINE_PLACE = { heading: 0, epoch: 1, head: 2, fork: 3, entry: 4, end: 5 } as const

/** Gives a bundle's text, a line at a time; what the parts say is the caller's to have right. */
export class BundleWriter {
  readonly #hash = new Sha256()
  readonly #counts = { epoch: 0, head: 0, fork: 0, entry: 0 }
  #place = -1

  start(heading: Omit<BundleHeading, 'type'>): string {
    invariant(this.#place < 0, 'a bundle has one first line')
    return this.#add({ type: 'heading', ...heading })
  }

  push(part: BundlePart): string {
    invariant(this.#place >= 0 && LINE_PLACE[part.type] >= this.#place, 'epochs, heads, forks, entries: in this order')
    this.#counts[part.type]++
    return this.#add(part)
  }

  /** The last line; nothing may follow. */
  end(): string {
    const { head, fork, entry } = this.#counts
    this.#place = LINE_PLACE.end
    const digest = toHex(this.#hash.digest())
    return `${formatLine({ type: 'end', heads: head, forks: fork, entries: entry, digest })}\n`
  }

  #add(line: BundleLine): string {
    const text = `${formatLine(line)}\n`
    this.#hash.update(utf8(text))
    this.#place = LINE_PLACE[line.type]
    return text
  }
}

/** The one text of a line, without its newline: what `JSON.stringify` gives, and ASCII. */
export function formatLine(line: BundleLine): string {
  return JSON.stringify(jsonOf(line)).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function jsonOf(line: BundleLine): unknown {
  switch (line.type) {
    case 'heading': {
      const { members, kind, study, sinceMs, untilMs, state } = line.filter
      const filter = { members, kind, study, since: sinceMs, until: untilMs, state }
      return { format: BUNDLE_FORMAT, made: line.made, by: line.by, founding: base64(line.founding), filter }
    }
    case 'epoch':
      return { epoch: base64(line.record) }
    case 'head':
      return { head: fromUtf8(line.note) }
    case 'fork':
      return { fork: base64(line.evidence) }
    case 'entry':
      return {
        entry: { head: line.head, seq: line.seq, raw: base64(line.raw), proof: line.proof.map((hash) => base64(hash)) },
      }
    case 'end':
      return { end: { heads: line.heads, forks: line.forks, entries: line.entries, digest: line.digest } }
  }
}

/**
 * Reads one line, without its newline; only the text that `formatLine` gives is taken. What it carries is not judged.
 * Error: `bundle-line`, which blames the sender.
 */
export function parseLine(bytes: Uint8Array): BundleLine {
  if (bytes.length > LINE_BYTES_MAX) throw malformed(`longer than ${LINE_BYTES_MAX} bytes`)
  const text = latin1(bytes)
  const line = lineOf(jsonIn(text))
  if (formatLine(line) !== text) throw malformed('not in the one form that this line has')
  return line
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('not JSON')
  }
}

function lineOf(json: unknown): BundleLine {
  const [key, value] = Object.entries(recordOf(json))[0] ?? []
  switch (key) {
    case 'format':
      return headingOf(recordOf(json))
    case 'epoch':
      return { type: 'epoch', record: bytesOf(value) }
    case 'head':
      return { type: 'head', note: utf8(textOf(value, NOTE_TEXT)) }
    case 'fork':
      return { type: 'fork', evidence: bytesOf(value) }
    case 'entry': {
      const { head, seq, raw, proof } = recordOf(value)
      return {
        type: 'entry',
        head: countOf(head),
        seq: countOf(seq),
        raw: bytesOf(raw),
        proof: listOf(proof).map(bytesOf),
      }
    }
    case 'end': {
      const { heads, forks, entries, digest } = recordOf(value)
      const counts = { heads: countOf(heads), forks: countOf(forks), entries: countOf(entries) }
      return { type: 'end', ...counts, digest: textOf(digest, HEX_32) }
    }
    default:
      throw malformed('no line of this format')
  }
}

const NOTE_TEXT = /^[ !#-[\]-~\n\u2014]*$/ // all that a note needs, so that two escapes of JSON are enough to read it
const HEX_32 = /^[0-9a-f]{64}$/
const MADE = /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/
const KIND = /^(?=.{1,64}$)[a-z]+(?:\.[a-z-]+)*$/
const KINDS_MAX = 16 // of one filter: as many as what patients ask about needs, twice
const STATE = /^(?:final|pending|disputed)$/

function headingOf({ made, by, founding, filter }: Readonly<Record<string, unknown>>): BundleHeading {
  const { members, kind, study, since, until, state } = recordOf(filter)
  return {
    type: 'heading',
    made: textOf(made, MADE),
    by: textOf(by, HEX_32) as MemberId,
    founding: bytesOf(founding),
    filter: {
      members: orNull(members, membersOf),
      kind: orNull(kind, kindsOf),
      study: orNull(study, (given) => textOf(given, HEX_32) as StudyId),
      sinceMs: orNull(since, timeOf),
      untilMs: orNull(until, timeOf),
      state: orNull(state, (given) => textOf(given, STATE) as EntryState),
    },
  }
}

function kindsOf(value: unknown): string {
  const given = textOf(value)
  if (!isKindFilter(given)) throw malformed('the kinds of the filter are not sorted kinds')
  return given
}

/** Whether a filter may say it: kinds or the first words of kinds, sorted, each once, with commas between them. */
export function isKindFilter(given: string): boolean {
  const kinds = given.split(',')
  const sorted = kinds.every((kind, i) => i === 0 || compareIds(kinds[i - 1] as string, kind) < 0)
  return sorted && kinds.length <= KINDS_MAX && kinds.every((kind) => KIND.test(kind))
}

/** Whether a filter by `kinds` takes an entry of this kind. */
export function takesKind(kinds: string, kind: string): boolean {
  return kinds.split(',').some((one) => kind === one || kind.startsWith(`${one}.`))
}

function membersOf(value: unknown): MemberId[] {
  const members = listOf(value).map((member) => textOf(member, HEX_32) as MemberId)
  const sorted = members.every((member, i) => i === 0 || compareIds(members[i - 1] as string, member) < 0)
  if (members.length === 0 || !sorted) throw malformed('the members of the filter are not sorted keys')
  return members
}

function timeOf(value: unknown): number {
  const time = countOf(value)
  if (time > TIME_MS_MAX) throw malformed('a time lies beyond the year 9998')
  return time
}

function orNull<T>(value: unknown, read: (value: unknown) => T): T | null {
  return value === null ? null : read(value)
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('an object is missing')
  return value as Readonly<Record<string, unknown>>
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed('a list is missing')
  return value
}

function textOf(value: unknown, form = /^/): string {
  if (typeof value !== 'string' || !form.test(value)) throw malformed('a text is missing or not of its form')
  return value
}

function countOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed('a number is missing')
  return value
}

function bytesOf(value: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(textOf(value), 'base64'))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function malformed(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'bundle-line', message: what, blame: 'reject' })
}

/** Cuts a stream of bytes into lines. A line that is too long is given as soon as that shows, for `parseLine` to refuse. */
export class LineSplitter {
  #rest: Uint8Array = new Uint8Array();

  /** The lines that end in `chunk`, without their newlines. */
  *split(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let from = 0
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      yield this.#take(chunk.subarray(from, at))
      from = at + 1
    }
    this.#rest = this.#take(chunk.subarray(from))
    if (this.#rest.length > LINE_BYTES_MAX) yield this.#take(new Uint8Array())
  }

  /** What came after the last newline. */
  get rest(): Uint8Array {
    return this.#rest
  }

  #take(end: Uint8Array): Uint8Array {
    const whole = new Uint8Array(this.#rest.length + end.length)
    whole.set(this.#rest)
    whole.set(end, this.#rest.length)
    this.#rest = new Uint8Array()
    return whole
  }
}
