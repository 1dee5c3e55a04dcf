/** What the entries say about studies: a fold that gives the same state in whatever order authors' logs arrive. */

import { type Study, statisticsRules } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { compareIds, type Digest, type MemberId, type StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type PrivacySteps, withSteps } from '../core/privacy.ts'
import {
  cappedStatistics,
  checkStatistics,
  combineStatistics,
  type FeatureStatistics,
  freezeScaling,
  type Scaling,
} from '../core/statistics.ts'
import { REFS_MAX } from '../ledger/entry.ts'
import { Access } from './access/requests.ts'
import { Agreements } from './agreements.ts'
import { readBody } from './kinds.ts'
import { Quota } from './quota.ts'
import { Settlements } from './settlement/closings.ts'
import { isBefore, type Place, retoldIn, sameButText, studyIn, withTextsOf } from './studyText.ts'
import { Withdrawals } from './withdrawals.ts'

/** An entry as the fold needs it: where it stands, and what it says. */
export interface Fact {
  readonly author: MemberId
  readonly seq: number
  readonly hash: Digest
  readonly timeMs: number
  /** Lamport time of the entry. */
  readonly lamport: number
  readonly kind: string
  readonly study: StudyId | null
  readonly refs: readonly (readonly [MemberId, number, Digest])[]
  readonly body: Cbor | null
}

/** Frozen statistics with who contributed; proposals are ordered by `betterScaling`. */
export interface ScalingProposal {
  readonly digest: Digest
  readonly scaling: Scaling
  /** Hashes of the `study.statistics` entries, sorted by author. */
  readonly contributions: readonly Digest[]
}

/** One study as the entries so far have it. Live: `Studies` changes it with each fact, and nobody else may. */
export interface StudyState {
  readonly id: StudyId
  study: Study
  /** Whether a proposal with the document of this digest is here; else only what a redaction left of it, which nobody new may accept. */
  whole: boolean
  /** Of the redaction that name and purpose come from; null where they are those that were proposed. */
  retold: Place | null
  /** Of several proposals the earliest by its author's clock; then the smaller key. */
  proposedBy: MemberId
  proposedAtMs: number
  readonly accepted: Set<MemberId>
  /** Lamport time of each acceptance, of several the earliest: what was written before it was not meant for that member. */
  readonly acceptedAt: Map<MemberId, number>
  readonly bound: Set<MemberId>
  /** The table that each member bound last. */
  readonly commitments: Map<MemberId, Digest>
  readonly ended: Set<MemberId>
  /** Of which model each member told last how good it is at home, and how good the others' are. */
  readonly measured: Map<MemberId, Digest>
  readonly crossed: Map<MemberId, Digest>
  /** Members who said that it has run long enough; no word takes that back. */
  readonly enough: Set<MemberId>
  /** Members whose operator paused it. */
  readonly paused: Set<MemberId>
  /** The first valid contribution of each member that had accepted. */
  readonly statistics: Map<
    MemberId,
    { readonly hash: Digest; readonly seq: number; readonly timeMs: number; readonly statistics: FeatureStatistics }
  >
  /** What private training has taken at each member whose entries of it are read, up to entry `seq`. */
  readonly spent: Map<MemberId, { readonly seq: number; readonly steps: readonly PrivacySteps[] }>
  /** The best proposal whose contributions are all here. */
  scaling: ScalingProposal | null
}

/** What a fact waits for: a study, or one member's statistics of it. */
type Want = StudyId | `${StudyId} ${MemberId}`

/** Studies by digest; what arrives before its study is kept until the study is here. */
export class Studies {
  readonly withdrawals = new Withdrawals()
  readonly agreements = new Agreements()
  readonly access = new Access()
  readonly settlements = new Settlements()
  readonly #studies = new Map<StudyId, StudyState>()
  /** Facts by what they wait for, and there by what they speak of, in the order of arrival. */
  readonly #waiting = new Map<Want, Map<string, Fact>>()
  // what is looked at is bounded by author and in the order of its log, so that all nodes look at the same, whatever they heard first
  readonly #proposed = new Quota<MemberId, StudyId>(LIMITS.studiesPerMemberMax)
  readonly #mentioned = new Quota<MemberId, StudyId>(LIMITS.studiesMentionedMax)
  readonly #attempts = new Quota<string, number>(ATTEMPTS_MAX)

