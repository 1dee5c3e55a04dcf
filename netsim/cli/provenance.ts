/** What was run, on what: for `result.json`, and for `replay` to say what differs. */
import { execFile } from 'node:child_process'
import { arch, cpus, platform, release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { VERSION } from '../../src/config/version.ts'
import type { Provenance } from '../result.ts'
import { shellLine } from './command.ts'

const run = promisify(execFile)
const COMMIT = /^[0-9a-f]{40}$/

/** Of this process; `words` are the command's arguments. */
export async function provenanceOf(words: readonly string[]): Promise<Provenance> {
  return {
    commit: await commitOfSources(),
    consilium: VERSION,
    node: process.version,
    machine: machine(),
    startedAt: new Date().toISOString(),
    command: shellLine(['consilium-netsim', ...words]),
  }
}

/** `linux 6.1 x64, 8 × Some CPU`; no name of a host or a user. */
export function machine(): string {
  const processors = cpus()
  const model = processors[0]?.model.trim() || 'unknown processor'
  return `${platform()} ${release()} ${arch()}, ${processors.length} × ${model}`
}

/** Of the repository that this file is part of, marked where it was changed; null in an installed package. */
async function commitOfSources(): Promise<string | null> {
  const cwd = fileURLToPath(new URL('.', import.meta.url))
  if (cwd.includes('node_modules')) return null
  try {
    const commit = (await run('git', ['rev-parse', 'HEAD'], { cwd })).stdout.trim()
    if (!COMMIT.test(commit)) return null
    const { stdout } = await run('git', ['status', '--porcelain', '--untracked-files=no'], { cwd })
    return stdout.trim() === '' ? commit : `${commit} with changes`
  } catch {
    return null
  }
}

/** What differs between two: `node v20.1.0, now v22.2.0`; empty where nothing does. */
export function differences(then: Provenance | null, now: Provenance): string[] {
  if (then === null) return ['the run does not say on what it ran']
  const rows: readonly [string, string | null, string | null][] = [
    ['consilium', then.consilium, now.consilium],
    ['commit', then.commit, now.commit],
    ['node', then.node, now.node],
    ['machine', then.machine, now.machine],
  ]
  return rows
    .filter(([, before, after]) => before !== after)
    .map(([what, before, after]) => `${what}: ${before ?? 'unknown'} then, ${after ?? 'unknown'} now`)
}
