/** Cells over real gossipsub: who is in a cell hears what is said there, at once after a change, and what was left leaves no trace. */
import type { GossipSub } from '@libp2p/gossipsub'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Digest, studyId } from '../../src/core/ids.ts'
import { StudyTopics } from '../../src/daemon/studyTopics.ts'
import { type CellName, Deal, dealSeed } from '../../src/gossip/cells.ts'
import { scoreTopic, unscoreTopic } from '../../src/net/gossipScore.ts'
import { addressOf, bytes, gossips, heard, identities, linked, PREFIX, type Seat, seat, stopAll, until } from './kit.ts'

const it = suite('cells over gossipsub')
it.after.each(stopAll)

const NODES = 8
const PERIODS = 6
const STUDY = studyId('5a'.repeat(32))
// eight nodes in one process, on a machine that does other things: whoever is slow is not hung up on
const PATIENT = { graceMs: 10_000, hangUpMs: 20_000, repairMs: 2_000, duplicateMs: 500 }
const any = 'ab'.repeat(32) as Digest
const deals = new Map<number, Deal>()

function cellOf(place: number, period: number): CellName {
  const deal = deals.get(period) ?? new Deal(dealSeed(STUDY, any, any, period), NODES, () => true, 4)
  deals.set(period, deal)
  return { epoch: 0, period, cell: deal.cellOf(place) }
}

it('eight members whose cells change: what is published the moment that a period begins is heard by all mates, and by nobody else', async () => {
  const people = identities(NODES)
  const all: Seat[] = []
  for (const who of people) all.push(await seat(who, people, { bootstrap: all.map(addressOf), timing: PATIENT }))
  const [door] = all as [Seat]
  await until('all are linked', () => all.every((a) => all.every((b) => a === b || linked(a, b))), 30_000)
  await until('all is known to listen', () => all.every((a) => all.every((b) => a === b || gossips(a, b))))
  const subscribed = all.map(() => new Set<string>())
  const topics = all.map(({ transport }, i) => {
    const mine = subscribed[i] as Set<string>
    return new StudyTopics(`${PREFIX}x`, {
      subscribe: (topic) => {
        mine.add(topic)
        transport.subscribe(topic)
      },
      unsubscribe: (topic) => {
        mine.delete(topic)
        transport.unsubscribe(topic)
      },
    })
  })
  const follow = (period: number): void =>
    topics.forEach((one, i) => {
      const [behind, now, ahead] = [period - 1, period, period + 1].map((p) => cellOf(i, p)) as [
        CellName,
        CellName,
        CellName,
      ]
      one.follow({ type: 'topics', study: STUDY, publish: now, listen: [behind, now, ahead] })
      assert.is(subscribed[i]?.size, 3)
    })
  follow(100)
  await until('the first meshes stand', async () => {
    const reached = await Promise.all(
      all.map(({ transport }, i) => transport.publish(topics[i]?.publishing(STUDY) ?? '', bytes('hello'))),
    )
    return reached.every((recipients) => recipients > 0)
  })
  for (let period = 101; period < 101 + PERIODS; period++) {
    follow(period)
    const text = (i: number): string => `${period} ${i}`
    await Promise.all(
      all.map(({ transport }, i) => transport.publish(topics[i]?.publishing(STUDY) ?? '', bytes(text(i)))),
    )
    const mates = (i: number, j: number): boolean => i !== j && cellOf(i, period).cell === cellOf(j, period).cell
    await until(
      `period ${period}`,
      () => all.every((place, j) => all.every((_, i) => !mates(i, j) || heard(place, text(i)))),
      15_000,
    )
    for (const [j, place] of all.entries())
      for (let i = 0; i < NODES; i++) if (!mates(i, j)) assert.not.ok(heard(place, text(i)), `${i} is no mate of ${j}`)
  }
  topics.forEach((one, i) => {
    one.follow({ type: 'topics', study: STUDY, publish: null, listen: [] })
    assert.is(subscribed[i]?.size, 0)
  })
  await until('nobody is there any more', async () => {
    const topic = `${PREFIX}x/study/${STUDY.slice(0, 32)}/0/${100 + PERIODS}/0`
    door.transport.subscribe(topic)
    return (await door.transport.publish(topic, bytes('gone'))) === 0
  })
  for (const place of all) assert.equal(place.misbehaved, [], 'nobody is blamed for what came late')
})

it('a topic that was left is scored no more: neither its parameters nor what any peer did there stay', () => {
  const score = {
    params: { topics: {} as Record<string, unknown> },
    peerStats: new Map([['peer', { topics: {} as Record<string, unknown> }]]),
  }
  const pubsub = { score } as unknown as GossipSub
  for (let period = 0; period < 2_000; period++) {
    scoreTopic(pubsub, `cell ${period}`)
    assert.ok(score.params.topics[`cell ${period}`] !== undefined, 'every new one is scored')
    ;(score.peerStats.get('peer') as { topics: Record<string, unknown> }).topics[`cell ${period}`] = { inMesh: true }
    if (period >= 3) unscoreTopic(pubsub, `cell ${period - 3}`)
  }
  assert.is(Object.keys(score.params.topics).length, 3)
  assert.is(Object.keys(score.peerStats.get('peer')?.topics ?? {}).length, 3)
})

it('topics have names of their own: an update of a left cell costs nobody, one on the topic of another study its author', () => {
  const topics = new StudyTopics('net', { subscribe: () => undefined, unsubscribe: () => undefined })
  const cell = { epoch: 3, period: 29_166_667, cell: 2 }
  topics.follow({ type: 'topics', study: STUDY, publish: cell, listen: [null, cell] })
  const whole = `net/study/${STUDY.slice(0, 32)}`
  assert.is(topics.publishing(STUDY), `${whole}/3/29166667/2`)
  assert.equal(topics.cellOf(STUDY, `${whole}/3/29166667/2`), cell)
  assert.is(topics.cellOf(STUDY, whole), null)
  const blame = (topic: string): unknown => {
    try {
      return topics.cellOf(STUDY, topic)
    } catch (error) {
      const { code, blame } = error as { code: string; blame: string }
      return `${code} ${blame}`
    }
  }
  assert.is(blame(`${whole}/3/29166666/2`), 'cell-left ignore')
  assert.is(blame(`net/study/${'cd'.repeat(16)}`), 'update-topic reject')
  topics.follow({ type: 'topics', study: STUDY, publish: null, listen: [] })
  assert.is(blame(whole), 'cell-left ignore')
})

it.run()
