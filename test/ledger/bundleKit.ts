/** Bundles for tests: consortia of any number of members, their logs with cosigned heads, and lines to alter. */
import { concat, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import { sha256, taggedDigest } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds, type Digest, type MemberId } from '../../src/core/ids.ts'
import {
  type BundleEntry,
  type BundleFilter,
  type BundlePart,
  BundleWriter,
  LineSplitter,
} from '../../src/ledger/bundle.ts'
import type { BundleVerdict } from '../../src/ledger/bundleVerdict.ts'
import { BundleVerifier } from '../../src/ledger/bundleVerify.ts'
import { type EntryDraft, emptyTip, extend, type Tip } from '../../src/ledger/chain.ts'
import { formatCosigned, signCosignature } from '../../src/ledger/cosignature.ts'
import { decodeEntry, dropBody } from '../../src/ledger/entry.ts'
import { encodeFork } from '../../src/ledger/fork.ts'
import { encodeFounding, type Founding, foundingDigest } from '../../src/ledger/founding.ts'
import { signHead, type VerifiedHead } from '../../src/ledger/head.ts'
import { Frontier, leafHash } from '../../src/ledger/merkle.ts'
import { answer, inclusionProof } from '../../src/ledger/proof.ts'
import { draftOf, keyOf, saltOf } from './fixtures.ts'

export const NO_FILTER: BundleFilter = {
  members: null,
  kind: null,
  study: null,
  sinceMs: null,
  untilMs: null,
  state: null,
}
const NAMES = ['Ada', 'Ben', 'Klinikum Köln', 'St. Mary', 'Eve', 'Fay', 'Gil', 'Hal', 'Ida', 'Jon']

/** `members` hospitals, sorted by key. */
export interface Consortium {
  readonly founding: Founding
  readonly digest: Digest
  readonly keys: readonly SigningKey[]
}

export function consortiumOf(members: number, name = 'Oncology of the tests'): Consortium {
  const rows = NAMES.slice(0, members).map((member) => ({ name: member, key: keyOf(member) }))
  rows.sort((a, b) => compareIds(a.key.member, b.key.member))
  const founding = { name, members: rows.map((row) => ({ name: row.name, key: row.key.member })) }
  return { founding, digest: foundingDigest(founding), keys: rows.map(({ key }) => key) }
}

/** A log of one member, every entry of which can be proven under a head of any size. */
export interface Log {
  readonly key: SigningKey
  readonly raws: readonly Uint8Array[]
  readonly leaves: readonly Uint8Array[]
  root(size: number): Uint8Array
  proof(index: number, size: number): Uint8Array[]
}

export function logFor(key: SigningKey, count: number, label = 'main'): Log {
  const raws: Uint8Array[] = []
  let tip: Tip = emptyTip(key.member)
  while (tip.size < count) {
    const numbers = Array.from({ length: Math.min(100, count - tip.size) }, (_, i) => tip.size + i)
    const drafts = numbers.map((i) => draftOf(i, { round: i, loss: 0.5 + i / 1024 }))
    const made = extend(
      tip,
      drafts,
      numbers.map((i) => saltOf(`${label} ${i}`)),
    )
    raws.push(...made.raws)
    tip = made.tip
  }
  return logOver(
    key,
    raws,
    raws.map((raw) => decodeEntry(raw).leaf),
  )
}

/** A log of these entries. */
export function logWith(key: SigningKey, drafts: readonly EntryDraft[]): Log {
  const salts = drafts.map((_, i) => saltOf(`with ${i}`))
  const { raws } = extend(emptyTip(key.member), drafts, salts)
  return logOver(
    key,
    raws,
    raws.map((raw) => decodeEntry(raw).leaf),
  )
}

function logOver(key: SigningKey, raws: readonly Uint8Array[], leaves: readonly Uint8Array[]): Log {
  const treeOf = ({ from, to }: { from: number; to: number }): Uint8Array => {
    const frontier = new Frontier()
    for (const leaf of leaves.slice(from, to)) frontier.append(leaf)
    return frontier.root()
  }
  return {
    key,
    raws,
    leaves,
    root: (size) => treeOf({ from: 0, to: size }),
    proof: (index, size) => answer(inclusionProof(index, size), treeOf),
  }
}

export function headFor({ digest }: Consortium, log: Log, size: number): VerifiedHead {
  return signHead(log.key, digest, size, log.root(size))
}

/** The head of `log`'s first `size` entries, cosigned by `witnesses`. */
export function cosigned(consortium: Consortium, log: Log, size: number, witnesses: readonly SigningKey[]): BundlePart {
  const head = headFor(consortium, log, size)
  const cosignatures = witnesses.map((key, i) => signCosignature(key, head.text, 1_790_000_100 + i))
  return { type: 'head', note: formatCosigned(head, cosignatures) }
}

