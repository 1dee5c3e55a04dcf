/** The machine in random orders of events, and its answers to single ones. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { studyDocument, studyIdOf } from '../../src/config/study.ts'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import { compareIds, type MemberId, type StudyId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { type Fact, proposalFrom } from '../../src/governance/studies.ts'
import type { Action } from '../../src/node/actions.ts'
import { Machine } from '../../src/node/machine.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { DOCUMENT, Harness, ID, OTHERS, ROUNDS, SELF, STUDY } from './harness.ts'

const it = suite('machine')
const [ADA, BEN] = OTHERS as [MemberId, MemberId]
const DATASET = (label: string) => ({ rows: 60, trainRows: 45, commitment: fromHex(digestOf(label)) })
const STATISTICS = { rows: 45, count: [45, 45], sum: [45 * 50, 45 * 280], sumOfSquares: [45 * 2_550, 45 * 79_000] }
const WIDE: Cbor = { ...STATISTICS, sum: [45 * 70, 45 * 280], sumOfSquares: [45 * 5_000, 45 * 79_000] }

/** A move of the world around the machine; `n` is its chance. */
const MOVES: readonly ((world: Harness, n: number, who: MemberId) => void)[] = [
  (world, n) => world.commit(1 + (n % 3)),
  (world) => world.commit(100),
  (world) => world.learn(),
  (world) => world.learn(),
  (world, n) => world.learn(n % 7 === 0),
  (world) => void world.waitAsWished(),
  (world, n) => world.wait(n),
  (world, n) => world.crash(n % 4),
  (world) => world.crash(100),
  (world) => world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT })),
  (world) => world.command((ticket) => ({ type: 'study-accept', ticket, study: ID })),
  (world, n) => world.bind(`table ${n % 2}`),
  (world, n) => world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused: n % 3 === 0 })),
  (world, n, who) =>
    world.command((ticket) => {
      const [excluded, reason] = n % 2 === 0 ? [true, 'data-quality'] : [false, 'repaired']
      return { type: 'study-exclude', ticket, study: ID, member: n % 5 === 0 ? SELF : who, excluded, reason }
    }),
  (world, _, who) => world.feed({ type: 'peer-connected', member: who }),
  (world, _, who) => world.feed({ type: 'peer-disconnected', member: who }),
  (world, _, who) => world.hearEntry(who, { kind: 'study.proposed', study: ID, body: { document: DOCUMENT } }),
  (world, _, who) => world.hearEntry(who, { kind: 'study.accepted', study: ID, body: {} }),
  (world, n, who) => world.hearEntry(who, { kind: 'dataset.bound', study: ID, body: DATASET(`${who} ${n % 2}`) }),
  (world, n, who) =>
    world.hearEntry(who, { kind: 'study.statistics', study: ID, body: n % 2 === 0 ? (STATISTICS as Cbor) : WIDE }),
  proposeScaling,
  (world, n, who) => world.hearUpdate(who, { round: n % (ROUNDS + 1) }),
  (world, n, who) => world.hearUpdate(who, { round: n % ROUNDS, digest: digestOf(`${n % 5}`) }),
  (world, n, who) => world.hearUpdate(who, { scaling: digestOf(`${n}`) }, { finite: n % 2 === 0, rms: n * n }),
  (world, n, who) => world.hearUpdate(who, { parameters: n }, { signatureValid: n % 5 === 0 }),
  (world, n) => world.hearUpdate(SELF, { round: n % ROUNDS }),
  (world, n, who) => world.hearHead(who, n % 40, `${n % 2}`, n % 11 !== 0, n % 2 === 0),
  (world, n, who) =>
    world.feed({
      type: 'malformed-heard',
      ticket: null,
      from: who,
      code: 'truncated',
      blame: n % 2 ? 'reject' : 'ignore',
    }),
  (world, _, who) => world.feed({ type: 'peer-misbehaved', member: who }),
  (world) => world.feed({ type: 'stranger-refused' }),
  (world, n, who) =>
    world.feed({ type: 'replication-failed', author: who, from: ADA, code: 'range-short', blame: n % 2 === 0 }),
]

