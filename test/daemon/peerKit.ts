/** Nodes of one consortium over memory stores, which answer each other's requests: logs, witness, forks and replicator, without a machine. */
import type { SigningKey } from '../../src/core/ed25519.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { Forks } from '../../src/daemon/forks.ts'
import { Logs } from '../../src/daemon/logs.ts'
import { Replicator } from '../../src/daemon/replicator.ts'
import { Tasks } from '../../src/daemon/tasks.ts'
import { Witness } from '../../src/daemon/witness.ts'
import { emptyTip } from '../../src/ledger/chain.ts'
import { formatCosigned, signCosignature } from '../../src/ledger/cosignature.ts'
import { rootOf, type VerifiedHead } from '../../src/ledger/head.ts'
import { type Roll, rollOf } from '../../src/ledger/membership.ts'
import { encodeFinal, type Statement } from '../../src/ledger/witnessWire.ts'
import type { RequestHandler, Transport } from '../../src/net/transport.ts'
import type { LogSize, NodeEvent } from '../../src/node/events.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { batchOf, type Commit, commitOf, FOUNDING, keyOf } from '../ledger/fixtures.ts'

type Five = [SigningKey, SigningKey, SigningKey, SigningKey, SigningKey]
export const [ADA, BEN, CLEO, DAN, EVE] = ['ada', 'ben', 'cleo', 'dan', 'eve'].map(keyOf) as Five
export const MEMBERS = [ADA, BEN, CLEO, DAN, EVE].map(({ member }) => member)
export const TIME_S = 1_790_000_000
export const never = new AbortController().signal

/** Says for each frame that goes out what goes out in its place; null is nothing. */
export type Spoil = (protocol: string, frame: Uint8Array) => Uint8Array | null

/** Who is there: what each member answers, by protocol. */
export type Peers = Map<MemberId, Map<string, RequestHandler>>

export interface PeerNode {
  readonly store: MemoryStore
  readonly logs: Logs
  readonly forks: Forks
  readonly witness: Witness
  readonly replicator: Replicator
  readonly events: NodeEvent[]
  readonly published: Uint8Array[]
  /** What it logged, by event. */
  readonly said: string[]
  /** Requests that it made, by protocol. */
  readonly asked: string[]
  /** Waits for all work that nothing waits for; its failures. */
  readonly settled: () => Promise<unknown[]>
}

/** A member's node over what `store` holds; what it answers goes through `spoil`. */
export async function open(
  peers: Peers,
  { member: self, ...rest }: SigningKey,
  store: MemoryStore = new MemoryStore(),
  spoil: Spoil = (_, frame) => frame,
  roll: Roll = rollOf(MEMBERS),
): Promise<PeerNode> {
  const key = { member: self, ...rest }
  const handlers = new Map<string, RequestHandler>()
  peers.set(self, handlers)
  const [events, published, said, asked, failures]: [NodeEvent[], Uint8Array[], string[], string[], unknown[]] = [
    [],
    [],
    [],
    [],
    [],
  ]
  const transport = {
    handle: async (protocol: string, handler: RequestHandler) => {
      handlers.set(protocol, async function* (from, request, signal) {
        for await (const frame of handler(from, request, signal)) {
          const given = spoil(protocol, frame)
          if (given !== null) yield given
        }
      })
    },
    async *request(peer: MemberId, protocol: string, request: Uint8Array) {
      asked.push(protocol)
      const handler = peers.get(peer)?.get(protocol)
      if (handler !== undefined) yield* handler(self, request, never)
    },
  } as unknown as Transport
  const log = (_: string, event: string) => void said.push(event)
  const shared = { founding: FOUNDING, roll, store, transport, log }
  const logs = new Logs({ ...shared, self, room: { require: async () => undefined } })
  await logs.load()
  const feed = (event: NodeEvent) => void events.push(event)
  const publish = (message: Uint8Array) => void published.push(message)
  const forks = new Forks({ ...shared, logs, feed, publish })
  const tasks = new Tasks((_, error) => failures.push(error))
  const witness = new Witness({ ...shared, key, logs, tasks, cosigners: forks.cosigners, isVoting: () => false })
  const onStoreFailed = (error: unknown) => void failures.push(error)
  const epochs = { ask: async () => roll.number }
  const tellFollowers = () => undefined
  const replicator = new Replicator({ logs, witness, forks, epochs, feed, tellFollowers, log, onStoreFailed })
  await logs.serve()
  await witness.load()
  await forks.load()
  const settled = async () => {
    await tasks.drained()
    await tasks.drained() // what was found is kept by work of its own
    return failures
  }
  return { store, logs, forks, witness, replicator, events, published, said, asked, settled }
}

/** A store with these commits. */
export async function storeWith(commits: readonly Commit[]): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const commit of commits) await store.append(batchOf(commit))
  return store
}

/** A log of ADA whose first `alike` entries are those of every branch; commits end at `sizes`, and between where one has not room for all. */
export function branch(label: string, alike: number, sizes: readonly number[]): Commit[] {
  const commits: Commit[] = []
  let tip = emptyTip(ADA.member)
  for (const size of [alike, ...sizes]) {
    while (tip.size < size) {
      const count = Math.min(size - tip.size, LIMITS.commitEntriesMax)
      const commit = commitOf(ADA, tip, count, size === alike ? 'main' : label)
      commits.push(commit)
      tip = commit.tip
    }
  }
  return commits
}

export const last = (commits: readonly Commit[]): Commit => commits.at(-1) as Commit

export const sizeOf = ({ author, size, ...head }: VerifiedHead): LogSize => {
  return { author, size, root: rootOf({ author, size, ...head }) }
}

/** What a witness says of a head. */
export function statementOf(key: SigningKey, { author, size, root, text }: VerifiedHead, timeS = TIME_S): Statement {
  return { author, size, root, cosignature: signCosignature(key, text, timeS) }
}

/** A head with the cosignatures of `keys`. */
export function finalOf(head: VerifiedHead, keys: readonly SigningKey[]): Uint8Array {
  return formatCosigned(
    head,
    keys.map((key) => signCosignature(key, head.text, TIME_S)),
  )
}

/** Makes a member hand this over as final, whatever else it answers. */
export function handOver(peers: Peers, { member }: SigningKey, ...notes: readonly Uint8Array[]): void {
  const handlers = peers.get(member) ?? new Map<string, RequestHandler>()
  peers.set(member, handlers)
  handlers.set('/consilium/finals/1', async function* () {
    yield* notes.map(encodeFinal)
  })
}

/** The types of events, with the sizes that they are about. */
export function toldOf({ events }: PeerNode): string[] {
  return events.map((event) => ('log' in event ? `${event.type} ${event.log.size}` : event.type))
}
