/** What can be wrong with a bundle: each row is a file, and the code and the line that every verifier must name. */
import { concat, fromHex, fromUtf8, utf8 } from '../../src/core/bytes.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { taggedDigest } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds, type Digest, type MemberId } from '../../src/core/ids.ts'
import type { BundleFilter, BundlePart } from '../../src/ledger/bundle.ts'
import { formatCosigned, signCosignature } from '../../src/ledger/cosignature.ts'
import { encodeFork, encodeForkAt, type ForkLeaf } from '../../src/ledger/fork.ts'
import { fingerprint } from '../../src/ledger/founding.ts'
import { formatNote, type Head, headText, originOf, parseHead } from '../../src/ledger/head.ts'
import {
  type Consortium,
  type Craft,
  consortiumOf,
  cosigned,
  craftedLog,
  entryFor,
  headFor,
  type Log,
  linesOf,
  logFor,
  othersThan,
  rawFounding,
  resealed,
  sampleParts,
} from './bundleKit.ts'
import { EPOCH_FAULTS } from './epochFaults.ts'
import { keyOf, STUDY } from './fixtures.ts'

export interface Fault {
  readonly name: string
  /** `code line`. */
  readonly expected: string
  readonly bytes: Uint8Array
  readonly root: string | null
}

export const FIVE: Consortium = consortiumOf(5)
export const GOOD: readonly string[] = linesOf(FIVE, sampleParts(FIVE))
const [A, B, C] = FIVE.keys as [SigningKey, SigningKey, SigningKey]
const STRANGER = keyOf('stranger')

const rows: Fault[] = []
const add = (name: string, expected: string, bytes: Uint8Array, root: string | null = null) =>
  rows.push({ name, expected, bytes, root })

/** The good lines after `change`, with an end that fits them unless `sealed` is false. */
function altered(name: string, expected: string, change: (lines: string[]) => void, sealed = true): void {
  const lines = [...GOOD]
  change(lines)
  const text = (sealed ? resealed(lines) : lines).join('')
  if (text === GOOD.join('')) throw new Error(`"${name}" alters nothing`)
  add(name, expected, new Uint8Array(Buffer.from(text, 'latin1')))
}

/** Replaces in the line with this number, from 1. */
const edit = (line: number, from: string | RegExp, to: string | ((found: string) => string)) => (lines: string[]) => {
  lines[line - 1] = (lines[line - 1] as string).replace(from, to as string)
}
const swap = (one: number, other: number) => (lines: string[]) => {
  ;[lines[one - 1], lines[other - 1]] = [lines[other - 1] as string, lines[one - 1] as string]
}
const repeat = (line: number) => (lines: string[]) => lines.splice(line, 0, lines[line - 1] as string)

/** A bundle of these parts. */
function made(name: string, expected: string, parts: readonly BundlePart[], filter: Partial<BundleFilter> = {}): void {
  add(name, expected, utf8(linesOf(FIVE, parts, filter).join('')))
}

/** Bodies that are not canonical, in hexadecimal. */
const BODIES: Readonly<Record<string, string>> = {
  'a long number': 'a161611801',
  'a float for a whole number': 'a16161f93c00',
  'a float that is too wide': 'a16161fa3fc00000',
  'minus zero': 'a16161f98000',
  infinity: 'a16161f97c00',
  'not a number': 'a16161f97e00',
  'a number of 2^53': 'a161611b0020000000000000',
  'a tag': 'a16161c101',
  undefined: 'a16161f7',
  'an indefinite list': 'a161619f01ff',
  'keys not sorted': 'a2616201616101',
  'a key twice': 'a2616101616101',
  'a number for a key': 'a10101',
  'text that is not UTF-8': 'a1616161ff',
  'a surrogate': 'a1616163eda080',
  'a byte order mark': 'a1616163efbbbf',
  'lists 17 deep': `a16161${'81'.repeat(16)}00`,
  'a cut': 'a16161',
  'a byte more': 'a1616100f6',
}

