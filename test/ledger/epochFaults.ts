/**
 * Bundles with changes of membership: those that every verifier takes, and what can be wrong with one, as rows of the fault table. Four
 * founders; Eve joins, Ben gets a new key, Dan leaves.
 */
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import { compareIds, type Digest, type MemberId } from '../../src/core/ids.ts'
import type { BundlePart } from '../../src/ledger/bundle.ts'
import { type Epoch, epochContent, epochZero, Membership, readEpoch } from '../../src/ledger/epoch.ts'
import { encodeFork } from '../../src/ledger/fork.ts'
import { type Founding, foundingDigest } from '../../src/ledger/founding.ts'
import type { Pin } from '../../src/ledger/membership.ts'
import { type Consortium, cosigned, entryFor, headFor, type Log, linesOf, logFor, resealed } from './bundleKit.ts'
import { type Person, person, rowsOf, signed } from './epochKit.ts'

const people = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Fay', 'Gus'].map((name) => person(name))
const [ADA, BEN, CLEO, DAN, EVE, FAY, GUS] = people as [Person, Person, Person, Person, Person, Person, Person]
const BEN_ANEW = person('Ben', 'a new key of Ben')
const FOUNDERS = [ADA, BEN, CLEO, DAN]
const FOUNDING: Founding = { name: 'Clinics of the tests', members: rowsOf(FOUNDERS) }

/** Its keys are the founders'. */
export const CLINICS: Consortium = {
  founding: FOUNDING,
  digest: foundingDigest(FOUNDING),
  keys: FOUNDERS.map(({ key }) => key),
}
const ZERO = epochZero(FOUNDING)
const LOGS = new Map([...people, BEN_ANEW].map(({ key }) => [key.member, logFor(key, 9)]))
const logOf = ({ key }: Person): Log => LOGS.get(key.member) as Log
const pinOf = (who: Person, size: number): Pin => {
  return { author: who.key.member, size, root: toHex(logOf(who).root(size)) as Digest }
}

const membership = new Membership(FOUNDING)
function change(members: readonly Person[], signers: readonly Person[], ...pins: Pin[]): Uint8Array {
  const record = signed(epochContent(membership.current, rowsOf(members), pins), membership.current, signers)
  membership.add(record)
  return record
}
const FIVE = [ADA, BEN, CLEO, DAN, EVE]
const ANEW = [ADA, BEN_ANEW, CLEO, DAN, EVE]
const FOUR = [ADA, BEN_ANEW, CLEO, EVE]
/** 3 of the four and 4 of the five are needed, then 4 of either five, then 4 of the five and 3 of the four. */
export const RECORDS = [
  change(FIVE, [ADA, BEN, CLEO, EVE], pinOf(ADA, 3), pinOf(BEN, 2), pinOf(DAN, 4)),
  change(ANEW, [ADA, CLEO, DAN, EVE], pinOf(ADA, 5), pinOf(BEN, 5), pinOf(EVE, 2)),
  change(FOUR, [ADA, BEN_ANEW, CLEO, DAN], pinOf(BEN_ANEW, 1), pinOf(DAN, 6)),
] as const
const [FIRST, SECOND, THIRD] = RECORDS
const ONE = membership.epochs[1] as Epoch

/** One head: whose, of how many entries, of which history, and who cosigned. */
type HeadRow = readonly [who: Person, size: number, witnesses: readonly Person[], log?: Log]

function partsOf(
  records: readonly Uint8Array[],
  heads: readonly HeadRow[],
  rest: readonly BundlePart[] = [],
): BundlePart[] {
  const epochs = records.map((record) => ({ type: 'epoch', record }) as const)
  const keys = (witnesses: readonly Person[]): SigningKey[] => witnesses.map(({ key }) => key)
  return [
    ...epochs,
    ...inOrder(heads).map(([who, size, witnesses, log]) => cosigned(CLINICS, log ?? logOf(who), size, keys(witnesses))),
    ...rest,
  ]
}

const inOrder = (heads: readonly HeadRow[]): HeadRow[] =>
  [...heads].sort((a, b) => compareIds(a[0].key.member, b[0].key.member) || a[1] - b[1])

/** Entries, each `[who, seq, size of the head that it is proven under]`, and the heads themselves. */
function bundleOf(
  records: readonly Uint8Array[],
  heads: readonly HeadRow[],
  entries: readonly (readonly [Person, number, number])[],
  forks: readonly BundlePart[] = [],
): string[] {
  const sorted = inOrder(heads)
  const lines = [...entries]
    .sort((a, b) => compareIds(a[0].key.member, b[0].key.member) || a[1] - b[1])
    .map(([who, seq, size]) => {
      const head = sorted.findIndex((row) => row[0] === who && row[1] === size)
      return entryFor(logOf(who), head, seq, size)
    })
  return linesOf(CLINICS, partsOf(records, heads, [...forks, ...lines]))
}

