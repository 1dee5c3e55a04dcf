/** Six real daemons, one of which publishes the opposite of what it learns: the others set it aside, and say so. */
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { StudyReport } from '../../src/daemon/api.ts'
import type { OutliersReport } from '../../src/daemon/outliersReport.ts'
import {
  bind,
  consilium,
  consortium,
  inFolder,
  patients,
  propose,
  signing,
  studyText,
  type TestNode,
  until,
} from './kit.ts'

const it = suite('attackers')

const NAMES = ['north', 'south', 'east', 'west', 'harbour', 'hill']
const LIAR = 'hill'
const SIGN_FLIP = fileURLToPath(new URL('./signFlip.mjs', import.meta.url))
const ROUNDS = 10
const ROWS = 480

it('one of six turns its updates around: the honest ones set it aside, and say so', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, NAMES)))
    const liar = nodes.find(({ name }) => name === LIAR) as TestNode
    liar.nodeArguments.push('--import', SIGN_FLIP)
    for (const node of nodes) await node.start() // one by one: six at once are slow to be ready on two cores
    await signing(nodes)
    const text = studyText({ rounds: ROUNDS, periodSeconds: 0.5 }).replace(/^merge: .*$/m, 'merge: { rule: auto }')
    const study = await propose(folder, nodes, text)
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(ROWS, i))
    for (const node of nodes)
      await until(300_000, `${node.name} to end the study`, async () => (await reportOf(node))?.phase === 'ended')
    const honest = nodes.filter((node) => node !== liar)
    for (const node of honest) {
      const told = await consilium(['study', 'outliers', study.slice(0, 10), '--home', node.home, '--json'])
      const { members } = JSON.parse(told.out) as OutliersReport
      const found = members.find(({ name }) => name === LIAR)
      assert.ok(found !== undefined && found.aside > 0, `${node.name}: ${told.out}`)
    }
    const [north] = nodes as [TestNode]
    const say = (...args: string[]) => consilium(['study', ...args, '--home', north.home])
    const wrong = await say('exclude', study, LIAR, '--reason', 'because')
    assert.is(wrong.code, 1)
    assert.match(
      wrong.err,
      /--reason: "because" given; outlying, data-quality, attack-suspected, agreed-with-member are allowed/,
    )
    assert.is((await say('exclude', study, LIAR, '--reason', 'attack-suspected')).code, 0)
    await until(10_000, 'the exclusion to be durable', async () =>
      ((await north.status())?.studies[0]?.excluded ?? []).includes(LIAR),
    )
    assert.match((await say('show', study)).out, new RegExp(`excluded here: ${LIAR}`))
    assert.is((await say('readmit', study, LIAR, '--reason', 'repaired')).code, 0)
    const kinds = await consilium(['log', 'ls', '--member', 'north', '--kind', 'study', '--home', north.home])
    assert.match(kinds.out, /study\.excluded[\s\S]*study\.readmitted/)
    const replayed = await consilium(['log', 'verify', '--replay', '--home', north.home])
    assert.is(replayed.code, 0, replayed.err)
    assert.match(replayed.out, /^north +(\d+) +\1 +\1 +0 +0$/m, replayed.out)
  }))

const reportOf = async (node: TestNode): Promise<StudyReport | undefined> => (await node.status())?.studies[0]

it.run()
