/**
 * Entries as FHIR R4 AuditEvent, after the Basic Audit Log Patterns of IHE (BALP). The patterns are of RESTful operations: an entry is told of as
 * the operation of its author's node on the shared log. Hospitals and people are keys and commitments, patients are tags.
 */
import { toHex } from '../../core/bytes.ts'
import type { MemberId } from '../../core/ids.ts'
import { studyIn } from '../../governance/studyText.ts'
import { type ExportContext, type Exported, fieldsOf, instant, placeOf } from './exported.ts'
import {
  AGENT,
  BALP,
  ENTITY,
  EVENT,
  GUARD,
  hospitalOf,
  type Json,
  kindCoding,
  ROLE,
  referTo,
  SERVER,
  SUBTYPE,
  SYSTEM,
} from './fhirTerms.ts'
import type { AuditPattern } from './kindTable.ts'

const NAME_CHARACTERS_MAX = 120
const ID_DIGITS = 57 // of a hash, where a word follows: ids have 64 characters at most

/** What is told of as a decision, and not as an operation. */
type Decision = 'permit' | 'deny'

interface Pattern {
  readonly type: Json
  readonly subtype: Json | null
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E'
  /** 0 success, 4 minor failure, 8 serious failure. */
  readonly outcome: '0' | '4' | '8'
  readonly profile: string | null
}

const PATTERNS: Readonly<Record<Exclude<AuditPattern, Decision>, Pattern>> = {
  create: { type: EVENT.rest, subtype: SUBTYPE.create, action: 'C', outcome: '0', profile: BALP.create },
  update: { type: EVENT.rest, subtype: SUBTYPE.update, action: 'U', outcome: '0', profile: BALP.update },
  delete: { type: EVENT.rest, subtype: SUBTYPE.delete, action: 'D', outcome: '0', profile: BALP.delete },
  read: { type: EVENT.rest, subtype: SUBTYPE.read, action: 'R', outcome: '0', profile: BALP.read },
  query: { type: EVENT.rest, subtype: SUBTYPE.search, action: 'E', outcome: '0', profile: BALP.query },
  execute: { type: EVENT.activity, subtype: null, action: 'E', outcome: '0', profile: null },
  export: { type: EVENT.export, subtype: null, action: 'R', outcome: '0', profile: null },
  disclose: { type: EVENT.export, subtype: SUBTYPE.disclose, action: 'R', outcome: '0', profile: BALP.disclosure },
  alert: { type: EVENT.alert, subtype: null, action: 'E', outcome: '4', profile: null },
  attest: { type: EVENT.attest, subtype: null, action: 'E', outcome: '0', profile: null },
  start: { type: EVENT.activity, subtype: SUBTYPE.start, action: 'E', outcome: '0', profile: null },
  stop: { type: EVENT.activity, subtype: SUBTYPE.stop, action: 'E', outcome: '0', profile: null },
}

/** The resources of an entry: what happened, and where it rests on patients' words or was forbidden, the decision. */
export function auditEventsOf(exported: Exported, context: ExportContext): Json[] {
  const { kind, body, row } = exported
  if (row.audit === 'permit' || row.audit === 'deny')
    return [decision(exported, context, row.audit, exported.entry.hash)]
  const consent = kind === 'round.trained' ? (body?.consent as { root: Uint8Array } | undefined) : undefined
  const event = eventOf(exported, context, row.audit)
  if (consent === undefined) return [event]
  const id = `${exported.entry.hash.slice(0, ID_DIGITS)}-permit`
  return [event, decision(exported, context, 'permit', id)]
}

function eventOf(exported: Exported, context: ExportContext, name: Exclude<AuditPattern, Decision>): Json {
  const { entry, row, kind, body } = exported
  const { type, subtype, action, outcome, profile } = PATTERNS[name]
  const patients = patientsOf(exported)
  const claimed = profile === BALP.create && patients.length === 1 ? BALP.patientCreate : profile
  const ends =
    kind === 'model.served' ? { start: instant(body?.fromMs as number), end: instant(body?.toMs as number) } : null
  return {
    resourceType: 'AuditEvent',
    id: entry.hash,
    ...(claimed === null ? {} : { meta: { profile: [claimed] } }),
    type,
    subtype: [...(subtype === null ? [] : [subtype]), kindCoding(entry.kind, row.says)],
    action,
    ...(ends === null ? {} : { period: ends }),
    recorded: instant(entry.timeMs),
    outcome,
    outcomeDesc: `${row.says}${entry.body === null ? '; its body was dropped' : ''}`,
    agent: [...agentsOf(exported, context, name), ...personOf(exported)],
    source: { site: exported.hospital, observer: hospitalOf(entry.author, exported.hospital), type: SERVER },
    entity: [dataOf(exported), ...studyOf(exported), ...othersOf(exported, context), ...patients],
  }
}

