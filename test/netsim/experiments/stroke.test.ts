/** The scenario of the stroke trial: what it asks for is what the baselines train on. The file with the patients is no part of the project. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DATA_SETS } from '../../../netsim/experiments/data.ts'
import { scenarioSchema } from '../../../netsim/scenario/schema.ts'
import { parseYaml } from '../../../src/config/yaml.ts'

const it = suite('stroke scenario')

const PATH = fileURLToPath(new URL('../../../netsim/scenarios/stroke.yaml', import.meta.url))
const TEXT = readFileSync(PATH, 'utf8')
const SCENARIO = parseYaml(TEXT, { kind: 'scenario', fileName: PATH, schema: scenarioSchema })

it('its first line is its question', () => {
  assert.match(TEXT, /^question: .*\?\n/)
})

it('a fifth of the hospitals are off, a tenth of the messages lost, and all are measured at the end', () => {
  const { availability } = SCENARIO.nodes
  assert.is(availability.kind, 'churn')
  if (availability.kind === 'churn')
    assert.is(availability.meanDownSeconds / (availability.meanUpSeconds + availability.meanDownSeconds), 0.2)
  assert.is(SCENARIO.network.loss, 0.1)
  assert.is(SCENARIO.liveness.fromSeconds, SCENARIO.end.seconds)
  assert.is(SCENARIO.report.sampleNodes, SCENARIO.nodes.count)
})

it('gossip and the baselines have the same hospitals and take the same local steps', () => {
  const { data, nodes, training } = DATA_SETS.stroke
  const { file, ...words } = SCENARIO.data as typeof data & { positive: string }
  assert.equal(words, {
    kind: data.kind,
    label: data.label,
    positive: '1',
    drop: data.drop,
    site: data.site,
    rowsMin: data.rowsMin,
    splitColumn: data.splitColumn,
  })
  assert.is(file, `../../${data.file}`, 'from the scenario, and from the project')
  assert.is(SCENARIO.nodes.count, nodes)
  const { batchRows, proximal, momentum, tracking, secondsMax, ...rest } = SCENARIO.study.training
  assert.equal([proximal, momentum, tracking, secondsMax], [0, 0, 0, null], 'nothing steers')
  const { batchRows: all, ...same } = training
  assert.equal(rest, same)
  assert.ok(batchRows > 524 && all > 524, 'more than the largest hospital has: one batch')
})

it.run()
