/** safetensors: bytes that never change, and what the reader refuses of a stranger's file. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { concat, fromUtf8, utf8 } from '../../src/core/bytes.ts'
import { weightsDigest } from '../../src/core/digest.ts'
import { ConsiliumError } from '../../src/core/errors.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { modelFiles, readModelFile } from '../../src/learn/portable/modelFiles.ts'
import { decodeSafetensors, encodeSafetensors, floatsOf } from '../../src/learn/portable/safetensors.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { golden } from '../ledger/goldenFile.ts'
import { clinicStudy, described, modelFor } from './portableFixtures.ts'

const it = suite('safetensors')
const TENSORS = [
  { name: 'dense_1/kernel', shape: [3, 2], values: Float32Array.of(1.5, -2, 0.25, 1e-8, 3, -0.125) },
  { name: 'dense_1/bias', shape: [2], values: Float32Array.of(-7, 0.1) },
]

/** A file with this header, as given, and so many bytes of numbers. */
function fileOf(header: string | Uint8Array, dataBytes: number, length?: number): Uint8Array {
  const head = typeof header === 'string' ? utf8(header) : header
  const size = new Uint8Array(8)
  new DataView(size.buffer).setBigUint64(0, BigInt(length ?? head.length), true)
  return concat([size, head, new Uint8Array(dataBytes).fill(1)])
}
const tensor = (dtype: string, shape: unknown, offsets: unknown): string =>
  `{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":${JSON.stringify(offsets)}}`
const F8 = tensor('F32', [2], [0, 8])

function faultOf(bytes: Uint8Array): string {
  try {
    decodeSafetensors(bytes, 'given.safetensors')
  } catch (error) {
    assert.instance(error, ConsiliumError)
    assert.is((error as ConsiliumError).code, 'safetensors-malformed')
    assert.not.match((error as ConsiliumError).message, /\n/)
    return (error as ConsiliumError).message
  }
  return 'none'
}

it('the golden file is what is written today, and its numbers begin at a multiple of 8', () => {
  const made = encodeSafetensors(TENSORS, { study: 'abc', digest: '12' })
  const kept = golden('safetensors-v1.safetensors', made)
  assert.equal(made, kept)
  assert.is(new DataView(kept.buffer).getUint32(0, true) % 8, 0)
  const { metadata, tensors } = decodeSafetensors(kept, 'golden')
  assert.equal(metadata, { digest: '12', study: 'abc' })
  assert.equal([...tensors.keys()], ['dense_1/kernel', 'dense_1/bias'])
  assert.equal(floatsOf({ metadata, tensors }, 'dense_1/kernel', [3, 2], 'golden'), TENSORS[0]?.values)
})

it('the golden file of a model is what is written today: another language may open what this one wrote', () => {
  const study = clinicStudy('{ kind: mlp, hidden: [3] }')
  const { weights } = modelFor(study)
  const description = described(study, weights, { id: digestOf('study') as string as StudyId }) // studies get new keys, and new digests
  const [file] = modelFiles('safetensors', description, weights)
  assert.ok(file)
  assert.equal(file.bytes, golden('model-v1.safetensors', file.bytes))
})

it('an output bias that is merged lies last of the shared weights: the file has it in its place, and the digest covers it', () => {
  const study = clinicStudy('{ kind: mlp, hidden: [3] }')
  const { shared, head } = modelFor(study).weights
  const merged = { shared: Float32Array.of(...shared, head[0] as number), head: new Float32Array(0) }
  const [file] = modelFiles('safetensors', described(study, merged, { head: 'shared' }), merged)
  const read = readModelFile(file?.bytes as Uint8Array, 'merged.safetensors')
  assert.equal(read.weights, merged)
  assert.is(read.digest, weightsDigest(merged.shared))
  const [json] = modelFiles('json', described(study, merged, { head: 'shared' }), merged)
  const { weights } = JSON.parse(fromUtf8(json?.bytes as Uint8Array))
  assert.equal(weights.at(-1), { name: 'dense_2/bias', shape: [1], values: [head[0]] })
})

