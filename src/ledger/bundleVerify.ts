/**
 * The judge of a bundle: fed line by line, it believes only what the founding, the signatures and the hashes bear out, and names the
 * first line that is wrong. It holds one line, the epochs, the heads, and one count for each log.
 */
import { equalBytes, toHex, utf8 } from '../core/bytes.ts'
import { Sha256, taggedDigest } from '../core/digest.ts'
import { ConsiliumError, invariant, messageOf } from '../core/errors.ts'
import { compareIds, type Digest, type MemberId } from '../core/ids.ts'
import {
  BUNDLE_FORMAT,
  BUNDLE_MAGIC,
  type BundleEnd,
  type BundleEntry,
  type BundleFilter,
  type BundleHeading,
  type BundleLine,
  type EntryState,
  LINE_PLACE,
  parseLine,
  takesKind,
} from './bundle.ts'
import type { BundledLog, BundleFacts, BundleFault, BundleVerdict } from './bundleVerdict.ts'
import { LAMPORT_LEAP_MAX } from './chain.ts'
import { parseCosigned, verifyCosignature } from './cosignature.ts'
import { decodeEntry, type Entry } from './entry.ts'
import { Membership } from './epoch.ts'
import { openFork } from './fork.ts'
import { decodeFounding, fingerprint } from './founding.ts'
import { rootOf, verifyHead } from './head.ts'
import type { Pin, Roll } from './membership.ts'
import { verifyInclusion } from './proof.ts'

export const BUNDLE_HEADS_MAX = 64_000 // 64 of each of 1,000 members; an exporter sends one or two

interface KnownHead {
  readonly author: MemberId
  readonly size: number
  readonly root: Uint8Array
  readonly final: boolean
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** The consortium that a bundle says it is of, its members as its epochs have them, and which entries the bundle says it took. */
export interface BundledConsortium {
  readonly consortium: string
  readonly founding: Digest
  readonly filter: BundleFilter
  /** Members of the newest epoch. */
  members(): readonly MemberId[]
  /** A member's name now or before. */
  nameOf(member: MemberId): string | undefined
}

/** What a verifier tells of an entry that it has found in order; before `finish` nothing is sure of the lines after it. */
export type SeenEntry = (entry: Entry, state: EntryState, founding: Digest, of: BundledConsortium) => void

/** Push the lines in order until one is refused, then `finish`. */
export class BundleVerifier {
  readonly #root: string | null
  readonly #see: SeenEntry
  readonly #hash = new Sha256()
  readonly #heads: KnownHead[] = []
  readonly #logs = new Map<MemberId, Writable<BundledLog>>()
  #heading: { line: BundleHeading; name: string; membership: Membership; of: BundledConsortium } | null = null
  #last: BundleLine['type'] | null = null
  #lastFork: { author: MemberId; size: number } | null = null
  #lastEntry: Entry | null = null
  #forks = 0
  #entries = 0
  #lines = 0
  #fault: BundleFault | null = null

  /** `root` is what `parseRoot` gave, or null. */
  constructor(root: string | null, see: SeenEntry = () => undefined) {
    this.#root = root
    this.#see = see
  }

