/** The machine in random orders of events, and its answers to single ones. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { type Cbor, encodeCbor } from '../../src/core/cbor.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { proposalFrom } from '../../src/governance/studies.ts'
import type { Action } from '../../src/node/actions.ts'
import { Machine } from '../../src/node/machine.ts'
import { digestOf, keyOf } from '../gossip/fixtures.ts'
import { DOCUMENT, Harness, ID, OTHERS, ROUNDS, SELF } from './harness.ts'

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
  assert.is(halts(world.hearHead(SELF, 10_000, 'main', true, false)), 1)
  assert.is(halts(world.hearHead(SELF, 10_000, 'main', false, false)), 0, 'unsigned, it is nothing')
})

it('heads that contradict each other are kept as evidence and recorded, once', () => {
  const world = running()
  world.hearHead(ADA, 50, 'main')
  const actions = world.hearHead(ADA, 50, 'other')
  assert.equal(draftsOf(actions), ['alarm.fork'])
  assert.ok(actions.some((action) => action.type === 'keep-fork' && action.author === ADA && action.size === 50))
  assert.equal(verdictOf(actions), ['accept', 'conflicting-heads'], 'and passed on')
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

it('a machine takes nothing before it is booted, and is booted once', () => {
  assert.throws(() => new Machine().step({ type: 'woken' }, 0), /booted/)
  const world = new Harness()
  const boot = world.steps[0]?.event
  assert.throws(() => world.feed(boot as NonNullable<typeof boot>), /once/)
})

it.run()
