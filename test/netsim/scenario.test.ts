import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { knownPaths, withParameters } from '../../netsim/scenario/parameters.ts'
import { parseScenario, readScenario, scenarioText } from '../../netsim/scenario/read.ts'
import { templateText } from '../../netsim/scenario/template.ts'
import { ConsiliumError } from '../../src/core/errors.ts'

const it = suite('scenario')
const SCENARIOS = fileURLToPath(new URL('../../netsim/scenarios', import.meta.url))

const BASE = `question: Does it hold?
nodes: { count: 7 }
data: { kind: synthetic, features: 3, rows: 40 }
end: { seconds: 30 }
`

const refused = (work: () => unknown): ConsiliumError => {
  try {
    work()
  } catch (error) {
    assert.instance(error, ConsiliumError)
    return error as ConsiliumError
  }
  assert.unreachable('nothing was refused')
  throw new Error()
}

it('a few lines make a scenario, and written out in full it is read as the same', () => {
  const scenario = parseScenario(BASE, 's.yaml')
  assert.is(scenario.gossip.mesh.D, 3)
  assert.equal(parseScenario(scenarioText(scenario), 't.yaml'), scenario)
})

const NETWORK = `${BASE}network: `
const GEO = `${NETWORK}{ topology: { kind: geographic, regions: [{ name: A, share: 0.5 }, { name: B, share: 0.5 }], latencyMs: `
const FAULTS: readonly [claim: string, text: string, ...says: string[]][] = [
  ['a question without its mark', BASE.replace('hold?', 'hold'), 'question', '"?"', 'line 1'],
  ['a question further down', `nodes: { count: 7 }\n${BASE.replace('nodes: { count: 7 }\n', '')}`, 'first line'],
  ['a comment before the question', `# hello\n${BASE}`, 'first line', '# hello'],
  ['an unknown key', `${BASE}gossips: {}\n`, 'gossips', 'did you mean "gossip"?', 'line 5'],
  ['a wrong value', `${BASE}ledger: maybe\n`, 'ledger', '"maybe" was given', 'on or off'],
  ['too many nodes for the ledger', BASE.replace('7', '1001'), 'nodes.count', '1000', 'ledger: off', 'line 2'],
  ['signatures without a ledger', `${BASE}ledger: off\nsignatures: real\n`, 'signatures', 'modelled'],
  [
    'speeds the wrong way round',
    BASE.replace('7', '7, speed: { kind: uniform, trainMs: [90, 20] }'),
    'trainMs',
    '[90,20]',
  ],
  ['latencies the wrong way round', `${NETWORK}{ latencyMs: [60, 5] }`, 'network.latencyMs', 'lowest'],
  ['more links than nodes', `${NETWORK}{ topology: { kind: k-regular, degree: 8 } }`, 'degree', '7'],
  ['an odd degree among odd nodes', `${NETWORK}{ topology: { kind: k-regular, degree: 3 } }`, 'degree', 'even'],
  ['an odd small world', `${NETWORK}{ topology: { kind: small-world, degree: 3, rewire: 0.1 } }`, 'degree', 'even'],
  ['too large a mean degree', `${NETWORK}{ topology: { kind: erdos-renyi, meanDegree: 7 } }`, 'meanDegree'],
  ['too many links of newcomers', `${NETWORK}{ topology: { kind: scale-free, links: 7 } }`, 'links'],
  ['a matrix with too few rows', `${GEO}[[1, 2]] } }`, 'latencyMs', '1 rows', '2 regions'],
  ['a matrix that is not square', `${GEO}[[1, 2], [3]] } }`, 'latencyMs[1]', '1 numbers'],
  ['two regions of one name', `${GEO.replace('B', 'A')}[[1, 2], [3, 4]] } }`, 'regions[1].name', 'twice'],
  ['regions that are no whole', `${GEO.replace('0.5 }]', '0.4 }]')}[[1, 2], [3, 4]] } }`, 'regions', '0.9'],
  [
    'a partition that ends before it begins',
    `${NETWORK}{ partitions: [{ fromSeconds: 9, toSeconds: 9, shares: [0.5, 0.5] }] }`,
    'partitions[0].toSeconds',
    '9',
  ],
  [
    'a partition that is no whole',
    `${NETWORK}{ partitions: [{ fromSeconds: 3, toSeconds: 9, shares: [0.5, 0.4] }] }`,
    'partitions[0].shares',
    '0.9',
  ],
  [
    'two partitions at a time',
    `${NETWORK}{ partitions: [{ fromSeconds: 3, toSeconds: 9, shares: [0.5, 0.5] }, { fromSeconds: 8, toSeconds: 10, shares: [0.5, 0.5] }] }`,
    'partitions[1].fromSeconds',
  ],
  ['Dlo above D', `${BASE}gossip: { mesh: { Dlo: 4 } }`, 'gossip.mesh.Dlo', '3'],
  ['Dhi below D', `${BASE}gossip: { mesh: { Dhi: 2, Dlo: 1 } }`, 'gossip.mesh.Dhi', '3'],
  ['a learner without data', BASE.replace(/data.*/, 'data: { kind: none }'), 'learner.kind', "'null'"],
  ['null without quotes', `${BASE}learner: { kind: null }`, 'learner', "'null' in quotes"],
  [
    'a linear learner of a network',
    `${BASE}learner: { kind: linear }\nstudy: { model: { kind: mlp, hidden: [4] } }`,
    'learner.kind',
    'logistic',
  ],
  [
    'a model file with a ledger',
    `${BASE}learner: { kind: tfjs, model: m.json }`,
    'learner.model',
    '"m.json" was given',
    'ledger: off',
  ],
  [
    'two models',
    `${BASE}ledger: off\nlearner: { kind: tfjs, model: m.json }\nstudy: { model: { kind: mlp, hidden: [4] } }`,
    'study.model',
    'learner.model',
  ],
  [
    'a model file for the kernels',
    `${BASE}learner: { kind: kernels, model: m.json }`,
    'learner',
    'learner.model',
    'unknown',
  ],
  ['a backend that is none', `${BASE}learner: { kind: tfjs, backend: webgl }`, 'learner.backend', 'wasm'],
  [
    'one column twice',
    BASE.replace(/data.*/, 'data: { kind: sites, file: a.csv, label: x, site: x }'),
    'data.label',
    'different',
  ],
  [
    'a label that is dropped',
    BASE.replace(/data.*/, 'data: { kind: table, file: a.csv, label: x, drop: [y, x] }'),
    'data.drop[1]',
    '"x"',
  ],
  ['an adversary that is nobody', `${BASE}adversaries: [{ attack: garbage }]`, 'adversaries[0]', 'neither'],
  [
    'an adversary told twice',
    `${BASE}adversaries: [{ attack: garbage, share: 0.1, nodes: [3] }]`,
    'adversaries[0]',
    'both',
  ],
  [
    'an adversary that is not there',
    `${BASE}adversaries: [{ attack: garbage, nodes: [3, 7] }]`,
    'adversaries[0].nodes[1]',
    '0 to 6',
  ],
  ['a strength that has no meaning', `${BASE}adversaries: [{ attack: garbage, share: 0.1, strength: 3 }]`, 'strength'],
  [
    'finality without a ledger',
    `${BASE}ledger: off\nliveness: { fromSeconds: 3, finalSeconds: 2 }`,
    'finalSeconds',
    'nothing is final',
  ],
  ['liveness while faults go on', `${BASE}liveness: { convergeSeconds: 2 }`, 'convergeSeconds', 'liveness.fromSeconds'],
  [
    'labels turned without data',
    `${BASE.replace(/data.*/, "data: { kind: none }\nlearner: { kind: 'null' }")}adversaries: [{ attack: label-flip, share: 0.1 }]`,
    'attack',
    'no data',
  ],
  ['a crash of nobody', `${BASE}crashes: [{ node: 7, atSeconds: 3, downSeconds: 4 }]`, 'crashes[0].node', '0 to 6'],
  ['finality without a ledger', `${BASE}ledger: off\nliveness: { finalSeconds: 9 }`, 'liveness.finalSeconds'],
  [
    'own statistics where training is private',
    `${BASE}study: { privacy: { noiseMultiplier: 8, epsilonMax: 6 }, local: { normalisation: own } }`,
    'study.local.normalisation',
    'private study',
  ],
  ['too many samples', `${BASE}report: { everySeconds: 0.001 }`, 'report.everySeconds', '20000'],
]
for (const [claim, text, ...says] of FAULTS) {
  it(`refused in one line: ${claim}`, () => {
    const { message } = refused(() => parseScenario(text, 'dir/s.yaml'))
    assert.ok(message.startsWith('dir/s.yaml: ') && !message.includes('\n'), message)
    for (const word of says) assert.ok(message.includes(word), `"${message}" does not say ${word}`)
  })
}

