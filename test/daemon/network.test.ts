/** Three real daemons: a study from its proposal to its end, with one killed on the way, and what must hold afterwards. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EntryReport, ReplayReport, VerifyReport } from '../../src/daemon/api.ts'
import { openHome } from '../../src/daemon/home.ts'
import type { ModelReport } from '../../src/daemon/modelReport.ts'
import { replay } from '../../src/daemon/recorder.ts'
import { LevelStore } from '../../src/store/levelStore.ts'
import {
  bind,
  consilium,
  consortium,
  inFolder,
  patients,
  propose,
  signing,
  startAll,
  studyText,
  type TestNode,
  until,
} from './kit.ts'

const it = suite('network of daemons')
const ROUNDS = 40

const phaseOf = async (node: TestNode): Promise<string> => (await node.status())?.studies[0]?.phase ?? 'down'
const roundOf = async (node: TestNode): Promise<number> => (await node.status())?.studies[0]?.round ?? 0

const STOP_MS_MAX = 20_000 // 5 s on a machine of its own; one that hangs would never end

it('a study runs to its end at all hospitals although one is killed, and every log verifies everywhere', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['north', 'south', 'west'])))
    const [north, south, west] = nodes as [TestNode, TestNode, TestNode]
    await Promise.all(nodes.map((node) => node.start('--record', join(folder, `${node.name}.record`))))
    await signing(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: ROUNDS }))
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(80, i))

    await until(30_000, 'the fifth round', async () => (await roundOf(south)) >= 5)
    await south.end('SIGKILL')
    const before = await roundOf(north)
    await until(20_000, 'the others to go on', async () => (await roundOf(north)) >= before + 8)
    await south.start('--record', join(folder, 'south.second.record'))
    await until(60_000, 'the end of the study', async () =>
      (await Promise.all(nodes.map(phaseOf))).every((phase) => phase === 'ended'),
    )

    const models = await Promise.all(nodes.map((node) => node.client.get<ModelReport>(`/v1/studies/${study}/model`)))
    assert.ok(models.every((model) => model.shared.every(Number.isFinite)))
    assert.is(new Set(models.map((model) => model.scaling.digest)).size, 1, 'one scaling, frozen once')

    await until(20_000, 'all logs everywhere', async () => {
      const roots = await Promise.all(
        nodes.map(async (node) => JSON.stringify((await node.status())?.ledger.map((log) => log.root))),
      )
      return new Set(roots).size === 1
    })
    for (const node of nodes) {
      const { logs } = await node.client.get<{ logs: VerifyReport[] }>('/v1/log/verify')
      assert.equal(
        logs.map((log) => [log.ok, log.fault]),
        logs.map(() => [true, null]),
      )
      assert.ok(logs.every((log) => log.entries > 20))
    }

    for (const node of nodes) {
      const { logs } = await node.client.get<{ logs: ReplayReport[] }>('/v1/log/replay')
      assert.equal(
        logs.flatMap(({ differences }) => differences),
        [],
      )
      for (const { name, merges, equal, notChecked } of logs) {
        const least = node === south ? 1 : merges / 4 // south was away, and heard nothing meanwhile
        assert.ok(equal >= least, `${node.name} recomputed ${equal} of ${merges} merges of ${name}`)
        assert.ok(notChecked.every(({ reason }) => reason === 'inputs-missing'))
        if (name === node.name && node !== south) assert.is(equal, merges, `${name}: all of its own`)
      }
    }
    const said = await consilium(['log', 'verify', '--replay', '--member', 'north', '--home', west.home])
    assert.is(said.code, 0, said.err)
    assert.match(said.out, /^merges of +recorded +recomputed +equal +differing +not checked\nnorth +\d+/)
    assert.match(said.out, /\nNot checked: .*private head/)

    const { entries } = await west.client.get<{ entries: EntryReport[] }>(
      '/v1/log?member=south&kind=round.published&limit=1000',
    )
    const rounds = entries.map((entry) => (entry.body as { round: number }).round)
    assert.equal(
      [...rounds].sort((a, b) => a - b),
      [...new Set(rounds)],
      'each round is published once, in order',
    )
    assert.ok(
      rounds.some((round, i) => i > 0 && round > (rounds[i - 1] as number) + 1),
      'the killed node caught up with the others',
    )

    const { entries: merges } = await west.client.get<{ entries: EntryReport[] }>(
      '/v1/log?member=north&kind=round.merged&limit=1000',
    )
    const sizes = merges.map((entry) => (entry.body as { inputs: unknown[] }).inputs.length)
    assert.ok(sizes.includes(3) && sizes.includes(2), `merges of all three, and of two while one was down: ${sizes}`)

    const all = await west.client.get<{ entries: EntryReport[] }>('/v1/log?limit=10000')
    const told = JSON.stringify(all.entries.map((entry) => ({ ...entry, name: '', ref: '', refs: [] })))
    for (const secret of ['north', 'south', 'west', '.csv', '127.0.0.1', folder])
      assert.not.ok(told.includes(secret), `no entry names ${secret}`)

    for (const node of nodes) assert.is(await node.end('SIGTERM'), 0, node.log)
    for (const name of ['north', 'west', 'south.second']) {
      const { events, differsAt } = await replay(join(folder, `${name}.record`))
      assert.is(differsAt, null, `${name} replays to the same actions`)
      assert.ok(events > 40, `${name} recorded ${events} events`)
    }
  }))

it('a stop while training is recorded and ends soon, and the next start resumes the round', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one, two] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 500, periodSeconds: 0.1 }))
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
    await until(20_000, 'some rounds', async () => (await roundOf(one)) >= 5)
    const begun = Date.now()
    assert.is(await one.end('SIGTERM'), 0)
    assert.ok(Date.now() - begun < STOP_MS_MAX, 'a graceful stop ends soon')
    const database = join(one.home, 'database')
    const store = await LevelStore.open(database, { self: (await openHome(one.home)).key.id })
    assert.is((await store.listState('facts/')).length, 2, 'a bookmark in each log, for a quick start')
    await store.close()
    const before = await roundOf(two)
    await one.start()
    await until(20_000, 'training to go on', async () => (await roundOf(one)) >= Math.min(before, 10))
    const starts = async (): Promise<string[]> => {
      const { entries } = await one.client.get<{ entries: EntryReport[] }>('/v1/log?member=one&kind=node&limit=10')
      return entries.map((entry) => entry.kind)
    }
    await until(5_000, 'the start to be recorded', async () => (await starts()).length === 3)
    assert.equal(await starts(), ['node.started', 'node.stopped', 'node.started'])
    const socket = await stat(join(one.home, 'control.sock'))
    assert.is(socket.mode & 0o777, 0o600, 'the control socket is for its owner alone')
  }))

it('a SIGTERM at any moment of the start ends the node cleanly', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one] = nodes as [TestNode, TestNode]
    for (let delayMs = 200; delayMs <= 900; delayMs += 70) {
      const starting = one.start().catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      const begun = Date.now()
      const code = await one.end('SIGTERM')
      assert.ok(code === 0 || code === null, `after ${delayMs} ms it ends with ${code}: ${one.log}`) // null: it listened not yet
      assert.ok(Date.now() - begun < STOP_MS_MAX, 'it ends soon')
      await starting
    }
    assert.not.match(one.log, /invariant|\n\s+at /)
    await one.start()
  }))

it('a paused study does not train, resumes, and stays paused over a restart', () =>
  inFolder(async (folder, nodes) => {
    nodes.push(...(await consortium(folder, ['one', 'two'])))
    const [one, two] = nodes as [TestNode, TestNode]
    await startAll(nodes)
    const study = await propose(folder, nodes, studyText({ rounds: 1000, periodSeconds: 0.1 }))
    for (const [i, node] of nodes.entries()) await bind(folder, node, study, patients(60, i))
    await until(20_000, 'some rounds', async () => (await roundOf(one)) >= 3)
    assert.is((await consilium(['study', 'pause', 'Test study', '--home', one.home])).code, 0)
    await until(5_000, 'the round under way to end', async () =>
      ['resting', 'withheld'].includes((await phaseOf(one)) ?? ''),
    )
    const paused = await roundOf(one)
    const other = await roundOf(two)
    await until(10_000, 'the other to go on', async () => (await roundOf(two)) >= other + 5)
    assert.ok((await roundOf(one)) <= paused + 1)
    await one.end('SIGKILL')
    await one.start()
    await until(10_000, 'its studies', async () => ((await one.status())?.studies.length ?? 0) === 1)
    assert.is((await one.status())?.studies[0]?.paused, true)
    await signing([one])
    assert.is((await consilium(['study', 'resume', study.slice(0, 8), '--home', one.home])).code, 0)
    await until(10_000, 'training to go on', async () => (await roundOf(one)) > paused + 1)
  }))

it.run()
