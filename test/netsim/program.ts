/** Runs `consilium-netsim` with the engine of the tests, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./fakeMain.ts', import.meta.url))
const TSX = import.meta.resolve('tsx')

export interface Ending {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A command that is still running. */
export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ending>
}

/** Starts it in `cwd`. */
export function start(cwd: string, words: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, ['--import', TSX, PROGRAM, ...words], { cwd, env: { ...process.env, ...env } })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  return { child, ended }
}

/** Runs it to its end. */
export function command(cwd: string, ...words: readonly string[]): Promise<Ending> {
  return start(cwd, words).ended
}

/** Calls `work` with an empty folder that is removed afterwards. */
export async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-netsim-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export const SCENARIO = `question: Does it hold?
nodes: { count: 7 }
gossip: { mode: fanout, fanout: 2 }
data: { kind: synthetic, features: 3, rows: 40 }
end: { seconds: 30 }
`