/** Another member sums what is here. */
function proposeScaling(world: Harness, n: number, who: MemberId): void {
  const { state } = world
  if (state === undefined || state.statistics.size === 0) return
  const { proposal, refs } = proposalFrom(state)
  const body = { digest: fromHex(n % 5 === 0 ? digestOf('a lie') : proposal.digest) }
  world.hearEntry(who, { kind: 'study.scaling', study: ID, body, refs })
}

const moves = fc.array(
  fc.record({ move: fc.nat(MOVES.length - 1), n: fc.nat(1_200), who: fc.constantFrom(...OTHERS) }),
  { maxLength: 150, size: 'max' },
)
const worldAfter = (list: readonly { move: number; n: number; who: MemberId }[]): Harness => {
  const world = new Harness()
  for (const { move, n, who } of list) MOVES[move]?.(world, n, who)
  return world
}

it('whatever happens in whatever order, no rule is broken, and in quiet the study comes to its end', () => {
  let [trained, crashed] = [0, 0]
  fc.assert(
    fc.property(moves, (list) => {
      const world = worldAfter(list)
      // from here on nothing goes wrong: the operator does what is left to do, disk and learner answer
      world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT }))
      world.commit(1_000)
      world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused: false }))
      if (world.state?.commitments.has(SELF) !== true) world.bind('table')
      assert.ok(world.finish(), `it stands still in ${JSON.stringify(world.run)}`)
      assert.is(world.kinds.filter((kind) => kind === 'study.ended').length, 1, 'the end is recorded once')
      trained += world.kinds.filter((kind) => kind === 'round.trained').length
      crashed += world.kinds.filter((kind) => kind === 'node.started').length - 1
    }),
    { numRuns: 400 },
  )
  assert.ok(
    trained > 1_000 && crashed > 100,
    `${trained} rounds and ${crashed} crashes: the moves reach where they should`,
  )
})

it('the same events give the same actions, to the byte', () => {
  fc.assert(
    fc.property(moves, (list) => {
      const machines = new Map<number, Machine>()
      for (const { start, event, now, actions } of worldAfter(list).steps) {
        const machine = machines.get(start) ?? new Machine()
        machines.set(start, machine)
        assert.equal(encode(machine.step(event, now)), encode(actions))
      }
    }),
    { numRuns: 60 },
  )
})

const encode = (actions: readonly Action[]): string => toHex(encodeCbor(actions as unknown as Cbor))
const verdictOf = (actions: readonly Action[]): string[] =>
  actions.flatMap((action) => (action.type === 'verdict' ? [action.verdict, action.reason ?? ''] : []))
const draftsOf = (actions: readonly Action[]): string[] =>
  actions.flatMap((action) => (action.type === 'record' ? action.drafts.map(({ kind }) => kind) : []))

/** A node in its study, waiting for its next round. */
function running(): Harness {
  const world = new Harness()
  world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT }))
  world.commit(10)
  world.bind('table')
  for (const who of [ADA, BEN]) world.hearEntry(who, { kind: 'study.accepted', study: ID, body: {} })
  for (let i = 0; i < 200 && !(world.run?.phase === 'resting' && world.run.round === 1); i++) {
    world.commit(10)
    world.learn()
    if (world.run?.phase === 'statistics') world.waitAsWished()
    if (world.run?.phase === 'resting' && world.run.round === 0) world.waitAsWished()
  }
  assert.equal([world.run?.phase, world.run?.round], ['resting', 1])
  return world
}

it('an update that contradicts costs the forwarder nothing, and its author an entry', () => {
  const world = running()
  assert.equal(verdictOf(world.hearUpdate(ADA, { round: 1 })), ['accept', ''])
  assert.equal(verdictOf(world.hearUpdate(ADA, { round: 1 })), ['ignore', 'update-known'])
  const actions = world.hearUpdate(ADA, { round: 1, digest: digestOf('another') })
  assert.equal(verdictOf(actions), ['ignore', 'update-contradicts'])
  assert.equal(draftsOf(actions), ['member.rejected'])
  assert.equal(world.view.rejections, [{ member: ADA, reason: 'update-contradicts', count: 1 }])
})

