/** Cosigned heads, tlog-proofs and consistency proofs, sound and spoilt, for Go's implementations of the C2SP formats to open. */
import { fromHex, fromUtf8, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/digest.ts'
import { type SigningKey, signingKey } from '../../src/core/ed25519.ts'
import type { Digest } from '../../src/core/ids.ts'
import { type Cosignature, formatCosigned, signCosignature } from '../../src/ledger/cosignature.ts'
import {
  base64,
  formatNote,
  type Head,
  headText,
  NOTE_KEY,
  noteLine,
  originOf,
  signHead,
} from '../../src/ledger/head.ts'
import { Frontier, leafHash } from '../../src/ledger/merkle.ts'
import { answer, consistencyProof, inclusionProof, type Subtree } from '../../src/ledger/proof.ts'
import { formatTlogProof } from '../../src/ledger/tlogProof.ts'

/** One member's log: what is hashed of each entry. */
export interface GrownLog {
  readonly key: SigningKey
  readonly founding: Digest
  readonly headers: readonly Uint8Array[]
}

/** What `proofs.go` reads; `refused` where it was spoilt on purpose. */
export interface ProofFile {
  readonly name: string
  readonly key: string
  readonly witnesses: readonly { readonly key: string; readonly times: readonly [older: number, newer: number] }[]
  readonly header: string
  readonly proof: string
  readonly older: string
  readonly consistency: readonly string[]
  readonly refused: boolean
}

/** The parts of a proof file before they are written as text, so that each can be spoilt alone. */
interface Parts {
  readonly index: number
  readonly header: Uint8Array
  readonly hashes: readonly Uint8Array[]
  readonly newer: Head
  readonly newerSigned: readonly Cosignature[]
  readonly older: Head
  readonly olderSigned: readonly Cosignature[]
  readonly consistency: readonly Uint8Array[]
  readonly extra?: Uint8Array
}

const TIME_S = 1_790_000_017
const WITNESSES = ['one', 'two', 'three', 'four'].map((name) => signingKey(sha256(utf8(`interop witness ${name}`))))
const STRANGER = signingKey(sha256(utf8('interop stranger')))
const timesOf = (i: number): [number, number] => [TIME_S + i * 61, TIME_S + 86_400 + i * 61]

/** For entry `index` of the whole log, and its growth since it had `from` entries: the sound file, and every spoilt one. */
export function proofFilesOf(log: GrownLog, index: number, from: number): ProofFile[] {
  const sound = partsOf(log, index, from)
  const name = `entry ${index} of ${log.headers.length}, grown from ${from}`
  const extra = { ...sound, extra: log.headers[0] as Uint8Array }
  return [
    fileOf(log, name, sound, false),
    fileOf(log, `${name}, with extra data`, extra, false),
    ...spoiltParts(log, sound).map(([what, parts]) => fileOf(log, `${name}, ${what}`, parts, true)),
    ...spoiltTexts(fileOf(log, name, sound, true)),
  ]
}

function partsOf({ key, founding, headers }: GrownLog, index: number, from: number): Parts {
  const hashOf = ({ from, to }: Subtree): Uint8Array => rootOver(headers.slice(from, to))
  const headAt = (size: number) => signHead(key, founding, size, rootOver(headers.slice(0, size)))
  const [older, newer] = [headAt(from), headAt(headers.length)]
  return {
    index,
    header: headers[index] as Uint8Array,
    hashes: answer(inclusionProof(index, headers.length), hashOf),
    newer,
    newerSigned: WITNESSES.map((one, i) => signCosignature(one, newer.text, timesOf(i)[1])),
    older,
    olderSigned: WITNESSES.map((one, i) => signCosignature(one, older.text, timesOf(i)[0])),
    consistency: answer(consistencyProof(from, headers.length), hashOf),
  }
}

/** What is wrong beneath sound text: each part of the proof in each way that an attacker would try. */
function spoiltParts({ key, founding, headers }: GrownLog, sound: Parts): [string, Parts][] {
  const { index, hashes, consistency, newer, newerSigned, older, olderSigned } = sound
  const [first, ...others] = newerSigned as [Cosignature, ...Cosignature[]]
  const forged = headText(newer.origin, newer.size, flipped(newer.root))
  const forgedHead = { ...newer, note: formatNote(forged, newer.origin, newer.author, newer.signature) }
  const rewritten = signHead(key, founding, newer.size, flipped(newer.root))
  const otherPast = signHead(key, founding, older.size, flipped(older.root))
  const resigned = (head: Head, which: 0 | 1) =>
    WITNESSES.map((one, i) => signCosignature(one, head.text, timesOf(i)[which]))
  const rows: [string, Partial<Parts>][] = [
    ['an altered header', { header: flipped(sound.header) }],
    ['another index', { index: index + 1 }],
    ['an index beyond the log', { index: headers.length }],
    ['a hash more', { hashes: [...hashes, leafHash(sound.header)] }],
    ['a growth hash more', { consistency: [...consistency, leafHash(sound.header)] }],
    ['a root that nobody signed', { newer: forgedHead }],
    ['an altered head signature', { newer: noteOf(newer, flipped(newer.signature)) }],
    ["a stranger's head signature", { newer: noteOf(newer, STRANGER.sign(utf8(newer.text))) }],
    ['another history, signed by all', { newer: rewritten, newerSigned: resigned(rewritten, 1) }],
    ['another past, signed by all', { older: otherPast, olderSigned: resigned(otherPast, 0) }],
    ['a witness missing', { newerSigned: others }],
    ['a witness missing at the older head', { olderSigned: olderSigned.slice(1) }],
    ['no witness', { newerSigned: [] }],
    ['a stranger for a witness', { newerSigned: [signCosignature(STRANGER, newer.text, first.timeS), ...others] }],
    ['an altered cosignature', { newerSigned: [{ ...first, signature: flipped(first.signature) }, ...others] }],
    ['a cosignature a second later', { newerSigned: [{ ...first, timeS: first.timeS + 1 }, ...others] }],
    [
      'a cosignature at another time',
      { newerSigned: [signCosignature(WITNESSES[0] as SigningKey, newer.text, 7), ...others] },
    ],
  ]
  if (older.size < newer.size) {
    const of = olderSigned.find(({ witness }) => witness === first.witness) as Cosignature
    rows.push(['the cosignature of another head', { newerSigned: [{ ...of, timeS: first.timeS }, ...others] }])
    rows.push([
      'heads swapped',
      { older: newer, olderSigned: resigned(newer, 0), newer: older, newerSigned: resigned(older, 1) },
    ])
  }
  for (const [i, one] of hashes.entries()) {
    rows.push(
      [`hash ${i} altered`, { hashes: hashes.with(i, flipped(one)) }],
      [`hash ${i} missing`, { hashes: hashes.toSpliced(i, 1) }],
    )
  }
  for (const [i, one] of consistency.entries()) {
    rows.push([`growth hash ${i} altered`, { consistency: consistency.with(i, flipped(one)) }])
    rows.push([`growth hash ${i} missing`, { consistency: consistency.toSpliced(i, 1) }])
  }
  return rows.map(([what, change]) => [what, { ...sound, ...change }])
}

/** What is wrong with the text itself. */
function spoiltTexts(file: ProofFile): ProofFile[] {
  const { proof } = file
  const rows: [string, string][] = [
    ['another version', proof.replace('@v1', '@v2')],
    ['no first line', proof.slice(proof.indexOf('\n') + 1)],
    ['no index', proof.replace(/index [0-9]+\n/, '')],
    ['a leading zero', proof.replace('index ', 'index 0')],
    ['no empty line', proof.replace('\n\n', '\n')],
    ['no head', proof.slice(0, proof.indexOf('\n\n') + 2)],
    ['no signature lines', proof.slice(0, proof.indexOf('\u2014'))],
    ['carriage returns', proof.replaceAll('\n', '\r\n')],
    ['cut off by ten letters', proof.slice(0, -10)],
    ['a cosignature of key type 1', typeOne(proof)],
  ]
  return rows.map(([what, text]) => ({ ...file, name: `${file.name}, ${what}`, proof: text }))
}

/** The first witness's line as if its key were a note's: what is signed stays as it was. */
function typeOne(proof: string): string {
  const { member } = WITNESSES[0] as SigningKey
  const line = proof
    .split('\n')
    .find((one) => one.startsWith('\u2014') && one.split(' ')[1]?.endsWith(member)) as string
  const [, name, blob] = line.split(' ') as [string, string, string]
  return proof.replace(`${line}\n`, noteLine(name, NOTE_KEY.head, member, Buffer.from(blob, 'base64').subarray(4)))
}

function fileOf({ key, founding }: GrownLog, name: string, parts: Parts, refused: boolean): ProofFile {
  const { index, header, hashes, newer, newerSigned, older, olderSigned, consistency, extra } = parts
  return {
    name,
    key: verifierKey(key, founding, NOTE_KEY.head),
    witnesses: WITNESSES.map((one, i) => ({
      key: verifierKey(one, founding, NOTE_KEY.cosignature),
      times: timesOf(i),
    })),
    header: base64(header),
    proof: fromUtf8(formatTlogProof({ index, hashes, note: formatCosigned(newer, newerSigned), extra })),
    older: fromUtf8(formatCosigned(older, olderSigned)),
    consistency: consistency.map(base64),
    refused,
  }
}

/** A key as note verifiers take it: `<name>+<key hash>+<base64 of type and key>`; the hash is ours, so that Go finds out whether it is right. */
export function verifierKey({ member }: SigningKey, founding: Digest, type: number): string {
  const name = originOf(founding, member)
  const hash = Buffer.from(noteLine(name, type, member).trim().split(' ').at(-1) as string, 'base64')
  return `${name}+${toHex(hash)}+${base64(Uint8Array.of(type, ...fromHex(member)))}`
}

function noteOf(head: Head, signature: Uint8Array): Head {
  return { ...head, note: formatNote(head.text, head.origin, head.author, signature) }
}

function rootOver(headers: readonly Uint8Array[]): Uint8Array {
  const frontier = new Frontier()
  for (const header of headers) frontier.append(leafHash(header))
  return frontier.root()
}

function flipped(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => (i === 20 ? byte ^ 1 : byte))
}