it('parameters are set by path, in sections that are there and in those that are not', () => {
  const scenario = parseScenario(BASE, 's.yaml', {
    'gossip.fanout': 3,
    'network.topology': { kind: 'ring' },
    'nodes.count': 9,
  })
  assert.is(scenario.gossip.fanout, 3)
  assert.is(scenario.network.topology.kind, 'ring')
  assert.is(scenario.nodes.count, 9)
  assert.is(scenario.gossip.mesh.heartbeatMs, 1000)
  const list = withParameters(parse(`${BASE}adversaries: [{ attack: garbage, share: 0.1 }]`), {
    'adversaries.0.share': 0.3,
  })
  assert.is((list as { adversaries: { share: number }[] }).adversaries[0]?.share, 0.3)
})

const PATHS: readonly [path: string, ...says: string[]][] = [
  ['gossip.fanuot', '"fanuot"', 'mode, fanout', 'did you mean "fanout"?'],
  ['fanout', 'did you mean "gossip.fanout"?'],
  ['gossip.fanout.x', '"gossip.fanout" has no parts'],
  ['adversaries.2.share', 'a list of 0'],
  ['', '"" is unknown'],
]
for (const [path, ...says] of PATHS) {
  it(`an unknown path is refused: "${path}"`, () => {
    const base = `${BASE}adversaries: []\n`
    const { message } = refused(() => parseScenario(base, 's.yaml', { [path]: 3 }))
    for (const word of says) assert.ok(message.includes(word), `"${message}" does not say ${word}`)
  })
}