formOfTheFile()
formOfLines()
order()
foundings()
heads()
forks()
entries()
chains()
filters()
ends()

export const FAULTS: readonly Fault[] = [...rows, ...EPOCH_FAULTS]

function formOfTheFile(): void {
  add('an empty file', 'bundle-empty 1', utf8(''))
  add('a newline', 'bundle-unknown 1', utf8('\n'))
  add('a text', 'bundle-unknown 1', utf8('Dear auditor,\nhere it is.\n'))
  add(
    'bytes without a newline',
    'bundle-unknown 1',
    Uint8Array.from({ length: 1_200_000 }, (_, i) => (i % 200) + 40),
  )
  altered('another version', 'bundle-unknown 1', edit(1, 'bundle/1', 'bundle/2'))
  altered('a byte order mark', 'bundle-unknown 1', edit(1, /^/, '\u00ef\u00bb\u00bf'))
  altered('the first line missing', 'bundle-unknown 1', (lines) => lines.shift())
  altered('a line of a megabyte', 'bundle-line 2', (lines) => lines.splice(1, 0, `${'x'.repeat(1_048_577)}\n`))
  altered(
    'a cut in the first line',
    'bundle-truncated 1',
    (lines) => lines.splice(0, 99, GOOD[0]?.slice(0, 200) ?? ''),
    false,
  )
  altered(
    'a cut in a head',
    'bundle-truncated 3',
    (lines) => lines.splice(2, 99, (GOOD[2] as string).slice(0, -1)),
    false,
  )
  altered('a cut after a line', 'bundle-truncated 9', (lines) => lines.splice(8, 99), false)
  altered('no last newline', 'bundle-truncated 17', edit(17, /\n$/, ''), false)
}

function formOfLines(): void {
  altered('carriage returns', 'bundle-line 1', edit(1, '\n', '\r\n'))
  altered('a space', 'bundle-line 8', edit(8, '"seq":', '"seq": '))
  altered('other order of keys', 'bundle-line 8', edit(8, /"head":0,"seq":0/, '"seq":0,"head":0'))
  altered('a key too many', 'bundle-line 8', edit(8, '"seq":0', '"seq":0,"more":1'))
  altered('a key twice', 'bundle-line 8', edit(8, '"seq":0', '"seq":0,"seq":0'))
  altered('a key missing', 'bundle-line 1', edit(1, ',"state":null', ''))
  for (const number of ['0.0', '-0', '00', '0e0', '9007199254740992', '"0"', 'null', 'NaN'])
    altered(`the number ${number}`, 'bundle-line 8', edit(8, '"seq":0', `"seq":${number}`))
  altered('an unknown line', 'bundle-line 2', (lines) => lines.splice(1, 0, '{"note":"hello"}\n'))
  altered('no object', 'bundle-line 2', (lines) => lines.splice(1, 0, '[]\n'))
  altered('deep nesting', 'bundle-line 2', (lines) => lines.splice(1, 0, `${'['.repeat(200_000)}\n`))
  altered('an empty line', 'bundle-line 7', (lines) => lines.splice(6, 0, '\n'))
  altered('a dash that is not escaped', 'bundle-line 2', edit(2, '\\u2014', '\u00e2\u0080\u0094'))
  altered('an escape in capitals', 'bundle-line 2', edit(2, '\\n', '\\u000A'))
  altered('a quotation mark in a head', 'bundle-line 2', edit(2, 'consilium', 'consil\\"um'))
  altered('another escape in a head', 'bundle-line 2', edit(2, '\\u2014', '\\u2013'))
  altered('half a surrogate pair', 'bundle-line 2', edit(2, '\\u2014', '\\ud800'))
  altered('base64 without padding', 'bundle-line 8', edit(8, '="', '"'))
  altered(
    'base64 with stray bits',
    'bundle-line 8',
    edit(8, /(.)="\]/, (x) => `${x === 'B="]' ? 'C' : 'B'}="]`),
  )
  altered('base64 for URLs', 'bundle-line 8', edit(8, /[+/]/, '-'))
  altered(
    'a key in capitals',
    'bundle-line 1',
    edit(1, /"by":"[^"]*"/, (x) => `"by":${x.slice(5).toUpperCase()}`),
  )
  altered('a date without its zone', 'bundle-line 1', edit(1, '00Z"', '00"'))
  altered('an empty list of members', 'bundle-line 1', edit(1, '"members":null', '"members":[]'))
  altered('members not sorted', 'bundle-line 1', edit(1, '"members":null', `"members":["${B.member}","${A.member}"]`))
  altered('a kind in capitals', 'bundle-line 1', edit(1, '"kind":null', '"kind":"Round"'))
  altered('a kind too long', 'bundle-line 1', edit(1, '"kind":null', `"kind":"${'r'.repeat(65)}"`))
  altered('kinds not sorted', 'bundle-line 1', edit(1, '"kind":null', '"kind":"round,consent"'))
  altered('a kind twice', 'bundle-line 1', edit(1, '"kind":null', '"kind":"round,round"'))
  altered('a comma with no kind after it', 'bundle-line 1', edit(1, '"kind":null', '"kind":"round,"'))
  altered('17 kinds', 'bundle-line 1', edit(1, '"kind":null', `"kind":"${[...'abcdefghijklmnopq'].join(',')}"`))
  altered('a time beyond 9998', 'bundle-line 1', edit(1, '"until":null', '"until":253370764800001'))
  altered('an unknown state', 'bundle-line 1', edit(1, '"state":null', '"state":"local"'))
}

