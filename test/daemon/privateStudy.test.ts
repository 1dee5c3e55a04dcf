/** Real daemons in a private study: ε in entries and reports, an end to training at the budget, and an audit. */
import { readFile, writeFile } from 'node:fs/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CheckedClaim } from '../../src/cli/studyPrivacy.ts'
import type { StudyReport } from '../../src/daemon/api.ts'
import { homePaths } from '../../src/daemon/homePaths.ts'
import type { AuditReport } from '../../src/daemon/privacyAudit.ts'
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

const it = suite('private study of daemons')
const PRIVACY = 'privacy: { noiseMultiplier: 4, epsilonMax: 3 }\n'
const OWN_EPSILON = 1.5

const studyOf = async (node: TestNode): Promise<StudyReport | undefined> => (await node.status())?.studies[0]

async function asked<T>(node: TestNode, ...args: string[]): Promise<T> {
  const { code, out, err } = await consilium([...args, '--home', node.home, '--json'])
  assert.is(code, 0, err)
  return JSON.parse(out) as T
}

it('updates carry noise and entries ε, training stops at the study’s budget or the hospital’s own, and an audit is recorded', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'west'])))
    const [north, south] = nodes as [TestNode, TestNode, TestNode]
    const { config } = homePaths(south.home)
    const text = await readFile(config, 'utf8')
    await writeFile(config, text.replace('epsilonMax: null', `epsilonMax: ${OWN_EPSILON}`))
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 400 }) + PRIVACY)
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(120, i))
    await until(90_000, 'all budgets to be spent', async () => {
      const reports = await Promise.all(nodes.map(studyOf))
      return reports.every((report) => report?.refusal === 'privacy-budget-spent')
    })
    for (const node of nodes) {
      const report = await studyOf(node)
      const bound = node === south ? OWN_EPSILON : 3
      const epsilon = report?.privacy?.epsilon as number
      assert.ok(epsilon <= bound && epsilon > 0.8 * bound, `${node.name}: ε ${epsilon} of ${bound}`)
      assert.is(report?.roundsLeft, 0)
    }
    await until(30_000, 'all logs at north', async () =>
      (await asked<CheckedClaim[]>(north, 'study', 'privacy', study)).every(
        ({ claim, name }) => (claim?.epsilon as number) > 0.8 * (name === 'south' ? OWN_EPSILON : 3),
      ),
    )
    const claims = await asked<CheckedClaim[]>(north, 'study', 'privacy', study)
    assert.equal(
      claims.map(({ name, agrees }) => [name, agrees]).sort(),
      ['north', 'south', 'west'].map((name) => [name, true]),
    )
    const shown = await consilium(['study', 'show', study, '--home', north.home])
    assert.match(shown.out, /privacy spent here: ε 2\.\d+ at δ .*allows 0 more rounds/)
    assert.match(shown.out, /Not covered by ε/)

    const audit = await asked<AuditReport>(north, 'study', 'audit-privacy', study)
    assert.ok(audit.members > 60 && audit.others >= 29, `${audit.members} and ${audit.others}`)
    for (const { auc, epsilonLow } of [audit.loss, audit.calibrated]) {
      assert.ok(auc.low < 0.6 && auc.low < auc.value && auc.value < auc.high, `AUC ${auc.low} to ${auc.high}`)
      assert.ok(epsilonLow <= (audit.claim?.epsilon as number), `${epsilonLow}`)
    }
    const entries = await consilium(['log', 'ls', '--kind', 'privacy.audited', '--home', north.home])
    assert.match(entries.out, /privacy\.audited/)
    const { members } = await asked<Report>(north, 'study', 'report', study)
    const [told] = members.find(({ name }) => name === 'north')?.audits ?? []
    assert.equal([told?.round, told?.model, told?.shadows], [audit.round, audit.model, audit.shadows])
    assert.equal(told?.claimed, { epsilon: audit.claim?.epsilon, delta: audit.claim?.delta })
    assert.is(told?.attacks[1]?.auc[0], audit.calibrated.auc.value)
  }))

it.run()
