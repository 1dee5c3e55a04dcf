/**
 * FHIR Consent resources (R4, R5 read) to decisions and back. What a resource says beyond this product's terms is refused by name, never
 * dropped: half of a consent is not what the patient said.
 */
import { DUO_CODES, type DuoCode } from '../core/duo.ts'
import { ConsiliumError } from '../core/errors.ts'

/** A consent as these resources have it; the patient by the identifier that the hospital's tables have. */
export interface FhirDecision {
  readonly record: string
  readonly decision: 'permit' | 'deny'
  readonly purposes: readonly DuoCode[] | 'all'
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly by: 'subject' | 'proxy' | 'guardian' | 'court' | 'emergency'
  readonly speaker: string | null
  readonly effectiveAtMs: number
  /** Digest of the one study that it is about; null: of all. */
  readonly study: string | null
}

type Json = Readonly<Record<string, unknown>>

const STUDY_URI = 'urn:consilium:study:'
const ANY_STUDY = 'all' // a Consent of R4 names the policy that it is under, also where it is under no one study's
const ROLE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-RoleCode'
const DUO_SYSTEM = 'http://purl.obolibrary.org/obo/duo.owl'
const SCOPE = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'research' }] }
const CATEGORY = [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }]

const SPEAKER_SYSTEM = 'urn:consilium:speaker' // v3 RoleCode has no court, and nobody who decides when nobody can be asked

/** Codes by which somebody speaks for a patient: of v3 RoleCode, and of our own. */
const ROLES: Readonly<Record<string, Exclude<FhirDecision['by'], 'subject'>>> = {
  GUARD: 'guardian', // guardian
  PRN: 'guardian', // parent
  POWATT: 'proxy', // power of attorney
  HPOWATT: 'proxy', // healthcare power of attorney
  DPOWATT: 'proxy', // durable power of attorney
  SPOWATT: 'proxy', // special power of attorney
  court: 'court',
  emergency: 'emergency',
}

/** How a speaker is written: what kind of resource it is, and in which role. */
const SPOKEN = {
  proxy: { type: 'RelatedPerson', coding: { system: ROLE_SYSTEM, code: 'POWATT' } },
  guardian: { type: 'RelatedPerson', coding: { system: ROLE_SYSTEM, code: 'GUARD' } },
  court: { type: 'Organization', coding: { system: SPEAKER_SYSTEM, code: 'court' } },
  emergency: { type: 'Practitioner', coding: { system: SPEAKER_SYSTEM, code: 'emergency' } },
} as const

// biome-ignore format: two lists
/** Keys of a resource: those that are read, and those that change nothing of what was decided. */
const KEYS = new Set([
  'status', 'patient', 'subject', 'dateTime', 'date', 'performer', 'grantor', 'provision', 'decision', 'policy',
  'resourceType', 'id', 'meta', 'text', 'language', 'identifier', 'scope', 'category', 'organization', 'controller', 'policyRule',
])

/** Reads a resource, a list, a Bundle, or lines of NDJSON. Errors: `fhir-…`, which name resource and path, and quote no identifier. */
export function readConsents(text: string, file: string): FhirDecision[] {
  return resourcesIn(text, file).map(({ resource, where }) => readConsent(resource, where))
}

function resourcesIn(text: string, file: string): { resource: unknown; where: string }[] {
  const whole = tryJson(text)
  if (whole === undefined) {
    const lines = text.split(/\r?\n/)
    return lines.flatMap((line, i) => {
      if (line.trim() === '') return []
      const resource = tryJson(line)
      if (resource === undefined)
        throw fault('fhir-json', `${file}: line ${i + 1}`, 'is not JSON: export it as JSON or NDJSON')
      return [{ resource, where: `${file}: line ${i + 1}` }]
    })
  }
  if (Array.isArray(whole)) return whole.map((resource, i) => ({ resource, where: `${file}: [${i}]` }))
  if (!isObject(whole) || whole.resourceType !== 'Bundle') return [{ resource: whole, where: file }]
  const entries = Array.isArray(whole.entry) ? whole.entry : []
  return entries.map((entry, i) => ({
    resource: (entry as Json | null)?.resource,
    where: `${file}: entry[${i}].resource`,
  }))
}

