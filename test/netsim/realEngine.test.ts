/** The command line around the real engine: the same traces whatever the number of workers, replays that agree, and Ctrl-C. */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const it = suite('netsim with its engine')
const MAIN = fileURLToPath(new URL('../../dist/netsim/main.js', import.meta.url))

const SCENARIO = `question: Is it the same everywhere?
nodes: { count: 12, availability: { kind: churn, meanUpSeconds: 9, meanDownSeconds: 2 } }
network: { loss: 0.1 }
gossip: { mode: fanout, fanout: 2 }
data: { kind: synthetic, features: 3, rows: 30 }
study: { rounds: { count: 12 } }
ledger: off
end: { seconds: 40 }
`

const run = (cwd: string, ...words: string[]) => promisify(execFile)(process.execPath, [MAIN, ...words], { cwd })

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'netsim-'))
  try {
    await writeFile(join(folder, 'mine.yaml'), SCENARIO)
    await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

it('a sweep over one or over three workers has the same traces and means', () =>
  inFolder(async (folder) => {
    const words = ['sweep', 'mine.yaml', '--param', 'gossip.fanout=1,3', '--seeds', '3']
    const [one, three] = ['one', 'three'].map((name) => join(folder, name)) as [string, string]
    await run(folder, ...words, '--jobs', '1', '--out', one)
    await run(folder, ...words, '--jobs', '3', '--out', three)
    assert.is(await readFile(join(one, 'means.csv'), 'utf8'), await readFile(join(three, 'means.csv'), 'utf8'))
    const traces = async (out: string) => {
      const files = (await readdir(join(out, 'runs'))).sort()
      const runs = await Promise.all(files.map((file) => readFile(join(out, 'runs', file), 'utf8')))
      return runs.map((text) => /"traceHash": ?"(\w+)"/.exec(text)?.[1])
    }
    const found = await traces(one)
    assert.is(new Set(found).size, 6)
    assert.ok(!found.includes(undefined))
    assert.equal(found, await traces(three))
  }))

it('a run is replayed to the same trace, and explained', () =>
  inFolder(async (folder) => {
    const { stdout } = await run(folder, 'run', 'mine.yaml', '--seed', '7')
    const trace = (await readFile(join(folder, 'netsim-results/mine-seed7/trace.hash'), 'utf8')).trim()
    assert.match(stdout, new RegExp(`trace +${trace}`))
    const replayed = await run(folder, 'replay', 'netsim-results/mine-seed7')
    assert.match(replayed.stdout, new RegExp(`same trace: ${trace}`))
    const explained = await run(folder, 'explain', 'netsim-results/mine-seed7', '--node', '3')
    assert.match(explained.stdout, /comes up for the first time/)
    assert.match(explained.stdout, /has trained round 3, published it, and merges/)
  }))

it('Ctrl-C leaves a readable partial result, and exit code 130', () =>
  inFolder(async (folder) => {
    const long = [
      '--set',
      'study.rounds.count=1000000',
      '--set',
      'end.seconds=1000000',
      '--set',
      'report.everySeconds=1000',
    ]
    const child = spawn(process.execPath, [MAIN, 'run', 'mine.yaml', '--out', 'long', ...long], { cwd: folder })
    const folderIsThere = async () => (await readdir(folder)).includes('long')
    const deadline = Date.now() + 60_000
    while (!(await folderIsThere()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50))
    const end = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
    const interrupt = setInterval(() => child.kill('SIGINT'), 10_000) // the first may come before it listens; the third would end it at once
    const code = await end
    clearInterval(interrupt)
    assert.is(code, 130)
    const result = JSON.parse(await readFile(join(folder, 'long/result.json'), 'utf8')) as { outcome: string }
    assert.is(result.outcome, 'interrupted')
  }))

it.run()
