import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { compareLines, comparison } from '../../netsim/cli/compare.ts'
import type { RunRecord } from '../../netsim/cli/sweepFolder.ts'
import { axisOption, combinations, seedsOption, shardOf, shardOption, tasksOf } from '../../netsim/cli/sweepPlan.ts'
import type { Arm } from '../../netsim/cli/sweepTable.ts'
import { type Curve, secondsToReach } from '../../netsim/report/measures.ts'
import { command, inFolder, SCENARIO, start } from './program.ts'

const it = suite('sweep')

const SWEEP = ['sweep', 'mine.yaml', '--param', 'gossip.fanout=1,3', '--seeds', '4', '--jobs', '2'] as const

it('plan: all combinations with all seeds, the last parameter fastest', () => {
  const axes = [...axisOption('b.c=x,[1, 2]', axisOption('a=1,3', []))]
  assert.equal(combinations(axes), [
    { a: 1, 'b.c': 'x' },
    { a: 1, 'b.c': [1, 2] },
    { a: 3, 'b.c': 'x' },
    { a: 3, 'b.c': [1, 2] },
  ])
  const keys = tasksOf({ axes, seeds: [3, 9] }).map(({ key }) => key)
  assert.is(new Set(keys).size, 8)
})

it('plan: shards share out all runs, none twice, nearly alike', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 12 }), (seeds, of) => {
      const tasks = tasksOf({ axes: [{ path: 'a', values: [1, 2, 3] }], seeds: seedsOption(String(seeds)) })
      const shards = Array.from({ length: of }, (_, i) => shardOf(tasks, { index: i + 1, of }))
      assert.is(new Set(shards.flat()).size, tasks.length)
      assert.is(shards.flat().length, tasks.length)
      const sizes = shards.map(({ length }) => length)
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1)
    }),
  )
})

it('options: seeds, shards and values are read, and nonsense is refused', () => {
  assert.equal(seedsOption('3'), [1, 2, 3])
  assert.equal(seedsOption('3..5'), [3, 4, 5])
  assert.equal(seedsOption('7,2'), [7, 2])
  assert.equal(shardOption('2/8'), { index: 2, of: 8 })
  for (const text of ['0', '5..3', '1,1', 'x', '', '-3', '1.5'])
    assert.throws(() => seedsOption(text), /expected/, text)
  for (const text of ['0/3', '4/3', '1', 'a/b']) assert.throws(() => shardOption(text), /expected/, text)
  for (const text of ['a', 'a=', 'a=1,1', 'a=[', '=3']) assert.throws(() => axisOption(text, []), /./, text)
  assert.throws(() => axisOption('a=3', axisOption('a=1', [])), /twice/)
})

it('time to reach: from below where more is better, from above where less is; never is null', () => {
  const curve: Curve = {
    seconds: [0, 5, 10, 15],
    auc: [null, 0.6, 0.8, 0.7],
    accuracy: [null, null, null, null],
    logLoss: [0.7, 0.5, 0.4, 0.45],
    consensusDistance: [0.9, 0.3, 0.2, 0.1],
  }
  assert.is(secondsToReach(curve, { key: 'auc', value: 0.65 }), 10)
  assert.is(secondsToReach(curve, { key: 'logLoss', value: 0.5 }), 5)
  assert.is(secondsToReach(curve, { key: 'accuracy', value: 0.1 }), null)
})

