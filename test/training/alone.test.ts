/** The model trained without the others: cut as the shared one's rounds are, and taken up again after a kill. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import type { Learner, TrainRequest } from '../../src/learn/learner.ts'
import { trainAlone } from '../../src/training/alone.ts'
import { NO_PROGRESS, type ProgressStore } from '../../src/training/roundTraining.ts'
import { opening, STUDY } from '../learn/fixtures.ts'
import { studyOf } from '../node/clinics.ts'

const it = suite('trained alone')
const EPOCHS = 240
const ROUND_STEPS = EPOCHS * 60

class Memory implements ProgressStore {
  bytes: Uint8Array | null = null
  async load() {
    return this.bytes
  }
  async save(_study: unknown, bytes: Uint8Array) {
    this.bytes = bytes
  }
}
const memories = () => ({ rounds: new Memory(), within: new Memory() })

/** Three rounds of forty seconds, of batches of one row; the learner dies when it is asked for the slice after the first `slices`. */
async function trained(alone = memories(), slices = 99, secondsMax: number | null = null) {
  const made = studyOf()
  const study = { ...made, training: { ...made.training, localEpochs: EPOCHS, batchRows: 1, secondsMax } }
  const learner = new KernelLearner()
  const { train, test } = opening()
  await learner.open({ study: STUDY, model: study.model, training: study.training, train, test, validation: test })
  const asked: TrainRequest[] = []
  const mortal = {
    logits: learner.logits.bind(learner),
    train: (request: TrainRequest) => {
      if (asked.length === slices) return Promise.reject(new Error('killed'))
      asked.push(request)
      return learner.train(request)
    },
  } as unknown as Learner
  const told: string[] = []
  const tell = (level: string, event: string) => level === 'info' && told.push(event)
  const stopwatch = () => (share: number) => share * 40_000
  const parts = { learner: mortal, progress: NO_PROGRESS, alone, stopwatch, tell: tell as never }
  const given = {
    rows: train.rows,
    columns: train.columns,
    validation: test.y,
    seed: 'alone',
    mark: 'alone on kernels',
  }
  const weights = await trainAlone(parts, { id: STUDY, study, rounds: 3, ...given }).catch(({ message }) => message)
  await learner.close()
  return { weights, asked, told }
}

it('a round that has a time is cut as the shared model’s are: a model with more steps would be no comparison', async () => {
  const whole = await trained()
  const cut = await trained(undefined, 99, 10)
  const steps = ({ asked }: typeof cut) =>
    Math.max(...asked.map(({ from, stepsMax }) => (from?.steps ?? 0) + (stepsMax ?? Infinity)))
  assert.ok(steps(whole) >= ROUND_STEPS)
  assert.is(steps(cut), ROUND_STEPS / 4, 'ten of forty seconds')
  assert.is.not(cut.weights, whole.weights)
})

it('killed anywhere it goes on there, after a round or within one, and ends with the same model', async () => {
  const through = await trained()
  const slices = through.asked.length
  assert.ok(slices > 20)
  for (const at of [3, 8, 11, 17]) {
    const alone = memories()
    assert.is((await trained(alone, at)).weights, 'killed')
    const after = await trained(alone)
    assert.is(after.asked.length, slices - at, 'nothing is done twice')
    assert.equal(after.weights, through.weights)
    assert.equal(after.told, at < slices / 3 ? [] : ['alone-resumed'])
  }
})

it.run()
