/** Agreements in the machine: what a study needs one for, and when it stops. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AgreementId } from '../../src/core/ids.ts'
import type { Action } from '../../src/node/actions.ts'
import { ADA, agreementOf, BEN, ended, refused, resolve, SELF, signed } from '../governance/agreementFixtures.ts'
import { DOCUMENT, Harness, ID, ROUNDS } from './harness.ts'

const it = suite('agreements in the machine')
const OURS = (more = '', parties?: string) => agreementOf(more, parties, [ID])

/** A study that is accepted and bound; the agreement is proposed by the study's proposer, unless `by` says otherwise. */
function studying(world: Harness): Harness {
  world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT }))
  world.commit(100)
  world.bind('a table')
  world.commit(100)
  world.wait(7_000) // statistics are waited for
  world.commit(100)
  return world
}

function propose(world: Harness, document: Uint8Array, by = SELF): void {
  const draft = { kind: 'agreement.proposed', study: null, body: { document } } as const
  if (by === SELF) world.say(draft)
  else world.hearEntry(by, draft)
}

const say = (world: Harness, draft: ReturnType<typeof signed | typeof ended | typeof refused>): void =>
  world.say({ ...draft, study: null })
const hear = (world: Harness, by: typeof ADA, draft: ReturnType<typeof signed | typeof ended | typeof refused>): void =>
  world.hearEntry(by, { ...draft, study: null })

/** Everybody does what is asked, for so many steps. */
function go(world: Harness, steps: number): void {
  for (let i = 0; i < steps; i++) {
    world.commit(100)
    world.learn()
    world.wait(900)
  }
}

function signBoth(world: Harness, id: AgreementId): void {
  say(world, signed(id))
  hear(world, ADA, signed(id))
  world.makeFinal(SELF)
  world.makeFinal(ADA)
}

const actions = (world: Harness): Action[] => world.steps.flatMap((step) => step.actions)
const trained = (world: Harness): number => actions(world).filter(({ type }) => type === 'train').length
const told = (world: Harness) =>
  actions(world).flatMap((one) => (one.type === 'tell' && one.event === 'round-refused' ? [one.facts] : []))
const denials = (world: Harness) =>
  actions(world).flatMap((one) =>
    one.type === 'record' ? one.drafts.filter(({ kind }) => kind === 'agreement.denied') : [],
  )
const reasons = (world: Harness) => denials(world).map(({ body }) => (body as { reason: string }).reason)

it('unsigned it trains nobody and says whose signature lacks; signed but not final neither; final, rounds begin by themselves', () => {
  const world = studying(new Harness())
  const { document, id } = OURS()
  propose(world, document)
  go(world, 4)
  assert.is(world.run?.refusal, 'agreement-unsigned')
  const [first] = told(world)
  assert.match(
    String(first?.message),
    new RegExp(
      `agreement ${id.slice(0, 12)} .*clause parties: ${SELF.slice(0, 12)}, ${ADA.slice(0, 12)} have not signed`,
    ),
  )
  assert.match(String(first?.message), new RegExp(`entry ${SELF.slice(0, 12)}/\\d+: ask`))
  say(world, signed(id))
  hear(world, ADA, signed(id))
  go(world, 4)
  assert.is(world.run?.refusal, 'agreement-pending')
  world.makeFinal(ADA)
  go(world, 2)
  assert.is(world.run?.refusal, 'agreement-pending', 'the own signature is not final yet')
  assert.is(trained(world), 0)
  world.makeFinal(SELF)
  go(world, 12)
  assert.is(world.run?.refusal, null)
  assert.ok(trained(world) > 1)
  assert.equal(reasons(world), ['agreement-unsigned', 'agreement-pending'])
  const permits = actions(world).flatMap((one) => (one.type === 'train' ? [one.permit.agreements] : []))
  assert.equal(permits[0], [id], 'the permit names what it was given under')
})

for (const [what, last, code] of [
  ['an end', ended, 'agreement-ended'],
  ['a refusal', refused, 'agreement-refused'],
] as const) {
  it(`${what} binds the next round though it is not final and nobody can be reached, and own updates are served no more`, () => {
    const world = studying(new Harness())
    const { document, id } = OURS()
    propose(world, document)
    signBoth(world, id)
    go(world, 8)
    const before = trained(world)
    assert.ok(before > 0)
    say(world, last(id))
    go(world, 6)
    assert.is(world.run?.refusal, code)
    assert.ok(trained(world) <= before, 'not one more round')
    const withheld = actions(world).flatMap((one) => (one.type === 'withhold' ? [one.authors] : []))
    assert.equal(withheld.at(-1), [SELF])
    assert.is(denials(world).length, 1, 'told once')
    say(world, signed(id))
    world.makeFinal(SELF)
    go(world, 6)
    assert.is(
      world.run?.refusal,
      code === 'agreement-ended' ? code : null,
      'an end is for good, a refusal is taken back',
    )
  })
}

