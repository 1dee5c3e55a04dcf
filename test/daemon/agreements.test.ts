/** An agreement at two real daemons, from the command line: nothing before it is signed, rounds under it, and none after its end. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { AgreementLine, CheckReport } from '../../src/daemon/agreementApi.ts'
import { consilium, consortium, inFolder, patients, propose, startAll, studyText, type TestNode, until } from './kit.ts'

const it = suite('agreements at daemons')

it('tables and rounds wait for all signatures, each round names the agreement, and an end stops both hospitals', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south'])))
    const [north, south] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 100_000, deadlineSeconds: 2 }))
    const file = join(folder, 'a.agreement.yaml')
    const run = (node: TestNode, ...args: string[]) => consilium([...args, '--home', node.home])
    const agreement = (node: TestNode, ...args: string[]) => run(node, 'agreement', ...args)
    const bind = (node: TestNode) => run(node, 'study', 'bind', study, '--data', join(folder, `${node.name}.csv`))
    for (const [i, { name }] of nodes.entries()) await writeFile(join(folder, `${name}.csv`), patients(80, i + 1))

    await agreement(north, 'new', file, '--study', study.slice(0, 12), '--expires', '2099-01-01')
    const tried = await agreement(north, 'test', file)
    assert.is(tried.code, 1)
    assert.match(tried.out, /cohort +FORBIDS +agreed: 10 patients at least; the study asks for 5 +north/)
    await writeFile(file, (await readFile(file, 'utf8')).replace('minimumCohort: 10', 'minimumCohort: 5'))
    assert.is((await agreement(north, 'test', file)).code, 0)
    const { out } = await agreement(north, 'propose', file)
    const digest = /[0-9a-f]{64}/.exec(out)?.[0] ?? ''
    const refused = await bind(north)
    assert.is(refused.code, 1)
    assert.match(
      refused.err,
      /clause parties: (north, south|south, north) have not signed it; it rests on entry north\/\d+: ask/,
    )

    await until(20_000, 'the proposal at south', async () => (await agreement(south, 'sign', digest)).code === 0)
    assert.is((await agreement(north, 'sign', digest)).code, 0)
    const lines = async () => (await north.client.get<{ agreements: AgreementLine[] }>('/v1/agreements')).agreements
    await until(30_000, 'both signatures to be final', async () => (await lines())[0]?.status === 'active')
    for (const node of nodes) await until(20_000, `${node.name} to bind`, async () => (await bind(node)).code === 0)
    const rounds = async (node: TestNode) =>
      (
        await node.client.get<{ entries: { body: { agreements?: string[] } }[] }>(
          `/v1/log?kind=round.trained&limit=1000&member=${node.name}`,
        )
      ).entries
    for (const node of nodes) await until(30_000, `rounds at ${node.name}`, async () => (await rounds(node)).length > 1)
    assert.equal((await rounds(north))[0]?.body.agreements, [digest])

    assert.match(
      (await agreement(south, 'end', digest.slice(0, 12), '--reason', 'breach')).out,
      /Ended .*breach \(south\/\d+\)/,
    )
    for (const node of nodes) {
      const check = async () => node.client.post<CheckReport>('/v1/agreements/check', { study, action: 'export' })
      await until(20_000, `${node.name} to hear of the end`, async () => !(await check()).allowed)
      assert.match(
        (await check()).refusal?.message ?? '',
        /south ended it \(breach\); it rests on entry south\/\d+: ask south$/,
      )
      await until(20_000, `${node.name} to stop`, async () => {
        return (await node.status())?.studies[0]?.refusal === 'agreement-ended'
      })
    }
    const before = (await rounds(south)).length
    const exported = await run(
      south,
      'model',
      'export',
      study.slice(0, 12),
      '--format',
      'json',
      '--out',
      join(folder, 'm'),
    )
    assert.is(exported.code, 1)
    assert.match(exported.err, /clause parties: south ended it/)
    assert.is((await rounds(south)).length, before, 'no further round')
  }))

it.run()