/** The node, and what it wrote to: the log that all members have, or who received something. */
function agentsOf(exported: Exported, context: ExportContext, name: Exclude<AuditPattern, Decision>): Json[] {
  const { entry, hospital, kind } = exported
  const requestor = kind !== 'person.acted' // there the person is
  const own = { who: hospitalOf(entry.author, hospital), requestor, network: addressOf(entry.author) }
  const log = {
    who: referTo(SYSTEM.consortium, context.founding, context.consortium, 'Organization'),
    requestor: false,
    network: { address: `${SYSTEM.consortium}:${context.founding}`, type: '5' },
  }
  if (name === 'disclose')
    return [
      { type: AGENT.from, ...own },
      { type: AGENT.to, who: { display: TO_PATIENT }, requestor: false, network: NOT_KNOWN },
    ]
  return [
    { type: AGENT.from, ...own },
    { type: AGENT.to, ...log },
  ]
}

const TO_PATIENT = 'the patient, or who speaks for the patient: known to the hospital alone'
const NOT_KNOWN: Json = {
  _address: {
    extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
  },
}

/** Nodes are reached by their keys: the address says nothing of where a machine stands. */
const addressOf = (member: MemberId): Json => ({ address: `${SYSTEM.member}:${member}`, type: '5' })

/** Who signed, by commitment. */
function personOf({ kind, body, hospital }: Exported): Json[] {
  if (kind !== 'person.acted') return []
  const person = toHex(body?.person as Uint8Array)
  return [
    {
      type: AGENT.person,
      who: referTo(SYSTEM.person, person, `person ${person.slice(0, 12)} of ${hospital}`, 'Practitioner'),
      requestor: true,
    },
  ]
}

/** The entry itself, with what it says. */
function dataOf(exported: Exported): Json {
  const { entry, row, kind, body } = exported
  const { audit } = row
  const name = kind === 'study.proposed' ? studyIn(body?.document as Uint8Array)?.name : undefined
  const details = fieldsOf(body).map(([type, valueString]) => ({ type, valueString }))
  return {
    what: referTo(SYSTEM.entry, entry.hash, placeOf(exported)),
    type: ENTITY.object,
    role: audit === 'disclose' ? ROLE.report : audit === 'query' ? ROLE.query : ROLE.resource,
    ...(audit === 'query' && body?.document instanceof Uint8Array
      ? { query: Buffer.from(body.document).toString('base64') }
      : {}),
    ...(name === undefined || name.trim() === '' ? {} : { name: name.slice(0, NAME_CHARACTERS_MAX) }),
    ...(details.length === 0 ? {} : { detail: details }),
  }
}

const studyOf = ({ entry }: Exported): Json[] =>
  entry.study === null
    ? []
    : [{ what: referTo(SYSTEM.study, entry.study, undefined, 'ResearchStudy'), type: ENTITY.study }]

/** Fields of bodies that name something, and what. */
const NAMED: Readonly<
  Record<string, { readonly system: string; readonly type: keyof typeof ENTITY; readonly as?: string }>
> = {
  model: { system: SYSTEM.model, type: 'device', as: 'Device' },
  result: { system: SYSTEM.model, type: 'device', as: 'Device' },
  base: { system: SYSTEM.model, type: 'device', as: 'Device' },
  update: { system: SYSTEM.update, type: 'device', as: 'Device' },
  dataset: { system: SYSTEM.dataset, type: 'library', as: 'Library' },
  commitment: { system: SYSTEM.table, type: 'library', as: 'Library' },
  version: { system: SYSTEM.versionRoot, type: 'library', as: 'Library' },
  agreement: { system: SYSTEM.agreement, type: 'contract', as: 'Contract' },
  member: { system: SYSTEM.member, type: 'organization', as: 'Organization' },
  author: { system: SYSTEM.member, type: 'organization', as: 'Organization' },
  person: { system: SYSTEM.person, type: 'practitioner', as: 'Practitioner' },
}

