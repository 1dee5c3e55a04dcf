/**
 * Data-sharing agreements as a fold over their entries that gives the same state in whatever order logs arrive: each word is kept with its
 * place, and what holds is evaluated over a cut. A signature counts when its entry is final; a refusal or an end as soon as it is known. Of one
 * party's signatures and refusals the newest counts; an end is for good, and who wants to go on proposes another agreement.
 */
import { type Agreement, agreementFromDocument, agreementIdOf } from '../config/agreement.ts'
import { fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, encodeCbor } from '../core/cbor.ts'
import { taggedDigest } from '../core/digest.ts'
import { type AgreementId, compareIds, type Digest, type MemberId, type StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type CompiledGuard, compileGuard } from './guards.ts'
import type { AgreementClause } from './kinds/agreements.ts'
import { readBody } from './kinds.ts'
import { Quota } from './quota.ts'
import { type EventSaid, inCanonicalOrder, stateAfter } from './workflow.ts'

/** An entry as this fold needs it. */
export interface AgreementFact extends Place {
  readonly kind: string
  readonly body: Cbor | null
}

/** Where an entry stands. */
export interface Place {
  readonly author: MemberId
  readonly seq: number
  readonly hash: Digest
  readonly lamport: number
}

/** A party's word; `clause` where it refused. */
export interface PartyWord {
  readonly place: Place
  readonly clause: AgreementClause | null
}

/** All that was said of one agreement. Live: `Agreements` changes it with each fact, and nobody else may. */
export interface AgreementState {
  readonly id: AgreementId
  /** With a verdict on each guard. */
  readonly agreement: Agreement
  readonly guards: readonly CompiledGuard[]
  readonly said: Said
}

/** How far each log is read: entries below `final` permit, those below `known` restrict. */
export interface Cut {
  readonly final: (author: MemberId) => number
  readonly known: (author: MemberId) => number
}

const AGREEMENT_STATUS = ['proposed', 'upcoming', 'active', 'refused', 'expired', 'ended'] as const
export type AgreementStatus = (typeof AGREEMENT_STATUS)[number]

/** Where an agreement stands over a cut at a time. */
export interface AgreementStanding {
  readonly status: AgreementStatus
  /** The entry that made it so; null where it is time, or somebody's silence. */
  readonly rests: Place | null
  /** The clause that was refused, or the reason of an end. */
  readonly because: string | null
  /** What counts of each party, in the order of the parties. */
  readonly parties: readonly (PartyStanding & { readonly member: MemberId; readonly required: boolean })[]
  /** The workflow's state by what is final, and by all that is known; null where it has none. */
  readonly workflow: { readonly final: string; readonly known: string } | null
}

/** `pending`: signed, and not final yet. */
export interface PartyStanding {
  readonly word: 'none' | 'pending' | 'signed' | 'refused'
  readonly place: Place | null
  readonly clause: AgreementClause | null
}

/** Words by author, in the order of its log. */
interface Said {
  readonly proposals: Map<MemberId, Place>
  readonly words: Map<MemberId, PartyWord[]>
  readonly ends: Map<MemberId, { readonly place: Place; readonly reason: string }>
  readonly events: Map<MemberId, (EventSaid & Place)[]>
}

/** One author's words of one agreement; the lists stand in `said` as soon as there is anything in them. */
interface Voice {
  readonly said: Said
  readonly words: PartyWord[]
  readonly events: (EventSaid & Place)[]
}

const WORDS_MAX = 16 // signatures and refusals of one party in turn: after so many it may refuse, but sign no more
const EVENTS_MAX = 64 // of one party in one agreement
const BEFORE_ALL_MS = -1 // what begins at a date is upcoming then, and nothing has run out

/** All agreements by id. What one member may say is bounded, so memory is bounded by the members. */
export class Agreements {
  readonly #said = new Map<AgreementId, Said>()
  readonly #states = new Map<AgreementId, AgreementState>()
  readonly #byStudy = new Map<StudyId, AgreementState[]>()
  readonly #proposed = new Quota<MemberId, AgreementId>(LIMITS.agreementsPerMemberMax)
  /** What each author says of each agreement that it speaks of, the first ones. */
  readonly #voices = new Map<MemberId, Map<AgreementId, Voice>>()

  get(id: AgreementId): AgreementState | undefined {
    return this.#states.get(id)
  }

