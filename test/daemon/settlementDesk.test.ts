/** What a node says to a close that is proposed: each fault of a proposal has its word, and what differs is named. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex } from '../../src/core/bytes.ts'
import type { Cbor } from '../../src/core/cbor.ts'
import type { AgreementId, Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import type { Daemon } from '../../src/daemon/daemon.ts'
import type { Log } from '../../src/daemon/log.ts'
import { SettlementDesk } from '../../src/daemon/settlementDesk.ts'
import { difference, differencesOf } from '../../src/daemon/settlementDifferences.ts'
import type { AgreementState } from '../../src/governance/agreements.ts'
import { factsOf } from '../../src/governance/facts.ts'
import { type Body, readBody } from '../../src/governance/kinds.ts'
import { bodyFault } from '../../src/governance/privacyLint.ts'
import type { Attempt, ProposalWord } from '../../src/governance/settlement/closings.ts'
import { Studies } from '../../src/governance/studies.ts'
import { decodeEntry, dropBody, encodeEntry } from '../../src/ledger/entry.ts'
import type { Draft } from '../../src/node/actions.ts'
import { STUDY } from '../gossip/fixtures.ts'
import { ADA, BEN, CLEO, SELF } from '../governance/agreementFixtures.ts'
import { FOUR, Logs, settling } from '../governance/settlement/kit.ts'

const it = suite('settlement desk')
const HOUR_MS = 3_600_000
const NAMES = new Map<MemberId, string>(
  [SELF, ADA, BEN, CLEO].map((key, i) => [key, ['self', 'ada', 'ben', 'cleo'][i] as string]),
)
const ROUNDS = settling('rule: by-rounds, pool: { amount: 1000, unit: credits }')

/** Logs that all hospitals hold, and a desk at each. */
class World {
  readonly raws = new Map<MemberId, Uint8Array[]>()
  readonly studies = new Studies()
  #lamport = 0

  constructor(logs: Logs, atMs = Date.now() - HOUR_MS) {
    for (const { author, kind, body, study } of logs.all) this.append(author, kind, body as Cbor, study, atMs)
  }

