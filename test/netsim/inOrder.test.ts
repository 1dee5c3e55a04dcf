/** One study run twice in netsim, the second time in the order of the first but over quite another network. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { seededFounders } from '../../netsim/members/identity.ts'
import { type HeardUpdate, InOrder, orderOf, type Stage } from '../../netsim/members/inOrder.ts'
import { runStudy, type StudyOptions, type StudyResult } from '../../netsim/members/run.ts'
import type { Step } from '../../netsim/members/trace.ts'
import type { Digest, MemberId, StudyId } from '../../src/core/ids.ts'
import { CODING } from '../../src/gossip/coding/coding.ts'
import type { Action } from '../../src/node/actions.ts'
import type { NodeEvent } from '../../src/node/events.ts'
import { runOf, studyOf } from '../node/clinics.ts'
import { crowdMerges } from './crowdInOrder.ts'
import { postponed } from './postponed.ts'
import { firstDifference, type ToldRounds, tellRounds, weighedInputs } from './tellRounds.ts'

const it = suite('in order')

const NODES = 4

interface Ran {
  readonly result: StudyResult
  readonly steps: readonly Step[][]
  readonly told: readonly ToldRounds[]
  readonly orders: readonly Stage[][]
}

async function ran(seed: number, more: Partial<StudyOptions>): Promise<Ran> {
  const steps: Step[][] = Array.from({ length: NODES }, () => [])
  const study = studyOf(12)
  const founders = seededFounders('ours', NODES)
  const options = runOf(NODES, seed, { study, founders, ...more, onStep: (step) => steps[step.node]?.push(step) })
  const result = await runStudy(options)
  assert.ok(result.settled, `seed ${seed} settled`)
  const told = result.nodes.map(({ member, logs }, node) =>
    tellRounds(result.study, logs.get(member)?.raws ?? [], steps[node] ?? []),
  )
  return { result, steps, told, orders: steps.map((own) => orderOf(own, result.study)) }
}

const bound = ({ steps }: Ran): Digest[][] =>
  steps.map((own) => own.flatMap(({ event }) => (event.type === 'study-bind' ? event.dataset.commitment : [])))

/** A node that is cut off for a while, losses, and trainings of very different lengths. */
const uneven = ran(1, {
  network: { loss: 0.2, latencyMs: [5, 900] },
  trainMs: (node) => [20, 400, 900, 1_700][node] as number,
  faults: [{ type: 'partition', sides: [0, 0, 0, 1], fromMs: 9_000, toMs: 14_000 }],
})

it('the second run has the rounds of the first: the same updates, inputs, ages, coefficients and merges', async () => {
  const first = await uneven
  const ages = new Set(first.told.flatMap(({ merges }) => merges.join().match(/age \d+/g) ?? []))
  assert.ok(ages.size >= 4, `ages of all kinds: ${[...ages]}`)
  const skips = first.told.map(({ merges }) => 12 - merges.length)
  assert.ok(
    skips.some((count) => count >= 2),
    `somebody skipped rounds: ${skips}`,
  )
  const again = { commitments: bound(first), orders: first.orders }
  for (const seed of [2, 3]) assert.is(firstDifference((await ran(seed, again)).told, first.told), null, `seed ${seed}`)
  const free = await ran(2, { commitments: bound(first) })
  assert.is.not(firstDifference(free.told, first.told), null, 'it is the order that makes them equal')
})

it('one delivery taken a merge later gives other merges', async () => {
  const first = await uneven
  const changed = first.orders.map((stages, node) => (node === 0 ? postponed(stages) : stages))
  const again = ran(2, { commitments: bound(first), orders: changed })
  const difference = await again.then(
    ({ told }) => firstDifference(told, first.told),
    (error: Error) => error.message,
  )
  assert.match(difference ?? '', /^node 0, merges|order that it/)
})

it('a crowd in the same order has the same rounds, inputs, ages and coefficients', async () => {
  const { result, steps, orders } = await uneven
  const { study, tables } = runOf(NODES, 1, { study: studyOf(12) })
  const trainRows = result.nodes.map((_, node) => tables[node]?.[0]?.trainRows.length ?? 0)
  const members = result.nodes.map(({ member }) => member)
  const told = steps.map((own) => weighedInputs(result.study, own))
  assert.equal(await crowdMerges({ study, members, trainRows, orders }), told)
})

