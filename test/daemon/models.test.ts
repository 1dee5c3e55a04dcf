/** What becomes of a model, among three real daemons: cards, exports, predictions, explanations, and a withdrawal that stops the others. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ModelLine, PredictReport, WithdrawReport } from '../../src/daemon/modelApi.ts'
import type { ModelCard } from '../../src/daemon/modelCardApi.ts'
import type { ModelReport } from '../../src/daemon/modelReport.ts'
import type { UsesReport } from '../../src/daemon/useApi.ts'
import { probability } from '../../src/learn/model.ts'
import { readModelFile } from '../../src/learn/portable/modelFiles.ts'
import type { Report } from '../../src/report/report.ts'
import {
  bind,
  consilium,
  consortium,
  inFolder,
  patients,
  propose,
  startAll,
  studyText,
  type TestNode,
  until,
} from './kit.ts'

const it = suite('models at daemons')

async function run(node: TestNode, ...args: string[]): Promise<string> {
  const { code, out, err } = await consilium([...args, '--home', node.home])
  if (code !== 0) throw new Error(`${args.join(' ')}: ${err}`)
  return out
}
const json = async <T>(node: TestNode, ...args: string[]): Promise<T> =>
  JSON.parse(await run(node, ...args, '--json')) as T
async function refused(node: TestNode, ...args: string[]): Promise<string> {
  const { code, err } = await consilium([...args, '--home', node.home])
  assert.is(code, 1)
  assert.is(err.trim().split('\n').length, 1)
  return err
}
const studyOf = async (node: TestNode) => (await node.status())?.studies[0]

interface Numbered {
  readonly mean: number
  readonly deviation: number
  readonly levels: string[]
}

/** By hand, from what an export says: the probabilities of rows of [age, marker, sex]. */
function byHand(model: never, rows: readonly (readonly [number | null, number, string])[]): number[] {
  const { inputs, weights, calibration } = model as {
    calibration: { slope: number; intercept: number } // of a study that has ended
    inputs: { clipDeviations: number; features: Numbered[] }
    weights: { values: number[] }[]
  }
  const [age, marker, sex] = inputs.features as [Numbered, Numbered, Numbered]
  const scaled = (value: number | null, { mean, deviation }: { mean: number; deviation: number }): number => {
    const z = value === null ? 0 : (value - mean) / deviation
    return Math.min(Math.max(z, -inputs.clipDeviations), inputs.clipDeviations)
  }
  return rows.map(([years, level, word]) => {
    const x = [scaled(years, age), scaled(level, marker), ...sex.levels.map((one) => (one === word ? 1 : 0))]
    const [kernel, bias] = weights as [{ values: number[] }, { values: number[] }]
    const logit = x.reduce((sum, value, i) => sum + value * (kernel.values[i] as number), bias.values[0] as number)
    return probability(calibration.slope * logit + calibration.intercept)
  })
}

