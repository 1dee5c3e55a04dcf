/** From the entries of all logs to one study's report. Pure; the entries of one author come in the order of its log. */
import type { Study } from '../config/study.ts'
import { groupNames } from '../config/subgroups.ts'
import { toHex } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { type Body, isKind, type Kind, readBody } from '../governance/kinds.ts'
import type { Entry } from '../ledger/entry.ts'
import type { CurvePoint, MemberReport, Report } from './report.ts'

/** What of an entry a report reads. */
export type ReportEntry = Pick<Entry, 'author' | 'timeMs' | 'kind' | 'study' | 'body'>

/** Which study a report is of, and who is called what. */
export interface ReportSubject {
  readonly id: StudyId
  readonly terms: Study
  readonly proposedBy: MemberId
  readonly proposedAtMs: number
  readonly nameOf: (member: MemberId) => string
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Draft = Mutable<Omit<MemberReport, 'rounds' | 'curve' | 'aside' | 'others' | 'takenByOthers'>> & {
  readonly rounds: Mutable<MemberReport['rounds']>
  inputs: number
  readonly curve: Curve
  readonly aside: Map<string, { author: string; reason: string; merges: number }>
  readonly others: Record<string, number>
}

/** One per report. */
export class ReportFold {
  readonly #subject: ReportSubject
  readonly #members = new Map<MemberId, Draft>()
  readonly #taken = new Map<string, number>()

  constructor(subject: ReportSubject) {
    this.#subject = subject
  }

  /** Entries of other studies, and those whose body is gone or does not fit, change nothing. */
  add({ author, timeMs, kind, study, body }: ReportEntry): void {
    if (study !== this.#subject.id) return
    const draft = this.#of(author)
    if (isKind(kind)) {
      const read = READERS[kind] as ((draft: Draft, body: never, timeMs: number) => void) | undefined
      const fits = read === undefined ? null : readBody(kind, body)
      if (fits !== null) read?.(draft, fits as never, timeMs)
      if (kind === 'round.merged' && fits !== null) this.#merged(author, draft, fits as Body<'round.merged'>, body)
      if (read !== undefined || SILENT.has(kind)) return
    }
    draft.others[kind] = (draft.others[kind] ?? 0) + 1
  }

  report(made: Report['made']): Report {
    const { id, terms, proposedBy, proposedAtMs, nameOf } = this.#subject
    const members = [...this.#members].map(([member, draft]) => this.#member(member, draft))
    members.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.member < b.member ? -1 : 1))
    const groups = terms.report.subgroups.map((subgroup) => groupNames(terms.features, subgroup))
    const study = { id, proposedBy: nameOf(proposedBy), proposedAtMs, terms, groups }
    return { kind: 'consilium-study-report', format: 1, made, study, members }
  }

  #member(member: MemberId, { inputs, curve, aside, ...draft }: Draft): MemberReport {
    const { rounds } = draft
    return {
      ...draft,
      rounds: { ...rounds, inputsMean: rounds.merged === 0 ? null : inputs / rounds.merged },
      curve: curve.points,
      aside: [...aside.values()],
      takenByOthers: this.#taken.get(member) ?? 0,
    }
  }

  /** `aside` is read from the body as it is: versions that know of no robust rule write none. */
  #merged(author: MemberId, draft: Draft, { inputs }: Body<'round.merged'>, body: Cbor | null): void {
    for (const [member] of inputs) {
      const taken = toHex(member)
      if (taken !== author) this.#taken.set(taken, (this.#taken.get(taken) ?? 0) + 1)
    }
    const list = (body as { readonly aside?: Cbor } | null)?.aside
    for (const item of Array.isArray(list) ? list : []) {
      const [member, , , reason] = Array.isArray(item) ? (item as Cbor[]) : []
      if (!(member instanceof Uint8Array) || typeof reason !== 'string') continue
      const name = this.#subject.nameOf(toHex(member) as MemberId)
      const known = draft.aside.get(`${name} ${reason}`) ?? { author: name, reason, merges: 0 }
      known.merges++
      draft.aside.set(`${name} ${reason}`, known)
    }
  }

  #of(member: MemberId): Draft {
    let draft = this.#members.get(member)
    if (draft === undefined) {
      draft = empty(member, this.#subject.nameOf(member))
      this.#members.set(member, draft)
    }
    return draft
  }
}

/** Kinds whose being there says no more than others do. */
const SILENT: ReadonlySet<string> = new Set<Kind>(['study.proposed', 'study.scaling', 'round.published'])

const READERS: { readonly [K in Kind]?: (draft: Draft, body: Body<K>, timeMs: number) => void } = {
  'study.accepted': (draft, _, timeMs) => {
    draft.acceptedAtMs ??= timeMs
  },
  'dataset.bound': (draft, { rows, trainRows }) => {
    draft.rows = rows
    draft.trainRows = trainRows
  },
  'study.statistics': (draft) => {
    draft.statistics = true
  },
  'round.trained': (draft, body, timeMs) => {
    draft.rounds.trained++
    draft.rounds.firstAtMs ??= timeMs
    draft.rounds.lastAtMs = timeMs
    draft.privacy = claimOf(body) ?? draft.privacy
  },
  'round.merged': (draft, { rule, inputs }) => {
    draft.rounds.merged++
    draft.rounds.rule = rule
    draft.inputs += inputs.length
  },
  'round.evaluated': (draft, { round, auc, logLoss }) => draft.curve.add({ round: round + 1, auc, logLoss }),
  'study.ended': (draft, { rounds, model }, atMs) => {
    draft.ended = { rounds, model: toHex(model), atMs }
  },
  'study.measured': (draft, { round, model, evaluation }, atMs) => {
    draft.measured = { round: round + 1, model: toHex(model), atMs, evaluation }
  },
  'study.crossed': (draft, { round, examples, sites }, atMs) => {
    const read = sites.map((site) => ({
      ...site,
      round: site.round + 1,
      author: toHex(site.author),
      update: toHex(site.update),
    }))
    draft.crossed = { round: round + 1, atMs, examples, sites: read }
  },
}

/** Read as it is, for bodies of versions without private studies have none. */
function claimOf(body: object): MemberReport['privacy'] {
  const claim = (body as { readonly privacy?: unknown }).privacy as
    | Partial<NonNullable<MemberReport['privacy']>>
    | undefined
  if (claim === undefined || claim === null) return null
  const { epsilon, delta, sampleRate, noiseMultiplier } = claim
  const all = [epsilon, delta, sampleRate, noiseMultiplier]
  return all.every((value) => typeof value === 'number') ? (claim as NonNullable<MemberReport['privacy']>) : null
}

const POINTS_MAX = 400 // of a curve: more share a pixel

/** Points of a curve, every second of them left out whenever there are too many. */
class Curve {
  points: CurvePoint[] = []
  #every = 1
  #seen = 0

  add(point: CurvePoint): void {
    if (this.#seen++ % this.#every !== 0) return
    this.points.push(point)
    if (this.points.length <= POINTS_MAX) return
    this.points = this.points.filter((_, i) => i % 2 === 0)
    this.#every *= 2
  }
}

function empty(member: MemberId, name: string): Draft {
  return {
    member,
    name,
    acceptedAtMs: null,
    rows: null,
    trainRows: null,
    statistics: false,
    rounds: { trained: 0, merged: 0, inputsMean: null, firstAtMs: null, lastAtMs: null, rule: null },
    ended: null,
    inputs: 0,
    curve: new Curve(),
    measured: null,
    crossed: null,
    aside: new Map(),
    privacy: null,
    others: {},
  }
}
