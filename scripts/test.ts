/**
 * Runs the tests: the house's rules, then every test file in a process of its own. Ends with `N passed, N failed`.
 *   node --import tsx scripts/test.ts [--long] [PART OF A PATH]…
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Ending, readTotals, type Totals } from './uvuTotals.ts'

const LIMITS = {
  jobs: 2, // the smallest machine that we promise has two cores; CONSILIUM_TEST_JOBS changes it
  jobsMax: 64, // beyond it a slip of the finger starves the machine
  deadlineMs: 300_000, // the slowest file takes some 100 s on two busy cores; CONSILIUM_TEST_DEADLINE_MS changes it
  longDeadlineMs: 1_800_000, // long tests run soaks of many minutes
  outputCharsMax: 4_000_000, // a test that prints in a loop may not fill our memory
} as const

const HOUSE = 'scripts/house.ts' // the pseudo-file whose tests are the house's rules

interface FileResult extends Totals {
  readonly path: string
  readonly output: string
  readonly ms: number
}

const running = new Set<ChildProcess>()

async function main(): Promise<void> {
  const options = { long: { type: 'boolean', default: false }, root: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const root = resolve(values.root ?? join(fileURLToPath(import.meta.url), '../..'))
  const chosen = [HOUSE, ...testFiles(root)].filter((path) => isChosen(path, positionals))
  const left = values.long ? [] : chosen.filter((path) => isLong(path) && !positionals.includes(path))
  const results = await runAll(
    root,
    chosen.filter((path) => !left.includes(path)),
  )
  if (left.length > 0) console.log(`NOT RUN, for they are long (run them with --long): ${left.join(', ')}`)
  summarise(results)
}

function isChosen(path: string, parts: readonly string[]): boolean {
  return parts.length === 0 || parts.some((part) => path.includes(part.replace(/^\.\//, '')))
}

function isLong(path: string): boolean {
  return path.endsWith('.long.test.ts')
}

function testFiles(root: string): string[] {
  return ['test', 'netsim'].flatMap((folder) => {
    if (!existsSync(join(root, folder))) return []
    const paths = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    const tests = paths
      .map((path) => posix.join(folder, path.replaceAll('\\', '/')))
      .filter((path) => path.endsWith('.test.ts'))
    return tests.sort()
  })
}

/** Runs the files, a few at a time, and prints each as it ends. */
async function runAll(root: string, paths: readonly string[]): Promise<FileResult[]> {
  const results: FileResult[] = []
  const waiting = [...paths]
  const worker = async (): Promise<void> => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      const result = path === HOUSE ? await runHouse(root) : await runFile(root, path)
      report(result)
      results.push(result)
    }
  }
  const jobs = wholeNumber('CONSILIUM_TEST_JOBS', LIMITS.jobs, LIMITS.jobsMax)
  await Promise.all(Array.from({ length: jobs }, worker))
  return results
}

async function runHouse(root: string): Promise<FileResult> {
  const startedMs = performance.now()
  const { checkHouse, describeBreach } = await import('./house.ts') // the compiler comes with it: half a second
  const { passed, failed, violations } = checkHouse(root)
  const output = violations.map((breach) => `${describeBreach(breach)}\n`).join('')
  return { path: HOUSE, passed, failed, skipped: 0, complaint: null, output, ms: performance.now() - startedMs }
}

async function runFile(root: string, path: string): Promise<FileResult> {
  const startedMs = performance.now()
  const usual = isLong(path) ? LIMITS.longDeadlineMs : LIMITS.deadlineMs
  const deadlineMs = wholeNumber('CONSILIUM_TEST_DEADLINE_MS', usual, Number.MAX_SAFE_INTEGER)
  const ending = await runProcess(root, path, deadlineMs)
  return { path, ...readTotals(ending), output: ending.output, ms: performance.now() - startedMs }
}

/** Runs one file as the leader of a process group, so that nothing that it starts outlives it. */
function runProcess(root: string, path: string, deadlineMs: number): Promise<Ending> {
  const env: NodeJS.ProcessEnv = { ...process.env, FORCE_COLOR: '0' }
  delete env.NO_COLOR // Node warns when both are set
  const child = spawn(process.execPath, ['--import', 'tsx', path], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let output = ''
  let missedMs: number | null = null
  const keep = (chunk: string): void => {
    if (output.length < LIMITS.outputCharsMax) output += chunk
  }
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', keep)
  const timer = setTimeout(() => {
    missedMs = deadlineMs
    killGroup(child)
  }, deadlineMs)
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('exit', () => killGroup(child)) // grandchildren would hold the pipes open
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      running.delete(child)
      done({ output, code, signal, missedMs })
    })
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // the group is gone already
  }
}

function report({ path, passed, failed, skipped, complaint, output, ms }: FileResult): void {
  const counts = [`${passed} passed`, failed > 0 ? `${failed} failed` : '', skipped > 0 ? `${skipped} SKIPPED` : '']
  const line = `${failed > 0 ? 'FAIL' : 'ok  '} ${path}  ${counts.filter((text) => text !== '').join(', ')}  ${(ms / 1000).toFixed(1)} s`
  if (failed === 0) return console.log(line)
  console.log(`${line}${complaint === null ? '' : `\n     ${complaint}`}\n${output.trimEnd()}\n--- end of ${path}`)
}

function summarise(results: readonly FileResult[]): void {
  const sum = (count: (result: FileResult) => number): number =>
    results.reduce((total, result) => total + count(result), 0)
  const [passed, skipped] = [sum((result) => result.passed), sum((result) => result.skipped)]
  const nothing = passed === 0 && sum((result) => result.failed) === 0
  const failed = nothing ? 1 : sum((result) => result.failed)
  const bad = results.filter((result) => result.failed > 0).map((result) => result.path)
  if (nothing) console.log('no test ran: does a test file match what you named?')
  if (bad.length > 0) console.log(`failed: ${bad.sort().join(', ')}`)
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = failed > 0 ? 1 : 0
}

function wholeNumber(name: string, usual: number, max: number): number {
  const text = process.env[name]
  if (text === undefined || text === '') return usual
  if (/^[1-9]\d*$/.test(text) && Number(text) <= max) return Number(text)
  throw new Error(`${name} is "${text}": a whole number from 1 to ${max} is expected`)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const child of running) killGroup(child)
    process.exit(signal === 'SIGINT' ? 130 : 143)
  })
}

await main()
