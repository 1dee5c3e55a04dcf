/** The boot fence: how many must answer, for how long it is waited, and that nothing is signed before. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Digest, MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import { quorum } from '../../src/ledger/founding.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { Fence, fenceNeeds } from '../../src/node/fence.ts'
import { Machine } from '../../src/node/machine.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'

const it = suite('fence')
const START_MS = 1_750_000_000_000
const member = (i: number): MemberId => `${i}`.padStart(64, '0') as MemberId

it('of 2 to 40 members so many are asked that one of every quorum answers, an honest one where some lie', () => {
  for (let n = 2; n <= 40; n++) {
    const { others, needed, wanted } = fenceNeeds(n)
    const liars = Math.floor((n - 1) / 3)
    const silent = n - 1 - needed
    assert.ok(silent < quorum(n) - 1, `${n}: those who did not answer cannot alone have cosigned with the author`)
    assert.ok(n - 1 - (needed - 1) >= quorum(n) - 1, `${n}: with one answer fewer they could`)
    assert.is(others, n - 1)
    assert.ok(needed >= 1 && wanted <= others)
    assert.is(wanted, Math.min(needed + liars, others))
  }
  assert.equal(
    [2, 3, 4, 5, 7, 10, 40].map((n) => Object.values(fenceNeeds(n))),
    [
      [1, 1, 1],
      [2, 1, 1],
      [3, 2, 3],
      [4, 2, 3],
      [6, 3, 5],
      [9, 4, 7],
      [39, 14, 27],
    ],
  )
})

it('a final head comes to light however as many lie as a quorum bears, where all that is wanted answers; 300 draws', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const rng = Rng.from('fence', seed)
    const n = 4 + rng.below(12)
    const shuffled = (count: number): number[] => {
      const left = Array.from({ length: n - 1 }, (_, i) => i)
      return Array.from({ length: count }, () => left.splice(rng.below(left.length), 1)[0] as number)
    }
    const holders = new Set(shuffled(quorum(n) - 1))
    const liars = new Set(shuffled(Math.floor((n - 1) / 3)))
    const fence = new Fence(fenceNeeds(n), 5)
    for (const i of shuffled(fenceNeeds(n).wanted)) {
      if (holders.has(i) && !liars.has(i)) fence.ownHead({ size: 9 })
      fence.answered(member(i), START_MS)
    }
    assert.not.ok(fence.mayPass(5, START_MS), `seed ${seed}: ${n} members`)
    assert.ok(fence.mayPass(9, START_MS), `seed ${seed}`)
  }
})

it('the wanted answers let pass at once, the needed ones after ten seconds, fewer never, and one member counts once', () => {
  const fence = new Fence(fenceNeeds(7), 5) // 3 needed, 5 wanted
  for (const i of [1, 2, 2, 2, 1]) fence.answered(member(i), START_MS)
  assert.equal([fence.mayPass(5, START_MS + 3_600_000), fence.wakeAtMs(START_MS)], [false, null])
  fence.answered(member(3), START_MS + 100)
  assert.equal([fence.wakeAtMs(START_MS + 100), fence.mayPass(5, START_MS + 10_099)], [START_MS + 10_100, false])
  fence.answered(member(4), START_MS + 5_000)
  assert.is(fence.wakeAtMs(START_MS + 5_000), START_MS + 10_100, 'a further answer does not put it off')
  assert.is(fence.wakeAtMs(START_MS + 10_100), null, 'what time alone can do is done')
  assert.ok(fence.mayPass(5, START_MS + 10_100))
  const quick = new Fence(fenceNeeds(7), 5)
  for (let i = 1; i <= 5; i++) quick.answered(member(i), START_MS)
  assert.ok(quick.mayPass(5, START_MS))
  assert.equal([quick.wakeAtMs(START_MS), quick.view(5, true)], [null, null])
})

it('a key that has signed nothing waits for the needed answers only', () => {
  const fence = new Fence(fenceNeeds(7), 0)
  for (let i = 1; i <= 2; i++) fence.answered(member(i), START_MS)
  assert.not.ok(fence.mayPass(0, START_MS))
  fence.answered(member(3), START_MS)
  assert.ok(fence.mayPass(0, START_MS))
})

it('what the key has signed, by the pin or by what is heard, must be here first', () => {
  const fence = new Fence(fenceNeeds(4), 8)
  for (let i = 1; i <= 3; i++) fence.answered(member(i), START_MS)
  fence.ownHead({ size: 11 })
  fence.ownHead({ size: 9 })
  assert.equal(fence.view(8, true), { answered: 3, needed: 2, signed: 11, stored: 8, admitted: true })
  assert.equal(
    [8, 10].map((size) => fence.mayPass(size, START_MS + 3_600_000)),
    [false, false],
  )
  assert.ok(fence.mayPass(11, START_MS))
  assert.ok(fence.mayPass(0, START_MS), 'passed once, it stays passed')
})

it('entries are lost for good where everybody has answered and nobody has heard of them, and not before', () => {
  const fence = new Fence(fenceNeeds(4), 8)
  fence.answered(member(1), START_MS)
  fence.answered(member(2), START_MS)
  assert.equal([fence.hasLost(5), fence.mayPass(5, START_MS + 3_600_000)], [false, false])
  fence.answered(member(3), START_MS)
  assert.equal([fence.hasLost(8), fence.hasLost(5)], [false, true])
  fence.ownHead({ size: 7 })
  assert.equal([fence.hasLost(5), fence.mayPass(5, START_MS)], [false, false], 'some of them are somewhere')
  assert.equal([fence.hasLost(7), fence.mayPass(7, START_MS)], [true, true], 'the rest is nowhere')
})

it('who has left does not answer for who has not', () => {
  const fence = new Fence(fenceNeeds(4), 8)
  for (let i = 1; i <= 2; i++) fence.answered(member(i), START_MS)
  fence.need(fenceNeeds(3), [0, 2, 3].map(member), START_MS) // 2 others, 1 needed
  assert.equal([fence.hasLost(5), fence.view(5, true)?.answered], [false, 1])
  fence.answered(member(3), START_MS)
  assert.ok(fence.hasLost(5))
})

it('where fewer members need fewer answers those that have come are enough, after the same wait; where more do they are not', () => {
  const fence = new Fence(fenceNeeds(7), 5) // 3 needed, 5 wanted
  for (let i = 1; i <= 2; i++) fence.answered(member(i), START_MS)
  const six = Array.from({ length: 6 }, (_, i) => member(i))
  fence.need(fenceNeeds(6), six, START_MS + 7_000) // 2 needed, 3 wanted
  assert.is(fence.wakeAtMs(START_MS + 7_000), START_MS + 17_000)
  fence.need(fenceNeeds(9), [...six, ...[6, 7, 8].map(member)], START_MS + 8_000) // 3 needed
  assert.equal([fence.wakeAtMs(START_MS + 8_000), fence.mayPass(5, START_MS + 30_000)], [null, false])
  fence.need(fenceNeeds(6), six, START_MS + 9_000)
  assert.equal([fence.mayPass(5, START_MS + 18_999), fence.mayPass(5, START_MS + 19_000)], [false, true])
})

// the same in the machine
const [SELF, ...OTHERS] = ['self', 'ada', 'ben', 'cleo'].map((name) => keyOf(name).member) as [MemberId, ...MemberId[]]
const rootOf = (size: number): Digest => digestOf(`own root ${size}`)

class Booted {
  readonly machine = new Machine()
  readonly actions: Action[] = []
  now = START_MS

  constructor(stored: number, signed: number) {
    this.feed({
      type: 'booted',
      self: SELF,
      founding: digestOf('founding'),
      epochs: [{ number: 0, members: [SELF, ...OTHERS], pins: [] }],
      epochDigest: digestOf('founding'),
      software: '0.0.0',
      logs: [{ author: SELF, size: stored, root: rootOf(stored) }],
      facts: [],
      checkpoints: [],
      datasets: [],
      acceptance: new Uint8Array(64),
      finals: [],
      forks: [],
      cosigners: [],
      fence: fenceNeeds(4),
      signed,
    })
  }

  feed(event: NodeEvent): string[] {
    const actions = this.machine.step(event, this.now)
    this.actions.push(...actions)
    return actions.map(({ type }) => type)
  }

  /** `from` is connected and tells of its heads: of the own log up to `size`. */
  answer(from: MemberId, size: number): string[] {
    this.feed({ type: 'peer-connected', member: from })
    const log = { author: SELF, size, root: rootOf(size) }
    this.feed({ type: 'head-heard', ticket: null, from, log, signatureValid: true, asks: false })
    return this.feed({ type: 'heads-told', from })
  }

  get signs(): boolean {
    return this.actions.some(({ type }) => ['record', 'cosign', 'ask-cosign', 'announce-cosigned'].includes(type))
  }
}

