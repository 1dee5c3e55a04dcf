/**
 * FHIR Provenance of R4, read as the origin of a table that is registered: only who, when and how many is kept; the whole stays a commitment to
 * the file.
 */
import { ConsiliumError } from '../core/errors.ts'

type Json = Readonly<Record<string, unknown>>

/** What the origin of a table says, for the hospital's own terminal. */
export interface DatasetOrigin {
  readonly recordedAtMs: number
  readonly targets: number
  /** Organisations that took part, as it names them; people are not kept. */
  readonly organisations: readonly string[]
}

const ROLES = ['derivation', 'revision', 'quotation', 'source', 'removal'] as const
const NAME_CHARACTERS_MAX = 200
const ORGANISATIONS_MAX = 64

/** Reads one Provenance of R4. Errors: `fhir-…`, which name the path and quote no name. */
export function readProvenance(text: string, file: string): DatasetOrigin {
  const resource = parse(text, file)
  if (!isObject(resource) || resource.resourceType !== 'Provenance')
    throw fault('fhir-type', file, 'resourceType: a Provenance is expected, one in the file')
  if (resource.modifierExtension !== undefined)
    throw fault('fhir-unread', file, 'modifierExtension: could change what the rest means, and is not understood')
  const targets = listOf(resource.target, `${file}: target`, 'what it is about')
  for (const [i, target] of targets.entries()) requireReference(target, `${file}: target[${i}]`)
  const agents = listOf(resource.agent, `${file}: agent`, 'who took part')
  const organisations = agents.flatMap((agent, i) => organisationsIn(agent, `${file}: agent[${i}]`))
  const entities = resource.entity === undefined ? [] : listOf(resource.entity, `${file}: entity`, 'what was used')
  for (const [i, entity] of entities.entries()) checkEntity(entity, `${file}: entity[${i}]`)
  const recordedAtMs = instant(resource.recorded, `${file}: recorded`)
  return {
    recordedAtMs,
    targets: targets.length,
    organisations: [...new Set(organisations)].slice(0, ORGANISATIONS_MAX),
  }
}

function checkEntity(entity: unknown, where: string): void {
  if (!isObject(entity)) throw fault('fhir-entity', where, 'an object is expected')
  if (!(ROLES as readonly unknown[]).includes(entity.role))
    throw fault('fhir-entity', `${where}.role`, `${ROLES.join(', ')} are allowed`)
  requireReference(entity.what, `${where}.what`)
}

/** Who acted, and for whom: those that are said to be organisations. */
function organisationsIn(agent: unknown, where: string): string[] {
  if (!isObject(agent)) throw fault('fhir-agent', where, 'an object with who is expected')
  requireReference(agent.who, `${where}.who`)
  if (agent.onBehalfOf !== undefined) requireReference(agent.onBehalfOf, `${where}.onBehalfOf`)
  return [agent.who, agent.onBehalfOf].flatMap((one) => {
    if (!isObject(one)) return []
    const { type, reference, display } = one
    const isOrganisation =
      type === 'Organization' || (typeof reference === 'string' && /(?:^|\/)Organization\//.test(reference))
    const name = typeof display === 'string' ? display : reference
    return isOrganisation && typeof name === 'string' ? [name.slice(0, NAME_CHARACTERS_MAX)] : []
  })
}

/** A Reference of FHIR says something: where, which, or in words. */
function requireReference(given: unknown, where: string): void {
  const { reference, identifier, display } = isObject(given) ? given : {}
  const texts = [reference, isObject(identifier) ? identifier.value : undefined, display]
  if (texts.some((text) => typeof text === 'string' && text.trim() !== '')) return
  throw fault('fhir-reference', where, 'a reference, an identifier with a value, or a display is expected')
}

function listOf(given: unknown, where: string, what: string): readonly unknown[] {
  if (Array.isArray(given) && given.length > 0) return given
  throw fault('fhir-missing', where, `a list that says ${what} is expected, with one at least`)
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

function instant(given: unknown, where: string): number {
  const ms = typeof given === 'string' && INSTANT.test(given) ? Date.parse(given) : Number.NaN
  if (!Number.isNaN(ms)) return ms
  throw fault('fhir-date', where, 'an instant with its zone is expected, such as 2026-11-22T10:00:00Z')
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch {
    throw fault('fhir-json', file, 'is not JSON: export the resource as JSON')
  }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

function fault(code: string, where: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message: `${where}: ${message}` })
}
