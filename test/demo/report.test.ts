/** Baselines and the report on them: a fair fight, honest words, and lines that fit. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runBaselines } from '../../scripts/demo/baselines.ts'
import { evaluateModel } from '../../scripts/demo/cohorts.ts'
import { figuresOf, type ReportInput, Resamples } from '../../scripts/demo/figures.ts'
import { report, reportJson, worthWords } from '../../scripts/demo/report.ts'
import { Rng } from '../../src/core/rng.ts'
import { bootstrapInterval, evaluate } from '../../src/learn/evaluate.ts'
import { cohortsOf } from './kit.ts'

const it = suite('demo report')
const SEED = 1
const ROUNDS = 12 // enough for the order of the arms; the demo's 36 take three times as long

const { study, cohorts } = await cohortsOf('alzheimer', SEED)
const seen: string[] = []
const baselines = await runBaselines(study, cohorts, ROUNDS, (name, round) => seen.push(`${name} ${round}`))
const names = cohorts.clinics.map(({ name }) => name)

/** FedAvg's models stand in for gossip's: the report does not train. */
function inputWith(change: Partial<ReportInput> = {}): ReportInput {
  const points = baselines.arms.FedAvg.points.flatMap(({ round, auc }) =>
    names.map((_, clinic) => ({ clinic, round, auc })),
  )
  const log = (name: string, i: number) => ({
    member: `m${i}`,
    name,
    entries: 150 + i,
    recomputed: 9,
    final: 9,
    root: `r${i}`,
    ok: true,
    fault: null,
    milliseconds: 4,
  })
  return {
    study,
    cohorts,
    seed: SEED,
    realSites: false,
    gossip: { points, final: [...baselines.arms.FedAvg.models] },
    baselines,
    verified: names.map((node) => ({ node, logs: names.map(log) })),
    ...change,
  }
}

const meanAuc = (arm: keyof typeof baselines.arms): number => {
  const aucs = baselines.arms[arm].models.map(
    ({ scaling, weights }, i) => evaluateModel(study, scaling, weights, cohorts, i).everyone.auc ?? 0,
  )
  return aucs.reduce((sum, auc) => sum + auc, 0) / aucs.length
}

it('training together or pooled beats training alone', () => {
  assert.ok(meanAuc('pooled') > meanAuc('local-only') + 0.02, `${meanAuc('pooled')} against ${meanAuc('local-only')}`)
  assert.ok(meanAuc('FedAvg') > meanAuc('local-only') + 0.02, `${meanAuc('FedAvg')} against ${meanAuc('local-only')}`)
})

it('every arm trains every round, and its last point is its models’ mean', () => {
  for (const arm of ['local-only', 'FedAvg', 'pooled'] as const) {
    const { points, models } = baselines.arms[arm]
    assert.equal(
      points.map(({ round }) => round),
      Array.from({ length: ROUNDS }, (_, i) => i + 1),
    )
    assert.is(models.length, 5)
    assert.ok(Math.abs((points.at(-1)?.auc ?? 0) - meanAuc(arm)) < 1e-9)
    assert.ok(seen.includes(`${arm} ${ROUNDS}`))
  }
})

it('alone, each hospital has its own model and scaling; a server gives all one', () => {
  const alone = baselines.arms['local-only'].models
  assert.is(new Set(alone.map(({ weights }) => weights.head[0])).size, 5)
  assert.is(new Set(alone.map(({ scaling }) => scaling.mean[0])).size, 5)
  const fedAvg = baselines.arms.FedAvg.models
  assert.is(new Set(fedAvg.map(({ weights }) => weights.head[0])).size, 1)
})

it('the same seed gives the same baselines', async () => {
  const again = await runBaselines(study, cohorts, 2)
  const first = await runBaselines(study, cohorts, 2)
  assert.equal(again.arms, first.arms)
})

it('every line fits 80 columns, with no control characters and no figure missing', () => {
  for (const line of report(inputWith())) {
    assert.ok(line.length <= 80, `${line.length}: ${line}`)
    assert.not.match(line, /\p{Cc}|NaN|undefined|null/u)
  }
})

it('names every hospital and arm, each figure with an interval', () => {
  const lines = report(inputWith())
  for (const arm of ['local-only', 'gossip', 'FedAvg', 'pooled']) {
    const row = lines.find((line) => line.startsWith(arm)) ?? ''
    assert.is(row.match(/\d?\.\d\d \((?:\d?\.\d\d–\d?\.\d\d|fixed)\)/g)?.length, 4, row)
  }
  for (const name of names) assert.ok(lines.filter((line) => line.startsWith(name)).length >= 4, name)
})

it('says whose the deal is, that one seed is one draw, and what this is not', () => {
  const text = report(inputWith()).join(' ').replaceAll(/\s+/g, ' ')
  for (const words of [
    'is ours',
    'Seed 1 is one draw',
    'not a medical device',
    '84 at the five hospitals',
    'too few to judge',
  ]) {
    assert.ok(text.includes(words), words)
  }
  const real = report(inputWith({ realSites: true })).join(' ')
  assert.ok(real.includes('real sites') && !real.includes('is ours'))
})

