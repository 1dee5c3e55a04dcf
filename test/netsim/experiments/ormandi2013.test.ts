/** Gossip learning: each variant's new model by hand, the loop of Algorithm 1, and the shape of the paper's curves. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { gossipLearning, ormandi2013, type Variant, Walkers } from '../../../netsim/experiments/ormandi2013.ts'
import { alike, combined, type Plain, SOME, stepped, tiny, tinyOptions, Watched } from './plain.ts'

const it = suite('experiment ormandi2013')

const TIMES = { cycleMs: 1_000, delayMs: [1, 100] } as const

const half = (a: Plain, b: Plain): Plain => combined([a, b], [1 / 2, 1 / 2])

/** Algorithm 2. */
const CREATE: Readonly<Record<Variant, (node: number, heard: Plain, before: Plain) => Plain>> = {
  RW: (node, heard) => stepped(node, heard),
  MU: (node, heard, before) => stepped(node, half(heard, before)),
  UM: (node, heard, before) => half(stepped(node, heard), stepped(node, before)),
}

for (const variant of ['RW', 'MU', 'UM'] as const) {
  it(`${variant}: three models heard one after the other give what Algorithm 2 says`, () => {
    const trial = new Watched(variant, tinyOptions())
    const { fleet } = trial
    const walkers = new Walkers(trial, variant)
    const used = fleet.slotsUsed
    let before: Plain = [0, 0, 0]
    for (const heard of SOME) {
      const slot = fleet.take()
      fleet.write(slot, { shared: Float32Array.from(heard.slice(0, 2)), head: Float32Array.from(heard.slice(2)) })
      walkers.hear(2, slot)
      const { shared, head } = fleet.read(walkers.current[2] as number)
      assert.ok(alike([[...shared, ...head]], [CREATE[variant](2, heard, before)]))
      assert.is(walkers.last[2], slot)
      before = heard
    }
    assert.is(fleet.slotsUsed, used, 'two models a node, whatever it has heard')
  })
}

it('a private head is trained by its own node and never walks', () => {
  for (const variant of ['RW', 'MU', 'UM'] as const) {
    const trial = new Watched(variant, tinyOptions({ head: 'private' }))
    const { fleet } = trial
    const walkers = new Walkers(trial, variant)
    const slot = fleet.take()
    fleet.write(slot, { shared: Float32Array.of(0, 0), head: Float32Array.of(5) })
    walkers.hear(1, slot)
    const { head } = fleet.read(walkers.current[1] as number)
    const expected = stepped(1, [0, 0, 0])[2] as number
    assert.ok(Math.abs((head[0] as number) - expected) < 2e-6, `${variant}: ${head[0]}, ${expected} of the own head`)
  }
})

it('every node that is up sends once a cycle, and models of lost messages are let go', async () => {
  const options = tinyOptions({ federation: tiny(9), rounds: 20 })
  for (const [loss, offlineShare] of [
    [0, 0],
    [0.5, 0],
    [0.2, 0.4],
  ] as const) {
    const trial = new Watched('MU', { ...options, loss, offlineShare })
    const { messages } = await gossipLearning(trial, 'MU', TIMES)
    if (offlineShare === 0) assert.is(messages, 9 * 20)
    else assert.ok(messages > 60 && messages < 150, `${messages}`)
    const flying = trial.fleet.slotsUsed - 2 * 9
    assert.ok(flying <= 9, `${flying} models beside those of the nodes: what is still on its way`)
  }
})

it('merging learns much faster than walking, and failures slow both but break neither', async () => {
  const { arms } = await ormandi2013({ rounds: 60 })
  const lossOf = (name: string, round: number): number =>
    arms.find((arm) => arm.name === name)?.curve[round]?.logLossEverywhere as number
  for (const round of [20, 40, 60]) {
    assert.ok(lossOf('MU', round) < lossOf('RW', round) - 0.1, `round ${round}`)
    assert.ok(lossOf('MU', round) < lossOf('MU, all failures', round))
  }
  assert.ok(lossOf('MU, all failures', 60) < lossOf('RW, all failures', 60))
  assert.ok(lossOf('MU, all failures', 60) < lossOf('MU, all failures', 10) - 0.08)
})

it.run()
