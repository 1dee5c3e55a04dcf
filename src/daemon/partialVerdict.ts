/** The parts of updates that went into one recorded merge: what its entry says of them, and whether that can be and comes out again. */
import type { Study } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { Range } from '../core/ranges.ts'
import { rangesNamed } from '../gossip/coding/parts.ts'
import type { Body } from '../governance/kinds.ts'
import type { PartlyMerged, RuleInParts } from '../learn/merge/inParts.ts'
import { weightFormatOf } from '../node/expectation.ts'
import type { RecordedMerge, RecordedPart, RecordedParts } from './recordedMerge.ts'

/** As the entry has it; null where all that was merged was whole. */
export function readParts({ partial }: Body<'round.merged'>): RecordedParts | null {
  if (partial === undefined) return null
  return {
    updates: partial.updates.map(([key, round, digest, coefficient, age, chunks]) => {
      const named = { author: toHex(key) as MemberId, round, digest: toHex(digest) as Digest }
      return { ...named, coefficient, age, chunks }
    }),
    rules: partial.rules.map(([inputs, weights, rule, faulty, nearest]) => {
      return { inputs, weights, rule: rule as RuleInParts['rule'], faulty, nearest }
    }),
  }
}

/** What is wrong with the parts of a merge whatever they hold, or null. */
export function partsFault({ author, inputs, parts }: RecordedMerge, study: Study): string | null {
  const { updates } = parts ?? { updates: [] }
  if (updates.length > LIMITS.updateParentsMax) return `parts of ${updates.length} updates are named`
  const rounds = new Map(inputs.map((input) => [input.author, input.round]))
  for (const [i, part] of updates.entries()) {
    const before = updates[i - 1]
    if (before !== undefined && compareIds(before.author, part.author) >= 0)
      return 'the updates that were merged in part are not sorted by author, one each'
    if (part.author === author) return "the member's own update is never merged in part"
    if (part.round <= (rounds.get(part.author) ?? -1)) return 'parts of an update stand in for a newer one'
    if (part.age > study.merge.ageRoundsMax)
      return `parts of an update were merged ${part.age} times before, the study allows ${study.merge.ageRoundsMax}`
    if (rangesOf(part, study).length === 0) return 'of an update no chunks are named that can be read'
  }
  return null
}

/** The weights that a part's chunks give; none where they give none. */
export function rangesOf({ chunks }: RecordedPart, study: Study): readonly Range[] {
  return rangesNamed(weightFormatOf(study), chunks) ?? []
}

/** The first thing that is said otherwise in an entry than it comes out again, or null. */
export function partsApart(
  parts: RecordedParts | null,
  { partial, rules }: PartlyMerged,
  nameOf: (member: MemberId) => string,
): string | null {
  for (const [i, { author, coefficient }] of partial.entries()) {
    const told = parts?.updates[i]?.coefficient
    if (!Object.is(told, coefficient))
      return `the coefficient of the parts of ${nameOf(author)} is ${told}, recomputed it is ${coefficient}`
  }
  const say = (all: readonly RuleInParts[]): string => all.map(wordsOf).join(', ')
  const [told, again] = [say(parts?.rules ?? []), say(rules)]
  return told === again ? null : `merged in parts were ${told || 'none'}, recomputed ${again || 'none'}`
}

function wordsOf({ inputs, weights, rule, faulty, nearest }: RuleInParts): string {
  return `${weights} weights of ${inputs} inputs by ${rule} with ${faulty} faulty${nearest ? ', mixed' : ''}`
}

/** How often each author's newest update was merged in part, by one member's log: its entries in order. */
export class PartAges {
  readonly #taken = new Map<string, { readonly update: string; merges: number }>()

  /** The first update that is told to be older than this log can show, or null. A start begins to count anew, so that it may be younger. */
  merged({ study, parts }: RecordedMerge): RecordedPart | null {
    let older: RecordedPart | null = null
    for (const part of parts?.updates ?? []) {
      const [key, update] = [`${study} ${part.author}`, `${part.round} ${part.digest}`]
      const before = this.#taken.get(key)
      const taken = before?.update === update ? before : { update, merges: 0 }
      if (part.age > taken.merges) older ??= part
      taken.merges++
      this.#taken.set(key, taken)
    }
    return older
  }
}
