/** What an epoch that begins changes at one machine. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Digest } from '../../src/core/ids.ts'
import { changeOf } from '../../src/governance/changes.ts'
import type { Fact } from '../../src/governance/studies.ts'
import type { Member } from '../../src/ledger/founding.ts'
import { fenceNeeds } from '../../src/node/fence.ts'
import { digestOf } from '../gossip/fixtures.ts'
import {
  ADA,
  approved,
  BEN,
  CLEO,
  EVE,
  FAY,
  FOUNDING_CALL,
  FOUR,
  factOf,
  headOf,
  JOIN,
  keysOf,
  LEAVE,
  Node,
  OTHERS,
  proposed,
  quorumFor,
  SELF,
} from './epochNode.ts'

const it = suite('epoch begun')

it('a node that is no member any more halts, and says nothing after it', () => {
  const node = new Node()
  node.asked()
  node.begin([ADA, BEN, CLEO], [])
  assert.equal(
    node.asked('halt', 'record', 'admit', 'keep-final').map((action) => action.type === 'halt' && action.code),
    ['no-longer-a-member'],
  )
  node.wait(60_000)
  node.hear(...quorumFor(changeOf(2, [EVE], [])))
  assert.equal(node.asked('record', 'announce-head', 'cosign', 'wake'), [])
})

it('an epoch of which the own log does not tell yet is told of at the next start, and once', () => {
  const epochs = [FOUNDING_CALL, { number: 1, members: keysOf([SELF, ADA, BEN]), pins: [] }]
  const epochDigest = digestOf('1')
  const told = factOf(SELF, 'epoch.begun', { epoch: 1, digest: fromHex(epochDigest) })
  const of = (facts: readonly Fact[], known = epochs): unknown[] =>
    new Node({ epochs: known, epochDigest, facts })
      .asked('record')
      .flatMap(({ drafts }) => drafts)
      .filter(({ kind }) => kind === 'epoch.begun')
      .map(({ body }) => body)
  assert.equal(of([]), [{ epoch: 1, digest: fromHex(epochDigest) }])
  assert.equal(of([told]), [])
  assert.equal(of([{ ...told, author: ADA.key }]).length, 1, 'what another tells is not its own word')
  assert.equal(of([], [FOUNDING_CALL]), [], 'the founding has entries of its own')
})

it('an epoch that begins is told of in the own log, its pins are final, and changes for it are forgotten', () => {
  const node = new Node()
  for (const author of [ADA, CLEO])
    node.feed({ type: 'replicated', log: headOf(author, 40), from: author.key, facts: [], published: [] })
  node.hear(proposed(BEN, LEAVE), approved(BEN, LEAVE))
  node.approves(LEAVE)
  node.asked()
  node.begin([SELF, ADA, BEN], [headOf(ADA, 40), headOf(BEN, 9_000), headOf(CLEO, 30)])
  const actions = node.asked('record', 'keep-final', 'admit')
  assert.equal(
    actions.flatMap((action) => (action.type === 'record' ? action.drafts : [])).map(({ kind, body }) => [kind, body]),
    [['epoch.begun', { epoch: 1, digest: fromHex(digestOf('1')) }]],
  )
  assert.equal(
    actions.flatMap((action) => (action.type === 'keep-final' ? `${action.log.author} ${action.log.size}` : [])),
    [`${ADA.key} 40`, `${CLEO.key} 30`],
    'BEN’s log is not here as far as its pin',
  )
  assert.equal(
    actions.flatMap((action) => (action.type === 'admit' ? action.members : [])),
    keysOf([ADA, BEN]),
  )
  assert.equal([node.machine.view().changes, node.machine.view().epoch], [[], 1])
  node.feed({ type: 'replicated', log: headOf(BEN, 9_000), from: BEN.key, facts: [], published: [] })
  assert.equal(
    node.asked('keep-final').map(({ log }) => log.size),
    [9_000],
    'it is final when it has come',
  )
  node.wait(3_600_000)
  assert.equal(
    node.asked('cosign').filter(({ log }) => log.author === CLEO.key),
    [],
    'a log that has ended is witnessed no more',
  )
})

it('logs of those who came are followed, and their heads mean something from then on', () => {
  const node = new Node()
  const hear = (author: Member, size: number) => {
    node.feed({
      type: 'head-heard',
      ticket: 1,
      from: ADA.key,
      log: headOf(author, size),
      signatureValid: true,
      asks: false,
    })
    return node
      .asked('verdict', 'disconnect', 'replicate', 'record')
      .map((action) => (action.type === 'verdict' ? `${action.verdict} ${action.reason}` : action.type))
  }
  node.asked()
  assert.equal(hear(EVE, 2), ['ignore head-ungoverned'])
  node.begin(
    [...FOUR, EVE],
    OTHERS.map((author) => ({ author, size: 0, root: '0'.repeat(64) as Digest })),
  )
  node.asked()
  assert.equal(hear(EVE, 2), ['accept null', 'replicate'])
})

it('what a former member signs beyond its pin is ignored and blames nobody, and its log is fetched as far as the pin', () => {
  const node = new Node()
  const heard = (size: number, from: Member, ticket: number | null = null): void =>
    node.feed({
      type: 'head-heard',
      ticket,
      from: from.key,
      log: headOf(CLEO, size),
      signatureValid: true,
      asks: ticket !== null,
    })
  const fetches = () => node.asked('replicate').map(({ author, from, to }) => [author, from, to])
  node.feed({ type: 'replicated', log: headOf(CLEO, 20), from: CLEO.key, facts: [], published: [] })
  heard(60, CLEO)
  assert.equal(fetches(), [[CLEO.key, 20, 60]])
  node.begin([SELF, ADA, BEN], [headOf(CLEO, 30)])
  node.feed({ type: 'replication-failed', author: CLEO.key, from: CLEO.key, code: 'range-ungoverned', blame: false })
  node.asked()
  heard(60, ADA, 7)
  assert.equal(node.asked('verdict', 'replicate', 'disconnect', 'record'), [
    { type: 'verdict', ticket: 7, verdict: 'ignore', reason: 'head-ungoverned' },
  ])
  assert.equal(node.machine.view().rejections, [])
  heard(60, BEN) // BEN holds all of it, so as far as the pin too
  assert.equal(fetches(), [[CLEO.key, 20, 30]])
  node.feed({ type: 'replicated', log: headOf(CLEO, 30), from: BEN.key, facts: [], published: [] })
  assert.equal(
    node.asked('keep-final').map(({ log }) => log.size),
    [30],
  )
  heard(60, ADA)
  for (let i = 0; i < 10; i++) node.wait(60_000)
  assert.equal([fetches(), node.machine.view().logs.find(({ author }) => author === CLEO.key)?.knownSize], [[], 30])
})

it('a fence that stands asks as many as the members are now, and who left has not answered', () => {
  const node = new Node({ fence: fenceNeeds(4), signed: 5 })
  node.feed({ type: 'heads-told', from: CLEO.key })
  node.begin([SELF, ADA, BEN, EVE, FAY], [])
  assert.equal(node.machine.view().fence, { answered: 0, needed: 2, signed: 5, stored: 0, admitted: true })
  assert.equal(node.kinds(), [], 'nothing is signed')
})

it('a change of members that this node is not part of leaves its vote on the next one free', () => {
  const node = new Node()
  node.hear(...quorumFor(JOIN))
  node.approves(JOIN)
  node.begin(
    [...FOUR, FAY],
    OTHERS.map((author) => ({ author, size: 0, root: '0'.repeat(64) as Digest })),
  )
  node.asked()
  const next = changeOf(2, [EVE], [])
  node.hear(proposed(ADA, next), ...[ADA, BEN, FAY].map((one) => approved(one, next)))
  assert.equal(node.asked('open-slot'), [])
  node.approves(next)
  assert.equal(node.asked('open-slot'), [{ type: 'open-slot', epoch: 2, again: false }])
  node.feed({ type: 'slot-opened', epoch: 1 })
  assert.equal(node.kinds(), [], 'the slot before is over')
})

it.run()
