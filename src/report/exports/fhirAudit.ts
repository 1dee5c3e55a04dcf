/**
 * Entries as FHIR R4 AuditEvent, after the Basic Audit Log Patterns of IHE (BALP). The patterns are of RESTful operations: an entry is told of as
 * the operation of its author's node on the shared log. Hospitals and people are keys and commitments, patients are tags. It is written as JSON
 * at once, for exports have millions of lines that differ in little.
 */
import { toHex, utf8 } from '../../core/bytes.ts'
import type { MemberId } from '../../core/ids.ts'
import { isKind } from '../../governance/kinds.ts'
import { studyIn } from '../../governance/studyText.ts'
import { type ExportContext, type Exported, fieldsOf, instant } from './exported.ts'
import {
  type AuthorText,
  authorText,
  jsonOf,
  KIND_TEXTS,
  kindText,
  metaOf,
  PATTERNS,
  TO_PATIENT,
  unreadOf,
} from './fhirAuditText.ts'
import { AGENT, BALP, ENTITY, EVENT, hospitalOf, type Json, ROLE, referTo, SUBTYPE, SYSTEM } from './fhirTerms.ts'

const NAME_CHARACTERS_MAX = 120
const ID_DIGITS = 57 // of a hash, where a word follows: ids have 64 characters at most

