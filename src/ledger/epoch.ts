/**
 * Epochs of a consortium's membership: each record names all members, pins every log that exists, and is signed by quorums of the
 * members before and after it. Who knows the founding and every record since needs to trust nobody for the rest.
 */
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { checkPublicKey } from '../core/ed25519.ts'
import { ConsiliumError, invariant, messageOf } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import {
  checkName,
  type Founding,
  foundingDigest,
  type Member,
  memberOfRow,
  memberRows,
  membersVersion,
  quorum,
  rolesFault,
} from './founding.ts'
import { type Pin, Roll, type RollCall } from './membership.ts'
import {
  type Certificate,
  MESSAGE_BYTES_MAX,
  openCertificate,
  type SlotRules,
  VALUE_BYTES_MAX,
  type Value,
} from './slotMessage.ts'
import { jointQuorum, memberQuorum, ROUND_MAX, signaturesFromCbor, signaturesToCbor } from './vote.ts'

/** One membership: epoch 0 is the founding, every other was decided in the decision slot of its number. */
export interface Epoch {
  readonly founding: Digest
  readonly number: number
  /** That of the content; the founding's digest for epoch 0. The next epoch names it. */
  readonly digest: Digest
  /** Sorted by key. */
  readonly members: readonly Member[]
  /** Signatures of members that make a head final. */
  readonly k: number
  /** One for each author that has ever been a member before this epoch, sorted by author; none in epoch 0. */
  readonly pins: ReadonlyMap<MemberId, Pin>
  /** Members now and before who are observers: a key keeps its role. */
  readonly observers: ReadonlySet<MemberId>
}

const PINS_MAX = 4 * LIMITS.membersMax // every place handed on three times over
const NO_ROOT = '0'.repeat(64) as Digest
export const RECORD_BYTES_MAX = MESSAGE_BYTES_MAX // content and signatures, as in a certificate

/** Epoch 0. */
export function epochZero(founding: Founding): Epoch {
  const digest = foundingDigest(founding)
  const { members } = founding
  const observers = observersAmong(members)
  return { founding: digest, number: 0, digest, members, k: quorum(members.length), pins: new Map(), observers }
}

/**
 * The content of the epoch after `before`: CBOR of [1, number, digest before, [[name, key], …], [[author, size, root], …]], or with 2 and
 * [name, key, role] where one of the members is an observer. `heads` are the members' logs as they stand; those that are not named stay where they were. Errors: those of `readEpoch`, for what a person asked for.
 */
export function epochContent(before: Epoch, members: readonly Member[], heads: readonly Pin[]): Uint8Array {
  const given = new Map(heads.map((head) => [head.author, head]))
  const pins = pinnedAuthors(before).map((author) => given.get(author) ?? pinOf(before, author))
  const rows = [...members].sort((a, b) => compareIds(a.key, b.key))
  const content = encodeCbor([
    membersVersion(rows),
    before.number + 1,
    fromHex(before.digest),
    memberRows(rows),
    pins.map(({ author, size, root }) => [fromHex(author), size, fromHex(root)]),
  ])
  readEpoch(content, before)
  return content
}

/**
 * The epoch that `content` would begin after `before`; no signature is needed yet. Errors: `epoch-malformed`, `epoch-skipped`,
 * `epoch-previous`, `epoch-members`, `epoch-pins`, `key-unsound`, those of `decodeCbor`; all blame the sender.
 */
export function readEpoch(content: Uint8Array, before: Epoch): Epoch {
  const [version, number, previous, rows, pinRows, ...rest] = items(decodeCbor(content, VALUE_BYTES_MAX))
  if ((version !== 1 && version !== 2) || !isSize(number) || rest.length > 0 || !isBytes(previous, 32))
    throw refused('epoch-malformed', 'not [1 or 2, number, previous, members, heads]')
  if (number !== before.number + 1)
    throw refused(
      'epoch-skipped',
      `it is number ${number}, number ${before.number + 1} comes next: walk every epoch in order`,
    )
  if (toHex(previous) !== before.digest)
    throw refused('epoch-previous', `it follows ${toHex(previous).slice(0, 16)}…, not ${before.digest.slice(0, 16)}…`)
  const members = membersFrom(rows, version, before)
  const pins = pinsFrom(pinRows, before)
  const digest = taggedDigest('epoch', content)
  const observers = new Set([...before.observers, ...observersAmong(members)])
  return { founding: before.founding, number, digest, members, k: quorum(members.length), pins, observers }
}

