/** Speed and availability: distributions, schedules, and traces from files. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type AvailabilitySpec, availabilityOf } from '../../../netsim/world/availability.ts'
import { speedsOf } from '../../../netsim/world/speed.ts'
import type { Availability } from '../../../netsim/world/world.ts'
import { Rng } from '../../../src/core/rng.ts'
import { KOLMOGOROV_MAX, kolmogorov, near } from './distributions.ts'

const it = suite('netsim speed and availability')

const HOUR = 3_600_000

function make(spec: AvailabilitySpec, nodes: number, text = ''): Availability {
  const files = { folder: '/', readFile: () => new TextEncoder().encode(text) }
  return availabilityOf(spec, nodes, Rng.from('availability', 7), files)
}

/** The schedule of a node up to a time: the first state, then the times of changes. */
function scheduleOf(availability: Availability, node: number, untilMs: number): [boolean, ...number[]] {
  const times: number[] = []
  let up = availability.initially(node)
  for (let at: number | null = 0; at !== null && at <= untilMs; ) {
    at = availability.nextChangeMs(node, at, up)
    if (at !== null && at <= untilMs) times.push(at)
    up = !up
  }
  return [availability.initially(node), ...times]
}

it('fixed speed is the same always, uniform draws each update anew, both ends included', () => {
  const rng = Rng.from('updates')
  assert.is(speedsOf({ kind: 'fixed', trainMs: 70 }, 3, rng).trainMs(2, rng), 70)
  const speeds = speedsOf({ kind: 'uniform', trainMs: [20, 26] }, 3, rng)
  const drawn = new Set(Array.from({ length: 500 }, () => speeds.trainMs(1, rng)))
  assert.equal(
    [...drawn].sort((a, b) => a - b),
    [20, 21, 22, 23, 24, 25, 26],
  )
})

it('log-normal speed is one time for each node, half of them below the median, with its sigma', () => {
  const speeds = speedsOf({ kind: 'log-normal', medianMs: 70_000, sigma: 0.5 }, 10_001, Rng.from('speeds', 7))
  const times = Array.from({ length: 10_001 }, (_, node) => speeds.trainMs(node, Rng.from('unused')))
  assert.is(speeds.trainMs(3, Rng.from('other')), times[3])
  const sorted = times.toSorted((a, b) => a - b)
  assert.ok(Math.abs((sorted[5_000] as number) / 70_000 - 1) < 0.03, `${sorted[5_000]}`)
  assert.ok(Math.abs((sorted[8_413] as number) / (sorted[5_000] as number) - Math.exp(0.5)) < 0.05)
  assert.ok(times.every(Number.isInteger))
  assert.is(speedsOf({ kind: 'log-normal', medianMs: 1, sigma: 3 }, 1, Rng.from(1)).trainMs(0, Rng.from(1)) >= 1, true)
})

it('always up never changes', () => {
  const availability = make({ kind: 'always' }, 3)
  assert.equal([availability.initially(2), availability.nextChangeMs(2, 7, true)], [true, null])
})

it('churn: as many nodes are up at any time as the means say, from the start', () => {
  const availability = make({ kind: 'churn', meanUpSeconds: 700, meanDownSeconds: 300 }, 20_000)
  for (const atMs of [0, 1_000, 500_000, 5_000_000]) {
    let up = 0
    for (let node = 0; node < 20_000; node++) {
      const [first, ...times] = scheduleOf(make1(node), node, atMs)
      if ((times.length % 2 === 0) === first) up++
    }
    assert.ok(near(up / 20_000, 0.7, Math.sqrt(0.21), 20_000), `${atMs}: ${up}`)
  }
  function make1(_node: number): Availability {
    return availability
  }
})

it('churn: times up and times down are exponential with their own means', () => {
  const availability = make({ kind: 'churn', meanUpSeconds: 700, meanDownSeconds: 30 }, 300)
  const lasted = { up: [] as number[], down: [] as number[] }
  for (let node = 0; node < 300; node++) {
    const [first, ...times] = scheduleOf(availability, node, 30_000_000)
    for (let i = 1; i < times.length; i++) {
      const wasUp = (i % 2 === 0) === first
      lasted[wasUp ? 'up' : 'down'].push((times[i] as number) - (times[i - 1] as number))
    }
  }
  assert.ok(lasted.up.length > 10_000)
  assert.ok(kolmogorov(lasted.up, (ms) => 1 - Math.exp(-ms / 700_000)) < KOLMOGOROV_MAX)
  assert.ok(kolmogorov(lasted.down, (ms) => 1 - Math.exp(-ms / 30_000)) < KOLMOGOROV_MAX)
})

