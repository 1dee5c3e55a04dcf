/** What the entries say about studies: a fold that gives the same state in whatever order authors' logs arrive. */

import { type Study, statisticsRules, studyFromDocument } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { compareIds, type Digest, type MemberId, type StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import {
  checkStatistics,
  combineStatistics,
  type FeatureStatistics,
  freezeScaling,
  type Scaling,
} from '../core/statistics.ts'
import { REFS_MAX } from '../ledger/entry.ts'
import { readBody } from './kinds.ts'

/** An entry as the fold needs it: where it stands, and what it says. */
export interface Fact {
  readonly author: MemberId
  readonly seq: number
  readonly hash: Digest
  readonly timeMs: number
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

export interface StudyState {
  readonly id: StudyId
  readonly study: Study
  /** Of several proposals the earliest by its author's clock; then the smaller key. */
  proposedBy: MemberId
  proposedAtMs: number
  readonly accepted: Set<MemberId>
  readonly bound: Set<MemberId>
  /** The table that each member bound last. */
  readonly commitments: Map<MemberId, Digest>
  readonly ended: Set<MemberId>
  /** Members whose operator paused it. */
  readonly paused: Set<MemberId>
  /** The first valid contribution of each member. */
  readonly statistics: Map<
    MemberId,
    { readonly hash: Digest; readonly seq: number; readonly statistics: FeatureStatistics }
  >
  /** The best proposal whose contributions are all here. */
  scaling: ScalingProposal | null
}

/** Studies by digest; what arrives before its study is kept until the study is here. */
export class Studies {
  readonly #studies = new Map<StudyId, StudyState>()
  /** Facts that wait for their study or for the statistics that they cite, oldest first. */
  #waiting: Fact[] = []
  /** Distinct studies that each author has proposed, up to the bound. */
  readonly #proposals = new Map<MemberId, Set<StudyId>>()

  get(id: StudyId): StudyState | undefined {
    return this.#studies.get(id)
  }

  all(): StudyState[] {
    return [...this.#studies.values()].sort((a, b) => compareIds(a.id, b.id))
  }

  /** Whether `author` may still propose a study that it has not proposed before. */
  mayPropose(author: MemberId): boolean {
    return (this.#proposals.get(author)?.size ?? 0) < LIMITS.studiesPerMemberMax
  }

  /** Folds one entry in; kinds that do not concern studies change nothing. */
  fold(fact: Fact): void {
    if (fact.kind === 'study.proposed') this.#propose(fact)
    else if (!INTERPRETED.has(fact.kind)) return
    else if (!this.#apply(fact)) this.#waiting.push(fact)
    if (this.#waiting.length > WAITING_MAX) this.#evict()
    if (WAITED_FOR.has(fact.kind)) this.#settle()
  }

  /** Drops the oldest fact of whoever has most waiting: no member can push out what others wait for. */
  #evict(): void {
    const counts = new Map<MemberId, number>()
    for (const { author } of this.#waiting) counts.set(author, (counts.get(author) ?? 0) + 1)
    const most = Math.max(...counts.values())
    const at = this.#waiting.findIndex(({ author }) => counts.get(author) === most)
    this.#waiting.splice(at, 1)
  }

  #propose(fact: Fact): void {
    const body = readBody('study.proposed', fact.body)
    if (body === null || taggedDigest('study', body.document) !== fact.study) return
    const id = fact.study
    // counted by author and in the order of its log, so that every node counts alike, whatever it heard first
    const proposals = this.#proposals.get(fact.author) ?? new Set()
    if (!proposals.has(id) && proposals.size >= LIMITS.studiesPerMemberMax) return
    this.#proposals.set(fact.author, proposals.add(id))
    const known = this.#studies.get(id)
    if (known !== undefined) return noteProposer(known, fact)
    const study = tryStudy(body.document)
    if (study === null) return
    this.#studies.set(id, {
      id,
      study,
      proposedBy: fact.author,
      proposedAtMs: fact.timeMs,
      accepted: new Set(),
      bound: new Set(),
      commitments: new Map(),
      ended: new Set(),
      paused: new Set(),
      statistics: new Map(),
      scaling: null,
    })
  }

  /** @returns false where something that the fact cites is not here yet. */
  #apply(fact: Fact): boolean {
    if (fact.study === null) return true // of no study: nothing to wait for
    const state = this.#studies.get(fact.study)
    if (state === undefined) return false
    if (fact.kind === 'study.accepted') state.accepted.add(fact.author)
    else if (fact.kind === 'dataset.bound') noteBinding(state, fact)
    else if (fact.kind === 'study.ended') state.ended.add(fact.author)
    else if (fact.kind === 'study.paused') state.paused.add(fact.author)
    else if (fact.kind === 'study.resumed') state.paused.delete(fact.author)
    else if (fact.kind === 'study.statistics') contribute(state, fact)
    else return propose(state, fact)
    return true
  }

  #settle(): void {
    for (let before = -1; before !== this.#waiting.length; ) {
      before = this.#waiting.length
      this.#waiting = this.#waiting.filter((fact) => !this.#apply(fact))
    }
  }
}

const INTERPRETED = new Set([
  'study.accepted',
  'study.paused',
  'study.resumed',
  'dataset.bound',
  'study.ended',
  'study.statistics',
  'study.scaling',
])
/** Kinds that others cite: only these can end somebody's waiting. */
const WAITED_FOR = new Set(['study.proposed', 'study.statistics'])
const WAITING_MAX = 4_096 // entries of logs that arrive before what they cite; a full replication settles them all

/** The proposal that wins: more contributions, then the lower digest. A total order, so that all who hear both agree. */
export function betterScaling(a: ScalingProposal, b: ScalingProposal | null): boolean {
  if (b === null) return true
  if (a.contributions.length !== b.contributions.length) return a.contributions.length > b.contributions.length
  return compareIds(a.digest, b.digest) < 0
}

/** Sums the statistics that are here into a proposal, in canonical order, with the entries to cite (as many as one entry may cite). */
export function proposalFrom(state: StudyState): { proposal: ScalingProposal; refs: Fact['refs'] } {
  const sorted = [...state.statistics].sort(([a], [b]) => compareIds(a, b)).slice(0, REFS_MAX)
  const scaling = freezeScaling(combineStatistics(sorted.map(([, given]) => given.statistics)))
  const contributions = sorted.map(([, given]) => given.hash)
  return {
    proposal: { digest: scalingDigest(scaling), scaling, contributions },
    refs: sorted.map(([author, { seq, hash }]) => [author, seq, hash] as const),
  }
}

function noteProposer(state: StudyState, { author, timeMs }: Fact): void {
  if (timeMs > state.proposedAtMs || (timeMs === state.proposedAtMs && compareIds(author, state.proposedBy) >= 0))
    return
  state.proposedBy = author
  state.proposedAtMs = timeMs
}

function noteBinding(state: StudyState, fact: Fact): void {
  const body = readBody('dataset.bound', fact.body)
  if (body === null) return
  state.bound.add(fact.author)
  state.commitments.set(fact.author, toHex(body.commitment) as Digest)
}

function contribute(state: StudyState, fact: Fact): void {
  const body = readBody('study.statistics', fact.body)
  const given = state.statistics.get(fact.author)
  if (body === null || (given !== undefined && given.seq <= fact.seq)) return
  const statistics = { count: body.count, sum: body.sum, sumOfSquares: body.sumOfSquares }
  if (!plausible(statistics, state.study, body.rows)) return
  state.statistics.set(fact.author, { hash: fact.hash, seq: fact.seq, statistics })
}

/** Accepts a proposal only where summing what it cites gives its digest. */
function propose(state: StudyState, fact: Fact): boolean {
  const body = readBody('study.scaling', fact.body)
  if (body === null || fact.refs.length === 0) return true
  const cited: FeatureStatistics[] = []
  for (const [author, , hash] of fact.refs) {
    const given = state.statistics.get(author)
    if (given === undefined) return false
    if (given.hash !== hash) return true
    cited.push(given.statistics)
  }
  const authors = fact.refs.map(([author]) => author)
  if (authors.some((author, i) => i > 0 && compareIds(authors[i - 1] as string, author) >= 0)) return true
  const scaling = freezeScaling(combineStatistics(cited))
  const proposal = { digest: scalingDigest(scaling), scaling, contributions: fact.refs.map(([, , hash]) => hash) }
  if (proposal.digest === toHex(body.digest) && betterScaling(proposal, state.scaling)) state.scaling = proposal
  return true
}

function plausible(statistics: FeatureStatistics, study: Study, rows: number): boolean {
  try {
    checkStatistics(statisticsRules(study), statistics, rows)
    return true
  } catch {
    return false // kept in the author's log for all to see, but summed by nobody
  }
}

/** Digest of frozen statistics: the one that updates name. */
export function scalingDigest(scaling: Scaling): Digest {
  return taggedDigest('scaling', encodeCbor([[...scaling.mean], [...scaling.deviation]]))
}

function tryStudy(document: Uint8Array): Study | null {
  try {
    return studyFromDocument(document)
  } catch {
    return null // a description that this version cannot read is stored and replicated, but takes part in nothing
  }
}
