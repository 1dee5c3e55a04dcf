/** Attackers' updates and rows: worked examples. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  alieZ,
  freeRider,
  gaussianNoise,
  innerProduct,
  littleIsEnough,
  modelReplacement,
  momentsOf,
  signFlip,
  staleReplay,
} from '../../../netsim/adversary/attacks.ts'
import { withBackdoor, withFlippedLabels, withTrigger } from '../../../netsim/adversary/poison.ts'
import { Rng } from '../../../src/core/rng.ts'

const it = suite('netsim attacks')

const floats = (...values: number[]): Float32Array => Float32Array.of(...values)

/** Three rows of two columns. */
const rows = () => ({ rows: 3, columns: 2, x: floats(1, 2, 3, 4, -5, 6), y: Uint8Array.of(0, 1, 0) })

it('sign flip: the step goes the other way from the base, and from zero the whole update does', () => {
  assert.equal(signFlip(floats(2, -3, 7), floats(5, -3, 6)), floats(-1, -3, 8))
  assert.equal(signFlip(floats(2, -3), floats(5, -4), 4), floats(-10, 1))
  assert.equal(signFlip(new Float32Array(2), floats(5, -4)), floats(-5, 4))
})

it('gaussian noise has the deviation that was asked for, and not the variance', () => {
  const noise = gaussianNoise(40_000, Rng.from('noise'), 7)
  const mean = noise.reduce((sum, x) => sum + x, 0) / noise.length
  const deviation = Math.sqrt(noise.reduce((sum, x) => sum + (x - mean) ** 2, 0) / noise.length)
  assert.ok(Math.abs(deviation - 7) < 0.1 && Math.abs(mean) < 0.14, `${mean} ${deviation}`)
})

it('moments of three updates: mean and population deviation, each parameter by itself', () => {
  const { mean, deviation } = momentsOf([floats(1, 5), floats(4, 5), floats(7, 5)])
  assert.equal(mean, floats(4, 5))
  assert.equal(deviation, floats(Math.sqrt(6), 0))
  assert.throws(() => momentsOf([]), /invariant/)
  assert.throws(() => momentsOf([floats(1), floats(1, 2)]), /invariant/)
})

it('ALIE: z of the paper’s example, 24 corrupted of 50, is 1.43', () => {
  assert.ok(Math.abs(alieZ(50, 24) - 1.426) < 0.001, `${alieZ(50, 24)}`)
  // 8 of 20: s = 3 of 12 honest, the quantile of 3/4
  assert.ok(Math.abs(alieZ(20, 8) - 0.6744897501960817) < 1e-9)
})

it('ALIE: too few attackers to hide publish the mean, and a majority of them a finite z', () => {
  assert.is(alieZ(10, 1), 0)
  assert.ok(Number.isFinite(alieZ(10, 9)) && Number.isFinite(alieZ(7, 5)))
  assert.throws(() => alieZ(5, 0), /invariant/)
})

it('ALIE: z deviations below the mean, parameter by parameter', () => {
  assert.equal(littleIsEnough({ mean: floats(4, 5, -1), deviation: floats(2, 0, 3) }, 1.5), floats(1, 5, -5.5))
})

it('IPM: −ε times the honest step', () => {
  assert.equal(innerProduct(new Float32Array(2), floats(4, -8), 0.5), floats(-2, 4))
  assert.equal(innerProduct(floats(1, 1), floats(5, -7), 0.5), floats(-1, 5))
})

it('a free rider stays about its base', () => {
  const base = new Float32Array(20_000).fill(3)
  const published = freeRider(base, Rng.from('rider'), 0.2)
  const squares = published.reduce((sum, x) => sum + (x - 3) ** 2, 0) / base.length
  assert.ok(Math.abs(Math.sqrt(squares) - 0.2) < 0.005, `${Math.sqrt(squares)}`)
  assert.ok(base.every((x) => x === 3))
})

it('stale replay: the first update for ever, in a copy of its own', () => {
  const first = floats(1, 2)
  assert.equal(staleReplay(null, first), first)
  const again = staleReplay(first, floats(7, 7))
  assert.equal(again, first)
  again[0] = 9
  assert.is(first[0], 1)
})

it('model replacement: the mean of the boosted update and two that stayed is the attacker’s model', () => {
  const [base, mine] = [floats(2, -1), floats(5, 1)]
  const boosted = modelReplacement(base, mine, 3)
  assert.equal(boosted, floats(11, 5))
  assert.equal(
    boosted.map((x, i) => (x + 2 * (base[i] as number)) / 3),
    mine,
  )
})

it('backdoor: a share of the rows gets the trigger in its first column and its label, the rest stays', () => {
  const honest = { rows: 10, columns: 3, x: new Float32Array(30).fill(2), y: new Uint8Array(10) }
  const poisoned = withBackdoor(honest, Rng.from('backdoor'), { value: 5, label: 1 }, 0.3)
  const hit = [...poisoned.y.keys()].filter((row) => poisoned.y[row] === 1)
  assert.is(hit.length, 3)
  for (let row = 0; row < 10; row++)
    assert.equal([...poisoned.x.subarray(3 * row, 3 * row + 3)], [hit.includes(row) ? 5 : 2, 2, 2])
  assert.ok(honest.x.every((x) => x === 2) && honest.y.every((y) => y === 0), 'the honest rows stay as they are')
})

it('the trigger on all rows is what a backdoor is measured on', () => {
  const { x, y } = withTrigger(rows(), { value: 7, label: 0 })
  assert.equal([x, y], [floats(7, 2, 7, 4, 7, 6), Uint8Array.of(0, 0, 0)])
})

it('label flip turns every label and no number', () => {
  const { x, y } = withFlippedLabels(rows())
  assert.equal([x, y], [rows().x, Uint8Array.of(1, 0, 1)])
})

it.run()
