/**
 * Conflicting heads of one key: finds the evidence, keeps it before anything else is said, and floods it. A hospital that put back an
 * old folder and one that lies look alike here; what is shown is that one key signed both.
 */
import { equalBytes, fromHex, toHex } from '../core/bytes.ts'
import { type Cbor, decodeCbor, encodeCbor } from '../core/cbor.ts'
import { ConsiliumError, messageOf } from '../core/errors.ts'
import type { Digest, MemberId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
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
import { PROOF_HASHES_MAX, verifyInclusion } from '../ledger/proof.ts'
import type { LogStore } from '../ledger/store.ts'
import { encodeEvidence } from '../ledger/witnessWire.ts'
import type { Transport, Verdict } from '../net/transport.ts'
import type { NodeEvent } from '../node/events.ts'
import type { Log } from './log.ts'
import type { Logs } from './logs.ts'

const LEAF = '/consilium/leaf/1'
const FORKS = '/consilium/forks/1'
const LEAF_BYTES_MAX = PROOF_HASHES_MAX * 34 + 64
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
  readonly #parts: ForksParts
  readonly #known = new Map<MemberId, Fork>()

  constructor(parts: ForksParts) {
    this.#parts = parts
  }

  /** Reads what is kept, and lets the others ask for it and for leaves of what is stored. Error: `database-corrupt`. */
  async load(): Promise<void> {
    const { roll, store, founding, transport } = this.#parts
    for (const author of roll.authors) {
      const evidence = await store.forkEvidence(author)
      if (evidence !== undefined) this.#known.set(author, openFork(evidence, founding))
    }
    const known = this.#known
    await transport.handle(FORKS, async function* () {
      for (const { evidence } of known.values()) yield evidence
    })
    await transport.handle(LEAF, (_, request) => this.#serveLeaf(request))
  }

  get known(): ReadonlyMap<MemberId, Fork> {
    return this.#known
  }

  /** Evidence by gossip: it is passed on once, whoever brings it. */
  async hear(evidence: Uint8Array): Promise<Verdict> {
    const fork = this.#open(evidence)
    if (this.#known.has(fork.author)) return 'ignore'
    await this.#take(fork)
    return 'accept'
  }

  /** Asks a peer for all evidence that it keeps. Errors: those of `openFork`, with their blame. */
  async ask(peer: MemberId, signal: AbortSignal): Promise<void> {
    const { transport, roll } = this.#parts
    let count = 0
    const options = { signal, frameBytesMax: EVIDENCE_BYTES_MAX }
    for await (const frame of transport.request(peer, FORKS, new Uint8Array(0), options)) {
      if (++count > roll.authors.length) throw unproven('more evidence than members')
      const fork = this.#open(frame)
      if (!this.#known.has(fork.author)) await this.#take(fork)
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
      const there = await this.#askLeaf(peer, head, index, signal)
      if (there === null) return 'not-there'
      const here = await this.#leafHere(own, index)
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

  async #leafHere({ author, size }: VerifiedHead, index: number): Promise<ForkLeaf> {
    const tree = this.#parts.logs.tree(author)
    return { leaf: await tree.leaf(index), path: await tree.inclusion(index, size) }
  }

  /** Null where the peer has not that history: a head may be heard of which only its author has the entries, or nobody. */
  async #askLeaf(peer: MemberId, head: VerifiedHead, index: number, signal: AbortSignal): Promise<ForkLeaf | null> {
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

  async *#serveLeaf(request: Uint8Array): AsyncIterable<Uint8Array> {
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

  /** Every validly signed head of `author` that is stored or was heard lately. */
  async #heads(author: MemberId): Promise<VerifiedHead[]> {
    const notes = await this.#parts.logs.headNotes(author)
    return notes.map((note) => openHead(note, this.#parts.founding))
  }

  #open(evidence: Uint8Array): Fork {
    const fork = openFork(evidence, this.#parts.founding)
    if (!this.#parts.roll.isAuthor(fork.author)) throw unproven('its key is no member’s')
    return fork
  }

  /** Kept first: evidence may never come again. Then the machine hears of it, and everybody else. */
  async #take(fork: Fork): Promise<void> {
    const { store, logs, feed, publish, log } = this.#parts
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

function isCount(value: Cbor | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function unproven(what: string): ConsiliumError {
  return new ConsiliumError({ code: 'fork-unproven', message: `fork evidence refused: ${what}`, blame: 'reject' })
}
