/**
 * What a hospital opens to an auditor of one round: each patient's leaf and words, without who it is. Together with the hospital's log it
 * shows that the root in the round's entry is over these, and that every word that was recorded by then was obeyed. It says no time: the
 * log and the words themselves have those that they are judged at.
 */
import type { StudyConsent } from '../config/consent.ts'
import { toHex } from '../core/bytes.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { askedAnew, type ConsentDecision, consentOf, decisionCommitment, readDecision } from './consent.ts'
import type { ToldWords } from './consentDeclared.ts'
import { consentLeaf, historyOf } from './consentLeaf.ts'
import { rootOver } from './consentSet.ts'
import type { BareLeaf } from './roundSets.ts'

/** A word as it is opened: salt and canonical bytes. */
export interface OpenedWord {
  readonly salt: Uint8Array
  readonly bytes: Uint8Array
}

/** A patient as opened. */
export interface OpenedLeaf {
  readonly tag: Uint8Array
  readonly salt: Uint8Array
  readonly permitted: boolean
  readonly rows: number
  readonly words: readonly OpenedWord[]
}

/** What is opened of one round. `elsewhere`: words of patients who are not in its table. */
export interface Opening {
  readonly leaves: readonly OpenedLeaf[]
  /** Of patients who were forgotten since: nobody can open them. */
  readonly bare: readonly BareLeaf[]
  readonly elsewhere: readonly OpenedWord[]
}

/** What the log says: root and time of the round's entry, and what its author had told. */
export interface Declared {
  readonly study: { readonly id: StudyId; readonly consent: StudyConsent }
  readonly root: Digest
  readonly timeMs: number
  readonly told: ToldWords
}

/** What an auditor learns. `faults` is empty where everything fits. */
export interface OpeningVerdict {
  readonly root: Digest
  readonly patients: number
  readonly permitted: number
  readonly rows: number
  readonly denials: number
  readonly erased: number
  /** When the round can have begun at the earliest; null where the log, as far as it is here, does not tell. */
  readonly sinceMs: number | null
  /** Words that the log told of before that. */
  readonly recorded: number
  /** Words that it tells of in entries that are not here, at least. */
  readonly missing: number
  /** Recorded commitments that nothing opened: of who was forgotten since, at most. */
  readonly unopened: number
  readonly faults: readonly string[]
}

/** Checks all of it again. */
export function checkOpening(opening: Opening, { study, root, timeMs, told }: Declared): OpeningVerdict {
  const { leaves, bare, elsewhere } = opening
  const { before, sinceMs, missing } = told
  const faults: string[] = []
  const opened = new Set(elsewhere.map(committed))
  const asked = told.anew ? askedAnew(study) : study
  let denials = 0
  const found = leaves.map((leaf): BareLeaf => {
    const own = leaf.words.map(({ salt, bytes }) => decisionCommitment(salt, bytes))
    for (const commitment of own) opened.add(toHex(commitment))
    const decisions = leaf.words.map(({ bytes }) => readDecision(bytes))
    denials += decisions.filter(({ decision }) => decision === 'deny').length
    const { permitted } = leaf
    if (!canSay(permitted, decisions, asked, { fromMs: sinceMs ?? timeMs, toMs: timeMs }))
      faults.push(`patient ${toHex(leaf.tag)}: the words say ${said(!permitted)}, the set has ${said(permitted)}`)
    return { tag: leaf.tag, leaf: consentLeaf({ ...leaf, history: historyOf(own) }) }
  })
  const all = [...found, ...bare]
  const again = rootOver(all)
  if (again !== root) faults.push(`the leaves give the root ${again}, and the entry has ${root}`)
  if (new Set(all.map(({ tag }) => toHex(tag))).size !== all.length) faults.push('a patient is there twice')
  if (bare.length > told.forgotten)
    faults.push(`${bare.length} patients are shut as forgotten, and the log tells of ${told.forgotten} who were`)
  const unopened = before.filter((commitment) => !opened.has(commitment)).length
  if (unopened > 0 && told.forgotten === 0)
    faults.push(`${unopened} words that the log tells of are opened nowhere, and nobody was forgotten`)
  faults.push(...gapsIn(told, opened))
  const using = leaves.filter(({ permitted }) => permitted)
  return {
    ...{ root: again, patients: all.length, permitted: using.length, denials, erased: bare.length },
    ...{ sinceMs, recorded: before.length, missing, unopened, faults },
    rows: using.reduce((sum, { rows }) => sum + rows, 0),
  }
}

const MOMENTS_MAX = 100 // at which what one patient said changes by itself, before one round is recorded

/**
 * Whether the words said that at any moment at which the round can have begun: since the merge before it, since the newest of them was
 * received, and before its entry. While it is trained what was said may change, and binds the next.
 */
function canSay(
  permitted: boolean,
  decisions: readonly ConsentDecision[],
  study: Declared['study'],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): boolean {
  const firstMs = decisions.reduce((ms, { receivedAtMs }) => Math.max(ms, receivedAtMs), fromMs)
  let atMs: number | null = firstMs // also where a clock was set back, and the entry's time is before it
  for (let i = 0; i < MOMENTS_MAX && atMs !== null && (atMs <= toMs || atMs === firstMs); i++) {
    const verdict = consentOf(decisions, study, atMs)
    if (verdict.permitted === permitted) return true
    atMs = verdict.changesAtMs
  }
  return false
}

/** What of the log is not here, so that nobody can say that all words were obeyed. */
function* gapsIn({ all, missing, unread, sinceMs }: ToldWords, opened: ReadonlySet<string>): Iterable<string> {
  const untold = [...opened].filter((commitment) => !all.has(commitment)).length
  if (sinceMs === null)
    yield 'no entry before the round tells when its hospital had a table of the study, or had merged'
  if (missing > 0) yield `entries are not here that tell of ${missing} words at least`
  if (unread > 0) yield `${unread} entries that tell of words, or of erasures, are here without what they tell`
  if (untold > 0) yield `${untold} of the words that are opened stand in no entry that is here`
}

const committed = ({ salt, bytes }: OpenedWord): string => toHex(decisionCommitment(salt, bytes))
const said = (permitted: boolean): string => (permitted ? 'yes' : 'no')

/** The lines of a file with an opening, JSON: what it is of, then each patient. */
export function* openingLines(opening: Opening, header: Readonly<Record<string, string | number>>): Iterable<string> {
  const words = (given: readonly OpenedWord[]) => given.map(({ salt, bytes }) => [toHex(salt), toHex(bytes)])
  yield JSON.stringify({ format: FORMAT, ...header })
  for (const { tag, salt, permitted, rows, words: own } of opening.leaves)
    yield JSON.stringify({ tag: toHex(tag), salt: toHex(salt), permitted, rows, words: words(own) })
  for (const { tag, leaf } of opening.bare) yield JSON.stringify({ tag: toHex(tag), leaf: toHex(leaf) })
  if (opening.elsewhere.length > 0) yield JSON.stringify({ elsewhere: words(opening.elsewhere) })
}

export const FORMAT = 'consilium-consent-opening-1'
