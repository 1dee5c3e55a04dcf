/** Answers `consilium log verify --replay`: recomputes the merges that logs tell of from the updates that this node has kept. */
import { setImmediate } from 'node:timers/promises'
import { type Study, sharedParameters } from '../config/study.ts'
import { toHex } from '../core/bytes.ts'
import { ConsiliumError, exhaustive } from '../core/errors.ts'
import type { Digest, MemberId, StudyId } from '../core/ids.ts'
import { readBody } from '../governance/kinds.ts'
import { decodeEntry, type Entry } from '../ledger/entry.ts'
import type { ReplayReport } from './api.ts'
import type { InputStore } from './inputStore.ts'
import { slicesOf } from './logSlices.ts'
import type { Logs } from './logs.ts'
import {
  type AgeRange,
  Ages,
  formFault,
  type MergeVerdict,
  readMerge,
  recompute,
  type TrainedFact,
} from './mergeVerdict.ts'
import { PartAges } from './partialVerdict.ts'
import type { RecordedInput, RecordedMerge, RecordedPart } from './recordedMerge.ts'
import { squeeze } from './squeeze.ts'

const TURN_MS = 4 // then the event loop gets its turn; the largest merge, 1 ms, may follow twice: 6 ms, and on a slow machine below 20
const CACHE_BYTES = 67_108_864 // updates in memory: each is an input of as many merges as there are members
const TRAINED_MAX = 200_000 // updates of which it is known who trained them: three times the files that are kept
const DIFFERENCES_MAX = 100 // named in a report; the others are counted

/** What a replay works with. `study` gives the descriptions known here. */
export interface ReplayParts {
  readonly logs: Pick<Logs, 'authors' | 'sizeOf' | 'entries'>
  readonly inputs: Pick<InputStore, 'has' | 'read' | 'settled'>
  readonly study: (id: StudyId) => Study | null
  readonly nameOf: (member: MemberId) => string
}

/** One for each replay; it looks at the logs as they are when it begins. */
export class Replay {
  readonly #parts: ReplayParts
  readonly #signal: AbortSignal
  /** Of the updates that are kept, what their authors' logs say: by study, author and digest. */
  readonly #trained = new Map<string, TrainedFact[]>()
  /** The last used at the end. */
  readonly #cache = new Map<string, Float32Array>()
  #cacheBytes = 0
  #turnMs = performance.now()

  constructor(parts: ReplayParts, signal: AbortSignal) {
    this.#parts = parts
    this.#signal = signal
  }