  /** The next line, without its newline. False when something is wrong: then stop reading. */
  push(bytes: Uint8Array): boolean {
    if (this.#fault !== null) return false
    this.#lines++
    this.#try(() => {
      if (this.#last === 'end') throw wrong('bundle-trailing', 'nothing may follow the last line')
      const line = lineFrom(bytes, this.#lines)
      this.#take(line)
      if (line.type === 'end') return
      this.#hash.update(bytes)
      this.#hash.update(NEWLINE)
    })
    return this.#fault === null
  }

  /** The end of the file; `rest` is what came after the last newline. */
  finish(rest: Uint8Array): BundleVerdict {
    if (this.#fault === null) {
      this.#lines++
      this.#try(() => this.#checkEnd(rest))
    }
    if (this.#fault !== null) return { verdict: 'wrong', fault: this.#fault }
    return { verdict: this.#root === null ? 'consistent' : 'good', ...this.#facts() }
  }

  #try(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!(error instanceof ConsiliumError)) throw error
      this.#fault = { code: error.code, line: this.#lines, message: messageOf(error) }
    }
  }

  #take(line: BundleLine): void {
    if (this.#last !== null && (line.type === 'heading' || LINE_PLACE[line.type] < LINE_PLACE[this.#last]))
      throw wrong('bundle-order', `a line of kind "${line.type}" cannot follow one of kind "${this.#last}"`)
    this.#last = line.type
    switch (line.type) {
      case 'heading':
        return this.#open(line)
      case 'epoch':
        return this.#epoch(line.record)
      case 'head':
        return this.#head(line.note)
      case 'fork':
        return this.#fork(line.evidence)
      case 'entry':
        return this.#entry(line)
      case 'end':
        return this.#end(line)
    }
  }

  #open(line: BundleHeading): void {
    const founding = within('bundle-founding', () => decodeFounding(line.founding))
    const digest = taggedDigest('founding', line.founding)
    if (this.#root !== null && !digest.startsWith(this.#root)) {
      const message = `the bundle is of consortium "${founding.name}" with fingerprint ${fingerprint(digest)}, not of the one that --root names`
      throw wrong('bundle-root', message)
    }
    const membership = new Membership(founding)
    const of: BundledConsortium = {
      ...{ consortium: founding.name, founding: digest, filter: line.filter },
      members: () => membership.current.members.map(({ key }) => key),
      nameOf: (member) => membership.nameOf(member),
    }
    this.#heading = { line, name: founding.name, membership, of }
  }

  #epoch(record: Uint8Array): void {
    const { membership } = this.#opened()
    within('bundle-epoch', () => membership.add(record))
  }

