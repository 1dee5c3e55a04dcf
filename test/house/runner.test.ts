/** The test runner: what uvu would let pass is counted as failed, and the last line says it all. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inTree, type Tree } from './tempTree.ts'

const it = suite('test runner')

const RUNNER = fileURLToPath(new URL('../../scripts/test.ts', import.meta.url))
const HOUSE_RULES = /^(?:ok {2}|FAIL) scripts\/house\.ts {2}(\d+) passed/m
const HEAD = "import { suite } from 'uvu'\nimport * as assert from 'uvu/assert'\nconst it = suite('it')\n"
const PASS = "it('passes', () => assert.is(7, 7))\n"
const FAIL = "it('fails', () => assert.is(7, 8))\n"

/** A file, and what the runner must count in it; `says` stands somewhere in what it prints. */
const FILES: readonly [what: string, text: string, passed: number, failed: number, says: string][] = [
  ['three tests that pass', `${HEAD}${PASS.repeat(3)}it.run()`, 3, 0, 'ok   test/f00'],
  [
    'one test of three that fails',
    `${HEAD}${PASS}${FAIL}${PASS}it.run()`,
    2,
    1,
    'Expected values to be strictly equal',
  ],
  [
    'two suites',
    `${HEAD}${PASS}it.run()\nconst b = suite('b')\nb('fails', () => assert.ok(0))\nb.run()`,
    1,
    1,
    'Expected value to be truthy',
  ],
  ['a suite that is not run', `${HEAD}${PASS}`, 0, 1, 'does the file end with .run()?'],
  ['a suite without tests', `${HEAD}it.run()`, 0, 1, 'does the file end with .run()?'],
  ['an error while it loads', `${HEAD}${PASS}it.run()\nthrow new Error('crash of seven')`, 0, 1, 'crash of seven'],
  ['an exit in the middle of a test', `${HEAD}it('x', () => process.exit(0))\n${PASS}it.run()`, 0, 1, 'Exiting early'],
  [
    'an exit with 3 after tests that pass',
    `${HEAD}${PASS}it.run()\nprocess.on('exit', () => process.exit(3))`,
    1,
    1,
    'exit code 3',
  ],
  [
    'a before hook that throws, which uvu passes over',
    `${HEAD}it.before(() => { throw new Error('x') })\n${PASS.repeat(2)}it.run()`,
    0,
    2,
    'Passed:    0',
  ],
  [
    'a suite that is run too late',
    `${HEAD}${PASS}it.run()\nawait new Promise((done) => setTimeout(done, 300))\nconst b = suite('b')\nb('b', () => {})\nb('c', () => {})\nb.run()`,
    3,
    1,
    'ran more than once',
  ],
  [
    'a signal',
    `${HEAD}${PASS}it.run()\nprocess.on('exit', () => process.kill(process.pid, 'SIGTERM'))`,
    1,
    1,
    'ended by SIGTERM',
  ],
]

const path = (row: number): string => `test/f${String(row).padStart(2, '0')}.test.ts`

/** All of FILES in one run of the runner, for each run costs a second. */
const runOfFiles = once(() => run(Object.fromEntries(FILES.map(([, text], row) => [path(row), text])), ['test/f']))

for (const [row, [what, , passed, failed, says]] of FILES.entries()) {
  it(`${what}: ${passed} passed, ${failed} failed`, async () => {
    const { output } = await runOfFiles()
    const counts =
      failed > 0 ? `FAIL ${path(row)}  ${passed} passed, ${failed} failed ` : `ok   ${path(row)}  ${passed} passed `
    assert.ok(output.includes(counts), output)
    const start = output.indexOf(counts)
    const end = failed > 0 ? output.indexOf(`--- end of ${path(row)}`) : output.length
    assert.ok(output.slice(start, end).includes(says), output)
  })
}

it('the last line is the sum of all files, and a failure is the exit code 1', async () => {
  const { output, code } = await runOfFiles()
  const sum = (column: 2 | 3): number => FILES.reduce((total, row) => total + row[column], 0)
  assert.is(lastLine(output), `${sum(2)} passed, ${sum(3)} failed`)
  assert.is(code, 1)
})

it('a skipped test is counted and shown', async () => {
  const { output, code } = await run({ 'test/a.test.ts': `${HEAD}${PASS}it.skip('x', () => {})\nit.run()` }, ['test/a'])
  assert.match(output, /1 passed, 1 SKIPPED/)
  assert.is(lastLine(output), '1 passed, 0 failed, 1 skipped')
  assert.is(code, 0)
})

it('a file that does not end is killed with all that it started, and counted as failed', async () => {
  const child =
    "import { spawn } from 'node:child_process'\nconst child = spawn('sleep', ['1000'])\nconsole.log('child ' + child.pid)\n"
  const { output } = await run({ 'test/a.test.ts': `${child}${HEAD}${PASS}it.run()` }, ['test/a'], {
    CONSILIUM_TEST_DEADLINE_MS: '10000',
  })
  assert.match(output, /killed after 10 s: its tests ended, but something keeps the process alive/)
  assert.is(lastLine(output), '1 passed, 1 failed')
  await gone(Number(/child (\d+)/.exec(output)?.[1]))
})

it('long tests are named but not run, unless asked for', async () => {
  const tree = {
    'netsim/a.test.ts': `${HEAD}${PASS}it.run()`,
    'test/b.long.test.ts': `${HEAD}${PASS.repeat(4)}it.run()`,
  }
  const usual = await run(tree, ['.test.ts'])
  assert.match(usual.output, /NOT RUN, for they are long .*test\/b\.long\.test\.ts/)
  assert.is(lastLine(usual.output), '1 passed, 0 failed')
  assert.is(lastLine((await run(tree, ['--long', '.test.ts'])).output), '5 passed, 0 failed')
})

it("the house's rules run first and count as tests", async () => {
  const { output, code } = await run({ 'src/core/a.ts': 'Date.now()' }, [])
  assert.match(output, /src\/core\/a\.ts:1: pure: Date/)
  const rules = Number(HOUSE_RULES.exec(output)?.[1])
  assert.ok(rules > 10)
  assert.is(lastLine(output), `${rules} passed, 2 failed`) // pure, and src/README.md is missing
  assert.is(code, 1)
})

it('a name that matches nothing fails the run', async () => {
  const { output, code } = await run({ 'test/a.test.ts': `${HEAD}${PASS}it.run()` }, ['nothing-like-it'])
  assert.is(lastLine(output), '0 passed, 1 failed')
  assert.is(code, 1)
})

it.run()

function run(tree: Tree, args: readonly string[], env: object = {}): Promise<{ output: string; code: number }> {
  return inTree({ 'package.json': '{ "type": "module" }', ...tree }, (root) => {
    const command = ['--import', 'tsx', RUNNER, '--root', root, ...args]
    return new Promise((done) => {
      execFile(process.execPath, command, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
        done({ output: stdout + stderr, code: typeof error?.code === 'number' ? error.code : 0 })
      })
    })
  })
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

function lastLine(output: string): string {
  return output.trimEnd().split('\n').at(-1) as string
}

/** Waits until no process has this id, at most 5 s. */
async function gone(pid: number): Promise<void> {
  assert.ok(pid > 0)
  const deadline = performance.now() + 5000
  while (performance.now() < deadline) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await new Promise((done) => setTimeout(done, 20))
  }
  assert.unreachable(`process ${pid} is still there`)
}
