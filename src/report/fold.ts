/** From the entries of all logs to one study's report. Pure; the entries of one author come in the order of its log. */
import type { Study } from '../config/study.ts'
import { groupNames } from '../config/subgroups.ts'
import { toHex } from '../core/bytes.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { type Body, isKind, type Kind, readBody } from '../governance/kinds.ts'
import type { Lineage } from '../governance/lineage.ts'
import type { WordFact } from '../governance/withdrawals.ts'
import { ModelFold } from './models.ts'
import type { AuditFigures, CurvePoint, MemberReport, Report } from './report.ts'

/** Which study a report is of, and who is called what. */
export interface ReportSubject {
  readonly id: StudyId
  readonly terms: Study
  readonly proposedBy: MemberId
  readonly proposedAtMs: number
  /** Who the members are now: a quorum of them may withdraw and restore. */
  readonly members: readonly MemberId[]
  readonly nameOf: (member: MemberId) => string
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Draft = Mutable<
  Omit<MemberReport, 'rounds' | 'curve' | 'aside' | 'audits' | 'excluded' | 'others' | 'takenByOthers'>
> & {
  readonly rounds: Mutable<MemberReport['rounds']>
  inputs: number
  readonly curve: Curve
  readonly aside: Map<string, { author: string; reason: string; merges: number }>
  readonly excluded: Map<string, { reason: string; atMs: number }>
  readonly audits: AuditFigures[]
  readonly others: Record<string, number>
}

/** One per report. */
export class ReportFold {
  readonly #subject: ReportSubject
  readonly #members = new Map<MemberId, Draft>()
  readonly #taken = new Map<string, number>()
  readonly #models: ModelFold

  constructor(subject: ReportSubject) {
    this.#subject = subject
    this.#models = new ModelFold(subject)
  }

  /** Entries of other studies, and those whose body is gone or does not fit, change nothing. */
  add(entry: WordFact): void {
    const { author, timeMs, kind, study, body } = entry
    if (study !== this.#subject.id) return
    const draft = this.#of(author)
    if (this.#models.add(entry)) return
    if (isKind(kind)) {
      const read = READERS[kind] as ((draft: Draft, body: never, timeMs: number) => void) | undefined
      const fits = read === undefined ? null : readBody(kind, body)
      if (fits !== null) read?.(draft, fits as never, timeMs)
      if (kind === 'round.merged' && fits !== null) this.#merged(author, draft, fits as Body<'round.merged'>)
      if (read !== undefined || SILENT.has(kind)) return
    }
    draft.others[kind] = (draft.others[kind] ?? 0) + 1
  }

  /** `lineage` is the study's, as far as the same logs tell it. */
  report(made: Report['made'], lineage: Lineage): Report {
    const { id, terms, proposedBy, proposedAtMs, nameOf } = this.#subject
    const members = [...this.#members].map(([member, draft]) => this.#member(member, draft))
    members.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.member < b.member ? -1 : 1))
    const groups = terms.report.subgroups.map((subgroup) => groupNames(terms.features, subgroup))
    const study = { id, proposedBy: nameOf(proposedBy), proposedAtMs, terms, groups }
    return { kind: 'consilium-study-report', format: 1, made, study, members, ...this.#models.result(lineage) }
  }

  #member(member: MemberId, { inputs, curve, aside, excluded, ...draft }: Draft): MemberReport {
    const { rounds } = draft
    const named = ([key, word]: [string, { reason: string; atMs: number }]) => {
      return { author: this.#subject.nameOf(key as MemberId), ...word }
    }
    return {
      ...draft,
      rounds: { ...rounds, inputsMean: rounds.merged === 0 ? null : inputs / rounds.merged },
      curve: curve.points,
      aside: [...aside.values()],
      excluded: [...excluded].map(named),
      takenByOthers: this.#taken.get(member) ?? 0,
    }
  }

  #merged(author: MemberId, draft: Draft, { inputs, aside = [] }: Body<'round.merged'>): void {
    for (const [member] of inputs) {
      const taken = toHex(member)
      if (taken !== author) this.#taken.set(taken, (this.#taken.get(taken) ?? 0) + 1)
    }
    for (const [member, , , reason] of aside) {
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
const SILENT: ReadonlySet<string> = new Set<Kind>([
  'study.proposed',
  'study.scaling',
  'round.published',
  'privacy.spent',
])

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
    draft.privacy = body.privacy ?? draft.privacy
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
  'study.calibrated': (draft, { round, model, ...refit }, atMs) => {
    draft.calibrated = { round: round + 1, model: toHex(model), atMs, ...refit }
  },
  'round.personal': (draft, { round, examples, auc, logLoss, calibrationError }) => {
    draft.personal = { round: round + 1, examples, auc, logLoss, calibrationError }
  },
  'study.excluded': (draft, { member, reason }, atMs) => {
    draft.excluded.set(toHex(member), { reason, atMs })
  },
  'study.readmitted': (draft, { member }) => {
    draft.excluded.delete(toHex(member))
  },
  'privacy.audited': (draft, { round, model, ...figures }, atMs) => {
    const claimed = draft.privacy && { epsilon: draft.privacy.epsilon, delta: draft.privacy.delta }
    draft.audits.push({ round: round + 1, model: toHex(model), atMs, ...figures, claimed })
    if (draft.audits.length > AUDITS_MAX) draft.audits.shift()
  },
}

const AUDITS_MAX = 20 // each takes minutes of a hospital's machine: more is no audit

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
    calibrated: null,
    personal: null,
    aside: new Map(),
    excluded: new Map(),
    audits: [],
    privacy: null,
    others: {},
  }
}
