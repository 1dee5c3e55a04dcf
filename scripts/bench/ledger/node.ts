/** A node of the ledger's benchmarks, as a process: the daemon's own transport, logs and store, and nothing else of a daemon. */

import { Logs } from '../../../src/daemon/logs.ts'
import { Room } from '../../../src/daemon/room.ts'
import { rollOf } from '../../../src/ledger/membership.ts'
import type { LogStore } from '../../../src/ledger/store.ts'
import { Libp2pTransport } from '../../../src/net/libp2pTransport.ts'
import { FOUNDING, KEYS, openStore, SEEDS } from './log.ts'
import { done, jobOf, tell, told } from './processes.ts'

/** `start`: reads the ledger as before "ready"; `serve` and `fetch`: the two ends of a replication. */
export interface NodeJob {
  readonly task: 'start' | 'serve' | 'fetch'
  readonly as: 'author' | 'reader'
  /** Has `database/` and `heads.pin`. */
  readonly folder: string
  /** Where the other one listens. */
  readonly address?: string
  /** How many entries of the author to hold in the end. */
  readonly to?: number
}

/** What `start` tells. */
export interface Started {
  readonly seconds: number
  readonly openSeconds: number
}

/** What `fetch` tells: entries and their bytes, and when each frame of them was durable. */
export interface Fetched {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly entries: number
  readonly bytes: number
}

const job = jobOf<NodeJob>()
const self = KEYS[job.as].member
const other = KEYS[job.as === 'author' ? 'reader' : 'author'].member
const author = KEYS.author.member
const never = new AbortController().signal
const tasks = { start, serve, fetch: fetchAll }
await tasks[job.task]()
done()

async function start(): Promise<void> {
  const begun = performance.now()
  const { store, logs }: Node = await openNode()
  const openSeconds = (performance.now() - begun) / 1000
  await logs.load()
  await logs.readFacts()
  tell({ seconds: (performance.now() - begun) / 1000, openSeconds } satisfies Started)
  await logs.facts.save()
  await store.close()
}

async function serve(): Promise<void> {
  const { store, logs, transport } = await openNode()
  await logs.serve()
  await transport.start(never)
  tell({ address: transport.addresses()[0] })
  await told()
  await transport.stop()
  await store.close()
}

async function fetchAll(): Promise<void> {
  const { store, logs, transport, connected } = await openNode()
  await logs.serve()
  await transport.start(never)
  await connected
  tell({})
  await told()
  const cpu = process.cpuUsage()
  const begun = performance.now()
  let entries = 0
  let bytes = 0
  for await (const fetched of logs.fetch(author, author, job.to as number, never)) {
    entries += fetched.entries.length
    for (const { raw } of fetched.entries) bytes += raw.length
  }
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  tell({ seconds, cpuSeconds: (user + system) / 1e6, entries, bytes } satisfies Fetched)
  await transport.stop()
  await store.close()
}

interface Node {
  readonly store: LogStore
  readonly logs: Logs
  readonly transport: Libp2pTransport
  readonly connected: Promise<void>
}

async function openNode(): Promise<Node> {
  const store = await openStore(job.folder, job.as)
  const connected = Promise.withResolvers<void>()
  const transport = new Libp2pTransport(
    {
      privateKeySeed: SEEDS[job.as],
      members: [{ id: other, addresses: [] }],
      listen: job.task === 'serve' ? ['/ip4/127.0.0.1/tcp/0'] : [],
      announce: [],
      bootstrap: job.address === undefined ? [] : [job.address],
      mdns: false,
      topicPrefix: 'consilium/1/bench',
      log: () => undefined,
    },
    {
      onConnected: () => connected.resolve(),
      onDisconnected: () => undefined,
      onStranger: () => undefined,
      onMisbehaved: () => undefined,
      onMessage: async () => 'ignore',
    },
  )
  const roll = rollOf([self, other])
  const logs = new Logs({ self, founding: FOUNDING, roll, store, transport, room: new Room(job.folder) })
  if (job.task !== 'start') {
    await logs.load()
    await logs.readFacts()
  }
  return { store, logs, transport, connected: connected.promise }
}