it('a model is shown, exported, used and explained; each leaves an entry, and the numbers agree', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east'])))
    const [north] = nodes as [TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 4, periodSeconds: 1, deadlineSeconds: 60 })) // all three take part
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(80 + i, i))
    await until(60_000, 'the study to end', async () => (await studyOf(north))?.phase === 'ended')
    const held = await north.client.get<ModelReport>(`/v1/studies/${study}/model`)

    let lines: ModelLine[] = []
    const cardOf = (): Promise<ModelCard> => json(north, 'model', 'card', 'Test study')
    await until(60_000, 'word of the models of all three and of how well they do', async () => {
      lines = await json<ModelLine[]>(north, 'model', 'ls')
      return new Set(lines.map(({ name }) => name)).size === 3 && (await cardOf()).metrics.sites.length === 3
    })
    assert.is(lines.find(({ held }) => held)?.model, held.digest)
    assert.match(await run(north, 'model', 'show', `Test study@${held.round}`), /data of east, north, south/)

    const file = join(folder, 'north.safetensors')
    const said = await run(north, 'model', 'export', 'Test study', '--format', 'safetensors', '--out', file)
    assert.match(said, /holds this hospital's private output bias/)
    const { weights, digest, description } = readModelFile(new Uint8Array(await readFile(file)), file)
    assert.equal([[...weights.shared], [...weights.head], digest], [held.shared, held.head, held.digest])
    assert.match(
      await run(north, 'model', 'verify', file),
      new RegExp(`^north made it in round ${held.round}, entry north/\\d+$`, 'm'),
    )
    assert.is(description.inputs.features[0]?.name, 'age')
    assert.match(
      await refused(north, 'model', 'export', study.slice(0, 8), '--format', 'json', '--out', file),
      /exists already/,
    )
    await run(
      north,
      'model',
      'export',
      `Test study@${held.round}`,
      '--format',
      'tfjs',
      '--out',
      join(folder, 'tfjs'),
      '--shared-only',
    )
    assert.match(await readFile(join(folder, 'tfjs', 'consilium.json'), 'utf8'), /"head": "none"/)
    const asJson = join(folder, 'north.json')
    await run(north, 'model', 'export', held.digest.slice(0, 9), '--format', 'json', '--out', asJson)

    const table = join(folder, 'new.csv')
    const rows = ['age,marker,sex,comment', '71,0.5,f,', ',-1.25,m,', '130,1,f,', '60,9.5,x,', '60,much,f,', '45,-2,m,']
    await writeFile(table, `${rows.join('\n')}\n`)
    assert.match(await refused(north, 'predict', '--model', 'Test study', '--in', table), /comment.*--ignore-extra/)
    const report = await json<PredictReport>(north, 'predict', '--model', 'Test study', '--in', table, '--ignore-extra')
    assert.equal([report.rows, report.warnedRows, report.rowsWithoutPrediction], [6, 4, 1])
    const out = (await readFile(join(folder, 'new.predicted.csv'), 'utf8')).trim().split('\n').slice(1)
    const cells = out.map((line) => line.split(','))
    assert.equal(
      cells.map(([line, , warnings]) => `${line} ${warnings}`),
      [
        '2 ',
        '3 age: missing',
        '4 age: out-of-range',
        '5 marker: clipped; sex: unknown-level',
        '6 marker: unreadable',
        '7 ',
      ],
    )
    const expected = byHand(JSON.parse(await readFile(asJson, 'utf8')) as never, [
      [71, 0.5, 'f'],
      [null, -1.25, 'm'],
      [130, 1, 'f'],
      [60, 9.5, ''],
      [45, -2, 'm'],
    ])
    const given = cells.flatMap(([, probability]) => (probability === '' ? [] : [Number(probability)]))
    for (const [i, each] of expected.entries()) assert.ok(Math.abs(each - (given[i] as number)) < 1e-5, `row ${i}`)

    const why = await run(north, 'explain', '--model', 'Test study', '--repeats', '40')
    assert.match(why, /^marker/m, 'the marker is what the label was made of')
    assert.is(
      why.split('\n').findIndex((line) => line.startsWith('marker')),
      1,
    )
    assert.match(await refused(north, 'explain', '--model', 'Test study', '--repeats', '3'), /20 to 1000/)

    const { uses } = await json<UsesReport>(north, 'model', 'uses', study, '--member', 'north')
    assert.equal(
      uses
        .map(({ use, runs, rows, withheld }) => `${use} ${runs} ${rows} ${withheld}`)
        .filter((one) => !/^evaluation/.test(one)),
      ['explanation 1 21 0', 'prediction 1 6 0', 'export 4 null 0'],
    )
    const { entry = '' } = uses.find(({ use }) => use === 'prediction') ?? {}
    assert.match(
      await run(north, 'model', 'used', entry, '--verify', table),
      /^Run 1 read .*new\.csv, byte for byte\.$/m,
    )
    const predicted = join(folder, 'new.predicted.csv')
    assert.match(await run(north, 'model', 'used', entry, '--verify', predicted), /^Run 1 wrote /m)
    const other = await consilium(['model', 'used', entry, '--verify', asJson, '--home', north.home])
    assert.equal([other.code, /No run of this entry/.test(other.out)], [1, true])
    assert.match(await refused(nodes[1] as TestNode, 'model', 'used', entry), /known to north alone/)

    const log = await run(north, 'log', 'ls', '--kind', 'model', '--member', 'north')
    for (const kind of ['model.exported', 'model.served', 'model.explained']) assert.ok(log.includes(kind), kind)
    const { models } = await json<Report>(north, 'study', 'report', study)
    assert.equal(
      models.map(({ model, name, rounds }) => [model, name, rounds]),
      [[held.digest, 'north', lines.find(({ held }) => held)?.rounds]],
    )
    assert.equal(
      models[0]?.exports.map(({ format, withHead, files }) => `${format} ${withHead} ${files}`),
      ['numbers true 1', 'safetensors true 1', 'tfjs false 1', 'json true 1'],
    )
    const [served] = (await north.client.get<{ entries: { body: object }[] }>('/v1/log?kind=model.served')).entries
    const { root: _, fromMs: _from, toMs: _to, ...told } = { ...(served?.body as Record<string, unknown>) }
    const counts = { runs: 1, rows: 6, warned: null, withoutPrediction: null }
    assert.equal(told, { round: held.round - 1, model: held.digest, ...counts })

    await run(north, 'model', 'card', 'Test study', '--out', join(folder, 'card.html'))
    const html = await readFile(join(folder, 'card.html'), 'utf8')
    assert.match(html, /<h1>Model card: Test study<\/h1>/)
    const card = await cardOf()
    assert.equal(card.training.datasets.map(({ name, rows, inThisModel }) => [name, rows, inThisModel]).sort(), [
      ['east', 82, true],
      ['north', 80, true],
      ['south', 81, true],
    ])
    assert.equal(card.metrics.sites.map(({ name }) => name).sort(), ['east', 'north', 'south'])
    assert.is(card.uses.entries.length, 5)
    assert.match(await run(north, 'model', 'card', 'Test study'), /^## How to verify$/m)
  }))

