/** Rules on packages: exact versions, no install scripts that nobody looked at, and a lock file that names no host. */
import { type House, type Rule, readText, type Violation } from './tree.ts'

/** Packages that may run a script when a user installs Consilium. */
const INSTALL_SCRIPTS: readonly { name: string; because: string }[] = [
  {
    name: 'classic-level',
    because: 'looks for the prebuilt binary that it brings along; builds from its own source without one',
  },
  { name: '@tensorflow/tfjs-node', because: 'optional only: fetches libtensorflow, and npm drops it where that fails' },
]

/** Packages that may run one when a developer installs the repository. */
const INSTALL_SCRIPTS_DEV: readonly { name: string; because: string }[] = [
  { name: 'esbuild', because: 'puts its binary, which came with npm, in place' },
  { name: 'fsevents', because: 'macOS only, optional; watches files' },
]

const EXACT = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/
const SECTIONS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages?: Readonly<Record<string, LockEntry>>
}

interface LockEntry {
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export const exactVersions: Rule = {
  name: 'versions',
  check(house) {
    const manifest = readJson<Manifest>(house, 'package.json')
    if (manifest === null) return []
    const loose = SECTIONS.flatMap((section) => Object.entries(manifest[section] ?? {})).filter(
      ([, version]) => !EXACT.test(version),
    )
    return loose.map(([name, version]) =>
      lineIn(house, 'package.json', `"${name}"`, `${name} is "${version}": pin one version exactly`),
    )
  },
}

export const installScripts: Rule = {
  name: 'install-scripts',
  check(house) {
    const found: Violation[] = []
    for (const [path, entry] of lockEntries(house)) {
      if (!entry.hasInstallScript) continue
      const name = packageName(path)
      const inTests = entry.dev === true || entry.devOptional === true
      const allowed = inTests ? [...INSTALL_SCRIPTS, ...INSTALL_SCRIPTS_DEV] : INSTALL_SCRIPTS
      if (allowed.some((row) => row.name === name)) continue
      const message = `${name} runs a script at installation: look at it, then do without it or list it in scripts/house/packages.ts`
      found.push(lineIn(house, 'package-lock.json', `"${path}"`, message))
    }
    return found
  },
}

export const lockFile: Rule = {
  name: 'lock-file',
  check(house) {
    const found: Violation[] = []
    for (const [path, { resolved, integrity, link }] of lockEntries(house)) {
      if (path === '' || link) continue
      if (resolved !== undefined) {
        const message = `${path} names a host, and everybody has a registry of their own: make the lock as .npmrc says`
        found.push(lineIn(house, 'package-lock.json', `"${resolved}"`, message))
      }
      if (integrity === undefined)
        found.push(lineIn(house, 'package-lock.json', `"${path}"`, `${path} has no integrity hash: make the lock anew`))
    }
    found.push(...missingEntries(house))
    for (const line of (readText(house, '.npmrc') ?? '').split('\n')) {
      if (/registry\s*=/.test(line)) {
        found.push({ path: '.npmrc', line: 0, message: 'names a host: keep that in your own .npmrc' })
      }
    }
    return found
  },
}

/** `npm ci` refuses a lock without an entry for everything named, builds for other platforms included. */
function missingEntries(house: House): Violation[] {
  const entries = lockEntries(house)
  const locked = new Set(entries.map(([path]) => packageName(path)))
  return entries.flatMap(([path, { dependencies, optionalDependencies }]) => {
    const named = Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !locked.has(name))
    return named.map((name) => {
      const message = `${path || 'package.json'} names ${name}, which has no entry, so npm ci fails: take a version that the registry has whole`
      return lineIn(house, 'package-lock.json', `"${name}"`, message)
    })
  })
}

function packageName(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}

function lockEntries(house: House): [string, LockEntry][] {
  return Object.entries(readJson<Lock>(house, 'package-lock.json')?.packages ?? {})
}

function readJson<T>(house: House, path: string): T | null {
  const text = readText(house, path)
  return text === null ? null : (JSON.parse(text) as T)
}

function lineIn(house: House, path: string, needle: string, message: string): Violation {
  const lines = (readText(house, path) ?? '').split('\n')
  return { path, line: lines.findIndex((line) => line.includes(needle)) + 1, message }
}