function order(): void {
  altered('a second first line', 'bundle-order 2', repeat(1))
  altered('heads swapped', 'bundle-order 3', swap(2, 3))
  altered('a head twice', 'bundle-order 3', repeat(2))
  altered('a head after the forks', 'bundle-order 7', swap(6, 7))
  altered('a fork twice', 'bundle-order 8', repeat(7))
  altered('entries swapped', 'bundle-order 9', swap(8, 9))
  altered('an entry twice', 'bundle-order 10', repeat(9))
  altered('logs swapped', 'bundle-order 16', (lines) => lines.splice(15, 0, lines[7] as string))
  altered('an epoch', 'bundle-epoch 2', (lines) => lines.splice(1, 0, '{"epoch":"gA=="}\n'))
  altered('an epoch after a head', 'bundle-order 3', (lines) => lines.splice(2, 0, '{"epoch":"gA=="}\n'))
}

function foundings(): void {
  const founding = (name: string, bytes: Uint8Array) =>
    add(name, 'bundle-founding 1', utf8(linesOf(FIVE, [], {}, bytes).join('')))
  const [one, other] = [A.member, B.member] as [string, string]
  founding(
    'founders not sorted',
    rawFounding('x', [
      ['b', other],
      ['a', one],
    ]),
  )
  founding(
    'a founder twice',
    rawFounding('x', [
      ['a', one],
      ['b', one],
    ]),
  )
  founding('one founder', rawFounding('x', [['a', one]]))
  founding(
    'a short key',
    rawFounding('x', [
      ['a', one.slice(2)],
      ['b', other],
    ]),
  )
  founding(
    'no name',
    rawFounding('', [
      ['a', one],
      ['b', other],
    ]),
  )
  founding(
    'a name of two lines',
    rawFounding('x\ny', [
      ['a', one],
      ['b', other],
    ]),
  )
  founding(
    'a space before a name',
    rawFounding('x', [
      ['a', one],
      [' b', other],
    ]),
  )
  founding(
    'a name of 81 bytes',
    rawFounding('ü'.repeat(41), [
      ['a', one],
      ['b', other],
    ]),
  )
  founding(
    'a byte after the founding',
    concat([
      rawFounding('x', [
        ['a', one],
        ['b', other],
      ]),
      Uint8Array.of(0),
    ]),
  )
  founding('another version of the founding', encodeCbor([2, 'x', []]))
  founding('true for a version', encodeCbor([true, 'x', []]))
  const others = consortiumOf(4, 'Another')
  add('another root', 'bundle-root 1', utf8(GOOD.join('')), others.digest)
  add('another fingerprint', 'bundle-root 1', utf8(GOOD.join('')), fingerprint(others.digest))
}