  #head(note: Uint8Array): void {
    const { roll, current } = this.#opened().membership
    const { head, cosignatures } = within('bundle-head', () => parseCosigned(note, current.founding))
    const { author, size, root } = head
    const epoch = roll.governing(author, size)
    if (epoch === null) throw wrong('bundle-head', `no epoch lets the log of ${author} have ${size} entries`)
    const stranger = cosignatures.find(({ witness }) => !epoch.members.has(witness))
    if (stranger !== undefined)
      throw wrong('bundle-head', `cosigned by ${stranger.witness}, who is no member in epoch ${epoch.epoch}`)
    checkPin(roll, { author, size, root: rootOf(head) })
    if (!follows({ author, size }, this.#heads.at(-1) ?? null))
      throw wrong('bundle-order', 'heads are not sorted by author and size, each once')
    if (this.#heads.length === BUNDLE_HEADS_MAX) throw wrong('bundle-head', `more than ${BUNDLE_HEADS_MAX} heads`)
    if (!verifyHead(head)) throw wrong('bundle-signature', `the signature of ${author} under its head is invalid`)
    const forged = cosignatures.find((cosignature) => !verifyCosignature(head.text, cosignature))
    if (forged !== undefined) throw wrong('bundle-signature', `the cosignature of ${forged.witness} is invalid`)
    const final = roll.isFinal({ author, size, root: rootOf(head) }, cosignatures)
    this.#heads.push({ author, size, root, final })
    const log = this.#log(author)
    log.heads++
    log.size = size
    if (final) log.finalSize = size
  }

  #fork(evidence: Uint8Array): void {
    const { roll, current } = this.#opened().membership
    const { author, differWithin: size } = within('bundle-fork', () => openFork(evidence, current.founding))
    if (!roll.isAuthor(author)) throw wrong('bundle-fork', `the fork is of ${author}, who was never a member`)
    if (!follows({ author, size }, this.#lastFork))
      throw wrong('bundle-order', 'forks are not sorted by author and size, each once')
    this.#lastFork = { author, size }
    this.#log(author).forkSize ??= size
    this.#forks++
  }

  #entry(line: BundleEntry): void {
    const head = this.#heads[line.head]
    if (head === undefined)
      throw wrong('bundle-entry', `it names head ${line.head}, and the bundle has ${this.#heads.length}`)
    const entry = entryIn(line.raw)
    if (entry.author !== head.author || entry.seq !== line.seq)
      throw wrong('bundle-entry', `entry ${entry.author}/${entry.seq} is not the one that its line and head name`)
    if (!follows({ author: entry.author, size: entry.seq }, placeOf(this.#lastEntry)))
      throw wrong('bundle-order', 'entries are not sorted by author and seq, each once')
    if (!verifyInclusion(entry.leaf, entry.seq, head.size, line.proof, head.root))
      throw wrong('bundle-proof', `entry ${entry.author}/${entry.seq} is not under the head that it names`)
    checkNeighbours(this.#lastEntry, entry)
    const log = this.#log(entry.author)
    const state = stateOf(entry, head, log)
    const unfit = unfitFor(this.#opened().line.filter, entry, state)
    if (unfit !== null)
      throw wrong('bundle-filter', `entry ${entry.author}/${entry.seq} is not one that the filter takes: ${unfit}`)
    count(log, entry, state, head)
    this.#lastEntry = entry
    this.#entries++
    const { of } = this.#opened()
    this.#see(entry, state, of.founding, of)
  }

  #end({ heads, forks, entries, digest }: BundleEnd): void {
    const found = [this.#heads.length, this.#forks, this.#entries]
    if (heads !== found[0] || forks !== found[1] || entries !== found[2])
      throw wrong(
        'bundle-count',
        `${found.join(', ')} heads, forks, entries found; ${heads}, ${forks}, ${entries} said`,
      )
    if (toHex(this.#hash.digest()) !== digest)
      throw wrong('bundle-digest', 'the digest over all lines before is another')
  }

  #checkEnd(rest: Uint8Array): void {
    if (this.#lines === 1 && rest.length === 0) throw wrong('bundle-empty', 'there is nothing in it')
    if (this.#lines === 1) checkMagic(rest)
    if (this.#last !== 'end') throw wrong('bundle-truncated', 'cut off before its last line: export it again')
    if (rest.length > 0) throw wrong('bundle-trailing', 'nothing may follow the last line')
  }

  /** The first line's, which is there where any other line is judged. */
  #opened() {
    invariant(this.#heading !== null, 'the first line of a bundle is its heading, for it begins as one')
    return this.#heading
  }

  #log(member: MemberId): Writable<BundledLog> {
    const known = this.#logs.get(member)
    if (known !== undefined) return known
    const name = this.#opened().membership.nameOf(member) ?? ''
    const counts = { size: 0, finalSize: 0, entries: 0, final: 0, pending: 0, disputed: 0, disputedFinal: 0 }
    const log = { name, member, ...counts, droppedBodies: 0, firstMs: null, lastMs: null, heads: 0, forkSize: null }
    this.#logs.set(member, log)
    return log
  }

  #facts(): BundleFacts {
    const { line, name, membership } = this.#opened()
    const { founding, number: epoch, members, k } = membership.current
    return {
      consortium: {
        name,
        founding,
        fingerprint: fingerprint(founding),
        epoch,
        members: members.length,
        quorum: k,
      },
      made: line.made,
      by: line.by,
      filter: line.filter,
      heads: this.#heads.length,
      forks: this.#forks,
      entries: this.#entries,
      logs: [...this.#logs.values()].sort((a, b) => compareIds(a.member, b.member)),
    }
  }
}

const NEWLINE = Uint8Array.of(0x0a)
const MAGIC = utf8(BUNDLE_MAGIC)

function lineFrom(bytes: Uint8Array, number: number): BundleLine {
  if (number === 1) checkMagic(bytes)
  return parseLine(bytes)
}

function checkMagic(line: Uint8Array): void {
  if (equalBytes(line.subarray(0, MAGIC.length), MAGIC)) return
  throw wrong('bundle-unknown', `no bundle that this version can read: it does not begin as ${BUNDLE_FORMAT}`)
}

/** Whoever has the key of a former member could sign another history of what was written before: only what was pinned counts there. */
function checkPin(roll: Roll, { author, size, root }: Pin): void {
  const pin = roll.pinned(author)
  if (pin === null || size > pin.size || (size === pin.size && root === pin.root)) return
  const what = size < pin.size ? `has ${size}` : 'has another root'
  throw wrong('bundle-pin', `the log of ${author} was pinned with ${pin.size} entries, and this head of it ${what}`)
}

function follows(next: { author: MemberId; size: number }, last: { author: MemberId; size: number } | null): boolean {
  if (last === null) return true
  const order = compareIds(last.author, next.author)
  return order < 0 || (order === 0 && last.size < next.size)
}

function placeOf(entry: Entry | null): { author: MemberId; size: number } | null {
  return entry === null ? null : { author: entry.author, size: entry.seq }
}

function entryIn(raw: Uint8Array): Entry {
  try {
    return decodeEntry(raw)
  } catch (error) {
    if (error instanceof ConsiliumError && error.code === 'entry-body') throw wrong('bundle-body', messageOf(error))
    return within('bundle-entry', () => {
      throw error
    })
  }
}

/** The rules of a chain, as far as they can be tried where entries between may be absent. */
function checkNeighbours(last: Entry | null, { author, seq, prev, lamport }: Entry): void {
  const before = last?.author === author ? last : { seq: -1, lamport: 0, leaf: null }
  const gap = seq - before.seq
  if (gap === 1 && before.leaf !== null && !equalBytes(prev, before.leaf))
    throw wrong('bundle-link', `entry ${author}/${seq} does not name the hash of the entry before it`)
  const grown = lamport - before.lamport
  if (grown < gap || grown > gap * LAMPORT_LEAP_MAX)
    throw wrong(
      'bundle-lamport',
      `entry ${author}/${seq} has lamport time ${lamport}, the one before ${before.lamport}`,
    )
}

/** Two roots over one size tell the last entry under them apart for certain, for it links to all before. */
function stateOf({ seq }: Entry, head: KnownHead, { forkSize }: BundledLog): EntryState {
  if (forkSize !== null && seq >= forkSize - 1) return 'disputed'
  return head.final ? 'final' : 'pending'
}

function unfitFor(filter: BundleFilter, entry: Entry, state: EntryState): string | null {
  const { members, kind, study, sinceMs, untilMs } = filter
  if (members !== null && !members.includes(entry.author)) return 'its author'
  if (kind !== null && !takesKind(kind, entry.kind)) return `its kind ${entry.kind}`
  if (study !== null && entry.study !== study) return 'its study'
  if ((sinceMs !== null && entry.timeMs < sinceMs) || (untilMs !== null && entry.timeMs >= untilMs)) return 'its time'
  return filter.state !== null && filter.state !== state ? `it is ${state}` : null
}

function count(log: Writable<BundledLog>, entry: Entry, state: EntryState, head: KnownHead): void {
  log.entries++
  log[state]++
  if (state === 'disputed' && head.final) log.disputedFinal++
  if (entry.body === null) log.droppedBodies++
  log.firstMs = Math.min(log.firstMs ?? entry.timeMs, entry.timeMs)
  log.lastMs = Math.max(log.lastMs ?? entry.timeMs, entry.timeMs)
}

/** Runs `read`; what it refuses is refused here under one code of the bundle's. */
function within<T>(code: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConsiliumError) throw wrong(code, messageOf(error))
    throw error
  }
}

function wrong(code: string, message: string): ConsiliumError {
  return new ConsiliumError({ code, message, blame: 'reject' })
}
