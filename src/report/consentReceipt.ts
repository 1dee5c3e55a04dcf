/**
 * A consent receipt as ISO/IEC TS 27560:2023 shapes it: JSON-LD with terms of the Data Privacy Vocabulary (DPV 2.2; the profile of its
 * guide "consent-27560") and of the Data Use Ontology. Its context is in it, so that nobody needs a network to read it.
 */
import type { StudyConsent } from '../config/consent.ts'
import { type DuoCode, duoLabel, isUse } from '../core/duo.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import type { ConsentDecision, Speaker } from '../governance/consent.ts'

/** A word, and where the ledger tells of it; null where it does not yet. */
export interface ReceiptWord {
  readonly decision: ConsentDecision
  readonly speaker: string | null
  /** As hex. */
  readonly commitment: string
  readonly entry: { readonly ref: string; readonly seq: number; readonly hash: string } | null
}

/** A study that asks patients, and what follows for this one. */
export interface ReceiptStudy {
  readonly id: StudyId
  readonly name: string
  readonly purpose: string
  readonly consent: StudyConsent
  readonly permittedNow: boolean
}

/** What a receipt is made of. */
export interface ReceiptFacts {
  readonly hospital: { readonly name: string; readonly member: MemberId }
  readonly consortium: { readonly name: string; readonly fingerprint: string }
  /** What the patient is called here: not the record number. */
  readonly subject: string
  readonly madeAtMs: number
  readonly words: readonly ReceiptWord[]
  readonly studies: readonly ReceiptStudy[]
}

/** What became of consent by one word. `withdrawn` takes back, `refused` was said before anything was given. */
export type ReceiptStatus = 'given' | 'refused' | 'withdrawn' | 'revoked' | 'expired'

type Json = { readonly [key: string]: unknown }

const TIME = { '@type': 'http://www.w3.org/2001/XMLSchema#dateTime' } as const
const IRI = { '@type': '@id' } as const

const CONTEXT = {
  dpv: 'https://w3id.org/dpv#',
  pd: 'https://w3id.org/dpv/pd#',
  loc: 'https://w3id.org/dpv/loc#',
  dct: 'http://purl.org/dc/terms/',
  dcat: 'http://www.w3.org/ns/dcat#',
  skos: 'http://www.w3.org/2004/02/skos/core#',
  schema: 'https://schema.org/',
  obo: 'http://purl.obolibrary.org/obo/',
  consilium: 'urn:consilium:',
  'dct:conformsTo': IRI,
  'dct:audience': IRI,
  'dct:created': TIME,
  'dcat:startDate': TIME,
  'dcat:endDate': TIME,
  'dpv:hasRelationWithDataSubject': IRI,
  'dpv:isIndicatedAtTime': TIME,
  'consilium:effectiveAt': TIME,
} as const

const PROFILE = 'https://w3id.org/dpv/schema/dpv-27560#'

const STATUS: Readonly<Record<ReceiptStatus, string>> = {
  given: 'dpv:ConsentGiven',
  refused: 'dpv:ConsentRefused',
  withdrawn: 'dpv:ConsentWithdrawn',
  revoked: 'dpv:ConsentRevoked', // by somebody who does not act in the patient's place
  expired: 'dpv:ConsentExpired',
}

/** Who indicated it: entities of DPV; a guardian or proxy acts in the patient's place. */
const SPOKEN: Readonly<Record<Speaker, Json>> = {
  subject: { '@type': 'dpv:Patient' },
  proxy: { '@type': 'dpv:Representative' },
  guardian: { '@type': 'dpv:Representative', 'dpv:hasRelationWithDataSubject': 'dpv:GuardianOfDataSubject' },
  court: { '@type': 'dpv:JudicialOrganisation' },
  emergency: { '@type': 'dpv:HealthcareOrganisation' },
}

/** The nearest wider purpose of DPV; null for conditions, which DPV has as a purpose's context. */
const WIDER: Readonly<Record<DuoCode, string | null>> = {
  'DUO:0000004': 'dpv:Purpose',
  'DUO:0000042': 'dpv:ResearchAndDevelopment',
  'DUO:0000006': 'dpv:ScientificResearch',
  'DUO:0000007': 'dpv:ScientificResearch',
  'DUO:0000011': 'dpv:ScientificResearch',
  'DUO:0000018': null,
  'DUO:0000045': null,
  'DUO:0000046': null,
  'DUO:0000021': null,
}

/** What each word did to consent, in their order. */
export function statusesOf({ words, madeAtMs }: Pick<ReceiptFacts, 'words' | 'madeAtMs'>): ReceiptStatus[] {
  return words.map(({ decision: { decision, by, toMs, study } }, i) => {
    if (decision === 'permit') return toMs !== null && toMs <= madeAtMs ? 'expired' : 'given'
    const given = words.slice(0, i).some(({ decision: before }) => {
      return before.decision === 'permit' && (before.study === 'all' || study === 'all' || before.study === study)
    })
    if (!given) return 'refused'
    return by === 'court' || by === 'emergency' ? 'revoked' : 'withdrawn'
  })
}

/** The studies that a word is about. */
export function studiesOf({ study }: ConsentDecision, studies: readonly ReceiptStudy[]): readonly ReceiptStudy[] {
  return study === 'all' ? studies : studies.filter(({ id }) => id === study)
}

