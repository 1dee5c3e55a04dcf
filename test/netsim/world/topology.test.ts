/** Topologies: what each kind promises, over sizes and seeds. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { natOf, type TopologySpec, topologyOf } from '../../../netsim/world/topology.ts'
import type { Topology } from '../../../netsim/world/world.ts'
import { Rng } from '../../../src/core/rng.ts'

const it = suite('netsim topology')

const filesOf = (text: string) => ({ folder: '/scenarios', readFile: () => new TextEncoder().encode(text) })

function make(spec: TopologySpec, nodes: number, seed = 7, nat: Uint8Array | null = null): Topology {
  return topologyOf(spec, nodes, Rng.from('netsim', seed, 'topology'), filesOf(''), nat)
}

const listOf = (topology: Topology): number[][] =>
  Array.from({ length: topology.nodes }, (_, node) => [...topology.neighbours(node)])

const degreesOf = (topology: Topology): number[] => listOf(topology).map((list) => list.length)

/** Mutual, ascending, without double links or links to itself. */
function checkSimple(topology: Topology): void {
  const lists = listOf(topology)
  for (const [node, list] of lists.entries()) {
    for (const [i, other] of list.entries()) {
      assert.ok(other !== node && other >= 0 && other < topology.nodes, `${node} – ${other}`)
      assert.ok(i === 0 || other > (list[i - 1] as number), `${node}: ${list}`)
      assert.ok((lists[other] as number[]).includes(node), `${node} – ${other}`)
    }
  }
}

function reached(topology: Topology): number {
  const seen = new Set([0])
  for (const node of seen) for (const other of topology.neighbours(node)) seen.add(other)
  return seen.size
}

const seeds = fc.nat()

it('k-regular: simple, connected, and every node has just that degree, for every pair of sizes that is possible', () => {
  for (let nodes = 3; nodes <= 14; nodes++) {
    for (let degree = 2; degree < nodes; degree++) {
      if ((nodes * degree) % 2 === 1) continue
      for (const seed of [1, 2, 3]) {
        const topology = make({ kind: 'k-regular', degree }, nodes, seed)
        checkSimple(topology)
        assert.ok(
          degreesOf(topology).every((each) => each === degree),
          `${nodes} nodes, degree ${degree}`,
        )
        assert.is(reached(topology), nodes, `${nodes} nodes, degree ${degree}`)
      }
    }
  }
})

it('k-regular: degree 2 is one ring through all nodes, and larger graphs hold too', () => {
  for (const [nodes, degree] of [
    [500, 2],
    [999, 8],
    [300, 149],
    [301, 150],
    [200, 197],
  ] as const) {
    const topology = make({ kind: 'k-regular', degree }, nodes)
    checkSimple(topology)
    assert.ok(degreesOf(topology).every((each) => each === degree))
    assert.is(reached(topology), nodes)
  }
})

it('k-regular: all links are about equally likely', () => {
  const counts = new Map<string, number>()
  for (let seed = 0; seed < 4_000; seed++)
    for (const other of make({ kind: 'k-regular', degree: 3 }, 8, seed).neighbours(0)) {
      counts.set(String(other), (counts.get(String(other)) ?? 0) + 1)
    }
  // 4,000 × 3 ÷ 7 = 1,714 each, with a deviation of 31
  for (const [other, count] of counts) assert.ok(Math.abs(count - 1_714) < 140, `${other}: ${count}`)
  assert.is(counts.size, 7)
})

it('k-regular: what can’t be is refused', () => {
  assert.throws(
    () => make({ kind: 'k-regular', degree: 3 }, 7),
    /degree: 3 was given, an even one is allowed for an odd number of nodes \(7\)/,
  )
  assert.throws(
    () => make({ kind: 'k-regular', degree: 7 }, 7),
    /degree: 7 was given, at most 6 is allowed for 7 nodes/,
  )
})

it('Erdős–Rényi: simple, its mean degree as asked, degrees as Poisson’s', () => {
  const topology = make({ kind: 'erdos-renyi', meanDegree: 7 }, 20_000)
  checkSimpleSample(topology)
  const degrees = degreesOf(topology)
  const mean = degrees.reduce((a, b) => a + b, 0) / degrees.length
  const variance = degrees.reduce((sum, each) => sum + (each - mean) ** 2, 0) / degrees.length
  assert.ok(Math.abs(mean - 7) < 0.11 && Math.abs(variance - 7) < 0.4, `${mean} ${variance}`)
})