  all(): AgreementState[] {
    return [...this.#states.values()].sort((a, b) => compareIds(a.id, b.id))
  }

  /** Those that name the study. */
  naming(study: StudyId): readonly AgreementState[] {
    return this.#byStudy.get(study) ?? NONE
  }

  /** Whether `author` may still propose an agreement that it has not proposed before. */
  mayPropose(author: MemberId): boolean {
    return !this.#proposed.isFull(author)
  }

  /** Whether what `author` says of that agreement is still looked at. */
  maySpeakOf(author: MemberId, id: AgreementId): boolean {
    const voices = this.#voices.get(author)
    return voices === undefined || voices.has(id) || voices.size < LIMITS.agreementsMentionedMax
  }

  /** Whether the fact was about an agreement. */
  fold(fact: AgreementFact): boolean {
    switch (fact.kind) {
      case 'agreement.proposed':
        this.#propose(fact)
        return true
      case 'agreement.signed':
      case 'agreement.refused':
      case 'agreement.ended':
      case 'agreement.event':
        this.#say(fact.kind, fact)
        return true
      default:
        return false
    }
  }

  #propose(fact: AgreementFact): void {
    const body = readBody('agreement.proposed', fact.body)
    if (body === null) return
    const id = agreementIdOf(body.document)
    if (!this.#proposed.take(fact.author, id)) return
    const { proposals } = this.#saidOf(id)
    if (!proposals.has(fact.author) || (proposals.get(fact.author) as Place).seq > fact.seq)
      proposals.set(fact.author, placeOf(fact))
    if (this.#states.has(id)) return
    const read = tryAgreement(body.document)
    if (read === null) return
    const state = { id, ...read, said: this.#saidOf(id) }
    this.#states.set(id, state)
    for (const study of read.agreement.studies) {
      const before = this.#byStudy.get(study) ?? []
      this.#byStudy.set(
        study,
        [...before, state].sort((a, b) => compareIds(a.id, b.id)),
      )
    }
  }

  #say(
    kind: 'agreement.signed' | 'agreement.refused' | 'agreement.ended' | 'agreement.event',
    fact: AgreementFact,
  ): void {
    const body = readBody(kind, fact.body)
    if (body === null) return
    const voice = this.#voiceOf(fact.author, toHex(body.agreement) as AgreementId)
    if (voice === null) return
    const { said, events } = voice
    const { author } = fact
    if (kind === 'agreement.event') {
      const { event } = body as { event: string }
      if (events.length >= EVENTS_MAX || !isLater(events.at(-1), fact)) return
      if (events.push({ ...placeOf(fact), event }) === 1) said.events.set(author, events)
    } else if (kind === 'agreement.ended') {
      const { reason } = body as { reason: string }
      if (!said.ends.has(author)) said.ends.set(author, { place: placeOf(fact), reason })
    } else {
      const clause = kind === 'agreement.refused' ? (body as { clause: AgreementClause }).clause : null
      noteWord(voice, fact, clause)
    }
  }

  /** Found at once by its author, for most of what is folded are words of those who spoke before; null beyond the bound. */
  #voiceOf(author: MemberId, id: AgreementId): Voice | null {
    let voices = this.#voices.get(author)
    if (voices === undefined) {
      voices = new Map()
      this.#voices.set(author, voices)
    }
    const known = voices.get(id)
    if (known !== undefined) return known
    if (voices.size >= LIMITS.agreementsMentionedMax) return null
    const voice: Voice = { said: this.#saidOf(id), words: [], events: [] }
    voices.set(id, voice)
    return voice
  }

  #saidOf(id: AgreementId): Said {
    let said = this.#said.get(id)
    if (said === undefined) {
      said = { proposals: new Map(), words: new Map(), ends: new Map(), events: new Map() }
      this.#said.set(id, said)
    }
    return said
  }
}

const NONE: readonly AgreementState[] = []

const isLater = (last: { readonly seq: number } | undefined, { seq }: AgreementFact): boolean =>
  last === undefined || last.seq < seq

/** The first word of each kind in a row: saying it again changes nothing, and takes no room. */
function noteWord({ said, words }: Voice, fact: AgreementFact, clause: AgreementClause | null): void {
  const last = words.at(-1)
  const isSame = last !== undefined && (last.clause === null) === (clause === null)
  if (isSame || !isLater(last?.place, fact) || (clause === null && words.length >= WORDS_MAX)) return
  if (words.push({ place: placeOf(fact), clause }) === 1) said.words.set(fact.author, words)
}

function placeOf({ author, seq, hash, lamport }: AgreementFact): Place {
  return { author, seq, hash, lamport }
}

