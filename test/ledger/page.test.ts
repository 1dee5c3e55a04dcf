/** The page scripts/verifier/verify_bundle.html: its script runs here as it does in a browser, and must say what ours says. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { utf8 } from '../../src/core/bytes.ts'
import { Rng } from '../../src/core/rng.ts'
import { FAULTS, FIVE, forkOfTwoSizes, GOOD } from './bundleFaults.ts'
import { judge, linesOf, resealed, sampleParts } from './bundleKit.ts'
import { CLINICS, EPOCH_BUNDLES, EPOCHS_GOOD } from './epochFaults.ts'

const it = suite('page')

const PAGE = readFileSync(new URL('../../scripts/verifier/verify_bundle.html', import.meta.url), 'utf8')
const SCRIPT = /<script id="verifier">([\s\S]*?)<\/script>/.exec(PAGE)?.[1] as string
const FLIPS = 200

const verifyBundle = new Function(`${SCRIPT}; return verifyBundle`)() as (
  bytes: Uint8Array,
  root: string | null,
) => Promise<object>

/** The same verdict, whatever the words. */
function bare(verdict: object): unknown {
  const { fault, ...rest } = structuredClone(verdict) as { fault?: { message?: string } }
  return { ...rest, fault: fault && { ...fault, message: undefined } }
}

async function assertAgrees(bytes: Uint8Array, given: string | null, name: string): Promise<void> {
  const root = given?.replaceAll(' ', '') ?? null
  assert.equal(bare(await verifyBundle(bytes, root)), bare(judge(bytes, root)), name)
}

it('page: it agrees on what is good, down to the last count', async () => {
  for (const root of [null, FIVE.digest]) await assertAgrees(utf8(GOOD.join('')), root, 'good')
  const several = linesOf(FIVE, sampleParts(FIVE), { kind: 'consent.recorded,round' })
  await assertAgrees(utf8(several.join('')), FIVE.digest, 'several kinds')
  await assertAgrees(forkOfTwoSizes(), FIVE.digest, 'evidence of two sizes')
  for (const [name, bytes] of Object.entries(EPOCH_BUNDLES)) await assertAgrees(bytes, CLINICS.digest, name)
})

it('page: it names the same first wrong thing, at the same line, for every row of the fault table', async () => {
  for (const { name, bytes, root } of FAULTS) await assertAgrees(bytes, root, name)
})

it('page: it agrees on flipped bits, sealed anew or not', async () => {
  const rng = Rng.from('page', 'flips')
  for (let i = 0; i < FLIPS; i++) {
    const [lines, root] = i % 4 < 2 ? [GOOD, FIVE.digest] : [EPOCHS_GOOD, CLINICS.digest]
    const bytes = utf8(lines.join(''))
    const at = rng.below(bytes.length)
    bytes[at] = (bytes[at] as number) ^ (1 << rng.below(7))
    const text = Buffer.from(bytes).toString('latin1')
    await assertAgrees(i % 2 === 0 ? bytes : utf8(resealed(text.split(/(?<=\n)/)).join('')), root, `byte ${at}`)
  }
})

it('page: it asks nothing of a network, and loads nothing', () => {
  assert.match(PAGE, /default-src 'none'/)
  assert.not.match(PAGE, /https?:|fetch\(|XMLHttpRequest|import\(|src=|href=/)
})

it.run()
