/** Agreements for tests: three hospitals, and entries about them at given places. */
import { type Agreement, agreementDocument, agreementIdOf, parseAgreement } from '../../src/config/agreement.ts'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { AgreementId, MemberId } from '../../src/core/ids.ts'
import type { AgreementFact } from '../../src/governance/agreements.ts'
import { guardComplaint } from '../../src/governance/guards.ts'
import { digestOf, keyOf, STUDY } from '../gossip/fixtures.ts'

export const NAMES = ['self', 'ada', 'ben', 'cleo'] as const
const [SELF, ADA, BEN, CLEO] = NAMES.map((name) => keyOf(name).member) as [MemberId, MemberId, MemberId, MemberId]

export { ADA, BEN, CLEO, SELF }
export const BEGUN_MS = Date.parse('2027-01-01T00:00Z')
export const EXPIRES_MS = Date.parse('2027-07-01T00:00Z')

const SIGNERS = `  - { member: self, role: hospital }
  - { member: ada, role: hospital }
  - { member: ben, role: board, required: false }`

/** YAML of an agreement between self and ada, to which ben may come; `more` adds clauses. */
export function agreementText(more = '', parties = SIGNERS, studies: readonly string[] = [STUDY]): string {
  return `name: Memory clinics
parties:
${parties}
purposes: [DUO:0000006]
studies: [${studies.map((one) => `'${one}'`).join(', ')}]
expires: 2027-07-01
${more}`
}

export const resolve = (given: string): string | null =>
  /^[0-9a-f]{64}$/.test(given) ? given : NAMES.includes(given as 'ada') ? keyOf(given).member : null

export function read(text: string): Agreement {
  return parseAgreement(text, 'a.agreement.yaml', { resolve, check: guardComplaint })
}

export function agreementOf(more = '', parties?: string, studies?: readonly string[]) {
  const agreement = read(agreementText(more, parties, studies))
  const document = agreementDocument(agreement)
  return { agreement, document, id: agreementIdOf(document) }
}

/** Bodies of entries. */
export const proposed = (document: Uint8Array) => ({ kind: 'agreement.proposed', body: { document } }) as const
export const signed = (id: AgreementId) => ({ kind: 'agreement.signed', body: { agreement: fromHex(id) } }) as const
export const refused = (id: AgreementId, clause = 'privacy') =>
  ({ kind: 'agreement.refused', body: { agreement: fromHex(id), clause } }) as const
export const ended = (id: AgreementId, reason = 'breach') =>
  ({ kind: 'agreement.ended', body: { agreement: fromHex(id), reason } }) as const
export const event = (id: AgreementId, code: string) =>
  ({ kind: 'agreement.event', body: { agreement: fromHex(id), event: code } }) as const

/** An entry at its place; Lamport times go with numbers where nothing else is said. */
export function factAt(
  author: MemberId,
  seq: number,
  { kind, body }: { readonly kind: string; readonly body: Cbor },
  lamport = seq,
): AgreementFact {
  return { author, seq, hash: digestOf(`entry ${author} ${seq}`), lamport, kind, body }
}