  /** What is folded beside studies. */
  get folds() {
    return { agreements: this.agreements, access: this.access, settlements: this.settlements }
  }

  get(id: StudyId): StudyState | undefined {
    return this.#studies.get(id)
  }

  all(): StudyState[] {
    return [...this.#studies.values()].sort((a, b) => compareIds(a.id, b.id))
  }

  /** Whether `author` may still propose a study that it has not proposed before. */
  mayPropose(author: MemberId): boolean {
    return !this.#proposed.isFull(author)
  }

  /** Whether what `author` says of `study` is still looked at. */
  maySpeakOf(author: MemberId, study: StudyId): boolean {
    return this.#mentioned.has(author, study) || !this.#mentioned.isFull(author)
  }

  /** Folds one entry in; kinds that do not concern studies change nothing. */
  fold(fact: Fact): void {
    const { withdrawals, agreements, access, settlements } = this
    if ([withdrawals, agreements, access, settlements].some((one) => one.fold(fact))) return
    if (fact.kind === 'study.proposed') this.#propose(fact)
    else if (fact.kind === 'operator.redacted') this.#retell(fact)
    else if (INTERPRETED.has(fact.kind) && this.#isLookedAt(fact)) this.#take(fact)
  }

  #isLookedAt({ author, seq, kind, study }: Fact): boolean {
    if (study === null || !this.#mentioned.take(author, study)) return false
    return !COSTLY.has(kind) || this.#attempts.take(`${author} ${study} ${kind}`, seq)
  }

  /** Applies a fact, or keeps it until what it wants is here. */
  #take(fact: Fact): void {
    const wanted = this.#apply(fact)
    if (wanted === null) return
    const facts = this.#waiting.get(wanted) ?? new Map<string, Fact>()
    const subject = subjectOf(fact)
    facts.delete(subject) // to stand last
    this.#waiting.set(wanted, facts.set(subject, fact))
  }

  /** What was wanted is here: the facts that waited for it go on, or wait for the next thing that they lack. */
  #arrived(want: Want): void {
    const facts = this.#waiting.get(want)
    this.#waiting.delete(want)
    for (const fact of facts?.values() ?? []) this.#take(fact)
  }

  #propose(fact: Fact): void {
    const body = readBody('study.proposed', fact.body)
    if (body === null || taggedDigest('study', body.document) !== fact.study) return
    const id = fact.study
    if (!this.#proposed.take(fact.author, id)) return
    const known = this.#studies.get(id)
    if (known?.whole) return noteProposer(known, fact)
    const study = studyIn(body.document)
    if (study === null) return
    if (known === undefined) return this.#begin(id, study, fact, true)
    known.whole = true
    if (!sameButText(known.study, study)) Object.assign(known, { study, retold: null })
    noteProposer(known, fact)
  }

