/** Rounds of a true hour: a hospital is off for a week, or without a line for a week, and is as good as the others in the end. */
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
const DAYS = 9
const AGE_MAX = 6 // an update older than a quarter of a day is merged no more
const AWAY = 2
const GONE = { fromMs: 0.5 * DAY_MS, toMs: 7.5 * DAY_MS }
const MEETING_MS = 8 * HOUR_MS // so long whoever is back reaches one other alone
const KERNELS = new Kernels()
const TABLES = [0, 1, 2].map((clinic) => tableOf(`week ${clinic}`, 300))

const STUDY: Study = {
  ...studyOf(1, 'coding: { kind: top-k, share: 0.5, keyframeRounds: 12 }\nvalidationShare: 0.2'),
  rounds: { periodSeconds: HOUR_MS / 1_000, count: 10_000 },
  end: { afterSeconds: (DAYS * DAY_MS) / 1_000, plateau: null },
}
const meets = (clinic: 0 | 1): Fault => ({
  type: 'partition',
  sides: clinic === 0 ? [1, 0, 1] : [0, 1, 1],
  fromMs: GONE.toMs,
  toMs: GONE.toMs + MEETING_MS,
})
const OFF: Fault = { type: 'crash', node: AWAY, atMs: GONE.fromMs, downMs: GONE.toMs - GONE.fromMs + 60_000 }
const CUT: Fault = { type: 'partition', sides: [0, 0, 1], fromMs: GONE.fromMs, toMs: GONE.toMs }

interface Merge {
  readonly atMs: number
  readonly round: number
  /** By node: of which round, and how much it counted. */
  readonly of: ReadonlyMap<number, readonly [round: number, coefficient: number]>
}

const off = run([OFF, meets(0)])
const cut = off.then(() => run([CUT, meets(1)]))

async function run(faults: readonly Fault[]): Promise<StudyResult> {
  const rules = new Rules()
  const merge = { ...STUDY.merge, ageRoundsMax: AGE_MAX }
  const result = await runStudy(
    runOf(3, 'weeks', {
      study: { ...STUDY, merge },
      tables: TABLES.map((table) => [table]),
      learner: () => new KernelLearner(KERNELS),
      trainMs: (node) => (1 + node) * 60_000,
      faults,
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

it('nobody waits for who is away: the others have a round an hour, and after some hours without its last update', async () => {
  for (const result of [await off, await cut]) {
    assert.ok(result.settled)
    for (const node of [0, 1]) {
      const merges = mergesOf(result, node)
      assert.ok(merges.length >= DAYS * 24 - 2 && merges.length <= DAYS * 24 + 2, `${merges.length} rounds`)
      const without = between(merges, GONE.fromMs + (AGE_MAX + 2) * HOUR_MS, GONE.toMs)
      assert.ok(without.length > 6 * 24 && without.every(({ of }) => !of.has(AWAY)))
    }
  }
})

it('who was off takes up the newest models with its first merge, from the one clinic that it meets, and says at once what it learns from them', async () => {
  const result = await off
  const [first, second] = between(mergesOf(result, AWAY), GONE.toMs, DAYS * DAY_MS) as [Merge, Merge]
  const newest = between(mergesOf(result, 0), 0, first.atMs).at(-1)?.round as number
  assert.ok(newest - first.round > 6 * 24, `${first.round} of ${newest}`)
  assert.ok((first.of.get(0)?.[0] ?? 0) >= newest - 1, 'the newest of the clinic that it meets')
  assert.ok((first.of.get(1)?.[0] ?? 0) >= newest - 3, 'and, from there, of the one that it does not reach')
  assert.ok((first.of.get(AWAY)?.[1] as number) < 0.1, 'its own of a week ago hardly counts')
  assert.ok(second.round >= newest - 2, 'it goes on in the round of the others')
  assert.ok(second.atMs < first.atMs + 15 * 60_000, 'at once')
})

it('who had no line trained on alone for the week, and is merged again from the first hours on', async () => {
  const result = await cut
  const own = mergesOf(result, AWAY)
  const alone = between(own, GONE.fromMs + (AGE_MAX + 2) * HOUR_MS, GONE.toMs)
  assert.ok(alone.length > 6 * 24 && alone.every(({ of }) => of.size === 1))
  const [first] = between(own, GONE.toMs + HOUR_MS, DAYS * DAY_MS) as [Merge]
  assert.ok(first.of.has(1) && first.of.has(0), 'both, though one is reached by the other alone')
  const met = between(mergesOf(result, 1), GONE.toMs + 2 * HOUR_MS, GONE.toMs + MEETING_MS)
  assert.ok(met.length >= 5 && met.every(({ of }) => of.has(AWAY)))
})

it('in the end its model is as good as the others’, on everybody’s patients', async () => {
  for (const result of [await off, await cut]) {
    const losses = result.nodes.map(({ model, scaling }) => {
      assert.ok(model !== null && scaling !== null)
      const each = TABLES.map((table) => {
        const test = designMatrix(STUDY, table, table.testRows, scaling as Scaling)
        return evaluate(predict(STUDY.model, test.columns, model.weights, test), test.y)
      })
      return each.reduce((sum, { logLoss }) => sum + logLoss / each.length, 0)
    })
    const [one, other, away] = losses as [number, number, number]
    assert.ok(away < Math.max(one, other) + 0.01, `${losses}`)
    for (const node of [0, 1, 2]) assert.is(mergesOf(result, node).at(-1)?.of.size, 3)
  }
})

it.run()
