/** A study ends among real daemons: each measures its model and tests the others', and any of them can draw the whole. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Report } from '../../src/report/report.ts'
import {
  bind,
  consilium,
  consortium,
  inFolder,
  patients,
  propose,
  signing,
  startAll,
  type TestNode,
  until,
} from './kit.ts'

const it = suite('study report')

const STUDY = `name: Reported study
purpose: to test reports
model: { kind: logistic }
label: { name: ill, positive: 'yes', negative: 'no' }
features:
  - { name: age, kind: number, unit: years, range: [0, 120], missing: mean }
  - { name: marker, kind: number, unit: mg/L, range: [-10, 10], missing: mean }
  - { name: sex, kind: category, levels: [f, m], missing: level }
training: { localEpochs: 2, batchRows: 16, learningRate: 0.05, l2: 0.01, optimiser: adam }
statistics: { deadlineSeconds: 10 }
rounds: { periodSeconds: 0.2, count: 40 } # so long that who is slow to begin is heard before the end
testShare: 0.25
minimumCohort: 10
report: { subgroups: [{ feature: sex }, { feature: age, edges: [60] }], threshold: 0.4 }
`
const ROWS = { north: 320, south: 200, west: 28 } as const // of west 7 are held out: fewer than the minimum cohort

it('each log carries the figures once, one hospital shows those of all, and of a small one that they are withheld', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, Object.keys(ROWS))))
    const [north, south, west] = nodes as [TestNode, TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, STUDY)
    for (const [i, node] of nodes.entries())
      await bind(folder, node, study, patients(ROWS[node.name as keyof typeof ROWS], i + 1))
    const phase = async (node: TestNode) => (await node.status())?.studies[0]?.phase
    await until(60_000, 'the end at south', async () => (await phase(south)) === 'ended')
    await south.end('SIGKILL') // in the middle of what follows the end
    await south.start()
    await signing([south])

    const reportAt = (node: TestNode) => node.client.get<Report>(`/v1/studies/${study}/report`)
    const isWhole = ({ members }: Report) =>
      members.length === 3 && members.every(({ measured, crossed }) => measured !== null && crossed !== null)
    await until(60_000, 'all figures at west', async () => isWhole(await reportAt(west)))
    await until(20_000, 'all figures at north', async () => isWhole(await reportAt(north)))

    const { members, study: about } = await reportAt(west)
    assert.equal(about.groups, [
      ['f', 'm', 'missing'],
      ['below 60', '60 and above', 'missing'],
    ])
    const of = (name: string) => members.find((member) => member.name === name)
    assert.is(of('west')?.measured?.evaluation, null)
    assert.is(of('west')?.crossed?.examples, null)
    assert.equal(of('west')?.crossed?.sites, [])
    for (const [name, examples] of [
      ['north', 80],
      ['south', 51], // a quarter of each class, rounded
    ] as const) {
      const evaluation = of(name)?.measured?.evaluation
      assert.is(evaluation?.examples, examples)
      assert.ok((evaluation?.shared.auc?.[0] as number) > 0.6)
      assert.ok(evaluation?.alone !== null && evaluation?.aucGain !== null)
      assert.ok((evaluation?.groups.length ?? 0) >= 4)
      const others = members.filter((member) => member.name !== name).map(({ member }) => member)
      const tested = of(name)?.crossed?.sites.map(({ author }) => author)
      assert.equal(tested, others.sort(), `${name} tested all others`)
    }
    const kinds = async (kind: string) =>
      (await west.client.get<{ entries: { name: string }[] }>(`/v1/log?kind=${kind}&limit=100`)).entries
    for (const kind of ['study.measured', 'study.crossed'])
      assert.equal((await kinds(kind)).map(({ name }) => name).sort(), ['north', 'south', 'west'], `${kind}: once each`)

    const [page, data] = [join(folder, 'report.html'), join(folder, 'report.json')]
    const args = ['study', 'report', study.slice(0, 12), '--home', west.home]
    const written = await consilium([...args, '--out', page, '--out', data])
    assert.is(written.code, 0, written.err)
    assert.match(written.out, /west +withheld: fewer held-out patients than the minimum cohort/)
    assert.match(written.out, /north +80 +0\.\d{3} \(0\.\d{3}–[01]\.\d{3}\)/)
    assert.equal((JSON.parse(await readFile(data, 'utf8')) as Report).members, members)
    const html = await readFile(page, 'utf8')
    for (const node of nodes) assert.ok(html.includes(node.name))
    const refused = await consilium([...args, '--out', 'report.pdf'])
    assert.is(refused.code, 1)
    assert.match(refused.err, /^consilium: --out report.pdf: a name that ends in .html or .json is expected\n$/)

    const again = await consilium(['study', 'evaluate', study.slice(0, 12), '--home', north.home])
    assert.is(again.code, 0, again.err)
    await until(20_000, 'another entry', async () => (await kinds('study.measured')).length === 4)
  }))

it.run()
