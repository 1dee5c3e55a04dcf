/** People with keys, and a hospital's log about them, for tests. */
import { fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/digest.ts'
import { type SigningKey, signingKey } from '../../src/core/ed25519.ts'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import type { Role } from '../../src/governance/kinds/people.ts'
import { type Asked, personCommitment, requestOf, type SignOff, signOffMessage } from '../../src/governance/signOff.ts'
import type { AuditedEntry } from '../../src/governance/signOffAudit.ts'

export const FOUNDING = toHex(sha256(utf8('founding'))) as Digest
export const HOSPITAL = signingKey(sha256(utf8('hospital'))).member
export const OTHER = signingKey(sha256(utf8('other hospital'))).member
export const NOW = 1_790_000_000_000

export const personKey = (name: string): SigningKey => signingKey(sha256(utf8(`person ${name}`)))
export const commitmentOf = (name: string): Uint8Array =>
  personCommitment(sha256(utf8(`salt ${name}`)), name, personKey(name).member)

export const ACCEPT: Asked = { method: 'POST', path: '/v1/studies/ab12/accept', bodyHash: sha256(utf8('{}')) }

/** A sign-off as a person's own machine makes it. */
export function signed(
  name: string,
  asked: Asked,
  action: string,
  { timeMs = NOW, founding = FOUNDING, member = HOSPITAL, salt = sha256(utf8(`call ${timeMs}`)) } = {},
): SignOff {
  const key = personKey(name)
  const request = requestOf(asked, salt)
  return {
    key: key.member,
    salt,
    timeMs,
    signature: key.sign(signOffMessage({ founding, member, action, request, timeMs })),
  }
}

/** A hospital's log, as far as people are concerned: entries get numbers, hashes and times. */
export class Story {
  readonly entries: AuditedEntry[] = []
  readonly author: MemberId

  constructor(author: MemberId = HOSPITAL) {
    this.author = author
  }

  add(kind: string, body: Cbor, refs: AuditedEntry['refs'] = []): AuditedEntry {
    const seq = this.entries.length
    const hash = toHex(sha256(utf8(`${this.author} ${seq}`))) as Digest
    const entry = { author: this.author, seq, hash, timeMs: NOW + seq, kind, refs, body }
    this.entries.push(entry)
    return entry
  }

  enrol(name: string, ...roles: Role[]): AuditedEntry {
    const key = fromHex(personKey(name).member)
    return this.add('person.enrolled', { person: commitmentOf(name), key, roles: roles as unknown as Cbor })
  }

  revoke(name: string, reason = 'left'): AuditedEntry {
    return this.add('person.revoked', { person: commitmentOf(name), reason })
  }

  /** `name` signs for `cited`; `salt` names the call. */
  act(
    name: string,
    action: string,
    cited: readonly AuditedEntry[],
    { call = `${this.entries.length}`, part = 0, by = name, timeMs = NOW, founding = FOUNDING } = {},
  ): AuditedEntry {
    const salt = sha256(utf8(call))
    const { signature } = signed(by, ACCEPT, action, { timeMs, founding, salt, member: this.author })
    const body = { person: commitmentOf(name), action, request: requestOf(ACCEPT, salt), timeMs, part, signature }
    const enrolled = this.entries.findLast(
      ({ kind, body: of }) =>
        kind === 'person.enrolled' && toHex((of as { person: Uint8Array }).person) === toHex(commitmentOf(name)),
    )
    const refs = [...(enrolled === undefined ? [] : [enrolled]), ...cited].map(
      ({ author, seq, hash }) => [author, seq, hash] as const,
    )
    return this.add('person.acted', body, refs)
  }
}
