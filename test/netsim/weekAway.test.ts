/** Rounds of a true hour, for three weeks: a hospital is off for a week, and later without a line for a week, and is as good as the others in the end. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRounds, Rules } from '../../netsim/checkers/rules.ts'
import type { Fault } from '../../netsim/members/fault.ts'
import { runStudy, type StudyResult } from '../../netsim/members/run.ts'
import type { Study } from '../../src/config/study.ts'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import type { Scaling } from '../../src/core/statistics.ts'
import { designMatrix } from '../../src/data/design.ts'
import { evaluate } from '../../src/learn/evaluate.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { Kernels } from '../../src/learn/kernels/kernels.ts'
import { predict } from '../../src/learn/model.ts'
import { decodeEntry } from '../../src/ledger/entry.ts'
import { runOf, studyOf, tableOf } from '../node/clinics.ts'

const it = suite('a week away')

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const DAYS = 22
const AGE_MAX = 6 // an update older than a quarter of a day is merged no more
const AWAY = 2
const OFF = { fromMs: 2 * DAY_MS, toMs: 9 * DAY_MS }
const CUT = { fromMs: 12 * DAY_MS, toMs: 19 * DAY_MS }
const MEETING_MS = 8 * HOUR_MS // so long whoever is back reaches one other alone: first clinic 0, then clinic 1
const KERNELS = new Kernels()
const TABLES = [0, 1, 2].map((clinic) => tableOf(`week ${clinic}`, 300))

const STUDY: Study = {
  ...studyOf(1, 'coding: { kind: top-k, share: 0.5, keyframeRounds: 12 }\nvalidationShare: 0.2'),
  rounds: { periodSeconds: HOUR_MS / 1_000, count: 10_000 },
  end: { afterSeconds: (DAYS * DAY_MS) / 1_000, plateau: null },
}
const FAULTS: readonly Fault[] = [
  { type: 'crash', node: AWAY, atMs: OFF.fromMs, downMs: OFF.toMs - OFF.fromMs },
  { type: 'partition', sides: [1, 0, 1], fromMs: OFF.toMs - HOUR_MS, toMs: OFF.toMs + MEETING_MS },
  { type: 'partition', sides: [0, 0, 1], fromMs: CUT.fromMs, toMs: CUT.toMs },
  { type: 'partition', sides: [0, 1, 1], fromMs: CUT.toMs, toMs: CUT.toMs + MEETING_MS },
]

interface Merge {
  readonly atMs: number
  readonly round: number
  /** By node: of which round, and how much it counted. */
  readonly of: ReadonlyMap<number, readonly [round: number, coefficient: number]>
}

const weeks = run()

async function run(): Promise<StudyResult> {
  const rules = new Rules()
  const merge = { ...STUDY.merge, ageRoundsMax: AGE_MAX }
  const result = await runStudy(
    runOf(3, 'weeks', {
      study: { ...STUDY, merge },
      tables: TABLES.map((table) => [table]),
      learner: () => new KernelLearner(KERNELS),
      trainMs: (node) => (10 + node) * 60_000, // ten minutes and more
      faults: FAULTS,
      traced: false,
      notBeforeMs: DAYS * DAY_MS,
      untilMs: (DAYS + 1) * DAY_MS,
      onStep: (step) => rules.check(step),
    }),
  )
  for (const { logs, member } of result.nodes) checkRounds(logs.get(member)?.raws ?? [])
  return result
}

/** As all hold them in the end. */
function mergesOf({ nodes }: StudyResult, node: number): Merge[] {
  const members = nodes.map(({ member }) => member)
  const entries = (nodes[0]?.logs.get(members[node] as MemberId)?.raws ?? []).map(decodeEntry)
  const startMs = entries[0]?.timeMs ?? 0
  return entries
    .filter(({ kind }) => kind === 'round.merged')
    .map(({ timeMs, body }) => {
      const { round, inputs } = body as { round: number; inputs: [Uint8Array, number, Uint8Array, number][] }
      const of = inputs.map(
        ([author, of, , coefficient]) => [members.indexOf(toHex(author) as MemberId), [of, coefficient]] as const,
      )
      return { atMs: timeMs - startMs, round, of: new Map(of) }
    })
}
const between = (merges: readonly Merge[], fromMs: number, toMs: number): Merge[] =>
  merges.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)