it('what only a node that knows more can tell is ignored, not rejected', () => {
  const world = running()
  const ignored: [Parameters<Harness['hearUpdate']>[1], string][] = [
    [{ study: digestOf('another study') as string as typeof ID }, 'study-unknown'],
    [{ scaling: digestOf('another scaling') }, 'scaling-differs'],
    [{ author: keyOf('cleo').member }, 'author-not-in-study'],
  ]
  for (const [header, reason] of ignored) assert.equal(verdictOf(world.hearUpdate(ADA, header)), ['ignore', reason])
  assert.equal(world.view.rejections, [])
})

it('a longer log under the own key ends the node at once', () => {
  const world = running()
  const halts = (actions: readonly Action[]) => actions.filter(({ type }) => type === 'halt').length
  assert.is(halts(world.hearHead(SELF, 10_000, 'main', false, false)), 0, 'unsigned, it is nothing')
  world.now += 60_000 // a round is due
  const actions = world.hearHead(SELF, 10_000, 'main', true, false)
  assert.equal(
    actions.filter(({ type }) => type !== 'verdict').map(({ type }) => type),
    ['halt'],
  )
  assert.equal(world.feed({ type: 'woken' }), [], 'and nothing comes after it')
  assert.equal(world.feed({ type: 'stop', reason: 'sigterm' }), [])
})

it('heads that contradict each other are kept as evidence and recorded, once', () => {
  const world = running()
  world.hearHead(ADA, 50, 'main')
  const actions = world.hearHead(ADA, 50, 'other')
  assert.equal(draftsOf(actions), [], 'evidence is kept before it is told')
  assert.ok(actions.some((action) => action.type === 'keep-fork' && action.author === ADA && action.size === 50))
  assert.equal(verdictOf(actions), ['accept', 'conflicting-heads'], 'and passed on')
  assert.equal(draftsOf(world.feed({ type: 'fork-proven', author: ADA, size: 50 })), ['alarm.fork'])
  assert.equal(draftsOf(world.hearHead(ADA, 50, 'third')), [])
  world.commit(10)
  world.crash()
  assert.is(world.view.logs.find(({ author }) => author === ADA)?.frozen, true, 'after a restart too')
})

it('a pause binds before it is durable, and its end when it is', () => {
  const world = running()
  const pause = (paused: boolean) => world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused }))
  const trains = () => world.steps.filter(({ actions }) => actions.some(({ type }) => type === 'train')).length
  const before = trains()
  assert.equal(draftsOf(pause(true)), ['study.paused'])
  world.wait(60_000)
  assert.is(trains(), before)
  world.commit(10)
  assert.equal(draftsOf(pause(true)), [], 'paused is paused')
  assert.equal(draftsOf(pause(false)), ['study.resumed'])
  world.wait(60_000)
  assert.is(trains(), before, 'not before the resumption is on disk')
  world.commit(10)
  assert.is(trains(), before + 1)
})

it('where training diverges from what was merged, it begins anew', () => {
  const world = running()
  const started = () =>
    world.steps.flatMap(({ actions }) => actions.flatMap((one) => (one.type === 'open-study' ? [one.start] : [])))
  while (world.run?.phase === 'resting') world.waitAsWished()
  assert.is(world.run?.phase, 'training')
  world.feed({ type: 'learner-failed', study: ID, round: 1, code: 'training-diverged' })
  assert.is(world.run?.phase, 'failed')
  world.wait(30_000)
  assert.equal(started(), ['initial', 'initial'], 'not from the weights that made it diverge')
  assert.ok(world.finish())
  world.crash()
  assert.equal(started().slice(2), [], 'and ends like any other')
})

it('after a stop nothing is begun, and it is over when the stop is on disk', () => {
  const world = running()
  assert.equal(draftsOf(world.feed({ type: 'stop', reason: 'sigterm' })), ['node.stopped'])
  world.wait(60_000)
  const last = () => world.steps.at(-1)?.actions.map(({ type }) => type) ?? []
  assert.not.ok(last().includes('train'))
  world.commit(10)
  assert.ok(last().includes('announce-head') && last().includes('stopped'))
  assert.equal(draftsOf(world.feed({ type: 'stop', reason: 'sigint' })), [], 'stopped once')
})

