/** The driver: events one at a time and in order, and an end at the first error of our own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Driver } from '../../src/daemon/driver.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Machine } from '../../src/node/machine.ts'

const it = suite('driver')
const stopEvent = (reason: string): NodeEvent => ({ type: 'stop', reason })
const BOOTED = { type: 'booted' } as NodeEvent
const reasonOf = (event: NodeEvent): string => (event.type === 'stop' ? event.reason : event.type)

/** A machine that only notes what it is told. */
function idle(note: (event: NodeEvent, now: number) => void): Machine {
  const step = (event: NodeEvent, now: number): Action[] => {
    note(event, now)
    return []
  }
  return { step } as unknown as Machine
}

it('an event that an action brings waits until the actions before it are carried out', () => {
  const seen: string[] = []
  const machine = {
    step(event: NodeEvent): Action[] {
      const reason = reasonOf(event)
      seen.push(`step ${reason}`)
      return reason === 'one' ? [{ type: 'announce-head' }, { type: 'stopped' }] : []
    },
  } as unknown as Machine
  const carryOut = (action: Action): void => {
    seen.push(action.type)
    if (action.type === 'announce-head') driver.feed(stopEvent('two'))
  }
  const driver = new Driver(machine, carryOut, null, (error) => assert.unreachable(String(error)))
  driver.feed(BOOTED)
  driver.feed(stopEvent('one'))
  assert.equal(seen, ['step booted', 'step one', 'announce-head', 'stopped', 'step two'])
})

it('after an error nothing more is driven, the owner is told once, and the caller is not thrown at', () => {
  const failures: unknown[] = []
  const steps: string[] = []
  const machine = {
    step(event: NodeEvent): Action[] {
      steps.push(reasonOf(event))
      return reasonOf(event) === 'bad' ? [{ type: 'announce-head' }] : []
    },
  } as unknown as Machine
  const carryOut = (): void => {
    driver.feed(stopEvent('queued'))
    throw new Error('a bug')
  }
  const driver = new Driver(machine, carryOut, null, (error) => failures.push(error))
  driver.feed(BOOTED)
  driver.feed(stopEvent('bad'))
  driver.feed(stopEvent('later'))
  assert.equal(steps, ['booted', 'bad'])
  assert.equal(failures.map(String), ['Error: a bug'])
})

it('what the network tells before the machine is booted waits for that', () => {
  const steps: string[] = []
  const machine = idle((event) => steps.push(reasonOf(event)))
  const driver = new Driver(
    machine,
    () => undefined,
    null,
    (error) => assert.unreachable(String(error)),
  )
  driver.feed({ type: 'woken' })
  driver.feed(stopEvent('early'))
  assert.equal(steps, [])
  driver.feed(BOOTED)
  assert.equal(steps, ['booted', 'woken', 'early'])
})

it('a clock that jumped ahead and was put right neither turns time back nor stops it', () => {
  const real = { now: Date.now, performance: performance.now }
  try {
    let [wall, running] = [1_790_000_000_000, 5_000]
    Date.now = () => wall
    performance.now = () => running
    const times: number[] = []
    const machine = idle((_, now) => times.push(now))
    const driver = new Driver(
      machine,
      () => undefined,
      null,
      (error) => assert.unreachable(String(error)),
    )
    const after = (ms: number, jump = 0): void => {
      running += ms
      wall += ms + jump
      driver.feed(times.length === 0 ? BOOTED : { type: 'woken' })
    }
    const year = 31_536_000_000
    after(0)
    after(100.5, year)
    after(100.25, -year)
    for (let i = 0; i < 1_000; i++) after(0.3)
    assert.equal(
      times.slice(0, 3).map((at) => Math.floor(at - 1_790_000_000_000)),
      [0, year + 100, year + 200],
    )
    assert.is(Math.round((times.at(-1) as number) - (times[2] as number)), 300, 'fractions of a millisecond add up')
    after(50, 2 * year)
    assert.ok((times.at(-1) as number) > (times[2] as number) + year - 1_000, 'and the wall clock leads again')
  } finally {
    Date.now = real.now
    performance.now = real.performance
  }
})

it.run()
