/** What the next own update is written against: what the others have heard of, whatever was trained since. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { weightsDigest } from '../../src/core/digest.ts'
import type { StudyId } from '../../src/core/ids.ts'
import type { Coded } from '../../src/gossip/coding/coder.ts'
import { CODING } from '../../src/gossip/coding/coding.ts'
import { weightFormatOf } from '../../src/node/expectation.ts'
import { UpdateCoder } from '../../src/training/updateCoder.ts'
import { studyOf } from '../node/clinics.ts'

const it = suite('update coder')
const ID = 'ab'.repeat(32) as StudyId
const STUDY = studyOf(9, 'coding: { kind: top-k, share: 0.25, keyframeRounds: 5 }')
const FORMAT = weightFormatOf(STUDY)
const trainedIn = (round: number): Float32Array =>
  Float32Array.from({ length: FORMAT.parameters }, (_, i) => Math.sin(7 * i + round) + round / 3)

/** Trains and codes a round; it is sent unless the study was paused meanwhile. */
function roundOf(coder: UpdateCoder, round: number, isSent: boolean): Coded {
  const coded = coder.code(ID, STUDY, round, trainedIn(round), `seed ${round}`)
  const digest = weightsDigest(coded.weights)
  coder.keep(ID, digest, coded)
  if (isSent) assert.is(coder.written(ID, digest)?.coding, coded.coding)
  return coded
}

it('a keyframe that was never sent is nobody’s reference: the round that is done again is a keyframe, with the same bytes', () => {
  const coder = new UpdateCoder()
  const dropped = roundOf(coder, 0, false)
  const again = roundOf(coder, 0, true)
  assert.is(again.coding, CODING.float16)
  assert.equal(again.payload, dropped.payload)
})

it('a delta that was never sent leaves its error uncounted, before a restart and after it', () => {
  const [interrupted, smooth] = [new UpdateCoder(), new UpdateCoder()]
  for (const coder of [interrupted, smooth]) roundOf(coder, 0, true)
  roundOf(interrupted, 1, false)
  roundOf(interrupted, 1, false)
  const coded = roundOf(interrupted, 1, true)
  assert.equal(coded, roundOf(smooth, 1, true))
  assert.is(coded.coding, CODING.topK)
  const restarted = new UpdateCoder()
  restarted.restore(ID, weightsDigest(coded.weights), interrupted.stored(ID))
  assert.equal(roundOf(restarted, 2, true), roundOf(smooth, 2, true))
})

it.run()