const rewritten = (who: Person, size: number): Log => logFor(who.key, size, 'rewritten')
/** Dan's two histories, the shorter of which the third epoch pins. */
const FORK: BundlePart = {
  type: 'fork',
  evidence: encodeFork(headFor(CLINICS, logOf(DAN), 7).note, headFor(CLINICS, rewritten(DAN, 7), 7).note),
}
const HEADS: readonly HeadRow[] = [
  [ADA, 9, [BEN_ANEW, CLEO]],
  [BEN, 5, []],
  [BEN_ANEW, 3, [CLEO]],
  [DAN, 6, [ADA, EVE]],
  [EVE, 2, []],
  [EVE, 7, [ADA, CLEO]],
]

/**
 * After all three epochs: Ada final with three of four, Ben's old log final by its pin and the new one pending, Dan's final by its pin
 * though two of five have cosigned, Eve's final at its pin and beyond.
 */
export const EPOCHS_GOOD: readonly string[] = bundleOf(
  RECORDS,
  HEADS,
  [
    [ADA, 0, 9],
    [ADA, 8, 9],
    [BEN, 4, 5],
    [BEN_ANEW, 0, 3],
    [DAN, 0, 6],
    [DAN, 5, 6],
    [EVE, 1, 2],
    [EVE, 2, 7],
  ],
  [FORK],
)

const OBSERVED = rowsOf(FIVE).map((one) => (one.name === 'Eve' ? { ...one, observer: true as const } : one))
/** Eve comes as an observer, and Fay after her. */
const AS_OBSERVER = signed(epochContent(ZERO, OBSERVED, []), ZERO, [ADA, BEN, CLEO, EVE])
const WITH_OBSERVER = readEpoch(content(AS_OBSERVER), ZERO)
const AFTER_OBSERVER = signed(
  epochContent(WITH_OBSERVER, [...OBSERVED, { name: 'Fay', key: FAY.key.member }], [pinOf(EVE, 1)]),
  WITH_OBSERVER,
  [...FIVE, FAY],
)

const textOf = (lines: readonly string[]): Uint8Array => utf8(lines.join(''))
const first = (twist: { says: number }): Uint8Array =>
  signed(epochContent(ZERO, rowsOf(FIVE), []), ZERO, [ADA, BEN, CLEO, EVE], twist)

/** Nothing is wrong with these. */
export const EPOCH_BUNDLES: Readonly<Record<string, Uint8Array>> = {
  'three epochs': textOf(EPOCHS_GOOD),
  'an observer, who cosigns and has a log': textOf(
    bundleOf(
      [AS_OBSERVER, AFTER_OBSERVER],
      [
        [EVE, 2, [ADA, BEN, CLEO]],
        [ADA, 3, [BEN, CLEO, DAN, EVE]],
      ],
      [[EVE, 1, 2]],
    ),
  ),
  'epochs alone': textOf(bundleOf(RECORDS, [], [])),
  'the epoch in which its author came': textOf(bundleOf([FIRST], [[EVE, 2, [ADA, BEN, CLEO]]], [[EVE, 1, 2]])),
  'a head beyond the pins that are known': textOf(bundleOf([FIRST], [[DAN, 7, [ADA]]], [])),
  'a head that an epoch to come pins, before it': textOf(bundleOf([], [[DAN, 4, [ADA, BEN]]], [])),
  ...Object.fromEntries(
    [0, 23, 24, 255, 256, 65_535, 65_536, 1_000_000].map((says) => [
      `round ${says}`,
      textOf(bundleOf([first({ says })], [], [])),
    ]),
  ),
}

export interface EpochFault {
  readonly name: string
  readonly expected: string
  readonly bytes: Uint8Array
  readonly root: string | null
}
const rows: EpochFault[] = []
const add = (name: string, expected: string, lines: readonly string[], root: string | null = null) =>
  rows.push({ name, expected, bytes: textOf(lines), root })
const epochs = (name: string, expected: string, ...records: Uint8Array[]) =>
  add(name, expected, bundleOf(records, [], []))
const head = (name: string, expected: string, row: HeadRow, records: readonly Uint8Array[] = RECORDS) =>
  add(name, `${expected} ${2 + records.length}`, bundleOf(records, [row], []))

