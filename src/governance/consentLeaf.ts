/**
 * How one patient stands in the tree of a round's consent: a leaf that says whether the rows may be used, on what words, and nothing
 * of who it is. An auditor to whom the leaves are opened recomputes the root in the round's entry.
 */
import { concat, fromHex } from '../core/bytes.ts'
import { DOMAIN, taggedHash } from '../core/digest.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { leafHash } from '../ledger/merkle.ts'
import { TAG_BYTES } from './consent.ts'

export const SALT_BYTES = 16 // as many as nobody guesses

/** What a leaf commits to. */
export interface LeafContent {
  /** 16 bytes; of one patient in one study at one hospital, and unlike every tag in the ledger's entries. */
  readonly tag: Uint8Array
  /** 16 bytes. */
  readonly salt: Uint8Array
  readonly permitted: boolean
  /** Of the bound table. */
  readonly rows: number
  /** `historyOf` the commitments of all words that had been received. */
  readonly history: Uint8Array
}

const PREFIX = Buffer.from(`${DOMAIN.consentLeaf}\0`, 'latin1')
const SALT_AT = PREFIX.length
const TAG_AT = SALT_AT + SALT_BYTES
const REST_AT = TAG_AT + TAG_BYTES
const HISTORY_AT = REST_AT + 5
const content = new Uint8Array(HISTORY_AT + 32) // one for all leaves: a hundred thousand are made before a study's first round
const view = new DataView(content.buffer)
content.set(PREFIX)

/** RFC 6962 leaf over domain ‖ salt ‖ tag ‖ permitted u8 ‖ rows u32 ‖ history. */
export function consentLeaf({ tag, salt, permitted, rows, history }: LeafContent): Uint8Array {
  content.set(salt, SALT_AT)
  content.set(tag, TAG_AT)
  view.setUint8(REST_AT, permitted ? 1 : 0)
  view.setUint32(REST_AT + 1, rows)
  content.set(history, HISTORY_AT)
  return leafHash(content)
}

/** What the leaves of one study at one hospital are derived with. */
export function leafContext(study: StudyId, hospital: MemberId): Uint8Array {
  return concat([fromHex(study), fromHex(hospital)])
}

/** Tag and salt of a patient, the two halves of one keyed hash: known to who has the patient's key, and to nobody when it is destroyed. */
export function leafSecrets(
  key: Uint8Array,
  context: Uint8Array,
): { readonly tag: Uint8Array; readonly salt: Uint8Array } {
  const secret = taggedHash('consentTag', key, context)
  return { tag: secret.subarray(0, TAG_BYTES), salt: secret.subarray(TAG_BYTES) }
}

/** Before the first word. */
export const NO_HISTORY: Uint8Array = new Uint8Array(32)

/** A hash chain over commitments, in the order in which they were recorded. */
export function historyOf(commitments: readonly Uint8Array[], before: Uint8Array = NO_HISTORY): Uint8Array {
  return commitments.reduce((chain, commitment) => taggedHash('consentHistory', chain, commitment), before)
}
