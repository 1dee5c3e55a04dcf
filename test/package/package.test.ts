/** The package as others get it: packed, installed into an empty folder without dev dependencies, and run. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { VERSION } from '../../src/config/version.ts'

const it = suite('package')
const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const OUTPUT_BYTES_MAX = 16_777_216 // npm lists every packed file

it('the version in the code is the one in package.json', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  assert.is(VERSION, version)
})

it('npm pack gives a package that installs in an empty folder without dev dependencies, and runs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-package-'))
  try {
    const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: ROOT,
      maxBuffer: OUTPUT_BYTES_MAX,
    })
    const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }]
    assert.not.ok(
      files.some(({ path }) => /\.csv$|^src\/|^test\/|tsbuildinfo/.test(path)),
      'no data, sources or build state travel',
    )
    const empty = join(folder, 'empty')
    await mkdir(empty)
    await writeFile(join(empty, 'package.json'), '{ "private": true }\n')
    const patient = ['--prefer-offline', '--fetch-retries', '5', '--fetch-retry-maxtimeout', '20000']
    await run('npm', ['install', ...patient, '--no-audit', '--no-fund', join(folder, filename)], {
      cwd: empty,
      maxBuffer: OUTPUT_BYTES_MAX,
    })
    const command = join(empty, 'node_modules', '.bin', 'consilium')
    assert.is((await run(command, ['--version'])).stdout.trim(), VERSION)
    const kernels = pathToFileURL(join(empty, 'node_modules', 'consilium', 'dist/src/learn/kernels/kernels.js')).href
    const load = `import("${kernels}").then(({ Kernels }) => console.log(new Kernels().alloc(1) > 0))`
    assert.is((await run(process.execPath, ['-e', load], { cwd: empty })).stdout.trim(), 'true')
    assert.match((await run(`${command}-netsim`, ['ls'])).stdout, /^baseline +20 /m)
    const home = join(folder, 'home')
    const { stdout } = await run(command, ['init', '--name', 'Packed', '--home', home, '--json'])
    assert.match((JSON.parse(stdout) as { card: string }).card, /^consilium-card-1:/)
    await assertRefused(run(process.execPath, ['-e', 'import("tsx").then(() => console.log("there"))'], { cwd: empty }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** Dev dependencies must not have come along. */
async function assertRefused(running: Promise<unknown>): Promise<void> {
  let came = true
  await running.catch(() => {
    came = false
  })
  assert.not.ok(came)
}

it.run()