it('commands out of order are answered with what to do', () => {
  const world = new Harness()
  const codeOf = (actions: readonly Action[]): string | null | undefined => {
    const answer = actions.find((action) => action.type === 'answer')
    return answer?.type === 'answer' ? (answer.error?.code ?? null) : undefined
  }
  assert.is(codeOf(world.bind('table')), 'study-unknown')
  assert.is(codeOf(world.command((ticket) => ({ type: 'study-accept', ticket, study: ID }))), 'study-unknown')
  world.hearEntry(ADA, { kind: 'study.proposed', study: ID, body: { document: DOCUMENT } })
  assert.is(codeOf(world.bind('table')), 'study-not-accepted')
  assert.is(codeOf(world.command((ticket) => ({ type: 'study-accept', ticket, study: ID }))), null)
  world.commit(10)
  assert.is(codeOf(world.bind('table')), null)
})

it('no table is bound to a study that has ended', () => {
  const world = running()
  assert.ok(world.finish())
  assert.equal([world.run?.round, world.run?.behind], [ROUNDS - 1, ROUNDS])
  assert.is(answerOf(world.bind('another table')), 'study-ended')
  assert.equal(draftsOf(lastOf(world)), [])
})

it('a study whose checkpoint is lost begins anew, and is over all the same where it has ended', () => {
  const world = runningTo('resting')
  assert.is(world.run?.behind, 1)
  world.loseCheckpoint()
  world.crash()
  assert.equal([world.run?.phase, world.run?.round, world.run?.behind], ['opening', 0, 0])
  assert.ok(world.finish())
  assert.is(world.run?.behind, ROUNDS)
  world.loseCheckpoint()
  world.crash()
  world.commit(10)
  assert.is(world.run?.phase, 'ended')
  assert.not.ok(typesOf(world.steps.slice(-2).flatMap(({ actions }) => actions)).includes('open-study'))
})

it('a machine takes nothing before it is booted, and is booted once', () => {
  assert.throws(() => new Machine().step({ type: 'woken' }, 0), /booted/)
  const world = new Harness()
  const boot = world.steps[0]?.event
  assert.throws(() => world.feed(boot as NonNullable<typeof boot>), /once/)
})

const typesOf = (actions: readonly Action[]): string[] => actions.map(({ type }) => type)
const lastOf = (world: Harness): readonly Action[] => world.steps.at(-1)?.actions ?? []
const rejectedOf = (world: Harness): string[] =>
  world.view.rejections.map(({ member, reason, count }) => `${member} ${reason} ${count}`)
const inputsOf = (actions: readonly Action[]) => actions.flatMap((one) => (one.type === 'merge' ? one.inputs : []))
const sizeOf = (world: Harness, author: MemberId): number =>
  world.view.logs.find((log) => log.author === author)?.size ?? 0

/** A running node, moved on until it is in `phase`; waits only where nothing else is left to do. */
function runningTo(phase: NonNullable<Harness['run']>['phase'], world = running()): Harness {
  const round = world.run?.round as number
  for (let i = 0; i < 100 && world.run?.phase !== phase; i++) {
    if (world.run?.phase === 'resting') world.waitAsWished()
    else if (world.run?.phase === 'recording' || world.run?.phase === 'closing') world.commit(10)
    else world.learn()
  }
  assert.equal([world.run?.phase, world.run?.round], [phase, round])
  return world
}

it('who signed is blamed for what gossip carries, who answered for what was asked', () => {
  const world = running()
  const log = { author: ADA, size: 9, root: digestOf('a root') }
  const heard = (ticket: number | null) =>
    world.feed({ type: 'head-heard', ticket, from: BEN, log, signatureValid: false, asks: false })
  assert.equal(verdictOf(heard(700)), ['reject', 'head-signature'])
  assert.equal(rejectedOf(world), [`${ADA} head-signature 1`])
  assert.equal(verdictOf(heard(null)), [], 'nobody waits for a verdict on an answer')
  assert.equal(rejectedOf(world), [`${ADA} head-signature 1`, `${BEN} head-signature 1`])
})

it('who carries on a contradiction is not noted for it, its author is', () => {
  const world = running()
  world.hearUpdate(ADA, { round: 1 })
  world.hearUpdate(BEN, { author: ADA, round: 1, digest: digestOf('another') })
  assert.equal(rejectedOf(world), [`${ADA} update-contradicts 1`])
})