function heads(): void {
  const log = logFor(A, 7)
  const head = headFor(FIVE, log, 7)
  const signed = (key: SigningKey, timeS = 1_790_000_000) => signCosignature(key, head.text, timeS)
  const part = (note: Uint8Array): BundlePart[] => [{ type: 'head', note }]
  const lines = (...notes: Uint8Array[]) =>
    notes.map((note) => fromUtf8(note).slice(fromUtf8(head.note).length)).join('')
  const join = (text: string) => part(utf8(fromUtf8(head.note) + text))
  const [byB, byC] = [B, C].map((key) => formatCosigned(head, [signed(key)])) as [Uint8Array, Uint8Array]
  made('a head of another consortium', 'bundle-head 2', [cosigned(consortiumOf(6), log, 7, [])])
  made('a head of a stranger', 'bundle-head 2', [cosigned(FIVE, logFor(STRANGER, 2), 2, [A])])
  made('a cosignature of a stranger', 'bundle-head 2', [cosigned(FIVE, log, 7, [B, STRANGER])])
  made('a cosignature twice', 'bundle-head 2', join(lines(byB, byB)))
  made('cosignatures not sorted', 'bundle-head 2', join(lines(byC, byB)))
  made('a head without its last newline', 'bundle-head 2', part(head.note.subarray(0, -1)))
  made('a head without a signature', 'bundle-head 2', part(utf8(`${head.text}\n`)))
  made('a line under a head that is none', 'bundle-head 2', join('hello\n'))
  altered('a size with a zero before', 'bundle-head 2', edit(2, '\\n7\\n', '\\n07\\n'))
  altered(
    'another key hash',
    'bundle-head 2',
    edit(2, /\\u2014 (\S+) .../, (x) => `${x.slice(0, -3)}AAA`),
  )
  altered('another name on a cosignature', 'bundle-head 2', edit(2, /(\\u2014.*\\u2014 consilium\/)e/, '$1f'))
  const later = { ...signed(B), timeS: 1_790_000_001 }
  made('another time on a cosignature', 'bundle-signature 2', part(formatCosigned(head, [later])))
  made('a time of zero', 'bundle-head 2', part(formatCosigned(head, [{ ...signed(B), timeS: 0 }])))
  const forged = formatNote(head.text, head.origin, A.member, B.sign(utf8(head.text)))
  made('a head signed by another', 'bundle-signature 2', part(forged))
  altered('another size under the signatures', 'bundle-signature 2', edit(2, '\\n7\\n', '\\n8\\n'))
  smallOrder()
}

/** A key of order 1, under which R of order 1 and S = 0 sign everything for whoever checks the equation alone. */
function smallOrder(): void {
  const key = `01${'0'.repeat(62)}` as MemberId
  const founders: [string, string][] = [
    ['a', key],
    ['b', A.member],
  ]
  const founding = rawFounding(
    'x',
    founders.sort((one, other) => compareIds(one[1], other[1])),
  )
  const digest = taggedDigest('founding', founding) as Digest
  const text = headText(originOf(digest, key), 1, new Uint8Array(32))
  const note = formatNote(text, originOf(digest, key), key, concat([fromHex(key), new Uint8Array(32)]))
  const name = 'a key that signs everything'
  add(name, 'bundle-signature 2', utf8(linesOf(FIVE, [{ type: 'head', note }], {}, founding).join('')))
  const own = headFor(FIVE, logFor(A, 1), 1)
  const stretched = { ...own, signature: own.signature.slice() }
  addOrder(stretched.signature)
  const twin = formatNote(own.text, own.origin, A.member, stretched.signature)
  made('a signature with S + L', 'bundle-signature 2', [{ type: 'head', note: twin }])
}

