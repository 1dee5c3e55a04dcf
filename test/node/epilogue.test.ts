/** What follows the end of a study at one node: once, whatever happens to it, and again when it is asked for. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { readBody } from '../../src/governance/kinds.ts'
import type { Permit } from '../../src/governance/permit.ts'
import type { StudyState } from '../../src/governance/studies.ts'
import type { Action } from '../../src/node/actions.ts'
import type { Context } from '../../src/node/context.ts'
import { type Ended, Epilogue } from '../../src/node/epilogue.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { DOCUMENT, Harness, ID, OTHERS, SELF } from './harness.ts'

const it = suite('epilogue')
const [ADA, BEN] = OTHERS as [MemberId, MemberId]

const asked = <T extends Action['type']>(world: Harness, type: T) =>
  world.steps.flatMap(({ actions }) => actions.filter((one): one is Extract<Action, { type: T }> => one.type === type))
const told = (world: Harness, kind: string): number => world.kinds.filter((one) => one === kind).length

/** In a study with Ada and Ben, who train too; nothing is trained yet. */
function begun(): Harness {
  const world = new Harness()
  world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT }))
  world.commit(10)
  for (const who of [ADA, BEN]) {
    world.hearEntry(who, { kind: 'study.accepted', study: ID, body: {} })
    const commitment = fromHex(digestOf(who))
    world.hearEntry(who, { kind: 'dataset.bound', study: ID, body: { rows: 60, trainRows: 45, commitment } })
  }
  world.bind('table')
  return world
}

/** One thing that moves it on: what is recorded is made durable, the learner answers, or time passes. */
function move(world: Harness): void {
  if (world.run?.phase === 'resting') world.hearUpdate(ADA, { round: world.run.round })
  world.commit(10)
  if (world.run?.phase === 'ended') return
  world.learn()
  if (world.run?.phase === 'resting' || world.run?.phase === 'statistics') world.waitAsWished()
}

function until(world: Harness, phase: NonNullable<Harness['run']>['phase'], round = 0): Harness {
  for (let i = 0; i < 200; i++) {
    if (world.run?.phase === phase && world.run.round >= round) return world
    move(world)
  }
  throw new Error(`the study never came to ${phase} ${round}`)
}

/** The study has ended here, with an update of Ada held; nothing of what follows is answered. */
const ended = (): Harness => until(begun(), 'ended')

function othersEnd(world: Harness): void {
  const body = { rounds: 4, model: new Uint8Array(32) }
  for (const who of [ADA, BEN]) world.hearEntry(who, { kind: 'study.ended', study: ID, body })
}

it('the own model is measured as soon as the study ends, and the updates of the others when they have ended, too', () => {
  const world = ended()
  assert.equal([asked(world, 'measure').length, asked(world, 'cross').length], [1, 0])
  othersEnd(world)
  const crossed = asked(world, 'cross')
  assert.equal(
    crossed.map(({ others }) => others.map(({ author }) => author)),
    [[ADA]],
  )
  assert.ok(world.finish())
  assert.equal([told(world, 'study.measured'), told(world, 'study.crossed')], [1, 1])
})

it('who never ends is waited for no longer than the study lets an update age', () => {
  const world = ended()
  world.wait(5_999)
  assert.is(asked(world, 'cross').length, 0)
  world.wait(1) // statistics.deadlineSeconds is 6, and 4 rounds of 0.8 s are less
  assert.is(asked(world, 'cross').length, 1)
})

it('what is recorded is not done again at the next start', () => {
  const world = ended()
  othersEnd(world)
  assert.ok(world.finish())
  const before = asked(world, 'open-study').length
  world.crash()
  assert.equal([world.run?.phase, world.run?.evaluating], ['ended', false])
  world.wait(60_000)
  assert.equal([asked(world, 'open-study').length, asked(world, 'measure').length], [before, 1])
})

for (const answers of [0, 1, 2]) {
  it(`a crash after ${answers} answers that are not durable: the rows are opened again, and updates that were held are tested`, () => {
    const world = ended()
    othersEnd(world)
    for (let i = 0; i < answers; i++) world.learn()
    world.crash()
    assert.is(world.run?.evaluating, true)
    assert.is(asked(world, 'open-study').at(-1)?.start, 'resume')
    assert.ok(world.finish())
    assert.equal([told(world, 'study.measured'), told(world, 'study.crossed')], [1, 1])
    assert.equal(
      asked(world, 'cross')
        .at(-1)
        ?.others.map(({ author }) => author),
      [ADA],
    )
  })
}

