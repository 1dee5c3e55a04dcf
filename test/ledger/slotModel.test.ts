/** Every schedule of a decision slot to a depth that takes some seconds; `slot.long.test.ts` goes deeper. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { afterDecision, Model } from './slotModel.ts'

const it = suite('slot model')

it('slot: three honest voters and a liar never decide two values: every schedule of five steps, each of up to four messages', () => {
  const found = new Model(0, 1).explore(5, 100_000)
  assert.ok(found.complete && found.depth === 5, JSON.stringify(found))
  assert.ok(found.states > 3_000, 'the model has not shrunk to nothing')
  assert.equal(found.decided, ['v', 'w'], 'either can win')
})

it('slot: what one voter has decided stays, whatever a liar proposes next: every schedule of five steps from there', () => {
  const found = afterDecision().explore(5, 100_000)
  assert.ok(found.complete && found.depth === 5, JSON.stringify(found))
  assert.ok(found.states > 2_000, JSON.stringify(found))
  assert.equal(found.decided, ['w'])
})

it.run()