it('sweep: a table of means with intervals, and files; done again, nothing is run again', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    const first = await command(cwd, ...SWEEP, '--reach', 'auc=0.6')
    assert.equal([first.code, first.err], [0, ''])
    assert.match(first.out, /gossip\.fanout +seeds +AUC .*time to AUC 0\.6\n +1 +4 +0\.\d{4} ± 0\.\d+/)
    const folder = join(cwd, 'netsim-results/mine-sweep')
    assert.equal((await readdir(folder)).sort(), ['means.csv', 'runs', 'sweep.csv', 'sweep.html', 'sweep.json'])
    const rows = (await readFile(join(folder, 'sweep.csv'), 'utf8')).trim().split('\n')
    assert.is(rows.length, 9)
    assert.match(rows[0] as string, /^gossip\.fanout,seed,outcome,auc,accuracy/)
    const files = await readdir(join(folder, 'runs'))
    const marked = JSON.parse(await readFile(join(folder, 'runs', files[0] as string), 'utf8')) as RunRecord
    await writeFile(join(folder, 'runs', files[0] as string), JSON.stringify({ ...marked, events: 424_242 }))
    await writeFile(join(folder, 'runs', files[1] as string), '{"format": 1, "parame') // torn, as no kill of ours leaves it
    const again = await command(cwd, ...SWEEP, '--reach', 'auc=0.6')
    assert.is(again.out, first.out)
    assert.match(await readFile(join(folder, 'sweep.csv'), 'utf8'), /424242/)
  }))

it('sweep: killed at any time, the same command goes on to the same result', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    await command(cwd, ...SWEEP, '--out', 'whole')
    const many = [...SWEEP, '--out', 'killed']
    for (const ms of [600, 900, 1_200]) {
      const { child, ended } = start(cwd, many)
      await setTimeout(ms)
      child.kill('SIGKILL')
      await ended
    }
    assert.is((await command(cwd, ...many)).code, 0)
    const csvOf = (folder: string) => readFile(join(cwd, folder, 'sweep.csv'), 'utf8')
    assert.is(await csvOf('killed'), await csvOf('whole'))
  }))

it('sweep: another scenario is refused in a folder, with what differs; more seeds are not', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    await command(cwd, ...SWEEP, '--out', 'here')
    const other = await command(cwd, ...SWEEP, '--out', 'here', '--set', 'network.loss=0.2')
    assert.is(other.code, 1)
    assert.match(other.err, /network\.loss 0 then, 0\.2 now: name another folder/)
    const header = JSON.parse(await readFile(join(cwd, 'here/sweep.json'), 'utf8')) as object
    await writeFile(join(cwd, 'here/sweep.json'), JSON.stringify({ ...header, consilium: '0.0.9' }))
    assert.match((await command(cwd, ...SWEEP, '--out', 'here')).err, /consilium 0\.0\.9 then, /)
    await writeFile(join(cwd, 'here/sweep.json'), JSON.stringify(header))
    assert.is((await command(cwd, ...SWEEP, '--out', 'here', '--seeds', '5')).code, 0)
    assert.is((await readdir(join(cwd, 'here/runs'))).length, 10)
    await writeFile(join(cwd, 'notes.txt'), 'mine')
    assert.match((await command(cwd, ...SWEEP, '--out', '.')).err, /files of something else/)
  }))

it('sweep: a run that cannot be done leaves the others, exit code 1; a bad value is refused before any run', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    const { code, err } = await command(cwd, 'sweep', 'mine.yaml', '--seeds', '12..14', '--out', 'here', '--jobs', '1')
    assert.is(code, 1)
    assert.match(err, /1 runs failed, the first: seed 13: seed 13 never works: 2 of 3 runs are done/)
    const bad = await command(cwd, 'sweep', 'mine.yaml', '--param', 'gossip.fanout=1,-3', '--out', 'there')
    assert.match(bad.err, /gossip\.fanout=-3: gossip\.fanout: -3 was given/)
    assert.equal((await readdir(cwd)).sort(), ['here', 'mine.yaml'])
  }))

it('sweep: a failed check is left out of the means, told with the command that shows it, exit code 1', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), `${SCENARIO}liveness: { fromSeconds: 5 }\n`)
    const words = ['sweep', 'mine.yaml', '--param', 'liveness.convergeSeconds=null,0', '--seeds', '2', '--out', 'here']
    const { code, out, err } = await command(cwd, ...words)
    assert.is(code, 1)
    assert.match(out, /null +2 +0\.\d+.*\n +0 +0 +–/)
    assert.match(
      err,
      /failed in 2 of 4 runs.*\n {2}nodes converge: event 1600: .*: consilium-netsim run mine --seed 1 --set liveness\.convergeSeconds=0/,
    )
  }))