it('an interval that holds 0 is no clear difference', () => {
  assert.is(worthWords({ value: 0.06, low: 0.01, high: 0.12 }), 'worth +.06 (.01 to .12)')
  assert.is(worthWords({ value: 0.03, low: -0.02, high: 0.08 }), 'no clear difference: +.03 (−.02 to +.08)')
  assert.is(worthWords({ value: -0.05, low: -0.09, high: -0.02 }), 'cost .05 (.02 to .09)')
  assert.is(worthWords({ value: -0.001, low: -0.02, high: 0.02 }), 'no clear difference: .00 (−.02 to +.02)')
  assert.is(worthWords(null), 'no model to compare')
})

it('differences are paired: a model against itself differs by nothing', () => {
  const rng = Rng.from('logits')
  const labels = Uint8Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 1 : 0))
  const logits = Float64Array.from(labels, (label) => label + rng.float() * 2)
  const same = new Resamples(labels, Rng.from('r')).difference(
    logits,
    logits.map((logit) => logit * 2),
  )
  assert.equal(same, { value: 0, low: 0, high: 0 })
})

it('intervals agree with the plain bootstrap of src/learn', () => {
  const rng = Rng.from('logits')
  const labels = Uint8Array.from({ length: 84 }, (_, i) => (i % 4 === 0 ? 1 : 0))
  const logits = Float64Array.from(labels, (label) => label * 1.2 + rng.float() * 3 - 1.5)
  const fast = new Resamples(labels, Rng.from('fast')).figures(logits)
  for (const metric of ['auc', 'accuracy', 'logLoss', 'calibrationError'] as const) {
    const plain = bootstrapInterval(labels, (rows) => evaluate(logits, labels, rows)[metric], Rng.from('plain'))
    assert.is(fast[metric].value, evaluate(logits, labels)[metric])
    for (const end of ['low', 'high'] as const) {
      const gap = Math.abs(fast[metric][end] - (plain?.[end] ?? Number.NaN))
      assert.ok(gap < 0.025, `${metric} ${end}: ${fast[metric][end]} against ${plain?.[end]}`)
    }
  }
})

it('overall scores each patient by the own hospital’s model', () => {
  const { overall } = figuresOf(inputWith())
  const logits = new Float64Array(84)
  for (const [i, { own }] of cohorts.clinics.entries()) {
    const { scaling, weights } = baselines.arms['local-only'].models[i] as (typeof baselines.arms.pooled.models)[number]
    const all = evaluateModel(study, scaling, weights, cohorts, i).logits
    logits.set(all.subarray(own.from, own.to), own.from)
  }
  assert.is(overall['local-only']?.auc.value, evaluate(logits, cohorts.labels).auc)
})

it('a hospital without a model is said, and does not end the report', () => {
  const gossip = {
    points: [],
    final: names.map((_, i) => (i === 1 ? null : (baselines.arms.FedAvg.models[i] ?? null))),
  }
  const lines = report(inputWith({ gossip }))
  assert.ok(lines.some((line) => line.startsWith(names[1] as string) && line.includes('no model to compare')))
  assert.ok(lines.every((line) => line.length <= 100))
})

it('a log that fails on one node, or is missing, is told', () => {
  const good = inputWith()
  assert.ok(report(good).includes('All 5 logs verified on all 5 nodes; all nodes hold the same roots.'))
  const fault = `entry 17: ${'its link names another entry; '.repeat(6)}`
  const bad = good.verified.map((one, i) =>
    i === 2 ? { ...one, logs: one.logs.map((log, k) => (k === 4 ? { ...log, ok: false, fault } : log)) } : one,
  )
  const lines = report(inputWith({ verified: bad }))
  assert.ok(lines.includes('NOT all logs were verified on all nodes.'))
  assert.ok(lines.some((line) => line.startsWith(`${names[2]} on the log of ${names[4]}: entry 17`)))
  assert.ok(lines.every((line) => line.length <= 100))
  const missing = good.verified.map((one, i) => (i === 2 ? { ...one, logs: one.logs.slice(1) } : one))
  assert.ok(report(inputWith({ verified: missing })).includes('NOT all logs were verified on all nodes.'))
  const forked = good.verified.map((one, i) =>
    i === 2 ? { ...one, logs: one.logs.map((log) => ({ ...log, root: 'other' })) } : one,
  )
  assert.ok(report(inputWith({ verified: forked })).some((line) => line.includes('NOT all nodes hold the same roots')))
})

it('the plot shows each arm by its letter', () => {
  const lines = report(
    inputWith({
      gossip: {
        ...inputWith().gossip,
        points: names.flatMap((_, clinic) => [1, 6, 12].map((round) => ({ clinic, round, auc: 0.6 + round / 100 }))),
      },
    }),
  )
  const from = lines.indexOf('AUC OVER ROUNDS')
  const drawn = lines.slice(from + 4, lines.indexOf('LOGS')).join('\n')
  assert.is(drawn.match(/G/g)?.length, 3)
  for (const letter of ['P', 'F', 'l']) assert.ok((drawn.match(new RegExp(letter, 'g'))?.length ?? 0) > 3, letter)
})

it('the file has the same figures as the lines', () => {
  const input = inputWith()
  const json = JSON.parse(JSON.stringify(reportJson(input))) as {
    overall: { pooled: { auc: { value: number } } }
    clinics: unknown[]
    aucByRound: { gossip: unknown[] }
  }
  assert.is(json.clinics.length, 5)
  assert.is(json.aucByRound.gossip.length, ROUNDS)
  assert.ok(
    report(input).some((line) => line.startsWith(`pooled     ${json.overall.pooled.auc.value.toFixed(2).slice(1)} `)),
  )
})

it.run()
