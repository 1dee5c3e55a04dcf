/** Consent receipts: the document for machines, its terms, and the page for people. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DUO_CODES } from '../../src/core/duo.ts'
import type { StudyId } from '../../src/core/ids.ts'
import type { ConsentDecision } from '../../src/governance/consent.ts'
import { SPEAKERS } from '../../src/governance/consent.ts'
import {
  type ReceiptFacts,
  type ReceiptStudy,
  type ReceiptWord,
  receiptDocument,
  statusesOf,
} from '../../src/report/consentReceipt.ts'
import { receiptPage } from '../../src/report/receiptPage.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'

const it = suite('receipt')

/** Terms of DPV 2.2 (2025) and its extension PD, read in its published lists of terms; a term that is not here was not looked up. */
const TERMS = new Set(
  `dpv:Analyse dpv:ConsentExpired dpv:ConsentGiven dpv:ConsentReceipt dpv:ConsentRecord dpv:ConsentRefused
  dpv:ConsentRevoked dpv:ConsentWithdrawn dpv:DataController dpv:EndlessDuration dpv:ExplicitlyExpressedConsent
  dpv:GuardianOfDataSubject dpv:HealthcareOrganisation dpv:JudicialOrganisation dpv:LegalBasis dpv:Patient dpv:Process
  dpv:Purpose dpv:Representative dpv:ResearchAndDevelopment dpv:ScientificResearch dpv:UntilTimeDuration dpv:Use
  dpv:WithdrawConsent dpv:hasConsentControl dpv:hasConsentStatus dpv:hasContext dpv:hasDataController dpv:hasDataSubject
  dpv:hasDuration dpv:hasIdentifier dpv:hasIndicationMethod dpv:hasJurisdiction dpv:hasLegalBasis dpv:hasPersonalData
  dpv:hasProcess dpv:hasProcessing dpv:hasPurpose dpv:hasRecordOfActivity dpv:hasRelationWithDataSubject dpv:isExercisedAt
  dpv:isIndicatedAtTime dpv:isIndicatedBy pd:MedicalHealth`.split(/\s+/),
)

const [HEART, LUNG] = ['heart', 'lung'].map((name) => digestOf(name)) as unknown as [StudyId, StudyId]
const DAY_MS = 86_400_000
const START_MS = 1_795_000_000_000

const said = (more: Partial<ConsentDecision>): ConsentDecision => ({
  ...{ decision: 'permit', purposes: 'all', study: 'all', fromMs: null, toMs: null, by: 'subject' },
  ...{ receivedAtMs: START_MS, effectiveAtMs: START_MS, form: 'general-consent-v3', ...more },
})

const word = (more: Partial<ConsentDecision>, speaker: string | null = null, seq: number | null = 41): ReceiptWord => ({
  decision: said(more),
  speaker,
  commitment: digestOf(`word ${seq}`),
  entry: seq === null ? null : { ref: `St.Mary/${seq}`, seq, hash: digestOf(`entry ${seq}`) },
})

const study = (id: StudyId, name: string, basis: 'opt-in' | 'opt-out', permittedNow: boolean): ReceiptStudy => ({
  ...{ id, name, purpose: 'to know <earlier> who falls ill', permittedNow },
  consent: { basis, jurisdiction: basis === 'opt-in' ? 'DE' : 'FR', purposes: ['DUO:0000006', 'DUO:0000046'] },
})