/** The decision slot in which the epoch after `before` is decided: the old members take turns, and each value wants its new ones too. */
export function epochSlot(before: Epoch): SlotRules {
  const old = keysOf(before)
  const read = (content: Uint8Array): Value | null => {
    try {
      const epoch = readEpoch(content, before)
      return { digest: epoch.digest, content, quorum: jointQuorum(old, keysOf(epoch)) }
    } catch (error) {
      if (error instanceof ConsiliumError) return null
      throw error
    }
  }
  return { founding: before.founding, number: before.number + 1, members: memberQuorum(old), read }
}

/** The record of a decided epoch: CBOR of [content, round, [[key, signature], …]]. */
export function encodeEpoch({ phase, round, value, signatures }: Certificate): Uint8Array {
  invariant(phase === 'commit', 'only commit votes make an epoch')
  return encodeCbor([value.content, round, signaturesToCbor(signatures)])
}

/** The number that a record's epoch claims; nothing else of it is checked. Errors: `epoch-malformed`, those of `decodeCbor`; all blame the sender. */
export function epochNumberOf(record: Uint8Array): number {
  const [content] = items(decodeCbor(record, RECORD_BYTES_MAX))
  const [, number] = content instanceof Uint8Array ? items(decodeCbor(content, VALUE_BYTES_MAX)) : []
  if (!isSize(number)) throw refused('epoch-malformed', 'not [[1, number, …], …]')
  return number
}

/**
 * Checks a record against the epoch before it, signatures last. Errors: `epoch-malformed`, `epoch-quorum`, `epoch-signature`, those of
 * `readEpoch`; all blame the sender.
 */
export function openEpoch(record: Uint8Array, before: Epoch): Epoch {
  const [content, round, rows, ...rest] = items(decodeCbor(record, RECORD_BYTES_MAX))
  const signatures = signaturesFromCbor(rows)
  if (!(content instanceof Uint8Array) || !isSize(round) || round > ROUND_MAX || signatures === null || rest.length > 0)
    throw refused('epoch-malformed', 'not [content, round, signatures sorted by key]')
  const epoch = readEpoch(content, before)
  const joint = jointQuorum(keysOf(before), keysOf(epoch))
  const value = { digest: epoch.digest, content, quorum: joint }
  try {
    openCertificate({ phase: 'commit', round, value, signatures }, before.founding, epoch.number)
  } catch (error) {
    if (!(error instanceof ConsiliumError)) throw error
    throw refused(error.code === 'slot-signature' ? 'epoch-signature' : 'epoch-quorum', messageOf(error))
  }
  return epoch
}

/** The epoch as a roll has it. */
export function rollCall(epoch: Epoch): RollCall {
  const { number, observers, pins } = epoch
  const told = observers.size === 0 ? {} : { observers: [...observers].sort(compareIds) }
  return { number, members: keysOf(epoch), pins: [...pins.values()], ...told }
}

/** The walk from the founding to the newest epoch that is known. */
export class Membership {
  /** By number, from 0. */
  readonly epochs: readonly Epoch[]
  /** As they were decided: those of epochs 1, 2, … */
  readonly records: readonly Uint8Array[]
  /** What the others ask who takes part; the same object for good. */
  readonly roll: Roll
  readonly #epochs: Epoch[]
  readonly #records: Uint8Array[] = []

  /** `records` are those of epochs 1, 2, …, in order. Errors: those of `openEpoch`. */
  constructor(founding: Founding, records: Iterable<Uint8Array> = []) {
    const first = epochZero(founding)
    this.#epochs = [first]
    this.epochs = this.#epochs
    this.records = this.#records
    this.roll = new Roll([rollCall(first)])
    for (const record of records) this.add(record)
  }

  get current(): Epoch {
    return this.#epochs[this.#epochs.length - 1] as Epoch
  }

  /** Goes on to the next epoch. Errors: those of `openEpoch`; nothing changes then. */
  add(record: Uint8Array): Epoch {
    const epoch = openEpoch(record, this.current)
    this.#epochs.push(epoch)
    this.#records.push(record)
    this.roll.begin(rollCall(epoch))
    return epoch
  }

