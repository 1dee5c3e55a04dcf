/** Ten thousand orders in which logs of a trial arrive. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rng } from '../../../src/core/rng.ts'
import { trialsHash } from '../../../src/governance/trials/state.ts'
import { ALL, busy, cutAt, shuffled, WEST } from './kit.ts'

const it = suite('trials, long')

it('ten thousand orders give one state, by all that is known and by what is final', () => {
  const story = busy()
  const rng = Rng.from('trials, long')
  const states = new Set<string>()
  for (let i = 0; i < 10_000; i++) {
    const book = story.book(shuffled(story.entries, rng))
    states.add(`${trialsHash(book, ALL)} ${trialsHash(book, cutAt({ [WEST]: 4 }))}`)
  }
  assert.is(states.size, 1)
})

it.run()
