/** What a node keeps of a study over a restart: read back as written, and a form of a later version refused. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeCbor } from '../../src/core/cbor.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { CODING } from '../../src/gossip/coding/coding.ts'
import type { Assessed } from '../../src/node/standing.ts'
import { NO_LOCAL_STATE } from '../../src/training/localState.ts'
import { decodeCheckpoint, encodeCheckpoint, type StoredCheckpoint } from '../../src/training/storedCheckpoint.ts'
import { digestOf } from '../gossip/fixtures.ts'

const it = suite('stored checkpoint')

const METRICS = { examples: 15, positives: 7, auc: 0.8, accuracy: 0.7, logLoss: 0.6, brier: 0.2, calibrationError: 0.1 }
const assessed = (round: number, name: string): Assessed => ({
  ...{ round, model: digestOf(name), validationLoss: 0.5 + round / 64, metrics: METRICS, calibrated: METRICS },
  calibration: { slope: 0.75, intercept: -0.125, rows: 21 },
})

const STORED: StoredCheckpoint = {
  checkpoint: {
    study: digestOf('study') as string as StudyId,
    scaling: digestOf('scaling'),
    round: 7,
    stage: 'merged',
    shared: digestOf('shared'),
    base: digestOf('base'),
    parents: [digestOf('a'), digestOf('b')],
    head: digestOf('head'),
    examples: 45,
    metrics: METRICS,
    standing: {
      newest: assessed(7, 'shared'),
      best: assessed(3, 'best'),
      gain: { validationLoss: 0.53125, mergesSince: 4 },
      personal: METRICS,
    },
  },
  shared: Float32Array.of(0.5, -1.25, 3e-39, -0),
  head: Float32Array.of(0.1),
  optimiser: Uint8Array.of(1, 2, 3),
  local: {
    steering: { momentum: Float32Array.of(1, 2, 3, 4), correction: Float32Array.of(-1, 0, 7, 0.5) },
    steeredRound: 6,
    made: { base: Float32Array.of(9, 8, 7, 6), update: digestOf('update'), steps: 40 },
    personal: {
      weights: { shared: Float32Array.of(5, 5, 5, 5), head: Float32Array.of(-2) },
      optimiser: Uint8Array.of(4, 5),
    },
  },
  best: { shared: Float32Array.of(4, 3, 2, 1), head: Float32Array.of(0.7) },
  coding: null,
  others: [Float32Array.of(1, 2, 3, 4), Float32Array.of(-4, -3, -2, -1)],
}

it('is read back as it was written, to the bit', () => {
  const read = decodeCheckpoint(encodeCheckpoint(STORED))
  assert.equal(read, STORED)
  assert.ok(Object.is(read.shared[3], -0))
})

it('without what a study does not ask for, and where the newest model is the best, is read back too', () => {
  const newest = assessed(7, 'shared')
  const standing = { newest, best: newest, gain: { validationLoss: 0.6, mergesSince: 0 }, personal: null }
  const { shared, head } = STORED
  const plain = {
    ...STORED,
    checkpoint: { ...STORED.checkpoint, standing },
    local: NO_LOCAL_STATE,
    best: { shared, head },
  }
  assert.equal(decodeCheckpoint(encodeCheckpoint(plain)), plain)
  assert.ok(encodeCheckpoint(plain).length < encodeCheckpoint(STORED).length - 100, 'its numbers are written once')
  const first = { ...STORED, checkpoint: { ...STORED.checkpoint, standing: null }, local: NO_LOCAL_STATE, best: null }
  assert.equal(decodeCheckpoint(encodeCheckpoint(first)), first)
})

it('of version 1, which knew neither local state nor best model, is read: a node that is updated goes on', () => {
  const read = decodeCheckpoint(readFileSync(new URL('../golden/checkpoint-v1.cbor', import.meta.url)))
  const { standing: _, ...checkpoint } = STORED.checkpoint
  const { shared, head, optimiser } = STORED
  const numbers = { shared, head, optimiser, local: NO_LOCAL_STATE, best: null, coding: null, others: [] }
  const { brier: __, ...metrics } = METRICS // as they were then
  assert.equal(read, { checkpoint: { ...checkpoint, metrics, standing: null }, ...numbers })
})

it('how an update was written is kept with it: payload, keyframe and residual', () => {
  const keyframe = { round: 6, digest: digestOf('keyframe'), weights: Float32Array.of(1, 2, 3, 4) }
  const written = { coding: CODING.topK, reference: digestOf('keyframe'), payload: Uint8Array.of(7, 8, 9) }
  const state = { keyframe, residual: Float32Array.of(0, -0.5, 3e-39, 9) }
  const coding = { written, state }
  assert.equal(decodeCheckpoint(encodeCheckpoint({ ...STORED, coding })).coding, coding)
})

it('of a later version is refused by number, and what to do is said', () => {
  const later = encodeCbor([3, {}, new Uint8Array(4), new Uint8Array(4), new Uint8Array(0)])
  try {
    decodeCheckpoint(later)
    assert.unreachable()
  } catch (error) {
    assert.is((error as { code?: string }).code, 'database-newer')
    assert.match((error as Error).message, /version 3.*reads 2.*newer Consilium/)
  }
})

it.run()