  /** The name that a member has now, or had last; undefined for a key that never took part. */
  nameOf(member: MemberId): string | undefined {
    for (const { members } of [...this.#epochs].reverse()) {
      const found = members.find(({ key }) => key === member)
      if (found !== undefined) return found.name
    }
    return undefined
  }
}

function membersFrom(rows: Cbor | undefined, version: 1 | 2, before: Epoch): Member[] {
  if (!Array.isArray(rows)) throw refused('epoch-malformed', 'members are no array')
  if (rows.length < 2 || rows.length > LIMITS.membersMax)
    throw refused('epoch-members', `${rows.length} members, 2 to ${LIMITS.membersMax} are expected`)
  const members = rows.map((row) => memberFrom(row, version))
  if (!isSorted(members.map(({ key }) => key)))
    throw refused('epoch-members', 'members are not sorted by key, or one comes twice')
  const names = new Set(members.map(({ name }) => name))
  if (names.size < members.length) throw refused('epoch-members', 'two members have the same name')
  const fault = rolesFault(members, version)
  if (fault !== null) throw refused('epoch-members', fault)
  const known = new Set(keysOf(before))
  for (const { name, key, observer } of members) {
    const took = known.has(key) || before.pins.has(key)
    if (took && before.observers.has(key) !== (observer === true))
      throw refused('epoch-members', `"${name}" had another role with this key: a role comes with a new key`)
    if (!known.has(key)) checkPublicKey(key)
  }
  return members
}

function memberFrom(row: Cbor, version: 1 | 2): Member {
  const member = memberOfRow(row, version)
  if (member === null)
    throw refused('epoch-malformed', 'a member is not [name, key], or with its role from version 2 on')
  try {
    return { ...member, name: checkName(member.name, 'member') }
  } catch (error) {
    throw refused('epoch-members', messageOf(error))
  }
}

/** Every log is pinned, none goes backwards or is rewritten where it stands, and those of former members stay where they are. */
function pinsFrom(rows: Cbor | undefined, before: Epoch): Map<MemberId, Pin> {
  if (!Array.isArray(rows)) throw refused('epoch-malformed', 'heads are no array')
  const authors = pinnedAuthors(before)
  const writers = new Set(keysOf(before))
  if (rows.length !== authors.length || rows.length > PINS_MAX)
    throw refused('epoch-pins', `${rows.length} logs are pinned, ${authors.length} exist (at most ${PINS_MAX} may)`)
  return new Map(
    authors.map((author, i) => {
      const pin = pinFrom(rows[i])
      const { size, root } = pinOf(before, author)
      if (pin.author !== author)
        throw refused('epoch-pins', `${pin.author.slice(0, 16)}… stands where ${author.slice(0, 16)}… is expected`)
      if (pin.size < size || (pin.size === size && pin.root !== root))
        throw refused(
          'epoch-pins',
          `${author.slice(0, 16)}… was pinned at size ${size}, which ${pin.size} does not extend`,
        )
      if (pin.size > size && !writers.has(author))
        throw refused('epoch-pins', `${author.slice(0, 16)}… left with size ${size} and wrote nothing since`)
      return [author, pin]
    }),
  )
}

function pinFrom(row: Cbor | undefined): Pin {
  const [author, size, root, ...rest] = items(row)
  if (rest.length > 0 || !isBytes(author, 32) || !isSize(size) || !isBytes(root, 32))
    throw refused('epoch-malformed', 'a head is not [author, size, root]')
  const pin = { author: toHex(author) as MemberId, size, root: toHex(root) as Digest }
  if ((size === 0) !== (pin.root === NO_ROOT))
    throw refused('epoch-pins', 'an empty log has a root of zeros, and no other has')
  return pin
}

/** Whoever wrote, or could have, before the next epoch: in the order of their keys. */
function pinnedAuthors(before: Epoch): MemberId[] {
  return [...new Set([...before.pins.keys(), ...keysOf(before)])].sort(compareIds)
}

function pinOf(before: Epoch, author: MemberId): Pin {
  return before.pins.get(author) ?? { author, size: 0, root: NO_ROOT }
}

function observersAmong(members: readonly Member[]): Set<MemberId> {
  return new Set(members.flatMap(({ key, observer }) => (observer ? [key] : [])))
}

function keysOf({ members }: Pick<Epoch, 'members'>): MemberId[] {
  return members.map(({ key }) => key)
}

function isSorted(keys: readonly MemberId[]): boolean {
  return keys.every((key, i) => i === 0 || compareIds(keys[i - 1] as MemberId, key) < 0)
}

function items(value: Cbor | undefined): readonly (Cbor | undefined)[] {
  return Array.isArray(value) ? (value as Cbor[]) : []
}

function isBytes(value: Cbor | undefined, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

function isSize(value: Cbor | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function refused(code: string, what: string): ConsiliumError {
  return new ConsiliumError({ code, message: `epoch refused: ${what}`, blame: 'reject' })
}