/** The receipt: one consent record for each word. The same facts give the same document. */
export function receiptDocument(facts: ReceiptFacts): Json {
  const { hospital, consortium, subject, madeAtMs, words } = facts
  const id = `${subject}-${madeAtMs}`
  const statuses = statusesOf(facts)
  return {
    '@context': CONTEXT,
    '@id': `consilium:receipt:${id}`,
    '@type': 'dpv:ConsentReceipt',
    'dct:conformsTo': `${PROFILE}receipt-record`,
    'dpv:hasIdentifier': id,
    'dct:created': instant(madeAtMs),
    'dct:publisher': controllerOf(facts),
    'dct:audience': 'dpv:Patient',
    'dct:description': `As declared by ${hospital.name}. The ledger of ${consortium.name} shows that it was said and when, and not that it is true.`,
    'consilium:consortium': { 'schema:name': consortium.name, 'consilium:fingerprint': consortium.fingerprint },
    'dpv:hasRecordOfActivity': words.map((word, i) => recordOf(facts, word, statuses[i] as ReceiptStatus)),
  }
}

function recordOf(facts: ReceiptFacts, word: ReceiptWord, status: ReceiptStatus): Json {
  const { decision, commitment, entry } = word
  const { member } = facts.hospital
  const about = studiesOf(decision, facts.studies)
  const jurisdictions = [...new Set(about.map(({ consent }) => `loc:${consent.jurisdiction}`))].sort()
  return {
    '@id': `consilium:decision:${commitment}`,
    '@type': 'dpv:ConsentRecord',
    'dct:conformsTo': `${PROFILE}record`,
    'dpv:hasIdentifier': commitment,
    'dpv:hasDataSubject': { '@id': `consilium:subject:${facts.subject}`, '@type': 'dpv:Patient' },
    'dpv:hasDataController': controllerOf(facts),
    ...(jurisdictions.length === 0 ? {} : { 'dpv:hasJurisdiction': jurisdictions.map((one) => ({ '@id': one })) }),
    ...purposesOf(decision.purposes === 'all' ? [] : decision.purposes),
    'dpv:hasProcess': about.map(processOf),
    'dpv:hasDuration': durationOf(decision),
    'dpv:hasConsentControl': { '@type': 'dpv:WithdrawConsent', 'dpv:isExercisedAt': facts.hospital.name },
    'dpv:hasConsentStatus': statusOf(word, status),
    'consilium:ledgerEntry':
      entry === null
        ? { 'consilium:log': member, 'consilium:commitment': commitment, 'dct:description': 'not recorded yet' }
        : {
            'consilium:log': member,
            'consilium:seq': entry.seq,
            'consilium:hash': entry.hash,
            'consilium:commitment': commitment,
          },
  }
}

function statusOf({ decision, speaker }: ReceiptWord, status: ReceiptStatus): Json {
  const { by, form, receivedAtMs, effectiveAtMs } = decision
  return {
    '@type': STATUS[status],
    'dpv:isIndicatedBy': { ...SPOKEN[by], ...(speaker === null ? {} : { 'schema:name': speaker }) },
    'dpv:hasIndicationMethod': form,
    'dpv:isIndicatedAtTime': instant(receivedAtMs),
    'consilium:effectiveAt': instant(effectiveAtMs),
  }
}

/** Use of the records in one study. */
function processOf({ id, name, purpose, consent }: ReceiptStudy): Json {
  return {
    '@id': `consilium:study:${id}`,
    '@type': 'dpv:Process',
    'dct:title': name,
    'dct:description': purpose,
    ...purposesOf(consent.purposes),
    'dpv:hasProcessing': [{ '@id': 'dpv:Use' }, { '@id': 'dpv:Analyse' }],
    'dpv:hasPersonalData': { '@id': 'pd:MedicalHealth' },
    'dpv:hasLegalBasis': basisOf(consent),
  }
}

/** Kinds of use, and the conditions that restrict them; no code stands for every purpose. */
function purposesOf(codes: readonly DuoCode[]): Json {
  const conditions = codes.filter((code) => !isUse(code))
  return {
    'dpv:hasPurpose': codes.length === 0 ? [{ '@id': 'dpv:Purpose' }] : codes.filter(isUse).map(termOf),
    ...(conditions.length === 0 ? {} : { 'dpv:hasContext': conditions.map(termOf) }),
  }
}

function basisOf({ basis, jurisdiction }: StudyConsent): Json {
  if (basis === 'opt-in') return { '@id': 'dpv:ExplicitlyExpressedConsent' }
  return {
    '@type': 'dpv:LegalBasis',
    'dct:description': `the law of ${jurisdiction}: used unless the patient refuses (opt-out)`,
  }
}

function termOf(code: DuoCode): Json {
  const wider = WIDER[code]
  const term = { '@id': `obo:${code.replace(':', '_')}`, 'skos:prefLabel': duoLabel(code) }
  return wider === null ? term : { ...term, 'skos:broader': { '@id': wider } }
}

function durationOf({ fromMs, toMs, effectiveAtMs }: ConsentDecision): Json {
  const begins = { 'dcat:startDate': instant(Math.max(fromMs ?? 0, effectiveAtMs)) }
  if (toMs === null) return { '@type': 'dpv:EndlessDuration', ...begins }
  return { '@type': 'dpv:UntilTimeDuration', ...begins, 'dcat:endDate': instant(toMs) }
}

function controllerOf({ hospital }: ReceiptFacts): Json {
  return { '@id': `consilium:member:${hospital.member}`, '@type': 'dpv:DataController', 'schema:name': hospital.name }
}

const instant = (ms: number): string => new Date(ms).toISOString()
