/** Whether one recorded merge is what its rule gives: coefficients and result recomputed from the inputs, and compared to the bit. */
import type { Study } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { weightsDigest } from '../core/digest.ts'
import { compareIds, type Digest, type MemberId, type StudyId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { readBody } from '../governance/kinds.ts'
import { mergeInParts, type PartlyMerged } from '../learn/merge/inParts.ts'
import { isRule, type MergeInput, resolve } from '../learn/merge/rule.ts'
import { coefficients } from '../learn/merge/weighting.ts'
import type { Entry } from '../ledger/entry.ts'
import { partsApart, partsFault, rangesOf, readParts } from './partialVerdict.ts'
import type { RecordedAside, RecordedInput, RecordedMerge, RecordedPart } from './recordedMerge.ts'

/** Why a merge cannot be checked although its rule is known and its inputs are here. */
export type NotCheckable = 'body-dropped' | 'body-unreadable' | 'study-unknown' | 'trained-not-here' | 'examples-none'

/** What was found of one merge; `differs` says the first thing that does. */
export type MergeVerdict =
  /** `otherAges`: its weights fit ages of inputs that are not those which this log shows, but can be. */
  | { readonly verdict: 'equal'; readonly otherAges: boolean }
  | { readonly verdict: 'differs'; readonly what: string }
  /** Their authors. */
  | { readonly verdict: 'inputs-missing'; readonly of: readonly MemberId[] }
  | { readonly verdict: 'rule-unknown' }
  | { readonly verdict: 'not-checkable'; readonly reason: NotCheckable }

/** What an author's `round.trained` entry says of an update. */
export interface TrainedFact {
  readonly round: number
  readonly examples: number
}

/** How many merges ago an input can have been heard, by the log of the member that merged it. */
export interface AgeRange {
  /** Merges of this member since the first that names it. */
  readonly counted: number
  readonly most: number
}

/** An update that was merged in part, with what is known of it. */
export interface KnownPart extends RecordedPart, Pick<KnownInput, 'trained' | 'weights'> {}

/** One input with what is known of it: `trained` of this update in its author's log, and its weights. */
export interface KnownInput extends RecordedInput {
  readonly trained: readonly TrainedFact[]
  readonly age: AgeRange
  readonly weights: Float32Array
}

/** Reads a `round.merged` entry, or says why it cannot be read. */
export function readMerge({ author, study, body }: Entry): RecordedMerge | MergeVerdict {
  if (body === null) return notCheckable('body-dropped')
  const merged = readBody('round.merged', body)
  if (merged === null || study === null) return notCheckable('body-unreadable')
  const inputs = merged.inputs.map(([key, round, digest, coefficient]): RecordedInput => {
    return { author: toHex(key) as MemberId, round, digest: toHex(digest) as Digest, coefficient }
  })
  const aside = (merged.aside ?? []).map(([key, round, digest, reason]): RecordedAside => {
    return { author: toHex(key) as MemberId, round, digest: toHex(digest) as Digest, reason }
  })
  const { round, rule, parameters = null } = merged
  return {
    author,
    study,
    round,
    rule,
    inputs,
    result: toHex(merged.result) as Digest,
    parameters,
    aside,
    parts: readParts(merged),
  }
}

/** What is wrong with a merge whatever its inputs hold, or null. */
export function formFault(merge: RecordedMerge, study: Study | null): MergeVerdict | null {
  const { author, round, rule, inputs } = merge
  if (!isRule(rule)) return { verdict: 'rule-unknown' }
  if (study === null) return notCheckable('study-unknown')
  const unfit = rulesApart(merge, study.merge)
  if (unfit !== null) return differs(unfit)
  const sorted = inputs.every(
    (input, i) => i === 0 || compareIds((inputs[i - 1] as RecordedInput).author, input.author) < 0,
  )
  if (!sorted) return differs('the inputs are not sorted by author, one each')
  const most = LIMITS.updateParentsMax
  if (inputs.length > most) return differs(`${inputs.length} updates are named, at most ${most} are merged`)
  const own = inputs.find((input) => input.author === author)
  if (own === undefined) return differs("the member's own update is not among the inputs")
  if (own.round !== round) return differs(`the own update is of round ${own.round}, the merge of round ${round}`)
  const parts = partsFault(merge, study)
  return parts === null ? null : differs(parts)
}

/** Where the entry names another rule, or other parameters, than the study has for so many inputs; null where none. */
function rulesApart({ rule, parameters, inputs, author, parts }: RecordedMerge, agreed: Study['merge']): string | null {
  const due = resolve(agreed, inputs.length)
  if (rule !== due.rule) return `the rule is ${rule}, the study's is ${due.rule} for ${inputs.length} inputs`
  if (parameters === null)
    return due.rule === 'mean' && !due.nearest && parts === null ? null : `the parameters of ${due.rule} are missing`
  const { faulty, nearest, centre, radius, ages } = parameters
  if (faulty !== due.faulty || nearest !== due.nearest)
    return `${faulty} inputs of ${inputs.length} are assumed faulty${nearest ? ', mixed' : ''}; by the study ${due.faulty}${due.nearest ? ', mixed' : ''}`
  if (ages.length !== inputs.length) return `${ages.length} ages are told of ${inputs.length} inputs`
  const own = inputs.find((input) => input.author === author)
  if ((centre === null) !== (radius === null)) return 'a clip has both a centre and a radius, or neither'
  if (centre !== null && toHex(centre) !== own?.digest) return 'the clip is not centred on the own update'
  return null
}

/** Recomputes a merge in which `formFault` found nothing. The weights of `inputs` and `parts` are as long as the study's model. */
export function recompute(
  merge: RecordedMerge,
  inputs: readonly KnownInput[],
  parts: readonly KnownPart[],
  study: Study,
  nameOf: (member: MemberId) => string,
): MergeVerdict {
  const { merge: rule } = study
  const [weighed, weighedParts] = [weigh(inputs, nameOf), weigh(parts, nameOf)]
  if ('verdict' in weighed) return weighed
  if ('verdict' in weighedParts) return weighedParts
  const partial = weighedParts.map((input, i) => {
    const part = parts[i] as KnownPart
    return { ...input, ageRounds: part.age, ranges: rangesOf(part, study) }
  })
  const again = (ages: readonly number[]): Comparison => {
    const aged = weighed.map((input, i) => ({ ...input, ageRounds: ages[i] as number }))
    return compare(merge, mergeInParts(rule, aged, partial, merge.author), nameOf)
  }
  let ages: readonly number[] = inputs.map(({ age }) => age.counted)
  let found = again(ages)
  const told = merge.parameters?.ages ?? null
  const claimed = found.differs === 'coefficient' ? (told ?? claimedAges(merge, weighed, rule)) : null
  if (
    claimed?.length === inputs.length &&
    claimed.every((age, i) => age >= 0 && age <= (inputs[i] as KnownInput).age.most)
  ) {
    const other = again(claimed)
    if (other.differs !== 'coefficient') [ages, found] = [claimed, other]
  }
  if (found.differs !== null) return differs(found.text)
  const old = ages.findIndex((age) => age > rule.ageRoundsMax)
  if (old >= 0) {
    const name = nameOf((inputs[old] as KnownInput).author)
    return differs(`the update of ${name} is ${ages[old]} rounds old, the study allows ${rule.ageRoundsMax}`)
  }
  return { verdict: 'equal', otherAges: ages === claimed }
}

type Weighed = Omit<MergeInput, 'ageRounds'>

/** The inputs with the examples that their authors recorded, or why these are not known. */
function weigh(
  inputs: readonly (RecordedInput & Pick<KnownInput, 'trained' | 'weights'>)[],
  nameOf: (member: MemberId) => string,
): Weighed[] | MergeVerdict {
  const weighed: Weighed[] = []
  for (const { author, round, digest, trained, weights } of inputs) {
    const fact = trained.find((one) => one.round === round)
    if (fact === undefined) {
      const other = trained[0]
      if (other === undefined) return notCheckable('trained-not-here')
      return differs(`${nameOf(author)} trained ${short(digest)}… in round ${other.round}, not in round ${round}`)
    }
    if (fact.examples < 1) return notCheckable('examples-none')
    weighed.push({ author, examples: fact.examples, weights })
  }
  return weighed
}

interface Comparison {
  readonly differs: 'coefficient' | 'result' | null
  readonly text: string
}

function compare(
  { inputs, result, parameters, aside, parts }: RecordedMerge,
  again: PartlyMerged,
  nameOf: (member: MemberId) => string,
): Comparison {
  const at = inputs.findIndex(({ coefficient }, i) => !Object.is(coefficient, again.coefficients[i]))
  const input = inputs[at]
  if (input !== undefined) {
    const text = `the coefficient of ${nameOf(input.author)} is ${input.coefficient}, recomputed it is ${again.coefficients[at]}`
    return { differs: 'coefficient', text }
  }
  const apart = partsApart(parts, again, nameOf)
  if (apart !== null) return { differs: 'coefficient', text: apart }
  const digest = weightsDigest(again.weights)
  const radius = parameters?.radius ?? null
  if (!Object.is(radius, again.applied.radius))
    return { differs: 'result', text: `the clip radius is ${radius}, recomputed it is ${again.applied.radius}` }
  const outlying = aside.flatMap(({ author, reason }) => (reason === 'outlying' ? [author] : []))
  if (outlying.join() !== again.outlying.join()) {
    const names = (members: readonly MemberId[]): string => members.map(nameOf).join(', ') || 'nobody'
    const text = `set aside as outlying are ${names(outlying)}, recomputed ${names(again.outlying)}`
    return { differs: 'result', text }
  }
  if (digest === result) return { differs: null, text: '' }
  return { differs: 'result', text: `the result is ${short(result)}…, recomputed it is ${short(digest)}…` }
}

/**
 * The ages that the recorded coefficients speak of, whole but not checked: of two inputs the ratio of their coefficients to that of
 * their weights at age 0 is (1 + age / half) of the one over that of the other, and the own update has age 0.
 */
function claimedAges(merge: RecordedMerge, inputs: readonly Weighed[], rule: Study['merge']): number[] | null {
  const fresh = coefficients(
    inputs.map((input) => ({ ...input, ageRounds: 0 })),
    rule,
  )
  const own = merge.inputs.findIndex(({ author }) => author === merge.author)
  const ratio = (i: number): number => (fresh[i] as number) / (merge.inputs[i] as RecordedInput).coefficient
  const ages = inputs.map((_, i) => Math.round((ratio(i) / ratio(own) - 1) * AGE_HALF_ROUNDS))
  return ages.every(Number.isSafeInteger) ? ages.map((age) => (age === 0 ? 0 : age)) : null
}

const AGE_HALF_ROUNDS = 1 // studies do not set it; the default of `MeanRule`

/**
 * How old the inputs of one log's merges are. The age that counted was known to the node alone: how often it had merged since it
 * heard the update. From its log it is the number of merges since the first that names it, but for three cases: after a start the
 * node hears an update anew (younger); one heard while a study was being opened is a round older; and where more updates were held
 * than a merge can name, it can have been held before it was named. Feed it the log's entries in order.
 */
export class Ages {
  #starts = 0
  readonly #studies = new Map<StudyId, { merges: number; openSince: number; openStarts: number }>()
  readonly #named = new Map<string, { update: string; first: number; earliest: number; starts: number }>()

  started(): void {
    this.#starts++
  }

  /** The ages of the inputs of this merge, in their order; its own update's is 0 unless it says otherwise. */
  merged({ author: self, study, inputs, aside }: RecordedMerge): AgeRange[] {
    const state = this.#studies.get(study) ?? { merges: 0, openSince: 0, openStarts: 0 }
    const left = aside.filter(({ reason }) => reason !== 'outlying') // known as well, and growing old
    const ages = [...inputs, ...left].map(({ author, round, digest }): AgeRange => {
      if (author === self) return { counted: 0, most: Number.POSITIVE_INFINITY } // who was away says how old it took its own to be
      const update = `${round} ${digest}`
      let named = this.#named.get(`${study} ${author}`)
      if (named?.update !== update) {
        named = { update, first: state.merges, earliest: state.openSince, starts: state.openStarts }
        this.#named.set(`${study} ${author}`, named)
      }
      const opened = this.#starts > named.starts ? 1 : 0
      return { counted: state.merges - named.first, most: state.merges - named.earliest + opened }
    })
    const merges = state.merges + 1
    const full = ages.length >= LIMITS.updateParentsMax
    this.#studies.set(study, full ? { ...state, merges } : { merges, openSince: merges, openStarts: this.#starts })
    return ages.slice(0, inputs.length)
  }
}

function differs(what: string): MergeVerdict {
  return { verdict: 'differs', what }
}

function notCheckable(reason: NotCheckable): MergeVerdict {
  return { verdict: 'not-checkable', reason }
}

const short = (digest: Digest): string => digest.slice(0, 12)
