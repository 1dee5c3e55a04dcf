/** What the swarm, or anybody, found broken once: every file of netsim/regressions is run with the seed in its name, and must hold. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseScenario } from '../../netsim/scenario/read.ts'
import { regressionText, swarmText, trialOf } from '../../netsim/swarm/trial.ts'

const it = suite('netsim regressions')
const FOLDER = fileURLToPath(new URL('../../netsim/regressions/', import.meta.url))

for (const file of readdirSync(FOLDER).sort()) {
  it(`${file} holds`, async () => {
    const seed = Number(/(\d+)\.yaml$/.exec(file)?.[1])
    assert.ok(Number.isSafeInteger(seed), 'the name of a regression ends in its seed')
    const { failure, events } = await trialOf(readFileSync(`${FOLDER}${file}`, 'utf8'), seed, file, FOLDER)
    assert.is(failure, null)
    assert.ok(events > 0)
  })
}

it('what the swarm draws is a sound scenario, for whatever seed', () => {
  for (let seed = 0; seed < 500; seed++) parseScenario(swarmText(seed), `swarm-${seed}`)
  assert.is.not(swarmText(1), swarmText(2))
})

it('a failure becomes a file that gives the same scenario, and says what broke and how to run it', () => {
  const text = regressionText(7, 'it\nbroke')
  assert.equal(parseScenario(text, 'x'), parseScenario(swarmText(7), 'x'))
  assert.match(text, /^question: .*\n# It broke once: it broke\n# consilium-netsim run .*swarm-7\.yaml --seed 7\n/)
})

it('a scenario that does not hold is told, with its event and node', async () => {
  const text = [
    'question: Is it told who hears nobody?',
    'nodes: { count: 9 }',
    'network: { topology: { kind: erdos-renyi, meanDegree: 0.1 } }',
    'data: { kind: none }',
    "learner: { kind: 'null' }",
    'ledger: off',
    'liveness: { fromSeconds: 5, convergeSeconds: 5 }',
    'end: { seconds: 30 }',
  ].join('\n')
  const { failure } = await trialOf(text, 3, 'alone', FOLDER)
  assert.match(failure ?? '', /^once faults stop, .*: event \d+, 10 s, node \d: /)
})

it.run()
