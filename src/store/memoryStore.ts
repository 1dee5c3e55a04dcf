/** LogStore in memory: for the simulator and for tests; `reopen` gives what a disk would hold after a crash. */
import { invariant } from '../core/errors.ts'
import { compareIds, type MemberId } from '../core/ids.ts'
import type { Final, FinalTimes, LogBatch, LogStore, Repaired, StoredHead, Witnessed } from '../ledger/store.ts'
import { repairIn } from './repairing.ts'
import { checkSeqs, withoutBody } from './withoutBody.ts'
import { checkBatch, type WriteHooks, WriteQueue } from './writes.ts'

interface Log {
  /** Undefined where one was lost. */
  readonly entries: (Uint8Array | undefined)[]
  /** Ascending by size. */
  readonly commits: { readonly size: number; readonly note: Uint8Array }[]
  head: StoredHead
}

/** What survives a crash. */
class Contents {
  readonly logs = new Map<MemberId, Log>()
  readonly state = new Map<string, Uint8Array>()
  readonly evidence = new Map<MemberId, Uint8Array>()
  readonly nodes = new Map<string, Uint8Array>()
  readonly witnessed = new Map<MemberId, Witnessed>()
  readonly finals = new Map<MemberId, Final[]>()
}

/** Lasts as long as the process; no pin, and no check at `reopen`. */
export class MemoryStore implements LogStore {
  readonly #contents: Contents
  readonly #writes: WriteQueue

  constructor(hooks: WriteHooks = {}, contents: Contents = new Contents()) {
    this.#contents = contents
    this.#writes = new WriteQueue(hooks)
  }

