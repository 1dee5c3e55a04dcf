/**
 * Conflicting heads of one key: finds the evidence, keeps it before anything else is said, and floods it. A hospital that put back an
 * old folder and one that lies look alike here; what is shown is that one key signed both.
 */
import { equalBytes } from '../core/bytes.ts'
import { messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { parseCosigned } from '../ledger/cosignature.ts'
import { type DoubleCosignature, openEvidence } from '../ledger/doubleCosignature.ts'
import {
  EVIDENCE_BYTES_MAX,
  encodeFork,
  encodeForkAt,
  type Fork,
  type ForkLeaf,
  isFork,
  openFork,
} from '../ledger/fork.ts'
import { openHead, type VerifiedHead } from '../ledger/head.ts'
import type { Roll } from '../ledger/membership.ts'
import type { LogStore } from '../ledger/store.ts'
import { encodeEvidence } from '../ledger/witnessWire.ts'
import type { Transport, Verdict } from '../net/transport.ts'
import type { NodeEvent } from '../node/events.ts'
import { Branches } from './branches.ts'
import { DoubleCosigners } from './doubleCosigners.ts'
import { Leaves, unproven } from './leaves.ts'
import type { Log } from './log.ts'
import type { Logs } from './logs.ts'

const FORKS = '/consilium/forks/1'
const KINDS = 2 // of evidence, and one of each is kept of a member
const STEPS_MAX = 60 // a search by halves in a log of 2^53 entries

/** What it works with; `publish` floods a message on the witness topic. */
export interface ForksParts {
  readonly founding: Digest
  readonly roll: Roll
  readonly store: LogStore
  readonly transport: Transport
  readonly logs: Logs
  readonly feed: (event: NodeEvent) => void
  readonly publish: (message: Uint8Array) => void
  readonly log: Log
}

/** One per daemon; `load` first. The first evidence of each author is kept, and stays. */
export class Forks {
  /** Witnesses of whom the same is known of their cosignatures. */
  readonly cosigners: DoubleCosigners
  /** The histories that are not those stored as logs. */
  readonly branches: Branches
  readonly #parts: ForksParts
  readonly #leaves: Leaves
  readonly #known = new Map<MemberId, Fork>()

  constructor(parts: ForksParts) {
    this.#parts = parts
    this.#leaves = new Leaves(parts)
    this.cosigners = new DoubleCosigners(parts)
    this.branches = new Branches({ ...parts, leaves: this.#leaves, known: this.#known })
  }

  /** Reads what is kept, and lets the others ask for it and for leaves of what is stored. Error: `database-corrupt`. */
  async load(): Promise<void> {
    const { roll, store, founding, transport } = this.#parts
    for (const author of roll.authors) {
      const evidence = await store.forkEvidence(author)
      if (evidence !== undefined) this.#known.set(author, openFork(evidence, founding))
    }
    await this.cosigners.load()
    await this.branches.load()
    const kept = [this.#known, this.cosigners.known]
    await transport.handle(FORKS, async function* () {
      for (const known of kept) for (const { evidence } of known.values()) yield evidence
    })
    await this.#leaves.serve()
  }

  get known(): ReadonlyMap<MemberId, Fork> {
    return this.#known
  }

  /** Evidence by gossip: it is passed on once, whoever brings it. */
  async hear(evidence: Uint8Array): Promise<Verdict> {
    return (await this.#takeAny(openEvidence(evidence, this.#parts.founding))) ? 'accept' : 'ignore'
  }

  /** Asks a peer for all evidence that it keeps. Errors: those of `openEvidence`, with their blame. */
  async ask(peer: MemberId, signal: AbortSignal): Promise<void> {
    const { transport, roll } = this.#parts
    let count = 0
    const options = { signal, frameBytesMax: EVIDENCE_BYTES_MAX }
    for await (const frame of transport.request(peer, FORKS, new Uint8Array(0), options)) {
      if (++count > KINDS * roll.authors.length) throw unproven('more evidence than members')
      await this.#takeAny(openEvidence(frame, this.#parts.founding))
    }
  }

  /** Two heads of `author` at one size contradict each other: both are stored or were heard. */
  async keep(author: MemberId, size: number): Promise<void> {
    const heads = (await this.#heads(author)).filter((head) => head.size === size)
    const [first] = heads
    const other = heads.find((head) => first !== undefined && isFork(first, head))
    if (first !== undefined && other !== undefined) await this.#take(this.#open(encodeFork(first.note, other.note)))
  }

  /**
   * Some head of `author` that was heard does not extend what is stored here, or so it seems: asks `peer` for leaves under it until the
   * first place is found where the two histories differ. A peer that cannot show one has lied: `fork-unproven`, which blames it.
   */
  async examine(author: MemberId, peer: MemberId, signal: AbortSignal): Promise<void> {
    if (this.#known.has(author)) return
    const own = (await this.#heads(author)).find(({ size }) => size === this.#parts.logs.sizeOf(author).size)
    if (own === undefined) return
    let extended = false
    for (const head of await this.#suspects(author, own)) {
      if (isFork(own, head)) return this.#take(this.#open(encodeFork(own.note, head.note)))
      const compared = await this.#compare(own, head, peer, signal)
      if (compared instanceof Uint8Array) return this.#take(this.#open(compared))
      extended ||= compared === 'extended' && head.size > own.size
    }
    if (extended) throw unproven('the peer’s history extends the one here, so that it had no reason to send another')
  }

  /**
   * A final head contradicts what is stored here: evidence is two notes where another of its size is here, else what leaves under both
   * show; `peer` is asked for those of the final one, and gives none where it does not hold that history. Errors: those of `Leaves.ask`.
   */
  async contradicted(final: VerifiedHead, peer: MemberId, signal: AbortSignal): Promise<void> {
    const { author, size } = final
    if (this.#known.has(author)) return
    const heads = [...(await this.#heads(author)), ...(await this.#keptAt(author, size))]
    const other = heads.find((head) => isFork(head, final))
    if (other !== undefined) return this.#take(this.#open(encodeFork(other.note, final.note)))
    const own = heads.find((head) => head.size === this.#parts.logs.sizeOf(author).size)
    const compared = own === undefined ? 'not-there' : await this.#compare(own, final, peer, signal)
    if (compared instanceof Uint8Array) await this.#take(this.#open(compared))
  }

  /** The heads stored and kept as final at exactly this size. */
  async #keptAt(author: MemberId, size: number): Promise<VerifiedHead[]> {
    const { store, founding } = this.#parts
    const stored = await store.commit(author, size - 1, size)
    const kept = await store.final(author, size)
    const final = kept?.size === size ? parseCosigned(kept.note, founding).head.note : undefined
    return [stored?.note, final].flatMap((note) => (note === undefined ? [] : openHead(note, founding)))
  }

  /**
   * Evidence, or why there is none. By halves: histories are linked by hashes, so that they agree up to one place and nowhere after it.
   */
  async #compare(
    own: VerifiedHead,
    head: VerifiedHead,
    peer: MemberId,
    signal: AbortSignal,
  ): Promise<Uint8Array | 'extended' | 'not-there'> {
    let [low, high] = [0, Math.min(own.size, head.size) - 1]
    let found: { index: number; here: ForkLeaf; there: ForkLeaf } | null = null
    for (let step = 0; step < STEPS_MAX && low <= high; step++) {
      const index: number = found === null ? high : Math.floor((low + high) / 2)
      const there = await this.#leaves.ask(peer, head, index, signal)
      if (there === null) return 'not-there'
      const here = await this.#leaves.here(own, index)
      if (equalBytes(here.leaf, there.leaf)) {
        if (found === null) return 'extended' // they agree as far as both go
        low = index + 1
      } else {
        found = { index, here, there }
        high = index - 1
      }
    }
    if (found === null || own.size === head.size) return 'not-there'
    const [mine, other] = [
      { head: own, ...found.here },
      { head, ...found.there },
    ]
    return own.size < head.size ? encodeForkAt(found.index, mine, other) : encodeForkAt(found.index, other, mine)
  }

  /** Heads heard that are longer than what is stored, or whose root is not the one that is stored at their size. */
  async #suspects(author: MemberId, own: VerifiedHead): Promise<VerifiedHead[]> {
    const suspects: VerifiedHead[] = []
    for (const head of await this.#heads(author)) {
      const inside = head.size < own.size && equalBytes(await this.#parts.logs.tree(author).root(head.size), head.root)
      if (!inside && !equalBytes(head.note, own.note)) suspects.push(head)
    }
    return suspects.sort((a, b) => b.size - a.size)
  }

  /** Every validly signed head of `author` that is stored or was heard lately. */
  async #heads(author: MemberId): Promise<VerifiedHead[]> {
    const notes = await this.#parts.logs.headNotes(author)
    return notes.map((note) => openHead(note, this.#parts.founding))
  }

  #open(evidence: Uint8Array): Fork {
    return openFork(evidence, this.#parts.founding)
  }

  /** False where evidence of that key is kept already. */
  async #takeAny(proven: Fork | DoubleCosignature): Promise<boolean> {
    if ('witness' in proven) return this.cosigners.take(proven)
    if (this.#known.has(proven.author)) return false
    await this.#take(proven)
    return true
  }

  /** Kept first: evidence may never come again. Then the machine hears of it, and everybody else. */
  async #take(fork: Fork): Promise<void> {
    const { store, logs, roll, feed, publish, log } = this.#parts
    if (!roll.isAuthor(fork.author)) throw unproven('its key is no member’s')
    if (this.#known.has(fork.author)) return // another way was quicker
    this.#known.set(fork.author, fork)
    try {
      await store.putForkEvidence(fork.author, fork.evidence)
    } catch (error) {
      this.#known.delete(fork.author)
      log('error', 'fork-evidence-not-kept', { member: fork.author, error: messageOf(error) })
      throw error
    }
    logs.markForked(fork.author)
    feed({ type: 'fork-proven', author: fork.author, size: fork.differWithin })
    publish(encodeEvidence(fork.evidence))
  }
}
