/** The report of simulated consortia, over seeds: what each hospital tells is what its model does, and the matrix is whole. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScenarioInput } from '../../netsim/scenario/schema.ts'
import { reportPage } from '../../src/report/page.ts'
import type { Report } from '../../src/report/report.ts'
import { runOf } from './scenarioKit.ts'

const it = suite('netsim study report')

const SCENARIO: Partial<ScenarioInput> = {
  nodes: { count: 6 },
  data: {
    kind: 'synthetic',
    features: 6,
    rows: 150,
    separation: 1.3,
    positiveShare: 0.4,
    split: { kind: 'quantity', alpha: 0.9 },
  },
  study: {
    rounds: { count: 12 },
    report: { subgroups: [{ feature: 'x1', edges: [0] }], threshold: 0.4, localOnly: true, crossSite: true },
  },
  ledger: 'on',
}

async function reportOf(seed: number, more: Partial<ScenarioInput> = {}): Promise<Report> {
  const { studyReport, outcome } = await runOf({ ...SCENARIO, ...more }, { seed })
  assert.is(outcome, 'done')
  assert.ok(studyReport)
  return studyReport as Report
}

for (const seed of [1, 2, 3]) {
  it(`seed ${seed}: everybody has told of its model, once, and the AUC is that of the last round`, async () => {
    const { members, study } = await reportOf(seed)
    assert.is(members.length, 6)
    const told = members.filter(({ measured }) => measured?.evaluation)
    assert.ok(told.length >= 3)
    for (const { measured, curve, ended, rows, trainRows } of members) {
      assert.is(measured?.model, ended?.model)
      assert.is(measured?.round, 12)
      const heldOut = (rows as number) - (trainRows as number)
      assert.is(measured?.evaluation === null, heldOut < study.terms.minimumCohort)
      if (measured?.evaluation) assert.is(measured.evaluation.examples, heldOut)
      const [auc] = measured?.evaluation?.shared.auc ?? [null]
      const last = curve.at(-1)?.auc
      if (auc !== null) assert.ok(Math.abs(auc - (last as number)) < 1e-9, `${auc} and ${last}`)
    }
  })
}

it('the matrix has a figure of every update on the patients of everybody who may tell', async () => {
  const { members } = await reportOf(2)
  for (const { member, crossed, measured } of members) {
    const others = members.filter((one) => one.member !== member).map((one) => one.member)
    const expected = measured?.evaluation === null ? [] : others.sort()
    assert.equal(
      crossed?.sites.map(({ author }) => author),
      expected,
    )
    for (const { round } of crossed?.sites ?? []) assert.ok(round >= 10 && round <= 12, `round ${round}`)
  }
})

it('over seeds the small hospitals gain more log-loss by joining than the large ones', async () => {
  let [small, large] = [0, 0]
  for (const seed of [1, 2, 3, 4, 5]) {
    const { members } = await reportOf(seed)
    const told = members.flatMap(({ measured, trainRows }) =>
      measured?.evaluation?.lossGain ? [{ rows: trainRows as number, gain: measured.evaluation.lossGain[0] }] : [],
    )
    told.sort((a, b) => a.rows - b.rows)
    small += told[0]?.gain as number
    large += told.at(-1)?.gain as number
  }
  assert.ok(small > large, `${small} and ${large}`)
})

it('a study that asks for neither has neither, and the page says so', async () => {
  const report = await reportOf(1, {
    study: { rounds: { count: 4 }, report: { localOnly: false, crossSite: false } },
  })
  assert.ok(report.members.every(({ crossed, measured }) => crossed === null && !measured?.evaluation?.alone))
  const html = reportPage(report)
  assert.match(html, /asks for no model trained alone/)
  assert.not.match(html, /Everybody’s model/)
})

it('a crash right after the end costs no figure', async () => {
  const crashes = [{ node: 1, atSeconds: 8, downSeconds: 4 }]
  const report = await reportOf(4, { crashes, study: { ...SCENARIO.study, rounds: { count: 5 } } })
  assert.ok(report.members.every(({ measured, crossed }) => measured !== null && crossed !== null))
})

it.run()
