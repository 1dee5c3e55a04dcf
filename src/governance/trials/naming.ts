/**
 * How people name a trial: by digits of its digest, or by the name in its protocol. Nothing keeps two hospitals from giving the same name, or one
 * from taking another's; so a name alone never decides between trials, but for the one that this hospital itself has spoken in.
 */
import type { MemberId } from '../../core/ids.ts'
import type { TrialBook, TrialRecord } from './book.ts'

const DIGITS_MIN = 6
const DIGITS_TOLD = 20 // longer than any name may be: whatever is proposed later, these fit one trial
const TOLD_MAX = 4 // trials in one line

/**
 * Those that are meant. Of several that fit it is the one that the hospital `self` has an entry in, where it is one alone: nobody else writes those,
 * so nobody can make that name unclear there, nor have it mean another trial.
 */
export function trialsMeant(book: TrialBook, given: string, self: MemberId | null): TrialRecord[] {
  const fit = book
    .trials()
    .filter((one) => (given.length >= DIGITS_MIN && one.id.startsWith(given)) || nameOf(one) === given)
  const ours = self === null || fit.length < 2 ? [] : fit.filter(({ voices }) => voices.has(self))
  return ours.length === 1 ? ours : fit
}

/** What a command at that hospital takes for this trial: its name where that means no other, else digits. */
export function trialRef(book: TrialBook, record: TrialRecord, self: MemberId | null): string {
  const meant = trialsMeant(book, nameOf(record), self)
  return meant.length === 1 && meant[0] === record ? nameOf(record) : digitsOf(record)
}

/** What is said to who gave a word that fits several. */
export function severalText(given: string, found: readonly TrialRecord[], name: (member: MemberId) => string): string {
  const told = found.slice(0, TOLD_MAX).map((one) => ofText(one, name))
  const more = found.length > TOLD_MAX ? ` and ${found.length - TOLD_MAX} more` : ''
  return `"${given.slice(0, 80)}" fits ${found.length} trials: ${told.join(', ')}${more}; give digits`
}

/** Why no new trial is proposed under this name, or null: a trial that is known here would then be found by digits alone. */
export function nameFault(
  book: TrialBook,
  given: string,
  self: MemberId,
  name: (member: MemberId) => string,
): string | null {
  const [first] = trialsMeant(book, given, self)
  if (first === undefined) return null
  const amend =
    first.sponsor === self ? `amend it ("consilium trial amend ${trialRef(book, first, self)} FILE"), or ` : ''
  return `name: "${given}" is taken, by ${ofText(first, name)}: ${amend}choose another name`
}

/** The first version gives the name, and all later ones keep it. */
const nameOf = ({ versions }: TrialRecord): string => versions[0]?.body.name ?? ''

const digitsOf = ({ id }: TrialRecord): string => id.slice(0, DIGITS_TOLD)

const ofText = (record: TrialRecord, name: (member: MemberId) => string): string =>
  `${digitsOf(record)}${record.sponsor === null ? '' : ` of ${name(record.sponsor)}`}`