  append(author: MemberId, kind: string, body: Cbor, study: StudyId | null = null, timeMs = Date.now()): void {
    const log = this.raws.get(author) ?? []
    this.raws.set(author, log)
    const place = { author, seq: log.length, prev: new Uint8Array(32).fill(log.length === 0 ? 0 : 1) }
    const raw = encodeEntry(
      { ...place, timeMs, kind, study, refs: [], lamport: ++this.#lamport },
      new Uint8Array(32),
      body,
    )
    log.push(raw)
    for (const fact of factsOf([decodeEntry(raw)], author)) this.studies.fold(fact)
  }

  /** `own` is how the hospital's copy of the logs differs; `final` how much of each is final there. */
  hospital(
    self: MemberId,
    own: {
      raw?: (author: MemberId, seq: number, raw: Uint8Array) => Uint8Array
      final?: (author: MemberId) => number
    } = {},
  ) {
    const { raw: copy = (_, __, raw) => raw, final = (author) => this.#sizeOf(author) } = own
    const writer = {
      record: (_: string, drafts: readonly Draft[]) => {
        for (const { kind, body, study, timeMs } of drafts) {
          assert.is(bodyFault(kind, body), null)
          this.append(self, kind, body, study, timeMs)
        }
      },
      flush: async () => undefined,
    }
    const { agreements, settlements } = this.studies
    const daemon = {
      home: { key: { id: self }, config: { settlement: { measure: 'ask', confirm: 'auto' } } },
      logs: {
        authors: () => [...this.raws.keys()],
        sizeOf: (author: MemberId) => ({ author, size: this.#sizeOf(author) }),
        entries: async (author: MemberId, from: number, to: number) =>
          (this.raws.get(author) ?? []).slice(from, to).map((one, i) => copy(author, from + i, one)),
      },
      machine: {
        booted: true,
        finality: { final: (author: MemberId) => ({ size: final(author) }) },
        view: () => ({ agreements, settlements, studies: [], suspensions: [] }),
        study: (id: Digest) => (id === STUDY ? { name: 'Memory', merge: { examplesCap: 1_000 } } : null),
      },
      followers: { add: () => () => true },
      nameOf: (member: MemberId) => NAMES.get(member) ?? member,
      writer,
    } as unknown as Daemon
    const told: string[] = []
    const log: Log = (_, event, facts) => told.push(`${event} ${facts?.error}`)
    return { daemon, told, desk: new SettlementDesk(daemon, { read: async () => null }, log) }
  }

  #sizeOf(author: MemberId): number {
    return this.raws.get(author)?.length ?? 0
  }
}

function threeRounds(agreed = ROUNDS): World {
  const logs = new Logs()
  logs.agreed(agreed)
  for (let round = 0; round < 3; round++) logs.round(round, [agreed.id])
  return new World(logs)
}

const stateOf = (world: World, { id }: { readonly id: AgreementId } = ROUNDS): AgreementState =>
  world.studies.agreements.get(id) as AgreementState
const openOf = (desk: SettlementDesk, state: AgreementState): Attempt =>
  desk.standing(state).open.attempts.at(-1) as Attempt

async function faultOf(run: Promise<unknown>): Promise<string> {
  try {
    await run
    return 'none'
  } catch (error) {
    assert.not.match((error as Error).message, /\n/)
    return `${(error as { code: string }).code}: ${(error as Error).message}`
  }
}

it('what one proposes and the others compute alike closes the period, and the next begins there', async () => {
  const world = threeRounds()
  const hospitals = FOUR.map((member) => world.hospital(member).desk)
  const state = stateOf(world)
  const proposal = await hospitals[0]?.propose(state, Date.now())
  for (const desk of hospitals.slice(1)) assert.is(await desk.work(), false)
  for (const desk of hospitals) {
    const { closed, open, twice } = desk.standing(state)
    const confirmed = closed[0]?.confirmed.length // the fourth need not any more
    assert.equal([closed.length, confirmed, open.period, twice.length], [1, 3, 1, 0])
    assert.is(closed[0]?.proposal.result, proposal?.result)
    assert.is((await desk.compute(state, 0)).statement.result, proposal?.result, 'shown as it was closed')
    assert.is((await desk.compute(state, 1)).facts.shared, 0, 'nothing is counted again')
  }
  assert.match(await faultOf(hospitals[1]?.propose(state, Date.now()) as Promise<unknown>), /^settlement-empty: /)
  assert.match(
    await faultOf(hospitals[1]?.compute(state, 2) as Promise<unknown>),
    /^settlement-period: period 3 has not begun/,
  )
})

/** An entry as a liar would write it: what the desk would propose, but for some fields. */
async function forged(world: World, by: MemberId, more: Partial<Body<'settlement.proposed'>>): Promise<ProposalWord> {
  const { desk } = world.hospital(by)
  const copy = threeRounds()
  await copy.hospital(by).desk.propose(stateOf(copy), Date.now())
  const log = copy.raws.get(by) as Uint8Array[]
  const body = readBody(
    'settlement.proposed',
    decodeEntry(log.at(-2) as Uint8Array).body,
  ) as Body<'settlement.proposed'>
  world.append(by, 'settlement.proposed', { ...body, ...more } as unknown as Cbor)
  return openOf(desk, stateOf(world)).proposals.at(-1) as ProposalWord
}

it('a node that computes otherwise refuses, and it is named who differs and in which figure first', async () => {
  const world = threeRounds()
  const honest = world.hospital(ADA)
  const { statement } = await honest.desk.compute(stateOf(world), 0)
  const lines = statement.lines.map(({ member, rounds, examples, merged, value, amount }) => {
    const more = member === CLEO ? 2 : 0
    return [fromHex(member), rounds + more, examples, merged, value, amount + 100 * more] as const
  })
  const proposal = await forged(world, CLEO, { lines: lines as never, result: new Uint8Array(32).fill(9) })
  assert.is(await honest.desk.judge.objectionTo(stateOf(world), proposal), 'differs')
  const named = 'rounds of cleo: 3 here, 5 in the proposal of cleo'
  assert.is(await difference(honest.daemon, proposal, statement), named)
  assert.match(
    await faultOf(honest.desk.answer(stateOf(world), proposal, true)),
    new RegExp(`^settlement-differs: cleo/\\d+: ${named}`),
  )
  for (const member of [SELF, ADA]) await world.hospital(member).desk.work()
  const { attempts } = honest.desk.standing(stateOf(world)).open
  assert.is(attempts.length, 2, 'two of four refuse: no quorum any more')
  const { votes } = attempts[0] as Attempt
  assert.equal(
    votes.map(({ objection }) => objection),
    ['differs', 'differs'],
  )
  assert.equal(await differencesOf(honest.daemon, votes, statement), [], 'those who refuse compute what this node does')
  const again = await honest.desk.propose(stateOf(world), Date.now())
  assert.is(again.attempt, 1)
})

it('each fault of a proposal has its word', async () => {
  const now = Date.now()
  const cut = (size: number) => [...FOUR].sort().map((member) => [fromHex(member), size])
  const rows: readonly (readonly [claim: string, more: Partial<Record<string, unknown>>, word: string])[] = [
    ['it follows on another close', { previous: new Uint8Array(32) }, 'chain'],
    ['its time has not come', { until: now + HOUR_MS }, 'future'],
    ['its cut leaves entries out', { cut: cut(8) }, 'cut-behind'],
    ['nobody had signed by its cut', { cut: cut(1) }, 'unsigned'],
    ['its cut is of other members', { cut: [[fromHex(ADA), 9]] }, 'differs'],
    ['its cut lies beyond what is final', { cut: cut(99) }, 'wait'],
    ['its digest is of something else', { result: new Uint8Array(32) }, 'differs'],
  ]
  for (const [claim, more, word] of rows) {
    const world = threeRounds()
    const proposal = await forged(world, BEN, more as never)
    assert.is(await world.hospital(ADA).desk.judge.objectionTo(stateOf(world), proposal), word, claim)
  }
})

it('what only shows a fault costs nobody its vote, so that a sound proposal beside it is confirmed', async () => {
  const world = threeRounds()
  await forged(world, BEN, { until: Date.now() + HOUR_MS })
  const sound = await world.hospital(SELF).desk.propose(stateOf(world), Date.now())
  const { desk } = world.hospital(ADA)
  await desk.work()
  const [mine] = openOf(desk, stateOf(world)).votes.filter(({ place }) => place.author === ADA)
  assert.equal([mine?.objection, mine?.proposal], [null, sound.place.hash])
})

it('a party that proposes nonsense again and again costs one attempt, and keeps nobody from confirming what is sound', async () => {
  const world = threeRounds()
  const state = stateOf(world)
  await forged(world, CLEO, { result: new Uint8Array(32).fill(9) })
  const honest = [SELF, ADA, BEN].map((member) => world.hospital(member).desk) as [SettlementDesk, ...SettlementDesk[]]
  for (const desk of honest) await desk.work()
  assert.is(honest[0].standing(state).open.attempts.length, 2)
  await forged(world, CLEO, { attempt: 1, result: new Uint8Array(32).fill(8) })
  await forged(world, CLEO, { attempt: 1, cut: [...FOUR].sort().map((member) => [fromHex(member), 1e9]) } as never)
  const looking = [ADA, BEN].map((member) => world.hospital(member).desk)
  for (const desk of looking) await desk.work()
  assert.is(honest[0].standing(state).open.attempts.length, 2, 'no vote is spent on it')
  await honest[0].propose(state, Date.now())
  for (const member of [ADA, BEN]) await world.hospital(member).desk.work()
  assert.is(honest[0].standing(state).closed.length, 1)
})

it('a hospital whose clock is behind keeps nobody from closing', async () => {
  const world = threeRounds()
  const proposal = await world.hospital(SELF).desk.propose(stateOf(world), Date.now())
  world.append(BEN, 'study.paused', {}, STUDY, Date.now() - HOUR_MS)
  assert.is(await world.hospital(ADA).desk.judge.objectionTo(stateOf(world), proposal), null)
})

/** A hospital that measures by itself, in a study that settles by what is measured. */
function measuring(): ReturnType<World['hospital']> {
  const hospital = threeRounds(settling('rule: by-marginal-value')).hospital(SELF)
  const { daemon } = hospital
  const state = {
    id: STUDY,
    study: { merge: {}, privacy: null, training: {} },
    bound: new Set([SELF]),
    commitments: new Map(),
  }
  const view = { ...daemon.machine.view(), studies: [{ state, run: { rows: 500 } }] }
  const config = { settlement: { measure: 'auto', confirm: 'ask' }, agreements: { required: false } }
  Object.assign(daemon.machine, { view: () => view })
  Object.assign(daemon.home, { config })
  return hospital
}

it('a merge whose inputs are not final yet is measured when they are, though no other merge comes', async () => {
  const { desk } = measuring()
  let measured = 0
  desk.measure = async () => {
    const waits = ++measured < 3
    return { study: STUDY, name: 'Memory', method: 'tmc', rounds: [], skipped: [{ round: 1, why: 'not final', waits }] }
  }
  for (let look = 0; look < 6; look++) await desk.work()
  assert.is(measured, 3)
})

it('a study that cannot be measured is told once, and tried again after a minute', async () => {
  const { desk, told } = measuring()
  let tries = 0
  desk.measure = async () => {
    tries++
    throw new Error('an update of another shape')
  }
  for (const ms of [0, 10_000, 61_000]) await later(ms, () => desk.work())
  assert.equal([tries, told], [2, ['settlement-failed an update of another shape']])
})

it('a period is not closed before its days are over', async () => {
  const agreed = settling('rule: by-rounds, periodDays: 30')
  const world = threeRounds(agreed)
  const [first, second] = [SELF, ADA].map((member) => world.hospital(member).desk) as [SettlementDesk, SettlementDesk]
  const state = stateOf(world, agreed)
  await first.propose(state, Date.now())
  for (const member of [ADA, BEN, CLEO]) await world.hospital(member).desk.work()
  assert.is(second.standing(state).closed.length, 1)
  assert.match(await faultOf(second.propose(state, Date.now())), /^settlement-early: the period lasts until \d{4}-/)
})

it('up to a time, entries of after it are left for the next period', async () => {
  const world = threeRounds()
  const state = stateOf(world)
  const later = new Logs()
  later.round(3, [ROUNDS.id])
  for (const { author, kind, body, study } of later.all) world.append(author, kind, body as Cbor, study)
  const { desk } = world.hospital(SELF)
  const proposal = await desk.propose(state, Date.now() - HOUR_MS / 2)
  const { facts } = await desk.compute(state, 0, proposal)
  assert.equal(
    facts.lines.map(({ rounds }) => rounds),
    [3, 3, 3, 3],
  )
  assert.is(await world.hospital(ADA).desk.judge.objectionTo(state, proposal), null)
})

it('a node that lacks a body says so, and what it found otherwise is told', async () => {
  const world = threeRounds()
  const at = (world.raws.get(BEN) as Uint8Array[]).findIndex((raw) => decodeEntry(raw).kind === 'round.trained')
  const without = (author: MemberId, seq: number, raw: Uint8Array): Uint8Array =>
    author === BEN && seq === at ? dropBody(raw) : raw
  const state = stateOf(world)
  const { desk, daemon } = world.hospital(SELF)
  const proposal = await desk.propose(state, Date.now())
  const lacking = world.hospital(CLEO, { raw: without })
  assert.equal((await lacking.desk.compute(state, 0, proposal)).facts.missing, [`ben/${at}`])
  await lacking.desk.work()
  const { votes } = openOf(desk, state)
  assert.is(votes.find(({ place }) => place.author === CLEO)?.objection, 'bodies-missing')
  const { statement } = await desk.compute(state, 0, proposal)
  assert.equal(await differencesOf(daemon, votes, statement), [
    { by: 'cleo', says: 'rounds of ben: 3 here, 2 at cleo' },
  ])
})

it('what is within the cut but not final here is waited for', async () => {
  const world = threeRounds()
  const state = stateOf(world)
  await world.hospital(SELF).desk.propose(state, Date.now())
  let final = 3
  const { desk } = world.hospital(ADA, { final: () => final })
  assert.is(await desk.work(), true)
  final = 99
  assert.is(await desk.work(), false)
  assert.is(openOf(desk, state).votes.length, 2)
})

/** Has `run` done while the clock says so much later. */
async function later<T>(ms: number, run: () => Promise<T>): Promise<T> {
  const { now } = Date
  Date.now = () => now() + ms
  try {
    return await run()
  } finally {
    Date.now = now
  }
}

/** How many statements a desk computes from here on. */
function counting(desk: SettlementDesk): { computed: number } {
  const count = { computed: 0 }
  const { compute } = desk
  desk.compute = (...asked) => {
    count.computed++
    return compute.apply(desk, asked)
  }
  return count
}

const beyond = (size: number) => ({ cut: [...FOUR].sort().map((member) => [fromHex(member), size]) as never })

it('of many proposals a few of each party are computed, once, and others have their turn meanwhile, though one waits for ever', async () => {
  const world = threeRounds()
  await forged(world, BEN, beyond(2 ** 50))
  for (let i = 0; i < 6; i++) await forged(world, CLEO, { result: new Uint8Array(32).fill(i) })
  const { desk } = world.hospital(ADA)
  const count = counting(desk)
  await desk.book() // reading has turns of its own
  let [turns, isOver] = [0, false]
  const turn = (): void => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  assert.is(await desk.work(), true)
  isOver = true
  assert.ok(turns >= 5, `${turns} turns of the event loop`)
  for (let look = 0; look < 5; look++) assert.is(await desk.work(), true, 'it waits still')
  assert.is(count.computed, 4)
  assert.equal(openOf(desk, stateOf(world)).votes, [], 'a vote is kept for what may be sound')
})

it('what shows without a statement is turned down without one', async () => {
  const world = threeRounds()
  const { desk } = world.hospital(ADA)
  const count = counting(desk)
  const rows = [
    { cut: [[fromHex(ADA), 9]] as never },
    { until: Date.now() + HOUR_MS },
    { previous: new Uint8Array(32) },
  ]
  for (const more of rows) {
    const proposal = await forged(world, BEN, more)
    assert.ok((await desk.judge.objectionTo(stateOf(world), proposal)) !== null)
  }
  assert.is(count.computed, 0)
})

it('what waits longer than a day is turned down, and then nothing more of that party is waited for in the period', async () => {
  const world = threeRounds()
  const state = stateOf(world)
  await forged(world, BEN, beyond(2 ** 50))
  const desks = [SELF, ADA].map((member) => world.hospital(member).desk) as [SettlementDesk, SettlementDesk]
  const work = async (): Promise<void> => {
    for (const desk of desks) await desk.work()
  }
  await work()
  await later(23 * HOUR_MS, work)
  assert.equal(openOf(desks[0], state).votes, [])
  await later(25 * HOUR_MS, work)
  const { attempts } = desks[0].standing(state).open
  assert.equal(
    attempts[0]?.votes.map(({ objection }) => objection),
    ['cut-ahead', 'cut-ahead'],
  )
  await forged(world, BEN, { attempt: 1, ...beyond(2 ** 50) })
  await forged(world, CLEO, { attempt: 1, result: new Uint8Array(32) })
  for (const member of [SELF, ADA]) await world.hospital(member).desk.work()
  assert.equal(
    desks[0].standing(state).open.attempts[1]?.votes.map(({ objection }) => objection),
    ['differs', 'differs'],
  )
})

it('an agreement that fails keeps no other from being settled; it is told once, and tried again after a minute', async () => {
  const logs = new Logs()
  const both = [settling('rule: by-rounds, periodDays: 1'), ROUNDS]
  for (const agreed of both) logs.agreed(agreed)
  for (let round = 0; round < 3; round++)
    logs.round(
      round,
      both.map(({ id }) => id),
    )
  const world = new World(logs)
  const [broken, sound] = world.studies.agreements.all().map(({ id }) => ({ id })) as [
    { id: AgreementId },
    { id: AgreementId },
  ]
  const first = world.hospital(SELF).desk
  for (const agreed of [broken, sound]) await first.propose(stateOf(world, agreed), Date.now())
  const { desk, told } = world.hospital(ADA)
  const { compute } = desk
  let tries = 0
  desk.compute = (state, ...asked) => {
    if (state.id !== broken.id) return compute.call(desk, state, ...asked)
    tries++
    throw new Error('a damaged entry')
  }
  for (let look = 0; look < 3; look++) await desk.work()
  const voted = (agreed: { id: AgreementId }): number =>
    openOf(desk, stateOf(world, agreed)).votes.filter(({ place }) => place.author === ADA).length
  assert.equal([voted(broken), voted(sound), tries], [0, 1, 1])
  await later(61_000, () => desk.work())
  assert.equal([tries, told], [2, ['settlement-failed a damaged entry']])
  desk.compute = compute
  await later(122_000, () => desk.work())
  assert.is(voted(broken), 1)
})

it('a second word of one hospital is refused at its own node, and an operator may say no', async () => {
  const world = threeRounds()
  const state = stateOf(world)
  const proposal = await world.hospital(SELF).desk.propose(state, Date.now())
  const { desk } = world.hospital(BEN)
  await desk.answer(state, proposal, false)
  assert.match(
    await faultOf(desk.answer(state, proposal, true)),
    /^settlement-answered: this hospital has refused .* \(ben\/\d+\)/,
  )
  assert.is(openOf(desk, state).votes.find(({ place }) => place.author === BEN)?.objection, 'operator')
})

it('who is no party proposes and confirms nothing', async () => {
  const logs = new Logs()
  const agreed = settling('rule: by-rounds')
  logs.agreed(agreed)
  const world = new World(logs)
  const { desk } = world.hospital('d'.repeat(64) as MemberId)
  assert.match(
    await faultOf(desk.propose(stateOf(world, agreed), Date.now())),
    /^settlement-foreign: the parties of agreement/,
  )
})

it('an agreement that settles nothing has no statement', async () => {
  const agreed = settling('rule: none')
  const logs = new Logs()
  logs.agreed(agreed)
  const world = new World(logs)
  assert.match(await faultOf(world.hospital(SELF).desk.compute(stateOf(world, agreed), 0)), /^settlement-none: /)
})

it.run()