it('a hospital takes its first update back: all others stop at once, refuse to use what was made of it, and go on when it is restored', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east'])))
    const [north, south, east] = nodes as [TestNode, TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 5_000 }))
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(80, i))
    await until(60_000, 'rounds together', async () => {
      const found = await studyOf(east)
      return (found?.round ?? 0) >= 5 && found?.merged.length === 3
    })
    await run(east, 'model', 'export', 'Test study', '--format', 'json', '--out', join(folder, 'east.json'))
    const withdraw = ['model', 'withdraw', 'Test study@1', '--update', '--reason', 'data-error']
    const dry = await json<WithdrawReport>(north, ...withdraw, '--dry-run')
    assert.is(dry.entry, null)
    assert.is((await studyOf(south))?.refusal, null, 'nothing was recorded')

    // another's model is taken back for the own node alone
    const { model } = dry
    await run(south, 'model', 'withdraw', model, '--reason', 'poisoned')
    await until(20_000, 'south to stop', async () => (await studyOf(south))?.refusal === 'model-withdrawn')
    await until(20_000, 'the word to reach north', async () =>
      (await run(north, 'model', 'show', model)).includes('south withdraws it'),
    )
    const before = (await studyOf(north))?.round ?? 0
    await until(30_000, 'north to go on', async () => ((await studyOf(north))?.round ?? 0) > before + 1)
    await run(south, 'model', 'restore', model)
    await until(20_000, 'south to go on', async () => (await studyOf(south))?.refusal === null)

    const report = await json<WithdrawReport>(north, ...withdraw)
    assert.equal([report.model, report.binds], [model, { here: true, everywhere: true }])
    assert.equal(report.stops, ['east', 'north', 'south'])
    assert.equal(
      report.uses.map(({ name, kind }) => [name, kind]),
      [['east', 'model.exported']],
    )
    for (const node of nodes)
      await until(20_000, `${node.name} to stop`, async () => (await studyOf(node))?.refusal === 'model-withdrawn')
    const stopped = await Promise.all(nodes.map(async (node) => (await studyOf(node))?.round))
    await writeFile(join(folder, 'new.csv'), 'age,marker,sex\n50,1,f\n')
    const predict = await refused(east, 'predict', '--model', 'Test study', '--in', join(folder, 'new.csv'))
    assert.match(predict, /withdrawn \(data-error\) by north, entry north\/\d+: ask there/)
    assert.match(await refused(east, 'explain', '--model', 'Test study'), /withdrawn/)
    const out = ['--format', 'safetensors', '--out', join(folder, 'w.safetensors')]
    assert.match(await refused(east, 'model', 'export', 'Test study', ...out), /withdrawn/)
    assert.match(
      await run(east, 'model', 'export', 'Test study', ...out, '--forensic'),
      /^WITHDRAWN: .*not to be used/m,
    )
    assert.match(await run(east, 'model', 'verify', join(folder, 'w.safetensors')), /WITHDRAWN by north \(data-error\)/)
    assert.match(await run(east, 'model', 'card', 'Test study'), /WITHDRAWN \(data-error\) by north/)
    assert.match(await run(south, 'model', 'ls'), /withdrawn by north \(data-error\)/)

    // over a restart too
    await east.end('SIGTERM')
    await east.start()
    await until(20_000, 'east to refuse', async () => (await studyOf(east))?.refusal === 'model-withdrawn')
    assert.equal(
      await Promise.all([north, south].map(async (node) => (await studyOf(node))?.round)),
      stopped.slice(0, 2),
    )

    await run(north, 'model', 'restore', 'Test study@1', '--update')
    for (const [i, node] of nodes.entries())
      await until(30_000, `${node.name} to go on`, async () => ((await studyOf(node))?.round ?? 0) > (stopped[i] ?? 0))
    assert.match(await refused(north, 'model', 'show', 'deadbeef0'), /no study known here/)
  }))

it.run()
