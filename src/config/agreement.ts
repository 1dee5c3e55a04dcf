/** A data-sharing agreement: read strictly from YAML, written as the canonical document that is hashed and signed by its parties. */
import { equalBytes } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { type DuoCode, isUse } from '../core/duo.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { AgreementId, Digest, MemberId, StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import {
  type AgreementAction,
  agreementSchema,
  type Duty,
  type POOL_UNITS,
  type SETTLEMENT_RULES,
} from './agreementSchema.ts'
import type { Study } from './study.ts'
import { type Complaint, oneLine, parseYaml, readValue } from './yaml.ts'

/** Who is asked to sign; `required`: without its signature the agreement binds and permits nobody. */
export interface Party {
  readonly member: MemberId
  /** A word of the agreement's own, which a workflow may name. */
  readonly role: string | null
  readonly required: boolean
}

/** Who may bring an event about: one party, any party in that role, or so many parties, each saying it. */
export type Who =
  | { readonly kind: 'party'; readonly member: MemberId }
  | { readonly kind: 'role'; readonly role: string }
  | { readonly kind: 'any'; readonly of: number }

/** From one state to another by an event. */
export interface Transition {
  readonly event: string
  readonly from: string
  readonly to: string
  readonly who: Who
}

/** States that an agreement goes through after it is active, and what each allows. */
export interface Workflow {
  readonly start: string
  readonly states: readonly { readonly name: string; readonly allows: readonly AgreementAction[] }[]
  readonly transitions: readonly Transition[]
}

/** A rule in CEL that must be true wherever one of the actions is about to be done. */
export interface Guard {
  readonly name: string
  readonly on: readonly AgreementAction[]
  readonly cel: string
}

/** What parties sign. Times in milliseconds since 1970. */
export interface Agreement {
  readonly name: string
  readonly parties: readonly Party[]
  readonly purposes: readonly DuoCode[]
  /** The studies that it is about. */
  readonly studies: readonly StudyId[]
  /** Which table a party brings: by a name for people, and by the commitment of a version that it has bound. */
  readonly datasets: readonly {
    readonly party: MemberId
    readonly name: string | null
    readonly commitment: Digest | null
  }[]
  /** Null: any. */
  readonly mergeRules: readonly Study['merge']['rule'][] | null
  /** Null: a study need not be private. */
  readonly privacy: { readonly epsilonMax: number } | null
  readonly minimumCohort: number
  /** Null: as soon as it is active. */
  readonly starts: number | null
  readonly expires: number
  readonly duties: readonly { readonly duty: Duty; readonly withinDays: number }[]
  readonly settlement: {
    readonly rule: (typeof SETTLEMENT_RULES)[number]
    /** What each party's contributions are multiplied by; where none is named, all alike, else who is not named gets nothing. */
    readonly shares: readonly { readonly party: MemberId; readonly share: number }[]
    /** What is shared out in each period; a million parts where absent. */
    readonly pool?: { readonly amount: number; readonly unit: (typeof POOL_UNITS)[number] }
    /** Who would get less gets nothing, and the others share it. */
    readonly minimum?: number
    /** No period is shorter. */
    readonly periodDays?: number
    /** How many other parties must have measured a round before its values count. */
    readonly measurers?: number
    /** Of how many rounds one is measured. */
    readonly everyRounds?: number
  }
  readonly guards: readonly Guard[]
  /** The engine and the profile that guards are evaluated by. */
  readonly engine: string
  readonly workflow: Workflow | null
}

/** What reading YAML depends on beside the text. */
export interface AgreementReading {
  /** The key of a member of that name, or the same text where it is a key already; null where there is none. */
  readonly resolve: (member: string) => string | null
  /** What is wrong with its guards. */
  readonly check: (agreement: Agreement) => Complaint | null
}

/** What is shared out where an agreement names no pool. */
export const POOL_PARTS = 1_000_000

const FORMAT = 1 // first item of the document: a later format is refused by name instead of being misread

/**
 * Reads an agreement from YAML text; `fileName` is named in errors.
 * Errors, one line each: `agreement-yaml`, `agreement-invalid`, `agreement-too-large`.
 */
export function parseAgreement(text: string, fileName: string, { resolve, check }: AgreementReading): Agreement {
  const read = parseYaml(text, {
    kind: 'agreement',
    fileName,
    schema: agreementSchema,
    check: (value) => {
      const { agreement, complaint } = resolved(value as unknown as Agreement, resolve)
      return complaint ?? complaintOf(agreement) ?? check(agreement)
    },
  })
  return resolved(read as unknown as Agreement, resolve).agreement
}

/** The canonical document of `agreement`: deterministic CBOR of [format, agreement]. It is what is hashed and signed. */
export function agreementDocument(agreement: Agreement): Uint8Array {
  return encodeCbor([FORMAT, agreement as unknown as Cbor])
}

