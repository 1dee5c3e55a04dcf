/** Model files, for Python's safetensors library to open; and files of that library, for ours. */
import { fileURLToPath } from 'node:url'
import { concat, fromHex, toHex, utf8 } from '../../src/core/bytes.ts'
import { messageOf } from '../../src/core/errors.ts'
import { Rng } from '../../src/core/rng.ts'
import { decodeSafetensors, encodeSafetensors, type FloatTensor } from '../../src/learn/portable/safetensors.ts'
import { judgedBy, type Verdict } from './tool.ts'

/** What the library's own types are called in a file. */
const DTYPES: Readonly<Record<string, string>> = { float32: 'F32', float16: 'F16', int64: 'I64', float64: 'F64' }

/** What the Python side prints last. */
interface Theirs {
  readonly hex: string
  readonly tensors: Readonly<Record<string, readonly [dtype: string, shape: readonly number[], bytes: string]>>
}

/** Agreement is of every byte, and of what is refused: both sides refuse the same spoilt files. */
export async function checkSafetensors(): Promise<Verdict> {
  const given = { files: ourFiles(), refused: spoiltFiles() }
  const cwd = fileURLToPath(new URL('safetensors', import.meta.url))
  const command = process.env.SAFETENSORS_PYTHON ?? 'python3'
  const tool = { command, args: ['check.py'], probe: ['-c', 'import numpy, safetensors'], cwd }
  const wants =
    'the packages safetensors and numpy ("pip install safetensors numpy"), or SAFETENSORS_PYTHON with a Python that has them'
  const verdict = await judgedBy({ ...tool, wants }, given)
  if (verdict.outcome !== 'agrees') return verdict
  const theirs = JSON.parse(verdict.said.split('\n').at(-1) as string) as Theirs
  const faults = [...faultsOf(theirs), ...notRefused(given.refused)]
  if (faults.length > 0) return { outcome: 'differs', said: faults.join('\n') }
  const said = `${given.files.length} files of ours opened, ${Object.keys(theirs.tensors).length} tensors of theirs read, ${Object.keys(given.refused).length} spoilt files refused by both`
  return { outcome: 'agrees', said }
}

function ourFiles() {
  const rng = Rng.from('interop', 'safetensors')
  return [0, 1, 2, 9].map((count) => {
    const tensors = Array.from({ length: count }, (_, i): FloatTensor => {
      const shape = [1 + rng.below(6), 1 + rng.below(5)].slice(0, 1 + (i % 2))
      const size = shape.reduce((product, each) => product * each, 1)
      return {
        name: `dense_${i}/größe "${i}"`,
        shape,
        values: Float32Array.from({ length: size }, () => rng.float() - 0.5),
      }
    })
    const metadata = { digest: 'ab'.repeat(count), notice: 'Research "use";\nß' }
    const bytes = encodeSafetensors(tensors, metadata)
    const listed = tensors.map(({ name, shape, values }) => [name, { shape, values: [...values] }])
    return { hex: toHex(bytes), metadata, tensors: Object.fromEntries(listed) }
  })
}

/** By name, as hex. */
function spoiltFiles(): Record<string, string> {
  const tensor = (shape: string, from: number, to: number): string =>
    `{"dtype":"F32","shape":${shape},"data_offsets":[${from},${to}]}`
  const headers: Record<string, readonly [header: string, dataBytes: number]> = {
    overlap: [`{"a":${tensor('[2]', 0, 8)},"b":${tensor('[2]', 4, 12)}}`, 12],
    gap: [`{"a":${tensor('[2]', 0, 8)},"b":${tensor('[1]', 12, 16)}}`, 16],
    'wrong size': [`{"a":${tensor('[3]', 0, 8)}}`, 8],
    'beyond the end': [`{"a":${tensor('[2]', 0, 8)}}`, 4],
    'bytes behind': [`{"a":${tensor('[2]', 0, 8)}}`, 12],
    'no JSON': ['{"a":', 0],
    'below 0': [`{"a":${tensor('[-2]', 0, 8)}}`, 8],
  }
  return Object.fromEntries(
    Object.entries(headers).map(([name, [header, dataBytes]]) => {
      const length = new Uint8Array(8)
      new DataView(length.buffer).setBigUint64(0, BigInt(utf8(header).length), true)
      return [name, toHex(concat([length, utf8(header), new Uint8Array(dataBytes)]))]
    }),
  )
}

function faultsOf({ hex, tensors }: Theirs): string[] {
  const read = decodeSafetensors(fromHex(hex), 'a file of the Python library')
  const faults: string[] = read.metadata.Größe === 'ß' ? [] : ['metadata of theirs are read otherwise']
  if (read.tensors.size !== Object.keys(tensors).length) faults.push('another number of tensors is read')
  for (const [name, [dtype, shape, bytes]] of Object.entries(tensors)) {
    const found = read.tensors.get(name)
    const same = found?.dtype === DTYPES[dtype] && found?.shape.join() === shape.join() && toHex(found.data) === bytes
    if (!same) faults.push(`tensor ${name} of theirs is read otherwise`)
  }
  return faults
}

function notRefused(spoilt: Record<string, string>): string[] {
  return Object.entries(spoilt).flatMap(([name, hex]) => {
    try {
      decodeSafetensors(fromHex(hex), name)
      return [`${name}: read here`]
    } catch (error) {
      return messageOf(error).startsWith(name) ? [] : [messageOf(error)]
    }
  })
}
