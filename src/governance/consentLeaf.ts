/**
 * How one patient stands in the tree of a round's consent: a leaf that says whether the rows may be used, on what words, and nothing
 * of who it is. An auditor to whom the leaves are opened recomputes the root in the round's entry.
 */
import { ByteWriter, fromHex } from '../core/bytes.ts'
import { DOMAIN, taggedHash } from '../core/digest.ts'
import type { MemberId, StudyId } from '../core/ids.ts'
import { leafHash } from '../ledger/merkle.ts'
import { TAG_BYTES } from './consent.ts'

/** What a leaf commits to. */
export interface LeafContent {
  /** 16 bytes; of one patient in one study at one hospital, and unlike every tag in the ledger's entries. */
  readonly tag: Uint8Array
  /** 32 bytes. */
  readonly salt: Uint8Array
  readonly permitted: boolean
  /** Of the bound table. */
  readonly rows: number
  /** `historyOf` the commitments of all words that had been received. */
  readonly history: Uint8Array
}

const PREFIX = Buffer.from(`${DOMAIN.consentLeaf}\0`, 'latin1')

/** RFC 6962 leaf over tag ‖ domain ‖ salt ‖ permitted ‖ rows ‖ history. */
export function consentLeaf({ tag, salt, permitted, rows, history }: LeafContent): Uint8Array {
  const content = new ByteWriter().bytes(PREFIX).bytes(salt).bytes(tag)
  return leafHash(
    content
      .u8(permitted ? 1 : 0)
      .u32(rows)
      .bytes(history)
      .finish(),
  )
}

/** Tag and salt of a patient in one study: known to who has the patient's key, and to nobody when it is destroyed. */
export function leafSecrets(
  key: Uint8Array,
  study: StudyId,
  hospital: MemberId,
): { readonly tag: Uint8Array; readonly salt: Uint8Array } {
  const [a, b] = [fromHex(study), fromHex(hospital)]
  return { tag: taggedHash('consentTag', key, a, b).slice(0, TAG_BYTES), salt: taggedHash('consentSalt', key, a, b) }
}

/** Before the first word. */
export const NO_HISTORY = new Uint8Array(32)

/** A hash chain over commitments, in the order in which they were recorded. */
export function historyOf(commitments: readonly Uint8Array[], before: Uint8Array = NO_HISTORY): Uint8Array {
  return commitments.reduce((chain, commitment) => taggedHash('consentHistory', chain, commitment), before)
}