export function entryFor(log: Log, head: number, seq: number, size: number, dropped = false): BundleEntry {
  const raw = log.raws[seq] as Uint8Array
  return { type: 'entry', head, seq, raw: dropped ? dropBody(raw) : raw, proof: log.proof(seq, size) }
}

export function othersThan(consortium: Consortium, log: Log): SigningKey[] {
  return consortium.keys.filter((key) => key !== log.key)
}

/** A bundle's lines, each with its newline. */
export function linesOf(
  { founding, keys }: Consortium,
  parts: Iterable<BundlePart>,
  filter: Partial<BundleFilter> = {},
  foundingBytes = encodeFounding(founding),
): string[] {
  const writer = new BundleWriter()
  const by = keys[0]?.member as MemberId
  const heading = { made: '2026-11-21T15:00:00Z', by, founding: foundingBytes, filter: { ...NO_FILTER, ...filter } }
  const lines = [writer.start(heading)]
  for (const part of parts) lines.push(writer.push(part))
  return [...lines, writer.end()]
}

/** The same lines with an end that fits them: what a forger would do. */
export function resealed(lines: readonly string[]): string[] {
  const body = lines.slice(0, -1)
  const digest = toHex(sha256(utf8(body.join(''))))
  return [...body, (lines.at(-1) as string).replace(/"digest":"[0-9a-f]{64}"/, `"digest":"${digest}"`)]
}

/** The verdict on a whole file. */
export function judge(bytes: Uint8Array, root: string | null): BundleVerdict {
  const verifier = new BundleVerifier(root)
  const splitter = new LineSplitter()
  for (const line of splitter.split(bytes)) if (!verifier.push(line)) break
  return verifier.finish(splitter.rest)
}

export const codeAt = (verdict: BundleVerdict): string =>
  verdict.verdict === 'wrong' ? `${verdict.fault.code} ${verdict.fault.line}` : verdict.verdict

/**
 * Five members, four signatures: log 0 final, with a body dropped; log 1 final to 3 and pending to 5; log 2 forked at 4, its head
 * over 6 entries final; log 3 with a head and no entry; member 4 with nothing.
 */
export function sampleParts(consortium: Consortium): BundlePart[] {
  const [a, b, c, d] = consortium.keys.slice(0, 4).map((key) => logFor(key, 7)) as [Log, Log, Log, Log]
  const other = logFor(c.key, 4, 'fork')
  const final = (log: Log, size: number) => cosigned(consortium, log, size, othersThan(consortium, log).slice(0, 3))
  return [
    final(a, 7),
    final(b, 3),
    cosigned(consortium, b, 5, othersThan(consortium, b).slice(0, 2)),
    cosigned(consortium, c, 6, othersThan(consortium, c)),
    cosigned(consortium, d, 2, []),
    { type: 'fork', evidence: encodeFork(headFor(consortium, c, 4).note, headFor(consortium, other, 4).note) },
    entryFor(a, 0, 0, 7),
    entryFor(a, 0, 1, 7, true),
    entryFor(a, 0, 2, 7),
    entryFor(a, 0, 6, 7),
    entryFor(b, 1, 2, 3),
    entryFor(b, 2, 3, 5),
    entryFor(c, 3, 2, 6),
    entryFor(c, 3, 3, 6),
    entryFor(c, 3, 5, 6),
  ]
}

/** What an entry's author may choose to get wrong. */
export interface Craft {
  readonly prev?: Uint8Array
  readonly lamport?: number
  /** CBOR of the body as it is hashed, canonical or not. */
  readonly content?: Uint8Array
  /** What is appended to the header. */
  readonly more?: Uint8Array
}

/** A log whose author hashes and signs whatever `crafts` say of its entries. */
export function craftedLog(key: SigningKey, crafts: readonly Craft[]): Log {
  const raws: Uint8Array[] = []
  const leaves: Uint8Array[] = []
  for (const [seq, craft] of crafts.entries()) {
    const content = craft.content ?? encodeCbor({ round: seq })
    const salt = saltOf(`crafted ${seq}`)
    const prev = craft.prev ?? leaves[seq - 1] ?? new Uint8Array(32)
    const hash = fromHex(taggedDigest('entryBody', salt, content))
    const fields = [fromHex(key.member), seq, prev, 1_790_000_000_000 + seq, 'round.trained', null, []]
    const header = encodeCbor([1, ...fields, craft.lamport ?? 10 * (seq + 1), hash])
    const whole = concat([header, craft.more ?? new Uint8Array()])
    leaves.push(leafHash(whole))
    raws.push(encodeCbor([whole, salt, content]))
  }
  return logOver(key, raws, leaves)
}

/** The founding's bytes with a name and members that `decodeFounding` may refuse. */
export function rawFounding(name: string, members: readonly (readonly [string, string])[]): Uint8Array {
  return encodeCbor([1, name, members.map(([member, key]) => [member, fromHex(key)])])
}
