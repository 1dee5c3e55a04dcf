import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Checkpoints, checkpointText, parseCheckpoints } from '../../netsim/cli/checkpoints.ts'
import { csv } from '../../netsim/cli/csv.ts'
import { ProgressLine } from '../../netsim/cli/progress.ts'
import { movedFiles } from '../../netsim/cli/runFolder.ts'
import type { SimulationResult } from '../../netsim/result.ts'
import { parseScenario } from '../../netsim/scenario/read.ts'
import { command, inFolder, SCENARIO, start } from './program.ts'

const it = suite('commands')

const resultOf = async (folder: string): Promise<SimulationResult> =>
  JSON.parse(await readFile(join(folder, 'result.json'), 'utf8')) as SimulationResult

it('run: writes a whole folder, and says in a terminal what came out', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    const { code, out, err } = await command(cwd, 'run', 'mine.yaml', '--seed', '7', '--set', 'gossip.fanout=3')
    assert.equal([code, err], [0, '']) // no progress where there is no terminal
    for (const word of ['Does it hold?', 'AUC', 'Model quality', 'holds   nodes converge', 'trace   '])
      assert.ok(out.includes(word), word)
    const folder = join(cwd, 'netsim-results/mine-seed7')
    const names = [
      'metrics.csv',
      'nodes.csv',
      'report.html',
      'result.json',
      'scenario.yaml',
      'trace.checkpoints',
      'trace.hash',
    ]
    assert.equal((await readdir(folder)).sort(), names)
    const { seed, scenario, provenance, traceHash } = await resultOf(folder)
    assert.equal([seed, scenario.gossip.fanout], [7, 3])
    assert.ok(provenance?.command.endsWith('run mine.yaml --seed 7 --set gossip.fanout=3'))
    assert.is(await readFile(join(folder, 'trace.hash'), 'utf8'), `${traceHash}\n`)
    assert.equal(parseScenario(await readFile(join(folder, 'scenario.yaml'), 'utf8'), 's'), scenario)
    assert.match((await readFile(join(folder, 'metrics.csv'), 'utf8')).split('\n')[1] as string, /^0,[67],0,0,0,0\.\d+/)
    assert.is((await readFile(join(folder, 'nodes.csv'), 'utf8')).trim().split('\n').length, 8)
  }))

it('run: no folder is written over silently, and --force writes over all of it', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    await command(cwd, 'run', 'mine.yaml', '--out', 'here')
    const before = await resultOf(join(cwd, 'here'))
    const again = await command(cwd, 'run', 'mine.yaml', '--out', 'here', '--seed', '8')
    assert.is(again.code, 1)
    assert.match(again.err, /^consilium-netsim: here has files in it already: .*--force\n$/)
    assert.equal(await resultOf(join(cwd, 'here')), before)
    assert.is(
      (await command(cwd, 'run', 'mine.yaml', '--out', 'here', '--seed', '8', '--force', '--set', 'report.html=false'))
        .code,
      0,
    )
    assert.is((await resultOf(join(cwd, 'here'))).seed, 8)
    assert.not.ok((await readdir(join(cwd, 'here'))).includes('report.html'), 'no page of a run before')
  }))

it('run: bad input is one line on standard error and exit code 1', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    const cases: [string[], RegExp][] = [
      [['nowhere.yaml'], /nowhere\.yaml: there is no such file/],
      [['mine.yaml', '--set', 'gossip.fanuot=3'], /did you mean "fanout"/],
      [['mine.yaml', '--seed', 'x'], /whole number/],
      [['mine.yaml', '--data', 'a.csv'], /--label COLUMN/],
      [['mine.yaml', '--site', 'a'], /give --data FILE too/],
      [['mine.yaml', '--out', 'mine.yaml'], /--out/],
    ]
    for (const [words, says] of cases) {
      const { code, out, err } = await command(cwd, 'run', ...words)
      assert.equal([code, out], [1, ''], words.join(' '))
      assert.match(err, says)
      assert.not.match(err, /\n\s+at /)
    }
    assert.equal(await readdir(cwd), ['mine.yaml'])
  }))

it('run: Ctrl-C writes what is known, with exit code 130; a replay then goes as far', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO.replace('30', '3000'))
    const { child, ended } = start(cwd, ['run', 'mine.yaml', '--out', 'here'], { FAKE_SLOW_MS: '20' })
    if (child.stderr) await once(child.stderr, 'data')
    child.kill('SIGINT')
    assert.is((await ended).code, 130)
    const { outcome, samples } = await resultOf(join(cwd, 'here'))
    assert.is(outcome, 'interrupted')
    assert.ok(samples.length > 0 && samples.length < 3000)
    const replay = await command(cwd, 'replay', 'here')
    assert.is(replay.code, 0, replay.out)
    assert.match(replay.out, /^same trace up to event \d+, where the run was interrupted\n$/)
  }))

it('run: a check that fails names scenario, seed, event and the command that shows it again', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), `${SCENARIO}liveness: { fromSeconds: 5, convergeSeconds: 0 }\n`)
    const { code, out, err } = await command(cwd, 'run', 'mine.yaml', '--seed', '9', '--out', 'here')
    assert.is(code, 1)
    assert.match(out, /BROKEN {2}nodes converge: event 1600, 15 s, node 3: two nodes still differ/)
    assert.match(err, /at event 1600 \(scenario mine, seed 9\): .*: consilium-netsim replay here\n$/)
    const replay = await command(cwd, 'replay', 'here')
    assert.match(replay.out, /^same trace: [0-9a-f]{64}\nthe check fails: nodes converge: event 1600/)
  }))

