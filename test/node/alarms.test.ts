/** Alarms in the own log: each once, after a power cut too, and of a witness without harm to its log. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { type Body, KINDS, readBody } from '../../src/governance/kinds.ts'
import type { Fact } from '../../src/governance/studies.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { Machine } from '../../src/node/machine.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'

const it = suite('alarms')
const NAMES = ['self', 'ada', 'ben', 'cleo']
const MEMBERS = NAMES.map((name) => keyOf(name).member)
const [SELF, ADA, BEN, CLEO] = MEMBERS as [MemberId, MemberId, MemberId, MemberId]
type Booted = Extract<NodeEvent, { type: 'booted' }>

function booted(changes: Partial<Booted> = {}): { machine: Machine; actions: Action[] } {
  const machine = new Machine()
  const event: Booted = {
    type: 'booted',
    self: SELF,
    founding: digestOf('founding'),
    epochs: [{ number: 0, pins: [], members: MEMBERS }],
    epochDigest: digestOf('founding'),
    software: '0.0.0',
    logs: [],
    facts: [],
    checkpoints: [],
    datasets: [],
    acceptance: new Uint8Array(64),
    finals: [],
    forks: [],
    cosigners: [],
    fence: { others: 0, needed: 0, wanted: 0 },
    signed: 0,
    ...changes,
  }
  return { machine, actions: machine.step(event, 1_000) }
}

const alarmsIn = (actions: readonly Action[]) =>
  actions
    .flatMap((action) => (action.type === 'record' ? action.drafts : []))
    .filter(({ kind }) => kind.startsWith('alarm.'))

/** As it would stand in the own log. */
function told(
  kind: 'alarm.fork' | 'alarm.witness',
  body: Body<'alarm.fork'> | Body<'alarm.witness'>,
  author = SELF,
): Fact {
  const fact = { author, seq: 0, hash: digestOf(kind), timeMs: 1, lamport: 0, study: null, refs: [] }
  return { ...fact, kind, body: body as unknown as Fact['body'] }
}

it('a witness that cosigned two roots is recorded and said; its log and that of the author go on', () => {
  const { machine } = booted()
  const actions = machine.step({ type: 'witness-proven', witness: BEN, author: ADA, size: 12 }, 2_000)
  const [alarm, ...more] = alarmsIn(actions)
  assert.equal([alarm?.kind, more], ['alarm.witness', []])
  const body = readBody('alarm.witness', alarm?.body ?? null)
  assert.equal(body, { author: fromHex(ADA), member: fromHex(BEN), size: 12 })
  const said = actions.find((action) => action.type === 'tell' && action.event === 'conflicting-cosignatures')
  assert.equal(said, {
    type: 'tell',
    level: 'warn',
    event: 'conflicting-cosignatures',
    facts: { member: BEN, author: ADA, size: 12 },
  })
  assert.ok(machine.view().logs.every(({ frozen }) => !frozen))
  assert.ok(!actions.some(({ type }) => type === 'halt'))
})

it('what was kept and not recorded before the power went is recorded at the next start, and nothing twice', () => {
  const fork = { author: ADA, size: 8 }
  const cosigner = { witness: BEN, author: ADA, size: 12 }
  const untold = alarmsIn(booted({ forks: [fork], cosigners: [cosigner] }).actions)
  assert.equal(
    untold.map(({ kind }) => kind),
    ['alarm.fork', 'alarm.witness'],
  )
  const facts = [
    told('alarm.fork', { member: fromHex(ADA), size: 8 }),
    told('alarm.witness', { author: fromHex(ADA), member: fromHex(BEN), size: 12 }),
  ]
  const later = { witness: CLEO, author: ADA, size: 12 }
  const again = alarmsIn(booted({ forks: [fork], cosigners: [cosigner, later], facts }).actions)
  assert.equal(
    again.map(({ body }) => readBody('alarm.witness', body)?.member),
    [fromHex(CLEO)],
  )
})

it('an alarm of a witness freezes nothing at a start, and one that another member wrote is its own', () => {
  const facts = [
    told('alarm.witness', { author: fromHex(ADA), member: fromHex(BEN), size: 12 }),
    told('alarm.witness', { author: fromHex(ADA), member: fromHex(CLEO), size: 12 }, ADA),
  ]
  const cosigners = [BEN, CLEO].map((witness) => ({ witness, author: ADA, size: 12 }))
  const { machine, actions } = booted({ facts, cosigners })
  assert.ok(machine.view().logs.every(({ frozen }) => !frozen))
  assert.equal(
    alarmsIn(actions).map(({ body }) => readBody('alarm.witness', body)?.member),
    [fromHex(CLEO)],
  )
})

it('the body of such an alarm is strict', () => {
  const body = { author: fromHex(ADA), member: fromHex(BEN), size: 12 }
  assert.equal(Object.keys(KINDS['alarm.witness'].entries), ['author', 'member', 'size'])
  for (const bad of [
    { ...body, more: 1 },
    { ...body, size: -1 },
    { ...body, member: new Uint8Array(31) },
    { size: 12 },
  ])
    assert.is(readBody('alarm.witness', bad), null)
})

it('a quorum that contradicts what is stored is taken back: final is what was kept before it, and no newer head suffers', () => {
  const head = (size: number) => ({ author: ADA, size, root: digestOf(`ada ${size}`) })
  const { machine } = booted({ finals: [head(5)] })
  machine.step({ type: 'final-kept', log: head(9) }, 2_000)
  const other = { ...head(9), root: digestOf('another') }
  machine.step({ type: 'final-refused', log: other, kept: null }, 2_001)
  machine.step({ type: 'final-refused', log: head(8), kept: null }, 2_002)
  assert.equal(machine.finality.final(ADA), head(9))
  machine.step({ type: 'final-refused', log: head(9), kept: head(5) }, 2_003)
  assert.equal(machine.finality.final(ADA), head(5))
})

it.run()