function readConsent(resource: unknown, where: string): FhirDecision {
  if (!isObject(resource) || resource.resourceType !== 'Consent')
    throw fault('fhir-type', where, 'resourceType: a Consent is expected')
  const unknown = Object.keys(resource).find((key) => !KEYS.has(key))
  if (unknown !== undefined)
    throw fault(
      'fhir-unread',
      where,
      `${unknown}: is not understood, and could change what was decided: record it by hand`,
    )
  const { fromMs, toMs } = readPeriod(provisionOf(resource, where)?.period, `${where}: provision.period`)
  const given = resource.dateTime ?? resource.date
  if (given === undefined) throw fault('fhir-date', where, 'dateTime: when it was given is expected')
  return {
    record: recordIn(
      resource.patient ?? resource.subject,
      `${where}: ${resource.patient === undefined ? 'subject' : 'patient'}`,
    ),
    ...{
      decision: decisionIn(resource, where),
      purposes: purposesIn(provisionOf(resource, where), where),
      fromMs,
      toMs,
    },
    ...speakerIn(resource, where),
    study: studyIn(resource),
    effectiveAtMs: instant(given, `${where}: dateTime`, false),
  }
}

/** `inactive` (R5: withdrawn) is a consent that is taken back. Drafts and rejected ones decide nothing. */
function decisionIn({ status, provision, decision }: Json, where: string): 'permit' | 'deny' {
  if (status === 'inactive') return 'deny'
  if (status !== 'active')
    throw fault('fhir-status', where, `status: ${JSON.stringify(status)} was given, active or inactive is read`)
  const said = decision ?? (isObject(provision) ? provision.type : undefined)
  if (said === 'permit' || said === 'deny') return said
  throw fault(
    'fhir-decision',
    where,
    `provision.type: ${JSON.stringify(said ?? null)} was given, permit or deny is expected`,
  )
}

/** R4 has one provision, R5 a list; provisions within are exceptions, which would change what was decided. */
function provisionOf({ provision }: Json, where: string): Json | null {
  const one = Array.isArray(provision) ? provision[0] : provision
  if (Array.isArray(provision) && provision.length > 1)
    throw fault(
      'fhir-unread',
      where,
      `provision: ${provision.length} were given, one is read: record the others by hand`,
    )
  if (one === undefined) return null
  if (!isObject(one)) throw fault('fhir-unread', where, 'provision: an object is expected')
  const unknown = Object.keys(one).find((key) => !['type', 'period', 'purpose', 'id'].includes(key))
  if (unknown === undefined) return one
  throw fault(
    'fhir-unread',
    where,
    `provision.${unknown}: is not understood, and could change what was decided: record it by hand`,
  )
}

function purposesIn(provision: Json | null, where: string): FhirDecision['purposes'] {
  if (provision?.purpose === undefined) return 'all'
  const codings = Array.isArray(provision.purpose) ? provision.purpose : []
  const codes = codings.map((coding, i) => {
    const { system, code } = isObject(coding) ? coding : {}
    const known = DUO_CODES.find((one) => one === code)
    if (system === DUO_SYSTEM && known !== undefined) return known
    const message = `provision.purpose[${i}]: ${JSON.stringify(code ?? null)} of ${JSON.stringify(system ?? null)} was given, codes of ${DUO_SYSTEM} are read: ${DUO_CODES.join(', ')}`
    throw fault('fhir-purpose', where, message)
  })
  if (codes.length === 0) throw fault('fhir-purpose', where, 'provision.purpose: a list of codes is expected')
  return [...new Set(codes)].sort()
}

function recordIn(reference: unknown, where: string): string {
  const given = isObject(reference) ? reference : {}
  const identifier = isObject(given.identifier) ? given.identifier.value : undefined
  const record = typeof identifier === 'string' ? identifier.trim() : patientIn(given)
  if (record !== undefined && record !== '') return record.normalize('NFC')
  throw fault('fhir-patient', where, 'an identifier with the record number, or a reference Patient/NUMBER, is expected')
}

/** R4 names who agreed as performer, R5 as grantor; the patient, or somebody in a role. */
function speakerIn({ performer, grantor }: Json, where: string): Pick<FhirDecision, 'by' | 'speaker'> {
  const who = performer ?? grantor
  const first = Array.isArray(who) ? who[0] : undefined
  if (!isObject(first) || patientIn(first) !== undefined) return { by: 'subject', speaker: null }
  const speaker = first.display ?? first.reference
  if (typeof speaker === 'string' && speaker !== '') return { by: ROLES[roleIn(first) ?? ''] ?? 'proxy', speaker }
  throw fault(
    'fhir-speaker',
    where,
    'performer[0]: a display or a reference that says who speaks for the patient is expected',
  )
}

