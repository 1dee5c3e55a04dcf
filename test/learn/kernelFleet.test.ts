/** Fleets: merges to the bit, heads, seeds, shared rows, attackers, memory; and the fleet without models. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { invariant } from '../../src/core/errors.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import type { Fleet } from '../../src/learn/kernels/fleet.ts'
import { type FleetSpec, KernelFleet } from '../../src/learn/kernels/kernelFleet.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { Kernels } from '../../src/learn/kernels/kernels.ts'
import { NullFleet } from '../../src/learn/kernels/nullFleet.ts'
import type { ModelSpec, Weights } from '../../src/learn/learner.ts'
import { weightedMean } from '../../src/learn/merge/mean.ts'
import { initialWeights, parameterCount, predict } from '../../src/learn/model.ts'
import { LOGISTIC, STUDY, someWeights, TRAINING, table } from './fixtures.ts'

const it = suite('kernel fleet')

const MLP: ModelSpec = { kind: 'mlp', hidden: [6, 3] }
const COLUMNS = 5

function spec(overrides: Partial<FleetSpec> = {}): FleetSpec {
  return {
    model: MLP,
    training: { ...TRAINING, optimiser: 'sgd' },
    columns: COLUMNS,
    nodes: 3,
    privateHeads: true,
    rowsOf: (node) => ({
      train: table(`train ${node}`, 20 + node, COLUMNS),
      test: table(`test ${node}`, 9 + node, COLUMNS),
    }),
    ...overrides,
  }
}

function holding(fleet: Fleet, weights: Weights): number {
  const slot = fleet.take()
  fleet.write(slot, weights)
  return slot
}

/** Any float32, tiny ones and −0 too, as bits would have them. */
const anyFloat = fc.float({ noNaN: true, noDefaultInfinity: true })
const anyFactor = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 })
const bitsOf = (values: Float32Array): number[] => [...new Uint32Array(values.buffer, values.byteOffset, values.length)]

it('a merge is weightedMean, bit for bit, whatever the numbers, the coefficients and their count', () => {
  for (const columns of [1, 5, 8, 57]) {
    const rows = table('merge', 4, columns)
    const rowsOf = () => ({ train: rows, test: rows })
    const fleet = KernelFleet.build(spec({ model: LOGISTIC, columns, privateHeads: false, rowsOf }))
    const length = columns + 1
    const models = fc.array(fc.tuple(fc.array(anyFloat, { minLength: length, maxLength: length }), anyFactor), {
      minLength: 1,
      maxLength: 20,
    })
    fc.assert(
      fc.property(models, fc.boolean(), (given, inPlace) => {
        const flat = given.map(([values]) => Float32Array.from(values))
        const slots = flat.map((values) =>
          holding(fleet, { shared: values.subarray(0, columns), head: values.subarray(columns) }),
        )
        const factors = given.map(([, factor]) => factor)
        const into = inPlace ? (slots.at(-1) as number) : fleet.take()
        fleet.merge(into, into, slots, factors, slots.length)
        const { shared, head } = fleet.read(into)
        const merged = Float32Array.from([...shared, ...head])
        assert.equal(bitsOf(merged), bitsOf(weightedMean(flat, factors)))
        for (const slot of new Set([...slots, into])) fleet.release(slot)
      }),
      { numRuns: 60 },
    )
    assert.is(fleet.slotsUsed, 0)
  }
})

it('private heads stay with their node in a merge, even in place; shared ones are merged', () => {
  const [a, b] = [someWeights(MLP, COLUMNS, 'a'), someWeights(MLP, COLUMNS, 'b')]
  for (const privateHeads of [true, false]) {
    const fleet = KernelFleet.build(spec({ privateHeads }))
    const [own, other, into] = [holding(fleet, a), holding(fleet, b), fleet.take()]
    fleet.merge(into, own, [other, own], [0.25, 0.75], 2)
    fleet.merge(own, own, Int32Array.of(other, own, 99), Float64Array.of(0.25, 0.75, 9), 2)
    const expected = privateHeads ? a.head : weightedMean([b.head, a.head], [0.25, 0.75])
    assert.equal(fleet.read(into).head, expected)
    assert.equal(fleet.read(own), fleet.read(into))
    assert.equal(fleet.read(other), b)
  }
})

