/** A layers model from a file: what is allowed, and its initial weights. */
import { messageOf } from '../../core/errors.ts'
import type { Digest } from '../../core/ids.ts'
import { Rng } from '../../core/rng.ts'
import { learnerError } from '../checks.ts'
import type { Engine, Layer, LayersModel, WeightSpecs } from '../tfjsEngine.ts'
import { type Network, networkOf, readNetwork } from './network.ts'

/** A `model.json` of TensorFlow.js's layers, as its `save` or its converter writes it. */
export interface ModelFile {
  readonly kind: 'file'
  /** For messages. */
  readonly name: string
  readonly json: Uint8Array
  /** The bytes of a file that its weights manifest names. */
  readonly weights: (path: string) => Uint8Array
}

/** A network, and the weights that all nodes start from. */
export interface Loaded {
  readonly network: Network
  /** As the seed gives them, in the order of the network's parameters. */
  readonly initial: (seedDigest: Digest) => Float32Array
}

interface Config {
  [key: string]: unknown
}

interface Stored {
  readonly weightSpecs: WeightSpecs
  readonly weightData: ArrayBuffer
}

const CHANCE: readonly unknown[] = ['Dropout', 'SpatialDropout1D', 'GaussianDropout', 'GaussianNoise', 'AlphaDropout']
const OUTPUTS: readonly unknown[] = ['linear', 'sigmoid']
const SEEDS = 2 ** 31 // seeds of initialisers: integers from 0

/**
 * Allowed is one input of `columns` numbers in any shape, and as output a dense layer of one unit, linear or sigmoid (the logit is taken before
 * it), or an activation layer, linear or sigmoid, on a linear one. Refused are layers that draw chance (dropout), that remember (batch
 * normalisation, stateful recurrence) or do not train, and penalties and constraints of their own, for the study says those. Weights come from the
 * manifest if there is one, else from the model's initialisers, which the digest seeds where the file does not. Error: `learner-model`, one line.
 */
export async function loadModelFile(engine: Engine, file: ModelFile, columns: number): Promise<Loaded> {
  const json = parsed(file)
  const stored = storedWeights(file, json)
  const given = await deserialised(engine, file, json, stored)
  try {
    const fault = inputFault(given, columns) ?? outputFault(given) ?? layersFault(given)
    if (fault !== null) throw refused(file, fault)
    const made = (config: Config): Network => {
      const model = instance(engine, given.getClassName(), config)
      return networkOf(model, logitLayer(model))
    }
    const config = withoutSigmoid(given)
    const weights = stored === null ? null : readNetwork(networkOf(given, logitLayer(given)))
    return {
      network: made(config),
      initial: (digest) => weights ?? drawn(made(seeded(config, Rng.fromDigest(digest)) as Config)),
    }
  } finally {
    given.dispose()
  }
}

const refused = ({ name }: ModelFile, why: string) => learnerError('learner-model', `${name}: ${why}`)
const isObject = (value: unknown): value is Config =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function drawn(network: Network): Float32Array {
  const flat = readNetwork(network)
  network.model.dispose()
  return flat
}

function parsed(file: ModelFile): Config {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(file.json))
  } catch {
    throw refused(file, 'it is no JSON: the model.json of a layers model is allowed')
  }
  if (isObject(json) && json.format === 'graph-model')
    throw refused(file, 'a graph model was given, a layers model is allowed: convert it to tfjs_layers_model')
  if (isObject(json) && 'class_name' in json) return { modelTopology: json }
  if (isObject(json) && isObject(json.modelTopology)) return json
  throw refused(file, 'there is no modelTopology in it: the model.json of a layers model is allowed')
}

/** What the manifest names, one group after the other; null without a manifest. */
function storedWeights(file: ModelFile, { weightsManifest }: Config): Stored | null {
  if (weightsManifest === undefined || weightsManifest === null) return null
  const groups: unknown[] = Array.isArray(weightsManifest) ? weightsManifest : [weightsManifest]
  const specs: unknown[] = []
  const parts: Uint8Array[] = []
  for (const group of groups) {
    if (!isObject(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights))
      throw refused(file, 'a group of its weightsManifest is not {paths: […], weights: […]}')
    specs.push(...group.weights)
    for (const path of group.paths) parts.push(file.weights(String(path)))
  }
  if (specs.length === 0) return null
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return { weightSpecs: specs as WeightSpecs, weightData: whole.buffer }
}

