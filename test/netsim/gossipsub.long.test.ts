/** Larger swarms, model against library: the table of netsim/README.md. Some three minutes. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { modelSwarm } from './modelSwarm.ts'
import { realSwarm } from './realSwarm.ts'
import { duplicatesPerDelivery, fullLinks, hops, type Links, type MakeSwarm, meanDegree, ringLinks } from './swarm.ts'

const it = suite('gossipsub: model against library, at length')

const NODES = 20
const MESSAGES = 150
const RUNS = { library: 3, model: 24 } as const // the library's take 15 s each, the model's a tenth of one

interface Row {
  readonly name: string
  readonly links: Links
  readonly bytes: number
  readonly verdictMs?: number
}

/** What one run gives; counts are per delivery. */
interface Run {
  readonly degree: number
  readonly duplicates: number
  readonly hopsMean: number
  readonly hops95: number
  readonly hopsMax: number
  readonly told: number
  readonly idontwants: number
  readonly ms50: number
  readonly ms95: number
}

const ROWS: readonly Row[] = [
  { name: 'full, 200 B', links: fullLinks(NODES), bytes: 200 },
  { name: 'full, 2 kB', links: fullLinks(NODES), bytes: 2_000 },
  { name: 'full, 2 kB, verdicts after 30 ms', links: fullLinks(NODES), bytes: 2_000, verdictMs: 30 },
  { name: '6 links each, 2 kB', links: regularLinks(NODES, 3), bytes: 2_000 },
  { name: 'ring, 2 kB', links: ringLinks(NODES), bytes: 2_000 },
]

/** How far the library's mean may lie from the model's: of its size, and at least so much. */
const TOLERANCE: Partial<Record<keyof Run, readonly [share: number, least: number]>> = {
  degree: [0.1, 0.25],
  duplicates: [0.3, 0.15],
  hopsMean: [0.15, 0.2],
  hops95: [0.25, 1],
  told: [0.2, 0.5],
  idontwants: [0.2, 0.3],
}

for (const row of ROWS) {
  it(`the library is like the model: ${row.name}`, async () => {
    const model = await runs(modelSwarm, row, RUNS.model)
    const library = await runs(realSwarm, row, RUNS.library)
    console.log(`\n${row.name}\n${line('library', library)}\n${line('model', model)}`)
    for (const [key, [share, least]] of Object.entries(TOLERANCE) as [keyof Run, [number, number]][]) {
      const [expected, found] = [mean(model, key), mean(library, key)]
      const text = `${row.name}: ${key} is ${found.toFixed(2)} with the library, ${expected.toFixed(2)} with the model`
      assert.ok(Math.abs(found - expected) <= Math.max(least, share * expected), text)
    }
  })
}

async function runs(make: MakeSwarm, row: Row, count: number): Promise<Run[]> {
  const found: Run[] = []
  for (let seed = 1; seed <= count; seed++) found.push(await run(make, row, seed))
  return found
}

async function run(make: MakeSwarm, { links, bytes, verdictMs }: Row, seed: number): Promise<Run> {
  const swarm = await make({ nodes: NODES, links, seed, verdictMs })
  try {
    await swarm.beats(4)
    const told = swarm.counts.ihaveIds
    for (let i = 0; i < MESSAGES; i++) {
      await swarm.publish(i % NODES, `m${i}`, bytes)
      await swarm.until(`m${i} is everywhere`, () => swarm.deliveries.length === (i + 1) * (NODES - 1))
    }
    await swarm.beats(4)
    const { deliveries, counts } = swarm
    const [hopCounts, ms] = [hops(swarm).sort(ascending), deliveries.map((delivery) => delivery.ms).sort(ascending)]
    return {
      degree: meanDegree(swarm, NODES),
      duplicates: duplicatesPerDelivery(swarm),
      hopsMean: hopCounts.reduce((sum, count) => sum + count, 0) / hopCounts.length,
      hops95: quantile(hopCounts, 0.95),
      hopsMax: quantile(hopCounts, 1),
      told: (counts.ihaveIds - told) / deliveries.length,
      idontwants: counts.idontwantIds / deliveries.length,
      ms50: quantile(ms, 0.5),
      ms95: quantile(ms, 0.95),
    }
  } finally {
    await swarm.stop()
  }
}

function line(name: string, all: readonly Run[]): string {
  const show = (key: keyof Run): string => {
    const values = all.map((each) => each[key])
    return `${key} ${mean(all, key).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`
  }
  const keys = Object.keys(all[0] as Run) as (keyof Run)[]
  return `${name.padEnd(8)} ${keys.map(show).join(' · ')}`
}

function mean(all: readonly Run[], key: keyof Run): number {
  return all.reduce((sum, each) => sum + each[key], 0) / all.length
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number
}

function ascending(a: number, b: number): number {
  return a - b
}

/** Each node dials the next one, and others farther round, so that all have twice as many links. */
function regularLinks(nodes: number, dials: number): Links {
  const steps = [1, ...Rng.from('steps').shuffle([2, 3, 4, 5, 6, 7, 8, 9])].slice(0, dials)
  return steps.flatMap((step) => Array.from({ length: nodes }, (_, node) => [node, (node + step) % nodes] as const))
}

it.run()
