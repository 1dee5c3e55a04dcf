/** Mutants of entries and frames, for a short run and a long one: what is accepted has one spelling, and nothing crashes. */
import * as assert from 'uvu/assert'
import { concat, equalBytes, fromHex, toHex } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Tip } from '../../src/ledger/chain.ts'
import { decodeEntry, dropBody, type Entry } from '../../src/ledger/entry.ts'
import { decodeFrame, encodeFrame, openFrame } from '../../src/ledger/wire.ts'
import { refusal } from '../core/refusal.ts'
import { commitOf, FOUNDING, keyOf, logOf } from './fixtures.ts'
import { golden } from './goldenFile.ts'
import { flipped } from './proofFaults.ts'

const NONE = new Uint8Array(0)
const RAWS = decodeFrame(golden('ledger-v1-frame.cbor', NONE)).raws
const CORPUS = [...RAWS, ...RAWS.map(dropBody)]
const HEADS = [
  0x00, 0x17, 0x18, 0x19, 0x1b, 0x20, 0x40, 0x58, 0x60, 0x78, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xf6, 0xf7, 0xf9, 0xfb,
  0xff,
]

/** What came of mutants: how many were taken as entries, and as CBOR. */
export interface Tally {
  entries: number
  values: number
}

/** Mutates golden entries: as a whole, in the header alone, and in the body alone with the header made to fit, so that each reader is reached. */
export function tryEntries(count: number, seed: number): Tally {
  const rng = Rng.from('entry mutants', seed)
  const tally = { entries: 0, values: 0 }
  for (let i = 0; i < count; i++) {
    const raw = mutantOf(rng, CORPUS[i % CORPUS.length] as Uint8Array)
    const told = () => `CONSILIUM_TEST_SEED=${seed}, mutant ${i}: ${toHex(raw)}`
    const entry = taken(() => decodeEntry(raw), told)
    if (entry !== null && !equalBytes(writtenAgain(entry), raw)) assert.unreachable(told())
    const value = taken(() => ({ it: decodeCbor(raw) }), told)
    if (value !== null && !equalBytes(encodeCbor(value.it), raw)) assert.unreachable(told())
    if (entry !== null && value === null) assert.unreachable(`an entry that is no canonical CBOR: ${told()}`)
    tally.entries += Number(entry !== null)
    tally.values += Number(value !== null)
  }
  return tally
}

function mutantOf(rng: Rng, original: Uint8Array): Uint8Array {
  const [header, salt, body] = decodeCbor(original) as [Uint8Array, Uint8Array | null, Uint8Array | null]
  const kind = rng.below(3)
  if (kind === 0) return mutated(rng, original)
  if (kind === 1 || salt === null || body === null) return encodeCbor([mutated(rng, header), salt, body])
  const content = mutated(rng, body)
  const hash = fromHex(taggedDigest('entryBody', salt, content))
  return encodeCbor([concat([header.subarray(0, -32), hash]), salt, content]) // the body hash is the header's last field
}

/** One to three edits: a bit, a byte, a CBOR head, a byte less or more, a stretch repeated or cut out. */
function mutated(rng: Rng, original: Uint8Array): Uint8Array {
  let bytes = [...original]
  for (let edits = 1 + rng.below(3); edits > 0; edits--) {
    const at = rng.below(bytes.length + 1)
    const edit = rng.below(7)
    if (edit === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << rng.below(8))
    else if (edit === 1) bytes[at] = rng.below(256)
    else if (edit === 2) bytes[at] = HEADS[rng.below(HEADS.length)] as number
    else if (edit === 3) bytes.splice(at, 1)
    else if (edit === 4) bytes.splice(at, 0, rng.below(256))
    else if (edit === 5) bytes.splice(at, 1 + rng.below(20))
    else bytes = [...bytes.slice(0, at), ...bytes.slice(Math.max(0, at - 1 - rng.below(20)))]
  }
  return Uint8Array.from(bytes)
}

/** The entry in canonical form, from nothing but what was read. */
function writtenAgain(entry: Entry): Uint8Array {
  const { author, seq, prev, timeMs, kind, study, refs, lamport, bodyHash, body, raw } = entry
  const cited = refs.map(([by, place, hash]) => [fromHex(by), place, fromHex(hash)])
  const fields = [
    1,
    fromHex(author),
    seq,
    prev,
    timeMs,
    kind,
    study && fromHex(study),
    cited,
    lamport,
    fromHex(bodyHash),
  ]
  const [, salt] = decodeCbor(raw) as [Cbor, Cbor]
  return encodeCbor([encodeCbor(fields), salt, body === null ? null : encodeCbor(body)])
}

/** What `read` gives, or null where it refuses and blames the sender; whatever else it throws is a fault of ours. */
function taken<T>(read: () => T, told: () => string): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConsiliumError && error.blame === 'reject') return null
    throw new Error(told(), { cause: error })
  }
}

/** A frame of twenty entries with its head, and the tip that it follows: LEDGER §6 test 4. */
export function frameOfTwenty(): { tip: Tip; frame: Uint8Array } {
  const ada = keyOf('ada')
  const [first] = logOf(ada, [3]) as [ReturnType<typeof commitOf>]
  const { raws, head } = commitOf(ada, first.tip, 20)
  return { tip: first.tip, frame: encodeFrame({ note: head.note, raws }) }
}

/** How many of the chosen mutants of `frame` are accepted: bits that are flipped, lengths that it is cut to. */
export function acceptedOf(tip: Tip, frame: Uint8Array, bits: Iterable<number>, lengths: Iterable<number>): number {
  let accepted = 0
  const attempt = (bytes: Uint8Array): void => {
    accepted += Number(refusal(() => openFrame(tip, bytes, FOUNDING)) === null)
  }
  for (const bit of bits) attempt(flipped(frame, bit))
  for (const length of lengths) attempt(frame.subarray(0, length))
  return accepted
}