/** S + L in place of S: the same residue, another signature. */
function addOrder(signature: Uint8Array): void {
  const order = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
  let carry = 0
  for (const [i, byte] of order.entries()) {
    const sum = (signature[32 + i] as number) + byte + carry
    signature[32 + i] = sum & 0xff
    carry = sum >> 8
  }
}

function forks(): void {
  const log = logFor(A, 4)
  const [three, four] = [headFor(FIVE, log, 3), headFor(FIVE, log, 4)] as [Head, Head]
  const other = headFor(FIVE, logFor(A, 4, 'fork'), 4)
  const fork = (evidence: Uint8Array): BundlePart[] => [{ type: 'fork', evidence }]
  const pair = encodeFork(four.note, other.note)
  const [first, second] = [pair.subarray(4, 4 + four.note.length), pair.subarray(7 + four.note.length)]
  const forged = parseHead(formatNote(other.text, other.origin, A.member, B.sign(utf8(other.text))), null)
  made('one head twice', 'bundle-fork 2', fork(encodeFork(four.note, four.note)))
  made('heads of two sizes', 'bundle-fork 2', fork(encodeFork(four.note, three.note)))
  made('heads of two logs', 'bundle-fork 2', fork(encodeFork(four.note, headFor(FIVE, logFor(B, 4), 4).note)))
  made('notes in the wrong order', 'bundle-fork 2', fork(encodeCbor([second.slice(), first.slice()])))
  made('a forged note', 'bundle-fork 2', fork(encodeFork(four.note, forged.note)))
  made('one note', 'bundle-fork 2', fork(encodeCbor([four.note])))
  made(
    'a note with a cosignature',
    'bundle-fork 2',
    fork(encodeFork(four.note, formatCosigned(other, [signCosignature(B, other.text, 9)]))),
  )
  const strangers = ['main', 'fork'].map((label) => headFor(FIVE, logFor(STRANGER, 2, label), 2).note)
  made(
    'a fork of a stranger',
    'bundle-fork 2',
    fork(encodeFork(strangers[0] as Uint8Array, strangers[1] as Uint8Array)),
  )
  forksOfTwoSizes()
}

/** Heads over 3 and over 6 entries of two histories, with number 2 of each under it. */
function twoSizes() {
  const [log, other] = [logFor(A, 3), logFor(A, 6, 'fork')]
  const small = { head: headFor(FIVE, log, 3), ...leafUnder(log, 2, 3) }
  return { log, other, small, large: { head: headFor(FIVE, other, 6), ...leafUnder(other, 2, 6) } }
}

function leafUnder(log: Log, index: number, size: number): ForkLeaf {
  return { leaf: log.leaves[index] as Uint8Array, path: log.proof(index, size) }
}

/** Nothing is wrong with this one: evidence of two sizes alone, which shows that the histories differ within 3 entries. */
export function forkOfTwoSizes(): Uint8Array {
  const { small, large } = twoSizes()
  return utf8(linesOf(FIVE, [{ type: 'fork', evidence: encodeForkAt(2, small, large) }]).join(''))
}

