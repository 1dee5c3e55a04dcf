/** Logs for the ledger's tests: deterministic keys, salts and entries, signed commit by commit. */

import { toHex, utf8 } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { sha256 } from '../../src/core/digest.ts'
import { type SigningKey, signingKey } from '../../src/core/ed25519.ts'
import { digest, type StudyId, studyId } from '../../src/core/ids.ts'
import {
  type EntryDraft,
  type Extension,
  emptyTip,
  extend,
  rootAt,
  storedHead,
  type Tip,
} from '../../src/ledger/chain.ts'
import { signHead, type VerifiedHead } from '../../src/ledger/head.ts'
import type { LogBatch } from '../../src/ledger/store.ts'

export const FOUNDING = digest(toHex(sha256(utf8('founding of the tests'))))
export const STUDY: StudyId = studyId(toHex(sha256(utf8('study of the tests'))))

export const keyOf = (name: string): SigningKey => signingKey(sha256(utf8(`seed of ${name}`)))
export const saltOf = (label: string): Uint8Array => sha256(utf8(`salt ${label}`))

export function draftOf(
  i: number,
  body: Cbor = { round: i, update: sha256(utf8(`update ${i}`)), loss: 0.5 + i / 1024 },
): EntryDraft {
  return {
    kind: 'round.trained',
    study: i % 3 === 0 ? null : STUDY,
    timeMs: 1_790_000_000_000 + i * 1_007,
    refs: [],
    body,
  }
}

export interface Commit extends Extension {
  readonly before: Tip
  readonly head: VerifiedHead
}

/** One signed commit of `count` entries after `tip`; `label` makes its salts, and so a different branch. */
export function commitOf(
  key: SigningKey,
  tip: Tip,
  count: number,
  label = 'main',
  drafts?: readonly EntryDraft[],
): Commit {
  const numbers = Array.from({ length: count }, (_, i) => tip.size + i)
  const made = extend(
    tip,
    drafts ?? numbers.map((i) => draftOf(i)),
    numbers.map((i) => saltOf(`${label} ${i}`)),
  )
  return { ...made, before: tip, head: signHead(key, FOUNDING, made.tip.size, rootAt(made.tip)) }
}

/** A log of several commits, from its beginning. */
export function logOf(key: SigningKey, counts: readonly number[], label = 'main'): Commit[] {
  const commits: Commit[] = []
  let tip = emptyTip(key.member)
  for (const count of counts) {
    const commit = commitOf(key, tip, count, label)
    commits.push(commit)
    tip = commit.tip
  }
  return commits
}

export function batchOf(commit: Commit, state?: ReadonlyMap<string, Uint8Array | null>): LogBatch {
  const { before, raws, tip, head, nodes } = commit
  return { author: tip.author, from: before.size, entries: raws, head: storedHead(tip, head.note), nodes, state }
}
