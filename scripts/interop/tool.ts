/** Runs another language's tool on a file of ours. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What one cross-check found; `said` is one or more lines for people. */
export interface Verdict {
  readonly outcome: 'agrees' | 'differs' | 'skipped'
  readonly said: string
}

/** A program that reads the path given after `args`, and ends with code 0 where it agrees. */
export interface Tool {
  readonly command: string
  readonly args: readonly string[]
  /** Arguments that succeed where the tool is here, with what it needs. */
  readonly probe: readonly string[]
  /** What to install where it is not. */
  readonly wants: string
  readonly cwd: string
}

const TIME_MS = 300_000 // a first run downloads and builds the other side's packages

/** Writes `value` as JSON to a file that is removed afterwards, and lets `tool` judge it. */
export async function judgedBy(tool: Tool, value: unknown): Promise<Verdict> {
  const { command, args, probe, wants, cwd } = tool
  if ((await run(command, probe, cwd)).code !== 0)
    return { outcome: 'skipped', said: `"${command} ${probe.join(' ')}" fails here; it wants ${wants}` }
  const folder = await mkdtemp(join(tmpdir(), 'consilium-interop-'))
  try {
    const file = join(folder, 'given.json')
    await writeFile(file, JSON.stringify(value))
    const { code, out } = await run(command, [...args, file], cwd)
    return { outcome: code === 0 ? 'agrees' : 'differs', said: out.trim() }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function run(command: string, args: readonly string[], cwd: string): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    execFile(command, [...args], { cwd, timeout: TIME_MS }, (error, out, err) =>
      resolve({ code: error === null ? 0 : 1, out: `${out}${err}` }),
    )
  })
}
