/** What lines about entries have in common, as JSON: for each kind, and for each author of an export. */
import type { MemberId } from '../../core/ids.ts'
import type { Kind } from '../../governance/kinds.ts'
import type { EntryState } from '../../ledger/bundle.ts'
import { bodyIn, type ExportContext, type Exported } from './exported.ts'
import {
  AGENT,
  BALP,
  EVENT,
  GUARD,
  hospitalOf,
  type Json,
  kindCoding,
  referTo,
  SERVER,
  SUBTYPE,
  SYSTEM,
  stateTag,
} from './fhirTerms.ts'
import { type AuditPattern, KIND_TABLE, type KindRow } from './kindTable.ts'

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

/** What happened, in the terms of R4 and BALP. */
export const PATTERNS: Readonly<Record<Exclude<AuditPattern, Decision>, Pattern>> = {
  create: { type: EVENT.rest, subtype: SUBTYPE.create, action: 'C', outcome: '0', profile: BALP.create },
  update: { type: EVENT.rest, subtype: SUBTYPE.update, action: 'U', outcome: '0', profile: BALP.update },
  delete: { type: EVENT.rest, subtype: SUBTYPE.delete, action: 'D', outcome: '0', profile: null }, // BALP's has other agents, and no details
  query: { type: EVENT.rest, subtype: SUBTYPE.search, action: 'E', outcome: '0', profile: BALP.query },
  execute: { type: EVENT.activity, subtype: null, action: 'E', outcome: '0', profile: null },
  export: { type: EVENT.export, subtype: null, action: 'R', outcome: '0', profile: null },
  file: { type: EVENT.export, subtype: null, action: 'R', outcome: '0', profile: null },
  disclose: { type: EVENT.export, subtype: SUBTYPE.disclose, action: 'R', outcome: '0', profile: BALP.disclosure },
  alert: { type: EVENT.alert, subtype: null, action: 'E', outcome: '4', profile: null },
  attest: { type: EVENT.attest, subtype: null, action: 'E', outcome: '0', profile: null },
  start: { type: EVENT.activity, subtype: SUBTYPE.start, action: 'E', outcome: '0', profile: null },
  stop: { type: EVENT.activity, subtype: SUBTYPE.stop, action: 'E', outcome: '0', profile: null },
}

/** JSON as it stands in a line. */
export const jsonOf = (value: Json | string | readonly Json[]): string => JSON.stringify(value)

const textsOfState = (state: EntryState): ReadonlyMap<string | null, string> =>
  new Map(
    [null, ...Object.values(BALP)].map((profile) => {
      const meta = { ...(profile === null ? {} : { profile: [profile] }), ...stateTag(state) }
      return [profile, `"meta":${jsonOf(meta)},`]
    }),
  )
const META: Readonly<Record<EntryState, ReadonlyMap<string | null, string>>> = {
  ...{ final: textsOfState('final'), pending: textsOfState('pending'), disputed: textsOfState('disputed') },
}

/** The profile of a resource, where it has one, and the state of its entry, with a comma after them. */
export function metaOf(profile: string | null, state: EntryState): string {
  return META[state].get(profile) ?? ''
}

const UNREAD = { there: '', dropped: '; its body was dropped', 'not read': '; its body was not read' } as const

/** What the words of an outcome end with. */
export const unreadOf = (exported: Pick<Exported, 'entry' | 'body'>): string => UNREAD[bodyIn(exported)]

/** What lines about a kind have in common. */
export interface KindText {
  /** Type, subtypes and action. */
  readonly type: string
  /** The outcome and its words, whose end is open. */
  readonly outcome: string
}

/** Of a kind that is told of as an operation. */
export function kindText(kind: string, { audit, says }: KindRow): KindText {
  const { type, subtype, action, outcome } = PATTERNS[audit === 'permit' || audit === 'deny' ? 'execute' : audit]
  const subtypes = [...(subtype === null ? [] : [subtype]), kindCoding(kind, says)]
  return {
    type: `"type":${jsonOf(type)},"subtype":${jsonOf(subtypes)},"action":"${action}"`,
    outcome: `"outcome":"${outcome}","outcomeDesc":${jsonOf(says).slice(0, -1)}`,
  }
}

/** Of every kind that this version knows. */
export const KIND_TEXTS = Object.fromEntries(
  Object.entries(KIND_TABLE).map(([kind, row]) => [kind, kindText(kind, row)]),
) as Readonly<Record<Kind, KindText>>

/** What lines about an author's entries have in common: agents without the brackets around them. */
export interface AuthorText {
  readonly hospital: string
  /** The node, and the log that all members have. */
  readonly agents: string
  /** The same where a person asks for it. */
  readonly agentsOfPerson: string
  readonly handingOut: string
  /** The node, and a file that it wrote. */
  readonly writing: string
  /** Of a decision: the node that makes it, for whom it is, and who answers for it. */
  readonly deciding: string
  readonly members: string
  readonly answering: string
  readonly source: string
  readonly guard: string
  /** How the place of an entry begins, open. */
  readonly place: string
}

/** Who cannot be named here. */
export const TO_PATIENT = 'the patient, or who speaks for the patient: known to the hospital alone'
const A_FILE = 'a file at the hospital: where it went from there the log does not say'
const NOT_KNOWN: Json = {
  _address: {
    extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
  },
}

const TEXTS = new WeakMap<ExportContext, Map<MemberId, AuthorText>>()

/** Made once for each author of an export. */
export function authorText({ entry: { author }, hospital }: Exported, context: ExportContext): AuthorText {
  const texts = TEXTS.get(context) ?? new Map<MemberId, AuthorText>()
  const known = texts.get(author)
  if (known?.hospital === hospital) return known // names change while the epochs of a bundle are read
  const made = textOfAuthor(author, hospital, context)
  TEXTS.set(context, texts.set(author, made))
  return made
}

function textOfAuthor(author: MemberId, hospital: string, { founding, consortium }: ExportContext): AuthorText {
  const own = hospitalOf(author, hospital)
  const network = { address: `${SYSTEM.member}:${author}`, type: '5' } // nodes are reached by their keys: it says nothing of where a machine stands
  const log = {
    ...{ type: AGENT.to, who: referTo(SYSTEM.consortium, founding, consortium, 'Organization'), requestor: false },
    network: { address: `${SYSTEM.consortium}:${founding}`, type: '5' },
  }
  const from = (requestor: boolean): Json => ({ type: AGENT.from, who: own, requestor, network })
  const agents = (...all: readonly Json[]): string => all.map(jsonOf).join(',')
  return {
    hospital,
    agents: agents(from(true), log),
    agentsOfPerson: agents(from(false), log),
    handingOut: agents(from(true), {
      ...{ type: AGENT.to, who: { display: TO_PATIENT }, requestor: false, network: NOT_KNOWN },
    }),
    writing: agents(from(true), { type: AGENT.media, who: { display: A_FILE }, requestor: false }),
    deciding: agents({ type: AGENT.application, who: own, requestor: false, network }),
    members: agents({
      ...{ type: AGENT.recipient, who: referTo(SYSTEM.consortium, founding, consortium), requestor: true },
    }),
    answering: agents(
      { type: AGENT.provider, who: own, requestor: false },
      { type: AGENT.decides, who: own, requestor: false },
    ),
    source: jsonOf({ site: hospital, observer: own, type: SERVER }),
    guard: jsonOf({ site: hospital, observer: own, type: GUARD }),
    place: jsonOf(`${hospital.replaceAll(/\s+/g, '')}/`).slice(0, -1),
  }
}