/**
 * Reads a document that another member wrote; anything that `agreementDocument` would not have written is refused. What its guards mean is
 * for `compileGuards` to say. Errors: `cbor-…`, `agreement-format`, `agreement-invalid`, `agreement-too-large`; all blame the sender.
 */
export function agreementFromDocument(bytes: Uint8Array): Agreement {
  const document = decodeCbor(bytes, LIMITS.agreementBytesMax)
  if (!Array.isArray(document) || document.length !== 2 || document[0] !== FORMAT) {
    const message = `an agreement of format ${FORMAT} is expected: update this node, or ask for the agreement again`
    throw refused('agreement-format', message)
  }
  const { value, complaint } = readValue(agreementSchema, document[1])
  if (complaint) throw refused('agreement-invalid', `the agreement is not valid: ${oneLine(complaint)}`)
  const agreement = value as unknown as Agreement
  const fault = complaintOf(agreement)
  if (fault) throw refused(fault.code ?? 'agreement-invalid', `the agreement is not valid: ${oneLine(fault)}`)
  if (!equalBytes(agreementDocument(agreement), bytes)) {
    const message = 'the agreement leaves out defaults or is written in another form than the canonical one'
    throw refused('agreement-invalid', message)
  }
  return agreement
}

/** An agreement's name among machines: the digest of its document. */
export function agreementIdOf(document: Uint8Array): AgreementId {
  return taggedDigest('agreement', document) as AgreementId
}

function refused(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message, blame: 'reject' })
}

/** With keys for all names, or the first name that is nobody's. */
function resolved(
  read: Agreement,
  resolve: AgreementReading['resolve'],
): { readonly agreement: Agreement; readonly complaint: Complaint | null } {
  let complaint: Complaint | null = null
  const keyOf = (member: MemberId, path: Complaint['path']): MemberId => {
    const key = resolve(member)
    const message = `${JSON.stringify(member)} was given, a member's name or key is expected: see consilium members`
    if (key === null) complaint ??= { path, message }
    return (key ?? member) as MemberId
  }
  const { parties, datasets, settlement, workflow } = read
  const agreement = {
    ...read,
    parties: parties.map((one, i) => ({ ...one, member: keyOf(one.member, ['parties', i, 'member']) })),
    datasets: datasets.map((one, i) => ({ ...one, party: keyOf(one.party, ['datasets', i, 'party']) })),
    settlement: {
      ...settlement,
      shares: settlement.shares.map((one, i) => {
        return { ...one, party: keyOf(one.party, ['settlement', 'shares', i, 'party']) }
      }),
    },
    workflow: workflow && {
      ...workflow,
      transitions: workflow.transitions.map((one, i) => {
        if (one.who.kind !== 'party') return one
        const member = keyOf(one.who.member, ['workflow', 'transitions', i, 'who', 'member'])
        return { ...one, who: { ...one.who, member } }
      }),
    },
  }
  return { agreement, complaint }
}

/** Rules between fields, the first broken one; the size comes last. */
function complaintOf(agreement: Agreement): Complaint | null {
  return (
    partiesComplaint(agreement) ??
    purposesComplaint(agreement) ??
    datasetsComplaint(agreement) ??
    termComplaint(agreement) ??
    settlementComplaint(agreement) ??
    twice(
      agreement.studies.map((study, i) => [study, ['studies', i]]),
      'study',
    ) ??
    twice(
      agreement.guards.map(({ name }, i) => [name, ['guards', i, 'name']]),
      'guard',
    ) ??
    workflowComplaint(agreement) ??
    sizeComplaint(agreement)
  )
}

function twice(named: readonly (readonly [string, Complaint['path']])[], what: string): Complaint | null {
  const seen = new Set<string>()
  for (const [name, path] of named) {
    if (seen.has(name)) return { path, message: `${name} was given twice: name each ${what} once` }
    seen.add(name)
  }
  return null
}

function partiesComplaint({ parties }: Agreement): Complaint | null {
  for (const [i, { member }] of parties.entries()) {
    if (/^[0-9a-f]{64}$/.test(member)) continue
    const path = ['parties', i, 'member']
    return { path, message: `${JSON.stringify(member)} was given, a member's key of 64 digits is expected` }
  }
  const message = 'no party is required, and what nobody must sign is no agreement: set required: true for one'
  const none = parties.some(({ required }) => required) ? null : { path: ['parties'], message }
  return (
    none ??
    twice(
      parties.map(({ member }, i) => [member, ['parties', i, 'member']]),
      'party',
    )
  )
}

function purposesComplaint({ purposes }: Agreement): Complaint | null {
  const again = twice(
    purposes.map((code, i) => [code, ['purposes', i]]),
    'purpose',
  )
  if (again !== null || purposes.some(isUse)) return again
  const message = `${purposes.join(', ')} was given, which are conditions: name a use, such as DUO:0000006`
  return { path: ['purposes'], message }
}