it('what is set is checked as what is written is, and named', () => {
  const { message } = refused(() => parseScenario(BASE, 's.yaml', { 'gossip.mesh.Dlo': 9 }))
  assert.match(message, /s\.yaml with gossip\.mesh\.Dlo=9: gossip\.mesh\.Dlo: 9 was given/)
})

it('the scenario that "new" writes is a scenario, and explains every key', () => {
  parseScenario(templateText, 'new.yaml')
  const said = new Set(templateText.match(/[A-Za-z][A-Za-z0-9]*(?=:(?:\s|$))/gm))
  const missing = knownPaths().filter((path) => !said.has(path.split('.').findLast((word) => word !== '0') as string))
  assert.equal(missing, [])
})

/** Keys, and commented-out keys with the deeper comment lines below them. */
const CHOICES = /^( *)(?:# (\w+):.*(?:\n\1# {2,}.*)*|(\w+):.*)/gm

it('what the scenario that "new" writes shows as other choices are valid choices', () => {
  const paths = new Set(knownPaths())
  let section = ''
  let tried = 0
  for (const [block, margin = '', shown, plain] of templateText.matchAll(CHOICES)) {
    const key = shown ?? plain ?? ''
    if (margin === '' && !block.startsWith('#')) section = key
    const path = margin === '' ? key : `${section}.${key}`
    if (!block.trimStart().startsWith('#') || !paths.has(path)) continue
    const value = (parse(block.replaceAll(/^ *# /gm, '')) as Record<string, unknown>)[key]
    const isNone = JSON.stringify(value) === '{"kind":"none"}'
    parseScenario(templateText, path, { [path]: value, ...(isNone ? { learner: { kind: 'null' } } : {}) })
    tried++
  }
  assert.is(tried, 29)
})

it('each scenario that comes along is valid, and answers a question in its first line', async () => {
  const names = await readdir(SCENARIOS)
  assert.ok(names.length >= 8)
  for (const name of names) {
    const { question, end } = await readScenario(join(SCENARIOS, name))
    assert.match(question, /\?$/)
    assert.ok(end.seconds <= 600, `${name} is to take seconds`)
  }
})

it('an empty or broken file is told as such, with parameters too', () => {
  assert.match(refused(() => parseScenario('', 's.yaml', { 'gossip.fanout': 3 })).message, /s\.yaml: the file is empty/)
  assert.match(
    refused(() => parseScenario('a: [', 's.yaml', { 'gossip.fanout': 3 })).message,
    /s\.yaml: line 1: not valid YAML/,
  )
})

it('a file that is not there is said to be so', async () => {
  const error = await readScenario('/nowhere/s.yaml').then(
    () => null,
    (found: unknown) => found as ConsiliumError,
  )
  assert.is(error?.code, 'scenario-missing')
})

it.run()
