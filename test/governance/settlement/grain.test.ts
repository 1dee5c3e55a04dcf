/** How finely values are told: one patient's part in them is rounded away. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../../src/core/rng.ts'
import { microTold } from '../../../src/governance/settlement/grain.ts'

const it = suite('grain of values')

it('a value is told in steps of a nat of one of the patients, and never finer than 0.0001', () => {
  const rows: readonly (readonly [nats: number, patients: number, lower: number, upper: number])[] = [
    [0.0371, 10, 0, 100_000],
    [0.0371, 30, 33_334, 66_668],
    [0.0371, 250, 36_000, 40_000],
    [0.03714, 20_000, 37_100, 37_200],
    [-0.0371, 250, -40_000, -36_000],
    [7, 30, 1_000_000, 1_000_000],
    [-7, 30, -1_000_000, -1_000_000],
    [0, 30, 0, 0],
  ]
  for (const [nats, patients, lower, upper] of rows) {
    assert.is(microTold(nats, patients, 0), lower, `${nats} of ${patients}`)
    assert.is(microTold(nats, patients, 0.999999), upper, `${nats} of ${patients}`)
  }
  assert.ok(Object.is(microTold(-1e-9, 100, 0.5), 0), 'no −0')
})

it('one patient moves the odds of a step by what it gains or loses, and sums over rounds stay true', () => {
  const rng = Rng.from('grain')
  const [rounds, patients] = [20_000, 40]
  const mean = (nats: number): number => {
    const told = Array.from({ length: rounds }, () => microTold(nats, patients, rng.float()))
    assert.ok(told.every((micro) => micro === 0 || micro === 25_000))
    return told.reduce((sum: number, micro) => sum + micro, 0) / rounds
  }
  const deviation = (25_000 / 2) * rounds ** -0.5
  for (const gained of [4.8, 5, 18]) {
    const expected = (gained / 1_000 / patients) * 1e6 // thousandths of a nat in all
    assert.ok(Math.abs(mean(gained / 1_000 / patients) - expected) < 4 * deviation, `${gained}`)
  }
})

it.run()