function forksOfTwoSizes(): void {
  const { log, other, small, large } = twoSizes()
  const row = (name: string, index: number, one: typeof small, two: typeof large) =>
    made(name, 'bundle-fork 2', [{ type: 'fork', evidence: encodeForkAt(index, one, two) }])
  row('heads of two sizes, swapped', 2, large, small)
  row('another place than that of the leaves', 1, small, large)
  row('a place below zero', -1, small, large)
  row(
    'a place beyond the smaller head',
    3,
    { ...small, ...leafUnder(logFor(A, 4), 3, 4) },
    { ...large, ...leafUnder(other, 3, 6) },
  )
  row('one leaf under both heads', 2, { head: headFor(FIVE, other, 3), ...leafUnder(other, 2, 3) }, large)
  row('a forged path', 2, { ...small, path: log.proof(0, 3) }, large)
  row('a path without its end', 2, small, { ...large, path: large.path.slice(0, -1) })
  row('a path with more', 2, small, { ...large, path: [...large.path, new Uint8Array(32)] })
  row('a path with 31 bytes', 2, { ...small, path: small.path.map((hash) => hash.subarray(1)) }, large)
  row('a leaf of 31 bytes', 2, { ...small, leaf: small.leaf.subarray(1) }, large)
  row(
    'heads of one size and leaves',
    2,
    { head: headFor(FIVE, logFor(A, 6), 6), ...leafUnder(logFor(A, 6), 2, 6) },
    large,
  )
  const another = { head: headFor(FIVE, logFor(B, 6), 6), ...leafUnder(logFor(B, 6), 2, 6) }
  row('heads of two sizes of two logs', 2, small, another)
  const items: Cbor[] = [small.head.note, large.head.note, 2, small.leaf, small.path, large.leaf, large.path]
  const raw = (name: string, given: Cbor[]) =>
    made(name, 'bundle-fork 2', [{ type: 'fork', evidence: encodeCbor(given) }])
  raw('a fraction for a place', items.with(2, 1.5))
  raw('true for a place', items.with(2, true))
  raw('numbers in a path', items.with(4, [1]))
  raw('no path', items.with(4, null))
  raw('evidence with an item missing', items.slice(0, 6))
  raw('evidence with an item more', [...items, 0])
  raw('evidence of 7,000 bytes', [...items, new Uint8Array(6_200)])
}