walk()
signatures()
contents()
roles()
pins()
heads()

export const EPOCH_FAULTS: readonly EpochFault[] = rows

function walk(): void {
  epochs('the first epoch missing', 'bundle-epoch 2', SECOND, THIRD)
  epochs('an epoch skipped', 'bundle-epoch 3', FIRST, THIRD)
  epochs('epochs swapped', 'bundle-epoch 2', SECOND, FIRST, THIRD)
  epochs('the last epochs swapped', 'bundle-epoch 3', FIRST, THIRD, SECOND)
  epochs('an epoch twice', 'bundle-epoch 4', FIRST, SECOND, SECOND)
  const others = epochZero({ name: 'Others', members: rowsOf(FOUNDERS) })
  epochs("another consortium's epoch", 'bundle-epoch 2', signed(epochContent(others, rowsOf(FIVE), []), others, FIVE))
  const branch = signed(epochContent(ZERO, rowsOf([...FOUNDERS, FAY]), []), ZERO, [...FOUNDERS, FAY])
  epochs('an epoch after another first one', 'bundle-epoch 3', branch, SECOND)
  const late = [...EPOCHS_GOOD]
  late.splice(4, 0, ...late.splice(3, 1).concat(late.splice(3, 1)).reverse())
  add('the last epoch after a head', 'bundle-order 5', resealed(late))
  const changed = [...EPOCHS_GOOD]
  changed[3] = bundleOf([signed(content(THIRD), membership.epochs[2] as Epoch, ANEW)], [], [])[1] as string
  add('an epoch with other signatures, not sealed', 'bundle-digest 20', changed)
  add('epochs under another root', 'bundle-root 1', EPOCHS_GOOD, '0'.repeat(64))
}

function content(record: Uint8Array): Uint8Array {
  return (decodeCbor(record, 1_000_000) as [Uint8Array])[0]
}

/** A record with something else in one of its three places. */
function altered(record: Uint8Array, place: number, value: (given: Cbor) => Cbor): Uint8Array {
  const items = decodeCbor(record, 1_000_000) as Cbor[]
  return encodeCbor(items.with(place, value(items[place] as Cbor)))
}

function signatures(): void {
  const many = epochContent(ZERO, rowsOf([ADA, EVE, FAY, GUS]), [])
  const row = (name: string, record: Uint8Array) => epochs(name, 'bundle-epoch 2', record)
  row('two of the four before', signed(many, ZERO, [ADA, BEN, EVE, FAY, GUS]))
  row('two of the four after', signed(many, ZERO, [ADA, BEN, CLEO, DAN, EVE]))
  row('all after, few before', signed(many, ZERO, [ADA, EVE, FAY, GUS]))
  row('no signature', signed(many, ZERO, []))
  row('a stranger signed too', signed(content(FIRST), ZERO, [...FIVE, GUS]))
  row('votes of another slot', signed(content(FIRST), ZERO, FIVE, { slot: 2 }))
  row('votes of another round', signed(content(FIRST), ZERO, FIVE, { round: 3 }))
  row('prepare votes', signed(content(FIRST), ZERO, FIVE, { phase: 'prepare' }))
  row('votes in another consortium', signed(content(FIRST), ZERO, FIVE, { founding: toHex(sha256()) as Digest }))
  row('a round beyond all', signed(content(FIRST), ZERO, FIVE, { says: 1_000_001 }))
  for (const at of [0, 1, 2, 3])
    row(
      `signature ${at} forged`,
      altered(FIRST, 2, (given) => {
        const list = given as [Uint8Array, Uint8Array][]
        const [key] = list[at] as [Uint8Array, Uint8Array]
        return list.with(at, [key, (list[(at + 1) % 4] as [Uint8Array, Uint8Array])[1]])
      }),
    )
  const list = (change: (given: Cbor[]) => Cbor) => altered(FIRST, 2, (given) => change([...(given as Cbor[])]))
  row(
    'signatures not sorted',
    list((given) => given.reverse()),
  )
  row(
    'one signs twice',
    list((given) => [given[0] as Cbor, ...given]),
  )
  row(
    'a signature of 63 bytes',
    list(([one, ...rest]) => [[(one as Cbor[])[0] as Cbor, new Uint8Array(63)], ...rest]),
  )
  row(
    'a signature without its key',
    list(([one, ...rest]) => [[(one as Cbor[])[1] as Cbor], ...rest]),
  )
  row(
    'no list of signatures',
    altered(FIRST, 2, () => null),
  )
  row(
    'a negative round',
    altered(FIRST, 1, () => -1),
  )
  row('a record of two items', encodeCbor((decodeCbor(FIRST) as Cbor[]).slice(0, 2)))
  row('a record of four items', encodeCbor([...(decodeCbor(FIRST) as Cbor[]), 0]))
  row('a byte after a record', new Uint8Array([...FIRST, 0]))
  row('nothing for a record', new Uint8Array())
}