  /** A redaction that the shell has looked at: its entry is a proposal of this study, and is gone or says the same but for its texts. */
  #retell(fact: Fact): void {
    const { author, study: id } = fact
    const told = retoldIn(fact)
    if (told === null || id === null) return
    const known = this.#studies.get(id)
    if (known === undefined)
      return this.#proposed.take(author, id)
        ? this.#begin(id, told.study, { ...fact, timeMs: told.proposedAtMs }, false)
        : undefined
    const fits = sameButText(known.study, told.study)
    if (!isBefore(fact, known.retold) || (known.whole && !fits)) return
    known.study = fits ? withTextsOf(known.study, told.study) : told.study
    known.retold = placeOf(fact)
  }

  #begin(id: StudyId, study: Study, fact: Fact, whole: boolean): void {
    this.#studies.set(id, {
      id,
      study,
      whole,
      retold: whole ? null : placeOf(fact),
      proposedBy: fact.author,
      proposedAtMs: fact.timeMs,
      accepted: new Set(),
      acceptedAt: new Map(),
      bound: new Set(),
      commitments: new Map(),
      ended: new Set(),
      measured: new Map(),
      crossed: new Map(),
      enough: new Set(),
      paused: new Set(),
      statistics: new Map(),
      spent: new Map(),
      scaling: null,
    })
    this.#arrived(id)
  }

  /** @returns what the fact cites that is not here yet; null where it is folded in. */
  #apply(fact: Fact): Want | null {
    const state = this.#studies.get(fact.study as StudyId)
    if (state === undefined) return fact.study
    if (fact.kind === 'study.accepted') accept(state, fact)
    else if (fact.kind === 'dataset.bound') noteBinding(state, fact)
    else if (fact.kind === 'study.ended') state.ended.add(fact.author)
    else if (fact.kind === 'study.measured') noteModel('study.measured', fact, state.measured)
    else if (fact.kind === 'study.crossed') noteModel('study.crossed', fact, state.crossed)
    else if (fact.kind === 'study.enough') state.enough.add(fact.author)
    else if (fact.kind === 'study.paused') state.paused.add(fact.author)
    else if (fact.kind === 'study.resumed') state.paused.delete(fact.author)
    else if (fact.kind === 'privacy.spent') spend(state, fact)
    else if (fact.kind === 'study.statistics') {
      if (contribute(state, fact)) this.#arrived(`${state.id} ${fact.author}`)
    } else return propose(state, fact)
    return null
  }
}

const INTERPRETED = new Set([
  'study.accepted',
  'study.paused',
  'study.resumed',
  'dataset.bound',
  'study.ended',
  'study.measured',
  'study.crossed',
  'study.enough',
  'study.statistics',
  'study.scaling',
  'privacy.spent',
])
/** Kinds of which each one is kept and computed with; of the others the newest says it all. */
const COSTLY = new Set(['study.statistics', 'study.scaling'])
/** Kinds of which none says what another one has said. */
const KEPT_ALL = new Set([...COSTLY, 'privacy.spent'])
const ATTEMPTS_MAX = 8 // of each of these by one member for one study: an honest node makes one at each start before it is frozen

/** What a waiting fact takes the place of another by: its author said the same or the opposite before. */
function subjectOf({ kind, author, seq }: Fact): string {
  if (KEPT_ALL.has(kind)) return `${author} ${kind} ${seq}`
  return `${author} ${kind === 'study.resumed' ? 'study.paused' : kind}`
}

/** The proposal that wins: more contributions, then the lower digest. A total order, so that all who hear both agree. */
export function betterScaling(a: ScalingProposal, b: ScalingProposal | null): boolean {
  if (b === null) return true
  if (a.contributions.length !== b.contributions.length) return a.contributions.length > b.contributions.length
  return compareIds(a.digest, b.digest) < 0
}

/** Sums the statistics that are here into a proposal, in canonical order, with the entries to cite (as many as one entry may cite). */
export function proposalFrom(state: StudyState): { proposal: ScalingProposal; refs: Fact['refs'] } {
  const sorted = [...state.statistics].sort(([a], [b]) => compareIds(a, b)).slice(0, REFS_MAX)
  const scaling = scalingFrom(
    state.study,
    sorted.map(([, given]) => given.statistics),
  )
  const contributions = sorted.map(([, given]) => given.hash)
  return {
    proposal: { digest: scalingDigest(scaling), scaling, contributions },
    refs: sorted.map(([author, { seq, hash }]) => [author, seq, hash] as const),
  }
}

/** No member counts more here than its updates do in a merge. */
function scalingFrom(study: Study, list: readonly FeatureStatistics[]): Scaling {
  const total = combineStatistics(list.map((one) => cappedStatistics(one, study.merge.examplesCap)))
  return freezeScaling(total, statisticsRules(study).ranges)
}

