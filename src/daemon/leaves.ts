/** Leaves of one history under its signed head: served of what is stored, and asked of a peer that may hold another. */
import { equalBytes, fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError } from '../core/errors.ts'
import type { MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { ForkLeaf } from '../ledger/fork.ts'
import type { Head } from '../ledger/head.ts'
import type { Roll } from '../ledger/membership.ts'
import { PROOF_HASHES_MAX, verifyInclusion } from '../ledger/proof.ts'
import type { Transport } from '../net/transport.ts'
import type { Logs } from './logs.ts'

const LEAF = '/consilium/leaf/1'
const LEAF_BYTES_MAX = PROOF_HASHES_MAX * 34 + 64

/** What they are read from and asked over. */
export interface LeavesParts {
  readonly roll: Roll
  readonly logs: Logs
  readonly transport: Transport
}

/** One per daemon. */
export class Leaves {
  readonly #parts: LeavesParts

  constructor(parts: LeavesParts) {
    this.#parts = parts
  }

  /** Lets the others ask for leaves of what is stored. */
  serve(): Promise<void> {
    return this.#parts.transport.handle(LEAF, (_, request) => this.#served(request))
  }

  /** Of what is stored: entry `index` under the first `size`. Error: `database-corrupt`. */
  async here({ author, size }: Pick<Head, 'author' | 'size'>, index: number): Promise<ForkLeaf> {
    const tree = this.#parts.logs.tree(author)
    return { leaf: await tree.leaf(index), path: await tree.inclusion(index, size) }
  }

  /**
   * Entry `index` under `head`, proven. Null where the peer has not that history: a head may be heard of which only its author has the
   * entries, or nobody. Error: `fork-unproven`, which blames the peer.
   */
  async ask(peer: MemberId, head: Head, index: number, signal: AbortSignal): Promise<ForkLeaf | null> {
    const request = encodeCbor([fromHex(head.author), index, head.size, head.root])
    const options = { signal, frameBytesMax: LEAF_BYTES_MAX }
    for await (const frame of this.#parts.transport.request(peer, LEAF, request, options)) {
      const value = decodeCbor(frame, LEAF_BYTES_MAX)
      const [leaf, path] = Array.isArray(value) && value.length === 2 ? (value as Cbor[]) : []
      if (!(leaf instanceof Uint8Array) || !Array.isArray(path)) throw unproven('no leaf with its path')
      const hashes = (path as Cbor[]).filter((hash): hash is Uint8Array => hash instanceof Uint8Array)
      const sound = hashes.length === path.length && verifyInclusion(leaf, index, head.size, hashes, head.root)
      if (!sound) throw unproven(`what was given is not entry ${index} under that head`)
      return { leaf, path: hashes }
    }
    return null
  }

  async *#served(request: Uint8Array): AsyncIterable<Uint8Array> {
    const value = decodeCbor(request, LIMITS.requestBytesMax)
    const [author, index, size, root] = Array.isArray(value) && value.length === 4 ? (value as Cbor[]) : []
    if (!(author instanceof Uint8Array) || !isCount(index) || !isCount(size) || !(root instanceof Uint8Array))
      throw unproven('a request for a leaf is [author, index, size, root]')
    const member = toHex(author) as MemberId
    const { logs, roll } = this.#parts
    if (!roll.isAuthor(member) || index >= size || size > logs.sizeOf(member).size) return
    const tree = logs.tree(member)
    if (!equalBytes(await tree.root(size), root)) return // the other branch: whoever asks must not take ours for a lie
    yield encodeCbor([await tree.leaf(index), await tree.inclusion(index, size)])
  }
}

/** What was to prove that one key signed two histories, and does not. */
export function unproven(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'fork-unproven', message: `fork evidence refused: ${what}`, blame: 'reject' })
}

function isCount(value: Cbor | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
