/** Time, and what is each hospital's own, in whole networks of machines: over seeds. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRounds, Rules } from '../../netsim/checkers/rules.ts'
import type { Fault } from '../../netsim/members/fault.ts'
import { runStudy, type StudyOptions, type StudyResult } from '../../netsim/members/run.ts'
import type { Study } from '../../src/config/study.ts'
import { toHex } from '../../src/core/bytes.ts'
import type { MemberId } from '../../src/core/ids.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { stratifiedSplit, validationSplit } from '../../src/data/split.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { Kernels } from '../../src/learn/kernels/kernels.ts'
import { decodeEntry, type Entry } from '../../src/ledger/entry.ts'
import { runOf, studyOf, tableOf } from './clinics.ts'

const it = suite('time in netsim')

const HOUR_MS = 2_000 // a round an hour, and hours are short: heads are announced every few seconds, and a true week of them takes minutes
const DAY_MS = 24 * HOUR_MS
const KERNELS = new Kernels()

async function run(nodes: number, seed: number, more: Partial<StudyOptions>): Promise<StudyResult> {
  const rules = new Rules()
  const result = await runStudy(runOf(nodes, seed, { ...more, onStep: (step) => rules.check(step) }))
  for (const { logs, member } of result.nodes) checkRounds(logs.get(member)?.raws ?? [])
  return result
}

const entriesOf = (result: StudyResult, node: number, kind: string): Entry[] => {
  const log = result.nodes[0]?.logs.get(result.nodes[node]?.member as MemberId)
  return (log?.raws ?? []).map(decodeEntry).filter((entry) => entry.kind === kind)
}
const bodiesOf = <T>(result: StudyResult, node: number, kind: string): T[] =>
  entriesOf(result, node, kind).map(({ body }) => body as T)
const phases = (result: StudyResult) => result.nodes.map(({ view }) => view?.studies[0]?.run?.phase)

type Merged = { round: number; inputs: [Uint8Array, number, Uint8Array, number][] }
const withWhom = ({ inputs }: Merged): string[] => inputs.map(([author]) => toHex(author))

/** A study like `studyOf`'s, with other words in it. */
function changed(rounds: number, change: (study: Study) => Partial<Study>): Study {
  const study = studyOf(rounds)
  return { ...study, ...change(study) }
}

for (const peer of [0, 1]) {
  it(`a hospital that was off for a week of hourly rounds joins again from clinic ${peer} alone, takes up the others’ round once it hears both, and nobody had waited for it`, async () => {
    const study = changed(260, ({ merge }) => ({
      rounds: { periodSeconds: HOUR_MS / 1000, count: 260 },
      merge: { ...merge, ageRoundsMax: 6 },
    }))
    for (const seed of [1, 2]) {
      const faults: Fault[] = [
        { type: 'crash', node: 2, atMs: DAY_MS, downMs: 7 * DAY_MS },
        // when it is back, it reaches one of the others, and not the other, for half a day
        { type: 'partition', sides: peer === 0 ? [1, 0, 1] : [0, 1, 1], fromMs: 7.9 * DAY_MS, toMs: 8.5 * DAY_MS },
      ]
      const result = await run(3, seed, { study, faults, untilMs: 13 * DAY_MS })
      assert.ok(result.settled, `seed ${seed}`)
      assert.equal(phases(result), ['ended', 'ended', 'ended'])
      const [away, met] = [result.nodes[2], result.nodes[peer]].map((node) => node?.member as MemberId) as [
        MemberId,
        MemberId,
      ]
      const start = Math.min(...entriesOf(result, 0, 'round.merged').map(({ timeMs }) => timeMs))
      const during = entriesOf(result, peer, 'round.merged').filter(
        ({ timeMs }) => timeMs > start + 1.5 * DAY_MS && timeMs < start + 7.5 * DAY_MS,
      )
      assert.ok(during.length >= 6 * 24 - 2, `${during.length} rounds in six days without it`)
      assert.ok(
        during.every(({ body }) => !withWhom(body as Merged).includes(away)),
        'its last update has faded out',
      )
      const merges = bodiesOf<Merged>(result, 2, 'round.merged')
      const back = entriesOf(result, 2, 'round.merged').findIndex(({ timeMs }) => timeMs > start + 7.9 * DAY_MS)
      const skips = merges.map(({ round }, i) => round - (merges[i - 1]?.round ?? round))
      assert.ok(Math.max(...skips) > 120, `${Math.max(...skips)}: one other alone is no majority to follow, both are`)
      assert.ok(merges.length < 150 && merges.at(-1)?.round === 259, 'it does not make up for what it missed')
      assert.ok(
        merges.slice(back, back + 3).some((merge) => withWhom(merge).includes(met)),
        'with whom it meets',
      )
      const again = bodiesOf<Merged>(result, peer, 'round.merged').filter((merge) => withWhom(merge).includes(away))
      assert.ok((again.at(-1)?.round ?? 0) > 240, 'and is merged again')
    }
  })
}