it('time ends it, and begins it, without any other event', () => {
  const world = studying(new Harness())
  const day = 86_400_000
  const date = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
  const from = date(world.now + 2 * day)
  const { document, id } = OURS(`starts: ${from}\n`)
  propose(world, document)
  signBoth(world, id)
  go(world, 4)
  assert.is(world.run?.refusal, 'agreement-early')
  assert.ok(world.waitAsWished())
  assert.ok(world.now >= Date.parse(from), 'it asked to be woken when it begins')
  go(world, 4)
  assert.is(world.run?.refusal, null)
  const before = trained(world)
  world.now = Date.parse('2027-07-01T00:00Z')
  go(world, 3)
  assert.is(world.run?.refusal, 'agreement-expired')
  assert.ok(trained(world) <= before + 1, 'what had begun may have ended')
})

it('a guard that is false, or cannot be computed, denies and is recorded with its place; with the next round that it allows all goes on', () => {
  const world = studying(new Harness())
  const guards = `guards:
  - { name: sound, on: [round], cel: 'rowsBand >= 60' }
  - { name: late, on: [round], cel: 'round < 1 || 60 / (rowsBand - 60) > 0' }
`
  const { document, id } = OURS(guards)
  propose(world, document)
  signBoth(world, id)
  go(world, 14)
  assert.is(trained(world), 1, 'the first round, and none that divides by zero')
  assert.is(world.run?.refusal, 'agreement-guard-error')
  assert.equal(
    denials(world).map(({ body }) => {
      const { clause, reason, guard, action } = body as Record<string, unknown>
      return [clause, reason, guard, action]
    }),
    [['guards', 'agreement-guard-error', 1, 'round']],
  )
})

const CLAUSES: readonly (readonly [code: string, more: string])[] = [
  ['agreement-merge', 'mergeRules: [median, krum]\n'],
  ['agreement-privacy', 'privacy: { epsilonMax: 3 }\n'],
  ['agreement-cohort', 'minimumCohort: 11\n'],
  ['agreement-dataset', `datasets: [{ party: self, commitment: '${'5'.repeat(64)}' }]\n`],
  ['agreement-guard', `guards: [{ name: three, on: [round], cel: 'size(members) >= 3' }]\n`],
  [
    'agreement-workflow',
    'workflow: { start: review, states: [{ name: review, allows: [access] }], transitions: [] }\n',
  ],
]
for (const [code, more] of CLAUSES) {
  it(`a study that breaks a clause trains nobody: ${code}`, () => {
    const world = studying(new Harness())
    const { document, id } = OURS(more)
    propose(world, document)
    signBoth(world, id)
    go(world, 6)
    assert.equal([world.run?.refusal, trained(world)], [code, 0])
  })
}

it('a proposal of somebody else stops nobody who has said nothing; one of the study’s proposer does', () => {
  const world = studying(new Harness())
  const { document, id } = OURS()
  propose(world, document, BEN)
  go(world, 6)
  assert.ok(trained(world) > 0)
  hear(world, ADA, ended(id))
  go(world, 3)
  assert.is(world.run?.refusal, null)
  say(world, signed(id))
  go(world, 3)
  assert.is(world.run?.refusal, 'agreement-ended')
})

it('where the hospital’s config asks for one, nothing trains and no table is bound without', () => {
  const world = new Harness({ agreementsRequired: true })
  world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT }))
  world.commit(100)
  const answers = () => actions(world).flatMap((one) => (one.type === 'answer' ? [one.error?.code ?? null] : []))
  world.bind('a table')
  assert.equal(answers(), [null, 'agreement-missing'])
  const { document, id } = OURS('', `  - { member: '${resolve('self')}' }`)
  propose(world, document, ADA)
  world.bind('a table')
  assert.is(answers().at(-1), 'agreement-unsigned')
  say(world, signed(id))
  world.makeFinal(SELF)
  world.bind('a table')
  assert.is(answers().at(-1), null)
  assert.ok(world.finish())
  assert.is(trained(world), ROUNDS)
})

it('a start finds the same as before it', () => {
  const world = studying(new Harness())
  const { document, id } = OURS()
  propose(world, document)
  go(world, 2)
  world.crash(100)
  go(world, 3)
  assert.is(world.run?.refusal, 'agreement-unsigned')
  signBoth(world, id)
  go(world, 6)
  assert.ok(trained(world) > 0)
})

it.run()
