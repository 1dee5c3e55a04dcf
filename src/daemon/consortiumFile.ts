/** The consortium file: who the members are, how that came to be, and where they can be dialled. The same epochs at every member. */
import * as v from 'valibot'
import { addressFault } from '../config/config.ts'
import { type Complaint, parseYaml, section } from '../config/yaml.ts'
import { checkPublicKey } from '../core/ed25519.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import { type Digest, type MemberId, memberId } from '../core/ids.ts'
import { Membership } from '../ledger/epoch.ts'
import { checkName, type Founding, fingerprint, foundingDigest, isSameMember, type Member } from '../ledger/founding.ts'

/** A member. `addresses` are multiaddrs to dial; nothing signed covers them. */
export interface ConsortiumMember extends Member {
  readonly addresses: readonly string[]
}

/** The file as read, its founding digest recomputed and every epoch checked. Whether this node is among the members is for the caller to check. */
export interface Consortium {
  readonly name: string
  readonly founding: Digest
  /** Those of the newest epoch, sorted by key. */
  readonly members: readonly ConsortiumMember[]
  /** From the founding to the newest epoch. */
  readonly membership: Membership
}

const words = v.string('text in quotes is expected')
const digits = v.pipe(words, v.regex(/^[0-9a-f]{64}$/, '64 lowercase hexadecimal digits are expected'))
const role = v.optional(v.picklist(['hospital', 'observer'], 'hospital or observer is expected'))
const member = section({ name: words, key: digits, role, addresses: v.array(words, 'a list of addresses is expected') })
const founder = section({ name: words, key: digits, role })
const record = v.pipe(words, v.base64('base64 is expected'))
const schema = section({
  consortium: words,
  epoch: v.pipe(v.number('a number is expected'), v.safeInteger(), v.minValue(0, '0 or more is expected')),
  founding: digits,
  members: v.array(member, 'a list of members is expected'),
  founders: v.optional(v.array(founder, 'a list of founders is expected')),
  epochs: v.optional(v.array(record, 'a list of signed records is expected'), []),
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

/** The file's text; `addresses` of the members of the newest epoch. */
export function writeConsortium(
  name: string,
  membership: Membership,
  addresses: ReadonlyMap<MemberId, readonly string[]>,
): string {
  const { current, epochs, records } = membership
  const founders = (epochs[0] as (typeof epochs)[0]).members
  const lines = [
    '# Consilium consortium file. Every member keeps one; "consilium accept" signs its founding, and a node writes the epochs that follow.',
    `# Fingerprint, to compare by phone: ${fingerprint(current.founding)}`,
    "# The founding digest covers the name below and every founder's name and key; each epoch is signed by a quorum of the members before",
    '# and after it. Addresses alone may be corrected by hand.',
    `consortium: ${JSON.stringify(name)}`,
    `epoch: ${current.number}`,
    `founding: ${current.founding}`,
    'members:',
  ]
  for (const one of current.members)
    lines.push(...memberLines(one), `    addresses: ${JSON.stringify(addresses.get(one.key) ?? [])}`)
  if (records.length > 0) {
    lines.push('founders:')
    for (const founder of founders) lines.push(...memberLines(founder))
    lines.push('epochs:', ...records.map((one) => `  - "${Buffer.from(one).toString('base64')}"`))
  }
  return `${lines.join('\n')}\n`
}

function memberLines({ name, key, observer }: Member): string[] {
  return [`  - name: ${JSON.stringify(name)}`, `    key: ${key}`, ...(observer ? ['    role: observer'] : [])]
}

function memberOf({ name, key, role }: v.InferOutput<typeof founder>, what: string): Member {
  const checked = checkName(name, `${what} ${key.slice(0, 8)}`)
  return { name: checked, key: memberId(key), ...(role === 'observer' ? { observer: true } : {}) }
}

/** Reads the file and checks that its founding digest and its epochs are those of its content. Errors: `consortium-…`, `bad-name`, `key-unsound`. */
export function parseConsortium(text: string, fileName: string): Consortium {
  const parsed = parseYaml(text, { kind: 'consortium', fileName, schema, check: complaintOf })
  const members = parsed.members.map((one): ConsortiumMember => {
    return { ...memberOf(one, `${fileName}: name of member`), addresses: one.addresses }
  })
  const founders = (parsed.founders ?? parsed.members).map((one) => memberOf(one, `${fileName}: name of founder`))
  const name = checkName(parsed.consortium, `${fileName}: consortium`)
  requireFounding({ name, members: founders }, parsed.founding, fileName)
  for (const { key } of founders) checkPublicKey(key)
  const membership = membershipOf({ name, members: founders }, parsed.epochs, fileName)
  const { current } = membership
  const same = members.every((one, i) => isSameMember(one, current.members[i]))
  if (parsed.epoch !== current.number || members.length !== current.members.length || !same)
    throw altered(`${fileName}: members: they are not those of epoch ${current.number}, the newest under "epochs"`)
  return { name, founding: current.founding, members, membership }
}

function requireFounding(founding: Founding, said: string, fileName: string): void {
  const digest = foundingDigest(founding)
  if (digest === said) return
  throw altered(
    `${fileName}: founding: names, keys or their order were changed (they give ${digest.slice(0, 16)}…, the file says ${said.slice(0, 16)}…)`,
  )
}

function membershipOf(founding: Founding, epochs: readonly string[], fileName: string): Membership {
  const membership = new Membership(founding)
  for (const [i, text] of epochs.entries()) {
    try {
      membership.add(new Uint8Array(Buffer.from(text, 'base64')))
    } catch (error) {
      if (error instanceof ConsiliumError) throw altered(`${fileName}: epochs[${i}]: ${messageOf(error)}`)
      throw error
    }
  }
  return membership
}

function altered(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'consortium-altered', message: `${what}; ask another member for the file again` })
}
