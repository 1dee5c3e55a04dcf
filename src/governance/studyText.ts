/** The words of a study's description that nothing is computed from: what a redaction may take back while the study goes on. */
import { type Study, studyDocument, studyFromDocument } from '../config/study.ts'
import { equalBytes } from '../core/bytes.ts'
import type { Cbor } from '../core/cbor.ts'
import { compareIds, type MemberId } from '../core/ids.ts'
import { readBody } from './kinds.ts'

/** Where a redaction stands in the order that all nodes share. */
export interface Place {
  readonly lamport: number
  readonly author: MemberId
  readonly seq: number
}

/** Whether the two differ in name and purpose at most. */
export function sameButText(a: Study, b: Study): boolean {
  return equalBytes(studyDocument(withTextsOf(a, b)), studyDocument(b))
}

/** The study with the other's name and purpose. */
export function withTextsOf(study: Study, { name, purpose }: Study): Study {
  return { ...study, name, purpose }
}

/** What a redaction puts in the place of a description that it takes back, and when that was proposed; null where it gives none. */
export function retoldIn({
  kind,
  body,
}: {
  readonly kind: string
  readonly body: Cbor | null
}): { readonly study: Study; readonly proposedAtMs: number } | null {
  const instead = kind === 'operator.redacted' ? readBody('operator.redacted', body)?.instead : undefined
  const study = instead === undefined ? null : studyIn(instead.document)
  return study === null || instead === undefined ? null : { study, proposedAtMs: instead.proposed }
}

/** Null where this version cannot read it. */
export function studyIn(document: Uint8Array): Study | null {
  try {
    return studyFromDocument(document)
  } catch {
    return null
  }
}

/** The first redaction counts where several tell it otherwise. */
export function isBefore(a: Place, b: Place | null): boolean {
  if (b === null || a.lamport !== b.lamport) return b === null || a.lamport < b.lamport
  const order = compareIds(a.author, b.author)
  return order < 0 || (order === 0 && a.seq < b.seq)
}
