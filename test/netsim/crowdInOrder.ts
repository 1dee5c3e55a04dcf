/** A crowd without a ledger that is made to train, hear and merge when the nodes of another run did. */
import * as assert from 'uvu/assert'
import { Clock } from '../../netsim/clock.ts'
import { Crowd } from '../../netsim/crowd/crowd.ts'
import { FastTrace } from '../../netsim/crowd/fastTrace.ts'
import type { Stage } from '../../netsim/members/inOrder.ts'
import type { Study } from '../../src/config/study.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { NullFleet } from '../../src/learn/kernels/nullFleet.ts'
import { tellInput } from './tellRounds.ts'

/** What a crowd needs of the other run; nodes are numbered in the order of their keys. */
export interface OtherRun {
  readonly study: Study
  readonly members: readonly MemberId[]
  /** Rows that each node trains on. */
  readonly trainRows: readonly number[]
  readonly orders: readonly (readonly Stage[])[]
}

/** For each node a line for each merge: whose update of which round, how old, and with what coefficient. */
export async function crowdMerges({ study, members, trainRows, orders }: OtherRun): Promise<string[][]> {
  const table = timetable(members, orders)
  const lines = members.map((): string[] => [])
  const clock = new Clock()
  const merges = members.map(() => 0)
  const crowd = new Crowd({
    atOnce: true,
    clock,
    trace: new FastTrace(),
    nodes: members.length,
    fleet: new SizedFleet(trainRows),
    rounds: { count: study.rounds.count, periodMs: 0 },
    merge: study.merge,
    sharedHeads: false,
    heldMax: LIMITS.membersMax,
    trainMs: (node) => (table.mergesMs[node]?.[(merges[node] as number)++] ?? Number.NaN) - clock.elapsedMs,
    mayMerge: null,
    spread: (update, to) => {
      for (const [node, heardMs] of table.heardMs.entries()) {
        const atMs = heardMs.get(`${members[update.author]} ${update.round}`)
        if (atMs !== undefined) to.flights.fly(update, node, atMs - clock.elapsedMs)
      }
    },
    publisher: () => null,
    digestOf: (slot) => slot,
    onMerge: (node, { round, inputs }, _, shares) => {
      const told = inputs.map((input, i) => tellInput(members[input.author] as MemberId, input, shares[i] as number))
      lines[node]?.push(`${round}: ${told.join('; ')}`)
    },
    onVerdict: (_, { author, round }, reason) => assert.is(reason, null, `update ${round} of node ${author}`),
  })
  for (const node of members.keys()) crowd.up(node, null)
  await clock.run(1e9, () => crowd.counts.ended === members.length)
  assert.is(crowd.counts.ended, members.length)
  return lines
}

class SizedFleet extends NullFleet {
  readonly #rows: readonly number[]

  constructor(rows: readonly number[]) {
    super(rows.length)
    this.#rows = rows
  }

  override trainRows(node: number): number {
    return this.#rows[node] as number
  }
}

/** When what happens: one thing in each millisecond, each node's in its own order, and nothing heard before it was published. */
function timetable(members: readonly MemberId[], orders: readonly (readonly Stage[])[]) {
  const mergesMs = orders.map((): number[] => [])
  const heardMs = orders.map(() => new Map<string, number>())
  const published = new Set<string>()
  const left = orders.map(happenings)
  for (let atMs = 1; left.some((own) => own.length > 0); atMs++) {
    const node = left.findIndex(([next]) => next !== undefined && (next.publishes || published.has(next.update)))
    const next = left[node]?.shift()
    assert.ok(next, 'what is heard was published')
    const { publishes, update } = next
    if (publishes) {
      published.add(`${members[node]} ${update}`)
      mergesMs[node]?.push(atMs)
    } else heardMs[node]?.set(update, atMs)
  }
  return { mergesMs, heardMs }
}

interface Happening {
  readonly publishes: boolean
  /** Author and round of what is heard; the round of what is published. */
  readonly update: string
}

/** What a node heard, and where it published and had its inputs: both at one instant, when its training is recorded. */
function happenings(stages: readonly Stage[]): Happening[] {
  let round = ''
  return stages.flatMap(({ own, heard }) => {
    if (own.startsWith('trained ')) round = own.slice('trained '.length)
    const updates = heard.map((one) => ({ publishes: false, update: `${one.author} ${one.round}` }))
    return own === 'recorded the training' ? [...updates, { publishes: true, update: round }] : updates
  })
}
