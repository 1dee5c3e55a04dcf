/** Changes of the membership as the logs tell of them: the same states in whatever order logs arrive, and bounds on what one author can say. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import { compareIds, type MemberId } from '../../src/core/ids.ts'
import { type Change, Changes, changeBody, changeOf, membersAfter } from '../../src/governance/changes.ts'
import type { Fact } from '../../src/governance/studies.ts'
import type { Member } from '../../src/ledger/founding.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'

const it = suite('changes')
const named = (name: string): Member => ({ name, key: keyOf(name).member })
const [ADA, BEN, CLEO, DAN, EVE, FAY] = ['ada', 'ben', 'cleo', 'dan', 'eve', 'fay'].map(named) as [
  Member,
  Member,
  Member,
  Member,
  Member,
  Member,
]
const FOUR = [ADA, BEN, CLEO, DAN]
const MEMBERS = FOUR.map(({ key }) => key)
const JOIN = changeOf(3, [EVE], [])
const SWAP = changeOf(3, [FAY, EVE], [DAN.key])
const LATER = changeOf(4, [FAY], [])

const factOf = (author: MemberId, kind: string, body: Cbor): Fact => {
  return { author, seq: 0, hash: digestOf('entry'), timeMs: 0, lamport: 0, kind, study: null, refs: [], body }
}
const proposed = ({ key }: Member, change: Change): Fact => factOf(key, 'epoch.proposed', changeBody(change) as Cbor)
const said = ({ key }: Member, change: Pick<Change, 'id' | 'epoch'>, yes = true): Fact =>
  factOf(key, yes ? 'epoch.approved' : 'epoch.rejected', { epoch: change.epoch, change: fromHex(change.id) })

function changesOf(facts: readonly Fact[], self = ADA): Changes {
  const changes = new Changes(self.key)
  changes.begun(2)
  for (const fact of facts) changes.fold(fact)
  return changes
}

const statesOf = (facts: readonly Fact[], number = 3) => changesOf(facts).states(number, MEMBERS)
const voicesOf = (facts: readonly Fact[]) =>
  statesOf(facts).map(({ change, approvedBy, rejectedBy, approved }) => {
    return [change.id, approvedBy.length, rejectedBy.length, approved]
  })

it('a change is approved by a quorum of the members now, and only with its proposal by one of them', () => {
  const words = [said(ADA, JOIN), said(BEN, JOIN), said(EVE, JOIN)]
  assert.equal(voicesOf([proposed(ADA, JOIN), ...words]), [[JOIN.id, 2, 0, false]], 'two of four and one that is none')
  assert.equal(voicesOf([proposed(ADA, JOIN), ...words, said(DAN, JOIN)]), [[JOIN.id, 3, 0, true]])
  assert.equal(voicesOf([proposed(EVE, JOIN), ...words, said(DAN, JOIN)]), [], 'who is no member proposes nothing')
  assert.equal(voicesOf([...words, said(DAN, JOIN)]), [], 'nobody has proposed it')
  const [state] = statesOf([proposed(BEN, JOIN), proposed(ADA, JOIN), proposed(EVE, JOIN)])
  assert.equal(state?.proposedBy, [ADA.key, BEN.key].sort(compareIds))
  const three = changesOf([proposed(ADA, JOIN), ...words, said(DAN, JOIN)]).states(3, [...MEMBERS, EVE.key])
  assert.equal(three[0]?.approvedBy.length, 4, 'the members are those of the question')
})

it('the newest word of each author counts, in the order of its own log', () => {
  const facts = [proposed(ADA, JOIN), said(ADA, JOIN), said(ADA, JOIN, false), said(BEN, JOIN, false), said(BEN, JOIN)]
  assert.equal(voicesOf(facts), [[JOIN.id, 1, 1, false]])
  const [state] = statesOf(facts)
  assert.equal([state?.approvedBy, state?.rejectedBy], [[BEN.key], [ADA.key]])
  assert.equal(voicesOf([...facts, said(ADA, JOIN)]), [[JOIN.id, 2, 0, false]], 'and may be taken back again')
})

it('whatever the order in which logs arrive, the states are the same', () => {
  const changes = [JOIN, SWAP, LATER]
  const word = fc.record({
    change: fc.constantFrom(...changes),
    kind: fc.constantFrom('proposed', 'yes', 'no', 'voting', 'nonsense'),
  })
  const logs = fc.tuple(...FOUR.map(() => fc.array(word, { maxLength: 8 })))
  const factsIn = (author: Member, words: readonly { change: Change; kind: string }[]): Fact[] =>
    words.map(({ change, kind }) => {
      if (kind === 'proposed') return proposed(author, change)
      if (kind === 'voting') return factOf(author.key, 'epoch.voting', { epoch: change.epoch })
      if (kind === 'nonsense') return factOf(author.key, 'epoch.approved', { epoch: change.epoch })
      return said(author, change, kind === 'yes')
    })
  fc.assert(
    fc.property(logs, fc.infiniteStream(fc.nat(3)), (given, turns) => {
      const queues = given.map((words, i) => factsIn(FOUR[i] as Member, words))
      const byAuthor = changesOf(queues.flat())
      const mixed: Fact[] = []
      for (const turn of turns) {
        const next = queues[turn]?.shift() ?? queues.find(({ length }) => length > 0)?.shift()
        if (next === undefined) break
        mixed.push(next)
      }
      const other = changesOf(mixed)
      for (const number of [3, 4]) {
        assert.equal(other.states(number, MEMBERS), byAuthor.states(number, MEMBERS))
        assert.is(other.isVoting(number), byAuthor.isVoting(number))
      }
    }),
    { numRuns: 300 },
  )
})

it('one author proposes 8 changes for one epoch and speaks of 64; what others say is not touched by it', () => {
  const many = Array.from({ length: 80 }, (_, i) => changeOf(3, [{ ...EVE, name: `eve ${i}` }], []))
  const flood = many.flatMap((change) => [proposed(DAN, change), proposed(BEN, change), said(DAN, change)])
  const facts = [...flood, proposed(ADA, JOIN), said(ADA, JOIN), said(DAN, JOIN)]
  const states = statesOf(facts)
  assert.is(states.filter(({ proposedBy }) => proposedBy.includes(DAN.key)).length, 8)
  assert.equal(states.find(({ change }) => change.id === JOIN.id)?.approvedBy, [ADA.key], 'the 65th word is not read')
  const first = many[0] as Change
  const back = statesOf([...facts, said(DAN, first, false)]).find(({ change }) => change.id === first.id)
  assert.equal(back?.rejectedBy, [DAN.key], 'but a word that is known may change')
  const next = changesOf([...facts, proposed(DAN, LATER), said(DAN, LATER)]).states(4, MEMBERS)
  assert.equal(next[0]?.approvedBy, [DAN.key], 'each epoch has bounds of its own')
})

it('epochs that have begun are forgotten, and never read again; those far ahead are not read', () => {
  const changes = changesOf([proposed(ADA, JOIN), said(ADA, JOIN), proposed(ADA, LATER), said(BEN, LATER)])
  changes.fold(factOf(ADA.key, 'epoch.voting', { epoch: 3 }))
  assert.ok(changes.isVoting(3))
  changes.begun(3)
  for (const fact of [proposed(BEN, JOIN), said(BEN, JOIN), factOf(ADA.key, 'epoch.voting', { epoch: 3 })])
    changes.fold(fact)
  assert.equal([changes.states(3, MEMBERS), changes.isVoting(3)], [[], false])
  assert.is(changes.states(4, MEMBERS).length, 1, 'the next stays as it was')
  changes.begun(2)
  assert.equal(changes.states(3, MEMBERS), [], 'epochs do not go back')
  const [near, far] = [changeOf(19, [EVE], []), changeOf(20, [EVE], [])]
  for (const change of [near, far]) changes.fold(proposed(ADA, change))
  assert.equal(
    [19, 20].map((number) => changes.states(number, MEMBERS).length),
    [1, 0],
  )
})

it('only the own log says that this node votes', () => {
  const changes = changesOf([factOf(BEN.key, 'epoch.voting', { epoch: 3 })])
  assert.not.ok(changes.isVoting(3))
  changes.fold(factOf(ADA.key, 'epoch.voting', { epoch: 3 }))
  assert.equal(
    [2, 3, 4].map((number) => changes.isVoting(number)),
    [false, true, false],
  )
})

it('the most approved change comes first, then the one with the smaller id', () => {
  const [small, large] = [JOIN, SWAP].sort((a, b) => compareIds(a.id, b.id)) as [Change, Change]
  const both = [proposed(BEN, large), proposed(BEN, small)]
  const order = (facts: readonly Fact[]) => statesOf(facts).map(({ change }) => change.id)
  assert.equal(order(both), [small.id, large.id])
  assert.equal(order([...both, said(CLEO, large)]), [large.id, small.id])
})

it('the id covers the epoch, every name, every key that comes and every key that goes, and no order', () => {
  assert.is(changeOf(3, [EVE, FAY], [DAN.key]).id, SWAP.id)
  assert.is(changeOf(3, [], [DAN.key, CLEO.key]).id, changeOf(3, [], [CLEO.key, DAN.key]).id)
  const others = [
    changeOf(4, [EVE, FAY], [DAN.key]),
    changeOf(3, [EVE], [DAN.key]),
    changeOf(3, [EVE, { ...FAY, name: 'fay 2' }], [DAN.key]),
    changeOf(3, [EVE, { ...FAY, key: BEN.key }], [DAN.key]),
    changeOf(3, [EVE, FAY], []),
    changeOf(3, [EVE, FAY], [CLEO.key]),
    changeOf(3, [EVE, FAY], [DAN.key, CLEO.key]),
  ]
  assert.is(new Set([SWAP, ...others].map(({ id }) => id)).size, 1 + others.length)
  const [read] = statesOf([proposed(ADA, SWAP)])
  assert.equal(read?.change, SWAP, 'what is read of an entry is what was proposed')
})

it('the members after a change are those who stay and those who come, by key, a new key in the place of the old', () => {
  const names = (change: Change) =>
    membersAfter(FOUR, change)
      .map(({ name }) => name)
      .sort()
  assert.equal(names(JOIN), ['ada', 'ben', 'cleo', 'dan', 'eve'])
  assert.equal(names(SWAP), ['ada', 'ben', 'cleo', 'eve', 'fay'])
  assert.equal(names(changeOf(3, [{ ...EVE, name: 'dan' }], [DAN.key])), ['ada', 'ben', 'cleo', 'dan'])
  assert.equal(names(changeOf(3, [], [FAY.key])), ['ada', 'ben', 'cleo', 'dan'], 'who is no member cannot go')
  const after = membersAfter(
    FOUR.map((member) => ({ ...member, more: 1 })),
    SWAP,
  )
  assert.equal(
    after.map(({ key }) => key),
    after.map(({ key }) => key).sort(compareIds),
  )
  assert.equal(Object.keys(after[0] as Member), ['name', 'key'])
})

it.run()
