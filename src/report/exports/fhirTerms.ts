/** Systems and codes of FHIR R4, DICOM and IHE BALP that exports use, and what is referred to by an identifier. */
import type { EntryState } from '../../ledger/bundle.ts'

export type Json = { readonly [key: string]: unknown }

const DCM = 'http://dicom.nema.org/resources/ontology/DCM'
const EVENT_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-event-type'
export const LIFECYCLE = 'http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle'
const ENTITY_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-entity-type'
const ENTITY_ROLE = 'http://terminology.hl7.org/CodeSystem/object-role'
const RESOURCES = 'http://hl7.org/fhir/resource-types'
const INTERACTION = 'http://hl7.org/fhir/restful-interaction'
const SOURCE_TYPE = 'http://terminology.hl7.org/CodeSystem/security-source-type'
const AGENT_TYPES = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type'
const AUTHZ_TYPE = 'https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType'
const PROFILE = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.'

const coding = (system: string, code: string, display?: string): Json => ({
  ...{ system, code },
  ...(display === undefined ? {} : { display }),
})

/** `AuditEvent.type`: of the value set audit-event-type. */
export const EVENT = {
  rest: coding(EVENT_TYPE, 'rest', 'RESTful Operation'),
  activity: coding(DCM, '110100', 'Application Activity'),
  export: coding(DCM, '110106', 'Export'),
  alert: coding(DCM, '110113', 'Security Alert'),
  attest: coding(LIFECYCLE, 'attest', 'Attest Record Lifecycle Event'),
} as const

/** `AuditEvent.subtype`. */
export const SUBTYPE = {
  create: coding(INTERACTION, 'create', 'create'),
  update: coding(INTERACTION, 'update', 'update'),
  delete: coding(INTERACTION, 'delete', 'delete'),
  search: coding(INTERACTION, 'search', 'search'),
  start: coding(DCM, '110120', 'Application Start'),
  stop: coding(DCM, '110121', 'Application Stop'),
  disclose: coding(LIFECYCLE, 'disclose', 'Disclose Record Lifecycle Event'),
  consent: coding(AUTHZ_TYPE, 'AuthZ-Consent', 'Authorization Decision using Roles and Consent'),
} as const

/** `AuditEvent.agent.type`. */
export const AGENT = {
  from: { coding: [coding(DCM, '110153', 'Source Role ID')] },
  to: { coding: [coding(DCM, '110152', 'Destination Role ID')] },
  media: { coding: [coding(DCM, '110154', 'Destination Media')] },
  application: { coding: [coding(DCM, '110150', 'Application')] },
  recipient: {
    coding: [coding('http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'IRCP', 'information recipient')],
  },
  provider: { coding: [coding('http://terminology.hl7.org/CodeSystem/v3-RoleClass', 'PROV', 'healthcare provider')] },
  decides: {
    coding: [
      coding('http://terminology.hl7.org/CodeSystem/extra-security-role-type', 'authserver', 'authorization server'),
    ],
  },
  person: {
    coding: [coding('http://terminology.hl7.org/CodeSystem/extra-security-role-type', 'humanuser', 'human user')],
  },
} as const

/** `Provenance.agent.type`. */
export const MAKER = {
  assembler: { coding: [coding(AGENT_TYPES, 'assembler')] },
  author: { coding: [coding(AGENT_TYPES, 'author')] },
} as const

/** `AuditEvent.entity.type`: of the value set audit-entity-type. */
export const ENTITY = {
  person: coding(ENTITY_TYPE, '1', 'Person'),
  object: coding(ENTITY_TYPE, '2', 'System Object'),
  organization: coding(RESOURCES, 'Organization', 'Organization'),
  study: coding(RESOURCES, 'ResearchStudy', 'ResearchStudy'),
  device: coding(RESOURCES, 'Device', 'Device'),
  library: coding(RESOURCES, 'Library', 'Library'),
  contract: coding(RESOURCES, 'Contract', 'Contract'),
  consent: coding(RESOURCES, 'Consent', 'Consent'),
  practitioner: coding(RESOURCES, 'Practitioner', 'Practitioner'),
  audit: coding(RESOURCES, 'AuditEvent', 'AuditEvent'),
} as const

/** `AuditEvent.entity.role`: of the value set object-role. */
export const ROLE = {
  patient: coding(ENTITY_ROLE, '1', 'Patient'),
  report: coding(ENTITY_ROLE, '3', 'Report'),
  resource: coding(ENTITY_ROLE, '4', 'Domain Resource'),
  query: coding(ENTITY_ROLE, '24', 'Query'),
} as const

export const SERVER = [coding(SOURCE_TYPE, '4', 'Application Server')]
export const GUARD = [coding(SOURCE_TYPE, '6', 'Security Server')]

/** Profiles of IHE Basic Audit Log Patterns whose structure a resource has. Create and Update are of what is about no patient. */
export const BALP = {
  create: `${PROFILE}Create`,
  patientCreate: `${PROFILE}PatientCreate`,
  update: `${PROFILE}Update`,
  patientUpdate: `${PROFILE}PatientUpdate`,
  query: `${PROFILE}Query`,
  authorization: `${PROFILE}AuthZconsent`,
  disclosure: `${PROFILE}PrivacyDisclosure.Source`,
} as const

/** The code of an entry's kind, beside the published ones. */
export const kindCoding = (kind: string, display: string): Json => coding('urn:consilium:entry-kind', kind, display)

/** What digests, keys and commitments are identifiers of. */
export const SYSTEM = {
  member: 'urn:consilium:member',
  consortium: 'urn:consilium:consortium',
  entry: 'urn:consilium:entry',
  state: 'urn:consilium:entry-state',
  study: 'urn:consilium:study',
  model: 'urn:consilium:model',
  update: 'urn:consilium:model-update',
  dataset: 'urn:consilium:dataset',
  version: 'urn:consilium:dataset-version',
  versionRoot: 'urn:consilium:dataset-root',
  table: 'urn:consilium:table-commitment',
  query: 'urn:consilium:query-commitment',
  origin: 'urn:consilium:provenance-commitment',
  agreement: 'urn:consilium:agreement',
  consentRoot: 'urn:consilium:consent-root',
  consentWord: 'urn:consilium:consent-commitment',
  patientTag: 'urn:consilium:patient-tag',
  participant: 'urn:consilium:trial-participant',
  position: 'urn:consilium:trial-position',
  person: 'urn:consilium:person',
} as const

/** Whether the entry is final, pending or disputed, where servers look resources up by it (`_tag`). */
export const stateTag = (state: EntryState): Json => ({ tag: [{ system: SYSTEM.state, code: state }] })

/** A reference to something by its identifier, as FHIR has it for what lies on no server. */
export function referTo(system: string, value: string, display?: string, type?: string): Json {
  return {
    ...(type === undefined ? {} : { type }),
    identifier: { system, value },
    ...(display === undefined || display.trim() === '' ? {} : { display }),
  }
}

/** A hospital, by its key. */
export const hospitalOf = (key: string, name: string): Json => referTo(SYSTEM.member, key, name, 'Organization')