function roleIn({ identifier }: Json): string | undefined {
  const type = isObject(identifier) ? identifier.type : undefined
  const codings = isObject(type) && Array.isArray(type.coding) ? type.coding : []
  const coding = codings.find((one) => isObject(one) && (one.system === ROLE_SYSTEM || one.system === SPEAKER_SYSTEM))
  return isObject(coding) && typeof coding.code === 'string' ? coding.code : undefined
}

/** The number in a reference to a patient. */
function patientIn({ reference }: Json): string | undefined {
  return typeof reference === 'string' ? /^(?:.*\/)?Patient\/([A-Za-z0-9.-]{1,64})$/.exec(reference)?.[1] : undefined
}

/** A study that it is about alone, as this product writes it; other policies bind who uses, and decide nothing here. */
function studyIn({ policy }: Json): FhirDecision['study'] {
  const uris = Array.isArray(policy) ? policy.map((one) => (isObject(one) ? one.uri : undefined)) : []
  const ours = uris.find((uri) => typeof uri === 'string' && uri.startsWith(STUDY_URI)) as string | undefined
  const study = ours?.slice(STUDY_URI.length) ?? ANY_STUDY
  return study === ANY_STUDY ? null : study
}

function readPeriod(period: unknown, where: string): { readonly fromMs: number | null; readonly toMs: number | null } {
  if (period === undefined) return { fromMs: null, toMs: null }
  const { start, end } = isObject(period) ? period : {}
  return {
    fromMs: start === undefined ? null : instant(start, `${where}.start`, false),
    toMs: end === undefined ? null : instant(end, `${where}.end`, true),
  }
}

const INSTANT = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?)?)?$/

/** A dateTime of FHIR: its beginning, by UTC where it has no zone; `ends`: the moment after it, for an end is meant to be part of a period. */
function instant(given: unknown, where: string, ends: boolean): number {
  const match = typeof given === 'string' ? INSTANT.exec(given) : null
  const ms = match === null ? Number.NaN : Date.parse(given as string)
  if (match === null || Number.isNaN(ms))
    throw fault('fhir-date', where, `${JSON.stringify(given)} was given, a date or dateTime of FHIR is expected`)
  if (!ends) return ms
  const [, year, month, day] = match.map(Number) as [number, number, number, number]
  if ((given as string).includes('T')) return ms + 1
  if (match[3] !== undefined) return Date.UTC(year, month - 1, day + 1)
  return match[2] === undefined ? Date.UTC(year + 1, 0) : Date.UTC(year, month)
}

/** A decision as a Consent of R4. `receivedAtMs` is when it came here. */
export function consentResource(one: FhirDecision, receivedAtMs: number): Json {
  const { record, decision, purposes, fromMs, toMs, by, speaker, effectiveAtMs, study } = one
  const period = {
    ...(fromMs === null ? {} : { start: new Date(fromMs).toISOString() }),
    ...(toMs === null ? {} : { end: new Date(toMs - 1).toISOString() }),
  }
  return {
    resourceType: 'Consent',
    meta: { lastUpdated: new Date(receivedAtMs).toISOString() },
    status: 'active',
    scope: SCOPE,
    category: CATEGORY,
    patient: { identifier: { value: record } },
    dateTime: new Date(effectiveAtMs).toISOString(),
    ...(by === 'subject' ? {} : { performer: [performerOf(SPOKEN[by], speaker)] }),
    policy: [{ uri: `${STUDY_URI}${study ?? ANY_STUDY}` }],
    provision: {
      type: decision,
      ...(fromMs === null && toMs === null ? {} : { period }),
      ...(purposes === 'all' ? {} : { purpose: purposes.map((code) => ({ system: DUO_SYSTEM, code })) }),
    },
  }
}

function performerOf({ type, coding }: (typeof SPOKEN)[keyof typeof SPOKEN], display: string | null): Json {
  return { type, identifier: { type: { coding: [coding] } }, display }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function fault(code: string, where: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message: `${where}: ${message}` })
}