it('before the fence is passed nothing is recorded or cosigned, and every command is answered with why', () => {
  const booted = new Booted(5, 5)
  const [ada] = OTHERS as [MemberId, MemberId, MemberId]
  const study = digestOf('a study') as never
  for (const event of [
    { type: 'study-add', ticket: 1, study, document: new Uint8Array(3) },
    { type: 'study-accept', ticket: 2, study },
    { type: 'study-pause', ticket: 3, study, paused: true },
  ] as const)
    booted.feed(event)
  const answers = booted.actions.flatMap((action) => (action.type === 'answer' ? action.error?.code : []))
  assert.equal(answers, ['boot-fence', 'boot-fence', 'boot-fence'])
  booted.answer(ada, 5)
  const log = { author: ada, size: 3, root: digestOf('root of ada') }
  booted.feed({ type: 'replicated', log, from: ada, facts: [], published: [] })
  booted.feed({ type: 'head-heard', ticket: 4, from: ada, log, signatureValid: true, asks: true })
  booted.now += 3_600_000
  booted.feed({ type: 'woken' })
  booted.feed({ type: 'stranger-refused' })
  booted.feed({ type: 'peer-misbehaved', member: ada })
  assert.not.ok(booted.signs)
  assert.equal(booted.machine.view().fence, { answered: 1, needed: 2, signed: 5, stored: 5, admitted: true })
  assert.ok(booted.feed({ type: 'stop', reason: 'test' }).includes('stopped'), 'it stops cleanly')
  assert.not.ok(booted.signs, 'and does not sign that either')
})

