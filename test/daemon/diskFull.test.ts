/** A full disk stops the node with one line, and nothing is lost: when there is room again it goes on where it was. */
import { execFile } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { VerifyReport } from '../../src/daemon/api.ts'
import { consilium, consortium, inFolder, patients, startAll, studyText, type TestNode, until } from './kit.ts'

const it = suite('full disk')
const run = promisify(execFile)
const DISK_BYTES = 4 * 1024 * 1024

it('a full disk stops the node with one clear line, and it resumes when there is room', () =>
  inFolder(async (folder, nodes) => {
    const disk = join(folder, 'one')
    await mkdir(disk)
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk])
    } catch {
      process.stdout.write('SKIPPED: a small disk cannot be mounted here (that needs root)\n')
      return
    }
    try {
      nodes.push(...(await consortium(folder, ['one', 'two'])))
      const [one, two] = nodes as [TestNode, TestNode]
      await startAll(nodes)
      const file = join(folder, 'test.study.yaml')
      await writeFile(file, studyText({ rounds: 100_000, periodSeconds: 0.02, deadlineSeconds: 1 }))
      const added = await consilium(['study', 'add', file, '--home', one.home, '--json'])
      const { study } = JSON.parse(added.out) as { study: string }
      await writeFile(join(folder, 'one.csv'), patients(60, 1))
      assert.is(
        (await consilium(['study', 'bind', study, '--data', join(folder, 'one.csv'), '--home', one.home])).code,
        0,
      )
      await until(20_000, 'some rounds', async () => ((await one.status())?.studies[0]?.round ?? 0) >= 5)

      const { bavail, bsize } = await statfs(disk)
      const filler = Buffer.alloc(Math.max(0, bavail * bsize - 40_000))
      await writeFile(join(disk, 'filler'), filler).catch(({ code }) => assert.is(code, 'ENOSPC')) // the node was quicker: it is full all the same
      const child = one.process
      await until(60_000, 'the node to stop', async () => child?.exitCode !== null)
      assert.is(child?.exitCode, 1)
      const last = one.log.trim().split('\n').at(-1) ?? ''
      assert.match(last, /^consilium: .*disk.*full/i)
      assert.not.match(one.log, /\n\s+at /)

      await rm(join(disk, 'filler'))
      await one.start()
      const before = (await one.status())?.studies[0]?.round ?? 0
      await until(20_000, 'training to go on', async () => ((await one.status())?.studies[0]?.round ?? 0) > before)
      const { logs } = await one.client.get<{ logs: VerifyReport[] }>('/v1/log/verify')
      assert.ok(logs.every((log) => log.ok))
      await until(20_000, 'the other to have caught up without a fork', async () => {
        const mine = (await two.status())?.ledger.find((log) => log.name === 'one')
        return mine !== undefined && !mine.forked && mine.size > before * 4
      })
    } finally {
      await Promise.all(nodes.map((node) => node.end('SIGKILL')))
      await run('umount', [disk])
    }
  }))

it.run()