async function deserialised(
  engine: Engine,
  file: ModelFile,
  json: Config,
  stored: Stored | null,
): Promise<LayersModel> {
  const modelTopology = json.modelTopology as object
  try {
    return await engine.layers.loadLayersModel({ load: async () => ({ modelTopology, ...stored }) })
  } catch (error) {
    throw refused(file, `TensorFlow.js cannot make it: ${messageOf(error).split('\n')[0]}`)
  }
}

function inputFault({ inputs }: LayersModel, columns: number): string | null {
  const shape = inputs[0]?.shape.slice(1) ?? []
  if (inputs.length !== 1) return `it has ${inputs.length} inputs, one is allowed`
  const numbers = shape.reduce<number>((product, length) => product * (length ?? Number.NaN), 1)
  if (numbers === columns) return null
  const given = shape.map((length) => length ?? 'any').join(' × ')
  return `its input is ${given}, rows of ${columns} columns are given: their product has to be the same`
}

function outputFault(model: LayersModel): string | null {
  const { outputs } = model
  const shape = outputs[0]?.shape.slice(1) ?? []
  if (outputs.length !== 1 || shape.length !== 1 || shape[0] !== 1)
    return `its output is ${outputs.map((each) => each.shape.slice(1).join(' × ')).join(' and ')}, one number is allowed`
  const last = outputs[0]?.sourceLayer as Layer
  const { activation } = last.getConfig()
  const dense = logitLayer(model)
  const linear = last === dense || dense.getConfig().activation === 'linear'
  if (dense.getClassName() === 'Dense' && OUTPUTS.includes(activation) && linear) return null
  return `its last layer is "${last.name}" (${[last.getClassName(), activation].join(' ').trim()}): a dense layer of one unit, linear or sigmoid, is allowed`
}

/** The layer of the output, or the one before it where that is an activation alone. */
function logitLayer({ outputs }: LayersModel): Layer {
  const last = outputs[0]?.sourceLayer as Layer
  return last.getClassName() === 'Activation' ? (last.inboundNodes[0]?.inboundLayers[0] as Layer) : last
}

function layersFault(model: LayersModel): string | null {
  for (const layer of model.layers) {
    const name = `layer "${layer.name}" (${layer.getClassName()})`
    const fault = configFault({ className: layer.getClassName(), config: layer.getConfig() })
    if (fault !== null) return `${name} ${fault}`
    if (layer.nonTrainableWeights.length > 0) return `${name} has weights that training does not change: leave it out`
  }
  return model.trainableWeights.length === 0 ? 'there is nothing to train in it' : null
}

/** What is wrong with a layer, or with one within it. */
function configFault(config: unknown): string | null {
  if (typeof config !== 'object' || config === null) return null
  for (const [key, value] of Object.entries(config)) {
    if (key === 'className' && CHANCE.includes(value)) return 'draws chance that no seed reaches: leave it out'
    if (/dropout$/i.test(key) && Number(value) > 0) return `has ${key}, which no seed reaches: set it to 0`
    if (key === 'stateful' && value === true) return 'is stateful, and rows know nothing of each other: say false'
    if (/(?:Regularizer|Constraint)$/.test(key) && value !== null && value !== undefined)
      return `has a ${key}: leave it out, study.training.l2 is the penalty`
    const within = configFault(value)
    if (within !== null) return within
  }
  return null
}

/** The layers as they are, the last one linear. */
function withoutSigmoid(model: LayersModel): Config {
  const config = structuredClone(model.getConfig()) as unknown as { layers: { config: Config }[] } & Config
  const name = model.outputs[0]?.sourceLayer.name
  for (const { config: layer } of config.layers) if (layer.name === name) layer.activation = 'linear'
  return config
}

/** A copy in which every initialiser that draws has a seed of its own. */
function seeded(value: unknown, rng: Rng): unknown {
  if (Array.isArray(value)) return value.map((each) => seeded(each, rng))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      const unseeded = key === 'seed' && (each === undefined || each === null)
      return [key, unseeded ? rng.below(SEEDS) : seeded(each, rng)]
    }),
  )
}

function instance({ tf }: Engine, className: string, config: Config): LayersModel {
  const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className] as NonNullable<
    ReturnType<typeof tf.serialization.SerializationMap.getMap>['classNameMap'][string]
  >
  return fromConfig(cls, structuredClone(config) as Parameters<typeof fromConfig>[1]) as LayersModel
}
