/**
 * Which heads are final: cosignatures counted against the quorum of the epoch that governs them. Pure; signatures have been checked
 * before. Of a witness that signs two roots under one size of one log only the first counts here.
 */
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import type { Electorate, Governing } from './membership.ts'
import type { LogState } from './replication.ts'

const SIZES_MAX = 8 // heads per log that collect signatures at once: an author asks for one at a time

interface Collected {
  readonly root: Digest
  /** The author is among them: its signature is the head's. */
  readonly signers: Set<MemberId>
}

interface LogFinality {
  final: LogState | null
  /** Newest size last. Two roots of one size are two rows. */
  collected: { readonly size: number; readonly rows: Collected[] }[]
  /** The greatest size that each other member is known to have stored, by its cosignatures. */
  readonly stored: Map<MemberId, number>
}

/** One per node. */
export class Finality {
  readonly #governing: Governing
  readonly #logs = new Map<MemberId, LogFinality>()

  constructor(governing: Governing) {
    this.#governing = governing
  }

  /** The largest head of `author` that is final, or null. */
  final(author: MemberId): LogState | null {
    return this.#logs.get(author)?.final ?? null
  }

  /** A quorum's signatures were seen together, here or before a restart. False where it is not newer than what is final. */
  noteFinal(head: LogState): boolean {
    const log = this.#log(head.author)
    if (log.final !== null && head.size <= log.final.size) return false
    log.final = head
    log.collected = log.collected.filter(({ size }) => size > head.size)
    return true
  }

  /** What was final contradicts what is stored: final is `kept` again, which does not. Nothing changes where `head` is not what is final. */
  withdraw(head: LogState, kept: LogState | null): void {
    const log = this.#log(head.author)
    if (log.final?.size === head.size && log.final.root === head.root) log.final = kept
  }

  /** One valid cosignature; true where with it the head has become final. A head at or below the final one adds nothing but that its witness has it. */
  noteCosigned(head: LogState, witness: MemberId): boolean {
    const electorate = this.#governing(head.author, head.size)
    if (electorate === null || !electorate.members.has(witness) || witness === head.author) return false
    const log = this.#log(head.author)
    log.stored.set(witness, Math.max(log.stored.get(witness) ?? 0, head.size))
    if (log.final !== null && head.size <= log.final.size) return false
    const row = this.#rowOf(log, head, electorate, witness)
    if (row === null) return false
    row.signers.add(witness)
    const counted = [...row.signers].filter((signer) => electorate.members.has(signer)).length // some may have left since
    return counted >= electorate.quorum && this.noteFinal(head)
  }

  /** How many other members are known to have stored the first `size` entries. */
  replicas(author: MemberId, size: number): number {
    let count = 0
    for (const stored of this.#logs.get(author)?.stored.values() ?? []) if (stored >= size) count++
    return count
  }

  /** Members whose signatures under the head are here, the author among them; sorted. */
  signers({ author, size, root }: LogState): MemberId[] {
    const at = this.#logs.get(author)?.collected.find((one) => one.size === size)
    return [...(at?.rows.find((row) => row.root === root)?.signers ?? [])].sort(compareIds)
  }

  /** The row that collects for this head; null where so many newer ones collect that this one no longer does, or where the witness has signed another root. */
  #rowOf(log: LogFinality, head: LogState, { members }: Electorate, witness: MemberId): Collected | null {
    const { author, size, root } = head
    let at = log.collected.find((one) => one.size === size)
    if (at === undefined) {
      at = { size, rows: [] }
      log.collected = [...log.collected, at].sort((a, b) => a.size - b.size).slice(-SIZES_MAX)
      if (!log.collected.includes(at)) return null
    }
    if (at.rows.some((one) => one.root !== root && one.signers.has(witness))) return null // so that rows are no more than members
    let row = at.rows.find((one) => one.root === root)
    if (row === undefined) {
      row = { root, signers: new Set(members.has(author) ? [author] : []) }
      at.rows.push(row)
    }
    return row
  }

  #log(author: MemberId): LogFinality {
    let log = this.#logs.get(author)
    if (log === undefined) {
      log = { final: null, collected: [], stored: new Map() }
      this.#logs.set(author, log)
    }
    return log
  }
}
