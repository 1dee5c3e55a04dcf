/** Virtual time: everything planned happens once, in the order of time, then of planning. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Clock, START_MS } from '../../netsim/clock.ts'
import { EventQueue, type Planned } from '../../netsim/queue.ts'

const it = suite('event queue')
const blank = (): Planned => ({ atMs: 0, kind: 0, a: 0, b: 0 })

it('any mixture of pushes and pops gives the order of a sorted list, near and far', () => {
  const delays = fc.oneof(fc.nat(3), fc.nat(70_000), fc.integer({ min: 65_530, max: 65_540 }), fc.nat(3_000_000_000))
  const moves = fc.array(fc.oneof(delays, fc.constant(-1)), { minLength: 1, maxLength: 300 })
  fc.assert(
    fc.property(moves, (list) => {
      const queue = new EventQueue(7)
      const model: { at: number; a: number }[] = []
      let [now, pushed] = [7, 0]
      const event = blank()
      const take = (): void => {
        const first = model.reduce<{ at: number; a: number } | null>(
          (best, one) => (best === null || one.at < best.at || (one.at === best.at && one.a < best.a) ? one : best),
          null,
        )
        assert.is(queue.pop(event), first !== null)
        if (first === null) return
        model.splice(model.indexOf(first), 1)
        assert.equal([event.atMs, event.a, event.b, event.kind], [first.at, first.a, -first.a, first.a % 5])
        now = event.atMs
      }
      for (const move of list) {
        if (move < 0) take()
        else {
          queue.push(now + move, pushed % 5, pushed, -pushed)
          model.push({ at: now + move, a: pushed++ })
        }
        assert.is(queue.size, model.length)
      }
      while (model.length > 0) take()
      assert.is(queue.pop(event), false)
    }),
    { numRuns: 500 },
  )
})

it('nothing beyond the end is taken, and it is still there afterwards', () => {
  const queue = new EventQueue(0)
  queue.push(100, 1, 2, 3)
  const event = blank()
  assert.is(queue.pop(event, 99), false)
  queue.push(50, 4, 5, 6)
  assert.is(queue.pop(event, 99), true)
  assert.equal([event.atMs, event.kind], [50, 4])
  assert.is(queue.pop(event, 100), true)
  assert.equal(event, { atMs: 100, kind: 1, a: 2, b: 3 })
})

it('a million things that come and go do not make the queue grow', () => {
  const queue = new EventQueue(0)
  const event = blank()
  for (let i = 0; i < 1_000; i++) queue.push(i, 0, i, 0)
  for (let i = 0; i < 1_000_000; i++) {
    queue.pop(event)
    queue.push(event.atMs + 1_000, 0, event.a, 0)
  }
  assert.is(queue.size, 1_000)
  assert.is(event.atMs, 999_999)
})

it('time in fractions, or before now, is a mistake', () => {
  const queue = new EventQueue(10)
  assert.throws(() => queue.push(10.5, 0, 0, 0), /whole milliseconds/)
  assert.throws(() => queue.push(9, 0, 0, 0), /goes on/)
})

it('a clock awaits what it runs, stops where it is told, and pauses now and then', async () => {
  const clock = new Clock()
  const seen: string[] = []
  const kind = clock.handler((a, b) => void seen.push(`${a} ${b} ${clock.elapsedMs}`))
  clock.plan(5, kind, 1, 2)
  clock.after(3.2, async () => {
    await Promise.resolve()
    seen.push(`task ${clock.elapsedMs}`)
    clock.plan(-7, kind, 3)
  })
  clock.after(6, () => clock.stop())
  clock.after(7, () => seen.push('never') as never)
  await clock.run(1_000)
  assert.equal(seen, ['task 4', '3 0 4', '1 2 5'])
  assert.is(clock.now, START_MS + 6)

  let [pauses, ticks] = [0, 0]
  const busy = new Clock()
  const tick = busy.handler(() => {
    ticks++
    busy.plan(1, tick, 0)
  })
  busy.plan(0, tick, 0)
  await busy.run(40_000, undefined, async () => void pauses++)
  assert.equal([ticks, pauses], [40_001, 2])
})

it.run()