it('an update whose rows make one batch is that of the learner, and others depend on the seed, both halves of it', async () => {
  const training = { ...TRAINING, batchRows: 64 }
  const fleet = KernelFleet.build(spec({ training }))
  const base = someWeights(MLP, COLUMNS)
  const [slot, into] = [holding(fleet, base), fleet.take()]
  const loss = fleet.train(1, slot, into, 1, 2)
  const learner = new KernelLearner()
  const { train, test } = spec().rowsOf(1)
  await learner.open({ study: STUDY, model: MLP, training, train, test })
  const alone = await learner.train({ study: STUDY, base, optimiser: new Uint8Array(0), seed: 's' })
  const { shared } = fleet.read(into)
  assert.ok(shared.every((value, i) => Math.abs(value - (alone.weights.shared[i] as number)) < 1e-5))
  assert.ok(Math.abs(loss - alone.loss) < 1e-6)
  assert.equal(fleet.read(slot), base, 'the base is not changed')

  const shuffling = KernelFleet.build(spec())
  const start = holding(shuffling, base)
  const digests = new Set<number>()
  for (const [high, low] of [
    [0, 1],
    [1, 0],
    [1, 1],
    [0xffffffff, 0xffffffff],
    [0, 1],
  ] as const) {
    const out = shuffling.take()
    shuffling.train(2, start, out, high, low)
    digests.add(shuffling.digest(out))
  }
  assert.is(digests.size, 4)
})

it('the seed shuffles each epoch into a permutation, each place as likely for each row', () => {
  const rows = 6
  const columns = 6
  const x = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) x[row * columns + row] = 1
  const one = { rows, columns, x, y: new Uint8Array(rows).fill(1) }
  const training = { localEpochs: 1, batchRows: 1, learningRate: 1, l2: 0, optimiser: 'sgd' as const }
  const fleet = KernelFleet.build(
    spec({ model: LOGISTIC, columns, nodes: 1, training, rowsOf: () => ({ train: one, test: one }) }),
  )
  const [base, into] = [fleet.initial(STUDY), fleet.take()]
  const counts = new Float64Array(rows * rows)
  const runs = 6_000
  for (let run = 0; run < runs; run++) {
    fleet.train(0, base, into, 7, run)
    // each step raises the bias, so a row that comes later moves its own weight less
    const { shared } = fleet.read(into)
    const order = [...shared.keys()].sort((a, b) => (shared[b] as number) - (shared[a] as number))
    assert.is(new Set([...shared]).size, rows)
    order.forEach((row, place) => {
      counts[row * rows + place] = (counts[row * rows + place] as number) + 1
    })
  }
  const expected = runs / rows
  const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  assert.ok(chiSquared < 52.6, `χ² ${chiSquared}, 25 degrees of freedom: 0.1 % are above 52.6`)
})

it('logits, test loss and labels are those of the node, by the plain forward pass', () => {
  for (const model of [LOGISTIC, MLP]) {
    const fleet = KernelFleet.build(spec({ model }))
    const weights = someWeights(model, COLUMNS)
    const slot = holding(fleet, weights)
    for (let node = 0; node < fleet.nodes; node++) {
      const { test } = spec().rowsOf(node)
      const out = new Float32Array(12).fill(77)
      const rows = fleet.logits(node, slot, out)
      assert.is(rows, 9 + node)
      assert.is(fleet.testRows(node), rows)
      const plain = predict(model, COLUMNS, weights, test)
      assert.ok(plain.every((value, i) => Math.abs(value - (out[i] as number)) < 1e-6))
      assert.ok(out.subarray(rows).every((value) => value === 77))
      assert.equal(fleet.testLabels(node), test.y)
      assert.ok(Math.abs(fleet.testLoss(node, slot) - evaluate(plain, test.y).logLoss) < 1e-6)
    }
  }
})