it('churn: a schedule is whole milliseconds, the same for each who asks, and twice the same', () => {
  const spec = { kind: 'churn', meanUpSeconds: 7, meanDownSeconds: 3 } as const
  const [one, two] = [make(spec, 5), make(spec, 5)]
  scheduleOf(one, 4, 100_000) // another node's schedule is its own
  assert.equal(scheduleOf(one, 2, 100_000), scheduleOf(two, 2, 100_000))
  const next = two.nextChangeMs(3, 0, two.initially(3))
  assert.ok(Number.isInteger(next))
  assert.is(two.nextChangeMs(3, 0, two.initially(3)), next)
  const after = two.nextChangeMs(3, 0, !two.initially(3)) as number
  assert.ok(after > (next as number), 'who takes it for the other state is told when that one ends')
  assert.is(two.nextChangeMs(3, 0, two.initially(3)), next)
})

it('diurnal: up for its share of every period, begun within a 24th of it', () => {
  const availability = make({ kind: 'diurnal', periodHours: 24, upShare: 0.25, zones: 1 }, 200)
  for (let node = 0; node < 200; node++) {
    const [first, ...times] = scheduleOf(availability, node, 96 * HOUR)
    const begun = times.filter((_, i) => (i % 2 === 0) !== first)
    for (const [i, at] of begun.entries()) assert.is(at, (begun[0] as number) + i * 24 * HOUR)
    assert.ok((begun[0] as number) % (24 * HOUR) < HOUR)
    const ended = times.filter((at) => !begun.includes(at) && at > (begun[0] as number))
    assert.is((ended[0] as number) - (begun[0] as number), 6 * HOUR)
  }
})

it('diurnal: zones lie evenly around the period and are all used', () => {
  const availability = make({ kind: 'diurnal', periodHours: 24, upShare: 0.5, zones: 3 }, 3_000)
  const zones = [0, 0, 0]
  for (let node = 0; node < 3_000; node++) {
    const [first, ...times] = scheduleOf(availability, node, 48 * HOUR)
    const begins = (times[first ? 1 : 0] as number) % (24 * HOUR)
    const zone = Math.floor(begins / (8 * HOUR))
    zones[zone] = (zones[zone] as number) + 1
    assert.ok(begins - zone * 8 * HOUR < HOUR, `${begins}`)
  }
  assert.ok(
    zones.every((count) => Math.abs(count - 1_000) < 105),
    `${zones}`,
  )
})

it('diurnal: asked within a state, whatever the time, it says when that state ends', () => {
  const availability = make({ kind: 'diurnal', periodHours: 1, upShare: 0.3, zones: 2 }, 50)
  for (let node = 0; node < 50; node++) {
    const [first, ...times] = scheduleOf(availability, node, 5 * HOUR)
    for (const [i, at] of times.slice(1).entries()) {
      const before = times[i] as number
      const up = (i % 2 === 0) !== first
      assert.is(availability.nextChangeMs(node, (before + at) / 2, up), at)
    }
  }
  assert.is(make({ kind: 'diurnal', periodHours: 24, upShare: 1, zones: 3 }, 7).nextChangeMs(5, 9, true), null)
})

it('trace: nodes are up when their lines say so, in any order, and those without a line never', () => {
  const text = 'node,upSeconds,downSeconds\n# a week\n2,10.5,20\n0,0,3\r\n2,30,40\n\n0,3,7\n'
  const availability = make({ kind: 'trace', file: 'trace.csv' }, 4, text)
  assert.equal(scheduleOf(availability, 2, 1e9), [false, 10_500, 20_000, 30_000, 40_000])
  assert.equal(scheduleOf(availability, 0, 1e9), [true, 7_000], 'times that touch are one')
  assert.equal(scheduleOf(availability, 1, 1e9), [false])
  assert.equal(scheduleOf(availability, 3, 1e9), [false])
  assert.equal(
    [availability.nextChangeMs(2, 20_000, false), availability.nextChangeMs(2, 19_999, true)],
    [30_000, 20_000],
  )
})

const HEADER = 'node,upSeconds,downSeconds\n'
const BAD_TRACES: readonly [text: string, message: RegExp][] = [
  ['0,1,2\n', /^trace.csv: line 1: "0,1,2" was given, the header node,upSeconds,downSeconds is expected/],
  [`${HEADER}0,1\n`, /line 2: "0,1" was given, three numbers/],
  [`${HEADER}0,1,x\n`, /line 2: "0,1,x" was given/],
  [`${HEADER}0,1,3\n4,1,3\n`, /line 3: node 4 was given, 0 to 3 is allowed/],
  [`${HEADER}0,7,7\n`, /line 2: up at 7 and down at 7 was given, down must come later/],
  [`${HEADER}0,7,99999999\n`, /line 2: up at 7/],
  [`${HEADER}0,5,9\n1,5,9\n0,2,6\n`, /line 4: it overlaps line 2: node 0 is up already/],
  [HEADER, /no interval was found/],
]
for (const [text, message] of BAD_TRACES) {
  it(`trace: ${JSON.stringify(text.slice(-20))} is refused with its line`, () => {
    assert.throws(() => make({ kind: 'trace', file: 'trace.csv' }, 4, text), message)
  })
}

it.run()