it('Erdős–Rényi: every pair has the same chance, the last ones too', () => {
  const counts = new Array<number>(10).fill(0)
  for (let seed = 0; seed < 5_000; seed++) {
    const lists = listOf(make({ kind: 'erdos-renyi', meanDegree: 2 }, 5, seed))
    let pair = 0
    for (let a = 0; a < 5; a++)
      for (let b = a + 1; b < 5; b++, pair++) if (lists[a]?.includes(b)) counts[pair] = (counts[pair] as number) + 1
  }
  // a half of 5,000 each, with a deviation of 35
  assert.ok(
    counts.every((count) => Math.abs(count - 2_500) < 150),
    `${counts}`,
  )
})

it('Erdős–Rényi: with a mean degree of all others everybody is linked, and more is refused', () => {
  assert.ok(degreesOf(make({ kind: 'erdos-renyi', meanDegree: 6 }, 7)).every((each) => each === 6))
  assert.throws(() => make({ kind: 'erdos-renyi', meanDegree: 6.5 }, 7), /meanDegree: 6.5 was given, at most 6/)
})

it('small world: simple, links kept, half of its degree at each node at least', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 40 }),
      fc.integer({ min: 1, max: 19 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      seeds,
      (nodes, half, rewire, seed) => {
        if (2 * half >= nodes) return
        const topology = make({ kind: 'small-world', degree: 2 * half, rewire }, nodes, seed)
        checkSimple(topology)
        const degrees = degreesOf(topology)
        assert.is(
          degrees.reduce((a, b) => a + b, 0),
          2 * half * nodes,
        )
        assert.ok(Math.min(...degrees) >= half)
      },
    ),
  )
})

it('small world: without rewiring it is the ring of nearest ones, with it that share of links is moved', () => {
  assert.equal([...make({ kind: 'small-world', degree: 4, rewire: 0 }, 9).neighbours(0)], [1, 2, 7, 8])
  const topology = make({ kind: 'small-world', degree: 6, rewire: 0.3 }, 5_000)
  const near = listOf(topology).flatMap((list, node) =>
    list.filter((other) => Math.min((other - node + 5_000) % 5_000, (node - other + 5_000) % 5_000) <= 3),
  ).length
  assert.ok(Math.abs(near / 30_000 - 0.7) < 0.012, `${near / 30_000}`)
  assert.throws(
    () => make({ kind: 'small-world', degree: 3, rewire: 0 }, 8),
    /degree: 3 was given, an even one up to 6/,
  )
  assert.throws(() => make({ kind: 'small-world', degree: 8, rewire: 0 }, 8), /up to 6 is allowed for 8 nodes/)
})

it('scale-free: connected, and the share of nodes with k links falls as k^−3', () => {
  const topology = make({ kind: 'scale-free', links: 3 }, 30_000)
  checkSimpleSample(topology)
  assert.is(reached(topology), 30_000)
  const degrees = degreesOf(topology)
  assert.is(
    degrees.reduce((a, b) => a + b, 0),
    2 * (6 + 3 * 29_996),
  )
  // Bollobás et al. 2001: the share with k links is 2 m (m + 1) ÷ (k (k + 1) (k + 2))
  for (const k of [3, 5, 8, 13]) {
    const share = degrees.filter((each) => each === k).length / 30_000
    const expected = 24 / (k * (k + 1) * (k + 2))
    assert.ok(Math.abs(share / expected - 1) < 0.15, `${k}: ${share} ${expected}`)
  }
  const large = degrees.filter((each) => each >= 30).length / 30_000
  assert.ok(Math.abs(large / (12 / (30 * 31)) - 1) < 0.25, `${large}`)
  assert.throws(() => make({ kind: 'scale-free', links: 7 }, 7), /links: 7 was given, at most 6/)
})

it('ring: two neighbours each, one where there are two nodes', () => {
  assert.equal(listOf(make({ kind: 'ring' }, 5)), [
    [1, 4],
    [0, 2],
    [1, 3],
    [2, 4],
    [0, 3],
  ])
  assert.equal(listOf(make({ kind: 'ring' }, 2)), [[1], [0]])
})

it('geographic: shares to one node, latencies from the matrix by direction', () => {
  const regions = [
    { name: 'north', share: 0.5 },
    { name: 'south', share: 0.2 },
    { name: 'west', share: 0.3 },
  ]
  const latencyMs = [
    [2, 40, 70],
    [41, 3, 90],
    [71, 91, 4],
  ]
  const topology = make({ kind: 'geographic', regions, latencyMs }, 17)
  const names = Array.from({ length: 17 }, (_, node) => topology.regionOf(node))
  assert.equal(
    ['north', 'south', 'west'].map((name) => names.filter((each) => each === name).length),
    [9, 3, 5],
  )
  const [north, west] = [names.indexOf('north'), names.indexOf('west')]
  assert.equal([topology.latencyMs(north, west), topology.latencyMs(west, north)], [70, 71])
  assert.is(topology.latencyMs(west, names.lastIndexOf('west')), 4)
  assert.ok(topology.full)
  assert.throws(
    () => make({ kind: 'geographic', regions, latencyMs: latencyMs.slice(1) }, 17),
    /2 rows of 3 were given, 3 rows of 3/,
  )
  assert.throws(
    () =>
      make(
        {
          kind: 'geographic',
          regions: regions.slice(1),
          latencyMs: [
            [2, 3],
            [4, 5],
          ],
        },
        17,
      ),
    /shares sum to 0.5, 1 is allowed/,
  )
})