function noteProposer(state: StudyState, { author, timeMs }: Fact): void {
  if (timeMs > state.proposedAtMs || (timeMs === state.proposedAtMs && compareIds(author, state.proposedBy) >= 0))
    return
  state.proposedBy = author
  state.proposedAtMs = timeMs
}

function accept({ accepted, acceptedAt }: StudyState, { author, lamport }: Fact): void {
  accepted.add(author)
  acceptedAt.set(author, Math.min(lamport, acceptedAt.get(author) ?? lamport))
}

function noteBinding(state: StudyState, fact: Fact): void {
  const body = readBody('dataset.bound', fact.body)
  if (body === null) return
  state.bound.add(fact.author)
  state.commitments.set(fact.author, toHex(body.commitment) as Digest)
}

/** Each entry once: sums, unlike sets, would count it again. */
function spend(state: StudyState, fact: Fact): void {
  const body = readBody('privacy.spent', fact.body)
  const before = state.spent.get(fact.author)
  if (body === null || (before !== undefined && before.seq >= fact.seq)) return
  const { sampleRate, noiseMultiplier, steps } = body
  const all = withSteps(before?.steps ?? [], { sampleRate, noiseMultiplier, steps })
  state.spent.set(fact.author, { seq: fact.seq, steps: all })
}

function noteModel(
  kind: 'study.measured' | 'study.crossed',
  { author, body }: Fact,
  models: Map<MemberId, Digest>,
): void {
  const read = readBody(kind, body)
  if (read !== null) models.set(author, toHex(read.model) as Digest)
}

/** @returns whether these are the first statistics of their author. */
function contribute(state: StudyState, fact: Fact): boolean {
  const body = readBody('study.statistics', fact.body)
  const given = state.statistics.get(fact.author)
  if (body === null || (given !== undefined && given.seq <= fact.seq) || !state.accepted.has(fact.author)) return false
  const statistics = { count: body.count, sum: body.sum, sumOfSquares: body.sumOfSquares }
  if (!plausible(statistics, state.study, body.rows)) return false
  const { hash, seq, timeMs } = fact
  state.statistics.set(fact.author, { hash, seq, timeMs, statistics })
  return given === undefined
}

/** Accepts a proposal only where summing what it cites gives its digest. @returns the statistics that it lacks. */
function propose(state: StudyState, fact: Fact): Want | null {
  const body = readBody('study.scaling', fact.body)
  if (body === null) return null
  const authors = fact.refs.map(([author]) => author)
  const ordered = authors.every((author, i) => i === 0 || compareIds(authors[i - 1] as string, author) < 0)
  if (fact.refs.length === 0 || !ordered) return null
  const cited: FeatureStatistics[] = []
  for (const [author, , hash] of fact.refs) {
    const given = state.statistics.get(author)
    if (given === undefined) return `${state.id} ${author}`
    if (given.hash !== hash) return null
    cited.push(given.statistics)
  }
  if (state.scaling !== null && fact.refs.length < state.scaling.contributions.length) return null
  const scaling = scalingFrom(state.study, cited)
  const proposal = { digest: scalingDigest(scaling), scaling, contributions: fact.refs.map(([, , hash]) => hash) }
  if (proposal.digest === toHex(body.digest) && betterScaling(proposal, state.scaling)) state.scaling = proposal
  return null
}

function plausible(statistics: FeatureStatistics, study: Study, rows: number): boolean {
  try {
    checkStatistics(statisticsRules(study), statistics, Math.min(rows, LIMITS.datasetRowsMax))
    return true
  } catch {
    return false // kept in the author's log for all to see, but summed by nobody
  }
}

/** Digest of frozen statistics: the one that updates name. */
export function scalingDigest(scaling: Scaling): Digest {
  return taggedDigest('scaling', encodeCbor([[...scaling.mean], [...scaling.deviation]]))
}

function placeOf({ lamport, author, seq }: Fact): Place {
  return { lamport, author, seq }
}
