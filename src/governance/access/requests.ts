/**
 * Who asks for which dataset, and who may use it, as a fold over entries that gives the same state in whatever order logs arrive: each word is
 * kept with its place, and what holds is evaluated over a cut. Of the owner's words a grant counts when its entry is final; a refusal, a
 * revocation, and a withdrawal of the dataset after the grant as soon as they are known, and for good: who still wants it asks again.
 */
import { fromHex, toHex } from '../../core/bytes.ts'
import { type Cbor, encodeCbor } from '../../core/cbor.ts'
import { taggedDigest } from '../../core/digest.ts'
import { type DuoCode, duoCode } from '../../core/duo.ts'
import { compareIds, type Digest, type MemberId, type StudyId } from '../../core/ids.ts'
import { type AgreementFact, type Cut, cutOfSizes, type Place } from '../agreements.ts'
import type { AccessReason } from '../kinds/access.ts'
import { readBody } from '../kinds.ts'
import { Quota } from '../quota.ts'
import { Catalogue } from './catalogue.ts'

/** An entry as this fold needs it. */
export interface AccessFact extends AgreementFact {
  readonly study: StudyId | null
  readonly timeMs: number
}

/** What was asked for, by the entry that asks. */
export interface AccessRequest {
  /** The hash of that entry. */
  readonly id: Digest
  readonly place: Place
  readonly asker: MemberId
  readonly owner: MemberId
  readonly dataset: Digest
  readonly purposes: readonly DuoCode[]
  /** The one study that it is for; null where it is for any use within its purposes. */
  readonly study: StudyId | null
  readonly untilMs: number
  /** By the asker's clock. */
  readonly askedAtMs: number
}

/** A word of the owner: until when it grants, or why it does not. */
export interface OwnerWord {
  readonly place: Place
  readonly said: 'granted' | 'refused' | 'revoked'
  readonly untilMs: number | null
  readonly reason: AccessReason | null
}

const ACCESS_STATUS = ['asked', 'pending', 'granted', 'refused', 'revoked', 'withdrawn', 'expired'] as const
export type AccessStatus = (typeof ACCESS_STATUS)[number]

/** Where a request stands over a cut at a time. */
export interface AccessStanding {
  readonly status: AccessStatus
  /** The entry that made it so; null where nobody has answered, or it is time. */
  readonly rests: Place | null
  readonly reason: AccessReason | null
  /** Until when a grant holds that is not over; null where there is none. */
  readonly untilMs: number | null
}

const REQUESTS_MAX = 4_096 // of one member: one a day for ten years
const ANSWERED_MAX = 16_384 // requests that one owner may speak of, known or not
const GRANTS_MAX = 16 // of one request: after so many it may be refused or revoked, but granted no more
const BEFORE_ALL_MS = -1

/** All requests, and the datasets that they are for. What one member may say is bounded. */
export class Access {
  readonly catalogue = new Catalogue()
  readonly #requests = new Map<Digest, AccessRequest>()
  /** By author, for a word counts where its author owns what the request is for; most arrive after it, but need not. */
  readonly #words = new Map<Digest, Map<MemberId, OwnerWord[]>>()
  readonly #byDataset = new ByDataset()
  /** Of those, the ones that their owner has spoken of: anybody may ask, so only these may bear on what is asked at each event. */
  readonly #spokenOf = new ByDataset()
  readonly #asked = new Quota<MemberId, Digest>(REQUESTS_MAX)
  readonly #answered = new Quota<MemberId, Digest>(ANSWERED_MAX)

  get(id: Digest): AccessRequest | undefined {
    return this.#requests.get(id)
  }