/** An entry with what its lines are made of. */
interface Line extends Exported {
  readonly context: ExportContext
  readonly by: AuthorText
  readonly hash: string
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/** The resources of an entry as JSON: what happened, and where it rests on patients' words or was forbidden, the decision. */
export function auditEventsOf(exported: Exported, context: ExportContext): string[] {
  const { kind, body, row, entry, state, hospital } = exported
  const { hash } = entry
  const by = authorText(exported, context)
  const line: Line = { entry, state, kind, body, row, hospital, context, by, hash, fields: fieldsOf(body) } // spreading costs a tenth of a line
  if (row.audit === 'permit' || row.audit === 'deny') return [decision(line, row.audit, hash)]
  const event = eventOf(line, row.audit)
  if (kind !== 'round.trained' || body?.consent === undefined) return [event]
  return [event, decision(line, 'permit', `${hash.slice(0, ID_DIGITS)}-permit`)]
}

function eventOf(line: Line, name: keyof typeof PATTERNS): string {
  const { entry, state, row, kind, body, by, hash } = line
  const { profile } = PATTERNS[name]
  const patients = patientsOf(line)
  const claimed = ABOUT_PATIENTS.has(entry.kind) ? (patients.length === 1 ? withPatient(profile) : null) : profile
  const { type, outcome } = isKind(entry.kind) ? KIND_TEXTS[entry.kind] : kindText(entry.kind, row)
  const [from, to] = [Number(body?.fromMs), Number(body?.toMs)]
  const isPeriod = kind === 'model.served' && from <= to // R4 has no other, and nobody keeps an author from declaring one
  const period = isPeriod ? `"period":{"start":"${instant(from)}","end":"${instant(to)}"},` : ''
  const entities =
    dataOf(line) + studyOf(line) + othersOf(line) + (patients.length === 0 ? '' : `,${patients.join(',')}`)
  return `{"resourceType":"AuditEvent","id":"${hash}",${metaOf(claimed, state)}${type},${period}"recorded":"${instant(entry.timeMs)}",${outcome}${unreadOf(line)}","agent":[${agentsOf(line, name)}],"source":${by.source},"entity":[${entities}]}`
}

/** The node, and what it wrote to: the log that all members have, or who received something. */
function agentsOf({ entry, by, body, hospital }: Line, name: keyof typeof PATTERNS): string {
  if (name === 'disclose') return by.handingOut
  if (name === 'file') return by.writing
  if (entry.kind !== 'person.acted') return by.agents
  const person = body === null ? null : toHex(body.person as Uint8Array)
  const who =
    person === null
      ? { type: 'Practitioner', display: `a person of ${hospital}: the entry does not say who` }
      : referTo(SYSTEM.person, person, `person ${person.slice(0, 12)} of ${hospital}`, 'Practitioner')
  return `${by.agentsOfPerson},${jsonOf({ type: AGENT.person, who, requestor: true })}`
}

const [OBJECT, RESOURCE, REPORT, PATIENT, PERSON] = [
  ...[ENTITY.object, ROLE.resource, ROLE.report, ROLE.patient, ENTITY.person].map(jsonOf),
] as [string, string, string, string, string]

/** The entry itself, with what it says. */
function dataOf(line: Line): string {
  const { entry, row, kind, body, by, hash, fields } = line
  if (row.audit === 'query') return jsonOf(questionOf(line))
  const name = kind === 'study.proposed' ? studyIn(body?.document as Uint8Array)?.name : undefined
  const named = name === undefined || name.trim() === '' ? '' : `,"name":${jsonOf(name.slice(0, NAME_CHARACTERS_MAX))}`
  let details = ''
  for (const [type, value] of fields) {
    const given = body?.[type]
    const isPlain = typeof given === 'number' || given instanceof Uint8Array // digits, which JSON has as they are
    details += `${details && ','}{"type":"${type}","valueString":${isPlain ? `"${value}"` : jsonOf(value)}}`
  }
  const told = details === '' ? '' : `,"detail":[${details}]`
  const role = row.audit === 'disclose' ? REPORT : RESOURCE
  return `{"what":{"identifier":{"system":"${SYSTEM.entry}","value":"${hash}"},"display":${by.place}${entry.seq}"},"type":${OBJECT},"role":${role}${named}${told}}`
}

/** BALP lets a query have no other details. */
function questionOf({ hash, body }: Line): Json {
  const document = body?.document instanceof Uint8Array ? body.document : utf8(hash)
  return { type: ENTITY.object, role: ROLE.query, query: Buffer.from(document).toString('base64') }
}

const TYPES = Object.fromEntries(Object.entries(ENTITY).map(([name, coding]) => [name, jsonOf(coding)]))

/** Something that is known by a digest or a key; `more` of it as JSON, with a comma before. */
function entityOf(type: keyof typeof ENTITY, as: string | undefined, system: string, value: string, more = ''): string {
  const typed = as === undefined ? '' : `"type":"${as}",`
  return `{"what":{${typed}"identifier":{"system":"${system}","value":"${value}"}${more}},"type":${TYPES[type]}}`
}

const studyOf = ({ entry }: Line): string =>
  entry.study === null ? '' : `,${entityOf('study', 'ResearchStudy', SYSTEM.study, entry.study)}`

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

/** Models, tables, agreements, members and people that the body names, and entries that it cites as signed for; each after a comma. */
function othersOf({ entry, kind, body, context, fields }: Line): string {
  let found = ''
  for (const [field, text] of fields) {
    const named = Object.hasOwn(NAMED, field) ? NAMED[field] : undefined
    const value = body?.[field]
    if (named === undefined || !(value instanceof Uint8Array)) continue
    const hex = text.length === 2 * value.length ? text : toHex(value)
    const name = named.type === 'organization' ? context.nameOf(hex as MemberId) : undefined
    const display = name === undefined || name.trim() === '' ? '' : `,"display":${jsonOf(name)}`
    const system = kind === 'round.trained' && field === 'dataset' ? SYSTEM.table : named.system
    found += `,${entityOf(named.type, named.as, system, hex, display)}`
  }
  if (kind === 'person.acted')
    for (const [, , hash] of entry.refs)
      found += `,{"what":{"reference":"AuditEvent/${hash}","type":"AuditEvent"},"type":${TYPES.audit}}`
  return found
}

const NOBODY_NAMED = jsonOf({
  what: { type: 'Patient', display: TO_PATIENT },
  ...{ type: ENTITY.person, role: ROLE.patient },
})

/** Kinds about patients, whether or not an entry names one: BALP's Create and Update are of what is about none. */
const ABOUT_PATIENTS: ReadonlySet<string> = new Set([
  ...['consent.recorded', 'trial.enrolled', 'trial.allocated', 'trial.event', 'trial.opened'],
])

const withPatient = (profile: string | null): string | null =>
  profile === BALP.create ? BALP.patientCreate : profile === BALP.update ? BALP.patientUpdate : null

/**
 * Patients by the tag of that month, each with the commitment to what was said; participants of a trial by what the entry has of them; of what
 * is handed out nobody is named.
 */
function patientsOf(line: Line): string[] {
  const { entry, kind, body } = line
  if (entry.kind === 'subject.disclosed') return [NOBODY_NAMED] // without its body too: the profile wants one
  if (kind !== 'consent.recorded') return participantsOf(line)
  const { items = [] } = (body ?? {}) as { items?: [Uint8Array, Uint8Array][] }
  return items.map(([tag, word]) => {
    const what = `{"type":"Patient","identifier":{"system":"${SYSTEM.patientTag}","value":"${toHex(tag)}"}}`
    const said = `[{"type":"consent commitment","valueString":"${toHex(word)}"}]`
    return `{"what":${what},"type":${PERSON},"role":${PATIENT},"detail":${said}}`
  })
}

/** The participant whom an entry of a trial is about: by the tag where it has it, else by the enrolment or the position, which its enrolment has. */
function participantsOf({ kind, body }: Line): string[] {
  const hex = (field: string): string => toHex(body?.[field] as Uint8Array)
  const by = (system: string, value: string): string[] => {
    const what = `{"type":"Patient","identifier":{"system":"${system}","value":"${value}"}}`
    return [`{"what":${what},"type":${PERSON},"role":${PATIENT}}`]
  }
  switch (kind) {
    case 'trial.enrolled':
    case 'trial.event':
      return by(SYSTEM.participant, hex('tag'))
    case 'trial.allocated':
      return by(SYSTEM.entry, hex('enrolled'))
    case 'trial.opened':
      return by(SYSTEM.position, `${hex('list')}/${body?.position}`)
    default:
      return []
  }
}

const DECISION = `"type":${jsonOf(EVENT.alert)},"subtype":${jsonOf([SUBTYPE.consent])},"action":"E"`

/**
 * What BALP calls an authorization decision: by the node itself, on patients' words or on an agreement; by its people, on a request for access.
 * The pattern wants one patient; the log names none here, and the reference says so.
 */
function decision(line: Line, said: 'permit' | 'deny', id: string): string {
  const { entry, state, by } = line
  const patient = { what: { type: 'Patient', display: noPatient(line) }, type: ENTITY.person, role: ROLE.patient }
  const outcome = `"outcome":"${said === 'permit' ? '0' : '8'}","outcomeDesc":${jsonOf(`${said}: ${why(line)}${unreadOf(line)}`)}`
  const agents = `${by.deciding},${recipientOf(line)},${by.answering}`
  return `{"resourceType":"AuditEvent","id":"${id}",${metaOf(BALP.authorization, state)}${DECISION},"recorded":"${instant(entry.timeMs)}",${outcome},"agent":[${agents}],"source":${by.guard},"entity":[${jsonOf(patient)},${jsonOf(basisOf(line))}]}`
}

/** Whom the decision is for: who asked for access, by the request that is cited; else those who would get what comes of the rows. */
function recipientOf({ entry, body, by, context }: Line): string {
  if (!isAccess(entry.kind)) return by.members
  const request = body?.request instanceof Uint8Array ? toHex(body.request) : null
  const asker = entry.refs.find(([, , hash]) => hash === request)?.[0]
  const who =
    asker === undefined ? { display: NOT_CITED } : hospitalOf(asker, context.nameOf(asker) ?? asker.slice(0, 12))
  return jsonOf({ type: AGENT.recipient, who, requestor: true })
}

const NOT_CITED = 'the member who asked: the entry does not say which'

const noPatient = ({ entry }: Line): string =>
  `patients of the ${isAccess(entry.kind) ? 'dataset' : 'study at this hospital'}: none is named`
/** A word on a request; `access.denied` is of the own table, which nobody asked for. */
const isAccess = (kind: string): boolean => kind.startsWith('access.') && kind !== DENIED
const DENIED = 'access.denied'

function why({ kind, row, body }: Line): string {
  if (kind === 'round.trained') return 'training used the rows of those whom their words permit'
  const told = [body?.reason, body?.action].filter((one) => typeof one === 'string')
  return told.length === 0 ? row.says : `${row.says}: ${told[0]}${told.length === 1 ? '' : ` (${told[1]})`}`
}

/** What a decision rests on. */
function basisOf({ entry, body, fields, hash }: Line): Json {
  const consent = body?.consent as { readonly root: Uint8Array; readonly basis: string } | undefined
  const agreement = body?.agreement instanceof Uint8Array ? toHex(body.agreement) : null
  const details = [
    ...(entry.study === null ? [] : [['study', entry.study]]),
    ...(consent === undefined ? fields : [['basis', consent.basis]]),
    ['entry', hash],
  ]
  const request = body?.request instanceof Uint8Array ? toHex(body.request) : null
  const what = isAccess(entry.kind)
    ? { ...(request === null ? {} : referTo(SYSTEM.entry, request)), display: 'request for access' }
    : consent !== undefined
      ? referTo(SYSTEM.consentRoot, toHex(consent.root), 'root over how each patient stood', 'Consent')
      : agreement !== null
        ? referTo(SYSTEM.agreement, agreement, 'data-sharing agreement')
        : {
            display:
              body === null
                ? 'the entry does not say'
                : `no ${entry.kind === DENIED ? 'grant' : 'agreement'} is in force`,
          }
  return { what, type: ENTITY.consent, detail: details.map(([type, valueString]) => ({ type, valueString })) }
}
