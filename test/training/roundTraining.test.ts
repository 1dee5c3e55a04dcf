/** Rounds in slices: a node that dies in the middle goes on there with the same bytes; one that is slow ends in time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import type { Learner, TrainRequest, TrainResult } from '../../src/learn/learner.ts'
import { type ProgressStore, type RoundAsked, trainRound } from '../../src/training/roundTraining.ts'
import { MLP, opening, STUDY, someWeights } from '../learn/fixtures.ts'

const it = suite('round in slices')

const TRAINING = {
  localEpochs: 120,
  batchRows: 1,
  learningRate: 0.01,
  l2: 0.01,
  optimiser: 'adam',
  secondsMax: null,
} as const
const REQUEST: TrainRequest = {
  study: STUDY,
  base: someWeights(MLP, 5),
  optimiser: new Uint8Array(0),
  seed: 'round 7',
  pull: { anchor: someWeights(MLP, 5).shared, strength: 0.2 },
}
const ASKED: RoundAsked = { request: REQUEST, training: TRAINING, rows: 60, mark: 'round 7 on kernels' } // 7,200 steps: four slices

class Memory implements ProgressStore {
  bytes: Uint8Array | null = null
  saves = 0
  async load() {
    return this.bytes
  }
  async save(_study: unknown, bytes: Uint8Array) {
    this.bytes = bytes
    this.saves++
  }
}

/** Dies after so many slices. */
class Mortal implements Pick<Learner, 'train'> {
  readonly asked: TrainRequest[] = []
  readonly #learner: Learner
  readonly #slices: number
  constructor(learner: Learner, slices: number) {
    this.#learner = learner
    this.#slices = slices
  }
  train(request: TrainRequest): Promise<TrainResult> {
    if (this.asked.length === this.#slices) return Promise.reject(new Error('killed'))
    this.asked.push(request)
    return this.#learner.train(request)
  }
}

/** `msAt`: how long the round has taken at a share of it. */
async function round(progress: ProgressStore, slices = 99, msAt = (share: number) => share * 40_000, asked = ASKED) {
  const learner = new KernelLearner()
  await learner.open(opening({ model: MLP, training: asked.training }))
  const mortal = new Mortal(learner, slices)
  const told: string[] = []
  const tell = (level: string, event: string, facts: object) => {
    if (level === 'info') told.push(`${event} ${JSON.stringify({ ...facts, study: 0 })}`)
  }
  const parts = { learner: mortal as unknown as Learner, progress, stopwatch: () => msAt, tell }
  const result = await trainRound(parts as never, asked).catch((error: Error) => error.message)
  await learner.close()
  return { result, told, asked: mortal.asked }
}

it('interrupted after any slice it goes on there, and ends with the bytes of a round that was not', async () => {
  const through = (await round(new Memory())).result
  assert.ok((through as TrainResult).done)
  for (const slices of [1, 2, 3]) {
    const memory = new Memory()
    assert.is((await round(memory, slices)).result, 'killed')
    assert.is(memory.saves, slices)
    const resumed = await round(memory)
    assert.equal(resumed.told, [`round-resumed {"study":0,"steps":${slices * 2000},"of":7200}`])
    assert.is(resumed.asked.length, 4 - slices, 'nothing is done twice')
    assert.equal(resumed.result, through)
  }
  const twice = new Memory()
  await round(twice, 1)
  await round(twice, 1)
  assert.equal((await round(twice)).result, through, 'killed twice')
})

it('progress of another round, base or learner is not taken up', async () => {
  const memory = new Memory()
  await round(memory, 2)
  const other = await round(memory, 99, undefined, { ...ASKED, mark: 'round 8 on kernels' })
  assert.equal(other.told, [])
  assert.is(other.asked.length, 4)
})

it('progress is written every two seconds at most, and more seldom where writing takes long', async () => {
  const quick = new Memory()
  await round(quick, 99, () => 1_999)
  assert.is(quick.saves, 0, 'a short round leaves no trace')
  let ms = 0
  const slow = new Memory()
  slow.save = async (_, bytes) => {
    slow.bytes = bytes
    slow.saves++
    ms += 1_000 // a second of writing
  }
  await round(slow, 99, () => (ms += 3_000))
  assert.is(slow.saves, 1, 'the next one would come after fifty seconds')
})

it('a round with a time ends after it with what it has, and says so; what was spent before a kill counts', async () => {
  const timed = { ...ASKED, training: { ...TRAINING, secondsMax: 10 } }
  const cut = await round(new Memory(), 99, undefined, timed)
  const { done, place, examples } = cut.result as TrainResult
  assert.equal([done, place.steps, examples], [false, 1_800, 60], 'four sixteenths of forty seconds')
  assert.equal(cut.told, ['round-cut {"study":0,"steps":1800,"of":7200}'])
  const memory = new Memory()
  await round(memory, 2, undefined, timed) // five seconds of it
  const after = await round(memory, 99, undefined, timed)
  assert.equal((after.result as TrainResult).place.steps, 1_800)
  const enough = await round(new Memory(), 99, undefined, { ...timed, training: { ...TRAINING, secondsMax: 41 } })
  assert.ok((enough.result as TrainResult).done)
})

it.run()