/** Content that is signed by everybody, and still can't be. */
function contents(): void {
  const good = decodeCbor(content(FIRST)) as Cbor[]
  const row = (name: string, bytes: Uint8Array, signers: readonly Person[] = FIVE) =>
    epochs(name, 'bundle-epoch 2', signed(bytes, ZERO, signers))
  const field = (name: string, at: number, value: Cbor) => row(name, encodeCbor(good.with(at, value)))
  const names = (given: readonly Person[]): Cbor[] => rowsOf(given).map(({ name, key }) => [name, fromHex(key)])
  field('another version of an epoch', 0, 3)
  field('true for the version of an epoch', 0, true)
  field('number 2 for the first epoch', 1, 2)
  field('number 0 for the first epoch', 1, 0)
  field('an epoch after nothing', 2, new Uint8Array(32))
  field('members not sorted', 3, names(FIVE).reverse())
  field('a member twice', 3, [names(FIVE)[0] as Cbor, ...names(FIVE)])
  field('one member', 3, names([ADA]))
  field('two members of one name', 3, names([...FOUNDERS, { ...EVE, name: 'Ada' }]))
  field('a name with a space before it', 3, names([...FOUNDERS, { ...EVE, name: ' Eve' }]))
  field('no name at all', 3, names([...FOUNDERS, { ...EVE, name: '' }]))
  field(
    'a member without a name',
    3,
    names(FIVE).map((one) => [(one as Cbor[])[1] as Cbor]),
  )
  field('no list of members', 3, {})
  row('an epoch of six items', encodeCbor([...good, 0]))
  row('an epoch that is nothing', new Uint8Array())
  const keyed = (key: string): Cbor =>
    [...FOUNDERS.map((one) => [one.name, one.key.member] as const), ['Eve', key] as const]
      .sort((a, b) => compareIds(a[1] as MemberId, b[1] as MemberId))
      .map(([name, member]) => [name, fromHex(member)])
  const unsound = {
    'of order 1': `01${'0'.repeat(62)}`,
    'of no point': `02${'0'.repeat(62)}`,
    'of mixed order': mixed(EVE),
  }
  for (const [name, key] of Object.entries(unsound))
    row(`a new key ${name}`, encodeCbor(good.with(3, keyed(key))), FOUNDERS)
}

function roles(): void {
  const good = decodeCbor(content(AS_OBSERVER)) as Cbor[]
  const members = good[3] as Cbor[][]
  const row = (name: string, version: number, list: Cbor) =>
    epochs(name, 'bundle-epoch 2', signed(encodeCbor(good.with(0, version).with(3, list)), ZERO, FIVE))
  const as = (role: (was: Cbor) => Cbor[]): Cbor =>
    members.map(([name, key, was]) => [name as Cbor, key as Cbor, ...role(was as Cbor)])
  row(
    'version 2 where all are hospitals',
    2,
    as(() => [0]),
  )
  row(
    'version 2 without roles',
    2,
    as(() => []),
  )
  row(
    'version 1 with roles',
    1,
    as((was) => [was]),
  )
  row(
    'version 3',
    3,
    as((was) => [was]),
  )
  row(
    'a role of 2',
    2,
    as((was) => [was === 1 ? 2 : 0]),
  )
  row(
    'a role of true',
    2,
    as((was) => [was === 1]),
  )
  row(
    'a row of four',
    2,
    as((was) => [was, 0]),
  )
  row(
    'a founder turned observer',
    2,
    as((was) => [was === 1 ? 0 : 1]),
  )
  const after = decodeCbor(content(AFTER_OBSERVER)) as Cbor[]
  const turned = (after[3] as Cbor[][]).map(([name, key]) => [name as Cbor, key as Cbor])
  const record = signed(encodeCbor(after.with(0, 1).with(3, turned)), WITH_OBSERVER, [...FIVE, FAY])
  epochs('an observer turned hospital', 'bundle-epoch 3', AS_OBSERVER, record)
}

