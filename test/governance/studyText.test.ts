/** A study whose description is redacted: it goes on as it was accepted, under other words, the same at every node. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Study, studyDocument, studyIdOf } from '../../src/config/study.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { readBody } from '../../src/governance/kinds.ts'
import { type Fact, Studies } from '../../src/governance/studies.ts'
import { sameButText } from '../../src/governance/studyText.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { studyOf } from '../node/clinics.ts'
import { B32 } from './sound.ts'

const it = suite('redacted studies')

const STUDY = { ...studyOf(), name: 'After Mrs. Quuxhagen', purpose: 'to find out' }
const ID = studyIdOf(studyDocument(STUDY))
const [ADA, BEN] = ['ada', 'ben'].map((name) => keyOf(name).member) as [MemberId, MemberId]
const CLEAN = { ...STUDY, name: 'Falls in wards' }

function fact(author: MemberId, seq: number, kind: string, body: Cbor, lamport = seq + 1): Fact {
  const hash = digestOf(`${author} ${seq}`)
  return { author, seq, hash, timeMs: 1_000 + seq, lamport, kind, study: ID, refs: [], body }
}

const proposed = (author: MemberId, seq: number): Fact =>
  fact(author, seq, 'study.proposed', { document: studyDocument(STUDY) })

function retold(author: MemberId, seq: number, of: number, study: Study, lamport?: number): Fact {
  const instead = { document: studyDocument(study), proposed: 1_000 + of }
  return fact(author, seq, 'operator.redacted', { seq: of, hash: B32, reason: 'personal-data', instead }, lamport)
}

function stateAfter(facts: readonly Fact[]): unknown {
  const studies = new Studies()
  for (const one of facts) studies.fold(one)
  const state = studies.get(ID)
  if (state === undefined) return null
  const { study, proposedBy, proposedAtMs, accepted } = state
  return { study, proposedBy, proposedAtMs, accepted: [...accepted].sort() }
}

it('goes on under other words, at who had read the proposal and at who is given it without its body', () => {
  const accepted = fact(BEN, 0, 'study.accepted', {})
  const had = stateAfter([proposed(ADA, 3), accepted, retold(ADA, 9, 3, CLEAN)])
  const bare = stateAfter([accepted, retold(ADA, 9, 3, CLEAN)])
  assert.equal(had, { study: CLEAN, proposedBy: ADA, proposedAtMs: 1_003, accepted: [BEN] })
  assert.equal(bare, had)
})

it('what was accepted is not changed by a redaction: one that tells another rule changes nothing', () => {
  const other = { ...CLEAN, training: { ...CLEAN.training, localEpochs: CLEAN.training.localEpochs + 1 } }
  assert.not.ok(sameButText(STUDY, other))
  assert.equal(stateAfter([proposed(ADA, 3), retold(ADA, 9, 3, other)]), stateAfter([proposed(ADA, 3)]))
  const late = stateAfter([retold(BEN, 9, 3, other), proposed(ADA, 3)]) as { study: Study }
  assert.equal(late.study, STUDY, 'a proposal that is whole says what holds')
})

it('who knows only what a redaction left is not asked to accept it', () => {
  const studies = new Studies()
  studies.fold(retold(ADA, 9, 3, CLEAN))
  assert.is(studies.get(ID)?.whole, false)
  studies.fold(proposed(BEN, 2))
  assert.equal([studies.get(ID)?.whole, studies.get(ID)?.study.name], [true, CLEAN.name])
})

it('all orders in which the logs arrive give the same words, of several redactions the first by Lamport time', () => {
  const second = { ...STUDY, name: 'Falls, seen again' }
  const logs: readonly (readonly Fact[])[] = [
    [proposed(ADA, 3), retold(ADA, 9, 3, CLEAN, 40)],
    [proposed(BEN, 1), fact(BEN, 2, 'study.accepted', {}), retold(BEN, 5, 1, second, 30)],
    [fact(keyOf('cleo').member, 0, 'study.accepted', {})],
  ]
  const expected = stateAfter(logs.flat()) as { study: Study }
  assert.is(expected.study.name, second.name)
  fc.assert(
    fc.property(fc.array(fc.nat(2), { minLength: 40, maxLength: 40 }), (turns) => {
      const left = logs.map((log) => [...log])
      const order = turns.flatMap((turn) => left[turn]?.shift() ?? [])
      assert.equal(stateAfter([...order, ...left.flat()]), expected)
    }),
    { numRuns: 200 },
  )
})

it('a redaction that tells a study has its document and time, and nothing else', () => {
  const body = { seq: 3, hash: B32, reason: 'personal-data' }
  const document = studyDocument(CLEAN)
  assert.ok(readBody('operator.redacted', { ...body, instead: { document, proposed: 7 } }) !== null)
  for (const instead of [
    { document },
    { proposed: 7 },
    { document, proposed: -1 },
    { document: 'x', proposed: 7 },
    document,
  ])
    assert.is(readBody('operator.redacted', { ...body, instead } as Cbor), null)
})

it.run()