it('file: links with and without latency, comments, any line end', () => {
  const text = '# three hospitals\r\n0 1 12.5\r\n\r\n2 1 # no latency\r\n'
  const topology = topologyOf({ kind: 'file', file: 'links.txt' }, 4, Rng.from(1), filesOf(text))
  assert.equal(listOf(topology), [[1], [0, 2], [1], []])
  assert.equal([topology.latencyMs(1, 0), topology.latencyMs(0, 1), topology.latencyMs(1, 2)], [12.5, 12.5, null])
  assert.is(topology.latencyMs(0, 2), null)
})

const BAD_FILES: readonly [text: string, message: RegExp][] = [
  ['0 1\n1 x\n', /^links.txt: line 2: "1 x" was given, two nodes/],
  ['0\n', /line 1: "0" was given/],
  ['0 1 2 3\n', /line 1: "0 1 2 3"/],
  ['0 -1\n', /line 1: "0 -1"/],
  ['# a\n0 7\n', /line 2: node 7 was given, 0 to 3 is allowed for 4 nodes/],
  ['0 1.5\n', /line 1: node 1.5 was given/],
  ['2 2\n', /line 1: node 2 is linked to itself/],
  ['0 1\n1 0\n', /line 2: 1 and 0 are linked already/],
  ['0 1 99999999\n', /line 1: 99999999 ms was given/],
  ['# nothing\n', /no link was found/],
]
for (const [text, message] of BAD_FILES) {
  it(`file: ${JSON.stringify(text)} is refused with its line`, () => {
    assert.throws(() => topologyOf({ kind: 'file', file: 'links.txt' }, 4, Rng.from(1), filesOf(text)), message)
  })
}

it('file: one that is not there says where it was looked for', () => {
  const readFile = () => {
    throw Object.assign(new Error('no'), { code: 'ENOENT' })
  }
  const make = () =>
    topologyOf({ kind: 'file', file: 'a/links.txt' }, 4, Rng.from(1), { folder: '/scenarios', readFile })
  assert.throws(make, /a\/links.txt: there is no such file at \/scenarios\/a\/links.txt/)
})

it('NAT: the share is exact, and two such nodes are not linked', () => {
  const nat = natOf(200, 0.3, Rng.from('nat'))
  assert.is(
    nat.reduce((a, b) => a + b, 0),
    60,
  )
  assert.not.equal(nat, natOf(200, 0.3, Rng.from('nat', 2)))
  const all = listOf(make({ kind: 'k-regular', degree: 8 }, 200))
  const kept = listOf(make({ kind: 'k-regular', degree: 8 }, 200, 7, nat))
  assert.equal(
    kept,
    all.map((list, node) => list.filter((other) => !(nat[node] && nat[other]))),
  )
  assert.ok(kept.flat().length < all.flat().length)
})

it('the same seed gives the same links, another one others', () => {
  const specs: TopologySpec[] = [
    { kind: 'k-regular', degree: 4 },
    { kind: 'erdos-renyi', meanDegree: 4 },
    { kind: 'small-world', degree: 4, rewire: 0.2 },
    { kind: 'scale-free', links: 2 },
  ]
  for (const spec of specs) {
    assert.equal(listOf(make(spec, 50, 3)), listOf(make(spec, 50, 3)))
    assert.not.equal(listOf(make(spec, 50, 3)), listOf(make(spec, 50, 4)))
  }
})

it('where everybody is linked, asking for neighbours is our own bug', () => {
  assert.throws(() => make({ kind: 'full' }, 3).neighbours(0), /invariant/)
})

it.run()

/** As `checkSimple`, in time linear in the links. */
function checkSimpleSample(topology: Topology): void {
  const pairs = new Set<number>()
  for (const [node, list] of listOf(topology).entries()) {
    for (const [i, other] of list.entries()) {
      assert.ok(other !== node && (i === 0 || other > (list[i - 1] as number)))
      pairs.add(node * topology.nodes + other)
    }
  }
  for (const pair of pairs) {
    const [a, b] = [Math.floor(pair / topology.nodes), pair % topology.nodes]
    assert.ok(pairs.has(b * topology.nodes + a))
  }
}