it('the first ticket of all is answered like any other', () => {
  const world = new Harness()
  const malformed = { type: 'malformed-heard', ticket: 0, from: ADA, code: 'truncated', blame: 'reject' } as const
  assert.equal(verdictOf(world.feed(malformed)), ['reject', 'truncated'])
  assert.equal(verdictOf(world.feed({ ...malformed, ticket: 1, blame: 'ignore' })), ['ignore', 'truncated'])
  assert.equal(rejectedOf(world), [`${ADA} truncated 1`])
})

it('another history of the own log, signed with the own key, ends the node as a longer one does', () => {
  const world = running()
  assert.not.ok(typesOf(world.hearHead(SELF, sizeOf(world, SELF), 'main')).includes('halt'), 'the same is no news')
  const actions = world.hearHead(SELF, sizeOf(world, SELF), 'other')
  assert.ok(typesOf(actions).includes('halt'))
  assert.equal(draftsOf(actions), [], 'nothing more is written')
  assert.ok(typesOf(running().hearHead(SELF, 10_000, 'main')).includes('halt'), 'by gossip too')
})

it('another member’s longer log is fetched, and ends nobody', () => {
  const world = running()
  const actions = world.hearHead(ADA, 12, 'main')
  assert.not.ok(typesOf(actions).includes('halt'))
  const fetches = actions.flatMap((one) => (one.type === 'replicate' ? [[one.author, one.peer, one.from, one.to]] : []))
  assert.equal(fetches, [[ADA, ADA, 1, 12]])
})

it('a fetch whose peer is gone is asked of another who has it', () => {
  const world = running()
  world.hearHead(ADA, 12, 'main')
  const log = { author: ADA, size: 12, root: digestOf(`root ${ADA} 12 main`) }
  world.feed({ type: 'head-heard', ticket: null, from: BEN, log, signatureValid: true, asks: false })
  const actions = world.feed({ type: 'peer-disconnected', member: ADA })
  assert.equal(
    actions.flatMap((one) => (one.type === 'replicate' ? [one.peer] : [])),
    [BEN],
  )
})

it('a failed fetch costs its peer something only where the peer is to blame', () => {
  const world = running()
  const failed = (blame: boolean) =>
    world.feed({ type: 'replication-failed', author: ADA, from: BEN, code: 'range-short', blame })
  assert.not.ok(typesOf(failed(false)).includes('disconnect'))
  assert.equal(rejectedOf(world), [])
  const disconnects = failed(true).flatMap((one) => (one.type === 'disconnect' ? [one.member] : []))
  assert.equal(disconnects, [BEN])
  assert.equal(rejectedOf(world), [`${BEN} range-short 1`])
})

it('a member that connects is asked for heads each time, and noted as seen once a day, restarts included', () => {
  const world = running()
  const connect = () => {
    world.feed({ type: 'peer-disconnected', member: ADA })
    const actions = world.feed({ type: 'peer-connected', member: ADA })
    assert.ok(actions.some((one) => one.type === 'ask-heads' && one.peer === ADA))
    return draftsOf(actions).filter((kind) => kind === 'member.seen').length
  }
  assert.is(connect(), 1)
  world.commit(10)
  assert.is(connect(), 0)
  world.crash()
  assert.is(connect(), 0)
  world.wait(24 * 3_600_000)
  assert.is(connect(), 1)
  const again = world.feed({ type: 'peer-connected', member: ADA })
  assert.not.ok(typesOf(again).includes('ask-heads'), 'connected is connected')
  assert.equal(
    typesOf(world.feed({ type: 'peer-connected', member: keyOf('eve').member })).includes('ask-heads'),
    false,
  )
})

it('the own acceptance is recorded at the first start alone', () => {
  const world = new Harness()
  assert.equal(draftsOf(lastOf(world)), ['member.accepted', 'node.started'])
  world.crash()
  assert.equal(draftsOf(lastOf(world)), ['member.accepted', 'node.started'], 'for it was not on disk yet')
  world.commit(10)
  world.crash()
  assert.equal(draftsOf(lastOf(world)), ['node.started'])
})

it('own heads are announced at once, then at most twice a second, and the last of them always', () => {
  const world = running()
  for (const ms of [60_000, 500]) world.wait(ms)
  const announced = () => typesOf(lastOf(world)).filter((type) => type === 'announce-head').length
  world.feed({ type: 'peer-connected', member: ADA })
  world.commit(10)
  assert.is(announced(), 1)
  world.feed({ type: 'peer-connected', member: BEN })
  world.commit(10)
  assert.is(announced(), 0)
  const wish = lastOf(world).find((one) => one.type === 'wake')
  assert.is(wish?.type === 'wake' && wish.atMs, world.now + 500)
  world.wait(500)
  assert.is(announced(), 1)
  world.wait(500)
  assert.is(announced(), 0)
})

