/** Real daemons: killed in the middle of a long round, one goes on there; operators end a study; what a hospital keeps is shown. */
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseStudy } from '../../src/config/study.ts'
import { weightsDigest } from '../../src/core/digest.ts'
import type { Digest, StudyId } from '../../src/core/ids.ts'
import type { EntryReport } from '../../src/daemon/api.ts'
import type { ModelReport } from '../../src/daemon/modelReport.ts'
import { bindTable } from '../../src/data/bind.ts'
import { designMatrix } from '../../src/data/design.ts'
import { readTableFile } from '../../src/data/table.ts'
import { KernelLearner } from '../../src/learn/kernels/kernelLearner.ts'
import { initialWeights } from '../../src/learn/model.ts'
import { NO_PROGRESS, trainRound } from '../../src/training/roundTraining.ts'
import {
  bind,
  consilium,
  consortium,
  fixBackend,
  inFolder,
  patients,
  propose,
  signing,
  startAll,
  studyText,
  type TestNode,
  until,
} from './kit.ts'

const it = suite('daemons in the middle of a round')

const MODEL = 'model: { kind: mlp, hidden: [128, 64] }'
const LONG = 'training: { localEpochs: 50, batchRows: 16, learningRate: 0.01, l2: 0.01, optimiser: adam }'
const longText = (rounds: number): string =>
  studyText({ rounds, periodSeconds: 0.2 })
    .replace('model: { kind: logistic }', MODEL)
    .replace(/training: .*/, LONG)

async function entriesOf(node: TestNode, kind: string): Promise<{ readonly [field: string]: unknown }[]> {
  const query = `/v1/log?member=${node.name}&kind=${kind}&limit=10000`
  const { entries } = await node.client.get<{ entries: EntryReport[] }>(query)
  return entries.map(({ body }) => body as { readonly [field: string]: unknown })
}

const count = (text: string, word: RegExp): number => text.match(word)?.length ?? 0

it('killed in the middle of a long round, again and again, a node goes on there, and its update has the bytes of a round that nobody killed', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    for (const node of nodes) await fixBackend(node, 'kernels')
    await startAll(nodes)
    const text = longText(1)
    const study = (await propose(folder, nodes, text)) as StudyId
    await bind(folder, south, study, patients(60, 1))
    await bind(folder, north, study, patients(40_000, 2)) // 27,000 rows, fifty times: ten seconds and more
    await until(60_000, 'the round', async () => (await north.status())?.studies[0]?.phase === 'training')
    for (let kill = 0; kill < 2; kill++) {
      const written = count(north.log, / round-progress/g)
      await until(60_000, 'progress', async () => count(north.log, / round-progress/g) > written)
      await north.end('SIGKILL')
      await north.start()
      await signing([north])
    }
    await until(180_000, 'the end of the round', async () => (await entriesOf(north, 'round.trained')).length === 1)
    const resumed = [...north.log.matchAll(/round-resumed.*?steps\D+(\d+)/g)].map(([, steps]) => Number(steps))
    assert.ok(resumed.length === 2, `it went on where it was: ${north.log.split('\n').slice(-12).join('\n')}`)
    assert.ok(
      resumed.every((steps, i) => steps > (resumed[i - 1] ?? 0)),
      `${resumed}`,
    )

    const [trained] = await entriesOf(north, 'round.trained')
    const described = parseStudy(text, 'study')
    const { dataset } = await bindTable(described, await readTableFile(join(folder, 'north.csv')))
    const { scaling } = await north.client.get<ModelReport>(`/v1/studies/${study}/model`).catch(async () => {
      await until(60_000, 'the merge', async () => (await entriesOf(north, 'round.merged')).length === 1)
      return north.client.get<ModelReport>(`/v1/studies/${study}/model`)
    })
    const [train, test] = [dataset.trainRows, dataset.testRows].map((rows) =>
      designMatrix(described, dataset, rows, scaling),
    )
    assert.ok(train && test)
    const learner = new KernelLearner()
    await learner.open({ study, model: described.model, training: described.training, train, test })
    const request = {
      ...{ study, base: initialWeights(described.model, train.columns, study), optimiser: new Uint8Array(0) },
      seed: `${study}/${trained?.dataset as Digest}/0`,
    }
    const parts = { learner, progress: NO_PROGRESS, stopwatch: () => () => 0, tell: () => undefined }
    const again = await trainRound(parts, { request, training: described.training, rows: train.rows, mark: '' })
    assert.is(trained?.update, weightsDigest(again.weights.shared))
    assert.is(trained?.loss, again.loss)
  }))

