/** FHIR R4 Provenance of tables, updates and models: for a registered version, and for the entries that tell of one. Digests are keyed commitments, or of weights. */
import { toHex } from '../../core/bytes.ts'
import type { MemberId } from '../../core/ids.ts'
import { type ExportContext, type Exported, instant, placeOf } from './exported.ts'
import { hospitalOf, type Json, LIFECYCLE, MAKER, referTo, SYSTEM, stateTag } from './fhirTerms.ts'

/** A registered version, as a resource tells of it. Digests are keyed commitments. */
export interface ProvenanceFacts {
  readonly dataset: Uint8Array
  readonly version: Uint8Array
  readonly previous: Uint8Array | null
  readonly registeredAtMs: number
  readonly source: string
  readonly query: Uint8Array | null
  readonly origin: { readonly commitment: Uint8Array; readonly organisations: readonly string[] } | null
  /** This hospital, by its name and its key as a member. */
  readonly hospital: { readonly name: string; readonly member: string }
}

/** A resource of R4 for a registered version: the hospital as its agent, what it rests on as entities. */
export function provenanceResource(facts: ProvenanceFacts): Json {
  const { dataset, version, previous, registeredAtMs, source, query, origin, hospital } = facts
  const versionOf = (digest: Uint8Array): Json => tableOf(dataset, digest)
  const entities = [
    ...(previous === null ? [] : [{ role: 'revision', what: versionOf(previous) }]),
    ...(query === null ? [] : [{ role: 'source', what: referTo(SYSTEM.query, toHex(query), 'extraction query') }]),
    ...(origin === null
      ? []
      : [{ role: 'derivation', what: referTo(SYSTEM.origin, toHex(origin.commitment), `origin (${source})`) }]),
  ]
  return {
    resourceType: 'Provenance',
    target: [versionOf(version)],
    recorded: instant(registeredAtMs),
    activity: activity('originate'),
    agent: [
      { type: MAKER.assembler, who: hospitalOf(hospital.member, hospital.name) },
      ...(origin?.organisations ?? []).map((name) => {
        return { type: MAKER.author, who: { type: 'Organization', display: name } }
      }),
    ],
    ...(entities.length === 0 ? {} : { entity: entities }),
  }
}

/** The resource of an entry that tells what something was made of; null of all others, and where the body is gone. */
export function provenanceOf(exported: Exported, context: ExportContext): Json | null {
  const { entry, state, kind, body, hospital } = exported
  if (kind === null || body === null) return null
  const meta = stateTag(state)
  if (kind === 'dataset.registered') return { ...registration(exported), id: entry.hash, meta }
  const made = madeBy(exported, context)
  if (made === null) return null
  const { target, what, from } = made
  const study = entry.study === null ? [] : [{ role: 'source', what: referTo(SYSTEM.study, entry.study) }]
  const told = { role: 'source', what: referTo(SYSTEM.entry, entry.hash, placeOf(exported)) }
  return {
    resourceType: 'Provenance',
    id: entry.hash,
    meta,
    target: [target],
    recorded: instant(entry.timeMs),
    activity: activity(what),
    agent: [{ type: MAKER.assembler, who: hospitalOf(entry.author, hospital) }],
    entity: [...from, ...study, told],
  }
}

interface Made {
  readonly target: Json
  /** A code of iso-21089-lifecycle. */
  readonly what: string
  readonly from: readonly Json[]
}

function madeBy({ kind, body, hospital }: Exported, context: ExportContext): Made | null {
  const hex = (field: string): string => toHex(body?.[field] as Uint8Array)
  const from = (role: string, system: string, value: string, display?: string): Json => ({
    role,
    what: referTo(system, value, display),
  })
  switch (kind) {
    case 'dataset.bound': {
      const version = body?.version instanceof Uint8Array ? hex('version') : null
      return {
        ...{ target: referTo(SYSTEM.table, hex('commitment'), `table of ${hospital}`), what: 'link' },
        from: version === null ? [] : [from('revision', SYSTEM.versionRoot, version, 'registered version')],
      }
    }
    case 'round.trained':
      return {
        target: referTo(SYSTEM.update, hex('update'), `update of ${hospital}, round ${roundOf(body)}`),
        what: 'originate',
        from: [
          from('derivation', SYSTEM.model, hex('base'), 'base'),
          from('source', SYSTEM.table, hex('dataset'), 'table'),
        ],
      }
    case 'round.merged':
      return {
        target: referTo(SYSTEM.model, hex('result'), `model of ${hospital}, round ${roundOf(body)}`),
        what: 'merge',
        from: inputsOf(body).map(([member, round, update]) => {
          const name = context.nameOf(toHex(member) as MemberId) ?? toHex(member).slice(0, 12)
          return from('derivation', SYSTEM.update, toHex(update), `update of ${name}, round ${round + 1}`)
        }),
      }
    case 'study.calibrated':
    case 'model.exported':
      return {
        target: referTo(
          SYSTEM.model,
          hex('model'),
          kind === 'model.exported' ? `file of ${hospital}` : `model of ${hospital}`,
        ),
        what: kind === 'model.exported' ? 'extract' : 'transform',
        from: [from('derivation', SYSTEM.model, hex('model'), `model of round ${roundOf(body)}`)],
      }
    default:
      return null
  }
}

function registration({ entry, body, hospital }: Exported): Json {
  const bytes = (field: string): Uint8Array => body?.[field] as Uint8Array
  const orNull = (field: string): Uint8Array | null => (body?.[field] as Uint8Array | null) ?? null
  const origin = orNull('provenance')
  return provenanceResource({
    ...{ dataset: bytes('dataset'), version: bytes('version'), previous: orNull('previous'), query: orNull('query') },
    ...{ registeredAtMs: entry.timeMs, source: String(body?.source) },
    origin: origin === null ? null : { commitment: origin, organisations: [] },
    hospital: { name: hospital, member: entry.author },
  })
}

type Input = readonly [member: Uint8Array, round: number, update: Uint8Array, ...unknown[]]

/** Updates that were merged, whole or in parts. */
function inputsOf(body: Exported['body']): Input[] {
  const { inputs = [], partial } = (body ?? {}) as { inputs?: Input[]; partial?: { updates: Input[] } }
  return [...inputs, ...(partial?.updates ?? [])]
}

const roundOf = (body: Exported['body']): number => Number(body?.round) + 1

const tableOf = (dataset: Uint8Array, version: Uint8Array): Json =>
  referTo(SYSTEM.version, `${toHex(dataset)}/${toHex(version)}`, `dataset ${toHex(dataset).slice(0, 12)}`)

const activity = (code: string): Json => ({ coding: [{ system: LIFECYCLE, code }] })