it('a clock that is set back does not take the machine with it', () => {
  const machine = new Machine()
  const boot = new Harness().steps[0]?.event as Parameters<Machine['step']>[0]
  machine.step(boot, 50_000)
  const times = (actions: readonly Action[]) =>
    actions.flatMap((one) => (one.type === 'record' ? one.drafts.map(({ timeMs }) => timeMs) : []))
  assert.equal(times(machine.step({ type: 'stranger-refused' }, 20_000)), [50_000])
  assert.equal(times(machine.step({ type: 'stop', reason: 'sigterm' }, 70_000)), [70_000])
})

it('adding a study records what is not recorded yet, and nothing twice', () => {
  const add = (world: Harness) =>
    world.command((ticket) => ({ type: 'study-add', ticket, study: ID, document: DOCUMENT }))
  const world = new Harness()
  assert.equal(draftsOf(add(world)), ['study.proposed', 'study.accepted'])
  world.commit(10)
  assert.equal(draftsOf(add(world)), [])
  assert.equal(draftsOf(world.command((ticket) => ({ type: 'study-accept', ticket, study: ID }))), [])
  const other = new Harness()
  other.hearEntry(ADA, { kind: 'study.proposed', study: ID, body: { document: DOCUMENT } })
  assert.equal(draftsOf(add(other)), ['study.accepted'], 'another member proposed it')
})

it('what is heard while a merge is under way is for the next one, at age 0; what was in this one is 1 then', () => {
  const world = running()
  world.hearUpdate(BEN, { round: 1 })
  runningTo('merging', world)
  assert.equal(
    inputsOf(lastOf(world)).map(({ author }) => author),
    [BEN, SELF].sort(),
  )
  assert.equal(verdictOf(world.hearUpdate(ADA, { round: 1 })), ['accept', ''])
  runningTo('closing', world).commit(10)
  runningTo('merging', world)
  const ages = Object.fromEntries(inputsOf(lastOf(world)).map(({ author, ageRounds }) => [author, ageRounds]))
  assert.equal(ages, { [SELF]: 0, [ADA]: 0, [BEN]: 1 })
})

it('what is trained when a pause comes is neither recorded nor published, and is trained again afterwards', () => {
  const world = runningTo('training')
  world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused: true }))
  world.learn()
  assert.equal([draftsOf(lastOf(world)), world.run?.phase], [[], 'resting'])
  world.commit(10)
  world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused: false }))
  world.commit(10)
  if (world.run?.phase === 'resting') world.wait(60_000)
  assert.equal([world.run?.phase, world.run?.round], ['training', 1])
})

it('what was recorded when a pause comes is withheld, and published when the pause is over', () => {
  const world = runningTo('recording')
  world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused: true }))
  world.commit(10)
  world.wait(60_000)
  assert.is(world.run?.phase, 'withheld')
  world.command((ticket) => ({ type: 'study-pause', ticket, study: ID, paused: false }))
  assert.is(world.run?.phase, 'withheld', 'its end counts when it is on disk')
  world.commit(10)
  assert.equal(
    typesOf(lastOf(world)).filter((type) => type === 'publish-update' || type === 'merge'),
    ['publish-update', 'merge'],
  )
})

it('a better scaling that comes while training is under way makes what is trained worth nothing', () => {
  const world = runningTo('training')
  const before = world.state?.scaling?.digest
  world.hearEntry(ADA, { kind: 'study.statistics', study: ID, body: STATISTICS })
  proposeScaling(world, 1, ADA)
  assert.is.not(world.state?.scaling?.digest, before)
  world.learn()
  assert.equal(draftsOf(lastOf(world)), [])
  world.wait(60_000)
  const open = world.steps.flatMap(({ actions }) => actions).findLast((one) => one.type === 'open-study')
  assert.is(open?.type === 'open-study' && open.permit.scaling, world.state?.scaling?.digest)
})