  /** A store over the same contents, as after a restart. */
  reopen(hooks: WriteHooks = {}): MemoryStore {
    return new MemoryStore(hooks, this.#contents)
  }

  append(batch: LogBatch): Promise<void> {
    const { logs, evidence } = this.#contents
    return this.#writes.run('append', () => {
      const log = logs.get(batch.author)
      checkBatch(batch, log?.head, evidence.has(batch.author))
      return () => {
        const commit = { size: batch.head.size, note: batch.head.note }
        if (log === undefined)
          logs.set(batch.author, { entries: [...batch.entries], commits: [commit], head: batch.head })
        else {
          for (const raw of batch.entries) log.entries.push(raw)
          log.commits.push(commit)
          log.head = batch.head
        }
        for (const { level, index, hash } of batch.nodes)
          this.#contents.nodes.set(`${batch.author} ${level} ${index}`, hash)
        this.#setState(batch.state)
      }
    })
  }

  async head(author: MemberId): Promise<StoredHead | undefined> {
    return this.#contents.logs.get(author)?.head
  }

  async heads(): Promise<StoredHead[]> {
    return [...this.#contents.logs.values()].map((log) => log.head).sort((a, b) => compareIds(a.author, b.author))
  }

  async entries(
    author: MemberId,
    from: number,
    to: number,
    bytesMax = Number.POSITIVE_INFINITY,
  ): Promise<Uint8Array[]> {
    const out: Uint8Array[] = []
    let bytes = 0
    for (const raw of this.#contents.logs.get(author)?.entries.slice(from, Math.max(from, to)) ?? []) {
      if (raw === undefined) break
      bytes += raw.length
      if (bytes > bytesMax && out.length > 0) break
      out.push(raw)
    }
    return out
  }

  async commit(author: MemberId, above: number, upTo: number): Promise<{ size: number; note: Uint8Array } | undefined> {
    const found = this.#contents.logs.get(author)?.commits.findLast((commit) => commit.size <= upTo)
    return found !== undefined && found.size > above ? found : undefined
  }

  async getState(key: string): Promise<Uint8Array | undefined> {
    return this.#contents.state.get(key)
  }

  async listState(prefix: string): Promise<[string, Uint8Array][]> {
    return [...this.#contents.state].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => compareBytes(a, b))
  }

  putState(state: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    return this.#writes.run('putState', () => () => this.#setState(state))
  }

  putForkEvidence(author: MemberId, evidence: Uint8Array): Promise<void> {
    return this.#writes.run('putForkEvidence', () => () => {
      if (!this.#contents.evidence.has(author)) this.#contents.evidence.set(author, evidence)
    })
  }

  async forkEvidence(author: MemberId): Promise<Uint8Array | undefined> {
    return this.#contents.evidence.get(author)
  }

  async nodes(author: MemberId, level: number, from: number, to: number): Promise<Uint8Array[]> {
    const out: Uint8Array[] = []
    for (let index = from; index < to; index++) {
      const hash = this.#contents.nodes.get(`${author} ${level} ${index}`)
      if (hash === undefined) break
      out.push(hash)
    }
    return out
  }

  async witnessed(author: MemberId): Promise<Witnessed | undefined> {
    return this.#contents.witnessed.get(author)
  }

  putWitnessed(author: MemberId, witnessed: Witnessed): Promise<void> {
    return this.#writes.run('putWitnessed', () => () => {
      const { witnessed: kept } = this.#contents
      invariant(witnessed.size >= (kept.get(author)?.size ?? 0), 'what was cosigned never goes back')
      kept.set(author, witnessed)
    })
  }

  /** Keeps all of them: a memory is short. */
  putFinal(author: MemberId, final: Final): Promise<void> {
    return this.#writes.run('putFinal', () => () => {
      const finals = this.#contents.finals.get(author) ?? []
      invariant((finals.at(-1)?.size ?? 0) < final.size, 'final heads only grow')
      this.#contents.finals.set(author, [...finals, final])
    })
  }

  async final(author: MemberId, size?: number): Promise<Omit<Final, 'timeS'> | undefined> {
    const finals = this.#contents.finals.get(author) ?? []
    const found = size === undefined ? finals.at(-1) : finals.find((final) => final.size >= size)
    return found === undefined ? undefined : { size: found.size, note: found.note }
  }

  async finalTimes(author: MemberId, size: number): Promise<FinalTimes> {
    const finals = this.#contents.finals.get(author) ?? []
    const before = finals.findLast((final) => final.size < size)
    return { beforeS: before?.timeS, byS: finals.find((final) => final.size >= size)?.timeS }
  }

  dropBodies(author: MemberId, seqs: readonly number[], state?: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    return this.#writes.run('dropBodies', () => {
      const entries = this.#contents.logs.get(author)?.entries ?? []
      checkSeqs(seqs, entries.length)
      const dropped = seqs.map((seq) => withoutBody(author, seq, entries[seq]))
      return () => {
        for (const [i, seq] of seqs.entries()) entries[seq] = dropped[i] as Uint8Array
        this.#setState(state)
      }
    })
  }

  repair(author: MemberId, from: number, raws: readonly Uint8Array[]): Promise<Repaired> {
    return repairIn(this.#writes, this, { author, from, raws }, ({ entries, nodes }) => {
      const log = this.#contents.logs.get(author)
      for (const { seq, raw } of entries) if (log !== undefined) log.entries[seq] = raw
      for (const { level, index, hash } of nodes) this.#contents.nodes.set(`${author} ${level} ${index}`, hash)
    })
  }

  /** Loses an entry or changes it, in silence, as a disk may. */
  spoil(author: MemberId, seq: number, raw: Uint8Array | undefined): void {
    const log = this.#contents.logs.get(author)
    invariant(log !== undefined && seq < log.entries.length, 'what is spoilt was stored')
    log.entries[seq] = raw
  }

  /** Loses a node of the tree or changes it. */
  spoilNode(author: MemberId, level: number, index: number, hash: Uint8Array | undefined): void {
    if (hash === undefined) this.#contents.nodes.delete(`${author} ${level} ${index}`)
    else this.#contents.nodes.set(`${author} ${level} ${index}`, hash)
  }

  close(): Promise<void> {
    return this.#writes.close()
  }

  #setState(state: ReadonlyMap<string, Uint8Array | null> = new Map()): void {
    for (const [key, value] of state) {
      if (value === null) this.#contents.state.delete(key)
      else this.#contents.state.set(key, value)
    }
  }
}

/** The order of the keys' UTF-8 bytes, which is that of a database on disk. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