function tryAgreement(document: Uint8Array): { agreement: Agreement; guards: CompiledGuard[] } | null {
  try {
    const agreement = agreementFromDocument(document)
    const guards = agreement.guards.flatMap(({ cel }) => {
      const compiled = compileGuard(cel)
      return 'guard' in compiled ? [compiled.guard] : []
    })
    return guards.length === agreement.guards.length ? { agreement, guards } : null
  } catch {
    return null // what this version cannot read is stored and replicated, but binds nobody
  }
}

/** Whether anybody had proposed it by that cut. */
function isProposed({ said }: AgreementState, { known }: Cut): boolean {
  for (const { author, seq } of said.proposals.values()) if (seq < known(author)) return true
  return false
}

/** Where it stands. An end goes before a refusal, both before time, and time before silence. */
export function standingOf({ agreement, said }: AgreementState, cut: Cut, nowMs: number): AgreementStanding {
  const parties = agreement.parties.map(({ member, required }) => {
    return { member, required, ...partyStanding(said.words.get(member) ?? [], cut) }
  })
  const workflow = workflowStanding(agreement, said, cut)
  const found = (status: AgreementStatus, rests: Place | null = null, because: string | null = null) => {
    return { status, rests, because, parties, workflow }
  }
  for (const { member } of agreement.parties) {
    const end = said.ends.get(member)
    if (end !== undefined && end.place.seq < cut.known(member)) return found('ended', end.place, end.reason)
  }
  const refusing = parties.find(({ word, required }) => required && word === 'refused')
  if (refusing !== undefined) return found('refused', refusing.place, refusing.clause)
  if (nowMs >= agreement.expires) return found('expired')
  if (parties.some(({ word, required }) => required && word !== 'signed')) return found('proposed')
  return found(agreement.starts !== null && nowMs < agreement.starts ? 'upcoming' : 'active')
}

/** The newest word; a signature that is not final yet leaves an older refusal standing. */
function partyStanding(words: readonly PartyWord[], cut: Cut): PartyStanding {
  let pending: Place | null = null
  for (let i = words.length - 1; i >= 0; i--) {
    const { place, clause } = words[i] as PartyWord
    if (place.seq >= cut.known(place.author)) continue
    if (clause !== null) return { word: 'refused', place, clause }
    if (place.seq < cut.final(place.author)) return { word: 'signed', place, clause: null }
    pending ??= place
  }
  return { word: pending === null ? 'none' : 'pending', place: pending, clause: null }
}

function workflowStanding({ workflow, parties }: Agreement, { events }: Said, cut: Cut): AgreementStanding['workflow'] {
  if (workflow === null) return null
  const all = parties.flatMap(({ member }) => events.get(member) ?? [])
  const below = (size: Cut['final']): EventSaid[] => all.filter(({ author, seq }) => seq < size(author))
  return {
    final: stateAfter(workflow, parties, below(cut.final)),
    known: stateAfter(workflow, parties, below(cut.known)),
  }
}

/** Who told first that a duty is done, of each that anybody told of; by what is known. */
export function dutiesDone({ agreement, said }: AgreementState): ReadonlyMap<string, Place> {
  const done = new Map<string, Place>()
  const duties = new Set<string>(agreement.duties.map(({ duty }) => duty))
  const events = agreement.parties.flatMap(({ member }) => said.events.get(member) ?? [])
  for (const { event, ...place } of inCanonicalOrder(events))
    if (duties.has(event) && !done.has(event)) done.set(event, place)
  return done
}

/** Entries below these sizes, to permit and to restrict: what two nodes can compare. */
export function cutOfSizes(sizes: ReadonlyMap<MemberId, number>): Cut {
  const size = (author: MemberId): number => sizes.get(author) ?? 0
  return { final: size, known: size }
}

/**
 * What all agreements come to over a cut, as one digest: whoever has the same entries finds the same, in whatever order they came. Time is left
 * out, for beginning and end stand in the documents.
 */
export function stateHash(agreements: Agreements, cut: Cut): Digest {
  const rows: Cbor[] = []
  for (const state of agreements.all()) {
    if (!isProposed(state, cut)) continue
    const { status, because, rests, parties, workflow } = standingOf(state, cut, BEFORE_ALL_MS)
    const words = parties.map(({ word, place, clause }) => [word, place?.seq ?? null, clause])
    const entry = rests === null ? null : [fromHex(rests.author), rests.seq]
    rows.push([fromHex(state.id), status, because, entry, words, workflow && [workflow.final, workflow.known]])
  }
  return taggedDigest('agreements', encodeCbor(rows))
}
