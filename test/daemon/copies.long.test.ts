/** Copies of a data folder: an old one that is put back, and two that live at once; neither gets a second history past the others. */
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ForkReport } from '../../src/daemon/forkApi.ts'
import { inFolder, signing, TestNode, until } from './kit.ts'
import { checkHistory, roundOf, sizeOf, training } from './recoveryKit.ts'

const it = suite('copies')

it('a folder put back from an old backup, its pin with it, signs no second history', () =>
  inFolder(async (folder, nodes) => {
    const [one, two, three] = await training(folder, nodes)
    await one.end('SIGTERM')
    const backup = join(folder, 'backup')
    await cp(one.home, backup, { recursive: true })
    await one.start()
    await signing([one])
    const round = await roundOf(one)
    await until(30_000, 'rounds that the backup does not know', async () => (await roundOf(one)) >= round + 8)
    await one.end('SIGTERM') // somebody has fetched all that it signed
    const signed = await sizeOf(two, 'one')
    await rm(one.home, { recursive: true })
    await cp(backup, one.home, { recursive: true })
    await one.start()
    await signing([one])
    assert.ok((await sizeOf(one, 'one')) >= signed, 'what the others hold was fetched back before anything was signed')
    await until(30_000, 'training to go on', async () => (await roundOf(one)) > round + 12)
    await until(10_000, 'the others to hear of it', async () => (await sizeOf(three, 'one')) > signed + 4)
    await checkHistory(one, [two, three])
  }))

it('of two live copies of one folder at least one stops, and the others show that one key signed both histories', () =>
  inFolder(async (folder, nodes) => {
    const [one, two, three] = await training(folder, nodes)
    await two.end('SIGTERM')
    const clone = new TestNode(folder, 'copy')
    await cp(two.home, clone.home, { recursive: true })
    await cp(`${two.home}.vault-key`, `${clone.home}.vault-key`)
    nodes.push(clone)
    await Promise.all([two.start(), clone.start()])
    const pair = [two, clone]
    const ended = () => pair.find((node) => node.process === null || node.process.exitCode !== null)
    await until(90_000, 'one of the two to stop', async () => ended() !== undefined)
    assert.match(ended()?.log ?? '', /signed with this key|other members hold entries/)
    for (const other of [one, three])
      await until(
        30_000,
        `${other.name} to go on; its log ends: ${other.log.slice(-600)}`,
        async () => (await other.status()) !== null,
      )
    const forks = async () => (await one.client.get<{ forks: ForkReport[] }>('/v1/log/forks')).forks
    await until(20_000, 'the evidence', async () => (await forks()).length === 1).catch(() => undefined)
    for (const { name, heads } of await forks()) assert.equal([name, heads.length], ['two', 2])
  }))

it.run()
