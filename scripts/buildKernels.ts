/** `npm run build`, second part: compiles the learner's kernels from AssemblyScript to `dist/…/kernels.wasm`, unless nothing has changed. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = resolve(fileURLToPath(import.meta.url), '../..')
const SOURCES = 'src/learn/kernels/assembly'
const SHARED = 'src/learn/kernels/planLayout.ts' // compiled by both compilers
const TARGET = 'dist/src/learn/kernels/kernels.wasm'
const STAMP = 'dist/.kernels' // beside what is published: the digest of what the target was made from

const OPTIONS = [
  ...['-O3', '--noAssert', '--runtime', 'stub'], // nothing is allocated by a kernel
  ...['--enable', 'simd'], // fixed to the bit by the standard; relaxed SIMD is not, and stays off
  ...['--initialMemory', '1', '--maximumMemory', '65536'], // pages of 64 KiB: up to 4 GiB
  ...['--disableWarning', '112'], // vectors are handed between our own functions only
]

async function main(): Promise<void> {
  const stamp = digestOfSources()
  if (existsSync(join(ROOT, TARGET)) && readText(STAMP) === stamp) return
  const { default: asc } = await import('assemblyscript/asc') // half a second, and so only where it is needed
  mkdirSync(join(ROOT, dirname(TARGET)), { recursive: true })
  const made = `${TARGET}.${process.pid}` // two builds at once must not read each other's half
  const given = [`${SOURCES}/index.ts`, '--baseDir', ROOT, '--outFile', made, ...OPTIONS]
  const { error, stderr } = await asc.main(given, { readFile })
  const said = stderr.toString().trim()
  if (error !== null || said !== '') throw new Error(`asc: ${said}`, { cause: error })
  renameSync(join(ROOT, made), join(ROOT, TARGET))
  writeFileSync(join(ROOT, STAMP), stamp)
}

/** asc puts .ts behind every import, and the house's imports end in it already. */
function readFile(path: string): string | null {
  return readText(path.replace(/\.ts\.ts$/, '.ts'))
}

function digestOfSources(): string {
  const files = readdirSync(join(ROOT, SOURCES)).sort()
  const { version } = JSON.parse(readText('node_modules/assemblyscript/package.json') ?? '{}') as { version?: string }
  const hash = createHash('sha256').update(JSON.stringify([version, OPTIONS, files]))
  for (const path of [...files.map((file) => `${SOURCES}/${file}`), SHARED]) hash.update(readText(path) ?? '')
  return hash.digest('hex')
}

function readText(path: string): string | null {
  return existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), 'utf8') : null
}

await main()
