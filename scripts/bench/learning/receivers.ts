/** A child process of the uplink's benchmark: the publisher, or all receivers, in a network namespace of their own. */
import { jobOf, tell } from '../ledger/processes.ts'
import { BenchNode, formatOf, seedsOf, until } from './swarmNode.ts'

/** What a child does: node 0 publishes, or the other nodes receive. */
export interface UplinkJob {
  readonly role: 'publisher' | 'receivers'
  readonly address: string
  readonly publisher: string
  readonly nodes: number
  readonly parameters: number
}

const { role, address, publisher, nodes, parameters } = jobOf<UplinkJob>()
const seeds = seedsOf(nodes)
const own = role === 'publisher' ? seeds.slice(0, 1) : seeds.slice(1)
const port = 17_000
const all = seeds.map((_, i) => `/ip4/${i === 0 ? publisher : address}/tcp/${port + i}`)
const format = formatOf(parameters)
const made = own.map((seed) => {
  const i = seeds.indexOf(seed)
  return new BenchNode({ seed, seeds, listen: `/ip4/${address}/tcp/${port + i}`, bootstrap: all.slice(0, i), format })
})
for (const node of made) await node.start()
await Promise.all(made.map((node) => node.ready()))
tell({ ready: true })
process.once('message', async () => {
  if (role === 'publisher') return tell({ payloadBytes: await (made[0] as BenchNode).publish(1) })
  await until(() => made.every(({ arrived }) => arrived === 1))
  tell({ done: true })
})
