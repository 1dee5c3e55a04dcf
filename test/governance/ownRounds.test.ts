/** A hospital's own log as its patients ask about it. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Digest, StudyId } from '../../src/core/ids.ts'
import { OwnRounds } from '../../src/governance/ownRounds.ts'
import { decodeTraces, encodeTraces, traceOf } from '../../src/governance/traces.ts'
import { emptyTip, extend } from '../../src/ledger/chain.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { B32 } from './sound.ts'

const it = suite('own rounds')

const [ONE, TWO] = ['one', 'two'].map((name) => digestOf(name)) as unknown as [StudyId, StudyId]
const [RED, BLUE] = ['red', 'blue'].map((name) => digestOf(name)) as [Digest, Digest]

const trained = (study: StudyId, round: number, root: Digest | null) => ({
  ...{ kind: 'round.trained', study, timeMs: 1_000 + round, refs: [] },
  body: {
    ...{
      round,
      base: B32,
      update: fromHex(digestOf(`update ${round}`)),
      head: B32,
      examples: 5,
      loss: 0.5,
      dataset: B32,
    },
    ...(root === null ? {} : { consent: { root: fromHex(root), basis: 'opt-out' } }),
  },
})
const recorded = (from: number, count: number) => ({
  ...{ kind: 'consent.recorded', study: null, timeMs: 1_000, refs: [] },
  body: { from, items: Array.from({ length: count }, () => [new Uint8Array(16), B32]) },
})
const other = { kind: 'node.started', study: null, timeMs: 1_000, refs: [], body: { software: '0.1.0' } }

const LOG = extend(
  emptyTip(keyOf('self').member),
  [
    ...[recorded(0, 3), other, trained(ONE, 0, RED), trained(TWO, 0, RED), recorded(3, 1), trained(ONE, 1, RED)],
    ...[trained(ONE, 2, BLUE), trained(TWO, 1, null), other, recorded(4, 2), trained(ONE, 3, RED)],
  ],
  Array.from({ length: 11 }, () => B32),
).raws

it('rounds are found by study and root, words by their number, in whatever pieces the log is read', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 11 }), { maxLength: 4 }), (cuts) => {
      const own = new OwnRounds()
      const ends = [...cuts, 11].sort((a, b) => a - b)
      for (const [i, end] of ends.entries()) {
        const traces = LOG.slice(i === 0 ? 0 : ends[i - 1], end).map(traceOf)
        const kept = encodeTraces(traces.filter((trace) => trace !== null)) // as after a start
        for (const trace of decodeTraces(kept)) own.take(trace)
      }
      const seqs = (study: StudyId, root: Digest) =>
        own.on(study, root).map((number) => [own.at(number).seq, own.at(number).round])
      assert.equal(seqs(ONE, RED), [
        [2, 0],
        [5, 1],
        [10, 3],
      ])
      assert.equal(
        [ONE, TWO].map((study) => own.unasked(study)),
        [[], [{ seq: 7, timeMs: 1_001 }]],
        'who asks nobody is told from who rests on a set',
      )
      assert.equal([seqs(ONE, BLUE), seqs(TWO, RED), seqs(TWO, BLUE)], [[[6, 2]], [[3, 0]], []])
      assert.equal(
        [0, 2, 3, 4, 5, 6].map((word) => own.placeOf(word)),
        [0, 0, 4, 9, 9, null],
      )
    }),
  )
})

it('an entry whose body was dropped, or is of another form, tells nothing, and nothing breaks', () => {
  const odd = { ...recorded(0, 1), body: { from: 'zero' } }
  const raws = extend(emptyTip(keyOf('self').member), [odd, recorded(1, 1)], [B32, B32]).raws
  const own = new OwnRounds()
  for (const trace of raws.map(traceOf)) if (trace !== null) own.take(trace)
  assert.equal([own.placeOf(0), own.placeOf(1)], [null, 1])
})

it.run()
