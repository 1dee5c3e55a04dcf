/** Every bit and every byte of a bundle; `bundle.test.ts` tries a sample. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { FIVE } from './bundleFaults.ts'
import { codeAt, judge, linesOf, resealed, sampleParts } from './bundleKit.ts'

const it = suite('bundle, every bit')

/** Two logs, a fork and five entries: some 6 kB, so that all bits take minutes. */
const GOOD = linesOf(
  FIVE,
  sampleParts(FIVE).filter((_, i) => [0, 1, 5, 6, 7, 8, 9, 10].includes(i)),
)
const BYTES = utf8(GOOD.join(''))
const SEALED = BYTES.length - (GOOD.at(-1) as string).length
const HEADING = (GOOD[0] as string).length

it('bundle: no bit can change', () => {
  assert.is(judge(BYTES, FIVE.digest).verdict, 'good')
  let refused = 0
  for (let bit = 0; bit < BYTES.length * 8; bit++) if (judge(flipped(bit), null).verdict === 'wrong') refused++
  assert.is(refused, BYTES.length * 8)
})

it('bundle: with a new seal, only what nothing signs can change: the date, the exporter, a filter that still fits', () => {
  const accepted = new Set<number>()
  for (let bit = 0; bit < SEALED * 8; bit++) {
    const lines = Buffer.from(flipped(bit))
      .toString('latin1')
      .split(/(?<=\n)/)
    const bytes = new Uint8Array(Buffer.from(resealed(lines).join(''), 'latin1'))
    if (judge(bytes, FIVE.digest).verdict !== 'wrong') accepted.add(bit >> 3)
  }
  const [made, by] = ['"made":"', '"by":"'].map((key) => (GOOD[0] as string).indexOf(key) + key.length) as [
    number,
    number,
  ]
  for (const at of accepted) {
    assert.ok(at < HEADING, `byte ${at}`)
    assert.ok((at >= made && at < made + 20) || (at >= by && at < by + 64), `byte ${at}`)
  }
  assert.ok(accepted.size > 64, 'the exporter can be changed')
})

it('bundle: it cannot end anywhere else', () => {
  for (let length = 0; length < BYTES.length; length++)
    assert.match(codeAt(judge(BYTES.subarray(0, length), null)), /^bundle-(?:empty|unknown|truncated) /, `${length}`)
})

function flipped(bit: number): Uint8Array {
  const bytes = BYTES.slice()
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return bytes
}

it.run()