it('slots start from the study, copy, and tell each other apart', () => {
  const fleet = KernelFleet.build(spec())
  assert.is(fleet.parameters, parameterCount(MLP, COLUMNS).shared)
  const [a, b] = [fleet.initial(STUDY), fleet.initial(STUDY)]
  assert.equal(fleet.read(a), initialWeights(MLP, COLUMNS, STUDY))
  assert.is(fleet.digest(a), fleet.digest(b))
  assert.is(fleet.squaredDistance(a, b), 0)
  const moved = fleet.read(a)
  moved.shared[7] = (moved.shared[7] as number) + 0.5
  moved.head[0] = 3
  fleet.write(b, moved)
  assert.is.not(fleet.digest(a), fleet.digest(b))
  assert.ok(Math.abs(fleet.squaredDistance(a, b) - 0.25) < 1e-6, 'the head does not count')
  fleet.copy(b, a)
  assert.equal(fleet.read(a), moved)
  assert.ok(fleet.isFinite(a))
  fleet.write(a, { shared: moved.shared, head: Float32Array.of(NaN) })
  assert.not.ok(fleet.isFinite(a))
  assert.is(fleet.digest(a), fleet.digest(b), 'nor in the digest')
})

it('thousands of models, of whatever size, lie apart', () => {
  for (const columns of [1, 5, 700, 20_000]) {
    const rows = table('few', 2, columns)
    const fleet = KernelFleet.build(
      spec({ model: LOGISTIC, columns, nodes: 1, rowsOf: () => ({ train: rows, test: rows }) }),
    )
    const slots = Array.from({ length: columns < 100 ? 5_000 : 200 }, (_, i) => {
      const slot = fleet.take()
      fleet.write(slot, { shared: new Float32Array(columns).fill(i), head: Float32Array.of(-i) })
      return slot
    })
    slots.forEach((slot, i) => {
      const { shared, head } = fleet.read(slot)
      assert.ok(shared.every((value) => value === i) && head[0] === 0 - i)
    })
  }
})

it('nodes may share one block of rows; one who flips labels flips only its own', () => {
  const [train, test] = [table('all', 2_000, COLUMNS), table('held out', 500, COLUMNS)]
  const build = (rowsOf: FleetSpec['rowsOf']) => KernelFleet.build(spec({ nodes: 40, rowsOf }))
  const shared = build(() => ({ train, test }))
  const apart = build(() => ({ train: { ...train }, test: { ...test } }))
  const rowBytes = 32
  assert.is(apart.memoryBytes - shared.memoryBytes, 39 * (2_500 * rowBytes + 2_000 + 512))
  const [base, first, second] = [shared.initial(STUDY), shared.take(), shared.take()]
  shared.flipLabels(3)
  shared.train(3, base, first, 1, 1)
  shared.train(4, base, second, 1, 1)
  const rowsOf = () => ({ train: { ...train, y: train.y.map((label) => 1 - label) }, test })
  const flipped = build(rowsOf)
  const [start, out] = [flipped.initial(STUDY), flipped.take()]
  flipped.train(0, start, out, 1, 1)
  assert.is(shared.digest(first), flipped.digest(out))
  assert.is.not(shared.digest(second), flipped.digest(out))
  assert.equal(shared.testLabels(3), test.y)
  assert.throws(() => shared.flipLabels(3), /flipped already/)
})

it("Adam's state is each node's own, goes on from round to round, and starts again after a lost disk", () => {
  const rows = table('same', 20, COLUMNS)
  const fleet = KernelFleet.build(
    spec({ training: { ...TRAINING, batchRows: 20, optimiser: 'adam' }, rowsOf: () => ({ train: rows, test: rows }) }),
  )
  const base = fleet.initial(STUDY)
  const update = (node: number): number => {
    const into = fleet.take()
    fleet.train(node, base, into, 0, 0)
    return fleet.digest(into)
  }
  const first = update(0)
  const second = update(0)
  assert.is.not(second, first)
  assert.is(update(1), first, 'another node is at its first')
  fleet.resetOptimiser(0)
  assert.is(update(0), first)
  assert.is(update(0), second)
})

