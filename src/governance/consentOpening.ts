/**
 * What a hospital opens to an auditor of one round: each patient's leaf and words, without who it is. Together with the hospital's log it
 * shows that the root in the round's entry is over these, and that every word that was recorded by then was obeyed.
 */
import type { StudyConsent } from '../config/consent.ts'
import { toHex } from '../core/bytes.ts'
import type { Digest, StudyId } from '../core/ids.ts'
import { consentOf, decisionCommitment, readDecision } from './consent.ts'
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
  readonly atMs: number
  readonly leaves: readonly OpenedLeaf[]
  /** Of patients who were forgotten since: nobody can open them. */
  readonly bare: readonly BareLeaf[]
  readonly elsewhere: readonly OpenedWord[]
}

/**
 * What the log says: the root in the round's entry, the commitments recorded before the round began, and how many patients it says were
 * forgotten by now: no more leaves than that may stay shut.
 */
export interface Declared {
  readonly study: { readonly id: StudyId; readonly consent: StudyConsent }
  readonly root: Digest
  readonly commitments: readonly string[]
  readonly forgotten: number
}

/** What an auditor learns. `faults` is empty where everything fits. */
export interface OpeningVerdict {
  readonly root: Digest
  readonly patients: number
  readonly permitted: number
  readonly rows: number
  readonly denials: number
  readonly erased: number
  /** Recorded commitments that nothing opened: of who was forgotten since, at most. */
  readonly unopened: number
  readonly faults: readonly string[]
}

/** Checks all of it again. */
export function checkOpening(opening: Opening, { study, root, commitments, forgotten }: Declared): OpeningVerdict {
  const { leaves, bare, elsewhere, atMs } = opening
  const faults: string[] = []
  const opened = new Set(elsewhere.map(committed))
  let denials = 0
  const found = leaves.map((leaf): BareLeaf => {
    const own = leaf.words.map(({ salt, bytes }) => decisionCommitment(salt, bytes))
    for (const commitment of own) opened.add(toHex(commitment))
    const decisions = leaf.words.map(({ bytes }) => readDecision(bytes))
    denials += decisions.filter(({ decision }) => decision === 'deny').length
    const { permitted } = consentOf(decisions, study, atMs)
    if (permitted !== leaf.permitted)
      faults.push(`patient ${toHex(leaf.tag)}: the words say ${said(permitted)}, the set has ${said(leaf.permitted)}`)
    return { tag: leaf.tag, leaf: consentLeaf({ ...leaf, history: historyOf(own) }) }
  })
  const all = [...found, ...bare]
  const again = rootOver(all)
  if (again !== root) faults.push(`the leaves give the root ${again}, and the entry has ${root}`)
  if (new Set(all.map(({ tag }) => toHex(tag))).size !== all.length) faults.push('a patient is there twice')
  if (bare.length > forgotten)
    faults.push(`${bare.length} patients are shut as forgotten, and the log tells of ${forgotten} who were`)
  const unopened = commitments.filter((commitment) => !opened.has(commitment)).length
  if (unopened > 0 && forgotten === 0)
    faults.push(`${unopened} words that the log tells of are opened nowhere, and nobody was forgotten`)
  const using = leaves.filter(({ permitted }) => permitted)
  return {
    ...{ root: again, patients: all.length, permitted: using.length, denials, erased: bare.length, unopened, faults },
    rows: using.reduce((sum, { rows }) => sum + rows, 0),
  }
}

const committed = ({ salt, bytes }: OpenedWord): string => toHex(decisionCommitment(salt, bytes))
const said = (permitted: boolean): string => (permitted ? 'yes' : 'no')

/** The lines of a file with an opening, JSON: what it is of, then each patient. */
export function* openingLines(opening: Opening, header: Readonly<Record<string, string | number>>): Iterable<string> {
  const words = (given: readonly OpenedWord[]) => given.map(({ salt, bytes }) => [toHex(salt), toHex(bytes)])
  yield JSON.stringify({ format: FORMAT, ...header, atMs: opening.atMs })
  for (const { tag, salt, permitted, rows, words: own } of opening.leaves)
    yield JSON.stringify({ tag: toHex(tag), salt: toHex(salt), permitted, rows, words: words(own) })
  for (const { tag, leaf } of opening.bare) yield JSON.stringify({ tag: toHex(tag), leaf: toHex(leaf) })
  if (opening.elsewhere.length > 0) yield JSON.stringify({ elsewhere: words(opening.elsewhere) })
}

export const FORMAT = 'consilium-consent-opening-1'
