/** Grants in the machine: what another member's study needs one for, and when it stops. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { StudyId } from '../../src/core/ids.ts'
import type { Action } from '../../src/node/actions.ts'
import { digestOf } from '../gossip/fixtures.ts'
import { ADA, SELF } from '../governance/agreementFixtures.ts'
import { DOCUMENT, Harness, ID } from './harness.ts'

const it = suite('grants in the machine')
const DATASET = digestOf('a dataset')
const REGISTERED = {
  version: digestOf('a version'),
  entry: [SELF, 0, digestOf('its entry')],
  dataset: DATASET,
} as const
const FAR_MS = Date.parse('2999-01-01T00:00Z')

const actions = (world: Harness): Action[] => world.steps.flatMap((step) => step.actions)
const trained = (world: Harness): number => actions(world).filter(({ type }) => type === 'train').length
const answer = (world: Harness): string | null =>
  actions(world)
    .flatMap((one) => (one.type === 'answer' ? [one.error?.code ?? null] : []))
    .at(-1) ?? null

const say = (world: Harness, kind: string, body: object, study: StudyId | null = null): void =>
  world.say({ kind: kind as 'study.paused', study, body: body as Cbor })
const announce = (world: Harness): void =>
  say(world, 'catalogue.announced', {
    ...{ dataset: fromHex(DATASET), version: fromHex(digestOf('a version')), name: 'stroke', title: [], source: 'ehr' },
    ...{ purposes: [6], counted: 'rows', count: 60, cohort: 10, counts: 'granted' },
  })

/** Authors whose updates are not served, as it was told last. */
const withheld = (world: Harness): readonly string[] | undefined =>
  actions(world)
    .flatMap((one) => (one.type === 'withhold' ? [one.authors] : []))
    .at(-1)

/** Reasons of what the log says was not done. */
const denied = (world: Harness): Cbor[] =>
  actions(world).flatMap((one) =>
    one.type === 'record'
      ? one.drafts.flatMap(({ kind, body }) => (kind === 'access.denied' ? [(body as { reason: Cbor }).reason] : []))
      : [],
  )

/** Ada proposes, and this hospital accepts. */
function studying(world: Harness): Harness {
  world.hearEntry(ADA, { kind: 'study.proposed', study: ID, body: { document: DOCUMENT } })
  world.command((ticket) => ({ type: 'study-accept', ticket, study: ID }))
  world.commit(100)
  return world
}

/** Ada asks for the dataset, for this study. */
function ask(world: Harness, until = FAR_MS): Uint8Array {
  const body = { member: fromHex(SELF), dataset: fromHex(DATASET), purposes: [6], until }
  world.hearEntry(ADA, { kind: 'access.asked', study: ID, body })
  return fromHex(world.view.access.all()[0]?.id as string)
}

function go(world: Harness, steps: number): void {
  for (let i = 0; i < steps; i++) {
    world.commit(100)
    world.learn()
    world.wait(900)
  }
}

it('a table is bound to another member’s study only when a grant for it is final, and trains then', () => {
  const world = studying(new Harness({ grantsRequired: true }))
  world.bind('a table')
  assert.is(answer(world), 'access-not-announced')
  announce(world)
  world.bind('a table')
  assert.is(answer(world), 'access-not-announced', 'a table that is no registered one')
  world.bind('a table', REGISTERED)
  assert.is(answer(world), 'access-missing')
  const request = ask(world)
  world.bind('a table', REGISTERED)
  assert.is(answer(world), 'access-asked')
  say(world, 'access.granted', { request, until: FAR_MS }, ID)
  world.bind('a table', REGISTERED)
  assert.is(answer(world), 'access-pending')
  world.makeFinal(SELF)
  world.bind('a table', REGISTERED)
  assert.is(answer(world), null)
  world.commit(100)
  world.wait(7_000) // statistics are waited for
  go(world, 12)
  assert.is(world.run?.refusal, null)
  assert.ok(trained(world) > 1)
})

/** Granted, bound, and in its rounds. */
function granted(until = FAR_MS): { readonly world: Harness; readonly request: Uint8Array } {
  const world = studying(new Harness({ grantsRequired: true }))
  announce(world)
  const request = ask(world, until)
  say(world, 'access.granted', { request, until }, ID)
  world.makeFinal(SELF)
  world.bind('a table', REGISTERED)
  world.commit(100)
  world.wait(7_000)
  go(world, 8)
  assert.ok(trained(world) > 0)
  return { world, request }
}

for (const [what, kind, code] of [
  ['a revocation', 'access.revoked', 'access-revoked'],
  ['a withdrawal of the dataset', 'catalogue.withdrawn', 'access-withdrawn'],
] as const) {
  it(`${what} binds the next round though it is not final, and own updates are served no more`, () => {
    const { world, request } = granted()
    const before = trained(world)
    if (kind === 'access.revoked') say(world, kind, { request, reason: 'breach' }, ID)
    else say(world, kind, { dataset: fromHex(DATASET), reason: 'replaced' })
    world.commit(1)
    assert.equal(withheld(world), [SELF], 'at once, whether a round is due or not')
    if (kind === 'access.revoked') ask(world)
    go(world, 6)
    assert.is(trained(world), before, 'not one more round')
    assert.equal(withheld(world), [SELF], 'though somebody asks again')
    assert.is(world.run?.refusal, kind === 'access.revoked' ? 'access-asked' : code)
    world.crash(100)
    go(world, 3)
    assert.not.ok(world.run?.refusal === null, 'after a start too')
    assert.equal(withheld(world), [SELF])
  })
}

it('a grant runs out between two rounds', () => {
  const world = studying(new Harness({ grantsRequired: true }))
  const until = world.now + 30_000
  announce(world)
  const request = ask(world, until)
  say(world, 'access.granted', { request, until }, ID)
  world.makeFinal(SELF)
  world.bind('a table', REGISTERED)
  world.commit(100)
  world.wait(7_000)
  go(world, 8)
  const before = trained(world)
  assert.ok(before > 0)
  world.wait(30_000)
  go(world, 3)
  assert.is(world.run?.refusal, 'access-expired')
  assert.is(trained(world), before)
  assert.equal(denied(world), ['expired'], 'the log says so, once')
})

it('where the hospital asks for none, nothing of it is looked at', () => {
  const world = studying(new Harness())
  world.bind('a table')
  assert.is(answer(world), null)
})

it('its own study needs no grant', () => {
  const world = new Harness({ grantsRequired: true })
  world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT }))
  world.commit(100)
  world.bind('a table')
  assert.is(answer(world), null)
})

it.run()