it('a machine whose log is shorter elsewhere than here, and longer at one member, fetches it back before it signs', () => {
  const booted = new Booted(5, 5)
  const [ada, ben, cleo] = OTHERS as [MemberId, MemberId, MemberId]
  booted.answer(ada, 3)
  booted.answer(ben, 5)
  assert.ok(booted.answer(cleo, 9).length >= 0)
  assert.not.ok(booted.signs)
  const fetch = booted.actions.find((action) => action.type === 'replicate')
  assert.equal([fetch?.type === 'replicate' && fetch.peer, fetch?.type === 'replicate' && fetch.to], [cleo, 9])
  booted.feed({
    type: 'replicated',
    log: { author: SELF, size: 9, root: rootOf(9) },
    from: cleo,
    facts: [],
    published: [],
  })
  assert.ok(booted.signs)
  assert.is(booted.machine.view().fence, null)
})

it('who is connected and has not answered is asked again, and who has answered is not', () => {
  const booted = new Booted(5, 5)
  const [ada, ben] = OTHERS as [MemberId, MemberId, MemberId]
  booted.answer(ada, 5)
  booted.feed({ type: 'peer-connected', member: ben })
  booted.actions.length = 0
  booted.now += 5_000
  booted.feed({ type: 'woken' })
  const asked = booted.actions.flatMap((action) => (action.type === 'ask-heads' ? action.peer : []))
  assert.equal(asked, [ben])
})

it('where the newest own entries are lost for good the pin is told before anything is recorded', () => {
  const booted = new Booted(5, 8)
  const types = OTHERS.map((from) => booted.answer(from, 5)).at(-1) as string[]
  assert.ok(types.includes('forget-signed') && types.indexOf('forget-signed') < types.indexOf('record'), `${types}`)
})

it.run()
