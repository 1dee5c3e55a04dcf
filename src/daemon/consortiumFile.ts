/** The consortium file: who the founders are and where they can be dialled. The same file at every member. */
import * as v from 'valibot'
import { addressFault } from '../config/config.ts'
import { type Complaint, parseYaml, section } from '../config/yaml.ts'
import { checkPublicKey } from '../core/ed25519.ts'
import { ConsiliumError } from '../core/errors.ts'
import { type Digest, type MemberId, memberId } from '../core/ids.ts'
import { checkName, type Founding, fingerprint, foundingDigest } from '../ledger/founding.ts'

/** A founder. `addresses` are multiaddrs to dial; the founding digest does not cover them. */
export interface ConsortiumMember {
  readonly name: string
  readonly key: MemberId
  readonly addresses: readonly string[]
}

/** The file as read, its digest recomputed. Whether this node is among the members is for the caller to check. */
export interface Consortium {
  readonly name: string
  readonly founding: Digest
  /** Sorted by key. */
  readonly members: readonly ConsortiumMember[]
}

const words = v.string('text in quotes is expected')
const digits = v.pipe(words, v.regex(/^[0-9a-f]{64}$/, '64 lowercase hexadecimal digits are expected'))
const member = section({ name: words, key: digits, addresses: v.array(words, 'a list of addresses is expected') })
const schema = section({
  consortium: words,
  epoch: v.literal(0, '0 is expected: this version knows the epoch of the founding alone'),
  founding: digits,
  members: v.array(member, 'a list of members is expected'),
})

/** Addresses may be corrected by hand, so they are checked where they can be named by line. */
function complaintOf({ members }: v.InferOutput<typeof schema>): Complaint | null {
  for (const [i, { addresses }] of members.entries()) {
    for (const [j, address] of addresses.entries()) {
      const fault = addressFault(address, false)
      if (fault !== null) return { path: ['members', i, 'addresses', j], message: `"${address}" was given, ${fault}` }
    }
  }
  return null
}

/** The file's text; `members` with their addresses, sorted by key. */
export function writeConsortium(founding: Founding, addresses: ReadonlyMap<MemberId, readonly string[]>): string {
  const digest = foundingDigest(founding)
  const lines = [
    '# Consilium consortium file. Every member keeps the same one; "consilium accept" signs it.',
    `# Fingerprint, to compare by phone: ${fingerprint(digest)}`,
    "# The founding digest covers the name below and every member's name and key. Addresses may be corrected by hand.",
    `consortium: ${JSON.stringify(founding.name)}`,
    'epoch: 0',
    `founding: ${digest}`,
    'members:',
  ]
  for (const { name, key } of founding.members) {
    lines.push(
      `  - name: ${JSON.stringify(name)}`,
      `    key: ${key}`,
      `    addresses: ${JSON.stringify(addresses.get(key) ?? [])}`,
    )
  }
  return `${lines.join('\n')}\n`
}

/** Reads the file and checks that its founding digest is that of its content. Errors: `consortium-…`, `bad-name`, `key-unsound`. */
export function parseConsortium(text: string, fileName: string): Consortium {
  const parsed = parseYaml(text, { kind: 'consortium', fileName, schema, check: complaintOf })
  const members = parsed.members.map(({ name, key, addresses }) => ({
    name: checkName(name, `${fileName}: name of member ${key.slice(0, 8)}`),
    key: memberId(key),
    addresses,
  }))
  const name = checkName(parsed.consortium, `${fileName}: consortium`)
  const digest = foundingDigest({ name, members: members.map(({ name, key }) => ({ name, key })) })
  if (digest !== parsed.founding) {
    throw new ConsiliumError({
      code: 'consortium-altered',
      message: `${fileName}: founding: names, keys or their order were changed (they give ${digest.slice(0, 16)}…, the file says ${parsed.founding.slice(0, 16)}…); ask a founder for the file again`,
    })
  }
  for (const { key } of members) checkPublicKey(key)
  return { name, founding: digest, members }
}