function entries(): void {
  altered('a head that is not there', 'bundle-entry 8', edit(8, '"head":0', '"head":5'))
  altered("another log's head", 'bundle-entry 8', edit(8, '"head":0', '"head":1'))
  altered('another number', 'bundle-entry 11', edit(11, '"seq":6', '"seq":5'))
  altered('another head of the same log', 'bundle-proof 13', edit(13, '"head":2', '"head":1'))
  altered('a proof without its end', 'bundle-proof 8', edit(8, /,"[^"]*"\]/, ']'))
  altered('a proof with more', 'bundle-proof 8', edit(8, ']}}', `,"${'A'.repeat(43)}="]}}`))
  altered('no proof', 'bundle-proof 8', edit(8, /"proof":\[.*\]/, '"proof":[]'))
  altered('a short hash in a proof', 'bundle-proof 8', edit(8, /"proof":\["[^"]*"/, '"proof":["AAAA"'))
  altered('siblings swapped', 'bundle-proof 8', edit(8, /("[^"]*"),("[^"]*")(,"[^"]*")\]/, '$2,$1$3]'))
  const log = logFor(A, 7)
  const entry = (raw: Uint8Array): BundlePart[] => [cosigned(FIVE, log, 7, []), { ...entryFor(log, 0, 2, 7), raw }]
  const raw = log.raws[2] as Uint8Array
  made('a byte after an entry', 'bundle-entry 3', entry(concat([raw, Uint8Array.of(0)])))
  made('an entry that is nothing', 'bundle-entry 3', entry(new Uint8Array()))
  made(
    'a changed body',
    'bundle-body 3',
    entry(concat([raw.subarray(0, -1), Uint8Array.of((raw.at(-1) as number) ^ 1)])),
  )
  const late = { ...entryFor(log, 0, 6, 7), type: 'entry' } as const
  made('an entry beyond its head', 'bundle-proof 3', [cosigned(FIVE, log, 5, []), late])
  made('an entry of a branch', 'bundle-proof 3', [cosigned(FIVE, log, 7, []), entryFor(logFor(A, 7, 'fork'), 0, 2, 7)])
}

/** What an author can sign, and no verifier may take. */
function chains(): void {
  const crafted = (name: string, expected: string, crafts: readonly Craft[], seqs: readonly number[]) => {
    const log: Log = craftedLog(A, crafts)
    made(name, expected, [
      cosigned(FIVE, log, crafts.length, othersThan(FIVE, log)),
      ...seqs.map((seq) => entryFor(log, 0, seq, crafts.length)),
    ])
  }
  crafted('another hash of the entry before', 'bundle-link 4', [{}, {}, { prev: new Uint8Array(32).fill(7) }], [1, 2])
  crafted('a Lamport time that stands', 'bundle-lamport 4', [{}, { lamport: 10 }], [0, 1])
  crafted('a Lamport time that falls over a gap', 'bundle-lamport 4', [{}, {}, { lamport: 11 }], [0, 2])
  crafted('a Lamport time that leaps', 'bundle-lamport 4', [{}, { lamport: 11 + 2 ** 32 }], [0, 1])
  crafted('a Lamport time below its number', 'bundle-lamport 3', [{}, {}, { lamport: 2 }], [2])
  crafted('a first entry that names one before', 'bundle-entry 3', [{ prev: new Uint8Array(32).fill(7) }], [0])
  crafted('a header with a byte more', 'bundle-entry 3', [{ more: Uint8Array.of(0) }], [0])
  crafted('a body that is no map', 'bundle-entry 3', [{ content: encodeCbor([1]) }], [0])
  for (const [name, hex] of Object.entries(BODIES))
    crafted(`a body with ${name}`, 'bundle-entry 3', [{ content: fromHex(hex) }], [0])
}

function filters(): void {
  const log = logFor(A, 4)
  const parts = [cosigned(FIVE, log, 4, []), entryFor(log, 0, 1, 4), entryFor(log, 0, 2, 4), entryFor(log, 0, 3, 4)]
  made("another member's entry", 'bundle-filter 3', parts, { members: [B.member] })
  made('another kind', 'bundle-filter 3', parts, { kind: 'round.merged' })
  made('a kind that only begins with the same letters', 'bundle-filter 3', parts, { kind: 'round.train' })
  made('another kind than several', 'bundle-filter 3', parts, { kind: 'consent.recorded,round.merged' })
  made('no study', 'bundle-filter 5', parts, { study: STUDY })
  made('an entry too early', 'bundle-filter 3', parts, { sinceMs: 1_790_000_001_008 })
  made('an entry too late', 'bundle-filter 5', parts, { untilMs: 1_790_000_000_000 + 3 * 1_007 })
  made('a pending entry', 'bundle-filter 3', parts, { state: 'final' })
  made('an entry that is not disputed', 'bundle-filter 3', parts, { state: 'disputed' })
}

function ends(): void {
  altered('heads miscounted', 'bundle-count 17', edit(17, '"heads":5', '"heads":4'))
  altered('forks miscounted', 'bundle-count 17', edit(17, '"forks":1', '"forks":0'))
  altered('an entry taken out', 'bundle-count 16', (lines) => lines.splice(10, 1))
  altered(
    'another digest',
    'bundle-digest 17',
    edit(17, /"digest":"./, (x) => `${x.slice(0, -1)}${x.endsWith('0') ? 1 : 0}`),
    false,
  )
  altered('another exporter, not sealed', 'bundle-digest 17', edit(1, A.member, B.member), false)
  altered('a line after the end', 'bundle-trailing 18', (lines) => lines.push('\n'), false)
  altered('a second end', 'bundle-trailing 18', (lines) => lines.push(lines.at(-1) as string), false)
  altered('bytes after the end', 'bundle-trailing 18', (lines) => lines.push('x'), false)
}