/** A key plus the point of order 2: (x, y) + (0, −1) = (−x, −y). Libraries disagree on what it signs. */
function mixed({ key }: Person): string {
  const little = BigInt(`0x${toHex(fromHex(key.member).reverse())}`)
  const y = 2n ** 255n - 19n - (little & (2n ** 255n - 1n))
  const turned = y | (((little >> 255n) ^ 1n) << 255n)
  return toHex(fromHex(turned.toString(16).padStart(64, '0')).reverse())
}

function pins(): void {
  const good = decodeCbor(content(SECOND)) as Cbor[]
  const given = good[4] as (readonly [Uint8Array, number, Uint8Array])[]
  const row = (name: string, list: Cbor) =>
    epochs(name, 'bundle-epoch 3', FIRST, signed(encodeCbor(good.with(4, list)), ONE, ANEW))
  const but = (who: Person, size: number, hash: Uint8Array): Cbor =>
    given.map(([author, ...rest]) => (toHex(author) === who.key.member ? [author, size, hash] : [author, ...rest]))
  const extra: Cbor = [fromHex(FAY.key.member), 0, new Uint8Array(32)]
  row('a pin that goes back', but(ADA, 2, logOf(ADA).root(2)))
  row('a pin rewritten where it stands', but(ADA, 3, rewritten(ADA, 3).root(3)))
  row('an empty log with a root', but(CLEO, 0, logOf(CLEO).root(1)))
  row('a log with a root of zeros', but(ADA, 5, new Uint8Array(32)))
  row('a size below zero', but(CLEO, -1, new Uint8Array(32)))
  row('a root of 31 bytes', but(ADA, 5, logOf(ADA).root(5).subarray(1)))
  row('a log without a pin', given.slice(1))
  row(
    'a pin of a stranger',
    [...given, extra].sort((a, b) =>
      Buffer.compare((a as Uint8Array[])[0] as Uint8Array, (b as Uint8Array[])[0] as Uint8Array),
    ) as Cbor,
  )
  row('pins not sorted', [...given].reverse())
  row('a pin twice', [given[0] as Cbor, ...given])
  row('no list of pins', null)
  const third = decodeCbor(content(THIRD)) as Cbor[]
  const grown = (third[4] as (readonly [Uint8Array, number, Uint8Array])[]).map(([author, ...rest]) =>
    toHex(author) === BEN.key.member ? [author, 6, logOf(BEN).root(6)] : [author, ...rest],
  )
  const record = signed(encodeCbor(third.with(4, grown)), membership.epochs[2] as Epoch, ANEW)
  epochs('more by a key that was replaced', 'bundle-epoch 4', FIRST, SECOND, record)
}

function heads(): void {
  head('a former member goes on', 'bundle-head', [DAN, 7, [ADA, CLEO, EVE]])
  head('a replaced key goes on', 'bundle-head', [BEN, 6, []])
  head('somebody who never came', 'bundle-head', [FAY, 1, [ADA]])
  head('a newcomer without its epoch', 'bundle-head', [EVE, 2, [ADA, BEN, CLEO]], [])
  head('a new key without its epoch', 'bundle-head', [BEN_ANEW, 3, []], [FIRST])
  head('cosigned by who has left', 'bundle-head', [ADA, 9, [CLEO, DAN]])
  head('cosigned by who had not come yet', 'bundle-head', [ADA, 3, [CLEO, EVE]])
  head('the pin cosigned by who had left before', 'bundle-head', [DAN, 6, [ADA, BEN]])
  head('a head below the pin', 'bundle-pin', [ADA, 4, []])
  head('a head at an older pin', 'bundle-pin', [ADA, 3, FOUNDERS.slice(1)])
  head('a head of a former member below its pin', 'bundle-pin', [DAN, 4, [ADA, BEN, CLEO]])
  head('the pin with another root', 'bundle-pin', [DAN, 6, ANEW.filter((one) => one !== DAN), rewritten(DAN, 6)])
  head('another history below the pin', 'bundle-pin', [DAN, 3, [ADA, BEN, CLEO], rewritten(DAN, 3)])
  head('the pin signed by another', 'bundle-signature', [
    DAN,
    6,
    [],
    { ...logOf(DAN), key: { ...EVE.key, member: DAN.key.member } },
  ])
  const fork: BundlePart = {
    type: 'fork',
    evidence: encodeFork(headFor(CLINICS, logOf(EVE), 2).note, headFor(CLINICS, rewritten(EVE, 2), 2).note),
  }
  add('a fork of a newcomer without its epoch', 'bundle-fork 2', bundleOf([], [], [], [fork]))
}
