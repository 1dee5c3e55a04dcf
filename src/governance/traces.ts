/**
 * What entries tell of models and of patients' words, without the rest of them: what lineages and reports are read from. As bytes they are kept
 * beside a log, so that a start need not read a million entries again.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { decodeEntry, type Entry, glanceAt } from '../ledger/entry.ts'
import { readBody } from './kinds.ts'
import type { Made } from './withdrawals.ts'

/** Of one entry; `root` is that over the patients whom the round rests on, null where it asked nobody. */
export type Trace =
  | {
      readonly type: 'trained'
      readonly seq: number
      readonly study: StudyId
      readonly round: number
      readonly timeMs: number
      readonly base: Digest
      readonly update: Digest
      readonly root: Digest | null
    }
  | {
      readonly type: 'merged'
      readonly seq: number
      readonly study: StudyId
      readonly round: number
      readonly result: Digest
      readonly inputs: readonly Made[]
    }
  | { readonly type: 'told'; readonly seq: number; readonly from: number; readonly count: number }

const KINDS: ReadonlySet<string> = new Set(['round.trained', 'round.merged', 'consent.recorded'])

/** Null of an entry that tells nothing of it, or whose body was dropped. Errors: those of `decodeEntry`, where the store is damaged. */
export function traceOf(raw: Uint8Array): Trace | null {
  return KINDS.has(glanceAt(raw).kind) ? traceIn(decodeEntry(raw)) : null
}

/** The same of an entry that is decoded. */
export function traceIn({
  kind,
  study,
  seq,
  timeMs,
  body,
}: Pick<Entry, 'kind' | 'study' | 'seq' | 'body'> & { readonly timeMs?: number }): Trace | null {
  if (kind === 'consent.recorded') {
    const told = readBody(kind, body)
    return told === null ? null : { type: 'told', seq, from: told.from, count: told.items.length }
  }
  const trained = kind === 'round.trained' && study !== null ? readBody(kind, body) : null
  if (trained !== null && study !== null) {
    const { round, base, update, consent } = trained
    const digests = { base: toHex(base) as Digest, update: toHex(update) as Digest }
    const root = consent === undefined ? null : (toHex(consent.root) as Digest)
    return { type: 'trained', seq, study, round, timeMs: timeMs ?? 0, ...digests, root }
  }
  const merged = kind === 'round.merged' && study !== null ? readBody(kind, body) : null
  if (merged === null || study === null) return null
  const inputs = [...merged.inputs, ...(merged.partial?.updates ?? [])].map(([member, , update]) => {
    return { author: toHex(member) as MemberId, model: toHex(update) as Digest }
  })
  return { type: 'merged', seq, study, round: merged.round, result: toHex(merged.result) as Digest, inputs }
}

const LETTER = { trained: 1, merged: 2, told: 3 } as const
const HASH_BYTES = 32

/** A table of the studies and members that are named, then each trace. */
export function encodeTraces(traces: readonly Trace[]): Uint8Array {
  const names = new Map<string, number>()
  const numberOf = (name: string): number => {
    const known = names.get(name) ?? names.size
    names.set(name, known)
    return known
  }
  const parts = traces.map((trace) => encodeTrace(trace, numberOf))
  const table = Buffer.concat([...names.keys()].map((name) => fromHex(name)))
  const size = Buffer.alloc(4)
  size.writeUInt32BE(names.size)
  return new Uint8Array(Buffer.concat([size, table, ...parts]))
}

function encodeTrace(trace: Trace, numberOf: (name: string) => number): Uint8Array {
  const head = Buffer.alloc(TRACE_BYTES)
  head.writeUInt8(LETTER[trace.type])
  head.writeDoubleBE(trace.seq, 1)
  if (trace.type === 'told') {
    head.writeDoubleBE(trace.from, 9)
    head.writeUInt32BE(trace.count, 17)
    return head
  }
  head.writeDoubleBE(trace.round, 9)
  head.writeUInt32BE(numberOf(trace.study), 17)
  if (trace.type === 'merged') {
    head.writeDoubleBE(trace.inputs.length, 21)
    const inputs = trace.inputs.map(({ author, model }) => {
      const number = Buffer.alloc(4)
      number.writeUInt32BE(numberOf(author))
      return Buffer.concat([number, fromHex(model)])
    })
    return Buffer.concat([head, fromHex(trace.result), ...inputs])
  }
  head.writeDoubleBE(trace.timeMs, 21)
  const { base, update, root } = trace
  return Buffer.concat([head, ...[base, update, root ?? NO_ROOT].map((digest) => fromHex(digest))])
}

const TRACE_BYTES = 29 // letter u8, seq f64, round or first word f64, study or number of words u32, time or number of inputs f64
const NO_ROOT = '00'.repeat(HASH_BYTES)

/** What `encodeTraces` wrote: by offsets, for there are hundreds of thousands, and a patient waits. Error: a `RangeError` where it is cut off. */
export function* decodeTraces(bytes: Uint8Array): Generator<Trace> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hash = (at: number): Digest => buffer.toString('hex', at, at + HASH_BYTES) as Digest
  const count = buffer.readUInt32BE(0)
  const names = Array.from({ length: count }, (_, i) => hash(4 + i * HASH_BYTES) as string)
  for (let at = 4 + count * HASH_BYTES; at < buffer.length; ) {
    const letter = buffer[at]
    const [seq, first] = [buffer.readDoubleBE(at + 1), buffer.readDoubleBE(at + 9)]
    const [number, last] = [buffer.readUInt32BE(at + 17), buffer.readDoubleBE(at + 21)]
    const study = names[number] as StudyId
    at += TRACE_BYTES
    if (letter === LETTER.told) yield { type: 'told', seq, from: first, count: number }
    else if (letter === LETTER.merged) {
      const result = hash(at)
      const inputs: Made[] = []
      for (at += HASH_BYTES; inputs.length < last; at += 4 + HASH_BYTES)
        inputs.push({ author: names[buffer.readUInt32BE(at)] as MemberId, model: hash(at + 4) })
      yield { type: 'merged', seq, study, round: first, result, inputs }
    } else {
      const [base, update, root] = [hash(at), hash(at + HASH_BYTES), hash(at + 2 * HASH_BYTES)]
      at += 3 * HASH_BYTES
      yield {
        type: 'trained',
        seq,
        study,
        round: first,
        timeMs: last,
        base,
        update,
        root: root === NO_ROOT ? null : root,
      }
    }
  }
}
