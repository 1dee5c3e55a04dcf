/** What a member may be sent: never more than burst and rate allow, as much as they allow, and nothing of one member's from another's. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { MemberId } from '../../src/core/ids.ts'
import { ByteBudget } from '../../src/net/byteBudget.ts'

const it = suite('byte budget')
const [ADA, BEN] = ['aa', 'bb'].map((id) => id.repeat(32)) as [MemberId, MemberId]

it('a burst goes out at once, what is beyond it at the rate, and a pause fills the bucket again', () => {
  const budget = new ByteBudget(1_000, 4_000)
  assert.is(budget.spend(ADA, 4_000, 0), 0)
  assert.is(budget.spend(ADA, 500, 0), 500)
  assert.is(budget.spend(ADA, 500, 500), 500)
  assert.is(budget.spend(BEN, 4_000, 500), 0, 'another member has its own')
  assert.is(budget.spend(ADA, 4_000, 6_000), 0)
  assert.is(budget.spend(ADA, 1, 6_000), 1)
})

it('whoever waits as told never gets more than burst and rate give, and loses nothing of it', () => {
  const sizes = fc.array(fc.nat({ max: 3_000 }), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 5_000 }), fc.nat({ max: 10_000 }), (frames, perSecond, burst) => {
      const budget = new ByteBudget(perSecond, burst)
      let [now, sent] = [0, 0]
      for (const bytes of frames) {
        assert.ok(sent <= burst + (now / 1_000) * perSecond + 1e-6, 'before each frame')
        now += budget.spend(ADA, bytes, now)
        sent += bytes
      }
      const least = (Math.max(0, sent - burst) / perSecond) * 1_000
      assert.ok(Math.abs(now - least) < 1e-3, `${now} ms, ${least} would do`)
    }),
  )
})

it('who has rested takes no memory', () => {
  const budget = new ByteBudget(1_000, 4_000)
  budget.spend(ADA, 2_000, 0)
  budget.spend(BEN, 100, 0)
  budget.sweep(1_000)
  assert.is(budget.size, 1)
  budget.sweep(2_000)
  assert.is(budget.size, 0)
})

it.run()
