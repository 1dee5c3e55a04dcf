/** Catalogue, requests and counts for tests: entries of four members at given places. */

import { parseCondition } from '../../../src/config/countParser.ts'
import { questionDocument } from '../../../src/config/countQuery.ts'
import { fromHex } from '../../../src/core/bytes.ts'
import type { Cbor } from '../../../src/core/cbor.ts'
import type { Digest, MemberId, StudyId } from '../../../src/core/ids.ts'
import { Access, type AccessFact } from '../../../src/governance/access/requests.ts'
import type { Cut } from '../../../src/governance/agreements.ts'
import { digestOf, keyOf } from '../../gossip/fixtures.ts'

export const [OWNER, ADA, BEN, CLEO] = ['owner', 'ada', 'ben', 'cleo'].map((name) => keyOf(name).member) as [
  ...[MemberId, MemberId, MemberId, MemberId],
]
export const DATASET = digestOf('a dataset')
export const VERSION = digestOf('a version')
export const NOW_MS = Date.parse('2027-01-01T00:00Z')
export const UNTIL_MS = Date.parse('2027-07-01T00:00Z')
export const ALL: Cut = { final: () => Number.POSITIVE_INFINITY, known: () => Number.POSITIVE_INFINITY }

/** Cuts by author; what is not named is read to its end. */
export function cutAt(final: Partial<Record<MemberId, number>>, known: Partial<Record<MemberId, number>> = {}): Cut {
  return { final: (author) => final[author] ?? Infinity, known: (author) => known[author] ?? Infinity }
}

export const hashAt = (author: MemberId, seq: number): Digest => digestOf(`entry ${author} ${seq}`)

/** An entry at its place; Lamport times go with numbers. */
export function factAt(
  author: MemberId,
  seq: number,
  kind: string,
  body: object,
  study: StudyId | null = null,
): AccessFact {
  return { author, seq, hash: hashAt(author, seq), lamport: seq, timeMs: NOW_MS, kind, study, body: body as Cbor }
}

export const announced = (seq: number, more: object = {}): AccessFact =>
  factAt(OWNER, seq, 'catalogue.announced', {
    ...{ dataset: fromHex(DATASET), version: fromHex(VERSION), name: 'stroke', title: ['I63'], source: 'registry' },
    ...{ purposes: [6], counted: 'patients', count: 410, cohort: 10, counts: 'granted', ...more },
  })
export const withdrawn = (seq: number, dataset = DATASET): AccessFact =>
  factAt(OWNER, seq, 'catalogue.withdrawn', { dataset: fromHex(dataset), reason: 'replaced' })
export const asked = (author: MemberId, seq: number, more: object = {}, study: StudyId | null = null): AccessFact =>
  factAt(
    author,
    seq,
    'access.asked',
    { member: fromHex(OWNER), dataset: fromHex(DATASET), purposes: [6], until: UNTIL_MS, ...more },
    study,
  )
export const granted = (seq: number, request: Digest, until = UNTIL_MS, author = OWNER): AccessFact =>
  factAt(author, seq, 'access.granted', { request: fromHex(request), until })
export const refused = (seq: number, request: Digest, author = OWNER): AccessFact =>
  factAt(author, seq, 'access.refused', { request: fromHex(request), reason: 'ethics-missing' })
export const revoked = (seq: number, request: Digest, author = OWNER): AccessFact =>
  factAt(author, seq, 'access.revoked', { request: fromHex(request), reason: 'breach' })

export function folded(facts: readonly AccessFact[]): Access {
  const access = new Access()
  for (const fact of facts) access.fold(fact)
  return access
}

/** A question of one dataset of the owner. */
export const counted = (author: MemberId, seq: number, where: string | null, dataset = DATASET): AccessFact =>
  factAt(author, seq, 'count.asked', {
    datasets: [[fromHex(OWNER), fromHex(dataset)]],
    document: questionDocument({ where: where === null ? null : parseCondition(where), purposes: [] }),
  })