it('what the learner or the disk reports after a stop begins nothing', () => {
  const stop = (world: Harness) => world.feed({ type: 'stop', reason: 'sigterm' })
  for (const phase of ['training', 'merging', 'evaluating'] as const) {
    const world = runningTo(phase)
    stop(world)
    world.learn()
    assert.equal(
      typesOf(lastOf(world)).filter((type) => type !== 'wake' && type !== 'announce-head'),
      [],
      phase,
    )
  }
  const world = runningTo('recording')
  stop(world)
  world.commit(1)
  assert.not.ok(typesOf(lastOf(world)).some((type) => ['publish-update', 'merge', 'stopped'].includes(type)))
  world.commit(1)
  assert.equal(typesOf(lastOf(world)).filter((type) => type === 'stopped').length, 1, 'when the stop itself is on disk')
})

/** A node of `members` members that has all their studies, 64 of each, and has bound `bound` of them. */
function withStudies(members: number, bound: number): { machine: Machine; unbound: StudyId | undefined } {
  const authors = Array.from({ length: members }, (_, i) => keyOf(`member ${i}`).member).sort(compareIds)
  const self = authors[0] as MemberId
  const facts: Fact[] = []
  const seqs = new Map<MemberId, number>()
  const append = (author: MemberId, kind: string, study: StudyId, body: Cbor): void => {
    const seq = seqs.get(author) ?? 0
    seqs.set(author, seq + 1)
    facts.push({
      author,
      seq,
      hash: digestOf(`${author} ${seq}`),
      timeMs: 1_000,
      lamport: 0,
      kind,
      study,
      refs: [],
      body,
    })
  }
  const ids: StudyId[] = []
  for (const author of authors) {
    for (let i = 0; i < LIMITS.studiesPerMemberMax; i++) {
      const document = studyDocument({ ...STUDY, name: `Study ${i} of ${author.slice(0, 8)}` })
      ids.push(studyIdOf(document))
      append(author, 'study.proposed', studyIdOf(document), { document })
    }
  }
  for (const id of ids) append(self, 'study.accepted', id, {})
  for (const id of ids.slice(0, bound)) append(self, 'dataset.bound', id, DATASET(id))
  const machine = new Machine()
  machine.step(
    {
      type: 'booted',
      self,
      founding: digestOf('founding'),
      epochs: [{ number: 0, members: authors, pins: [] }],
      epochDigest: digestOf('founding'),
      software: '0.0.0',
      logs: [],
      facts,
      checkpoints: [],
      datasets: [],
      acceptance: new Uint8Array(64),
      finals: [],
      forks: [],
      cosigners: [],
      fence: { others: 0, needed: 0, wanted: 0 },
      signed: 0,
    },
    1_000,
  )
  return { machine, unbound: ids[bound] }
}
const answerOf = (actions: readonly Action[]): string | null | undefined => {
  const answer = actions.find((one) => one.type === 'answer')
  return answer?.type === 'answer' ? (answer.error?.code ?? null) : undefined
}

it('a member proposes as many studies as others follow, and may still take part in theirs', () => {
  const { machine } = withStudies(2, 0)
  const document = studyDocument({ ...STUDY, name: 'One more' })
  const add = (study: StudyId, ticket: number) =>
    answerOf(machine.step({ type: 'study-add', ticket, study, document }, 2_000))
  assert.is(add(studyIdOf(document), 1), 'studies-full')
  assert.is(add(machine.view().studies[0]?.state.id as StudyId, 2), null)
})

it('one node runs as many studies as the bound, and rebinds those', () => {
  const { machine, unbound } = withStudies(LIMITS.studiesMax / LIMITS.studiesPerMemberMax + 1, LIMITS.studiesMax)
  const statistics = { count: STATISTICS.count, sum: STATISTICS.sum, sumOfSquares: STATISTICS.sumOfSquares }
  const bind = (study: StudyId, ticket: number) => {
    const dataset = { study, commitment: digestOf('newer'), rows: 60, trainRows: 45, statistics }
    return answerOf(machine.step({ type: 'study-bind', ticket, dataset }, 2_000))
  }
  assert.is(bind(unbound as StudyId, 1), 'studies-full')
  const known = machine.view().studies.find(({ state }) => state.bound.size > 0)?.state.id as StudyId
  assert.is(bind(known, 2), null)
})

it.run()