it('most operators end a study; each hospital keeps its best model, its calibration and its personal model, and shows who trained it', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'east'])))
    await startAll(nodes)
    const study = await propose(
      folder,
      nodes,
      `${studyText({ rounds: 100_000, periodSeconds: 0.3 })}personal: { proximal: 0.2 }\nvalidationShare: 0.3\n`,
    )
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(160, i))
    const phase = async (node: TestNode) => (await node.status())?.studies[0]?.phase
    for (const node of nodes)
      await until(60_000, 'some rounds', async () => ((await node.status())?.studies[0]?.round ?? 0) > 4)
    const say = (node: TestNode) => consilium(['study', 'end', study.slice(0, 10), '--home', node.home])
    const [north, south, east] = nodes as [TestNode, TestNode, TestNode]
    const first = await say(north)
    assert.is(first.code, 0, first.err)
    assert.match(first.out, /1 of 3 hospitals have said so, more than half are needed/)
    const before = (await south.status())?.studies[0]?.round ?? 0
    await until(
      30_000,
      'rounds in spite of one',
      async () => ((await south.status())?.studies[0]?.round ?? 0) > before + 3,
    )
    assert.is.not(await phase(south), 'ended', 'one is no majority of three')
    assert.match((await say(east)).out, /2 of 3/)
    for (const node of nodes)
      await until(
        30_000,
        `the end at ${node.name}`,
        async () => (await entriesOf(node, 'study.calibrated')).length === 1,
      )
    for (const node of nodes) {
      const [ended] = await entriesOf(node, 'study.ended')
      const [kept] = await entriesOf(node, 'study.calibrated')
      const report = await node.client.get<ModelReport>(`/v1/studies/${study}/model`)
      assert.equal([report.which, report.digest, report.round], ['best', kept?.model, (kept?.round as number) + 1])
      assert.equal([report.calibration.slope, report.calibration.intercept], [kept?.slope, kept?.intercept])
      assert.is(report.personal?.shared.length, report.shared.length)
      assert.not.equal(report.personal?.shared, report.shared)
      const newest = await node.client.get<ModelReport>(`/v1/studies/${study}/model?newest`)
      assert.equal([newest.which, newest.digest], ['newest', ended?.model])
      const rounds = (await entriesOf(node, 'round.evaluated')).map(({ round }) => round)
      assert.equal(
        (await entriesOf(node, 'round.personal')).map(({ round }) => round),
        rounds,
      )
      const shown = await consilium(['study', 'show', study.slice(0, 10), '--home', node.home])
      assert.match(shown.out, /^trained by kernels: a step takes [\d.]+ ms on kernels/m)
      assert.match(shown.out, /^newest +\d+ /m)
      assert.match(shown.out, /^(newest|best), calibrated on \d+: [\d.]+ × logit/m)
      assert.match(shown.out, /^personal +\d+ /m)
      assert.is(count(node.log, /study-ended/g), 1)
    }
    await south.end('SIGTERM')
    await south.start()
    await until(30_000, 'the end to be known again', async () => (await phase(south)) === 'ended')
    await until(
      30_000,
      'south to sign, for the numbers leave an entry',
      async () => (await south.status())?.fence === null,
    )
    const report = await south.client.get<ModelReport>(`/v1/studies/${study}/model`)
    const [kept] = await entriesOf(south, 'study.calibrated')
    assert.equal([report.which, report.digest], ['best', kept?.model], 'the best is kept over a restart')
  }))

it.run()
