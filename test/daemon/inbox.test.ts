/** Gossip on its way to the machine: what is malformed by itself is said to be, and weights are kept only of what was accepted. */
import '../../src/polyfill.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { weightsDigest } from '../../src/core/digest.ts'
import { type MemberId, type StudyId, studyId } from '../../src/core/ids.ts'
import { Inbox } from '../../src/daemon/inbox.ts'
import { Logs } from '../../src/daemon/logs.ts'
import { StudyTopics } from '../../src/daemon/studyTopics.ts'
import { Tasks } from '../../src/daemon/tasks.ts'
import { Updates } from '../../src/daemon/updates.ts'
import { Witness } from '../../src/daemon/witness.ts'
import { CODING, encodeFloat32, type WeightFormat } from '../../src/gossip/coding/coding.ts'
import { bodyOf, encodeUpdate, type UpdateHeader, updateMessage } from '../../src/gossip/update.ts'
import { openFork } from '../../src/ledger/fork.ts'
import { rollOf } from '../../src/ledger/membership.ts'
import { encodeEvidence } from '../../src/ledger/witnessWire.ts'
import type { Transport } from '../../src/net/transport.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { MemoryStore } from '../../src/store/memoryStore.ts'
import { WeightStore } from '../../src/training/weightStore.ts'
import { FOUNDING, keyOf, logOf, STUDY } from '../ledger/fixtures.ts'

const it = suite('inbox')
const ADA = keyOf('ada')
const BEN = keyOf('ben')
const ROOM = { require: async () => undefined }
const OTHER_STUDY = studyId('ab'.repeat(32))
const CELL = { epoch: 0, period: 7, cell: 2 }
const STUDIES = new StudyTopics('net', { subscribe: () => undefined, unsubscribe: () => undefined })
STUDIES.follow({ type: 'topics', study: STUDY, publish: null, listen: [null, CELL] })
const TOPICS = {
  ...{ epochs: 'epochs', witness: 'witness', heads: 'heads' },
  study: (id: StudyId) => STUDIES.publishing(id),
  cellOf: (id: StudyId, topic: string) => STUDIES.cellOf(id, topic),
}
const WEIGHTS = Float32Array.of(1, 2, 3)

function updateOf(author = ADA): Uint8Array {
  const header: UpdateHeader = {
    study: STUDY,
    author: author.member,
    round: 4,
    examples: 10,
    scaling: weightsDigest(Float32Array.of(9)),
    base: weightsDigest(Float32Array.of(8)),
    parents: [],
    digest: weightsDigest(WEIGHTS),
    parameters: WEIGHTS.length,
    privacy: null,
    coding: CODING.float32,
    reference: null,
  }
  const body = bodyOf(header, encodeFloat32(WEIGHTS))
  return encodeUpdate(header, body, author.sign(updateMessage(header, body)))
}

function inboxOf() {
  const events: NodeEvent[] = []
  const weights = new WeightStore()
  const roll = rollOf([ADA.member, BEN.member])
  const transport = null as unknown as Transport
  const logs = new Logs({
    self: BEN.member,
    room: ROOM,
    founding: FOUNDING,
    roll,
    store: new MemoryStore(),
    transport,
  })
  const watching = {
    tasks: new Tasks(() => undefined),
    cosigners: { take: async () => true },
    log: () => undefined,
    isVoting: () => false,
  }
  const store = new MemoryStore()
  const witness = new Witness({ key: BEN, founding: FOUNDING, roll, store, transport, logs, ...watching })
  const kept: string[] = []
  const inputs = { keep: (_: string, digest: string) => kept.push(digest) }
  const format: WeightFormat = { coding: { kind: 'float32' }, tensors: [WEIGHTS.length], parameters: WEIGHTS.length }
  const updates = new Updates({
    ...{ self: BEN.member, transport, inputs: { read: async () => null }, log: () => undefined },
    formatOf: () => format,
    heard: () => undefined,
    feed: (event) => events.push(event),
  })
  const inbox = new Inbox({
    topics: TOPICS,
    logs,
    witness,
    epochs: { hear: async () => 'ignore' },
    forks: { hear: async (evidence) => (openFork(evidence, FOUNDING) ? 'accept' : 'ignore') },
    ...{ weights, inputs, updates: () => updates },
    feed: (event) => events.push(event),
  })
  return { inbox, events, weights, kept }
}