const isParty = ({ parties }: Agreement, member: string): boolean => parties.some((one) => one.member === member)

function datasetsComplaint(agreement: Agreement): Complaint | null {
  for (const [i, { party, name, commitment }] of agreement.datasets.entries()) {
    if (!isParty(agreement, party))
      return { path: ['datasets', i, 'party'], message: `${party} was given, which is not among the parties: add it` }
    if (name === null && commitment === null)
      return { path: ['datasets', i], message: 'a name or a commitment is expected: add one' }
  }
  return null
}

function termComplaint({ starts, expires }: Agreement): Complaint | null {
  if (starts === null || starts < expires) return null
  const message = `${new Date(expires).toISOString()} was given, later than starts (${new Date(starts).toISOString()}) is allowed`
  return { path: ['expires'], message }
}

function settlementComplaint(agreement: Agreement): Complaint | null {
  const { rule, shares } = agreement.settlement
  const path = ['settlement', 'shares']
  const about = termsComplaint(agreement)
  if (about !== null) return about
  if (rule === 'none' && shares.length > 0)
    return { path, message: `${shares.length} shares were given with rule: none: leave them out, or name a rule` }
  for (const [i, { party }] of shares.entries())
    if (!isParty(agreement, party))
      return { path: [...path, i, 'party'], message: `${party} was given, which is not among the parties: add it` }
  return twice(
    shares.map(({ party }, i) => [party, [...path, i, 'party']]),
    'party',
  )
}

/** What stands beside the rule. */
function termsComplaint({ settlement, parties }: Agreement): Complaint | null {
  const { rule, shares, pool, minimum, periodDays, measurers, everyRounds } = settlement
  const no = (field: string, message: string): Complaint => ({ path: ['settlement', field], message })
  const terms = Object.entries({ pool, minimum, periodDays, measurers, everyRounds })
  const [given] = terms.flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (rule === 'none' && given !== undefined)
    return no(given, 'it was given with rule: none: leave it out, or name a rule')
  if (rule !== 'by-marginal-value' && (measurers ?? everyRounds) !== undefined) {
    const message = `it was given with rule: ${rule}: only by-marginal-value is measured`
    return no(measurers === undefined ? 'everyRounds' : 'measurers', message)
  }
  if (measurers !== undefined && measurers >= parties.length)
    return no('measurers', `${measurers} was given, each party has ${parties.length - 1} others who may measure it`)
  if (rule === 'by-shares' && !shares.some(({ share }) => share > 0))
    return no('shares', 'none was given with rule: by-shares: give each party its part')
  if (minimum !== undefined && minimum > (pool?.amount ?? POOL_PARTS))
    return no('minimum', `${minimum} was given, more than the whole pool of ${pool?.amount ?? POOL_PARTS}`)
  return null
}

function workflowComplaint(agreement: Agreement): Complaint | null {
  const { workflow, parties } = agreement
  if (workflow === null) return null
  const states = workflow.states.map(({ name }) => name)
  const again = twice(
    states.map((name, i) => [name, ['workflow', 'states', i, 'name']]),
    'state',
  )
  if (again !== null) return again
  const unknown = (state: string, path: Complaint['path']): Complaint | null =>
    states.includes(state)
      ? null
      : { path, message: `${JSON.stringify(state)} was given, the states are ${states.join(', ')}` }
  const start = unknown(workflow.start, ['workflow', 'start'])
  if (start !== null) return start
  for (const [i, { from, to, who }] of workflow.transitions.entries()) {
    const path = ['workflow', 'transitions', i]
    const fault = unknown(from, [...path, 'from']) ?? unknown(to, [...path, 'to'])
    if (fault !== null) return fault
    if (who.kind === 'party' && !isParty(agreement, who.member))
      return { path: [...path, 'who', 'member'], message: `${who.member} was given, which is not among the parties` }
    if (who.kind === 'role' && !parties.some(({ role }) => role === who.role))
      return { path: [...path, 'who', 'role'], message: `${who.role} was given, a role that no party has: give it one` }
    if (who.kind === 'any' && who.of > parties.length)
      return { path: [...path, 'who', 'of'], message: `${who.of} was given, there are ${parties.length} parties` }
  }
  return twice(
    workflow.transitions.map(({ event, from }, i) => [`${event} from ${from}`, ['workflow', 'transitions', i]]),
    'way out',
  )
}

function sizeComplaint(agreement: Agreement): Complaint | null {
  const { length } = agreementDocument(agreement)
  if (length <= LIMITS.agreementBytesMax) return null
  const message = `it takes ${length} bytes, ${LIMITS.agreementBytesMax} are allowed: name fewer parties, or shorten guards`
  return { path: [], message, code: 'agreement-too-large' }
}
