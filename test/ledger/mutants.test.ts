/** A sample of what mutants.long.test.ts goes through. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../src/core/rng.ts'
import { acceptedOf, frameOfTwenty, tryEntries } from './mutants.ts'

const it = suite('mutants')

const SEED = Number(process.env.CONSILIUM_TEST_SEED ?? 61)

it('mutants: of 20,000 altered entries none crashes, and what is accepted has one spelling', () => {
  const { entries, values } = tryEntries(20_000, SEED)
  assert.ok(entries > 500 && values > entries, `only ${entries} and ${values} accepted: the test looks at little`)
})

it('mutants: of a frame of twenty entries, none of 2,000 flipped bits and 200 truncations is accepted', () => {
  const { tip, frame } = frameOfTwenty()
  const rng = Rng.from('frame mutants', SEED)
  const below = (n: number, count: number) => Array.from({ length: count }, () => rng.below(n))
  assert.is(acceptedOf(tip, frame, [], [frame.length]), 1, 'unaltered')
  const told = `CONSILIUM_TEST_SEED=${SEED}`
  assert.is(acceptedOf(tip, frame, below(frame.length * 8, 2_000), below(frame.length, 200)), 0, told)
})

it.run()