it('an update is measured, and its weights are kept when it is accepted', async () => {
  const { inbox, events, weights, kept } = inboxOf()
  const verdict = inbox.take(7, TOPICS.study(STUDY), ADA.member, BEN.member, updateOf())
  const [event] = events
  assert.is(event?.type, 'update-heard')
  if (event?.type !== 'update-heard') return
  assert.equal([event.ticket, event.from, event.header.round], [7, BEN.member, 4])
  assert.equal([event.facts.digestMatches, event.facts.signatureValid, event.facts.finite], [true, true, true])
  assert.is(weights.size, 0)
  inbox.settle(7, 'accept')
  assert.is(await verdict, 'accept')
  assert.equal(weights.get(STUDY, event.header.digest), WEIGHTS)
  assert.equal(kept, [event.header.digest])
})

it('the machine is told of the cell on whose topic an update came; one of a cell that was left is nobody’s fault', () => {
  const { inbox, events } = inboxOf()
  const topic = `net/study/${STUDY.slice(0, 32)}`
  void inbox.take(1, `${topic}/0/7/2`, ADA.member, BEN.member, updateOf())
  void inbox.take(2, topic, ADA.member, BEN.member, updateOf())
  void inbox.take(3, `${topic}/0/6/2`, ADA.member, BEN.member, updateOf())
  assert.equal(
    events.map((event) => (event.type === 'update-heard' ? event.cell : event.type)),
    [CELL, null, 'malformed-heard'],
  )
  const last = events[2]
  assert.equal(last?.type === 'malformed-heard' && [last.code, last.blame], ['cell-left', 'ignore'])
})

it('of an update that is not accepted nothing is kept', async () => {
  const { inbox, weights, kept } = inboxOf()
  const verdict = inbox.take(1, TOPICS.study(STUDY), ADA.member, BEN.member, updateOf())
  inbox.settle(1, 'ignore')
  assert.is(await verdict, 'ignore')
  assert.is(weights.size, 0)
  assert.equal(kept, [])
})

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 0 ? byte ^ 0x40 : byte))
const malformed: readonly (readonly [what: string, topic: string, author: MemberId, data: Uint8Array, code: string])[] =
  [
    ['an update signed by another member', TOPICS.study(STUDY), BEN.member, updateOf(), 'update-author'],
    ['an update on the topic of another study', TOPICS.study(OTHER_STUDY), ADA.member, updateOf(), 'update-topic'],
    ['half an update', TOPICS.study(STUDY), ADA.member, updateOf().subarray(0, 90), 'truncated'],
    ['an update of another version', TOPICS.study(STUDY), ADA.member, flipped(updateOf()), 'update-version'],
    ['nothing', TOPICS.study(STUDY), ADA.member, new Uint8Array(0), 'truncated'],
    ['a head that is none', TOPICS.heads, ADA.member, Uint8Array.of(1, 2), 'head-malformed'],
    ['a head of another member', TOPICS.heads, BEN.member, logOf(ADA, [1])[0]?.head.note as Uint8Array, 'head-author'],
  ]
for (const [what, topic, author, data, code] of malformed) {
  it(`${what} is malformed: ${code}, of its author`, () => {
    const { inbox, events } = inboxOf()
    void inbox.take(3, topic, author, BEN.member, data)
    const blame = code === 'update-version' ? 'ignore' : 'reject'
    assert.equal(events, [{ type: 'malformed-heard', ticket: 3, from: author, code, blame }])
  })
}

it('what still waits when the node stops is nobody’s fault', async () => {
  const { inbox } = inboxOf()
  const verdict = inbox.take(1, TOPICS.study(STUDY), ADA.member, BEN.member, updateOf())
  inbox.close()
  assert.is(await verdict, 'ignore')
})

it('evidence that proves nothing counts against who signed the message', async () => {
  const { inbox, events } = inboxOf()
  const verdict = inbox.take(7, TOPICS.witness, ADA.member, ADA.member, encodeEvidence(Uint8Array.of(0x80)))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(events.at(-1), {
    ...{ type: 'malformed-heard', ticket: 7, from: ADA.member },
    ...{ code: 'fork-malformed', blame: 'reject' },
  })
  inbox.settle(7, 'reject')
  assert.is(await verdict, 'reject')
})

it.run()
