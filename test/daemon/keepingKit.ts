/** One node's logs, writer and keeper over a memory store, with a clock of the test's own. */
import type { Retention } from '../../src/config/retention.ts'
import type { SigningKey } from '../../src/core/ed25519.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Keeper } from '../../src/daemon/keeper.ts'
import { LedgerWriter } from '../../src/daemon/ledgerWriter.ts'
import { Logs } from '../../src/daemon/logs.ts'
import type { Fact } from '../../src/governance/studies.ts'
import { decodeEntry, type Entry } from '../../src/ledger/entry.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import { decodeRangeRequest } from '../../src/ledger/wire.ts'
import type { Transport } from '../../src/net/transport.ts'
import type { Draft } from '../../src/node/actions.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { serveRange } from '../../src/store/serveRange.ts'
import { FOUNDING, keyOf, STUDY } from '../ledger/fixtures.ts'

export const ADA = keyOf('ada')
export const BEN = keyOf('ben')
export const CLEO = keyOf('cleo')
export const DAY_MS = 86_400_000
export const NOW_MS = 1_790_000_000_000
export const KEEP: Retention = { training: { keepDays: 2_500 }, operation: { keepDays: 1_200 }, legalHold: false }
const B32 = new Uint8Array(32).fill(9)
const TIMING = { firstMs: 0, againMs: 3_600_000, restMs: 0 }

/** Drafts of each class, so old. */
export const round = (days: number, round = 7): Draft => draft('round.published', days, { round, update: B32 })
export const stop = (days: number): Draft => ({ ...draft('node.stopped', days, { reason: 'sigterm' }), study: null })
export const accepted = (days: number): Draft => draft('study.accepted', days, {})

function draft(kind: Draft['kind'], days: number, body: Draft['body']): Draft {
  return { kind, study: STUDY, timeMs: NOW_MS - days * DAY_MS, refs: [], body }
}

export class KeptNode {
  readonly key: SigningKey
  readonly store: MemoryStore
  readonly logs: Logs
  readonly retention: Retention
  readonly failures: unknown[] = []
  /** What the machine would have heard of fetched entries. */
  readonly facts: Fact[] = []
  #peer: Pick<Transport, 'request'> | null = null
  writer: LedgerWriter | null = null
  readonly keeper: Keeper

  private constructor(key: SigningKey, store: MemoryStore, retention: Retention) {
    this.key = key
    this.store = store
    this.retention = retention
    const request: Transport['request'] = (...call) => {
      if (this.#peer === null) throw new Error('no peer to ask')
      return this.#peer.request(...call)
    }
    this.logs = new Logs({
      self: key.member,
      founding: FOUNDING,
      roll: rollOf([ADA.member, BEN.member, CLEO.member]),
      store,
      transport: { request } as Transport,
      room: { require: async () => undefined },
      retention,
    })
    this.keeper = this.keeperAt(NOW_MS)
  }

  /** As a daemon starts: logs loaded and read, writer at the end of the own one. */
  static async start(key: SigningKey, store = new MemoryStore(), retention = KEEP): Promise<KeptNode> {
    const node = new KeptNode(key, store, retention)
    const { logs } = node
    await logs.load()
    await logs.readFacts()
    node.writer = new LedgerWriter({
      key,
      founding: FOUNDING,
      tip: () => logs.tip(key.member),
      heardLamport: () => logs.lamport(),
      store,
      onCommitted: ({ tip, head, entries }) => logs.committed(tip, head.note, entries),
      onFailed: (error) => node.failures.push(error),
    })
    return node
  }

  keeperAt(nowMs: number): Keeper {
    const node = this
    const daemon = {
      home: { config: { retention: this.retention }, key: { id: this.key.member } },
      logs: this.logs,
      get writer() {
        return node.writer
      },
      nameOf: (member: string) => member.slice(0, 6),
    }
    return new Keeper(daemon, TIMING, () => nowMs)
  }

  async write(...drafts: readonly Draft[]): Promise<void> {
    this.writer?.record('test', drafts, new Map())
    await this.writer?.flush()
  }

  /** Fetches all that `peer` has of `author`'s log. */
  async fetch({ store, logs, key }: KeptNode, author: SigningKey = key): Promise<void> {
    const request = (_: unknown, __: unknown, asked: Uint8Array) => serveRange(store, decodeRangeRequest(asked))
    await this.fetchFrom({ request }, author.member, logs.tip(author.member).size)
  }

  async fetchFrom(peer: Pick<Transport, 'request'>, author: MemberId, to: number): Promise<void> {
    this.#peer = peer
    for await (const { facts } of this.logs.fetch(author, author, to, new AbortController().signal))
      this.facts.push(...facts)
  }

  async entries(of: SigningKey = this.key): Promise<Entry[]> {
    return (await this.store.entries(of.member, 0, 100_000)).map(decodeEntry)
  }

  /** The numbers of the entries whose bodies are gone. */
  async gone(of: SigningKey = this.key): Promise<number[]> {
    return (await this.entries(of)).filter(({ body }) => body === null).map(({ seq }) => seq)
  }

  /** Runs the keeper's background work until `done`. */
  async runUntil(done: () => Promise<boolean>): Promise<void> {
    const stop = new AbortController()
    const running = this.keeper.run(stop.signal)
    const end = Date.now() + 10_000
    try {
      while (!(await done())) {
        if (Date.now() > end) throw new Error('waited 10 s for the keeper')
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      stop.abort()
      await running
    }
  }
}
