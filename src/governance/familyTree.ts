/**
 * What stands behind one model, as its members' logs declare it: hospitals, the versions of their tables, agreements, rounds, merges with
 * their coefficients. A fold over entries that gives the same tree in whatever order logs arrive; each log is given in its own order.
 */
import { agreementFromDocument, agreementIdOf } from '../config/agreement.ts'
import { toHex } from '../core/bytes.ts'
import { type AgreementId, compareIds, type Digest, type MemberId, type StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { Entry, Glance } from '../ledger/entry.ts'
import { type Body, readBody } from './kinds.ts'
import type { MadeModel } from './lineage.ts'
import { Quota } from './quota.ts'
import { type Made, Withdrawals } from './withdrawals.ts'

/** The first and last of some rounds, counted from 0, and how many there are. */
export interface RoundSpan {
  readonly first: number
  readonly last: number
  readonly count: number
}

/** A table that rounds were trained on. */
export interface FamilyTable {
  readonly commitment: Digest
  /** The entry that bound it; null where its log here has none. */
  readonly boundSeq: number | null
  /** The registered version that the binding names. */
  readonly version: Digest | null
  /** What that hospital's log says of the version; `number` counts them, null where an earlier one is not here. */
  readonly registration: {
    readonly seq: number
    readonly number: number | null
    readonly dataset: Digest
    readonly rows: number
    readonly source: string
  } | null
  readonly rounds: RoundSpan
}

/** What one hospital put into the model. */
export interface FamilyHospital {
  readonly member: MemberId
  readonly rounds: RoundSpan
  /** Fewest and most of one round. */
  readonly examples: readonly [number, number]
  /** Of all coefficients of all merges behind the model, the part that its updates had; 0 where there was no merge. */
  readonly share: number
  readonly tables: readonly FamilyTable[]
}

/** A merge of the last rounds, with what went into it. */
export interface FamilyMerge {
  readonly author: MemberId
  readonly round: number
  readonly seq: number
  readonly model: Digest
  readonly rule: string
  readonly inputs: readonly (readonly [author: MemberId, round: number, update: Digest, coefficient: number])[]
}

/** An agreement that rounds behind the model were done under, by what their entries say. */
export interface FamilyAgreement {
  readonly agreement: AgreementId
  /** Null where no proposal of it is here, or none that this version reads. */
  readonly name: string | null
  readonly proposals: readonly FamilyPlace[]
  /** The newest of each who signed, refused or ended it. */
  readonly words: readonly (FamilyPlace & { readonly word: AgreementWord })[]
  readonly hospitals: readonly { readonly member: MemberId; readonly rounds: RoundSpan }[]
}

interface FamilyPlace {
  readonly author: MemberId
  readonly seq: number
}

type AgreementWord = (typeof WORDS)[keyof typeof WORDS]

/** A word that takes a model behind it back. */
export interface FamilyWithdrawal extends Made {
  readonly by: MemberId
  readonly reason: string
  readonly seq: number
}

/** The tree. Lists are sorted. */
export interface Family {
  readonly made: MadeModel
  readonly hospitals: readonly FamilyHospital[]
  readonly merges: number
  readonly rules: readonly (readonly [rule: string, merges: number])[]
  /** Those of the last rounds. */
  readonly recent: readonly FamilyMerge[]
  readonly agreements: readonly FamilyAgreement[]
  readonly withdrawn: readonly FamilyWithdrawal[]
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Registration = NonNullable<FamilyTable['registration']>

interface Agreement {
  name: string | null
  readonly proposals: Map<MemberId, FamilyPlace>
  readonly words: Map<MemberId, FamilyAgreement['words'][number]>
  readonly rounds: Map<MemberId, Mutable<RoundSpan>>
}

interface Author {
  readonly registered: Map<Digest, Registration>
  readonly bound: Map<Digest, { readonly seq: number; readonly version: Digest | null }>
  readonly tables: Map<Digest, Mutable<RoundSpan>>
  rounds: Mutable<RoundSpan> | null
  examples: [number, number]
  coefficients: number
}

const RECENT_ROUNDS = 8 // what a drawing has room for
const RECENT_MERGES_MAX = 512
const TABLES_MAX = 1_024 // bindings of one hospital in one study that are looked at, the first ones
const VERSIONS_MAX = 8_192 // registrations of one hospital, as above
const RULES_MAX = 32 // a study has one; what a log may say is bounded
const KINDS: ReadonlySet<string> = new Set([
  'dataset.bound',
  'round.trained',
  'round.merged',
  'model.withdrawn',
  'model.restored',
])
const WORDS = {
  'agreement.signed': 'signed',
  'agreement.refused': 'refused',
  'agreement.ended': 'ended',
} as const
/** Of these none is of a study: what they are about is named by digest. */
const OF_NO_STUDY: ReadonlySet<string> = new Set(['dataset.registered', 'agreement.proposed', ...Object.keys(WORDS)])

/** Whether the tree of a model of that study has a use for the entry. */
export function isOfFamily({ kind, study }: Pick<Glance, 'kind' | 'study'>, id: StudyId): boolean {
  return OF_NO_STUDY.has(kind) || (study === id && KINDS.has(kind))
}

/** One per question. */
export class FamilyTree {
  readonly #study: StudyId
  readonly #made: MadeModel
  readonly #isBehind: (one: Made) => boolean
  readonly #authors = new Map<MemberId, Author>()
  readonly #rules = new Map<string, number>()
  readonly #recent: FamilyMerge[] = []
  readonly #agreements = new Map<AgreementId, Agreement>()
  readonly #withdrawals = new Withdrawals()
  readonly #bindings = new Quota<MemberId, Digest>(TABLES_MAX)
  readonly #versions = new Quota<MemberId, Digest>(VERSIONS_MAX)
  readonly #mentioned = new Quota<MemberId, AgreementId>(LIMITS.agreementsMentionedMax)
  #merges = 0
  #coefficients = 0

  /** `isBehind` is what `Lineage.behind` says of the model. */
  constructor(study: StudyId, made: MadeModel, isBehind: (one: Made) => boolean) {
    this.#study = study
    this.#made = made
    this.#isBehind = isBehind
  }

  /** The next entry of its author's log; any kind. Bodies that do not fit, or were dropped, tell nothing. */
  take(entry: Entry): void {
    if (!isOfFamily(entry, this.#study)) return
    const { kind, author, seq, body } = entry
    if (this.#withdrawals.fold(entry)) return
    if (kind === 'dataset.registered') this.#registered(author, seq, readBody(kind, body))
    else if (kind === 'dataset.bound') this.#bound(author, seq, readBody(kind, body))
    else if (kind === 'round.trained') this.#trained(author, readBody(kind, body))
    else if (kind === 'round.merged') this.#merged(author, seq, readBody(kind, body))
    else if (kind === 'agreement.proposed') this.#proposed(author, seq, readBody(kind, body))
    else this.#spoke(author, seq, kind as keyof typeof WORDS, body)
  }

  /** What was taken so far. */
  family(): Family {
    const hospitals = [...this.#authors].flatMap(([member, author]) => {
      const { rounds, examples, coefficients } = author
      if (rounds === null) return []
      const share = this.#coefficients === 0 ? 0 : coefficients / this.#coefficients
      return [{ member, rounds, examples, share, tables: tablesOf(author) }]
    })
    const spoken = this.#withdrawals.spoken(this.#study).filter(this.#isBehind)
    const withdrawn = spoken.flatMap(({ author, model, words }) =>
      [...words].flatMap(([by, { reason, seq }]) => (reason === null ? [] : [{ author, model, by, reason, seq }])),
    )
    return {
      made: this.#made,
      hospitals: hospitals.sort((a, b) => compareIds(a.member, b.member)),
      merges: this.#merges,
      rules: [...this.#rules].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)),
      recent: [...this.#recent].sort((a, b) => a.round - b.round || compareIds(a.author, b.author) || a.seq - b.seq),
      agreements: [...this.#agreements]
        .flatMap(([agreement, said]) => (said.rounds.size === 0 ? [] : [agreementOf(agreement, said)]))
        .sort((a, b) => compareIds(a.agreement, b.agreement)),
      withdrawn: withdrawn.sort((a, b) => compareIds(a.by, b.by) || a.seq - b.seq),
    }
  }

  #registered(author: MemberId, seq: number, body: Body<'dataset.registered'> | null): void {
    if (body === null) return
    const version = toHex(body.version) as Digest
    if (!this.#versions.take(author, version)) return
    const { registered } = this.#of(author)
    const before = body.previous === null ? null : registered.get(toHex(body.previous) as Digest)
    const number = before === null ? 1 : before?.number == null ? null : before.number + 1
    const { rows, source } = body
    registered.set(version, { seq, number, dataset: toHex(body.dataset) as Digest, rows, source })
  }

  #bound(author: MemberId, seq: number, body: Body<'dataset.bound'> | null): void {
    if (body === null) return
    const commitment = toHex(body.commitment) as Digest
    if (!this.#bindings.take(author, commitment)) return
    const version = body.version === undefined ? null : (toHex(body.version) as Digest)
    this.#of(author).bound.set(commitment, { seq, version })
  }

  #trained(author: MemberId, body: Body<'round.trained'> | null): void {
    if (body === null || !this.#isBehind({ author, model: toHex(body.update) as Digest })) return
    const { round, examples } = body
    const own = this.#of(author)
    const [least, most] = own.examples
    own.examples = own.rounds === null ? [examples, examples] : [Math.min(least, examples), Math.max(most, examples)]
    own.rounds = grown(own.rounds, round)
    const commitment = toHex(body.dataset) as Digest
    if (own.tables.size < TABLES_MAX || own.tables.has(commitment))
      own.tables.set(commitment, grown(own.tables.get(commitment) ?? null, round))
    for (const cited of body.agreements ?? []) {
      const rounds = this.#said(author, toHex(cited) as AgreementId)?.rounds
      rounds?.set(author, grown(rounds.get(author) ?? null, round))
    }
  }

  #proposed(author: MemberId, seq: number, body: Body<'agreement.proposed'> | null): void {
    if (body === null) return
    const said = this.#said(author, agreementIdOf(body.document))
    if (said === null) return
    if (!said.proposals.has(author)) said.proposals.set(author, { author, seq })
    said.name ??= nameIn(body.document)
  }

  #spoke(author: MemberId, seq: number, kind: keyof typeof WORDS, body: Entry['body']): void {
    const read = readBody(kind, body)
    const said = read && this.#said(author, toHex(read.agreement) as AgreementId)
    if (said?.words.get(author)?.word !== 'ended') said?.words.set(author, { author, seq, word: WORDS[kind] }) // an end is for good
  }

  /** Null where its author speaks of more agreements than are followed. */
  #said(author: MemberId, id: AgreementId): Agreement | null {
    if (!this.#mentioned.take(author, id)) return null
    const known = this.#agreements.get(id)
    if (known !== undefined) return known
    const fresh: Agreement = { name: null, proposals: new Map(), words: new Map(), rounds: new Map() }
    this.#agreements.set(id, fresh)
    return fresh
  }

  #merged(author: MemberId, seq: number, body: Body<'round.merged'> | null): void {
    if (body === null || !this.#isBehind({ author, model: toHex(body.result) as Digest })) return
    const { round, rule, result } = body
    const inputs = [...body.inputs, ...(body.partial?.updates ?? [])].map(([member, of, update, coefficient]) => {
      return [toHex(member) as MemberId, of, toHex(update) as Digest, coefficient] as const
    })
    this.#merges++
    const named = this.#rules.has(rule) || this.#rules.size < RULES_MAX ? rule : 'other'
    this.#rules.set(named, (this.#rules.get(named) ?? 0) + 1)
    for (const [member, , , coefficient] of inputs) {
      const billionths = Math.round(coefficient * 1e9) // whole numbers: their sum is the same in any order
      this.#of(member).coefficients += billionths
      this.#coefficients += billionths
    }
    const isRecent = round > this.#made.round - RECENT_ROUNDS && this.#recent.length < RECENT_MERGES_MAX
    if (isRecent) this.#recent.push({ author, round, seq, model: toHex(result) as Digest, rule, inputs })
  }

  #of(author: MemberId): Author {
    const known = this.#authors.get(author)
    if (known !== undefined) return known
    const maps = { registered: new Map(), bound: new Map(), tables: new Map() }
    const fresh: Author = { ...maps, rounds: null, examples: [0, 0], coefficients: 0 }
    this.#authors.set(author, fresh)
    return fresh
  }
}

function tablesOf({ tables, bound, registered }: Author): FamilyTable[] {
  const found = [...tables].map(([commitment, rounds]) => {
    const { seq: boundSeq, version } = bound.get(commitment) ?? { seq: null, version: null }
    const registration = version === null ? null : (registered.get(version) ?? null)
    return { commitment, boundSeq, version, registration, rounds }
  })
  return found.sort((a, b) => a.rounds.first - b.rounds.first || compareIds(a.commitment, b.commitment))
}

function grown(span: Mutable<RoundSpan> | null, round: number): Mutable<RoundSpan> {
  if (span === null) return { first: round, last: round, count: 1 }
  const { first, last, count } = span
  return { first: Math.min(first, round), last: Math.max(last, round), count: count + 1 }
}

function agreementOf(agreement: AgreementId, { name, proposals, words, rounds }: Agreement): FamilyAgreement {
  const byAuthor = (a: FamilyPlace, b: FamilyPlace): number => compareIds(a.author, b.author)
  const hospitals = [...rounds].map(([member, span]) => ({ member, rounds: span }))
  return {
    ...{ agreement, name },
    proposals: [...proposals.values()].sort(byAuthor),
    words: [...words.values()].sort(byAuthor),
    hospitals: hospitals.sort((a, b) => compareIds(a.member, b.member)),
  }
}

function nameIn(document: Uint8Array): string | null {
  try {
    return agreementFromDocument(document).name
  } catch {
    return null // of another version: it has its digest
  }
}
