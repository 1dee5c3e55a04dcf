/** A model as files that other programs open: TensorFlow.js layers, safetensors, or JSON. */
import { utf8 } from '../../core/bytes.ts'
import { floatBytes, weightsDigest } from '../../core/digest.ts'
import { ConsiliumError } from '../../core/errors.ts'
import type { Digest } from '../../core/ids.ts'
import type { ModelSpec, Weights } from '../learner.ts'
import { layout, parameterCount } from '../model.ts'
import { type ModelDescription, parseDescription } from './description.ts'
import { decodeSafetensors, encodeSafetensors, type FloatTensor, floatsOf } from './safetensors.ts'

export const MODEL_FORMATS = ['tfjs', 'safetensors', 'json'] as const
export type ModelFormat = (typeof MODEL_FORMATS)[number]

/** A file to be written; `name` is empty where the export is one file. */
export interface ModelFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Weights whose head is 0 where it is not to leave the hospital. */
export function modelFiles(format: ModelFormat, description: ModelDescription, weights: Weights): readonly ModelFile[] {
  const tensors = tensorsOf(specOf(description), description.inputs.columns, weights)
  if (format === 'tfjs') return tfjsFiles(description, tensors)
  if (format === 'safetensors') return [{ name: '', bytes: encodeSafetensors(tensors, metadataOf(description)) }]
  const layers = tensors.map(({ name, shape, values }) => ({ name, shape, values: [...values] }))
  return [{ name: '', bytes: jsonBytes({ ...description, weights: layers }) }]
}

/** A safetensors file of ours, and the digest of the shared weights that are really in it. Errors: `safetensors-malformed`, `model-file-foreign`. */
export function readModelFile(
  bytes: Uint8Array,
  name: string,
): { readonly description: ModelDescription; readonly weights: Weights; readonly digest: Digest } {
  const file = decodeSafetensors(bytes, name)
  const description = parseDescription(file.metadata.description, name)
  const spec = specOf(description)
  const { columns } = description.inputs
  const shared = new Float32Array(sharedOf(spec, columns, bytes.length, name))
  const head = new Float32Array(parameterCount(spec, columns).head)
  for (const { tensor, shape, at } of placesOf(spec, columns)) {
    const values = floatsOf(file, tensor, shape, name)
    if (at === null) head.set(values)
    else shared.set(values, at)
  }
  return { description, weights: { shared, head }, digest: weightsDigest(shared) }
}

/** The parameters of a description; no more than the file has bytes, so that a lie takes no memory. */
function sharedOf(spec: ModelSpec, columns: number, bytes: number, name: string): number {
  const { shared } = parameterCount(spec, columns)
  if (shared * Float32Array.BYTES_PER_ELEMENT <= bytes) return shared
  throw new ConsiliumError({
    code: 'model-file-foreign',
    message: `${name}: its description is of a model with ${shared} shared parameters, which ${bytes} bytes cannot hold`,
  })
}

function specOf({ model, head }: ModelDescription): ModelSpec {
  const bias = head === 'shared' ? ({ head: 'none' } as const) : {}
  return model.kind === 'mlp' ? { kind: 'mlp', hidden: model.hidden, ...bias } : { kind: 'logistic', ...bias }
}

interface Place {
  readonly tensor: string
  readonly shape: readonly number[]
  /** In `shared`; null for the head. */
  readonly at: number | null
}

/** `dense_1/kernel` [inputs, outputs], `dense_1/bias` [outputs], and so on: the names that tfjs and Keras give them. */
function placesOf(spec: ModelSpec, columns: number): Place[] {
  const outputBiasAt = spec.head === 'none' ? parameterCount(spec, columns).shared - 1 : null
  return layout(spec, columns).flatMap(({ inputs, outputs, kernelAt, biasAt }, i) => [
    { tensor: `dense_${i + 1}/kernel`, shape: [inputs, outputs], at: kernelAt },
    { tensor: `dense_${i + 1}/bias`, shape: [outputs], at: biasAt ?? outputBiasAt },
  ])
}

function tensorsOf(spec: ModelSpec, columns: number, { shared, head }: Weights): FloatTensor[] {
  return placesOf(spec, columns).map(({ tensor, shape, at }) => {
    const size = shape.reduce((product, each) => product * each, 1)
    return { name: tensor, shape, values: at === null ? head : shared.subarray(at, at + size) }
  })
}

/** Flat, for tools that show a file's metadata, and whole, for those that compute with it. */
function metadataOf(description: ModelDescription): Record<string, string> {
  const { study, model, head, inputs, notice } = description
  return {
    format: 'pt', // what other libraries' loaders ask for: row-major, little-endian
    study: study.id,
    studyName: study.name,
    digest: model.digest,
    rounds: String(model.rounds),
    head,
    features: JSON.stringify(inputs.features.map(({ name }) => name)),
    notice,
    description: JSON.stringify(description),
  }
}

function tfjsFiles(description: ModelDescription, tensors: readonly FloatTensor[]): ModelFile[] {
  const { hidden } = description.model
  const layers = [...hidden, 1].map((units, i) => ({
    class_name: 'Dense',
    config: {
      name: `dense_${i + 1}`,
      trainable: true,
      ...(i === 0 ? { batch_input_shape: [null, description.inputs.columns] } : {}),
      dtype: 'float32',
      units,
      activation: i < hidden.length ? 'relu' : 'linear',
      use_bias: true,
    },
  }))
  const model = {
    format: 'layers-model',
    generatedBy: 'Consilium',
    convertedBy: null,
    modelTopology: {
      class_name: 'Sequential',
      config: { name: 'consilium', layers },
      keras_version: 'tfjs-layers 4.22.0',
    },
    weightsManifest: [
      { paths: ['weights.bin'], weights: tensors.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) },
    ],
    userDefinedMetadata: description,
  }
  const bytes = new Uint8Array(tensors.reduce((sum, { values }) => sum + values.byteLength, 0))
  let at = 0
  for (const { values } of tensors) {
    bytes.set(floatBytes(values), at)
    at += values.byteLength
  }
  return [
    { name: 'model.json', bytes: jsonBytes(model) },
    { name: 'weights.bin', bytes },
    { name: 'consilium.json', bytes: jsonBytes(description) },
  ]
}

function jsonBytes(value: unknown): Uint8Array {
  return utf8(`${JSON.stringify(value, null, 1)}\n`)
}