it('merge: shards make the same whole; missing runs and other sweeps are told', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    await command(cwd, ...SWEEP, '--out', 'whole')
    for (const i of [1, 2, 3]) await command(cwd, ...SWEEP, '--shard', `${i}/3`, '--out', `s${i}`)
    const part = await command(cwd, 'merge', 's1', 's3', '--out', 'part')
    assert.is(part.code, 1)
    assert.match(
      part.err,
      /3 of 8 runs are missing:\n {2}gossip\.fanout=1: seeds 2\n {2}gossip\.fanout=3: seeds 1, 4\n$/,
    )
    const all = await command(cwd, 'merge', 's1', 's2', 's3', '--out', 'all')
    assert.equal([all.code, all.err], [0, ''])
    for (const name of ['sweep.csv', 'means.csv'])
      assert.is(await readFile(join(cwd, 'all', name), 'utf8'), await readFile(join(cwd, 'whole', name), 'utf8'))
    await command(cwd, ...SWEEP, '--seeds', '3', '--out', 'other')
    assert.match((await command(cwd, 'merge', 's1', 'other', '--out', 'x')).err, /other has other --param or --seeds/)
    assert.match((await command(cwd, 'merge', 's1', 's2', '--out', 's1')).err, /is one of the shards/)
    const equal = await command(cwd, 'compare', 'whole', 'all')
    assert.match(equal.out, /all gossip\.fanout=1 − whole gossip\.fanout=1 +4 +\+0 +\+0 to \+0 +1\.0000/)
    assert.match(equal.out, /Too few seeds: with 4, Wilcoxon’s p is never below 0\.125/)
  }))

it('compare: combinations of one sweep, and single runs of two scenarios, paired by seed', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    await command(cwd, ...SWEEP, '--out', 'one')
    const within = await command(cwd, 'compare', 'one', '--measure', 'auc')
    assert.match(within.out, /AUC +gossip\.fanout=3 − gossip\.fanout=1 +4 +\+0\.\d+/)
    for (const [seed, fanout] of [
      [1, 1],
      [2, 1],
      [1, 5],
      [2, 5],
    ])
      await command(
        cwd,
        'run',
        'mine.yaml',
        '--seed',
        `${seed}`,
        '--set',
        `gossip.fanout=${fanout}`,
        '--out',
        `f${fanout}-${seed}`,
      )
    const runs = await command(cwd, 'compare', 'f1-1', 'f1-2', 'f5-1', 'f5-2', '--measure', 'auc')
    assert.match(runs.out, /AUC +f5-1 − f1-1 +2 /)
    assert.match((await command(cwd, 'compare', 'f1-1', 'f5-2')).err, /no seed has .* on both sides/)
    assert.match((await command(cwd, 'compare', 'f1-1')).err, /has one combination/)
    assert.match((await command(cwd, 'compare', 'one', '--measure', 'ac')).err, /is not one of auc, accuracy/)
  }))

it('comparison: differences are by seed, other less reference, and seeds of one side alone are left out', () => {
  const arm = (values: readonly [seed: number, auc: number | null][]): Arm => ({
    label: 'x',
    parameters: {},
    records: values.map(([seed, auc]) => ({ seed, measures: { auc } }) as unknown as RunRecord),
  })
  const reference = arm([
    [1, 0.5],
    [2, 0.25],
    [3, 0.75],
    [4, null],
  ])
  const other = arm([
    [3, 1],
    [4, 1],
    [2, 0.75],
    [9, 1],
  ])
  const found = comparison({ name: 'a − b', reference, other }, 'auc')
  assert.equal(found.differences, [0.25, 0.5])
  assert.ok(compareLines([found]).some((line) => line.includes('Seeds that only one side has are left out')))
})

it.run()