it('replay: the same trace, or between which events it parted and what differs', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    await command(cwd, 'run', 'mine.yaml', '--out', 'here')
    const same = await command(cwd, 'replay', 'here')
    assert.equal([same.code, same.out], [0, `same trace: ${(await resultOf(join(cwd, 'here'))).traceHash}\n`])
    const parted = await start(cwd, ['replay', 'here'], { FAKE_PART_AT: '1234' }).ended
    assert.is(parted.code, 1)
    assert.match(parted.out, /^parted after event 1230, by event 1240 of 3100\nnothing else differs/)
    const result = await resultOf(join(cwd, 'here'))
    await writeFile(
      join(cwd, 'here/result.json'),
      JSON.stringify({ ...result, provenance: { ...result.provenance, node: 'v1.2.3' } }),
    )
    const elsewhere = await start(cwd, ['replay', 'here'], { FAKE_PART_AT: '1234' }).ended
    assert.match(elsewhere.out, /what differs:\n {2}node: v1\.2\.3 then, v\d+/)
    await mkdir(join(cwd, 'empty'))
    assert.match((await command(cwd, 'replay', 'empty')).err, /empty: there is no result\.json in it/)
  }))

it('explain: tells what one node did, within a time', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO)
    await command(cwd, 'run', 'mine.yaml', '--out', 'here')
    const { code, out } = await command(cwd, 'explain', 'here', '--node', '3', '--from', '12', '--to', '14')
    assert.is(code, 0)
    assert.equal(
      out.split('\n').map((line) => line.trim().split(/ {2,}/)[0]),
      ['seconds', '12.000', '13.000', '14.000', ''],
    )
    assert.match((await command(cwd, 'explain', 'here', '--node', '7')).err, /--node 7: the run has 7 nodes, 0 to 6/)
  }))

it('new and ls: a scenario to begin from, never over a file; the scenarios that come along with their questions', () =>
  inFolder(async (cwd) => {
    assert.is((await command(cwd, 'new', 'mine.yaml')).code, 0)
    const again = await command(cwd, 'new', 'mine.yaml')
    assert.is(again.code, 1)
    assert.match(again.err, /mine\.yaml is there already/)
    assert.is((await command(cwd, 'run', 'mine.yaml')).code, 0)
    const { out } = await command(cwd, 'ls')
    assert.match(out, /^fanout +100 +off +To how many others should a node send each update\?$/m)
  }))

it('a reader that has enough of the output ends a command without a word', () =>
  inFolder(async (cwd) => {
    await writeFile(join(cwd, 'mine.yaml'), SCENARIO.replace('30', '15000'))
    await command(cwd, 'run', 'mine.yaml', '--out', 'here')
    const { child, ended } = start(cwd, ['explain', 'here', '--node', '3'])
    child.stdout?.once('data', () => child.stdout?.destroy())
    assert.is((await ended).err, '')
  }))

it('every command has --help with an example', () =>
  inFolder(async (cwd) => {
    for (const name of ['run', 'sweep', 'merge', 'compare', 'replay', 'explain', 'new', 'ls'])
      assert.match((await command(cwd, name, '--help')).out, new RegExp(`Example:\\n  \\$ consilium-netsim ${name}`))
  }))

it('checkpoints: any number becomes at most 4,097, evenly spread, the first and the last among them', () => {
  for (const count of [1, 7, 4_095, 4_096, 4_097, 50_000, 1_000_003]) {
    const kept = new Checkpoints()
    for (let i = 1; i <= count; i++) kept.add({ event: 3 * i, hash: 'ab'.repeat(32) })
    const list = kept.list()
    assert.ok(list.length <= 4_097, String(list.length))
    assert.ok(list.length >= Math.min(count, 2_000), String(list.length))
    assert.equal([list[0]?.event, list.at(-1)?.event], [3, 3 * count])
    const gaps = list.slice(1).map(({ event }, i) => event - (list[i]?.event ?? 0))
    assert.ok(new Set(gaps.slice(0, -1)).size <= 1, 'one distance for all but the last')
    assert.equal(parseCheckpoints(checkpointText(list)), list)
  }
  assert.is(parseCheckpoints('7 xyz\n'), null)
})

it('CSV: what holds commas, quotes or lines is quoted; null is empty', () => {
  assert.is(
    csv(
      ['a', 'b'],
      [
        ['x, "y"\nz', null],
        [0.25, true],
      ],
    ),
    'a,b\n"x, ""y""\nz",\n0.25,true\n',
  )
})

it('files of a scenario are found from the folder of a run', () => {
  const scenario = parseScenario(SCENARIO.replace(/data.*/, 'data: { kind: table, file: ../t.csv, label: x }'), 's')
  const { data } = movedFiles(scenario, '/a/b', '/a/c/d')
  assert.is('file' in data && data.file, '../../t.csv')
  const fixed = movedFiles({ ...scenario, data: { ...data, file: '/x/t.csv' } as typeof data }, '/a/b', '/a/c/d').data
  assert.is('file' in fixed && fixed.file, '/x/t.csv')
})

it('progress: on a terminal a bar with pace and time left, ten times a second at most; elsewhere nothing', () => {
  let ms = 0
  const draw = (isTTY: boolean): string[] => {
    const drawn: string[] = []
    ms = 0
    const line = new ProgressLine({ isTTY, columns: 100, write: (text) => drawn.push(text) }, () => ms)
    for (ms = 0; ms <= 2_000; ms += 20)
      line.show({ virtualSeconds: ms / 40, endSeconds: 100, events: ms * 30, roundMean: 0, rounds: 0 })
    return drawn
  }
  assert.equal(draw(false), [])
  const drawn = draw(true)
  assert.is(drawn.length, 21)
  assert.match(drawn.at(-1) ?? '', /█{8}·{8} 50 % {2}50 s virtual in 2 s {2}30 k events\/s, 2 s left$/)
})

it.run()