it('where the table has another commitment, training has another seed, and all updates differ', async () => {
  const first = await uneven
  const again = await ran(2, { orders: first.orders })
  const digests = ({ told }: Ran) => told.flatMap(({ merges }) => merges.join().match(/[0-9a-f]{64}(?=:)/g) ?? [])
  assert.is(digests(again).length, digests(first).length)
  assert.ok(digests(again).every((digest) => !digests(first).includes(digest)))
})

const STUDY = 'aa' as StudyId
const [A, B] = ['a' as MemberId, 'b' as MemberId]
const SOUND = { finite: true, rms: 1, digestMatches: true, signatureValid: true }

function heard({ author, round }: HeardUpdate, ticket: number, study = STUDY): NodeEvent {
  const base = 'ee' as Digest
  const written = { privacy: null, coding: CODING.float32, reference: null }
  const claims = { study, author, round, examples: 9, scaling: base, base, parents: [], digest: base, parameters: 3 }
  const header = { ...claims, ...written }
  return { type: 'update-heard', ticket, from: author, header, facts: SOUND, cell: null }
}
const trained = (round: number): NodeEvent => {
  const digest = 'ee' as Digest
  return { type: 'trained', study: STUDY, round, update: digest, head: digest, examples: 9, loss: 1 }
}
const committed = (...tags: string[]): NodeEvent => {
  return { type: 'committed', log: { author: B, size: 7, root: 'ee' as Digest }, tags, facts: [] }
}
const verdict = (ticket: number, reason: string | null): Action => {
  return { type: 'verdict', ticket, verdict: reason === null ? 'accept' : 'ignore', reason }
}

it('an order has what was accepted, each before the own event that came next', () => {
  const other = 'bb' as StudyId
  const steps = [
    { event: heard({ author: A, round: 2 }, 7), actions: [verdict(7, null)] },
    { event: heard({ author: B, round: 5 }, 8), actions: [verdict(8, 'update-stale')] },
    { event: heard({ author: B, round: 6 }, 9, other), actions: [verdict(9, null)] },
    { event: trained(3), actions: [] },
    { event: heard({ author: B, round: 4 }, 10), actions: [verdict(10, null)] },
    { event: heard({ author: A, round: 3 }, 11), actions: [verdict(11, null)] },
    { event: committed('seen', `trained:${STUDY}`), actions: [] },
    { event: heard({ author: A, round: 4 }, 12), actions: [verdict(12, null)] },
  ]
  assert.equal(orderOf(steps, STUDY), [
    { own: 'trained 3', heard: [{ author: A, round: 2 }] },
    {
      own: 'recorded the training',
      heard: [
        { author: B, round: 4 },
        { author: A, round: 3 },
      ],
    },
  ])
})

it('own events wait for what had been heard before them, updates for their stage, commits for those before', () => {
  const order = InOrder.of(STUDY, [
    { own: 'trained 3', heard: [{ author: A, round: 2 }] },
    { own: 'recorded the training', heard: [] },
  ])
  assert.ok(order)
  const [late, early, never] = [
    heard({ author: A, round: 2 }, 7),
    heard({ author: A, round: 3 }, 8),
    heard({ author: B, round: 2 }, 9),
  ]
  assert.equal(order.take(committed('seen')), [committed('seen')], 'nothing waits before it')
  assert.equal(order.take(early), [])
  assert.equal(order.take(trained(3)), [])
  assert.equal(order.take({ type: 'woken' }), [{ type: 'woken' }])
  assert.equal(order.take(committed('seen')), [], 'behind what waits')
  assert.equal(order.take(never), [])
  assert.equal(order.take(late), [late, trained(3), committed('seen')])
  assert.equal(order.take(committed(`trained:${STUDY}`)), [committed(`trained:${STUDY}`)])
  assert.throws(() => order.take(trained(4)), /came to "trained 4".*"nothing" is next/)
})

it.run()