  /** Sorted by place: Lamport time, author, number. */
  all(): AccessRequest[] {
    return [...this.#requests.values()].sort(inOrder)
  }

  /** Requests for one dataset, in canonical order. */
  of(owner: MemberId, dataset: Digest): readonly AccessRequest[] {
    return this.#byDataset.of(owner, dataset)
  }

  /** Those of them that the owner has granted, refused or revoked: no other permits anything, or was taken back. */
  spokenOf(owner: MemberId, dataset: Digest): readonly AccessRequest[] {
    return this.#spokenOf.of(owner, dataset)
  }

  /** What the owner said of a request, in its log's order. */
  words({ id, owner }: AccessRequest): readonly OwnerWord[] {
    return this.#words.get(id)?.get(owner) ?? []
  }

  /** Whether what `asker` asks for is still looked at. */
  mayAsk(asker: MemberId): boolean {
    return !this.#asked.isFull(asker)
  }

  /** Whether what the owner would say of a request is still looked at: so many grants, and a no after them. */
  mayAnswer({ id, owner }: AccessRequest, isGrant: boolean): boolean {
    const words = this.#words.get(id)?.get(owner) ?? []
    const hasRoom = this.#answered.has(owner, id) || !this.#answered.isFull(owner)
    return hasRoom && !(isGrant && words.length >= GRANTS_MAX)
  }

  /** Whether the fact was about access. */
  fold(fact: AccessFact): boolean {
    if (this.catalogue.fold(fact)) return true
    switch (fact.kind) {
      case 'access.asked':
        this.#ask(fact)
        return true
      case 'access.granted':
      case 'access.refused':
      case 'access.revoked':
        this.#answer(fact.kind, fact)
        return true
      default:
        return false
    }
  }

  #ask(fact: AccessFact): void {
    const body = readBody('access.asked', fact.body)
    if (body === null || this.#requests.has(fact.hash) || !this.#asked.take(fact.author, fact.hash)) return
    const owner = toHex(body.member) as MemberId
    const dataset = toHex(body.dataset) as Digest
    const request: AccessRequest = {
      ...{ id: fact.hash, place: placeOf(fact), asker: fact.author, owner, dataset },
      ...{ purposes: body.purposes.map(duoCode), study: fact.study, untilMs: body.until, askedAtMs: fact.timeMs },
    }
    this.#requests.set(fact.hash, request)
    this.#byDataset.add(request)
    if (this.words(request).length > 0) this.#spokenOf.add(request)
  }

  #answer(kind: 'access.granted' | 'access.refused' | 'access.revoked', fact: AccessFact): void {
    const body = readBody(kind, fact.body)
    if (body === null) return
    const id = toHex(body.request) as Digest
    if (!this.#answered.take(fact.author, id)) return
    const byAuthor = this.#words.get(id) ?? new Map<MemberId, OwnerWord[]>()
    const words = byAuthor.get(fact.author) ?? []
    const last = words.at(-1)
    if (last !== undefined && (last.place.seq >= fact.seq || last.said !== 'granted')) return // a no is for good
    const untilMs = 'until' in body ? body.until : null
    if (untilMs !== null && words.length >= GRANTS_MAX) return
    const reason = 'reason' in body ? body.reason : null
    words.push({ place: placeOf(fact), said: SAID[kind], untilMs, reason })
    this.#words.set(id, byAuthor.set(fact.author, words))
    const request = this.#requests.get(id)
    if (words.length === 1 && request?.owner === fact.author) this.#spokenOf.add(request)
  }

  /** A no goes before a withdrawal, both before a grant, that before time, and time before silence. */
  standing(request: AccessRequest, cut: Cut, nowMs: number): AccessStanding {
    const { owner, dataset, untilMs: askedUntilMs } = request
    const [known, final] = [cut.known(owner), cut.final(owner)]
    const words = this.words(request).filter(({ place }) => place.seq < known)
    const found = (status: AccessStatus, rests: Place | null, more: Partial<AccessStanding> = {}): AccessStanding => {
      return { status, rests, reason: null, untilMs: null, ...more }
    }
    const last = words.at(-1)
    if (last !== undefined && last.said !== 'granted') return found(last.said, last.place, { reason: last.reason })
    const withdrawn = this.catalogue.withdrawnAt(owner, dataset, cut)
    const since = words.filter(({ place }) => withdrawn === null || place.seq > withdrawn.seq)
    const granted = since.findLast(({ place }) => place.seq < final)
    const isOver = withdrawn !== null && since.length === 0
    if (isOver && (words.length > 0 || this.#isGone(request, cut))) return found('withdrawn', withdrawn)
    if (granted !== undefined) {
      const untilMs = Math.min(granted.untilMs as number, askedUntilMs)
      return nowMs < untilMs ? found('granted', granted.place, { untilMs }) : found('expired', granted.place)
    }
    if (nowMs >= askedUntilMs) return found('expired', null)
    const pending = since.at(-1)
    if (pending === undefined) return found('asked', null)
    return found('pending', pending.place, { untilMs: Math.min(pending.untilMs as number, askedUntilMs) })
  }

  /** Nothing of the dataset is announced now. */
  #isGone({ owner, dataset }: AccessRequest, cut: Cut): boolean {
    return this.catalogue.standing(owner, dataset, cut)?.status === 'withdrawn'
  }
}

/** Requests by what they are for, each list in canonical order. */
class ByDataset {
  readonly #owners = new Map<MemberId, Map<Digest, AccessRequest[]>>()

  of(owner: MemberId, dataset: Digest): readonly AccessRequest[] {
    return this.#owners.get(owner)?.get(dataset) ?? []
  }

  add(request: AccessRequest): void {
    const { owner, dataset } = request
    const datasets = this.#owners.get(owner) ?? new Map<Digest, AccessRequest[]>()
    const others = datasets.get(dataset) ?? []
    if (datasets.size === 0) this.#owners.set(owner, datasets)
    if (others.push(request) === 1) datasets.set(dataset, others)
    // most come last, and are there already
    for (let at = others.length - 1; at > 0 && inOrder(others[at - 1] as AccessRequest, request) > 0; at--) {
      others[at] = others[at - 1] as AccessRequest
      others[at - 1] = request
    }
  }
}

const SAID = {
  'access.granted': 'granted',
  'access.refused': 'refused',
  'access.revoked': 'revoked',
} as const

/** The canonical order: Lamport time, then author, then number. */
export function inOrder(a: { readonly place: Place }, b: { readonly place: Place }): number {
  return a.place.lamport - b.place.lamport || compareIds(a.place.author, b.place.author) || a.place.seq - b.place.seq
}

function placeOf({ author, seq, hash, lamport }: AccessFact): Place {
  return { author, seq, hash, lamport }
}

/**
 * What the catalogue and all requests come to over a cut, as one digest: whoever has the same entries finds the same. Time is left out, for
 * ends stand in the entries.
 */
export function accessHash(access: Access, sizes: ReadonlyMap<MemberId, number>): Digest {
  const cut = cutOfSizes(sizes)
  const datasets = access.catalogue.all(cut).map(({ owner, dataset, status, place }): Cbor => {
    return [fromHex(owner), fromHex(dataset), status, place.seq]
  })
  const requests = access.all().flatMap((request): Cbor[] => {
    if (request.place.seq >= cut.known(request.asker)) return []
    const { status, rests, reason, untilMs } = access.standing(request, cut, BEFORE_ALL_MS)
    return [[fromHex(request.id), status, rests && [fromHex(rests.author), rests.seq], reason, untilMs]]
  })
  return taggedDigest('access', encodeCbor([datasets, requests]))
}
