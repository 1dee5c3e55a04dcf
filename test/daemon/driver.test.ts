/** The driver: events one at a time and in order, and an end at the first error of our own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Driver } from '../../src/daemon/driver.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import type { Machine } from '../../src/node/machine.ts'

const it = suite('driver')
const stopEvent = (reason: string): NodeEvent => ({ type: 'stop', reason })
const reasonOf = (event: NodeEvent): string => (event.type === 'stop' ? event.reason : event.type)

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
  driver.feed(stopEvent('one'))
  assert.equal(seen, ['step one', 'announce-head', 'stopped', 'step two'])
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
  driver.feed(stopEvent('good'))
  driver.feed(stopEvent('bad'))
  driver.feed(stopEvent('later'))
  assert.equal(steps, ['good', 'bad'])
  assert.equal(failures.map(String), ['Error: a bug'])
})

it.run()