it('ten thousand rounds of gossip with loss take no memory beyond the first hundred', () => {
  const fleet = KernelFleet.build(spec({ nodes: 10 }))
  const start = fleet.initial(STUDY)
  const base = Array.from({ length: 10 }, () => fleet.retain(start))
  fleet.release(start)
  const inFlight: number[] = []
  let bytes = 0
  for (let round = 0; round < 10_000; round++) {
    if (round === 100) bytes = fleet.memoryBytes
    const node = round % 10
    const update = fleet.take()
    fleet.train(node, base[node] as number, update, 0, round)
    if (round % 3 !== 0) inFlight.push(fleet.retain(update)) // else lost
    const heard = inFlight.length > 8 ? (inFlight.shift() as number) : null
    if (heard !== null) {
      const merged = fleet.take()
      fleet.merge(merged, update, [update, heard], [0.5, 0.5], 2)
      fleet.release(heard)
      fleet.release(base[node] as number)
      base[node] = merged
    }
    fleet.release(update)
  }
  assert.is(fleet.memoryBytes, bytes)
  assert.is(fleet.slotsUsed, new Set([...base, ...inFlight]).size)
})

it('fleets in one memory do not disturb each other', () => {
  const kernels = new Kernels()
  const together = [KernelFleet.build(spec(), kernels), KernelFleet.build(spec({ model: LOGISTIC }), kernels)]
  const alone = [KernelFleet.build(spec()), KernelFleet.build(spec({ model: LOGISTIC }))]
  const digests = (fleets: KernelFleet[]) => {
    const slots = fleets.map((fleet) => fleet.initial(STUDY))
    for (let round = 0; round < 5; round++)
      fleets.forEach((fleet, i) => {
        fleet.train(round % 3, slots[i] as number, slots[i] as number, 3, round)
      })
    return fleets.map((fleet, i) => fleet.digest(slots[i] as number))
  }
  assert.equal(digests(together), digests(alone))
})

it('wrong rows and weights are our own bugs', () => {
  const wide = table('wide', 9, COLUMNS + 1)
  assert.throws(
    () => KernelFleet.build(spec({ rowsOf: () => ({ train: wide, test: wide }) })),
    /6 columns, 5 were said/,
  )
  const none = { rows: 0, columns: COLUMNS, x: new Float32Array(0), y: new Uint8Array(0) }
  assert.throws(() => KernelFleet.build(spec({ rowsOf: () => ({ train: none, test: none }) })), /no rows/)
  const fleet = KernelFleet.build(spec({ rowsOf: () => ({ train: table('a', 4, COLUMNS), test: none }) }))
  const slot = fleet.initial(STUDY)
  assert.ok(Number.isNaN(fleet.testLoss(0, slot)))
  assert.throws(() => fleet.write(slot, someWeights(LOGISTIC, COLUMNS)), /of another model/)
  assert.throws(() => fleet.merge(slot, slot, [slot], [1], 2), /a merge of 2 models/)
})

it('without models: digests say how a slot came about, for all nodes alike', () => {
  const fleet = new NullFleet(1_000)
  const seen = new Set<number>()
  const fresh = (slot: number) => {
    const found = fleet.digest(slot)
    invariant(Number.isSafeInteger(found) && !seen.has(found), `${found} was seen before`)
    seen.add(found)
  }
  const [a, again, other] = [fleet.initial(STUDY), fleet.initial(STUDY), fleet.take()]
  fresh(a)
  assert.is(fleet.digest(a), fleet.digest(again))
  for (let node = 0; node < 1_000; node++) {
    for (const seed of [0, 1, 0x80000000]) {
      fleet.train(node, a, other, seed, 5)
      fresh(other)
    }
  }
  for (const [from, factors] of [
    [
      [a, other],
      [0.5, 0.5],
    ],
    [
      [other, a],
      [0.5, 0.5],
    ],
    [
      [a, other],
      [0.25, 0.75],
    ],
    [
      [a, other, a],
      [0.25, 0.5, 0.25],
    ],
  ] as const) {
    const [one, two] = [fleet.take(), fleet.take()]
    fleet.merge(one, a, from, factors, from.length)
    fleet.merge(two, other, from, factors, from.length)
    fresh(one)
    assert.is(fleet.digest(one), fleet.digest(two))
  }
  fleet.write(a, fleet.read(a))
  fresh(a)
  fleet.copy(again, other)
  assert.is(fleet.digest(other), fleet.digest(again))
  assert.is(fleet.slotsUsed, 3 + 8)
  assert.is(fleet.memoryBytes, 0)
})

it.run()