/** Clinics with validation rows of their own; in each of them tau counts the other way round by so much. */
function clinic(seed: string, rows: number, turned: number): Dataset {
  const table = tableOf(seed, rows)
  const rng = Rng.from('turned', seed)
  for (let row = 0; row < rows; row++) {
    const [age, tau] = [table.values[row * 3] as number, table.values[row * 3 + 1] as number]
    const sign = 1 - 2 * turned
    table.labels[row] = age / 50 + (sign * (tau - 350)) / 120 + 2 * rng.float() > 2.3 ? 1 : 0
  }
  const { testRows, trainRows } = stratifiedSplit(table.labels, 0.25, rng)
  const rest = validationSplit(table.labels, trainRows, { share: 0.2, rowsMin: 10 }, rng)
  return { ...table, testRows, ...rest }
}

const kernels = () => new KernelLearner(KERNELS)
const TRAINING = { localEpochs: 2, batchRows: 16, learningRate: 0.05, l2: 0.01, optimiser: 'adam' } as const
const OFF = { proximal: 0, momentum: 0, tracking: 0, secondsMax: null }
type Measures = { round: number; logLoss: number }

it('where a clinic’s patients differ its personal model is better than the shared one, both are recorded in every round, and calibration at the end', async () => {
  for (const seed of [1, 2, 3]) {
    const study = changed(12, ({ merge }) => ({
      training: { ...TRAINING, ...OFF },
      personal: { proximal: 0.05 },
      merge: { ...merge, rule: 'mean', vetoNats: null },
    }))
    const tables = [0, 0, 0.9].map((turned, i) => [clinic(`${seed} ${i}`, 240, turned)])
    const result = await run(3, seed, { study, tables, learner: kernels, untilMs: 120_000 })
    assert.ok(result.settled)
    for (const node of [0, 1, 2]) {
      const [shared, personal] = ['round.evaluated', 'round.personal'].map((kind) =>
        bodiesOf<Measures>(result, node, kind),
      )
      assert.equal(
        personal?.map(({ round }) => round),
        shared?.map(({ round }) => round),
      )
      const [last, own] = [shared?.at(-1), personal?.at(-1)]
      if (node === 2)
        assert.ok(
          (own?.logLoss ?? 9) < (last?.logLoss ?? 0) - 0.1,
          `seed ${seed}: ${last?.logLoss} and ${own?.logLoss}`,
        )
      const [kept] = bodiesOf<{ rows: number; slope: number; logLoss: [number, number]; calibrationError: number[] }>(
        result,
        node,
        'study.calibrated',
      )
      assert.ok(kept && kept.rows >= 30 && kept.slope > 0 && kept.calibrationError.length === 2)
      if (node < 2)
        assert.ok(kept.logLoss[1] < kept.logLoss[0], `${kept.logLoss}: patients of the larger part are told better`)
      const standing = result.nodes[node]?.view?.studies[0]?.run?.standing
      assert.ok(standing && standing.best.validationLoss <= standing.newest.validationLoss)
    }
  }
})

it('most operators’ word, or most nodes’ standstill, ends a study everywhere, and a minority’s does not', async () => {
  const training = { ...TRAINING, ...OFF }
  const still = changed(400, () => ({ training, end: { afterSeconds: null, plateau: { rounds: 8, delta: 0.01 } } }))
  for (const seed of [1, 2]) {
    const result = await run(4, seed, { study: still, learner: kernels, untilMs: 500_000 })
    assert.ok(result.settled, 'long before four hundred rounds')
    for (const node of [0, 1, 2, 3]) {
      const [ended] = bodiesOf<{ rounds: number }>(result, node, 'study.ended')
      assert.ok(ended && ended.rounds > 8 && ended.rounds < 200, `${ended?.rounds} rounds`)
    }
    const said = [0, 1, 2, 3].filter((node) => bodiesOf(result, node, 'study.enough').length === 1)
    assert.ok(said.length >= 3, 'most of four')
    for (const node of said) assert.equal(bodiesOf(result, node, 'study.enough'), [{ reason: 'plateau' }])
  }
})

it('at its time a study ends everywhere, whatever round it is, also at a hospital that was off then', async () => {
  const study = changed(400, () => ({ end: { afterSeconds: 40, plateau: null } }))
  const faults: Fault[] = [{ type: 'crash', node: 1, atMs: 30_000, downMs: 25_000 }]
  const result = await run(3, 4, { study, faults, untilMs: 200_000 })
  assert.ok(result.settled)
  assert.equal(phases(result), ['ended', 'ended', 'ended'])
  const rounds = [0, 1, 2].map((node) => bodiesOf<{ rounds: number }>(result, node, 'study.ended')[0]?.rounds ?? 0)
  assert.ok((rounds[0] as number) > 20 && (rounds[1] as number) < (rounds[0] as number), `${rounds}`)
})

it('a round has its time: the slow clinic publishes what it has, as often as the others', async () => {
  const of = (secondsMax: number | null) =>
    changed(400, () => ({
      training: { ...TRAINING, ...OFF, secondsMax, localEpochs: 20 },
      end: { afterSeconds: 60, plateau: null },
    }))
  const trainMs = (node: number) => (node === 1 ? 8_000 : 400)
  const counts = async (secondsMax: number | null) => {
    const result = await run(3, 6, { study: of(secondsMax), learner: kernels, trainMs, untilMs: 900_000 })
    assert.ok(result.settled)
    return [0, 1, 2].map((node) => entriesOf(result, node, 'round.trained').length)
  }
  const [free, timed] = [await counts(null), await counts(1)]
  assert.ok((free[1] as number) < 10 && (free[0] as number) > 35, `${free}: nobody waits for it`)
  assert.ok((timed[1] as number) > 30, `${timed}`)
})

it.run()
