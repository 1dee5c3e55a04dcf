/** What names a consortium for good: its name and its founders, epoch 0 of its membership, and the digest over them. */
import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'

export const NAME_LENGTH_MAX = 80 // one column of a terminal
const FOUNDING_BYTES_MAX = 262_144 // LIMITS.membersMax names and keys

/** A member by name and key. An observer's node replicates, witnesses and votes as any other's; in studies it has no part. */
export interface Member {
  readonly name: string
  readonly key: MemberId
  readonly observer?: true
}

/** The founding of a consortium: epoch 0 of its membership. */
export interface Founding {
  readonly name: string
  /** Sorted by key, at least two, who are hospitals. */
  readonly members: readonly Member[]
}

/** CBOR of [1, name, [[member's name, key], …]], or of [2, name, [[member's name, key, role], …]]: what the founding digest covers. */
export function encodeFounding({ name, members }: Founding): Uint8Array {
  return encodeCbor([membersVersion(members), name, memberRows(members)])
}

/** Whether both are the same member, under the same name and in the same role. */
export function isSameMember(one: Member, other: Member | undefined): boolean {
  return one.key === other?.key && one.name === other.name && one.observer === other.observer
}

/** Version 2 tells roles; where all are hospitals it is 1, as it was before there were roles. */
export function membersVersion(members: readonly Member[]): 1 | 2 {
  return members.some(({ observer }) => observer) ? 2 : 1
}

/** Members as they are signed: [name, key], or [name, key, role] where one of them is an observer; role 0 is a hospital, 1 an observer. */
export function memberRows(members: readonly Member[]): Cbor[] {
  const told = membersVersion(members) === 2
  return members.map(({ name, key, observer }) => [name, fromHex(key), ...(told ? [observer ? 1 : 0] : [])])
}

/** A row of that version, its name not checked yet; null where it is none. */
export function memberOfRow(row: Cbor, version: 1 | 2): { name: Cbor; key: MemberId; observer?: true } | null {
  const [name, key, role, ...more] = Array.isArray(row) ? (row as Cbor[]) : []
  if (name === undefined || !(key instanceof Uint8Array) || key.length !== 32 || more.length > 0) return null
  if (version === 1 ? role !== undefined : role !== 0 && role !== 1) return null
  return { name, key: toHex(key) as MemberId, ...(role === 1 ? { observer: true as const } : {}) }
}

/** Why these may not be the members under that version, or null: every list of members has one encoding, and two hospitals. */
export function rolesFault(members: readonly Member[], version: 1 | 2): string | null {
  if (membersVersion(members) !== version) return 'version 2 is for lists with an observer'
  return members.filter(({ observer }) => !observer).length < 2 ? 'at least 2 hospitals are expected' : null
}

/** The digest that names a consortium for good: its name, and its founders' names and keys. */
export function foundingDigest(founding: Founding): Digest {
  return taggedDigest('founding', encodeFounding(founding))
}

/** Reads what `encodeFounding` wrote. Errors: `founding-malformed`, `bad-name`, those of `decodeCbor`. */
export function decodeFounding(bytes: Uint8Array): Founding {
  const value = decodeCbor(bytes, FOUNDING_BYTES_MAX)
  const [version, name, rows, ...rest] = Array.isArray(value) ? (value as Cbor[]) : []
  if ((version !== 1 && version !== 2) || rest.length > 0 || !Array.isArray(rows))
    throw malformed('not [1 or 2, name, members]')
  const members = (rows as Cbor[]).map((row) => {
    const member = memberOfRow(row, version)
    if (member === null) throw malformed('a member is not [name, key], or with its role from version 2 on')
    return { ...member, name: checkName(member.name, 'founding: member') }
  })
  const sorted = members.every(
    ({ key }, i) => i === 0 || compareIds((members[i - 1] as { key: MemberId }).key, key) < 0,
  )
  if (!sorted || members.length < 2 || members.length > LIMITS.membersMax)
    throw malformed(`not 2 to ${LIMITS.membersMax} members sorted by key`)
  const fault = rolesFault(members, version)
  if (fault !== null) throw malformed(fault)
  return { name: checkName(name, 'founding'), members }
}

/** Signatures that make a head final: ⌊2n/3⌋ + 1 of n members, the author's own included. */
export function quorum(members: number): number {
  return Math.floor((2 * members) / 3) + 1
}

/** The first 128 bits of a digest or key in groups of four digits, for comparing by phone. */
export function fingerprint(id: string): string {
  return (id.slice(0, 32).match(/.{4}/g) as string[]).join(' ')
}

/** Controls, line ends, and the letters that show as nothing. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/u

/** A name that fits one line. Error: `bad-name`. */
export function checkName(name: unknown, what: string): string {
  if (
    typeof name !== 'string' ||
    name.trim() !== name ||
    name.length === 0 ||
    utf8(name).length > NAME_LENGTH_MAX ||
    UNPRINTABLE.test(name)
  ) {
    throw new ConsiliumError({
      code: 'bad-name',
      message: `${what}: ${JSON.stringify(name)?.slice(0, 100)} given; 1 to ${NAME_LENGTH_MAX} bytes of printable characters are expected, no space at either end`,
    })
  }
  return name
}

function malformed(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'founding-malformed', message: `founding refused: ${what}`, blame: 'reject' })
}