  /** One report for each of `members`. Errors: `replay-broken-off`; those of `decodeEntry`, where the store is damaged. */
  async run(members: readonly MemberId[]): Promise<{ logs: ReplayReport[] }> {
    const { logs, inputs } = this.#parts
    const sizes = new Map(logs.authors().map((author) => [author, logs.sizeOf(author).size]))
    await inputs.settled() // whatever those entries tell of was given to it before
    for (const [author, size] of sizes) await this.#noteTrained(author, size)
    const reports: ReplayReport[] = []
    for (const member of members) reports.push(await this.#replay(member, sizes.get(member) ?? 0))
    return { logs: reports }
  }

  async #noteTrained(author: MemberId, size: number): Promise<void> {
    for await (const { kind, study, body } of this.#entries(author, size)) {
      const trained = kind === 'round.trained' && study !== null ? readBody('round.trained', body) : null
      if (study === null || trained === null) continue
      const update = toHex(trained.update) as Digest
      if (!this.#parts.inputs.has(study, update)) continue
      const key = `${study} ${author} ${update}`
      const facts = this.#trained.get(key) ?? []
      this.#trained.set(key, [...facts.slice(1 - SAME_MAX), { round: trained.round, examples: trained.examples }])
      if (this.#trained.size > TRAINED_MAX) this.#trained.delete(this.#trained.keys().next().value as string)
    }
  }

  async #replay(member: MemberId, size: number): Promise<ReplayReport> {
    const tally = new Tally(member, this.#parts.nameOf)
    const [ages, partAges] = [new Ages(), new PartAges()]
    for await (const entry of this.#entries(member, size)) {
      if (entry.kind === 'node.started') ages.started()
      if (entry.kind !== 'round.merged') continue
      const merge = readMerge(entry)
      if ('verdict' in merge) tally.add(entry.seq, 0, merge)
      else {
        const [aged, older] = [ages.merged(merge), partAges.merged(merge)]
        const verdict = older === null ? await this.#verdict(merge, aged) : tooOld(older, this.#parts.nameOf)
        tally.add(entry.seq, merge.round, verdict)
      }
    }
    return tally.report()
  }

  async #verdict(merge: RecordedMerge, ages: readonly AgeRange[]): Promise<MergeVerdict> {
    const study = this.#parts.study(merge.study)
    const fault = formFault(merge, study)
    if (fault !== null || study === null) return fault ?? { verdict: 'not-checkable', reason: 'study-unknown' }
    const updates = merge.parts?.updates ?? []
    const named = [...merge.inputs, ...updates]
    const weights = await this.#weightsOf(merge.study, named, sharedParameters(study))
    const missing = [...new Set(named.flatMap(({ author }, i) => (weights[i] === null ? [author] : [])))]
    if (missing.length > 0) return { verdict: 'inputs-missing', of: missing }
    const knownOf = ({ author, digest }: RecordedInput, i: number) => ({
      trained: this.#trained.get(`${merge.study} ${author} ${digest}`) ?? [],
      weights: weights[i] as Float32Array,
    })
    const inputs = merge.inputs.map((one, i) => ({ ...one, ...knownOf(one, i), age: ages[i] as AgeRange }))
    const parts = updates.map((one, i) => ({ ...one, ...knownOf(one, merge.inputs.length + i) }))
    await this.#rest()
    return recompute(merge, inputs, parts, study, this.#parts.nameOf)
  }

  /** In the order of the inputs; null where one is not here, or is of another shape. */
  async #weightsOf(
    study: StudyId,
    inputs: readonly RecordedInput[],
    parameters: number,
  ): Promise<(Float32Array | null)[]> {
    const found: (Float32Array | null)[] = []
    for (const input of inputs) {
      const weights = await this.#load(study, input)
      found.push(weights?.length === parameters ? weights : null)
    }
    return found
  }

  async #load(study: StudyId, { digest }: RecordedInput): Promise<Float32Array | null> {
    const key = `${study} ${digest}`
    const weights = this.#cache.get(key) ?? (await this.#read(study, digest))
    if (weights === null) return null
    if (!this.#cache.delete(key)) this.#cacheBytes += weights.byteLength
    this.#cache.set(key, weights)
    for (const [oldest, { byteLength }] of this.#cache) {
      if (this.#cacheBytes <= CACHE_BYTES) break
      this.#cache.delete(oldest)
      this.#cacheBytes -= byteLength
    }
    return weights
  }

  async #read(study: StudyId, digest: Digest): Promise<Float32Array | null> {
    await this.#rest()
    return this.#parts.inputs.read(study, digest)
  }

  async *#entries(author: MemberId, size: number): AsyncGenerator<Entry> {
    for await (const { raws } of slicesOf(this.#parts.logs, author, { to: size })) {
      for (const raw of raws) {
        await this.#rest()
        yield decodeEntry(raw)
      }
    }
  }

  /** Called between any two things that take a while together. */
  async #rest(): Promise<void> {
    if (performance.now() - this.#turnMs < TURN_MS) return
    await setImmediate()
    if (this.#signal.aborted)
      throw new ConsiliumError({ code: 'replay-broken-off', message: 'nobody waits for it any more' })
    this.#turnMs = performance.now()
  }
}

function tooOld({ author, age }: RecordedPart, nameOf: (member: MemberId) => string): MergeVerdict {
  const what = `parts of the update of ${nameOf(author)} are told to be ${age} merges old, more than this log shows`
  return { verdict: 'differs', what }
}

const SAME_MAX = 8 // rounds in which one author trained the same update, the newest: a model that no longer moves

/** The verdicts on one member's merges, counted. */
class Tally {
  readonly #member: MemberId
  readonly #nameOf: (member: MemberId) => string
  #merges = 0
  #equal = 0
  #otherAges = 0
  #differing = 0
  readonly #differences: { ref: string; round: number; what: string }[] = []
  readonly #notChecked = new Map<string, number>()
  readonly #missing = new Map<MemberId, number>()

  constructor(member: MemberId, nameOf: (member: MemberId) => string) {
    this.#member = member
    this.#nameOf = nameOf
  }

  add(seq: number, round: number, found: MergeVerdict): void {
    this.#merges++
    switch (found.verdict) {
      case 'equal':
        this.#equal++
        if (found.otherAges) this.#otherAges++
        return
      case 'differs': {
        this.#differing++
        const ref = `${squeeze(this.#nameOf(this.#member))}/${seq}`
        if (this.#differences.length < DIFFERENCES_MAX) this.#differences.push({ ref, round, what: found.what })
        return
      }
      case 'inputs-missing':
        for (const member of found.of) increment(this.#missing, member)
        return increment(this.#notChecked, found.verdict)
      case 'rule-unknown':
        return increment(this.#notChecked, found.verdict)
      case 'not-checkable':
        return increment(this.#notChecked, found.reason)
      default:
        exhaustive(found)
    }
  }

  report(): ReplayReport {
    return {
      member: this.#member,
      name: this.#nameOf(this.#member),
      merges: this.#merges,
      recomputed: this.#equal + this.#differing,
      equal: this.#equal,
      otherAges: this.#otherAges,
      differing: this.#differing,
      differences: this.#differences,
      notChecked: [...this.#notChecked].map(([reason, merges]) => ({ reason, merges })),
      missing: [...this.#missing].map(([member, merges]) => ({ name: this.#nameOf(member), merges })),
    }
  }
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
