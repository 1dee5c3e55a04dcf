/** What a node keeps of a study over a restart: read back as written, and a form of a later version refused. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { bytesUnder } from '../../src/core/digest.ts'
import type { StudyId } from '../../src/core/ids.ts'
import { CODING } from '../../src/gossip/coding/coding.ts'
import { decodeCheckpoint, encodeCheckpoint, type StoredCheckpoint } from '../../src/training/storedCheckpoint.ts'
import { digestOf } from '../gossip/fixtures.ts'

const it = suite('stored checkpoint')

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
    metrics: { examples: 15, positives: 7, auc: 0.8, accuracy: 0.7, logLoss: 0.6, calibrationError: 0.1 },
  },
  shared: Float32Array.of(0.5, -1.25, 3e-39, -0),
  head: Float32Array.of(0.1),
  optimiser: Uint8Array.of(1, 2, 3),
  coding: null,
}

it('is read back as it was written, to the bit', () => {
  const read = decodeCheckpoint(encodeCheckpoint(STORED))
  assert.equal(read, STORED)
  assert.ok(Object.is(read.shared[3], -0))
})

it('how an update was written is kept with it: payload, keyframe and residual', () => {
  const keyframe = { round: 6, digest: digestOf('keyframe'), weights: Float32Array.of(1, 2, 3, 4) }
  const written = { coding: CODING.topK, reference: digestOf('keyframe'), payload: Uint8Array.of(7, 8, 9) }
  const state = { keyframe, residual: Float32Array.of(0, -0.5, 3e-39, 9) }
  const coding = { written, state }
  assert.equal(decodeCheckpoint(encodeCheckpoint({ ...STORED, coding })).coding, coding)
})

it('of version 1, which knew float32 alone, is read', () => {
  const { checkpoint, shared, head, optimiser } = STORED
  const plain = { ...checkpoint, parents: [...checkpoint.parents] } as unknown as Cbor
  const before = encodeCbor([1, plain, bytesUnder(shared), bytesUnder(head), optimiser])
  assert.equal(decodeCheckpoint(before), STORED)
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
