/** Changes of the membership at one machine: when it votes, whom it lets in, and whose log it witnesses meanwhile. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Digest } from '../../src/core/ids.ts'
import { changeOf, PROPOSALS_MAX } from '../../src/governance/changes.ts'
import { fenceNeeds } from '../../src/node/fence.ts'
import {
  ADA,
  approved,
  BEN,
  CLEO,
  EVE,
  FAY,
  FOUR,
  factOf,
  headOf,
  JOIN,
  LEAVE,
  Node,
  type Of,
  OTHERS,
  proposed,
  quorumFor,
  SELF,
} from './epochNode.ts'

const it = suite('reconfiguring')

it('a slot is opened where a quorum approves and this node’s own people do, and not before', () => {
  const node = new Node()
  node.hear(...quorumFor(JOIN))
  assert.equal(node.asked('open-slot'), [], 'three of four are a quorum, but not of this node’s mind')
  node.approves(JOIN)
  assert.equal(node.asked('open-slot'), [{ type: 'open-slot', epoch: 1, again: false }])
  node.wait(3_600_000)
  assert.equal(node.asked('open-slot'), [], 'once')
  const early = new Node()
  early.hear(proposed(ADA, JOIN), approved(ADA, JOIN))
  early.approves(JOIN)
  assert.equal(early.asked('open-slot'), [])
  early.hear(approved(EVE, JOIN))
  assert.equal(early.asked('open-slot'), [], 'a newcomer has no say in who comes')
  early.hear(approved(CLEO, JOIN))
  assert.is(early.asked('open-slot').length, 1)
})

it('a node does not vote for a change of which its people said no last', () => {
  const node = new Node()
  node.hear(proposed(ADA, JOIN), approved(ADA, JOIN), approved(BEN, JOIN))
  const no = factOf(SELF, 'epoch.rejected', { epoch: 1, change: fromHex(JOIN.id) })
  node.commits('change', approved(SELF, JOIN), no)
  assert.is(node.asked('open-slot').length, 0)
  node.hear(approved(CLEO, JOIN))
  assert.equal(node.asked('open-slot', 'admit'), [])
})

it('that it votes is in the own log before it does, and it votes once', () => {
  const node = new Node()
  node.hear(...quorumFor(JOIN))
  node.approves(JOIN)
  node.asked()
  node.feed({ type: 'slot-opened', epoch: 1 })
  const [record] = node.asked('record', 'vote')
  assert.equal(record?.type === 'record' && record.drafts.map(({ kind, body }) => [kind, body]), [
    ['epoch.voting', { epoch: 1 }],
  ])
  node.commits('something else')
  assert.equal(node.asked('vote'), [])
  node.commits((record as Of<'record'>).tag, factOf(SELF, 'epoch.voting', { epoch: 1 }))
  assert.equal(node.asked('vote'), [{ type: 'vote', epoch: 1 }])
  node.feed({ type: 'slot-opened', epoch: 1 })
  node.feed({ type: 'slot-opened', epoch: 2 })
  assert.equal([node.asked('vote'), node.kinds()], [[], []])
})

it('after a restart the shell is told that this node has voted, and no second entry is written', () => {
  const facts = [...quorumFor(JOIN), approved(SELF, JOIN), factOf(SELF, 'epoch.voting', { epoch: 1 })]
  const node = new Node({ facts })
  assert.equal(node.asked('open-slot'), [{ type: 'open-slot', epoch: 1, again: true }])
  node.feed({ type: 'slot-opened', epoch: 1 })
  assert.equal(
    node.asked('vote', 'record').map(({ type }) => type),
    ['vote'],
  )
  const other = new Node({ facts: facts.with(-1, factOf(BEN, 'epoch.voting', { epoch: 1 })) })
  assert.equal(other.asked('open-slot')[0]?.again, false, 'that another votes says nothing')
})

it('behind the boot fence a member opens no slot, for it does not know what it has signed', () => {
  const facts = [...quorumFor(JOIN), approved(SELF, JOIN)]
  const node = new Node({ facts, fence: fenceNeeds(4) })
  node.wait(3_600_000)
  assert.equal(node.asked('open-slot'), [])
  for (const from of [EVE.key, FAY.key, CLEO.key]) node.feed({ type: 'heads-told', from })
  assert.equal(node.machine.view().fence?.answered, 1, 'of who is no member it is not known what it has seen')
  for (const from of [ADA.key, BEN.key]) node.feed({ type: 'heads-told', from })
  assert.is(node.asked('open-slot').length, 1)
})

it('a hospital that wants to come in votes without a log: no entry, no command, and nothing is cosigned', () => {
  const node = new Node({ fence: fenceNeeds(5) }, EVE)
  node.hear(proposed(ADA, LEAVE), ...[ADA, BEN, SELF].map((one) => approved(one, LEAVE)))
  assert.equal(node.asked('open-slot'), [], 'a change without it is not its own')
  node.hear(proposed(ADA, JOIN), ...[ADA, BEN, SELF].map((one) => approved(one, JOIN)))
  assert.equal(node.asked('open-slot'), [{ type: 'open-slot', epoch: 1, again: false }])
  node.feed({ type: 'slot-opened', epoch: 1 })
  assert.equal(node.asked('vote', 'record'), [{ type: 'vote', epoch: 1 }])
  assert.is(node.command({ type: 'epoch-approve', ticket: 0, change: JOIN.id }), 'boot-fence')
  node.feed({ type: 'head-heard', ticket: 1, from: ADA.key, log: headOf(ADA, 9), signatureValid: true, asks: true })
  node.hear(proposed(ADA, JOIN))
  node.wait(60_000)
  assert.equal(node.asked('cosign', 'record'), [])
})

it('a hospital that waits to be let in is not woken without end, though enough members have answered', () => {
  const node = new Node({ fence: fenceNeeds(5) }, EVE)
  for (const from of OTHERS) {
    node.feed({ type: 'peer-connected', member: from })
    node.feed({ type: 'heads-told', from })
  }
  let steps = 0
  for (const endMs = node.now + 600_000; node.now < endMs; steps++) {
    node.asked()
    node.feed({ type: 'woken' })
    node.now = Math.max(node.now + 1, node.wakeAtMs ?? endMs)
  }
  assert.ok(steps < 600, `${steps} steps in ten minutes`)
  node.begin(
    [...FOUR, EVE],
    OTHERS.map((author) => ({ author, size: 0, root: '0'.repeat(64) as Digest })),
  )
  assert.equal(node.machine.view().fence, null, 'it signs as soon as it is one of them')
  assert.ok(node.kinds().includes('epoch.begun'))
})

it('who is to come may connect as soon as this node’s own people say so, and no longer than that', () => {
  const node = new Node()
  node.hear(proposed(ADA, JOIN), approved(ADA, JOIN))
  assert.equal(node.asked('admit'), [])
  node.approves(JOIN)
  assert.equal(node.asked('admit'), [{ type: 'admit', members: [...OTHERS, EVE.key] }])
  node.feed({ type: 'peer-connected', member: EVE.key })
  assert.equal([node.machine.view().connected.length, node.kinds()], [1, []], 'it is no member that was seen')
  assert.is(node.command({ type: 'epoch-reject', ticket: 0, change: JOIN.id }), null)
  node.commits('change', factOf(SELF, 'epoch.rejected', { epoch: 1, change: fromHex(JOIN.id) }))
  assert.equal(node.asked('admit'), [{ type: 'admit', members: OTHERS }])
  const again = new Node({ facts: [proposed(ADA, JOIN), approved(SELF, JOIN)] })
  assert.equal(again.asked('admit').at(-1)?.members, [...OTHERS, EVE.key], 'and after a restart')
})

it('once a node votes its people can take nothing back, in this run or after a restart', () => {
  const node = new Node()
  node.hear(proposed(ADA, LEAVE), ...quorumFor(JOIN))
  node.approves(LEAVE)
  assert.is(node.command({ type: 'epoch-reject', ticket: 0, change: LEAVE.id }), null)
  node.approves(JOIN)
  for (const { id } of [JOIN, LEAVE])
    assert.is(node.command({ type: 'epoch-reject', ticket: 0, change: id }), 'change-voting')
  const facts = [...quorumFor(LEAVE), approved(SELF, LEAVE), factOf(SELF, 'epoch.voting', { epoch: 1 })]
  const known = facts.filter(({ author, kind }) => author === SELF.key || kind === 'epoch.proposed')
  const again = new Node({ facts: known }) // the approvals of the others are not here yet
  assert.is(again.asked('open-slot').length, 0)
  assert.is(again.command({ type: 'epoch-reject', ticket: 0, change: LEAVE.id }), 'change-voting')
})

it('commands about what is not there are refused, and a repetition writes nothing', () => {
  const node = new Node()
  node.asked()
  assert.is(node.command({ type: 'epoch-approve', ticket: 0, change: JOIN.id }), 'change-unknown')
  assert.is(node.command({ type: 'epoch-propose', ticket: 0, change: changeOf(2, [EVE], []) }), 'change-late')
  assert.equal(node.kinds(), [])
  assert.is(node.command({ type: 'epoch-propose', ticket: 0, change: JOIN }), null)
  assert.equal(node.kinds(), ['epoch.proposed', 'epoch.approved'])
  node.commits('change', proposed(SELF, JOIN), approved(SELF, JOIN))
  assert.is(node.command({ type: 'epoch-propose', ticket: 0, change: JOIN }), null)
  assert.equal(node.kinds(), [])
  node.hear(proposed(ADA, LEAVE))
  assert.is(node.command({ type: 'epoch-propose', ticket: 0, change: LEAVE }), null)
  assert.equal(node.kinds(), ['epoch.approved'], 'another has proposed the same')
  for (let i = 1; i < PROPOSALS_MAX; i++) {
    const change = changeOf(1, [{ ...EVE, name: `eve ${i}` }], [])
    assert.is(node.command({ type: 'epoch-propose', ticket: 0, change }), null)
    node.commits('change', proposed(SELF, change), approved(SELF, change))
  }
  const change = changeOf(1, [{ ...EVE, name: 'one more' }], [])
  assert.is(node.command({ type: 'epoch-propose', ticket: 0, change }), 'changes-full')
})

it.run()
