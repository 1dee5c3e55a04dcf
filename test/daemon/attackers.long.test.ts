/** Six real daemons, once with one that publishes the opposite of what it learns and once without: the others come out alike. */
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { StudyReport } from '../../src/daemon/api.ts'
import { bind, consortium, inFolder, patients, propose, signing, studyText, type TestNode, until } from './kit.ts'

const it = suite('attackers')

const NAMES = ['north', 'south', 'east', 'west', 'harbour', 'hill']
const LIAR = 'hill'
const SIGN_FLIP = fileURLToPath(new URL('./signFlip.mjs', import.meta.url))
const ROUNDS = 10
const ROWS = 480 // 120 held out: an AUC is good to a hundredth

/** Runs a whole study among six daemons. @returns the mean AUC of the honest ones. */
async function studied(lies: boolean): Promise<number> {
  let auc = Number.NaN
  await inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, NAMES)))
    const liar = nodes.find(({ name }) => name === LIAR) as TestNode
    if (lies) liar.nodeArguments.push('--import', SIGN_FLIP)
    for (const node of nodes) await node.start() // one by one: six at once are slow to be ready on two cores
    await signing(nodes)
    const text = studyText({ rounds: ROUNDS, periodSeconds: 0.5 }).replace(/^merge: .*$/m, 'merge: { rule: auto }')
    const study = await propose(folder, nodes, text)
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(ROWS, i))
    const report = async (node: TestNode): Promise<StudyReport | undefined> => (await node.status())?.studies[0]
    for (const node of nodes)
      await until(300_000, `${node.name} to end the study`, async () => (await report(node))?.phase === 'ended')
    const aucs: number[] = []
    for (const node of nodes) if (node !== liar) aucs.push((await report(node))?.metrics?.auc as number)
    auc = aucs.reduce((sum, one) => sum + one, 0) / aucs.length
  })
  return auc
}

it('one of six turns its updates around: the honest ones lose less than .01 of AUC against a run without it', async () => {
  const undisturbed = await studied(false)
  const attacked = await studied(true)
  assert.ok(Math.abs(undisturbed - attacked) < 0.01, `AUC ${undisturbed} undisturbed, ${attacked} with a liar`)
})

it.run()
