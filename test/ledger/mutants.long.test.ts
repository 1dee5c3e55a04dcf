/** LEDGER §6 tests 4 and 6 in full: some minutes. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { acceptedOf, frameOfTwenty, tryEntries } from './mutants.ts'

const it = suite('mutants long')

const SEED = Number(process.env.CONSILIUM_TEST_SEED ?? 62)

it('mutants: of 1,000,000 altered entries none crashes, and what is accepted has one spelling', () => {
  const { entries, values } = tryEntries(1_000_000, SEED)
  assert.ok(entries > 25_000 && values > entries)
})

it('mutants: of a frame of twenty entries, no flipped bit and no truncation is accepted', () => {
  const { tip, frame } = frameOfTwenty()
  const [bits, lengths] = [Array(frame.length * 8).keys(), Array(frame.length).keys()]
  assert.is(acceptedOf(tip, frame, bits, lengths), 0)
})

it.run()
