/** What names a consortium for good: its name and its founders, epoch 0 of its membership, and the digest over them. */
import { fromHex, toHex, utf8 } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { ConsiliumError } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'

export const NAME_LENGTH_MAX = 80 // one column of a terminal
const FOUNDING_BYTES_MAX = 262_144 // LIMITS.membersMax names and keys

/** The founding of a consortium: epoch 0 of its membership. */
export interface Founding {
  readonly name: string
  /** Sorted by key, at least two. */
  readonly members: readonly { readonly name: string; readonly key: MemberId }[]
}

/** CBOR of [1, name, [[member's name, key], …]]: what the founding digest covers. */
export function encodeFounding({ name, members }: Founding): Uint8Array {
  return encodeCbor([1, name, members.map(({ name, key }) => [name, fromHex(key)])])
}

/** The digest that names a consortium for good: its name, and its founders' names and keys. */
export function foundingDigest(founding: Founding): Digest {
  return taggedDigest('founding', encodeFounding(founding))
}

/** Reads what `encodeFounding` wrote. Errors: `founding-malformed`, `bad-name`, those of `decodeCbor`. */
export function decodeFounding(bytes: Uint8Array): Founding {
  const value = decodeCbor(bytes, FOUNDING_BYTES_MAX)
  const [version, name, rows, ...rest] = Array.isArray(value) ? (value as Cbor[]) : []
  if (version !== 1 || rest.length > 0 || !Array.isArray(rows)) throw malformed('not [1, name, members]')
  const members = (rows as Cbor[]).map((row) => {
    const [member, key, ...more] = Array.isArray(row) ? (row as Cbor[]) : []
    if (more.length > 0 || !(key instanceof Uint8Array) || key.length !== 32)
      throw malformed('a member is not [name, key]')
    return { name: checkName(member, 'founding: member'), key: toHex(key) as MemberId }
  })
  const sorted = members.every(
    ({ key }, i) => i === 0 || compareIds((members[i - 1] as { key: MemberId }).key, key) < 0,
  )
  if (!sorted || members.length < 2 || members.length > LIMITS.membersMax)
    throw malformed(`not 2 to ${LIMITS.membersMax} members sorted by key`)
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