const FAULTS: readonly (readonly [what: string, bytes: Uint8Array, says: RegExp])[] = [
  ['no length', new Uint8Array(7), /7 bytes, at least 8/],
  ['a header longer than the file', fileOf('{}', 0, 3), /a header of 3 bytes, but 2 follow/],
  ['a header above the format’s limit', fileOf('{}', 0, 100_000_001), /at most 100000000 are allowed/],
  ['a length beyond 2^53', concat([new Uint8Array(8).fill(0xff), utf8('{}')]), /at most 100000000/],
  ['an empty header', fileOf('', 0), /does not begin with "\{"/],
  ['spaces first', fileOf(' {}', 0), /does not begin with "\{"/],
  ['text that is no JSON', fileOf('{"a":}', 0), /not JSON/],
  ['an overlong encoding', fileOf(concat([utf8('{"'), Uint8Array.of(0xc0, 0xaf), utf8('":1}')]), 0), /not UTF-8/],
  ['a name twice', fileOf(`{"a":${F8},"a":${F8}}`, 8), /has "a" twice/],
  ['a name twice, written differently', fileOf(`{"a":${F8},"\\u0061":${F8}}`, 8), /has "a" twice/],
  ['a field twice', fileOf('{"a":{"dtype":"F32","dtype":"F64","shape":[2],"data_offsets":[0,8]}}', 8), /"dtype" twice/],
  ['a field too few', fileOf('{"a":{"dtype":"F32","shape":[2]}}', 8), /dtype, shape and data_offsets/],
  ['a field too many', fileOf(`{"a":${F8.replace('}', ',"x":1}')}}`, 8), /nothing else/],
  ['a tensor that is a list', fileOf('{"a":[1]}', 8), /dtype, shape and data_offsets/],
  ['a type of no meaning', fileOf(`{"a":${tensor('F31', [2], [0, 8])}}`, 8), /not known: "F31"/],
  ['a type that objects have', fileOf(`{"a":${tensor('constructor', [2], [0, 8])}}`, 8), /not known/],
  ['a shape below 0', fileOf(`{"a":${tensor('F32', [-2], [0, 8])}}`, 8), /no shape/],
  ['a shape of halves', fileOf(`{"a":${tensor('F32', [1.5], [0, 8])}}`, 8), /no shape/],
  ['seventeen dimensions', fileOf(`{"a":${tensor('F32', new Array(17).fill(1), [0, 4])}}`, 4), /no shape/],
  ['a size beyond all numbers', fileOf(`{"a":${tensor('F32', [2 ** 40, 2 ** 40], [0, 8])}}`, 8), /takes Infinity/],
  ['one offset', fileOf(`{"a":${tensor('F32', [2], [0])}}`, 8), /no two offsets/],
  ['offsets turned round', fileOf(`{"a":${tensor('F32', [2], [8, 0])}}`, 8), /lies from 8 to 0/],
  ['offsets beyond the end', fileOf(`{"a":${tensor('F32', [2], [0, 8])}}`, 7), /the file has 7 bytes/],
  ['a wrong size', fileOf(`{"a":${tensor('F32', [3], [0, 8])}}`, 8), /has 8 bytes, F32 \[3\] takes 12/],
  ['overlapping tensors', fileOf(`{"a":${F8},"b":${tensor('F32', [2], [4, 12])}}`, 12), /"b" begins at 4, inside/],
  ['two at one place', fileOf(`{"a":${F8},"b":${F8}}`, 8), /"b" begins at 0, inside/],
  ['a gap', fileOf(`{"a":${F8},"b":${tensor('F32', [1], [12, 16])}}`, 16), /bytes 8 to 12 belong to no tensor/],
  ['bytes behind', fileOf(`{"a":${F8}}`, 9), /bytes 8 to 9 belong to no tensor/],
  ['metadata that are no texts', fileOf('{"__metadata__":{"a":1}}', 0), /__metadata__ is not an object of strings/],
  ['metadata that are a list', fileOf('{"__metadata__":["a"]}', 0), /__metadata__ is not/],
]
for (const [what, bytes, says] of FAULTS) {
  it(`refused: ${what}`, () => assert.match(faultOf(bytes), says))
}

it('what other libraries write is read: spaces behind and inside the header, tensors of any type, empty ones', () => {
  const header = `{ "b" : ${tensor('BF16', [2, 1], [0, 4])}, "e":${tensor('I64', [0, 3], [4, 4])},"s":${tensor('U8', [], [4, 5])}}   `
  const { tensors } = decodeSafetensors(fileOf(header, 5), 'theirs')
  assert.equal(
    [...tensors].map(([name, { dtype, data }]) => [name, dtype, data.length]),
    [
      ['b', 'BF16', 4],
      ['e', 'I64', 0],
      ['s', 'U8', 1],
    ],
  )
})

it('whatever is written is read back as it was, and no spoilt byte of a header crashes the reader', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map((text) => `t ${text}`)
  const tensors = fc.uniqueArray(
    fc.record({ name, rows: fc.nat(3), values: fc.float32Array({ minLength: 4, maxLength: 4, noNaN: true }) }),
    { selector: (each) => each.name, maxLength: 4 },
  )
  fc.assert(
    fc.property(tensors, fc.nat(), fc.nat(255), (given, at, byte) => {
      const list = given.map(({ name, rows, values }) => {
        return { name, shape: [rows, 1], values: values.slice(0, rows) }
      })
      const bytes = encodeSafetensors(list, { 'a "key"': 'ß\u0000' })
      const read = decodeSafetensors(bytes, 'ours')
      for (const { name, shape, values } of list) assert.equal(floatsOf(read, name, shape, 'ours'), values)
      assert.equal(read.metadata, { 'a "key"': 'ß\u0000' })
      const spoilt = bytes.slice()
      spoilt[at % bytes.length] = byte
      faultOf(spoilt) // refused in one line, or read as another file
    }),
    { numRuns: 300 },
  )
})

it('a model comes back with its head and its digest; a changed number changes the digest', () => {
  for (const model of ['{ kind: logistic }', '{ kind: mlp, hidden: [5, 3] }']) {
    const { description, weights } = modelFor(clinicStudy(model))
    const [file] = modelFiles('safetensors', description, weights)
    assert.ok(file)
    const read = readModelFile(file.bytes, 'ours')
    assert.equal(read.description, description)
    assert.equal([read.weights, read.digest], [weights, description.model.digest])
    const spoilt = file.bytes.slice()
    spoilt[spoilt.length - 9] = 0x41
    assert.is.not(readModelFile(spoilt, 'spoilt').digest, description.model.digest)
  }
})

it('a description that asks for more memory than the file has bytes is refused', () => {
  const { description, weights } = modelFor(clinicStudy())
  const wide = { ...description, inputs: { ...description.inputs, columns: 2 ** 40 } }
  const file = encodeSafetensors([{ name: 'dense_1/kernel', shape: [4, 1], values: weights.shared }], {
    description: JSON.stringify(wide),
  })
  assert.throws(() => readModelFile(file, 'x'), /model with 1099511627776 shared parameters/)
})

it('a file without our description is told as one', () => {
  assert.throws(
    () => readModelFile(encodeSafetensors(TENSORS, {}), 'x.safetensors'),
    /^.*x\.safetensors: it holds no description/,
  )
})

it.run()