/** Models, tables, agreements, members and people that the body names, and entries that it cites as signed for. */
function othersOf({ entry, kind, body }: Exported, context: ExportContext): Json[] {
  const named = Object.entries(body ?? {}).flatMap(([field, value]): Json[] => {
    const found = Object.hasOwn(NAMED, field) ? NAMED[field] : undefined
    if (found === undefined || !(value instanceof Uint8Array)) return []
    const hex = toHex(value)
    const name = found.type === 'organization' ? context.nameOf(hex as MemberId) : undefined
    const system = kind === 'round.trained' && field === 'dataset' ? SYSTEM.table : found.system
    return [{ what: referTo(system, hex, name, found.as), type: ENTITY[found.type] }]
  })
  const cited = kind === 'person.acted' ? entry.refs : []
  return [
    ...named,
    ...cited.map(([, , hash]) => ({
      what: { reference: `AuditEvent/${hash}`, type: 'AuditEvent' },
      type: ENTITY.audit,
    })),
  ]
}

/** Patients by the tag of that month, each with the commitment to what was said; of what is handed out nobody is named. */
function patientsOf({ kind, body }: Exported): Json[] {
  if (kind === 'subject.disclosed')
    return [{ what: { type: 'Patient', display: TO_PATIENT }, type: ENTITY.person, role: ROLE.patient }]
  if (kind !== 'consent.recorded') return []
  const { items = [] } = (body ?? {}) as { items?: [Uint8Array, Uint8Array][] }
  return items.map(([tag, word]) => ({
    what: referTo(SYSTEM.patientTag, toHex(tag), undefined, 'Patient'),
    type: ENTITY.person,
    role: ROLE.patient,
    detail: [{ type: 'consent commitment', valueString: toHex(word) }],
  }))
}

/**
 * What BALP calls an authorization decision: by the node itself, on patients' words or on an agreement; by its people, on a request for access.
 * The pattern wants one patient; the log names none here, and the reference says so.
 */
function decision(exported: Exported, context: ExportContext, said: 'permit' | 'deny', id: string): Json {
  const { entry, hospital } = exported
  const own = hospitalOf(entry.author, hospital)
  return {
    resourceType: 'AuditEvent',
    id,
    meta: { profile: [BALP.authorization] },
    type: EVENT.alert,
    subtype: [SUBTYPE.consent],
    action: 'E',
    recorded: instant(entry.timeMs),
    outcome: said === 'permit' ? '0' : '8',
    outcomeDesc: `${said}: ${why(exported)}`,
    agent: [
      { type: AGENT.application, who: own, requestor: false, network: addressOf(entry.author) },
      { type: AGENT.recipient, who: referTo(SYSTEM.consortium, context.founding, context.consortium), requestor: true },
      { type: AGENT.provider, who: own, requestor: false },
      { type: AGENT.decides, who: own, requestor: false },
    ],
    source: { site: hospital, observer: own, type: GUARD },
    entity: [
      { what: { type: 'Patient', display: noPatient(exported) }, type: ENTITY.person, role: ROLE.patient },
      basisOf(exported),
    ],
  }
}

const noPatient = ({ entry }: Exported): string =>
  `patients of the ${isAccess(entry.kind) ? 'dataset' : 'study at this hospital'}: none is named`
const isAccess = (kind: string): boolean => kind.startsWith('access.')

function why({ kind, row, body }: Exported): string {
  if (kind === 'round.trained') return 'training used the rows of those whom their words permit'
  const told = [body?.reason, body?.action].filter((one) => typeof one === 'string')
  return told.length === 0 ? row.says : `${row.says}: ${told[0]}${told.length === 1 ? '' : ` (${told[1]})`}`
}

/** What a decision rests on. */
function basisOf(exported: Exported): Json {
  const { entry, body } = exported
  const consent = body?.consent as { readonly root: Uint8Array; readonly basis: string } | undefined
  const agreement = body?.agreement instanceof Uint8Array ? toHex(body.agreement) : null
  const details = [
    ...(entry.study === null ? [] : [['study', entry.study]]),
    ...(consent === undefined ? fieldsOf(body) : [['basis', consent.basis]]),
    ['entry', entry.hash],
  ]
  const request = body?.request instanceof Uint8Array ? toHex(body.request) : null
  const what = isAccess(entry.kind)
    ? { ...(request === null ? {} : referTo(SYSTEM.entry, request)), display: 'request for access' }
    : consent !== undefined
      ? referTo(SYSTEM.consentRoot, toHex(consent.root), 'root over how each patient stood', 'Consent')
      : agreement !== null
        ? referTo(SYSTEM.agreement, agreement, 'data-sharing agreement')
        : { display: 'no agreement is in force' }
  return { what, type: ENTITY.consent, detail: details.map(([type, valueString]) => ({ type, valueString })) }
}
