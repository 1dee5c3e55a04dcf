/** Serves own and others' logs over streams, and fetches what is missing: verified under a signed head, then stored. */
import { type Blame, ConsiliumError } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { type Entry, type Tip, tipOf, verifyRange } from '../ledger/chain.ts'
import { parseHead, verifyHead } from '../ledger/head.ts'
import { decodeFrame, decodeHeads, decodeRequest, encodeFrame, encodeHeads, encodeRequest } from '../ledger/replication.ts'
import type { LogStore } from '../ledger/store.ts'
import type { Transport } from '../net/transport.ts'

export const LEDGER_PROTOCOL = '/consilium/ledger/1'

export interface HeadNote {
  readonly author: MemberId
  readonly size: number
  readonly root: Digest
  readonly note: Uint8Array
  readonly signatureValid: boolean
}
