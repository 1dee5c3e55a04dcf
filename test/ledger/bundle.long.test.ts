/** Every bit and every byte of a bundle; `bundle.test.ts` tries a sample. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromUtf8, utf8 } from '../../src/core/bytes.ts'
import type { Digest } from '../../src/core/ids.ts'
import { FIVE } from './bundleFaults.ts'
import { codeAt, judge, linesOf, resealed, sampleParts } from './bundleKit.ts'
import { CLINICS, EPOCH_BUNDLES } from './epochFaults.ts'

const it = suite('bundle, every bit')

/** Two logs, a fork and five entries, and one change of members with a head after it: some 6 kB and 2 kB, so that all bits take minutes. */
const BUNDLES: readonly (readonly [string, string, Digest])[] = [
  [
    'the founding',
    linesOf(
      FIVE,
      sampleParts(FIVE).filter((_, i) => [0, 1, 5, 6, 7, 8, 9, 10].includes(i)),
    ).join(''),
    FIVE.digest,
  ],
  ['an epoch', fromUtf8(EPOCH_BUNDLES['a head beyond the pins that are known'] as Uint8Array), CLINICS.digest],
]

for (const [name, text, root] of BUNDLES) {
  const bytes = utf8(text)
  const [heading, end] = [text.indexOf('\n') + 1, text.lastIndexOf('\n', text.length - 2) + 1]

  it(`bundle: under ${name}: no bit can change`, () => {
    assert.is(judge(bytes, root).verdict, 'good')
    let refused = 0
    for (let bit = 0; bit < bytes.length * 8; bit++) if (judge(flipped(bytes, bit), null).verdict === 'wrong') refused++
    assert.is(refused, bytes.length * 8)
  })

  it(`bundle: under ${name}: with a new seal, only what nothing signs can change: the date, the exporter, a filter that still fits`, () => {
    const accepted = new Set<number>()
    for (let bit = 0; bit < end * 8; bit++) {
      const lines = Buffer.from(flipped(bytes, bit))
        .toString('latin1')
        .split(/(?<=\n)/)
      const sealed = new Uint8Array(Buffer.from(resealed(lines).join(''), 'latin1'))
      if (judge(sealed, root).verdict !== 'wrong') accepted.add(bit >> 3)
    }
    const [made, by] = ['"made":"', '"by":"'].map((key) => text.indexOf(key) + key.length) as [number, number]
    for (const at of accepted) {
      assert.ok(at < heading, `byte ${at}`)
      assert.ok((at >= made && at < made + 20) || (at >= by && at < by + 64), `byte ${at}`)
    }
    assert.ok(accepted.size > 64, 'the exporter can be changed')
  })

  it(`bundle: under ${name}: it cannot end anywhere else`, () => {
    for (let length = 0; length < bytes.length; length++)
      assert.match(codeAt(judge(bytes.subarray(0, length), null)), /^bundle-(?:empty|unknown|truncated) /, `${length}`)
  })
}

function flipped(original: Uint8Array, bit: number): Uint8Array {
  const bytes = original.slice()
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return bytes
}

it.run()
