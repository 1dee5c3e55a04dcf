/** The logs of all members as this node holds them: read at start, grown by commits and replication, served to the others. */
import { setImmediate } from 'node:timers/promises'
import { toHex } from '../core/bytes.ts'
import { ConsiliumError } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { Fact } from '../governance/studies.ts'
import { emptyTip, type Tip, tipOf, verifyRange } from '../ledger/chain.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import { originOf, parseHead, verifyHead } from '../ledger/head.ts'
import { rootOf } from '../ledger/merkle.ts'
import { decodeFrame, decodeHeads, decodeRequest, encodeFrame, encodeHeads, encodeRequest } from '../ledger/replication.ts'
import type { LogStore } from '../ledger/store.ts'
import { LogVerifier } from '../ledger/verify.ts'
import type { Transport } from '../net/transport.ts'
import type { LogSize } from '../node/events.ts'

const PROTOCOL = '/consilium/ledger/1'
const SLICE = 500 // entries decoded or verified before the event loop gets its turn: about 5 ms

/** A head as it was heard: what it says, and whether its author signed it. */
export interface HeardHead {
  readonly log: LogSize
  readonly signatureValid: boolean
}