it('nobody waits for who is off: the others have a round an hour, and after some hours without its last update', async () => {
  const result = await weeks
  assert.ok(result.settled)
  for (const node of [0, 1]) {
    const merges = mergesOf(result, node)
    assert.ok(merges.length >= DAYS * 24 - 2 && merges.length <= DAYS * 24 + 2, `${merges.length} rounds`)
    for (const { fromMs, toMs } of [OFF, CUT]) {
      const without = between(merges, fromMs + (AGE_MAX + 2) * HOUR_MS, toMs)
      assert.ok(without.length > 6 * 24 && without.every(({ of }) => !of.has(AWAY)))
    }
  }
})

it('who was off takes up the newest models with its first merge, whatever clinic it meets, and says within the hour what it learns from them', async () => {
  const result = await weeks
  const own = mergesOf(result, AWAY)
  const back = between(own, OFF.toMs - HOUR_MS, DAYS * DAY_MS)
  const [first, second] = back as [Merge, Merge]
  const newest = between(mergesOf(result, 0), 0, first.atMs).at(-1)?.round as number
  assert.ok(newest - first.round > 6 * 24, `${first.round} of ${newest}`)
  assert.is(first.of.get(0)?.[0], newest, 'the newest of the clinic that it meets')
  assert.ok((first.of.get(1)?.[0] ?? 0) >= newest - 3, 'and, from there, of the one that it does not reach')
  assert.ok((first.of.get(AWAY)?.[1] as number) < 0.1, 'its own of a week ago hardly counts')
  assert.ok(second.round >= newest - 2, 'it goes on in the round of the others')
  assert.ok(second.atMs < first.atMs + 15 * 60_000, 'at once')
  const heard = mergesOf(result, 0).flatMap(({ of }) => of.get(AWAY)?.[0] ?? [])
  const old = heard.filter((round) => round >= first.round && round < second.round)
  assert.equal(old, [], 'what it trained on from a week ago is in nobody’s model')
})

it('who had no line trained on alone for the week, and is merged again from the first hour on', async () => {
  const result = await weeks
  const own = mergesOf(result, AWAY)
  const alone = between(own, CUT.fromMs + (AGE_MAX + 2) * HOUR_MS, CUT.toMs)
  assert.ok(alone.length > 6 * 24 && alone.every(({ of }) => of.size === 1))
  const [first] = between(own, CUT.toMs + HOUR_MS, DAYS * DAY_MS) as [Merge]
  assert.ok(first.of.has(1) && first.of.has(0), 'both, though one is reached by the other alone')
  const met = between(mergesOf(result, 1), CUT.toMs + 2 * HOUR_MS, CUT.toMs + MEETING_MS)
  assert.ok(met.length >= 5 && met.every(({ of }) => of.has(AWAY)))
})

it('in the end its model is as good as the others’, on everybody’s patients', async () => {
  const { nodes } = await weeks
  const losses = nodes.map(({ model, scaling }) => {
    assert.ok(model !== null && scaling !== null)
    const each = TABLES.map((table) => {
      const test = designMatrix(STUDY, table, table.testRows, scaling as Scaling)
      return evaluate(predict(STUDY.model, test.columns, model.weights, test), test.y)
    })
    return each.reduce((sum, { logLoss }) => sum + logLoss / each.length, 0)
  })
  console.log(losses)
  const [one, other, away] = losses as [number, number, number]
  assert.ok(Math.abs(away - (one + other) / 2) < 0.01, `${losses}`)
  const last = nodes.map((_, node) => mergesOf({ nodes } as StudyResult, node).at(-1)?.of.size)
  assert.equal(last, [3, 3, 3])
})

it.run()