const FACTS: ReceiptFacts = {
  hospital: { name: 'St. Mary', member: keyOf('mary').member },
  consortium: { name: 'Heart & Lung', fingerprint: '08fc c65f 7636' },
  subject: '0a'.repeat(16),
  madeAtMs: START_MS + 30 * DAY_MS,
  words: [
    word({ by: 'guardian', purposes: ['DUO:0000006'], toMs: START_MS + 900 * DAY_MS }, 'A. Brandt, mother', 41),
    word(
      { study: HEART, decision: 'deny', receivedAtMs: START_MS + DAY_MS, effectiveAtMs: START_MS + 2 * DAY_MS },
      null,
      57,
    ),
    word({ by: 'emergency', fromMs: START_MS, toMs: START_MS + 3 * DAY_MS }, 'Dr. Okoye', 60),
    word({ by: 'court', decision: 'deny', purposes: ['DUO:0000011', 'DUO:0000018'] }, 'court of Ulm, 7 F 12/26', null),
  ],
  studies: [study(HEART, 'Heart', 'opt-in', false), study(LUNG, 'Lung & more', 'opt-out', true)],
}

/** Every text in a value, names of fields too. */
function* textsOf(value: unknown): Iterable<string> {
  if (typeof value === 'string') yield value
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value)) yield key
    yield* textsOf(inner)
  }
}

it('the document is the frozen one', () => {
  const path = new URL('../golden/receipt-v1.jsonld', import.meta.url)
  const text = `${JSON.stringify(receiptDocument(FACTS), null, 2)}\n`
  if (!existsSync(path)) writeFileSync(path, text)
  assert.is(text, readFileSync(path, 'utf8'))
})

it('every term of the vocabulary is spelt as the vocabulary spells it, whatever was said by whom for what', () => {
  const every = SPEAKERS.flatMap((by) =>
    (['permit', 'deny'] as const).map((decision) => word({ by, decision, purposes: DUO_CODES }, 'somebody')),
  )
  const refused = [word({ decision: 'deny' })]
  const used = [FACTS, { ...FACTS, words: every }, { ...FACTS, words: refused, studies: [] }]
    .flatMap((facts) => [...textsOf(receiptDocument(facts))])
    .filter((text) => /^(?:dpv|pd):/.test(text))
  assert.equal(
    [...new Set(used)].filter((term) => !TERMS.has(term)),
    [],
  )
  assert.equal(
    [...TERMS].filter((term) => !used.includes(term)),
    [],
    'no term is listed that is not used',
  )
})

it('each prefix is in the embedded context, and nothing has to be fetched', () => {
  const document = receiptDocument(FACTS) as { '@context': Record<string, string> }
  const prefixes = new Set(Object.keys(document['@context']))
  const { '@context': _, ...rest } = document
  for (const text of textsOf(rest)) {
    const prefix = /^([a-z]+):[A-Za-z]/.exec(text)?.[1]
    if (prefix !== undefined && prefix !== 'https') assert.ok(prefixes.has(prefix), text)
  }
  assert.type(document['@context'], 'object')
})

it('a no is a refusal before anything was given, a withdrawal after, and what others end is revoked', () => {
  assert.equal(statusesOf(FACTS), ['given', 'withdrawn', 'expired', 'revoked'])
  const statuses = (...words: ReceiptWord[]) => statusesOf({ words, madeAtMs: START_MS })
  assert.equal(statuses(word({ decision: 'deny' }), word({}), word({ decision: 'deny', by: 'proxy' })), [
    'refused',
    'given',
    'withdrawn',
  ])
  assert.equal(statuses(word({ study: HEART }), word({ decision: 'deny', study: LUNG })), ['given', 'refused'])
})

it('the page says who spoke, when it was received and takes effect, where the ledger has it, and escapes what people wrote', () => {
  const html = receiptPage(FACTS)
  for (const part of ['A. Brandt, mother', 'St.Mary/41', digestOf('entry 57'), '2026-11-18', 'Heart &#38; Lung'])
    assert.ok(html.includes(part), part)
  assert.ok(html.includes('to know &#60;earlier&#62; who'))
  assert.not.match(html, /<script|https?:|src=|href=/)
  assert.ok(html.includes("default-src 'none'"))
  assert.ok(receiptPage({ ...FACTS, words: [], studies: [] }).includes('Nothing was said yet'))
})

it.run()
