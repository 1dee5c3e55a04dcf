/** The whole world: made of independent streams, and of the same bytes everywhere. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as v from 'valibot'
import { type ScenarioInput, scenarioSchema } from '../../../netsim/scenario/schema.ts'
import { makeWorld, type World } from '../../../netsim/world/make.ts'
import { toHex, utf8 } from '../../../src/core/bytes.ts'
import { Sha256 } from '../../../src/core/digest.ts'
import { Rng } from '../../../src/core/rng.ts'

const it = suite('netsim world')

const NODES = 60

function make(network: ScenarioInput['network'], seed = 7): Promise<World> {
  const input: ScenarioInput = {
    question: 'Is it the same everywhere?',
    nodes: {
      count: NODES,
      speed: { kind: 'log-normal', medianMs: 70, sigma: 0.5 },
      availability: { kind: 'churn', meanUpSeconds: 70, meanDownSeconds: 30 },
    },
    network,
    data: { kind: 'synthetic', features: 3, rows: 9, split: { kind: 'dirichlet', alpha: 0.5 } },
    end: { seconds: 7 },
  }
  const files = { folder: '/', readFile: () => new Uint8Array() }
  return makeWorld(v.parse(scenarioSchema, input), seed, files)
}

/** What each part says, as text. */
function partsOf({ topology, nat, availability, speeds, rows }: World): string[] {
  const nodes = Array.from({ length: NODES }, (_, node) => node)
  return [
    JSON.stringify(nodes.map((node) => [...topology.neighbours(node)])),
    JSON.stringify(nat === null ? null : [...nat]),
    JSON.stringify(nodes.map((node) => [availability.initially(node), availability.nextChangeMs(node, 0, true)])),
    JSON.stringify(nodes.map((node) => speeds.trainMs(node, Rng.from('unused')))),
    rows?.deal.digest ?? '',
  ]
}

const hashOf = (parts: readonly string[]): string => {
  const hash = new Sha256()
  for (const part of parts) hash.update(utf8(`${part}\n`))
  return toHex(hash.digest())
}

it('the same scenario and seed give the same world, another seed another one in every part', async () => {
  const network: ScenarioInput['network'] = { topology: { kind: 'k-regular', degree: 6 }, natShare: 0.2 }
  const [one, again, other] = [await make(network), await make(network), await make(network, 8)].map(partsOf)
  assert.equal(one, again)
  for (const [i, part] of (one ?? []).entries()) assert.not.equal(part, other?.[i], `part ${i}`)
})

it('another topology leaves all other parts as they are', async () => {
  const one = partsOf(await make({ topology: { kind: 'k-regular', degree: 6 } }))
  const other = partsOf(await make({ topology: { kind: 'scale-free', links: 3 } }))
  assert.not.equal(one[0], other[0])
  assert.equal(one.slice(1), other.slice(1))
})

for (const [topology, golden] of [
  [{ kind: 'k-regular', degree: 6 }, 'fae466c6c57d8b30e163e4f358b04675a4a9a0df8f4e2c0b5d54eb2eb5da7771'],
  [{ kind: 'erdos-renyi', meanDegree: 5 }, '65c9717e6b7b964a9dc7bd0b96cf42622e614ed3fac9282618fb1a7a24d28bea'],
  [{ kind: 'small-world', degree: 4, rewire: 0.3 }, '03344fb40eb0b96caaff641be2af5d11b12dd12ce2319608f3be0a6a21da4ef8'],
  [{ kind: 'scale-free', links: 3 }, '1e6f183b49aafd9e0ed05a01973e81137ff2f282ce849a02ec3a6aa46ed48028'],
] as const) {
  it(`the bytes of a ${topology.kind} world are frozen: published results are made of them`, async () => {
    assert.is(hashOf(partsOf(await make({ topology, natShare: 0.2 }))), golden)
  })
}

it.run()
