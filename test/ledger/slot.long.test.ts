/** Decision slots for many minutes: deeper schedules, and more random ones. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Simulation } from './slotKit.ts'
import { afterDecision, Model } from './slotModel.ts'

const it = suite('slot at length')
const SCHEDULES = 100_000
const SEED = process.env.CONSILIUM_SEED ?? String(Math.floor(Math.random() * 1e9)) // other schedules each time

it('slot: every schedule of nine steps', () => {
  const found = new Model(0, 1).explore(9, 3_000_000)
  assert.ok(found.complete && found.depth === 9, JSON.stringify(found))
  assert.equal(found.decided, ['v', 'w'])
})

it('slot: every schedule of eight steps after a decision', () => {
  const found = afterDecision().explore(8, 3_000_000)
  assert.ok(found.complete && found.depth === 8, JSON.stringify(found))
  assert.equal(found.decided, ['w'])
})

it(`slot: ${SCHEDULES} random schedules of 7 voters, 2 of them liars (CONSILIUM_SEED=${SEED})`, () => {
  for (let i = 0; i < SCHEDULES; i++) {
    const labels = i % 4 === 0 ? ['v +7', 'w +7 +8 -2', 'x +7 +8'] : ['v', 'w', 'x']
    const joiners = i % 4 === 0 ? 2 : 0
    new Simulation({ seed: `${SEED} ${i}`, members: 7, joiners, liars: 2, steps: 80 + (i % 5) * 80, labels }).run()
  }
})

it.run()
