/** An exported model is opened by TensorFlow.js itself, and gives the same logits; its description alone gives the same probabilities. */
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { loadLayersModel } from '@tensorflow/tfjs-layers'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromUtf8 } from '../../src/core/bytes.ts'
import { predict, probability } from '../../src/learn/model.ts'
import { type CategoryInput, finalProbability, type NumberInput } from '../../src/learn/portable/description.ts'
import { modelFiles } from '../../src/learn/portable/modelFiles.ts'
import { table } from './fixtures.ts'
import { COLUMNS, clinicStudy, described, modelFor } from './portableFixtures.ts'

const it = suite('exported models')
const ROWS = table('exported', 50, COLUMNS)

for (const kind of ['{ kind: logistic }', '{ kind: mlp, hidden: [5, 3] }']) {
  it(`${kind}: loadLayersModel opens it, with the same logits`, async () => {
    await tf.setBackend('cpu')
    const study = clinicStudy(kind)
    const { description, weights } = modelFor(study)
    const files = new Map(modelFiles('tfjs', description, weights).map(({ name, bytes }) => [name, bytes]))
    assert.equal([...files.keys()], ['model.json', 'weights.bin', 'consilium.json'])
    const json = JSON.parse(fromUtf8(files.get('model.json') as Uint8Array)) as unknown
    const { modelTopology, weightsManifest } = json as {
      modelTopology: object
      weightsManifest: { weights: never[] }[]
    }
    const weightData = Uint8Array.from(files.get('weights.bin') as Uint8Array).buffer
    const weightSpecs = weightsManifest.flatMap(({ weights }) => weights)
    const model = await loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }))
    const given = (model.predict(tf.tensor2d(ROWS.x, [ROWS.rows, COLUMNS])) as tf.Tensor).dataSync()
    const own = predict(study.model, COLUMNS, weights, ROWS)
    for (let row = 0; row < ROWS.rows; row++) assert.ok(Math.abs((given[row] as number) - (own[row] as number)) < 1e-6)
    model.dispose()
  })
}

it('the JSON file and its description are enough: ten lines give our probabilities from raw values', () => {
  const study = clinicStudy('{ kind: mlp, hidden: [5, 3] }')
  const { weights } = modelFor(study)
  const calibration = { slope: 0.75, intercept: -0.25 }
  const [file] = modelFiles('json', described(study, weights, { calibration }), weights)
  const model = JSON.parse(fromUtf8(file?.bytes as Uint8Array))
  // the example of README.md
  const { features, clipDeviations } = model.inputs
  const rawRow: Record<string, unknown> = { age: 84, 'Größe "tau"': 1_600, sex: 'm' }
  let values: number[] = (features as (NumberInput | CategoryInput)[]).flatMap((feature) => {
    const value = rawRow[feature.name]
    if (feature.kind === 'category') return feature.levels.map((level) => (level === value ? 1 : 0))
    if (value === undefined) return [0]
    return [Math.min(Math.max((Number(value) - feature.mean) / feature.deviation, -clipDeviations), clipDeviations)]
  })
  for (let i = 0; i < model.weights.length; i += 2) {
    const [kernel, bias] = [model.weights[i], model.weights[i + 1]]
    const outputs = kernel.shape[1]
    const last = i + 2 === model.weights.length
    values = bias.values.map((b: number, j: number) => {
      const sum = values.reduce((total, value, k) => total + value * kernel.values[k * outputs + j], b)
      return last ? sum : Math.max(0, sum)
    })
  }
  const z = model.calibration.slope * (values[0] as number) + model.calibration.intercept
  const x = Float32Array.of((84 - 71.5) / 9.25, 8, 0, 1) // 1,600 lies more than 8 deviations out
  const [logit] = predict(study.model, COLUMNS, weights, { rows: 1, columns: COLUMNS, x })
  assert.ok(Math.abs(1 / (1 + Math.exp(-z)) - finalProbability(logit as number, calibration)) < 1e-6)
  assert.is(finalProbability(-1.3, null), probability(-1.3))
  assert.is.not(finalProbability(-1.3, calibration), probability(-1.3))
})

it('a model without its head says so, and has 0 in its place', () => {
  const study = clinicStudy()
  const { weights } = modelFor(study)
  const bare = { shared: weights.shared, head: new Float32Array(1) }
  const [file] = modelFiles('json', described(study, weights, { head: 'none' }), bare)
  const model = JSON.parse(fromUtf8(file?.bytes as Uint8Array))
  assert.is(model.head, 'none')
  assert.equal(model.weights.at(-1), { name: 'dense_1/bias', shape: [1], values: [0] })
})

it.run()