it('a learner that fails is asked three times at one start, half a minute apart, and again at the next', () => {
  const world = ended()
  othersEnd(world)
  for (let i = 0; i < 20; i++) {
    world.learn(true)
    world.learn(true)
    world.wait(30_000)
  }
  assert.equal([asked(world, 'measure').length, asked(world, 'cross').length], [3, 3])
  assert.is(world.run?.evaluating, false)
  world.crash()
  assert.ok(world.finish())
  assert.is(told(world, 'study.measured'), 1)
})

it('a paused study is not evaluated until it is resumed', () => {
  const world = until(begun(), 'evaluating', 3)
  const pause = (paused: boolean) => world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused }))
  pause(true)
  until(world, 'ended')
  world.wait(60_000)
  assert.is(asked(world, 'measure').length, 0)
  pause(false)
  world.commit(10)
  assert.is(asked(world, 'measure').length, 1)
})

it('an operator may ask for it at any time', () => {
  const world = until(begun(), 'resting', 1)
  const ask = () => {
    const actions = world.command((ticket) => ({ type: 'study-evaluate', ticket, study: ID }))
    return actions.flatMap((one) => (one.type === 'answer' ? [one.error?.code] : []))
  }
  assert.equal(ask(), [undefined])
  assert.equal([asked(world, 'measure').length, asked(world, 'cross').length], [1, 1])
  assert.ok(world.finish())
  assert.is(told(world, 'study.measured'), 2, 'once when asked, once at the end')
  assert.equal(ask(), [undefined])
  assert.ok(world.finish())
  assert.is(told(world, 'study.measured'), 3)
  world.crash()
  assert.equal(ask(), [undefined], 'also where the rows must be opened again')
  assert.ok(world.finish())
  assert.is(told(world, 'study.measured'), 4)
})

it('where patients are asked, a model that was told of is not measured again: figures before and after a word would tell of it', () => {
  const [first, second] = [digestOf('first'), digestOf('second')]
  const out: Action[] = []
  const context = { self: SELF, out } as unknown as Context
  const stateOf = (consent: object | null) => {
    const study = { consent, report: { crossSite: true } }
    return { study, measured: new Map([[SELF, first]]), crossed: new Map([[SELF, first]]) } as unknown as StudyState
  }
  const asking = (model: typeof first, consent: object | null) => {
    const epilogue = new Epilogue(ID, context)
    epilogue.opened()
    const ended = { model, others: () => [], leave: () => ({}) } as unknown as Ended
    const why = epilogue.demand(stateOf(consent), ended, false)
    epilogue.roundBegins(stateOf(consent), {} as Permit, ended)
    return [why, out.splice(0).length]
  }
  assert.equal(asking(first, { basis: 'opt-out' }), ['model-measured', 0])
  assert.equal(asking(second, { basis: 'opt-out' }), [null, 2])
  assert.equal(asking(first, null), [null, 2])
})

it('before the first complete round there is nothing to evaluate', () => {
  const world = until(begun(), 'training')
  const actions = world.command((ticket) => ({ type: 'study-evaluate', ticket, study: ID }))
  const [answer] = actions.flatMap((one) => (one.type === 'answer' ? [one] : []))
  assert.is(answer?.error?.code, 'model-missing')
})

it('what is measured and crossed goes into entries whose bodies fit', () => {
  const world = ended()
  othersEnd(world)
  assert.ok(world.finish())
  const drafts = asked(world, 'record').flatMap((action) => action.drafts)
  const bodyOf = (wanted: string) => drafts.find(({ kind }) => kind === wanted)?.body ?? null
  assert.is(readBody('study.measured', bodyOf('study.measured'))?.round, 3)
  assert.is(readBody('study.crossed', bodyOf('study.crossed'))?.sites[0]?.logLoss, 0.6)
  assert.is(world.state?.measured.get(SELF), world.run?.model)
})

it.run()
